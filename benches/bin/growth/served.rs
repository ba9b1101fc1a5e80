//! One company on a real server: the events of `keiin bench`, folded into its read models, all in one ledger, which is the
//! worst case for its lists. Measured at each size: the start, lists over HTTP, memory without and with idle subscribers.

use std::path::Path;
use std::time::{Duration, Instant};

use keiin::app::App;
use keiin::config::Config;
use keiin::datadir::DataDir;
use keiin_benches::{memory_kib, percentile};
use keiin_tests::{Call, Company, Deployment, Follow, Server};
use serde_json::{Value, json};
use uuid::Uuid;

/// How often each list is asked at most, and for how long it goes on being asked.
const ASKED: usize = 200;
const ASKING: Duration = Duration::from_secs(10);

/// A deployment with one company, while no server runs on it.
pub struct Served {
    deployment: Deployment,
    company: Company,
    events: u64,
}

impl Served {
    /// The company has its owner and a few clients that are its own. Ledgers and read models are in the database, where one is
    /// named.
    pub fn make(database: Option<&str>) -> Served {
        let deployment = database.map_or_else(Deployment::new, |url| Deployment::at(url, "", ""));
        let server = deployment.serve();
        let company = Company::sign_up(&server, "growing");
        company.settle();
        let events = company.mark() + 1;
        server.stop();
        Served { deployment, company, events }
    }

    /// Where it is.
    pub fn data(&self) -> &'static str {
        self.deployment.data_arg()
    }

    /// The ledger.
    pub fn company(&self) -> &str {
        &self.company.id
    }

    /// Of the ledger.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Starts a server, asks it, and stops it.
    pub fn measure(&mut self, subscribers: usize, idle: Duration) -> anyhow::Result<Vec<Value>> {
        let started = Instant::now();
        let server = self.deployment.serve();
        let ready_ms = started.elapsed().as_millis() as u64;
        let company = self.company.at(&server);
        let at_start = resident(&server);
        let lists = self.lists(&company)?;
        let after_lists = resident(&server);
        let client = server.client();
        let mut followers: Vec<Follow> =
            (0..subscribers).map(|_| Follow::open(&client, &company.token, "", None).caught_up()).collect();
        std::thread::sleep(idle);
        let with_subscribers = resident(&server);
        let (position, told) = (company.mark(), Instant::now());
        for follow in &mut followers {
            follow.up_to(position);
        }
        let told_us = told.elapsed().as_micros() as u64;
        let after_event = resident(&server);
        let peak = memory_kib(&server.pid().to_string(), "VmHWM");
        drop(followers);
        self.events = position + 1;
        anyhow::ensure!(server.stop() == 0, "the server did not end in order");
        let mib = |kib: u64| kib.div_ceil(1024);
        let memory = json!({ "load": "memory", "subscribers": subscribers, "at_start_mib": mib(at_start),
            "after_lists_mib": mib(after_lists), "with_subscribers_mib": mib(with_subscribers),
            "after_event_mib": mib(after_event), "peak_mib": mib(peak), "told_all_us": told_us });
        Ok(vec![json!({ "load": "serve", "ready_ms": ready_ms }), lists, memory])
    }

    /// First pages as the API gives them, each on a connection of its own: of everything, of what many and of what few have.
    fn lists(&self, company: &Company) -> anyhow::Result<Value> {
        let mut all = json!({ "load": "list" });
        for (name, path) in [
            ("clients", "/v1/clients".to_owned()),
            ("clients_with_frequent_text", "/v1/clients?q=0f".into()),
            ("clients_with_rare_text", format!("/v1/clients?q={}", self.company.slug)),
            ("events", "/v1/events".into()),
            ("events_of_a_frequent_kind", "/v1/events?kind=client.registered".into()),
            ("events_of_a_rare_kind", "/v1/events?kind=token.issued".into()),
            ("events_of_an_object", format!("/v1/events?object={}", self.company.id)),
            ("events_of_an_actor", format!("/v1/events?actor={}", self.company.owner)),
        ] {
            let (began, mut times) = (Instant::now(), vec![]);
            while times.len() < ASKED && began.elapsed() < ASKING {
                let asked = Instant::now();
                let page = company.send(Call::new("GET", &path)).expect(200);
                times.push(asked.elapsed());
                anyhow::ensure!(page.json()["items"] != json!([]), "{path} finds nothing");
            }
            all[format!("{name}_p50_us")] = json!(percentile(&mut times, 0.5).as_micros() as u64);
            all[format!("{name}_p99_us")] = json!(percentile(&mut times, 0.99).as_micros() as u64);
        }
        Ok(all)
    }
}

/// Of the server, in KiB.
fn resident(server: &Server) -> u64 {
    memory_kib(&server.pid().to_string(), "VmRSS")
}

/// Registers so many clients more, folds them as a server does, and anchors the ledger.
pub async fn fill(data: &Path, company: Uuid, events: u64) -> anyhow::Result<Value> {
    let data = DataDir::new(data);
    let app = App::open(Config::read(&data.config())?, data).await?;
    let appending = Instant::now();
    keiin::bench::fill(app.clone(), company, events).await?;
    let appended = events as f64 / appending.elapsed().as_secs_f64();
    let folding = Instant::now();
    app.runner.catch_up().await?;
    let folded = events as f64 / folding.elapsed().as_secs_f64();
    app.anchorer.anchor_now(company).await?;
    Ok(json!({ "load": "fill", "events": events, "appended_per_s": appended as u64, "folded_per_s": folded as u64 }))
}
