//! Commits that were chained and signed elsewhere: a ledger that moves here.

use std::time::Duration;

use tokio::time::Instant;

use super::PostgresStore;
use super::session::{ANSWER, Session};
use super::write::distinct;
use crate::chain::{Commit, Head};
use crate::store::mirror::Receive;
use crate::store::{Pending, Read, StoreError};

/// How long another node's write to the ledger is waited for.
const PATIENCE: Duration = Duration::from_millis(1_000);

impl Receive for PostgresStore {
    fn apply(&self, commits: Vec<Commit>) -> Pending<'_, Read<()>> {
        Box::pin(async move {
            if commits.is_empty() {
                return Ok(());
            }
            let ledgers = distinct(commits.iter().map(|commit| commit.head.ledger));
            let mut session =
                Session::writing(&self.pool, &self.room, &ledgers, PATIENCE, Instant::now() + ANSWER).await?;
            session.take_time();
            session.make_heads(&ledgers).await?;
            let mut heads = session.lock(&ledgers).await?;
            let mut new = vec![];
            for commit in commits {
                let (ledger, first) = (commit.head.ledger, commit.head.size - commit.records.len() as u64);
                let head = heads.entry(ledger).or_insert_with(|| Head::empty(ledger));
                if commit.head.size <= head.size {
                    continue;
                }
                if first != head.size || commit.leaves[0].prev != head.last {
                    let reason = "the commit does not follow what is here".to_owned();
                    return Err(StoreError::Damaged { ledger, position: first, reason });
                }
                *head = commit.head.clone();
                new.push(commit);
            }
            if new.is_empty() {
                return Ok(session.roll_back().await?);
            }
            session.insert(&new).await?;
            session.commit().await?;
            self.wake();
            Ok(())
        })
    }
}
