//! A rolling upgrade on PostgreSQL (MN-17): nodes of two versions, whose read models do not fit each other, work side by
//! side on one database while companies write and read.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keiin_domain::client::RegisterClient;
use keiin_domain::mail::RecordMail;
use keiin_domain::member::InviteMember;
use keiin_eventlog::postgres::{Address, InUse, Unused};
use keiin_projections::catalog::PROJECTIONS;
use keiin_projections::client::ListClients;
use keiin_projections::database::Database;
use keiin_projections::mail;
use keiin_projections::query::{PAGING, Params, Query, Read};
use keiin_projections::runner::{Projection, Runner};
use serde_json::json;
use support::{Engine, HOUR, House, Person};
use tokio::task::JoinHandle;

/// What the next version has: every projection with a later revision.
fn next_version() -> &'static [Projection] {
    let next = PROJECTIONS.iter().map(|p| Projection { revision: p.revision + 1, ..*p });
    next.collect::<Vec<_>>().leak()
}

/// A server's part that works with the read models.
struct Node {
    runner: Arc<Runner>,
    read: Read,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    async fn start(house: &House, projections: &'static [Projection]) -> Node {
        let database = Database::postgres(Address::parse(&house.place).unwrap());
        let (log, vault) = (house.log.clone(), house.vault.clone());
        let runner = Runner::open(database.clone(), log.clone(), vault.clone(), projections).await.unwrap();
        let tasks = vec![tokio::spawn(runner.clone().follow())];
        Node { runner, read: Read::new(database, log, vault, [3; 32]), tasks }
    }

    async fn clients(&self, house: &House, who: Person) -> usize {
        let given = [("limit".to_owned(), "200".to_owned())].into();
        let params = Params::read(given, &[ListClients::PARAMS, &PAGING]).unwrap();
        let list = ListClients::run(&self.read, &who.who(house), &params).await.unwrap();
        serde_json::to_value(list).unwrap()["items"].as_array().unwrap().len()
    }

    async fn has(&self, house: &House, who: Person) {
        let last = house.log.head(who.ledger).await.unwrap().unwrap().size - 1;
        assert!(self.runner.wait(who.ledger, last, Duration::from_secs(20)).await, "it lags behind");
    }

