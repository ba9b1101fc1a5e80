//! Documents: drafted and issued by the commands that the API runs, printed, and found again by every filter of their list.
//!
//! One company, 200 clients, four types of documents, so four series of numbers: what is issued in one series waits for its
//! stream, so there are as many issuers as series. The read models are folded meanwhile, nothing is printed or mailed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_domain::batch::{MAX_DOCUMENTS, OrderBatch};
use keiin_domain::client::RegisterClient;
use keiin_domain::date::{DAY_US, Date, ZONE_S};
use keiin_domain::document::{DraftDocument, IssueDocument, RecordPayment};
use keiin_domain::tenant::ChangeTenant;
use keiin_formats::pdf;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::deployment::Deployment;
use super::{Clock, Measured, Settings, http, percentile};
use crate::app::App;
use crate::execute::{Call, execute};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::{batch, clock, json as strict, paper};

const TYPES: [&str; 4] = ["invoice", "quote", "delivery_slip", "order_slip"];
const CLIENTS: u64 = 200;
/// Papers that are printed.
const PAPERS: usize = 200;
/// How often each filter is asked.
const QUERIES: usize = 400;

pub async fn run(place: &Deployment, settings: &Settings) -> anyhow::Result<Measured> {
    measure(place, settings).await.map_err(|problem| anyhow::anyhow!("a command was refused ({})", problem.code))
}

async fn measure(place: &Deployment, settings: &Settings) -> Result<Measured, Problem> {
    let app = place.app.clone();
    // Folded as it comes, but not printed: printing is measured by itself.
    let folding = tokio::spawn(app.runner.clone().follow());
    let owner = http::owner(&app, 0).await?;
    let tenant = json!({ "name": "株式会社ベンチ", "registration_number": "T7000012050002", "address": "東京都港区虎ノ門2-2-5" });
    let call = Call::internal(clock::now_us()).on(owner.ledger);
    execute(&app, &owner.allow::<ChangeTenant>()?, strict::typed(tenant)?, &call).await?;
    let mut clients = vec![];
    for n in 0..CLIENTS {
        let client = json!({ "name": format!("株式会社取引先{n:03}"), "honorific": "onchu" });
        let register = owner.allow::<RegisterClient>()?;
        let done = execute(&app, &register, strict::typed(client)?, &Call::internal(clock::now_us())).await?;
        clients.push(done.id);
    }
    let clients = Arc::new(clients);

    let clock = Clock::start();
    let (mut drafting, mut drafted, mut drafts) = (JoinSet::new(), vec![vec![]; TYPES.len()], vec![]);
    for n in 0..settings.clients {
        let (app, owner, clients, settings) = (app.clone(), owner.clone(), clients.clone(), settings.clone());
        drafting.spawn(async move { draft(&app, &owner, &clients, n, &settings).await });
    }
    while let Some(done) = drafting.join_next().await {
        for (n, id, took) in done.map_err(Problem::failed)?? {
            drafted[n as usize % TYPES.len()].push((n, id));
            drafts.push(took);
        }
    }
    let drafted_in = clock.stop();

    let clock = Clock::start();
    let (mut issuing, mut issues, mut all, mut left) = (JoinSet::new(), vec![], vec![], vec![]);
    for mut series in drafted {
        series.sort_unstable();
        left.extend(series.iter().filter(|(n, _)| *n >= settings.events).map(|(_, id)| *id));
        series.retain(|(n, _)| *n < settings.events);
        all.extend(series.iter().take(PAPERS / TYPES.len()).map(|(_, id)| *id));
        let (app, owner) = (app.clone(), owner.clone());
        issuing.spawn(async move { issue(&app, &owner, series).await });
    }
    while let Some(done) = issuing.join_next().await {
        issues.extend(done.map_err(Problem::failed)??);
    }
    let issued_in = clock.stop();

    let (pages_a_second, page_us) = print(&app, &owner, &all).await?;
    let batch_ms = in_a_batch(&app, &owner, left.clone()).await?;
    app.runner.catch_up().await?;
    let mut more = vec![
        ("drafted_per_s", json!((drafts.len() as f64 / drafted_in.wall.as_secs_f64()) as u64)),
        ("draft_us", spread(&mut drafts)),
        ("pdf_pages_per_s", pages_a_second),
        ("pdf_page_us", page_us),
        ("batch_documents", json!(left.len())),
        ("batch_ms", json!(batch_ms.as_millis() as u64)),
    ];
    for (name, filters) in filters(clients[7]) {
        more.push((name, list(&app, &owner, &filters).await?));
    }
    folding.abort();
    Ok(Measured { events: issues.len() as u64, took: issued_in, latencies: issues, more })
}

/// Drafts that are made beside those that are issued one by one: for a batch.
fn in_batch(settings: &Settings) -> u64 {
    (settings.events / 50).clamp(1, MAX_DOCUMENTS as u64)
}

