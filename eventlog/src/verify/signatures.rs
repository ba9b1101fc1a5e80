//! Commit signatures, checked in bulk on all cores.
//!
//! Each is checked alone and strictly. Checking many in one equation would accept signatures that the strict rule
//! refuses: two readers could then disagree about one file. What checks under one key share is done once instead.

use std::thread;

use super::multiples::PreparedKey;
use crate::sign::{self, Commit, PublicKey};

const BULK: usize = 4_096;
/// Below this, preparing a key or starting threads costs more than it saves.
const WORTH_PREPARING: usize = 128;

/// One signature to check.
pub(super) struct Job {
    pub(super) commit: Commit,
    pub(super) signer: PublicKey,
    pub(super) signature: [u8; 64],
}

/// Signatures that wait, and the first false one.
#[derive(Default)]
pub(super) struct Signatures {
    waiting: Vec<Job>,
    // The key that was prepared last: one key signs many commits in a row.
    key: Option<PreparedKey>,
    checked: u64,
    first_false: Option<u64>,
}

impl Signatures {
    /// Adds one. Commits come in order, so a false one is known a bulk later at the latest.
    pub(super) fn add(&mut self, job: Job) {
        self.waiting.push(job);
        if self.waiting.len() >= BULK {
            self.check();
        }
    }

    /// Last position of the first commit whose signature does not hold, over all that were added.
    pub(super) fn first_false(&mut self) -> Option<u64> {
        self.check();
        self.first_false
    }

    /// Has one been found false so far?
    pub(super) fn is_refuted(&self) -> bool {
        self.first_false.is_some()
    }

    /// How many were checked.
    pub(super) fn checked(&self) -> u64 {
        self.checked
    }

    fn check(&mut self) {
        let mut jobs = std::mem::take(&mut self.waiting);
        self.checked += jobs.len() as u64;
        for of_one_signer in jobs.chunk_by(|a, b| a.signer == b.signer) {
            if self.first_false.is_none() {
                self.first_false = self.first_false_of(of_one_signer).map(|job| job.commit.last);
            }
        }
        jobs.clear();
        self.waiting = jobs;
    }

    fn first_false_of<'a>(&mut self, jobs: &'a [Job]) -> Option<&'a Job> {
        let signer = jobs[0].signer;
        if jobs.len() < WORTH_PREPARING {
            return jobs.iter().find(|job| !sign::verify(&signer, &job.commit.message(), &job.signature));
        }
        let key = self.key.take().filter(|key| key.public == signer).unwrap_or_else(|| PreparedKey::of(signer));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let found = thread::scope(|scope| {
            let parts = jobs.chunks(jobs.len().div_ceil(cores));
            let threads: Vec<_> = parts.map(|part| scope.spawn(|| key.first_false(part))).collect();
            // All are waited for; the parts are in order.
            let found: Vec<_> =
                threads.into_iter().map(|t| t.join().expect("checking a signature does not panic")).collect();
            found.into_iter().flatten().next()
        });
        self.key = Some(key);
        found
    }
}
