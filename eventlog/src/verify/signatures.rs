//! Commit signatures, checked in bulk on all cores.
//!
//! Each is checked alone and strictly. Checking many in one equation would be three times as fast, and would accept
//! signatures that the strict rule refuses: two readers could then disagree about one file.

use std::thread;

use crate::sign::{Commit, PublicKey, Verifier};

const BULK: usize = 4_096;
/// Below this, a thread costs more than it saves.
const WORTH_A_THREAD: usize = 64;

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
        let jobs = std::mem::take(&mut self.waiting);
        self.checked += jobs.len() as u64;
        let cores =
            if jobs.len() < WORTH_A_THREAD { 1 } else { thread::available_parallelism().map_or(1, usize::from) };
        let found = if cores == 1 {
            first_false(&jobs)
        } else {
            thread::scope(|scope| {
                let parts = jobs.chunks(jobs.len().div_ceil(cores));
                let threads: Vec<_> = parts.map(|part| scope.spawn(|| first_false(part))).collect();
                threads.into_iter().filter_map(|t| t.join().expect("checking a signature does not panic")).min()
            })
        };
        self.first_false = self.first_false.or(found);
        self.waiting = jobs;
        self.waiting.clear();
    }
}

fn first_false(jobs: &[Job]) -> Option<u64> {
    // Reading a key costs a tenth of a check, and one key signs many commits in a row.
    let of_one_signer = jobs.chunk_by(|a, b| a.signer == b.signer);
    let found = of_one_signer.filter_map(|jobs| {
        let verifier = Verifier::of(&jobs[0].signer);
        jobs.iter().find(|job| !verifier.holds(&job.commit.message(), &job.signature))
    });
    found.map(|job| job.commit.last).next()
}