/// Every so many-th document, each some lines on some day of the last two years.
async fn draft(
    app: &App,
    owner: &Principal,
    clients: &[Uuid],
    number: u64,
    settings: &Settings,
) -> Result<Vec<(u64, Uuid, Duration)>, Problem> {
    let (allowed, mut done) = (owner.allow::<DraftDocument>()?, vec![]);
    let today = Date::at(clock::now_us(), ZONE_S);
    for n in (number..settings.events + in_batch(settings)).step_by(settings.clients as usize) {
        let line = |of: u64| json!({ "description": format!("部品 {of}"), "quantity": "2", "unit_price": (n % 9_973 + of * 10).to_string(), "tax_rate": "10" });
        let body = json!({
            "document_type": TYPES[n as usize % TYPES.len()],
            "client_id": clients[(n / 4 % CLIENTS) as usize],
            "title": format!("案件 {n:06}"),
            "date": today.plus(-((n * 7 % 700) as i32)).to_string(),
            "date_due": today.plus(60 - (n % 60) as i32).to_string(),
            "lines": (1..=3).map(line).collect::<Vec<_>>(),
        });
        let command: DraftDocument = strict::typed(body)?;
        let asked = Instant::now();
        let id = execute(app, &allowed, command, &Call::internal(clock::now_us())).await?.id;
        done.push((n, id, asked.elapsed()));
    }
    Ok(done)
}

/// One series in order. One in three of the invoices is paid in part.
async fn issue(app: &App, owner: &Principal, drafts: Vec<(u64, Uuid)>) -> Result<Vec<Duration>, Problem> {
    let (issue, pay, mut took) = (owner.allow::<IssueDocument>()?, owner.allow::<RecordPayment>()?, vec![]);
    let today = Date::at(clock::now_us(), ZONE_S);
    for (n, id) in drafts {
        let asked = Instant::now();
        execute(app, &issue, IssueDocument {}, &Call::internal(clock::now_us()).on(id)).await?;
        took.push(asked.elapsed());
        if n % 12 == 0 {
            let paid = json!({ "amount": { "amount": 1, "currency": "JPY" }, "date": today.to_string() });
            execute(app, &pay, strict::typed(paid)?, &Call::internal(clock::now_us()).on(id)).await?;
        }
    }
    Ok(took)
}

/// A batch from its order until every document of it is issued and shown as such.
async fn in_a_batch(app: &App, owner: &Principal, documents: Vec<Uuid>) -> Result<Duration, Problem> {
    let asked = Instant::now();
    let order = owner.allow::<OrderBatch>()?;
    let done = execute(app, &order, OrderBatch { documents }, &Call::internal(clock::now_us())).await?;
    if let Some(span) = done.span {
        app.wait(owner.ledger, span.last).await?;
    }
    while batch::round(app, clock::now_us()).await? > 0 {}
    Ok(asked.elapsed())
}

/// Papers of one page each, one after the other.
async fn print(app: &App, owner: &Principal, documents: &[Uuid]) -> Result<(Value, Value), Problem> {
    let mut papers = vec![];
    for id in documents {
        papers.push(paper::of(app, owner.ledger, *id).await?);
    }
    let (began, mut times) = (Instant::now(), vec![]);
    for paper in &papers {
        let asked = Instant::now();
        tokio::task::block_in_place(|| pdf::render(paper)).map_err(Problem::failed)?;
        times.push(asked.elapsed());
    }
    Ok((json!((times.len() as f64 / began.elapsed().as_secs_f64()) as u64), spread(&mut times)))
}

type Filters = Vec<(&'static str, String)>;

/// What people and inspectors ask, alone and together; the rare answers are the slow ones.
fn filters(client: Uuid) -> Vec<(&'static str, Filters)> {
    let day = |back: i64| Date::at(clock::now_us() - back * DAY_US, ZONE_S).to_string();
    let of = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let (from, to, client) = (day(400), day(370), client.to_string());
    vec![
        ("list_us", of(&[])),
        ("list_issued_us", of(&[("status", "issued")])),
        ("list_cancelled_us", of(&[("status", "cancelled")])),
        ("list_overdue_us", of(&[("status", "overdue")])),
        ("list_type_us", of(&[("document_type", "quote")])),
        ("list_client_us", of(&[("client_id", &client)])),
        ("list_dates_us", of(&[("from", &from), ("to", &to)])),
        ("list_amounts_us", of(&[("total_min", "40000"), ("total_max", "40100")])),
        ("list_amount_rare_us", of(&[("total_min", "9000000")])),
        ("list_together_us", of(&[("from", &from), ("to", &to), ("total_min", "30000"), ("client_id", &client)])),
        ("list_text_us", of(&[("q", "案件 000777")])),
        ("list_text_nothing_us", of(&[("q", "どこにもない")])),
        ("list_text_client_us", of(&[("q", "取引先042"), ("status", "draft")])),
        ("list_number_us", of(&[("q", "INV-2026-0012")])),
    ]
}

async fn list(app: &App, owner: &Principal, filters: &Filters) -> Result<Value, Problem> {
    let params: BTreeMap<_, _> = filters.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let mut times = vec![];
    for _ in 0..QUERIES {
        let asked = Instant::now();
        app.queries.ask(app, owner, "list_documents", params.clone()).await?;
        times.push(asked.elapsed());
    }
    Ok(spread(&mut times))
}

fn spread(times: &mut [Duration]) -> Value {
    let (p50, p99) = (percentile(times, 0.5), percentile(times, 0.99));
    json!({ "p50": p50.as_micros() as u64, "p99": p99.as_micros() as u64 })
}
