//! The store's contract: the same cases on every engine, through the log as its users hold it.
#![cfg(feature = "sqlite")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_eventlog::clear::Clear;
use keiin_eventlog::log::Log;
use keiin_eventlog::record::{Hash, Leaf, MAX_BODY, MAX_RECORDS, Stream};
use keiin_eventlog::sign::Signer;
use keiin_eventlog::store::{Append, Indexed, Outcome, Span};
use support::engines::*;
use support::*;
use uuid::Uuid;

/// One case on one engine. A new engine is a line in the two lists below, and a function in `support/engines.rs`.
macro_rules! on {
    ($engine:ident, $setting:ident, $case:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $engine() {
            super::$setting(super::$case).await;
        }
    };
}

/// Every case on every engine.
macro_rules! on_every_engine {
    ($($case:ident)*) => { $(mod $case {
        on!(memory, on_memory, $case);
        on!(faulty_without_faults, on_faulty, $case);
        on!(sqlite, on_sqlite, $case);
        on!(postgres, on_postgres, $case);
        on!(eventstore, on_eventstore, $case);
    })* };
}

/// Every case on every engine that keeps anything.
macro_rules! with_a_restart {
    ($($case:ident)*) => { $(mod $case {
        on!(sqlite, sqlite_again, $case);
        on!(postgres, postgres_again, $case);
        on!(eventstore, eventstore_again, $case);
    })* };
}

on_every_engine! {
    positions_links_and_signatures
    a_moved_stream_is_told
    a_stream_that_is_only_read_counts
    one_append_writes_many_streams
    the_same_append_id_is_known
    what_is_there_already_is_found_among_what_is_new
    thirty_two_writers_of_one_fact_leave_one
    reads_during_writes_see_whole_appends
    a_follower_from_any_position_misses_nothing
    a_poison_append_fails_alone
    limits_are_refused_before_the_queue
    ten_thousand_ledgers_share_writes_and_nothing_else
    two_writers_with_different_records_leave_one
    an_answer_that_was_lost_is_found_by_sending_again
    a_closed_ledger_takes_nothing_more
    a_rotated_key_signs_what_follows
    heads_come_in_pages
    tiles_are_kept_and_replaced
    bodies_go_only_after_the_end
}

with_a_restart! {
    everything_is_there_after_a_restart
}

async fn positions_links_and_signatures(log: Log) {
    assert_eq!(log.head(ledger(1)).await.unwrap(), None);
    assert_eq!(log.read(ledger(1), 0, 10).await.unwrap(), vec![]);
    assert_eq!(
        log.append(append(ledger(1), &[&stream("thing")])).await,
        Outcome::Refused("the ledger is not open yet".into())
    );
    let id = open(&log, 1).await;
    let one = stream("thing");
    for n in 0..20 {
        assert_eq!(committed(&log, append(id, &[&one])).await, Span { first: n + 1, last: n + 1 });
    }
    assert!(matches!(log.append(opened(id, &*signer(1))).await, Outcome::Refused(_)));
    assert_eq!(verified(&log, id).await.len(), 21);
    let last = log.read(id, 20, 10).await.unwrap();
    assert_eq!((last.len(), log.read(id, 21, 10).await.unwrap().len()), (1, 0));
    assert_eq!(log.read(id, u64::MAX >> 2, 10).await.unwrap(), vec![]);
    let of_stream = log.read_stream(id, &one, 5, 3).await.unwrap();
    let versions: Vec<_> = of_stream.iter().map(|r| Leaf::decode(&r.leaf).unwrap().stream_version).collect();
    assert_eq!(versions, [5, 6, 7]);
    assert_eq!(log.read_stream(id, &one, 20, 3).await.unwrap(), vec![]);
    assert_eq!(log.stream_version(id, &one).await.unwrap(), Some(19));
    assert_eq!(log.stream_version(id, &stream("thing")).await.unwrap(), None);
}

async fn a_moved_stream_is_told(log: Log) {
    let id = open(&log, 1).await;
    let one = stream("thing");
    committed(&log, expecting(append(id, &[&one]), &[(&one, None)])).await;
    let again = log.append(expecting(append(id, &[&one]), &[(&one, None)])).await;
    assert_eq!(again, Outcome::Moved { stream: one.clone(), version: Some(0) });
    let ahead = log.append(expecting(append(id, &[&one]), &[(&one, Some(1))])).await;
    assert_eq!(ahead, Outcome::Moved { stream: one.clone(), version: Some(0) });
    committed(&log, expecting(append(id, &[&one]), &[(&one, Some(0))])).await;
    assert_eq!(verified(&log, id).await.len(), 3);
}

