//! How appends of one ledger become commits in its stream, and what their callers are told.

use std::collections::HashMap;
use std::convert::Infallible;

use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::cluster::{Prepared, lock, unavailable};
use super::{Inner, Unsettled};
use crate::record::Stream;
use crate::store::plan::{View, plan};
use crate::store::{Append, Head, Outcome, Read, Span, StoreError};

/// What the mirror shows of one ledger. The head is read first: whatever is newer than it makes the commit fail at its
/// expected revision.
struct Seen {
    head: Option<Head>,
    appends: HashMap<Uuid, Span>,
    versions: HashMap<Stream, Option<u64>>,
}

impl View for Seen {
    type Error = Infallible;

    fn head(&mut self, _: Uuid) -> Result<Option<Head>, Infallible> {
        Ok(self.head.clone())
    }

    fn find_append(&mut self, _: Uuid, append_id: Uuid) -> Result<Read<Option<Span>>, Infallible> {
        Ok(Ok(self.appends.get(&append_id).copied()))
    }

    fn version(&mut self, _: Uuid, stream: &Stream) -> Result<Option<u64>, Infallible> {
        Ok(self.versions.get(stream).copied().flatten())
    }
}

impl Inner {
    async fn look(&self, ledger: Uuid, appends: &[Append]) -> Read<Seen> {
        let head = self.mirror.head(ledger).await?;
        let mut seen = Seen { head, appends: HashMap::new(), versions: HashMap::new() };
        for append in appends {
            if let Some(span) = self.mirror.find_append(ledger, append.append_id).await? {
                seen.appends.insert(append.append_id, span);
                continue;
            }
            let read = append.expect.iter().map(|e| &e.stream);
            for stream in read.chain(append.drafts.iter().map(|d| &d.stream)) {
                if !seen.versions.contains_key(stream) {
                    let version = self.mirror.stream_version(ledger, stream.clone()).await?;
                    seen.versions.insert(stream.clone(), version);
                }
            }
        }
        Ok(seen)
    }

    /// The appends of one ledger, in their order.
    pub(super) async fn write(&self, ledger: Uuid, appends: Vec<Append>, deadline: Instant) -> Vec<Outcome> {
        let mut work = Work { outcomes: vec![None; appends.len()], places: (0..appends.len()).collect(), appends };
        let under_way = lock(&self.ledgers).entry(ledger).or_default().clone();
        let instead = match timeout_at(deadline, under_way.lock()).await {
            Ok(mut under_way) => match self.write_all(ledger, &mut work, &mut under_way, deadline).await {
                Ok(()) => Outcome::Unknown("an append without an outcome".to_owned()),
                Err(Unsettled::Never(reason)) => Outcome::Refused(format!("the cluster: {reason}")),
                Err(Unsettled::Unknown(reason)) => Outcome::Unknown(reason),
            },
            Err(_) => Outcome::Unknown("the ledger's last commit is not settled yet".to_owned()),
        };
        work.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| instead.clone())).collect()
    }

    async fn write_all(
        &self,
        ledger: Uuid,
        work: &mut Work,
        under_way: &mut Option<Prepared>,
        deadline: Instant,
    ) -> Result<(), Unsettled> {
        let unknown = |error: StoreError| Unsettled::Unknown(error.to_string());
        let mut fresh = under_way.is_some();
        // What an earlier call has left comes first, with its own bytes.
        self.settle_in(ledger, under_way, deadline).await?;
        while !work.appends.is_empty() {
            let mut seen = self.look(ledger, &work.appends).await.map_err(unknown)?;
            let Ok(plan) = plan(&mut seen, &work.appends, &*self.signers);
            let certain = |outcome: &Outcome| matches!(outcome, Outcome::Committed(_) | Outcome::Known(_));
            if !fresh && !plan.outcomes.iter().all(certain) {
                // A mirror that lags may refuse; it must not have the last word.
                let caught_up = timeout_at(deadline, self.catch_up(ledger)).await;
                caught_up.unwrap_or_else(|_| Err(unavailable("no answer"))).map_err(unknown)?;
                fresh = true;
                continue;
            }
            let Some(commit) = plan.commits.first() else {
                work.decided(&plan.outcomes, u64::MAX);
                return Ok(());
            };
            let head = seen.head.unwrap_or_else(|| Head::empty(ledger));
            if let Err(error) = self.check(&head, commit.records.clone()).await {
                // Every mirror would refuse it, and the ledger would end there. Only a key record can be so.
                let refused = Outcome::Refused(error.to_string());
                let ours = |span: &Span| (head.size..commit.head.size).contains(&span.first);
                let told = plan.outcomes.iter().map(|outcome| match outcome {
                    Outcome::Committed(span) | Outcome::Known(span) if ours(span) => refused.clone(),
                    outcome => outcome.clone(),
                });
                work.decided(&told.collect::<Vec<_>>(), commit.head.size);
                continue;
            }
            if Instant::now() >= deadline {
                return Err(Unsettled::Unknown(unavailable("no answer in time; this was not sent").to_string()));
            }
            *under_way = Some(Prepared::new(commit));
            if self.settle_in(ledger, under_way, deadline).await? {
                work.decided(&plan.outcomes, commit.head.size);
            }
            fresh = true;
        }
        Ok(())
    }

    /// Settles what is under way; it stays there only while it is not known.
    async fn settle_in(
        &self,
        ledger: Uuid,
        under_way: &mut Option<Prepared>,
        deadline: Instant,
    ) -> Result<bool, Unsettled> {
        let Some(commit) = under_way else { return Ok(false) };
        let settled = self.settle(ledger, commit, deadline).await;
        if !matches!(settled, Err(Unsettled::Unknown(_))) {
            *under_way = None;
        }
        settled
    }
}

/// Appends of one ledger that have no outcome yet, and those that have.
struct Work {
    outcomes: Vec<Option<Outcome>>,
    places: Vec<usize>,
    appends: Vec<Append>,
}

impl Work {
    /// Takes over what a plan says, up to the size that was written.
    fn decided(&mut self, outcomes: &[Outcome], size: u64) {
        let stays = |outcome: &Outcome| match outcome {
            Outcome::Committed(span) | Outcome::Known(span) => span.last >= size,
            _ => false,
        };
        let stay: Vec<bool> = outcomes.iter().map(stays).collect();
        for (at, outcome) in outcomes.iter().enumerate().filter(|(at, _)| !stay[*at]) {
            self.outcomes[self.places[at]] = Some(outcome.clone());
        }
        let mut keep = stay.iter();
        self.places.retain(|_| *keep.next().unwrap_or(&false));
        let mut keep = stay.iter();
        self.appends.retain(|_| *keep.next().unwrap_or(&false));
    }
}
