//! The oracle notices. A judge that never finds anything would pass every story here.

use std::process::Command;

use keiin_tests::company::{Exported, read_export};
use keiin_tests::load::{Target, Writer};
use keiin_tests::oracle::{Findings, Told, examine, read_journals};
use keiin_tests::{Call, Company, Deployment};
use serde_json::json;

fn cp(from: &std::path::Path, to: &std::path::Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs").success());
}

fn judged(told: &Told, records: &[Exported]) -> Findings {
    let mut findings = Findings::default();
    findings.judge(told, records);
    findings
}

#[test]
fn the_oracle_sees_what_is_missing_doubled_or_changed() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "judged")];
    let targets = Target::of(&companies);
    let mut writers = Writer::some(1, 0, deployment.folder());
    for _ in 0..10 {
        writers[0].once(&server.client(), &targets).expect("answered");
    }
    companies[0].checkpoint();
    assert_eq!(server.stop(), 0);
    let clean = examine(&deployment, &companies);
    clean.expect_none();
    assert_eq!((clean.acked, clean.hashed), (10, 10));

    let told = read_journals(deployment.folder()).remove(&companies[0].id).expect("the journal is there");
    let records = || read_export(&deployment.folder().join("oracle-judged.keiin"));
    assert_eq!(judged(&told, &records()).complaints, []);
    let place = told.acked["writer 0 request 5"].position as usize;
    let with = |change: &dyn Fn(&mut Vec<Exported>)| {
        let mut records = records();
        change(&mut records);
        let found = judged(&told, &records);
        (found.count("O1"), found.count("O2"))
    };
    assert_eq!(with(&|records| drop(records.remove(place))), (1, 0), "missing");
    let again = |records: &mut Vec<Exported>| {
        let mut copy = read_export(&deployment.folder().join("oracle-judged.keiin")).remove(place);
        copy.leaf.position = records.len() as u64;
        records.push(copy);
    };
    assert_eq!(with(&again), (0, 1), "doubled");
    assert_eq!(with(&|records| records[place].hash = "00".repeat(32)), (1, 0), "changed");
    assert_eq!(with(&|records| records[place].leaf.position += 1), (1, 0), "moved");
    assert_eq!(with(&|records| records.clear()), (10, 0), "all gone");
}

/// A whole deployment is put back to what it was, the anchor and the keys as well: the server cannot know, whoever kept
/// what it said does. And the same request without a key, sent twice, is there twice.
#[test]
fn the_oracle_sees_a_whole_deployment_put_back_and_a_request_done_twice() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "put-back")];
    companies[0].checkpoint();
    assert_eq!(server.stop(), 0);
    let old = deployment.folder().join("old");
    cp(&deployment.data(), &old);

    let server = deployment.serve();
    let targets = Target::of(&companies);
    let mut writers = Writer::some(1, 0, deployment.folder());
    let acks: Vec<_> = (0..4).map(|_| writers[0].once(&server.client(), &targets).expect("answered")).collect();
    let company = companies[0].at(&server);
    let mut watcher = keiin_tests::load::Journal::create(deployment.folder(), "watcher");
    watcher.checkpoint(&company.id, &company.checkpoint());
    assert_eq!(server.stop(), 0);
    examine(&deployment, &companies).expect_none();

    std::fs::remove_dir_all(deployment.data()).expect("removed");
    std::fs::rename(&old, deployment.data()).expect("put back");
    let server = deployment.serve();
    for _ in 0..2 {
        let body = json!({ "name": acks[0].key, "honorific": "onchu" });
        companies[0].at(&server).send(Call::new("POST", "/v1/clients").json(&body)).expect(201);
    }
    assert_eq!(server.stop(), 0);
    let found = examine(&deployment, &companies);
    assert_eq!((found.count("O1"), found.count("O2")), (4, 1), "{:#?}", found.complaints);
    assert!(found.count("O3") > 0 && found.count("O4") > 0 && found.count("O6") > 0, "{:#?}", found.complaints);
}
