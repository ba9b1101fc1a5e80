//! Read models can be dropped at any time: what is folded again is the same, whatever happens meanwhile, and nothing of an
//! erased person is left.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use keiin_domain::client::{ArchiveClient, RegisterClient};
use keiin_domain::delivery::{OpenLink, SendDocument};
use keiin_domain::document::{DraftDocument, IssueDocument, RecordPayment};
use keiin_domain::event::Stored;
use keiin_domain::mail::RecordMail;
use keiin_domain::member::InviteMember;
use keiin_domain::tenant::ChangeTenant;
use keiin_domain::visit::{AnnounceVisitor, ReceiveVisitor, RegisterVisit, ReleaseVisitor};
use keiin_eventlog::record::Stream;
use keiin_projections::fact::{Fact, Opener};
use keiin_projections::runner::Projection;
use keiin_projections::table::{Table, Writes, cell, int, text};
use keiin_projections::{client, member, visit};
use keiin_test_postgres::Server;
use serde_json::json;
use support::{Engine, HOUR, House, Person, ask};
use uuid::Uuid;

on_every_engine! {
    what_is_rebuilt_is_what_was_live_also_after_an_erasure
    a_rebuild_while_appends_go_on_loses_and_doubles_nothing
    a_poison_record_stops_one_projection_of_one_ledger_until_an_upgrade
    two_nodes_fold_nothing_twice
    nothing_of_an_erased_person_is_left_in_any_file
}

const CANARY: &str = "鴨居キャナリー";

/// Everything that a company does in a day; the subject of a visitor who is called [`CANARY`].
async fn day(house: &House, owner: Person, n: usize) -> Uuid {
    let tenant = json!({ "name": "株式会社", "registration_number": "T7000012050002" });
    house.run::<ChangeTenant>(owner, Some(owner.ledger), tenant).await;
    let buyer = json!({ "name": format!("client {n}"), "honorific": "onchu", "contacts": [{ "name": "鈴木 一郎" }] });
    let buyer = house.run::<RegisterClient>(owner, None, buyer).await;
    let lines = json!([{ "description": "紙", "quantity": "1", "unit_price": "100", "tax_rate": "10" }]);
    let paper =
        json!({ "document_type": "invoice", "client_id": buyer, "title": "紙", "date": "2026-11-02", "lines": lines });
    let paper = house.run::<DraftDocument>(owner, None, paper).await;
    house.run::<IssueDocument>(owner, Some(paper), json!({})).await;
    for amount in [60, 50] {
        let payment = json!({ "amount": { "amount": amount, "currency": "JPY" }, "date": "2026-11-02" });
        house.run::<RecordPayment>(owner, Some(paper), payment).await;
    }
    let to = json!({ "document_ids": [paper], "to_name": CANARY, "to_email": "canary@example.jp", "message": CANARY });
    let sent = house.run::<SendDocument>(owner, None, to).await;
    house.run::<OpenLink>(owner.holder(sent), Some(sent), json!({})).await;
    let invited = json!({ "name": "佐藤 健", "email": format!("ken{n}@example.jp"), "role": "member" });
    house.run::<InviteMember>(owner, None, invited).await;
    house.run::<ArchiveClient>(owner, Some(buyer), json!({})).await;
    let (starts, ends) = ("2026-11-02T10:00:00+09:00", "2026-11-02T11:00:00+09:00");
    let comes = json!({ "visitor_name": CANARY, "visitor_email": "canary@example.jp", "visitor_company": CANARY,
        "note": CANARY, "host_id": owner.actor.id, "location": "本社", "starts_at": starts, "ends_at": ends });
    let comes = house.run::<RegisterVisit>(owner, None, comes).await;
    house.run::<ReceiveVisitor>(owner, Some(comes), json!({})).await;
    house.run::<AnnounceVisitor>(owner.system(), Some(comes), json!({})).await;
    house.run::<ReleaseVisitor>(owner, Some(comes), json!({})).await;
    subject_of(house, owner, "visit", comes).await
}

/// The person in the first event of an object.
async fn subject_of(house: &House, owner: Person, kind: &str, id: Uuid) -> Uuid {
    let records = house.log.read_stream(owner.ledger, &Stream::new(kind, id), 0, 1).await.unwrap();
    let fact = Fact::open(&records[0], &house.vault).unwrap();
    keiin_domain::json::subjects(kind, &fact.event)[0]
}