async fn a_stream_that_is_only_read_counts(log: Log) {
    let id = open(&log, 1).await;
    let (boundary, one, two) = (stream("owners"), stream("member"), stream("member"));
    committed(&log, expecting(append(id, &[&one, &boundary]), &[(&boundary, None)])).await;
    let late = log.append(expecting(append(id, &[&two]), &[(&two, None), (&boundary, None)])).await;
    assert_eq!(late, Outcome::Moved { stream: boundary.clone(), version: Some(0) });
    committed(&log, expecting(append(id, &[&two]), &[(&boundary, Some(0))])).await;
    // The same id in another ledger is another stream.
    let other = open(&log, 2).await;
    committed(&log, expecting(append(other, &[&one]), &[(&boundary, None)])).await;
}

async fn one_append_writes_many_streams(log: Log) {
    let id = open(&log, 1).await;
    let (a, b) = (stream("a"), stream("b"));
    let same_id = Stream::new("c", a.id);
    let span = committed(&log, append(id, &[&a, &b, &a, &same_id, &a])).await;
    assert_eq!(span, Span { first: 1, last: 5 });
    let records = verified(&log, id).await;
    let leaves: Vec<_> = records.iter().map(|r| Leaf::decode(&r.leaf).unwrap()).collect();
    let versions: Vec<_> = leaves[1..].iter().map(|l| l.stream_version).collect();
    assert_eq!(versions, [0, 0, 1, 0, 2]);
    assert_eq!(log.read_stream(id, &a, 0, 10).await.unwrap().len(), 3);
    assert_eq!(log.stream_version(id, &same_id).await.unwrap(), Some(0));
}

async fn the_same_append_id_is_known(log: Log) {
    let id = open(&log, 1).await;
    let one = stream("thing");
    let first = append(id, &[&one, &one]);
    let span = committed(&log, first.clone()).await;
    assert_eq!(log.append(first.clone()).await, Outcome::Known(span));
    assert_eq!(log.find_append(id, first.append_id).await.unwrap(), Some(span));
    assert_eq!(log.find_append(id, fresh()).await.unwrap(), None);
    let indexed = |appends, streamed| Indexed { appends, streamed, commits: appends };
    assert_eq!(log.store().indexed(id, 3).await.unwrap(), indexed(2, 3));
    assert_eq!(log.store().indexed(id, 1).await.unwrap(), indexed(1, 1));
    assert_eq!(log.store().broken().await.unwrap(), None);
    // Also when its expectation no longer holds, and together with itself in one write.
    assert_eq!(log.append(expecting(first.clone(), &[(&one, None)])).await, Outcome::Known(span));
    let twin = append(id, &[&one]);
    let outcomes = log.store().commit(vec![twin.clone(), twin.clone()]).await;
    let at = Span { first: 3, last: 3 };
    assert_eq!(outcomes, [Outcome::Committed(at), Outcome::Known(at)]);
    // The id belongs to its ledger.
    let other = open(&log, 2).await;
    committed(&log, Append { ledger: other, ..first }).await;
}

/// Engines take for new what nearly always is. One that is not must take nothing from the others, and be answered rightly.
async fn what_is_there_already_is_found_among_what_is_new(log: Log) {
    let (id, other) = (open(&log, 1).await, open(&log, 2).await);
    let one = stream("thing");
    let first = expecting(append(id, &[&one]), &[(&one, None)]);
    let there = committed(&log, first.clone()).await;
    let new = |ledger| {
        let stream = stream("thing");
        expecting(append(ledger, &[&stream]), &[(&stream, None)])
    };
    let late = || expecting(append(id, &[&one]), &[(&one, None)]);
    let put = |n| Outcome::Committed(Span { first: n, last: n });
    let moved = |version| Outcome::Moved { stream: one.clone(), version: Some(version) };
    for (batch, answers) in [
        // Sent again, and a stream that is there: each alone, then both, and one that knows it is there.
        (vec![new(id), first.clone(), new(other)], vec![put(2), Outcome::Known(there), put(1)]),
        (vec![new(other), late(), new(id)], vec![put(2), moved(0), put(3)]),
        (
            vec![
                late(),
                new(id),
                expecting(append(id, &[&one]), &[(&one, Some(0))]),
                first.clone(),
                late(),
                new(other),
            ],
            vec![moved(0), put(4), put(5), Outcome::Known(there), moved(1), put(3)],
        ),
        // Nothing of it is new, and nothing stands against any of it.
        (vec![late(), first.clone()], vec![moved(1), Outcome::Known(there)]),
        (vec![new(other), new(id), new(other)], vec![put(4), put(6), put(5)]),
    ] {
        assert_eq!(log.store().commit(batch).await, answers);
    }
    assert_eq!((verified(&log, id).await.len(), verified(&log, other).await.len()), (7, 6));
}

