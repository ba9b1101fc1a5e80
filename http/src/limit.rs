//! What is too much: rates per principal, per company, and per address for those without either (governor); and how much
//! of one company is worked on at once, so that a company that asks for a lot waits for itself and others do not wait for
//! it (RN-C44, FM-03). Keys are ours to make: no caller can invent new ones by writing headers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::config::Limits;
use crate::problem::Problem;

/// The counters of this process.
pub struct Limiter {
    requests: DefaultKeyedRateLimiter<String>,
    logins: DefaultKeyedRateLimiter<String>,
    companies: DefaultKeyedRateLimiter<Uuid>,
    commands_at_once: usize,
    cores: usize,
    turns: Mutex<HashMap<(Uuid, Work), Arc<Semaphore>>>,
    mails: DefaultKeyedRateLimiter<String>,
    sign_ups: DefaultKeyedRateLimiter<String>,
}

/// What is worked on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Work {
    /// Waits for the disk most of its time, and the more of them the fewer syncs each.
    Command,
    /// Takes a core while it runs: who calls, what a command decides, queries. Never wait for one turn within another.
    Core,
}

impl Limiter {
    /// Quotas from the settings; 0 counts as 1.
    pub fn new(limits: &Limits) -> Limiter {
        let some = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let a_minute = |n: u32| Quota::per_minute(some(n));
        Limiter {
            requests: DefaultKeyedRateLimiter::keyed(a_minute(limits.requests_a_minute)),
            logins: DefaultKeyedRateLimiter::keyed(a_minute(limits.logins_a_minute)),
            companies: DefaultKeyedRateLimiter::keyed(a_minute(limits.requests_a_minute_company)),
            commands_at_once: limits.commands_at_once_a_company.clamp(1, Semaphore::MAX_PERMITS),
            cores: match limits.cores_a_company {
                0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
                some => some.min(Semaphore::MAX_PERMITS),
            },
            turns: Mutex::default(),
            mails: DefaultKeyedRateLimiter::keyed(Quota::per_hour(some(limits.codes_an_hour))),
            sign_ups: DefaultKeyedRateLimiter::keyed(Quota::per_hour(some(limits.sign_ups_an_hour))),
        }
    }

    /// Any request of somebody in a company, counted for the company.
    pub fn company(&self, ledger: Uuid) -> Result<(), Problem> {
        check(&self.companies, ledger)
    }

    /// Waits until less of this company is being worked on than its limit. First come, first served; the turn ends when it
    /// is dropped.
    pub async fn turn(&self, ledger: Uuid, work: Work) -> Option<OwnedSemaphorePermit> {
        let at_once = match work {
            Work::Command => self.commands_at_once,
            Work::Core => self.cores,
        };
        let turns = {
            let mut all = self.turns.lock().unwrap_or_else(|e| e.into_inner());
            all.entry((ledger, work)).or_insert_with(|| Arc::new(Semaphore::new(at_once))).clone()
        };
        // It is never closed; if it were, nobody would have to wait.
        turns.acquire_owned().await.ok()
    }

    /// Any request of a principal or an address.
    pub fn request(&self, key: String) -> Result<(), Problem> {
        check(&self.requests, key)
    }

    /// A guess at a secret: logins, links, codes.
    pub fn guess(&self, key: String) -> Result<(), Problem> {
        check(&self.logins, key)
    }

    /// A mail to an address of somebody who may not have asked for it.
    pub fn mail(&self, address: String) -> Result<(), Problem> {
        check(&self.mails, address)
    }

    /// A sign-up, each of which may write to somebody else, from this source.
    pub fn sign_up(&self, ip: &str) -> Result<(), Problem> {
        check(&self.sign_ups, source(ip))
    }

    /// Forgets who has been quiet; called now and then.
    pub fn tidy(&self) {
        self.requests.retain_recent();
        self.logins.retain_recent();
        self.companies.retain_recent();
        let mut turns = self.turns.lock().unwrap_or_else(|e| e.into_inner());
        // Whoever has or waits for a turn holds the semaphore, too.
        turns.retain(|_, turns| Arc::strong_count(turns) > 1);
        self.mails.retain_recent();
        self.sign_ups.retain_recent();
    }
}

/// Who is behind an address as far as numbers tell: with IPv6 one household has 2^64 addresses.
fn source(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).to_string(),
        Ok(ip) => ip.to_string(),
        Err(_) => ip.to_owned(),
    }
}

fn check<K: Clone + std::hash::Hash + Eq>(limiter: &DefaultKeyedRateLimiter<K>, key: K) -> Result<(), Problem> {
    limiter.check_key(&key).map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now());
        Problem { retry_after: Some(wait.as_secs() + 1), ..Problem::new("request.too_many") }
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_source_is_an_address_or_an_ipv6_network() {
        let same = |a, b| source(a) == source(b);
        assert!(same("2001:db8:1:2::7", "2001:db8:1:2:ffff::8") && !same("2001:db8:1:2::7", "2001:db8:1:3::7"));
        assert!(same("203.0.113.7", "::ffff:203.0.113.7") && !same("203.0.113.7", "203.0.113.8"));
    }

    #[tokio::test]
    async fn rn_c44_a_company_waits_for_itself_and_not_for_another() {
        let limiter =
            Limiter::new(&Limits { commands_at_once_a_company: 2, requests_a_minute_company: 3, ..Limits::default() });
        let [noisy, quiet] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let (first, _second) = (limiter.turn(noisy, Work::Command).await, limiter.turn(noisy, Work::Command).await);
        let third = limiter.turn(noisy, Work::Command);
        tokio::pin!(third);
        assert!(third.as_mut().now_or_never().is_none(), "both turns are taken");
        assert!(limiter.turn(quiet, Work::Command).now_or_never().is_some());
        limiter.tidy();
        drop(first);
        assert!(third.as_mut().now_or_never().is_some(), "the same turns, tidied or not");

        let codes: Vec<_> =
            (0..4).map(|_| limiter.company(noisy).map_err(|p| (p.code, p.retry_after.is_some()))).collect();
        assert_eq!(codes, [Ok(()), Ok(()), Ok(()), Err(("request.too_many", true))]);
        assert!(limiter.company(quiet).is_ok());
    }
}