async fn what_is_rebuilt_is_what_was_live_also_after_an_erasure(house: House) {
    let runner = house.runner().await;
    let mut visitors = vec![];
    for slug in ["minato", "kawa", "yama"] {
        let owner = house.company(slug).await;
        visitors.push((owner, day(&house, owner, 0).await));
        runner.catch_up().await.unwrap();
        let mail = json!({ "effect_position": 6, "n": 0, "template": "delivery" });
        house.run::<RecordMail>(owner.system(), None, mail).await;
    }
    runner.catch_up().await.unwrap();
    let live = runner.dump().unwrap();
    assert!(live.contains(CANARY) && live.lines().count() > 80, "{live}");
    let records = runner.rebuild().await.unwrap();
    assert_eq!(runner.dump().unwrap(), live);
    assert_eq!(records, live.lines().filter(|line| line.starts_with("events ")).count() as u64);

    let (owner, visitor) = visitors[1];
    house.erase(owner.ledger, visitor).await;
    runner.catch_up().await.unwrap();
    let erased = runner.dump().unwrap();
    assert_eq!(
        erased.matches(CANARY).count(),
        live.matches(CANARY).count() - 5,
        "name, company, note, twice to be searched"
    );
    runner.rebuild().await.unwrap();
    assert_eq!(runner.dump().unwrap(), erased);
    let visits = ask::<visit::ListVisits>(&house, owner, &[]).await.unwrap();
    assert_eq!(visits["items"][0]["visitor"], json!({ "erased": true }));
    assert!(visits["items"][0].get("note").is_none());

    drop(runner);
    house.lose_read_models();
    let again = house.runner().await;
    assert_eq!(again.dump().unwrap(), erased, "a deleted read model comes back by itself");
}

async fn a_rebuild_while_appends_go_on_loses_and_doubles_nothing(house: House) {
    let runner = house.runner().await;
    let owner = house.company("minato").await;
    day(&house, owner, 0).await;
    let follower = tokio::spawn(runner.clone().follow());
    let (days, enough) = (AtomicUsize::new(1), 10);
    let writer = async {
        for n in 1..=enough {
            day(&house, owner, n).await;
            days.store(n, Ordering::SeqCst);
        }
    };
    let rebuilds = async {
        let mut rebuilds = 0;
        while days.load(Ordering::SeqCst) < enough {
            runner.rebuild().await.unwrap();
            rebuilds += 1;
            let clients = ask::<client::ListClients>(&house, owner, &[]).await.unwrap();
            assert!(!clients["items"].as_array().unwrap().is_empty(), "no reader sees an empty list");
        }
        rebuilds
    };
    let ((), rebuilds) = tokio::join!(writer, rebuilds);
    assert!(rebuilds > 2, "{rebuilds}");
    let last = house.log.head(owner.ledger).await.unwrap().unwrap().size - 1;
    assert!(runner.wait(owner.ledger, last, std::time::Duration::from_secs(10)).await);
    follower.abort();
    let _ = follower.await;
    let live = runner.dump().unwrap();
    runner.rebuild().await.unwrap();
    assert_eq!(runner.dump().unwrap(), live);
}

async fn a_poison_record_stops_one_projection_of_one_ledger_until_an_upgrade(house: House) {
    let runner = house.runner().await;
    let [owner, other] = [house.company("minato").await, house.company("kawa").await];
    let unknown = Stored { kind: "client.registered".into(), version: 99, bytes: vec![1] };
    let stream = Stream::new("client", support::fresh());
    let position = house.append(owner, None, vec![(stream, unknown)], vec![]).await;
    for company in [owner, other] {
        day(&house, company, 0).await;
    }
    runner.catch_up().await.unwrap();
    let stopped = runner.stopped().unwrap();
    let [only] = &stopped[..] else { panic!("{stopped:?}") };
    assert_eq!((only.projection.as_str(), only.ledger, only.position), ("client", owner.ledger, position));
    assert!(only.reason.contains("client.registered v99 is unknown to this build"), "{}", only.reason);
    let count =
        async |who| ask::<client::ListClients>(&house, who, &[]).await.unwrap()["items"].as_array().unwrap().len();
    assert_eq!((count(owner).await, count(other).await), (0, 1));
    let visits = ask::<visit::ListVisits>(&house, owner, &[]).await.unwrap();
    assert_eq!(visits["items"].as_array().unwrap().len(), 1, "the others go on");
    let live = runner.dump().unwrap();
    runner.rebuild().await.unwrap();
    assert_eq!(runner.dump().unwrap(), live, "a rebuild stops at the same place");
    assert_eq!(runner.stopped().unwrap().len(), 1);

    drop(runner);
    let same = house.runner().await;
    same.catch_up().await.unwrap();
    assert_eq!(same.stopped().unwrap().len(), 1, "the same build stops again");
    drop(same);
    // The upgrade knows the record: here by passing over it.
    fn upgraded(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
        if fact.event.version == 99 { Ok(()) } else { (client::PROJECTION.fold)(fact, keys, out) }
    }
    static UPGRADED: &[Projection] = &[
        member::PROJECTION,
        Projection { fold: upgraded, ..client::PROJECTION },
        keiin_projections::document::PROJECTION,
    ];
    let upgraded = house.runner_of(UPGRADED).await;
    upgraded.catch_up().await.unwrap();
    assert!(upgraded.stopped().unwrap().is_empty());
    assert_eq!((count(owner).await, count(other).await), (1, 1));
}