async fn thirty_two_writers_of_one_fact_leave_one(log: Log) {
    let id = open(&log, 1).await;
    for round in 0..10 {
        let fact = stream("fact");
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let (log, append) = (log.clone(), expecting(append(id, &[&fact]), &[(&fact, None)]));
                tokio::spawn(async move { log.append(append).await })
            })
            .collect();
        let (mut won, mut moved) = (0, 0);
        for task in tasks {
            match task.await.unwrap() {
                Outcome::Committed(_) => won += 1,
                Outcome::Moved { version: Some(0), .. } => moved += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((won, moved), (1, 31), "round {round}");
    }
    assert_eq!(verified(&log, id).await.len(), 11);
}

async fn reads_during_writes_see_whole_appends(log: Log) {
    let id = open(&log, 1).await;
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                let one = stream("thing");
                for _ in 0..50 {
                    committed(&log, append(id, &[&one, &one, &one])).await;
                }
            })
        })
        .collect();
    let mut seen = 0;
    while seen < 601 {
        let records = log.read(id, 0, 10_000).await.unwrap();
        let last = Leaf::decode(&records.last().unwrap().leaf).unwrap();
        assert_eq!(last.index + 1, last.count, "a part of an append was visible");
        assert!(records.len() >= seen, "the ledger shrank");
        seen = records.len();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    verified(&log, id).await;
}

async fn a_follower_from_any_position_misses_nothing(log: Log) {
    let id = open(&log, 1).await;
    for _ in 0..10 {
        committed(&log, append(id, &[&stream("thing")])).await;
    }
    let followers: Vec<_> = [0, 5, 11]
        .map(|from| {
            let log = log.clone();
            tokio::spawn(async move {
                let (mut at, mut positions, mut changed) = (from, vec![], log.changed());
                while at < 41 {
                    let page = log.read(id, at, 4).await.unwrap();
                    if page.is_empty() {
                        changed.changed().await.unwrap();
                        continue;
                    }
                    at += page.len() as u64;
                    positions.extend(page.iter().map(|r| Leaf::decode(&r.leaf).unwrap().position));
                }
                assert!(positions.into_iter().eq(from..41));
            })
        })
        .into();
    for _ in 0..30 {
        committed(&log, append(id, &[&stream("thing")])).await;
    }
    for follower in followers {
        follower.await.unwrap();
    }
}

async fn a_poison_append_fails_alone(log: Log) {
    let id = open(&log, 1).await;
    let one = stream("thing");
    let good = || append(id, &[&one]);
    let with = |change: fn(&mut Append)| {
        let mut bad = good();
        change(&mut bad);
        bad
    };
    let batch = vec![
        good(),
        with(|a| a.cause = Some(3)),
        with(|a| a.append_id = Uuid::nil()),
        with(|a| a.actor.kind = 0),
        with(|a| a.time_us = 1 << 53),
        with(|a| a.drafts.clear()),
        with(|a| a.drafts[0].event_kind = "Thing happened".into()),
        with(|a| a.drafts[0].event_kind = "ledger.invented".into()),
        with(|a| a.drafts[0].sealed_epoch = None),
        with(|a| a.drafts[0].event_version = 0),
        with(|a| a.drafts[0].stream.kind = "no kind".into()),
        append(ledger(77), &[&one]),
        good(),
    ];
    let count = batch.len();
    let outcomes = log.store().commit(batch).await;
    assert_eq!(outcomes.len(), count);
    assert_eq!(outcomes[0], Outcome::Committed(Span { first: 1, last: 1 }));
    assert_eq!(outcomes[count - 1], Outcome::Committed(Span { first: 2, last: 2 }));
    for outcome in &outcomes[1..count - 1] {
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }
    // A signer that is not here refuses only its own ledger.
    let foreign = opened(ledger(5), &*signer(9));
    let outcomes = log.store().commit(vec![foreign, good()]).await;
    assert!(matches!(outcomes[0], Outcome::Refused(_)));
    assert_eq!(outcomes[1], Outcome::Committed(Span { first: 3, last: 3 }));
    assert_eq!(log.head(ledger(5)).await.unwrap(), None);
    verified(&log, id).await;
}

