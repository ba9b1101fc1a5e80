//! The EventStoreDB engine where a cluster makes it hard: races, lost answers, nodes that come and go, foreign events.
#![cfg(feature = "eventstore")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_eventlog::checkpoint::Origin;
use keiin_eventlog::clear::Clear;
use keiin_eventlog::log::Log;
use keiin_eventlog::record::Hash;
use keiin_eventlog::sign::{KeyReplacement, Signer};
use keiin_eventlog::store::eventstore::EventStoreStore;
use keiin_eventlog::store::{Append, Outcome, Span, Store};
use keiin_test_eventstore::{Expected, Fault, Peer, Proposed};
use support::cluster::engine;
use support::*;
use uuid::Uuid;

/// An app node.
struct Node {
    dir: TempDir,
    store: Arc<EventStoreStore>,
    log: Log,
}

impl Node {
    fn new(url: &str) -> Node {
        Node::again(url, TempDir::new("eventstore"))
    }

    fn again(url: &str, dir: TempDir) -> Node {
        let store = engine(url, "keiin", dir.path(), signer(1));
        Node { dir, log: Log::open(store.clone()), store }
    }

    /// Ends it; its mirror stays.
    async fn end(self) -> TempDir {
        let Node { dir, mut store, log } = self;
        drop(log);
        while let Err(still) = Arc::try_unwrap(store) {
            store = still;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        dir
    }

    async fn write(&self, append: Append) -> Span {
        match self.log.append(append).await {
            Outcome::Committed(span) | Outcome::Known(span) => span,
            other => panic!("not written: {other:?}"),
        }
    }

    async fn open(&self, n: u64) -> Uuid {
        self.write(opened(ledger(n), &*signer(1))).await;
        ledger(n)
    }

    async fn size(&self, ledger: Uuid) -> u64 {
        self.log.head(ledger).await.unwrap().map_or(0, |head| head.size)
    }

    /// Waits, as a follower of the log does, until the ledger is here up to this size.
    async fn wait_for(&self, ledger: Uuid, size: u64) {
        let mut changed = self.log.changed();
        let reached = async {
            while self.size(ledger).await < size {
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached).await.expect("the mirror follows");
    }

    /// Every record, read with all its checks, is what the cluster holds, in its order and under its id.
    async fn equals(&self, peer: &Peer, ledger: Uuid) -> usize {
        let records = self.log.read(ledger, 0, 100_000).await.unwrap();
        let events = peer.log().stream(&stream_of(ledger), 0).unwrap_or_default();
        assert_eq!(records.len(), events.len());
        for (record, stored) in records.iter().zip(&events) {
            let mut data = (record.leaf.len() as u16).to_be_bytes().to_vec();
            data.extend(&record.leaf);
            data.extend(record.body.as_ref().unwrap());
            assert_eq!(stored.event.data, data);
            assert_eq!(stored.event.metadata, record.signature.map_or(vec![], |s| s.to_vec()));
            assert_eq!(stored.event.id, id_of(&record.hash()));
        }
        records.len()
    }
}

fn stream_of(ledger: Uuid) -> String {
    format!("keiin-{ledger}")
}

/// The first 16 bytes of the leaf hash with the marks of a UUIDv8.
fn id_of(hash: &Hash) -> Uuid {
    let mut bytes: [u8; 16] = hash.0[..16].try_into().unwrap();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Uuid::from_bytes(bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_on_one_revision_with_different_records_leave_one() {
    let peer = Peer::start().await;
    let (a, b) = (Node::new(&peer.url()), Node::new(&peer.url()));
    let id = a.open(1).await;
    for round in 0..20 {
        let fact = stream("fact");
        let one = |node: &Node| {
            let (log, append) = (node.log.clone(), expecting(append(id, &[&fact]), &[(&fact, None)]));
            tokio::spawn(async move { log.append(append).await })
        };
        let (first, second) = (one(&a), one(&b));
        let outcomes = [first.await.unwrap(), second.await.unwrap()];
        let won = outcomes.iter().filter(|o| matches!(o, Outcome::Committed(_))).count();
        let moved = outcomes.iter().filter(|o| matches!(o, Outcome::Moved { version: Some(0), .. })).count();
        assert_eq!((won, moved), (1, 1), "round {round}: {outcomes:?}");
    }
    a.wait_for(id, 21).await;
    b.wait_for(id, 21).await;
    assert_eq!((a.equals(&peer, id).await, b.equals(&peer, id).await), (21, 21));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_overtaken_on_its_way_is_made_anew() {
    let peer = Peer::start().await;
    let (a, b) = (Node::new(&peer.url()), Node::new(&peer.url()));
    let id = a.open(1).await;
    let fact = stream("fact");
    for expect in [false, true] {
        let other = stream("other");
        // The first node's call hangs while the second one writes at the same revision.
        peer.fail([Fault::SilenceBefore]);
        let calls = peer.proposals().len();
        let mut append = append(id, &[&fact]);
        if expect {
            append = expecting(append, &[(&other, None)]);
        }
        let log = a.log.clone();
        let slow = tokio::spawn(async move { log.append(append).await });
        while peer.proposals().len() == calls {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        b.write(support::append(id, &[&other])).await;
        let moved = Outcome::Moved { stream: other, version: Some(0) };
        let after = Outcome::Committed(Span { first: 2, last: 2 });
        assert_eq!(slow.await.unwrap(), if expect { moved } else { after });
        let proposals = peer.proposals();
        assert_eq!(proposals[calls], proposals[calls + 2], "first the same bytes again");
    }
    assert_eq!(a.equals(&peer, id).await, 4);
    b.wait_for(id, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_asked_for_with_the_same_bytes() {
    let late = |ms| Fault::Late(Duration::from_millis(ms));
    let slow = |ms| Fault::Slow(Duration::from_millis(ms));
    for faults in [
        vec![Fault::DropBefore],
        vec![Fault::DropAfter],
        vec![Fault::SilenceBefore],
        vec![Fault::SilenceAfter],
        vec![Fault::Busy],
        vec![Fault::TimedOut],
        vec![late(0)],
        vec![late(50)],
        vec![slow(100)],
        vec![Fault::DropBefore, Fault::DropAfter, Fault::Busy, Fault::DropAfter, Fault::TimedOut],
    ] {
        let peer = Peer::start().await;
        let node = Node::new(&peer.url());
        let (id, one) = (node.open(1).await, stream("thing"));
        let before = peer.proposals().len();
        peer.fail(faults.clone());
        let append = append(id, &[&one, &one, &one]);
        let at = Span { first: 1, last: 3 };
        assert_eq!(node.log.append(append.clone()).await, Outcome::Committed(at), "{faults:?}");
        let proposals = peer.proposals().split_off(before);
        assert!(proposals.iter().all(|sent| *sent == proposals[0]), "{faults:?}: the bytes changed on the way");
        assert_eq!(proposals.len(), faults.len() + usize::from(faults != [slow(100)]), "{faults:?}");
        assert_eq!(node.log.append(append).await, Outcome::Known(at));
        // A late write finds its place taken, by itself.
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(node.write(support::append(id, &[&one])).await.first, 4);
        assert_eq!(node.equals(&peer, id).await, 5, "{faults:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_unknown_is_settled_before_anything_else_and_never_doubled() {
    for fault in [Fault::SilenceBefore, Fault::SilenceAfter] {
        let peer = Peer::start().await;
        let node = Node::new(&peer.url());
        let (id, one) = (node.open(1).await, stream("thing"));
        let other = node.open(2).await;
        peer.fail([fault; 20]);
        let lost = expecting(append(id, &[&one]), &[(&one, None)]);
        let begun = Instant::now();
        let outcome = node.store.commit(vec![lost.clone()]).await.remove(0);
        assert!(matches!(outcome, Outcome::Unknown(_)), "{fault:?}: {outcome:?}");
        assert!(begun.elapsed() < Duration::from_secs(4), "callers are told in time");
        let calls = peer.proposals();
        let sent = &calls[2];
        assert!(calls.len() > 3 && calls[2..].iter().all(|again| again == sent));
        // No fault is left over: the next append of the ledger settles it on its way.
        peer.clear_faults();
        let next = node.write(append(id, &[&one])).await;
        assert_eq!(next, Span { first: 2, last: 2 }, "{fault:?}");
        assert_eq!(node.log.append(lost).await, Outcome::Known(Span { first: 1, last: 1 }));
        assert_eq!((node.equals(&peer, id).await, node.equals(&peer, other).await), (3, 1));
        assert_eq!(peer.proposals()[calls.len()], *sent, "the lost bytes came first");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_a_retry_finds_what_was_written_or_writes_it() {
    for fault in [Fault::SilenceBefore, Fault::SilenceAfter, Fault::Late(Duration::from_millis(2_200))] {
        let peer = Peer::start().await;
        let node = Node::new(&peer.url());
        let (id, one) = (node.open(1).await, stream("thing"));
        peer.fail([fault; 20]);
        let lost = append(id, &[&one, &one]);
        let outcome = node.store.commit(vec![lost.clone()]).await.remove(0);
        assert!(matches!(outcome, Outcome::Unknown(_)), "{fault:?}: {outcome:?}");
        peer.clear_faults();
        // What was under way is forgotten with the process.
        let node = Node::again(&peer.url(), node.end().await);
        assert_eq!(node.write(lost.clone()).await, Span { first: 1, last: 2 }, "{fault:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(node.write(append(id, &[&one])).await.first, 3, "{fault:?}");
        assert_eq!(node.equals(&peer, id).await, 4, "{fault:?}");
    }
}

/// Two processes may send the same append in different company: the server knows the events, not the commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_append_in_another_commit_stays_in_the_commit_that_came_first() {
    for (first, second) in [(2, 1), (1, 2)] {
        let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
        let (node, other) = (Node::new(&peer.url()), Node::new(&elsewhere.url()));
        let (id, one) = (node.open(1).await, stream("thing"));
        let opened = peer.log().stream(&stream_of(id), 0).unwrap().remove(0).event;
        elsewhere.log().write(&stream_of(id), Expected::Any, vec![opened]);
        other.store.caught_up().await;
        let both = [append(id, &[&one]), append(id, &[&one])];
        other.store.commit(both[..first].to_vec()).await;
        peer.overtake(&stream_of(id), elsewhere.proposals().remove(0));
        let outcomes = node.store.commit(both[..second].to_vec()).await;
        let at = |position| Span { first: position, last: position };
        if second == 1 {
            // All of its ids are there: the server says that it is written.
            assert_eq!(outcomes, [Outcome::Committed(at(1))]);
        } else {
            // Some are there, some not: nothing was written, and it is made anew.
            assert_eq!(outcomes, [Outcome::Known(at(1)), Outcome::Committed(at(2))]);
        }
        assert_eq!(node.equals(&peer, id).await, 3);
        let signed = node.log.read(id, 1, 2).await.unwrap().into_iter().map(|r| r.signature.is_some());
        assert_eq!(signed.collect::<Vec<_>>(), [first == 1, true], "the first one's commits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_found_and_found_again() {
    let peer = Peer::cluster(3).await;
    // One that knows a follower only, one that knows all.
    let (a, b) = (Node::new(&peer.url_of(1)), Node::new(&peer.url()));
    let (id, one) = (a.open(1).await, stream("thing"));
    for leader in [2, 1, 0] {
        peer.elect(leader);
        a.write(append(id, &[&one])).await;
        b.write(append(id, &[&one])).await;
    }
    // The leader dies, another one takes over: some callers may not learn what happened, none is told a wrong thing.
    peer.stop(0);
    peer.elect(2);
    let begun = Instant::now();
    for node in [&a, &b] {
        let append = append(id, &[&one]);
        while !matches!(node.log.append(append.clone()).await, Outcome::Committed(_) | Outcome::Known(_)) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the new leader was not found");
        }
    }
    peer.start_again(0).await;
    a.write(append(id, &[&one])).await;
    b.wait_for(id, 10).await;
    assert_eq!((a.equals(&peer, id).await, b.equals(&peer, id).await), (10, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_cluster_is_away_writes_say_so_and_reads_go_on() {
    let peer = Peer::start().await;
    let node = Node::new(&peer.url());
    let (id, one) = (node.open(1).await, stream("thing"));
    peer.stop(0);
    let append = append(id, &[&one]);
    let begun = Instant::now();
    assert!(matches!(node.log.append(append.clone()).await, Outcome::Unknown(_)));
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(node.log.read(id, 0, 10).await.unwrap().len(), 1);
    // A node that starts meanwhile waits.
    let late = Node::new(&peer.url());
    let waiting = tokio::time::timeout(Duration::from_millis(100), late.store.caught_up()).await;
    assert!(waiting.is_err(), "nobody was reached");
    peer.start_again(0).await;
    let begun = Instant::now();
    while !matches!(node.log.append(append.clone()).await, Outcome::Committed(_) | Outcome::Known(_)) {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not come back");
    }
    late.store.caught_up().await;
    late.wait_for(id, 2).await;
    assert_eq!((node.equals(&peer, id).await, late.equals(&peer, id).await), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_follows_goes_on_where_it_was_and_can_be_made_anew() {
    let peer = Peer::start().await;
    let (a, b) = (Node::new(&peer.url()), Node::new(&peer.url()));
    let one = stream("thing");
    let ids = [a.open(1).await, a.open(2).await];
    // More than one step of the kept place, and events of others between ours.
    for n in 0..100u128 {
        a.write(append(ids[n as usize % 2], &[&one, &one])).await;
        let foreign = Proposed { id: Uuid::from_u128(n), properties: properties(), metadata: vec![], data: vec![1] };
        peer.log().write("somebody-else", Expected::Any, vec![foreign]);
    }
    for id in ids {
        b.wait_for(id, 101).await;
        assert_eq!(b.equals(&peer, id).await, 101);
    }
    // A broken connection is no reason to stop.
    peer.stop(0);
    peer.start_again(0).await;
    a.write(append(ids[0], &[&one])).await;
    b.wait_for(ids[0], 102).await;
    // What was written while a node was away.
    let dir = b.end().await;
    a.write(append(ids[1], &[&one])).await;
    let b = Node::again(&peer.url(), dir);
    b.store.caught_up().await;
    assert_eq!((b.size(ids[0]).await, b.size(ids[1]).await), (102, 102));
    // A mirror is a copy: nothing is lost with it.
    let c = Node::new(&peer.url());
    c.store.caught_up().await;
    for id in ids {
        assert_eq!((b.equals(&peer, id).await, c.equals(&peer, id).await), (102, 102));
    }
}

fn properties() -> std::collections::HashMap<String, String> {
    [("type", "foreign"), ("content-type", "application/octet-stream")].map(|(k, v)| (k.into(), v.into())).into()
}

/// Somebody with access to the cluster writes into a ledger's stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_record_stops_its_ledger_and_no_other() {
    type Forge = fn(&mut Proposed);
    let forgeries: [Forge; 5] = [
        |event| event.data = b"{}".to_vec(),
        |event| *event.data.last_mut().unwrap() ^= 1,
        |event| event.data[40] ^= 1,
        |event| event.metadata[9] ^= 1,
        |event| event.metadata = vec![7; 64],
    ];
    for (n, forge) in forgeries.into_iter().enumerate() {
        // Another cluster makes a record that would fit.
        let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
        let (node, other) = (Node::new(&peer.url()), Node::new(&elsewhere.url()));
        let (id, one) = (node.open(1).await, stream("thing"));
        let well = node.open(2).await;
        let first = peer.log().stream(&stream_of(id), 0).unwrap().remove(0).event;
        elsewhere.log().write(&stream_of(id), Expected::Any, vec![first]);
        other.store.caught_up().await;
        other.write(append(id, &[&one])).await;
        let mut event = elsewhere.log().stream(&stream_of(id), 1).unwrap().remove(0).event;
        forge(&mut event);
        peer.log().write(&stream_of(id), Expected::Last(0), vec![event]);
        let outcome = node.log.append(append(id, &[&one])).await;
        assert!(matches!(&outcome, Outcome::Unknown(reason) if reason.contains("position 1")), "{n}: {outcome:?}");
        node.write(append(well, &[&one])).await;
        assert_eq!((node.log.read(id, 0, 10).await.unwrap().len(), node.size(well).await), (1, 2), "{n}");
        // Also in a mirror that begins afterwards; the sound ledger is complete there.
        let fresh = Node::new(&peer.url());
        fresh.store.caught_up().await;
        assert_eq!((fresh.size(id).await, fresh.size(well).await), (1, 2), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_went_back_is_not_written_to() {
    let peer = Peer::start().await;
    let node = Node::new(&peer.url());
    let (id, one) = (node.open(1).await, stream("thing"));
    node.write(append(id, &[&one])).await;
    let first = peer.log().stream(&stream_of(id), 0).unwrap().remove(0).event;
    let restored = Peer::start().await;
    restored.log().write(&stream_of(id), Expected::Any, vec![first]);
    let node = Node::again(&restored.url(), node.end().await);
    let outcome = node.log.append(append(id, &[&one])).await;
    assert!(matches!(&outcome, Outcome::Unknown(reason) if reason.contains("restored")), "{outcome:?}");
    assert_eq!(restored.log().stream(&stream_of(id), 0).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_signer_is_followed_by_mirrors_that_only_read() {
    let peer = Peer::start().await;
    let (a, b) = (Node::new(&peer.url()), Node::new(&peer.url()));
    let id = a.open(1).await;
    a.write(clear(id, &Clear::KeyRotated { signer: signer(2).public() })).await;
    b.wait_for(id, 2).await;
    let head = b.log.head(id).await.unwrap().unwrap();
    assert_eq!(head.signer, signer(2).public());
    // This deployment does not have that key: nothing of it is sent.
    assert!(matches!(b.log.append(append(id, &[&stream("thing")])).await, Outcome::Refused(_)));
    assert_eq!(peer.log().stream(&stream_of(id), 0).unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_signer_is_replaced_by_the_recovery_key_and_by_nobody_else() {
    let peer = Peer::start().await;
    let dir = TempDir::new("eventstore");
    let log = Log::open(engine(&peer.url(), "keiin", dir.path(), Arc::new(TwoKeys)));
    let mirror = Node::new(&peer.url());
    let (id, recovery, new_signer) = (ledger(1), signer(7), signer(2).public());
    let origin = Origin::new("log.example.jp", id, 1).unwrap();
    let opened = Clear::Opened { origin, signer: signer(1).public(), recovery: Some(recovery.public()) };
    assert!(matches!(log.append(clear(id, &opened)).await, Outcome::Committed(_)));
    let prev = log.head(id).await.unwrap().unwrap().last;
    let message = KeyReplacement { ledger: id, generation: 1, position: 1, prev, new_signer }.message();
    let by = |who: &dyn Signer| clear(id, &Clear::KeyReplaced { signer: new_signer, proof: who.sign(&message) });
    // It would end the ledger on every mirror: it is not sent, and what comes with it is written.
    let outcomes = log.store().commit(vec![by(&*signer(9)), append(id, &[&stream("thing")])]).await;
    assert!(matches!(&outcomes[0], Outcome::Refused(reason) if reason.contains("recovery key")), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Committed(Span { first: 1, last: 1 }));
    let prev = log.head(id).await.unwrap().unwrap().last;
    let message = KeyReplacement { ledger: id, generation: 1, position: 2, prev, new_signer }.message();
    let good = clear(id, &Clear::KeyReplaced { signer: new_signer, proof: recovery.sign(&message) });
    assert_eq!(log.append(good).await, Outcome::Committed(Span { first: 2, last: 2 }));
    mirror.wait_for(id, 3).await;
    assert_eq!(mirror.log.head(id).await.unwrap().unwrap().signer, new_signer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_string_that_is_none_is_refused() {
    let dir = TempDir::new("eventstore");
    let mirror = keiin_eventlog::store::sqlite::SqliteStore::open(&dir.path().join("log.db"), signer(1)).unwrap();
    assert!(EventStoreStore::open("postgres://localhost", mirror, signer(1)).is_err());
}
