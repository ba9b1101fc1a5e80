//! The program with its ledgers in an EventStoreDB cluster: a peer in this process that speaks the published protocol.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use keiin_test_eventstore::Peer;
use keiin_test_postgres::Server as Postgres;
use keiin_tests::company::verify;
use keiin_tests::smtp::Smtp;
use keiin_tests::{Call, Company, Deployment, Server, keiin, report};
use serde_json::json;
use tokio::runtime::Runtime;

/// What is a copy of the cluster, or folded from it.
const COPIES: [&str; 6] = ["log.db", "log.db-wal", "log.db-shm", "read.db", "read.db-wal", "read.db-shm"];

/// Settings and keys of another node.
fn another(deployment: &Deployment) -> PathBuf {
    let data = deployment.node("second");
    COPIES.iter().for_each(|name| drop(std::fs::remove_file(data.join(name))));
    data
}

fn invite(company: &Company, n: usize) {
    let body = json!({ "name": format!("Member {n}"), "email": format!("m{n}@cluster.example"), "role": "member" });
    let call = Call::new("POST", "/v1/members").key(&format!("invite {n}")).json(&body);
    company.send(call).expect(201);
}

#[test]
fn el_44_a_company_works_on_a_cluster_and_nothing_is_lost_with_the_mirror() {
    let runtime = Runtime::new().expect("a runtime");
    let peer = runtime.block_on(Peer::start());
    let deployment = Deployment::at(&peer.url(), "", "");
    let server = deployment.serve();
    let company = Company::sign_up(&server, "cluster");
    let document = company.new_document();
    let path = format!("/v1/documents/{document}");
    let number = company.get(&path)["number"].clone();
    company.checkpoint();
    let key = company.key();
    assert_eq!(server.stop(), 0);

    // The cluster is the log; the file beside the node is a copy of it.
    COPIES.iter().for_each(|name| drop(std::fs::remove_file(deployment.data().join(name))));
    let server = deployment.serve();
    let company = company.at(&server);
    assert_eq!(company.get(&path)["number"], number);
    company.mark();
    company.checkpoint();
    assert_eq!(server.stop(), 0);
    verify(&deployment.export(&company.id, "cluster.keiin", &[]), &key);
}

/// Each node has leases of its own, so only one of them may send; what counts is what the mail server got.
#[test]
fn two_nodes_on_a_cluster_send_each_mail_once() {
    let runtime = Runtime::new().expect("a runtime");
    let peer = runtime.block_on(Peer::start());
    let postgres = Postgres::shared();
    let deployment = Deployment::at(&peer.url(), &postgres.database(), &postgres.database());
    let first = deployment.serve();
    let company = Company::sign_up(&first, "twice");
    assert_eq!(first.stop(), 0);
    let smtp = Smtp::plain(0);
    deployment.mail_to(smtp.port, "none", "");
    let second = another(&deployment);
    let (first, second) = (deployment.serve(), Server::serve(&second));
    let (here, there) = (company.at(&first), company.at(&second));
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    let mut take = |until: usize| {
        // A second copy would come within the rounds that follow.
        while let Some(mail) = smtp.within(Duration::from_secs(if got.len() < until { 40 } else { 5 })) {
            let to = mail["recipients"][0].as_str().expect("an address").to_owned();
            if to.ends_with("@cluster.example") {
                *got.entry(to).or_default() += 1;
            }
        }
        got.clone()
    };
    (0..12).for_each(|n| invite([&here, &there][n % 2], n));
    let sent = take(12);
    assert_eq!(sent.values().copied().collect::<Vec<_>>(), [1; 12], "{sent:?}");
    // One of them ends; the other sends on, and nothing again. Which one had led is theirs to know: both are ended in turn.
    assert_eq!(first.stop(), 0);
    (12..18).for_each(|n| invite(&there, n));
    take(18);
    let first = deployment.serve();
    let here = company.at(&first);
    assert_eq!(second.stop(), 0);
    (18..24).for_each(|n| invite(&here, n));
    let sent = take(24);
    report!("eventstore mails={} sent_twice={}", sent.len(), sent.values().filter(|times| **times > 1).count());
    assert_eq!(sent.values().copied().collect::<Vec<_>>(), [1; 24], "{sent:?}");
}

#[test]
fn a_second_node_on_a_cluster_needs_a_shared_vault() {
    let runtime = Runtime::new().expect("a runtime");
    let peer = runtime.block_on(Peer::start());
    let deployment = Deployment::at(&peer.url(), "", &Postgres::shared().database());
    let _first = deployment.serve();
    let second = another(&deployment);
    let data = second.to_str().expect("text");
    let refused = keiin(&["serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("several nodes need a shared vault and a shared anchor"), "{}", refused.stderr);
}