async fn limits_are_refused_before_the_queue(log: Log) {
    let id = open(&log, 1).await;
    let one = stream("thing");
    let most = append(id, &vec![&one; MAX_RECORDS]);
    assert_eq!(committed(&log, most).await.last, MAX_RECORDS as u64);
    assert!(matches!(log.append(append(id, &vec![&one; MAX_RECORDS + 1])).await, Outcome::Refused(_)));
    let mut longest = append(id, &[&one]);
    longest.drafts[0].body = vec![7; MAX_BODY];
    committed(&log, longest.clone()).await;
    longest.drafts[0].body.push(7);
    assert!(matches!(log.append(Append { append_id: fresh(), ..longest }).await, Outcome::Refused(_)));
    let mut heavy = append(id, &[&one; 14]);
    heavy.drafts.iter_mut().for_each(|d| d.body = vec![7; MAX_BODY]);
    assert!(matches!(log.append(heavy.clone()).await, Outcome::Refused(_)));
    heavy.drafts.truncate(13);
    // Two that fit alone but not together: two commits in one write, each within the limits.
    let outcomes = log.store().commit(vec![heavy.clone(), Append { append_id: fresh(), ..heavy }]).await;
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Committed(_))), "{outcomes:?}");
    let records = verified(&log, id).await;
    assert_eq!(records.iter().filter(|r| r.signature.is_some()).count(), 5);
}

async fn ten_thousand_ledgers_share_writes_and_nothing_else(log: Log) {
    let ids: Vec<_> = (0..10_000).map(ledger).collect();
    for some in ids.chunks(4_000) {
        let outcomes = log.store().commit(some.iter().map(|id| opened(*id, &*signer(1))).collect()).await;
        assert!(outcomes.iter().all(|o| *o == Outcome::Committed(Span { first: 0, last: 0 })));
    }
    let one = stream("thing");
    let tasks: Vec<_> = ids.iter().map(|id| (log.clone(), append(*id, &[&one]))).collect();
    let tasks: Vec<_> = tasks.into_iter().map(|(log, a)| tokio::spawn(async move { log.append(a).await })).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Outcome::Committed(Span { first: 1, last: 1 }));
    }
    for id in ids.iter().step_by(1_111) {
        assert_eq!(verified(&log, *id).await.len(), 2);
    }
    assert_eq!(log.ledgers().await.unwrap(), ids);
}

