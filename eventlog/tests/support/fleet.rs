//! Writers that never give up, what they were told, and a wire that can be cut.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use keiin_eventlog::log::Log;
use keiin_eventlog::record::Leaf;
use keiin_eventlog::store::{Outcome, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;

/// What a writer was told.
pub struct Acked {
    pub ledger: Uuid,
    pub append_id: Uuid,
    pub span: Span,
    pub at: Instant,
}

/// Writers on several nodes; each sends its append until it is acknowledged.
pub struct Fleet {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Vec<Acked>>>,
}

impl Fleet {
    /// `each` writers on every node, until [`Fleet::land`], or until each has written `most` appends.
    pub fn launch(nodes: &[Log], each: usize, ledgers: &[Uuid], most: usize) -> Fleet {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = vec![];
        for (n, log) in nodes.iter().flat_map(|log| vec![log; each]).enumerate() {
            let (log, stop, ledger) = (log.clone(), stop.clone(), ledgers[n % ledgers.len()]);
            writers.push(tokio::spawn(async move {
                let (one, mut acked) = (stream("thing"), vec![]);
                while acked.len() < most && !stop.load(Ordering::SeqCst) {
                    let append = append(ledger, &[&one, &one]);
                    while !stop.load(Ordering::SeqCst) {
                        match log.append(append.clone()).await {
                            Outcome::Committed(span) | Outcome::Known(span) => {
                                acked.push(Acked { ledger, append_id: append.append_id, span, at: Instant::now() });
                                break;
                            }
                            Outcome::Busy | Outcome::Unknown(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                            other => panic!("{other:?}"),
                        }
                    }
                }
                acked
            }));
        }
        Fleet { stop, writers }
    }

    /// Waits until every writer has written all it may.
    pub async fn finish(self) -> Vec<Acked> {
        let mut acked = vec![];
        for writer in self.writers {
            acked.extend(writer.await.unwrap());
        }
        acked
    }

    /// Ends the writers; an append that is not acknowledged yet stays so.
    pub async fn land(self) -> Vec<Acked> {
        self.stop.store(true, Ordering::SeqCst);
        self.finish().await
    }
}

/// Every acknowledged append is where its writer was told, nothing is there twice, nothing is missing in between.
pub async fn nothing_is_lost(log: &Log, ledgers: &[Uuid], acked: &[Acked]) {
    let mut found = HashMap::new();
    for ledger in ledgers {
        for record in verified(log, *ledger).await {
            let leaf = Leaf::decode(&record.leaf).unwrap();
            if leaf.index == 0 {
                let span = Span { first: leaf.position, last: leaf.position + u64::from(leaf.count) - 1 };
                assert_eq!(found.insert((*ledger, leaf.append_id), span), None, "written twice");
            }
        }
    }
    for Acked { ledger, append_id, span, .. } in acked {
        assert_eq!(found.get(&(*ledger, *append_id)), Some(span), "an acknowledged append is lost");
    }
}

/// What a wire does with the next `COMMIT` that passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// Nothing.
    Never = 0,
    /// It never arrives; both sides lose the connection.
    Before = 1,
    /// It arrives, its answer does not.
    After = 2,
}

/// A wire to a loopback port.
pub struct Wire {
    pub port: u16,
    cut: Arc<AtomicU8>,
    accepting: JoinHandle<()>,
}

impl Wire {
    pub async fn to(target: u16) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, cut) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU8::new(0)));
        let next = cut.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                let ((from, back), (answers, to)) = (client.into_split(), server.into_split());
                let answers = tokio::spawn(pass(answers, back));
                tokio::spawn(listen_for_commit(from, to, answers, next.clone()));
            }
        });
        Wire { port, cut, accepting }
    }

    /// Cuts at the next `COMMIT`, once.
    pub fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// Has it been cut since?
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst) == Cut::Never as u8
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

async fn listen_for_commit(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    answers: JoinHandle<()>,
    cut: Arc<AtomicU8>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        // A simple query is sent as one piece: Q, its length, its text, 0.
        let commits = buffer[..n].windows(8).any(|w| w == b"\0\0\x0bCOMMI");
        let now = if commits { cut.swap(Cut::Never as u8, Ordering::SeqCst) } else { Cut::Never as u8 };
        if now == Cut::Before as u8 {
            break;
        }
        if now == Cut::After as u8 {
            answers.abort();
        }
        if to.write_all(&buffer[..n]).await.is_err() || now == Cut::After as u8 {
            // The server shall have read it before the connection ends.
            tokio::time::sleep(Duration::from_millis(50)).await;
            break;
        }
    }
    answers.abort();
}
