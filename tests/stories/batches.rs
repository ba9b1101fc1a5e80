//! Many documents issued in one order: progress, refusals, a stop, and a server that dies in the middle.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keiin_test_postgres::Server as Postgres;
use keiin_tests::company::text;
use keiin_tests::{Call, Company, Deployment, Server, long, report};
use serde_json::{Value, json};

fn drafts(company: &Company, client: &str, n: usize) -> Vec<String> {
    let draft = || Call::new("POST", "/v1/documents").json(&company.draft_body(client));
    (0..n).map(|_| text(&company.ok(draft()), "id")).collect()
}

fn order(company: &Company, documents: &[String]) -> String {
    text(&company.ok(Call::new("POST", "/v1/batches").json(&json!({ "documents": documents }))), "id")
}

/// A batch without its documents.
fn seen(company: &Company, id: &str) -> Value {
    company.get("/v1/batches")["items"].as_array().expect("a list").iter().find(|b| b["id"] == id).cloned().expect("it")
}

fn wait(company: &Company, id: &str, until: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(if long() { 900 } else { 120 });
    loop {
        let batch = seen(company, id);
        if until(&batch) {
            return batch;
        }
        assert!(Instant::now() < deadline, "{batch}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn qualified(server: &Server, slug: &str) -> Company {
    let company = Company::sign_up(server, slug);
    let about = json!({ "name": format!("{slug} KK"), "registration_number": "T7000012050002" });
    company.ok(Call::new("PUT", "/v1/tenant").if_match(&company.etag("/v1/tenant")).json(&about));
    company
}

/// Killed in the middle, more than once: each document is issued once, in the batch's order, without a gap.
#[test]
fn a_server_that_dies_in_the_middle_loses_and_doubles_nothing() {
    let n = if long() { 1_000 } else { 120 };
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut company = qualified(&server, "killed");
    let client = company.new_client();
    let documents = drafts(&company, &client, n);
    let began = Instant::now();
    let batch = order(&company, &documents);
    for part in [n / 4, n / 2] {
        wait(&company, &batch, |seen| seen["issued"].as_u64() >= Some(part as u64));
        server.kill();
        server = deployment.serve();
        company = company.at(&server);
    }
    let seen = wait(&company, &batch, |seen| seen["status"] == "finished");
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!((&seen["issued"], &seen["failed"], &seen["waiting"]), (&json!(n), &json!(0), &json!(0)));
    let whole = company.get(&format!("/v1/batches/{batch}"));
    let numbers: Vec<String> =
        whole["documents"].as_array().expect("a list").iter().map(|part| text(part, "number")).collect();
    let wanted: Vec<String> = (1..=n).map(|n| format!("{}{n:04}", &numbers[0][..9])).collect();
    assert_eq!(numbers, wanted, "in the order of the batch");
    let series = company.get("/v1/documents/numbers");
    let counted = json!({ "series": &numbers[0][..8], "documents": n, "last": n, "missing": 0, "doubled": 0 });
    assert_eq!(series["items"], json!([counted]));

    // One issue each, on behalf of whoever ordered it, in one append with its number and its note.
    let events = company.get("/v1/events?kind=batch.document_issued&limit=200");
    let event = &events["items"][0];
    assert_eq!((&event["actor"]["kind"], &event["on_behalf_of"]["id"]), (&json!("system"), &json!(company.owner)));
    let detail = company.get(&format!("/v1/events/{}", event["position"]));
    assert_eq!((&detail["append"]["index"], &detail["append"]["count"]), (&json!(2), &json!(3)));
    for id in [&documents[0], &documents[n - 1]] {
        let issued = company.get(&format!("/v1/events?object={id}&kind=document.issued"));
        assert_eq!(issued["items"].as_array().expect("a list").len(), 1);
    }
    report!("batches documents={n} kills=2 seconds={seconds:.1} lost=0 doubled=0");
}

/// Two nodes at one batch, and one of them dies.
#[test]
fn two_nodes_issue_each_document_once() {
    let n = 60;
    let deployment = Deployment::on_postgres(Postgres::shared());
    let first = deployment.serve();
    let company = qualified(&first, "nodes");
    let mut second = Server::serve(&deployment.node("second"));
    let documents = drafts(&company, &company.new_client(), n);
    let batch = order(&company, &documents);
    wait(&company, &batch, |seen| seen["issued"].as_u64() >= Some(n as u64 / 2));
    second.kill();
    wait(&company, &batch, |seen| seen["status"] == "finished");
    let series = &company.get("/v1/documents/numbers")["items"][0];
    assert_eq!((&series["documents"], &series["missing"], &series["doubled"]), (&json!(n), &json!(0), &json!(0)));
    let noted = company.get("/v1/events?kind=batch.document_issued&limit=200");
    assert_eq!(noted["items"].as_array().expect("a list").len(), n);
}

#[test]
fn what_is_refused_is_told_of_and_stops_nobody() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = qualified(&server, "refused");
    let client = company.new_client();
    let good = drafts(&company, &client, 3);
    let mut empty = company.draft_body(&client);
    empty["lines"] = json!([]);
    let empty = text(&company.ok(Call::new("POST", "/v1/documents").json(&empty)), "id");
    let (issued, nobody) = (company.new_document(), "0193a000-0000-7000-8000-000000000001".to_owned());
    let all = [good[0].clone(), empty.clone(), good[1].clone(), issued.clone(), nobody.clone(), good[2].clone()];
    let batch = order(&company, &all);
    wait(&company, &batch, |seen| seen["status"] == "finished");
    let whole = company.get(&format!("/v1/batches/{batch}"));
    assert_eq!((&whole["issued"], &whole["failed"], &whole["total"]), (&json!(3), &json!(3), &json!(6)));
    let said: BTreeSet<(String, String, String)> = whole["documents"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|part| part["outcome"] == "failed")
        .map(|part| (text(part, "document_id"), text(part, "code"), part["pointer"].as_str().unwrap_or("").to_owned()))
        .collect();
    let failed = |id: &String, code: &str, at: &str| (id.clone(), code.to_owned(), at.to_owned());
    let wanted = [
        failed(&empty, "document.no_lines", "/lines"),
        failed(&issued, "document.already_issued", ""),
        failed(&nobody, "document.unknown", ""),
    ];
    assert_eq!(said, BTreeSet::from(wanted));
    let numbers = good.iter().map(|id| text(&company.get(&format!("/v1/documents/{id}")), "number"));
    let ends: Vec<String> = numbers.map(|number| number[9..].to_owned()).collect();
    assert_eq!(ends, ["0002", "0003", "0004"], "refusals leave no gap");

    // The request itself is checked before anything is written.
    for (documents, code, pointer) in [
        (json!([]), "batch.empty", "/documents"),
        (json!([good[0], good[1], good[0]]), "batch.named_twice", "/documents/2"),
    ] {
        let refused = company.send(Call::new("POST", "/v1/batches").json(&json!({ "documents": documents })));
        assert_eq!((refused.status, refused.code()), (422, code.to_owned()));
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    // Its page says in words what was refused, and where.
    let page =
        company.client.send(&company.login.on(Call::new("GET", &format!("/batches/{batch}?lang=en")))).expect(200);
    assert!(page.text().contains("There are no lines") && page.text().contains(&format!("/documents/{empty}")));
}

#[test]
fn a_batch_that_is_stopped_leaves_the_rest_as_drafts() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = qualified(&server, "stopped");
    let documents = drafts(&company, &company.new_client(), 80);
    let batch = order(&company, &documents);
    wait(&company, &batch, |seen| seen["issued"].as_u64() >= Some(1));
    let path = format!("/v1/batches/{batch}");
    company.ok(Call::new("POST", &format!("{path}/cancel")).if_match(&company.etag(&path)));
    // What had its turn when the stop came is done; then nothing more happens, also not after a restart.
    let stopped = company.get(&path);
    assert_eq!(stopped["status"], "cancelled", "{stopped}");
    drop(server);
    let server = deployment.serve();
    let company = company.at(&server);
    company.settle();
    let (then, now) = (company.get(&path), company.get("/v1/documents")["counts"].clone());
    assert_eq!((&then["issued"], &then["waiting"]), (&now["issued"], &now["draft"]));
    assert!(now["draft"].as_u64() >= Some(1), "{now}");

    // What is left can be ordered anew.
    let left: Vec<String> = then["documents"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|part| part["outcome"] == "waiting")
        .map(|part| text(part, "document_id"))
        .collect();
    let again = order(&company, &left);
    wait(&company, &again, |seen| seen["status"] == "finished");
    let series = &company.get("/v1/documents/numbers")["items"][0];
    assert_eq!((&series["documents"], &series["missing"], &series["doubled"]), (&json!(80), &json!(0), &json!(0)));
}

/// The console orders what a list's filters let through, also what its first page does not show.
#[test]
fn all_that_match_are_ordered_at_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = qualified(&server, "matching");
    let [mine, other] = [company.new_client(), company.new_client()];
    let (drafts_of_mine, _) = (drafts(&company, &mine, 5), drafts(&company, &other, 2));
    let order = |filters: &str| {
        let encoded = filters.replace('?', "%3F").replace('&', "%26").replace('=', "%3D");
        let body = format!("_key={}&_next=/batches/{{id}}&_matching={encoded}", filters.len());
        let call = Call::new("POST", "/do/v1/batches").bytes("application/x-www-form-urlencoded", body);
        company.client.send(&company.login.on(call))
    };
    let sent = order(&format!("?client_id={mine}&status=draft&limit=1"));
    assert_eq!(sent.status, 303, "{}", sent.text());
    let id = company.get("/v1/batches")["items"][0]["id"].as_str().expect("an id").to_owned();
    let batch = wait(&company, &id, |batch| batch["status"] == "finished");
    assert_eq!((&batch["total"], &batch["issued"]), (&json!(5), &json!(5)));
    let numbers: Vec<String> =
        drafts_of_mine.iter().map(|id| text(&company.get(&format!("/v1/documents/{id}")), "number")).collect();
    assert!(numbers.is_sorted(), "the oldest has the first number: {numbers:?}");
    let nothing = order(&format!("?client_id={mine}"));
    assert_eq!(nothing.status, 422);
    assert_eq!(company.get("/v1/documents?status=draft")["items"].as_array().map(Vec::len), Some(2));
}