async fn two_writers_with_different_records_leave_one(log: Log) {
    let id = open(&log, 1).await;
    for round in 1..=10 {
        // The same fact, and in every other round also the same append id.
        let fact = stream("fact");
        let mut both = [(); 2].map(|()| expecting(append(id, &[&fact]), &[(&fact, None)]));
        both[1].append_id = if round % 2 == 0 { both[0].append_id } else { both[1].append_id };
        both[1].drafts[0].body = b"another".to_vec();
        let bodies = both.clone().map(|append| append.drafts[0].body.clone());
        let tasks = both.map(|append| {
            let store = log.store().clone();
            tokio::spawn(async move { store.commit(vec![append]).await.remove(0) })
        });
        let (mut won, mut lost) = (vec![], 0);
        for (task, body) in tasks.into_iter().zip(bodies) {
            match task.await.unwrap() {
                Outcome::Committed(span) => won.push((span, body)),
                Outcome::Known(span) if round % 2 == 0 => lost += span.first,
                Outcome::Moved { version: Some(0), .. } if round % 2 == 1 => lost += round,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((won.len(), lost), (1, round));
        let record = log.read(id, round, 1).await.unwrap().remove(0);
        assert_eq!((won[0].0.first, record.body.as_ref()), (round, Some(&won[0].1)));
    }
    assert_eq!(verified(&log, id).await.len(), 11);
}

async fn an_answer_that_was_lost_is_found_by_sending_again(log: Log) {
    let id = open(&log, 1).await;
    let one = stream("thing");
    for n in 0..60 {
        let append = append(id, &[&one, &one]);
        let (store, same) = (log.store().clone(), append.clone());
        let caller = tokio::spawn(async move { store.commit(vec![same]).await });
        tokio::time::sleep(Duration::from_micros(100 * n)).await;
        caller.abort();
        let expected = Span { first: 1 + 2 * n, last: 2 + 2 * n };
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match log.append(append.clone()).await {
                Outcome::Committed(span) | Outcome::Known(span) => break assert_eq!(span, expected),
                Outcome::Busy if Instant::now() < deadline => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(log.find_append(id, append.append_id).await.unwrap(), Some(expected));
    }
    assert_eq!(verified(&log, id).await.len(), 121);
}

async fn everything_is_there_after_a_restart(open_engine: Open) {
    let one = stream("thing");
    let mut appends = vec![];
    for round in 0..3_u64 {
        let store = open_engine().await;
        let gone = Arc::downgrade(&store);
        let log = Log::open(store);
        let id = if round == 0 { open(&log, 1).await } else { ledger(1) };
        for (append, span) in &appends {
            assert_eq!(log.append(Append::clone(append)).await, Outcome::Known(*span));
        }
        for _ in 0..5 {
            let expect = log.stream_version(id, &one).await.unwrap();
            let append = expecting(append(id, &[&one, &one]), &[(&one, expect)]);
            appends.push((append.clone(), committed(&log, append).await));
        }
        assert_eq!(verified(&log, id).await.len() as u64, 11 + 10 * round);
        // The engine is closed when nobody holds it any more.
        drop(log);
        while gone.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn a_closed_ledger_takes_nothing_more(log: Log) {
    let (id, other) = (open(&log, 1).await, open(&log, 2).await);
    let one = stream("thing");
    let outcomes = log
        .store()
        .commit(vec![append(id, &[&one]), clear(id, &Clear::Closed), append(id, &[&one]), append(other, &[&one])])
        .await;
    assert!(matches!(
        outcomes[..],
        [Outcome::Committed(_), Outcome::Committed(_), Outcome::Refused(_), Outcome::Committed(_)]
    ));
    assert_eq!(log.append(append(id, &[&one])).await, Outcome::Refused("the ledger is closed".into()));
    assert!(log.head(id).await.unwrap().unwrap().closed);
    assert_eq!(verified(&log, id).await.len(), 3);
}

async fn a_rotated_key_signs_what_follows(log: Log) {
    let id = open(&log, 1).await;
    let one = stream("thing");
    let rotated = clear(id, &Clear::KeyRotated { signer: signer(2).public() });
    let outcomes = log.store().commit(vec![append(id, &[&one]), rotated, append(id, &[&one])]).await;
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Committed(_))), "{outcomes:?}");
    assert_eq!(verified(&log, id).await.len(), 4);
    assert_eq!(log.head(id).await.unwrap().unwrap().signer, signer(2).public());
}

async fn heads_come_in_pages(log: Log) {
    for n in 0..25 {
        open(&log, n).await;
    }
    let (mut after, mut seen) = (None, vec![]);
    loop {
        let page = log.heads(after, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.ledger);
        seen.extend(page.iter().map(|head| head.ledger));
    }
    assert_eq!(seen, (0..25).map(ledger).collect::<Vec<_>>());
}

async fn tiles_are_kept_and_replaced(log: Log) {
    let id = open(&log, 1).await;
    let tile =
        |n: u8| keiin_eventlog::store::TileRow { level: 0, index: 3, hashes: vec![Hash([n; 32]); usize::from(n)] };
    assert_eq!(log.tile(id, 0, 3).await.unwrap(), None);
    log.store().put_tiles(id, vec![tile(1)]).await.unwrap();
    log.store().put_tiles(id, vec![tile(200)]).await.unwrap();
    assert_eq!(log.tile(id, 0, 3).await.unwrap(), Some(tile(200)));
    assert_eq!(log.tile(ledger(2), 0, 3).await.unwrap(), None);
}

async fn bodies_go_only_after_the_end(log: Log) {
    let (id, other) = (open(&log, 1).await, open(&log, 2).await);
    let one = stream("thing");
    for id in [id, other] {
        committed(&log, append(id, &[&one, &one])).await;
    }
    assert!(log.store().drop_bodies(id).await.is_err());
    committed(&log, clear(id, &Clear::Closed)).await;
    log.store().drop_bodies(id).await.unwrap();
    let bodies: Vec<_> = log.read(id, 0, 10).await.unwrap().iter().map(|r| r.body.is_some()).collect();
    assert_eq!(bodies, [true, false, false, true]);
    assert_eq!(verified(&log, other).await.len(), 3);
}