static COUNTS: Table =
    Table { name: "counts", key: &[text("kind")], columns: &[int("n")], indexes: &[], only_grows: false };

/// Adds, so that folding twice would show.
fn count(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.leaf.position == 0 {
        out.put(&COUNTS, [cell("all")], [("n", cell(0u32))]);
    }
    out.add(&COUNTS, [cell("all")], "n", 1);
    Ok(())
}

async fn two_nodes_fold_nothing_twice(house: House) {
    static COUNT: &[Projection] = &[Projection { name: "count", revision: 1, tables: &[&COUNTS], fold: count }];
    let [one, two] = [house.another_node(COUNT).await, house.another_node(COUNT).await];
    let owner = house.company("minato").await;
    for n in 0..12 {
        day(&house, owner, n).await;
        let (a, b) = (one.clone(), two.clone());
        let both = [tokio::spawn(async move { a.catch_up().await }), tokio::spawn(async move { b.catch_up().await })];
        for run in both {
            run.await.unwrap().unwrap();
        }
        let size = house.log.head(owner.ledger).await.unwrap().unwrap().size;
        assert!(one.dump().unwrap().contains(&format!("Integer({size})")), "{size}: {}", one.dump().unwrap());
    }
}

/// Files that hold a text, in every form in which a file of SQLite could; on PostgreSQL what a dump of the schema shows.
fn found(house: &House, text: &str) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let mut found = vec![];
    for entry in std::fs::read_dir(house.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if holds(&std::fs::read(&path).unwrap()) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    if house.engine == Engine::Postgres {
        let dump =
            Server::shared().command("pg_dump").args(["-n", "keiin_read*", "-d", &house.place]).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        if holds(&dump.stdout) {
            found.push("read.db as a schema".to_owned());
        }
    }
    found
}

async fn nothing_of_an_erased_person_is_left_in_any_file(house: House) {
    let runner = house.runner().await;
    let owner = house.company("minato").await;
    let (starts, ends) = ("2026-11-02T10:00:00+09:00", "2026-11-02T11:00:00+09:00");
    let mut subjects = vec![];
    for n in 0..200 {
        let name = format!("{CANARY}{:03}", n % 10);
        let comes = json!({ "visitor_name": name, "visitor_email": format!("canary{}@example.jp", n % 10), "note": name,
            "host_id": owner.actor.id, "location": "本社", "starts_at": starts, "ends_at": ends });
        let comes = house.run::<RegisterVisit>(owner, None, comes).await;
        if n % 10 == 3 {
            subjects.push(subject_of(&house, owner, "visit", comes).await);
        }
        if n % 50 == 0 {
            runner.catch_up().await.unwrap();
        }
    }
    // The same people where they are searched in an index.
    let mut contacts = vec![];
    for n in 0..40 {
        let person =
            json!({ "name": format!("{CANARY}{:03}", n % 10), "email": format!("canary{}@example.jp", n % 10) });
        let client = json!({ "name": format!("client {n}"), "honorific": "onchu", "contacts": [person] });
        let client = house.run::<RegisterClient>(owner, None, client).await;
        if n % 10 == 3 {
            contacts.push(subject_of(&house, owner, "client", client).await);
        }
    }
    house.later(HOUR);
    runner.rebuild().await.unwrap();
    runner.catch_up().await.unwrap();
    let name = format!("{CANARY}003");
    let searched = ask::<visit::ListVisits>(&house, owner, &[("q", &name), ("limit", "200")]).await.unwrap();
    assert_eq!(searched["items"].as_array().unwrap().len(), subjects.len());
    assert!(found(&house, &name).iter().any(|file| file.starts_with("read.db")), "the search finds what is there");
    let clients = ask::<client::ListClients>(&house, owner, &[("q", &name)]).await.unwrap();
    assert_eq!(clients["items"].as_array().unwrap().len(), contacts.len());

    for subject in subjects.into_iter().chain(contacts) {
        house.erase(owner.ledger, subject).await;
    }
    runner.catch_up().await.unwrap();
    assert_eq!(found(&house, &name), Vec::<String>::new());
    assert_eq!(found(&house, "canary3@"), Vec::<String>::new());
    assert!(!found(&house, &format!("{CANARY}004")).is_empty(), "the others are still there");
    runner.rebuild().await.unwrap();
    assert_eq!(found(&house, &name), Vec::<String>::new());
}