    /// As when its process ends.
    async fn end(self) {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks {
            let _ = task.await;
        }
        drop(self.read);
        assert!(Arc::into_inner(self.runner).is_some(), "nobody holds it any more");
        // The server notices that the connection is gone.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mn_17_two_versions_serve_side_by_side_under_load() {
    let house = Arc::new(House::on(Engine::Postgres));
    let owner = house.company("minato").await;
    for n in 0..30 {
        register(&house, owner, n).await;
    }
    let old = Node::start(&house, PROJECTIONS).await;
    old.has(&house, owner).await;
    let [before] = &house.schemas()[..] else { panic!("{:?}", house.schemas()) };

    let (written, stop) = (Arc::new(AtomicUsize::new(30)), Arc::new(AtomicBool::new(false)));
    let load = {
        let (house, written, stop) = (house.clone(), written.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) && written.load(Ordering::SeqCst) < 190 {
                register(&house, owner, written.load(Ordering::SeqCst)).await;
                written.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    // The next version starts while the older one is asked, which never fails and never shows less than it did.
    let starting = {
        let house = house.clone();
        tokio::spawn(async move { Node::start(&house, next_version()).await })
    };
    let (mut seen, mut asked) = (30, 0);
    while !starting.is_finished() {
        let now = old.clients(&house, owner).await;
        assert!(now >= seen, "{now} after {seen}");
        (seen, asked) = (now, asked + 1);
    }
    let new = starting.await.unwrap();
    assert!(asked > 3, "the older node was asked {asked} times meanwhile");
    assert_eq!(house.schemas().len(), 2, "{:?}", house.schemas());
    // Both serve, and each sees what is written while both fold.
    for _ in 0..5 {
        let least = written.load(Ordering::SeqCst);
        for node in [&old, &new] {
            node.has(&house, owner).await;
            assert!(node.clients(&house, owner).await >= least);
        }
        assert_eq!(new.runner.drop_unused().await.unwrap(), Vec::<String>::new(), "in use");
        assert_eq!(old.runner.drop_unused().await.unwrap(), Vec::<String>::new(), "in use");
    }
    stop.store(true, Ordering::SeqCst);
    load.await.unwrap();
    for node in [&old, &new] {
        node.has(&house, owner).await;
        assert_eq!(node.clients(&house, owner).await, written.load(Ordering::SeqCst));
        assert!(node.runner.stopped().unwrap().is_empty());
    }
    assert_eq!(old.runner.dump().unwrap(), new.runner.dump().unwrap());

    // The older one ends: what it had is dropped, and nothing else.
    let rows = new.runner.dump().unwrap();
    old.end().await;
    assert_eq!(new.runner.drop_unused().await.unwrap(), std::slice::from_ref(before));
    assert_eq!(house.schemas().len(), 1);
    assert_eq!(new.runner.dump().unwrap(), rows);
    assert_eq!(new.clients(&house, owner).await, written.load(Ordering::SeqCst));
    // Going back is a start like any other.
    new.end().await;
    let back = Node::start(&house, PROJECTIONS).await;
    assert_eq!(back.clients(&house, owner).await, written.load(Ordering::SeqCst));
    back.end().await;
}

async fn register(house: &House, owner: Person, n: usize) {
    let client = json!({ "name": format!("client {n}"), "honorific": "onchu" });
    house.run::<RegisterClient>(owner, None, client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mn_17_nodes_of_two_versions_send_no_mail_twice() {
    let house = House::on(Engine::Postgres);
    let owner = house.company("minato").await;
    let (mut old, mut new) = (Node::start(&house, PROJECTIONS).await, Node::start(&house, next_version()).await);
    for n in 0..12 {
        let invited = json!({ "name": "佐藤 健", "email": format!("ken{n}@example.jp"), "role": "member" });
        house.run::<InviteMember>(owner, None, invited).await;
    }
    for node in [&mut old, &mut new] {
        node.has(&house, owner).await;
        node.tasks.drain(..).for_each(|task| task.abort());
    }
    // One is paused for longer than its lease: the other takes the mail, and the first changes nothing any more.
    let late = house.now() + mail::LEASE_US;
    let mine = mail::due(&old.read, house.now(), 1).unwrap().remove(0);
    let theirs = mail::due(&new.read, late, 1).unwrap().remove(0);
    assert_eq!((theirs.letter.position, theirs.attempts), (mine.letter.position, 2));
    assert!(mail::hold(&old.read, &mine, late).unwrap().is_none());
    assert!(mail::hold(&new.read, &theirs, late).unwrap().is_some());
    mail::retry_later(&old.read, &mine, house.now()).unwrap();
    mail::give_back(&old.read, &mine, house.now()).unwrap();
    assert_ne!(mail::due(&new.read, late, 1).unwrap().remove(0).letter.position, mine.letter.position, "still leased");
    mail::give_back(&new.read, &theirs, house.now()).unwrap();
    house.later(2 * HOUR);
    // They take turns; no mail is handed out to both.
    let mut sent = vec![];
    for turn in 0.. {
        let node = [&old, &new][turn % 2];
        let mails = mail::due(&node.read, house.now(), 1).unwrap();
        let Some(due) = mails.first() else { break };
        sent.push((turn % 2, due.letter.position));
        let said = json!({ "effect_position": due.letter.position, "n": 0, "template": due.letter.template });
        house.run::<RecordMail>(owner.system(), None, said).await;
        mail::done(&node.read, due).unwrap();
    }
    let mut positions: Vec<u64> = sent.iter().map(|(_, position)| *position).collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!((sent.len(), positions.len()), (12, 12), "{sent:?}");
    assert!(sent.iter().any(|(node, _)| *node == 0) && sent.iter().any(|(node, _)| *node == 1));
    // Neither has folded an outcome, and no lease lasts so long.
    house.later(HOUR);
    for node in [&old, &new] {
        assert!(mail::due(&node.read, house.now(), 20).unwrap().is_empty());
    }
    old.end().await;
    new.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_dropped_after_a_while_of_nobody_using_it() {
    let house = House::on(Engine::Postgres);
    let address = Address::parse(&house.place).unwrap();
    house.as_superuser("CREATE SCHEMA keiin_read_a; CREATE SCHEMA keiin_read_b; CREATE SCHEMA keiin_reader");
    let mut unused = Unused::new(&address, "keiin_read", "keiin_read_b");
    let none: Vec<String> = vec![];
    let grace = Duration::from_millis(400);
    assert_eq!(unused.drop_after(grace).await.unwrap(), none, "just seen for the first time");
    let held = InUse::enter(&address, "keiin_read_a").await.unwrap();
    tokio::time::sleep(grace).await;
    assert_eq!(unused.drop_after(grace).await.unwrap(), none, "it is in use");
    drop(held);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(unused.drop_after(grace).await.unwrap(), none, "it is counted anew");
    tokio::time::sleep(grace).await;
    assert_eq!(unused.drop_after(grace).await.unwrap(), ["keiin_read_a"]);
    assert_eq!(house.schemas(), ["keiin_read_b", "keiin_reader"]);
}
