//! Read models can be folded again at any time: beside the live ones, while people work. Nobody sees an empty list, and
//! what comes out is what was there.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keiin_tests::company::{lines, text};
use keiin_tests::operation::{example, operations};
use keiin_tests::oracle::{dump, rebuilt};
use keiin_tests::{Call, Client, Company, Deployment, Server, report};
use serde_json::{Value, json};

/// First lines that differ, for the message.
#[track_caller]
fn assert_same(live: &str, rebuilt: &str, least: usize) {
    assert!(live.lines().count() > least, "only {} rows", live.lines().count());
    let differing = live.lines().zip(rebuilt.lines()).find(|(a, b)| a != b);
    assert!(live == rebuilt, "{differing:?}; {} against {} rows", live.lines().count(), rebuilt.lines().count());
}

fn rebuild(server: &Server) -> u64 {
    let admin = Client::new(server.printed["admin_url"].as_str().expect("serve prints it"));
    admin.post("/rebuild", &json!({})).expect(200).json()["events"].as_u64().expect("a count")
}

/// What a working day does to every table, until it is told to stop or the server goes away.
fn work(company: &Company, stop: &AtomicBool) -> usize {
    let mut rounds = 0;
    let send = |call: Call| -> Option<Value> {
        let answer = company.client.try_send(&company.token.on(call)).ok()?;
        // Slower than the answer's patience on a busy machine: it is written all the same.
        (answer.status < 300).then(|| answer.json())
    };
    let command = |path: &str, verb: &str, version: u64, body: Value| {
        send(Call::new("POST", &format!("{path}/{verb}")).if_match(&format!("\"v{version}\"")).json(&body))
    };
    let day = || -> Option<()> {
        let n = company.next();
        let body = json!({ "name": format!("Client {n}"), "honorific": "onchu", "contacts": [{ "email": format!("c{n}@x.example") }] });
        let client = text(&send(Call::new("POST", "/v1/clients").json(&body))?, "id");
        let draft = text(&send(Call::new("POST", "/v1/documents").json(&company.draft_body(&client)))?, "id");
        let path = format!("/v1/documents/{draft}");
        send(Call::new("PUT", &format!("{path}/lines")).if_match("\"v0\"").json(&json!({ "lines": lines() })))?;
        command(&path, "issue", 1, json!({}))?;
        let delivery =
            json!({ "document_ids": [draft], "to_name": "Somebody", "to_email": format!("s{n}@bounce.invalid") });
        let delivery = text(&send(Call::new("POST", "/v1/deliveries").key(&format!("d{n}")).json(&delivery))?, "id");
        command(&format!("/v1/deliveries/{delivery}"), "revoke", 0, json!({ "reason": "A slip" }));
        let visit = text(&send(Call::new("POST", "/v1/visits").json(&company.visit_body()))?, "id");
        command(&format!("/v1/visits/{visit}"), "check_in", 0, json!({}))?;
        if n.is_multiple_of(2) {
            command(&format!("/v1/visits/{visit}"), "check_out", 1, json!({}))?;
            command(&path, "cancel", 2, json!({ "reason": "Not wanted" }))?;
        }
        Some(())
    };
    while !stop.load(Ordering::Relaxed) {
        rounds += usize::from(day().is_some());
    }
    rounds
}

/// Asks for lists that are never empty.
fn watch(company: &Company, stop: &AtomicBool, seen: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        for list in ["clients", "documents", "deliveries", "visits", "members", "tokens", "kiosks", "mails", "events"] {
            let call = company.token.on(Call::new("GET", &format!("/v1/{list}?limit=5")));
            let Ok(answer) = company.client.try_send(&call) else { return };
            let items = answer.expect(200).json()["items"].as_array().map(Vec::len);
            assert!(items > Some(0), "{list} is empty while the read models are rebuilt");
            seen.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Stops a server that has nothing left to do: what it appends on its own is in the read models too.
fn stop_settled(server: Server, companies: &[Company]) {
    for company in companies {
        company.mark();
        company.settle();
    }
    assert_eq!(server.stop(), 0);
}

/// One of everything, in every state that the API can bring it to.
fn furnish(company: &Company) {
    let document = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    for operation in operations(&document).iter().filter(|operation| operation.body.is_some()) {
        let example = example(company, operation);
        let answer = company.client.send(&example.sender.on(example.call()));
        assert!(answer.status < 300, "{}: {}", answer.asked, answer.text());
    }
}

#[test]
fn rebuilt_beside_eight_writers_it_is_the_same_and_never_empty() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let companies = [Company::sign_up(&server, "rebuild-a"), Company::sign_up(&server, "rebuild-b")];
    companies.iter().for_each(furnish);
    let (stop, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut rounds, mut folded) = (0, 0);
    std::thread::scope(|scope| {
        let lanes: Vec<Company> = (0..10).map(|lane| companies[lane % 2].lane(lane as u64)).collect();
        let mut writers = Vec::new();
        for (lane, company) in lanes.into_iter().enumerate() {
            let (stop, seen) = (&stop, &seen);
            if lane < 8 {
                writers.push(scope.spawn(move || work(&company, stop)));
            } else {
                scope.spawn(move || watch(&company, stop, seen));
            }
        }
        for _ in 0..8 {
            std::thread::sleep(Duration::from_millis(200));
            folded = rebuild(&server);
        }
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
        rounds = writers.into_iter().map(|writer| writer.join().expect("no writer fails")).sum();
    });
    stop_settled(server, &companies);
    assert_same(&dump(&deployment.data()), &rebuilt(&deployment), 100);

    // Killed while it rebuilds and people write: the next start folds what is missing, and nothing twice.
    server = deployment.serve();
    let companies = companies.map(|company| company.at(&server));
    stop.store(false, Ordering::Relaxed);
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let (company, stop) = (companies[lane % 2].lane(100 + lane as u64), &stop);
            scope.spawn(move || work(&company, stop));
        }
        let admin = Client::new(server.printed["admin_url"].as_str().expect("serve prints it"));
        scope.spawn(move || admin.try_send(&Call::new("POST", "/rebuild")).map(|answer| answer.status));
        std::thread::sleep(Duration::from_millis(150));
        server.kill();
        stop.store(true, Ordering::Relaxed);
    });
    let server = deployment.serve();
    let companies = companies.map(|company| company.at(&server));
    stop_settled(server, &companies);
    let live = dump(&deployment.data());
    assert_same(&live, &rebuilt(&deployment), 100);
    let (rows, seen) = (live.lines().count(), seen.into_inner());
    assert!(rounds > 8 && seen > 50, "{rounds} rounds of work, {seen} lists");
    report!(
        "rebuild times=8 writers=8 rounds={rounds} events={folded} rows={rows} lists_seen={seen} empty=0 different=0"
    );
}

/// The read models may be deleted as a whole.
#[test]
fn without_read_models_the_server_makes_them_again() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "dropped");
    furnish(&company);
    company.settle();
    assert_eq!(server.stop(), 0);
    let before = dump(&deployment.data());
    for file in ["read.db", "read.db-wal", "read.db-shm"] {
        let _ = std::fs::remove_file(deployment.data().join(file));
    }
    let server = deployment.serve();
    company.at(&server).get("/v1/clients");
    assert_eq!(server.stop(), 0);
    assert_same(&dump(&deployment.data()), &before, 50);
}
