//! Rate limits per principal, and per address for those without one (governor). Keys are ours to make: no caller can
//! invent new ones by writing headers.

use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::config::Limits;
use crate::problem::Problem;

/// The counters of this process.
pub struct Limiter {
    requests: DefaultKeyedRateLimiter<String>,
    logins: DefaultKeyedRateLimiter<String>,
}

impl Limiter {
    /// Quotas from the settings; 0 counts as 1.
    pub fn new(limits: &Limits) -> Limiter {
        let a_minute = |n: u32| Quota::per_minute(NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
        Limiter {
            requests: DefaultKeyedRateLimiter::keyed(a_minute(limits.requests_a_minute)),
            logins: DefaultKeyedRateLimiter::keyed(a_minute(limits.logins_a_minute)),
        }
    }

    /// Any request of a principal or an address.
    pub fn request(&self, key: String) -> Result<(), Problem> {
        check(&self.requests, key)
    }

    /// A guess at a secret: logins, links, codes.
    pub fn guess(&self, key: String) -> Result<(), Problem> {
        check(&self.logins, key)
    }

    /// Forgets who has been quiet; called now and then.
    pub fn tidy(&self) {
        self.requests.retain_recent();
        self.logins.retain_recent();
    }
}

fn check(limiter: &DefaultKeyedRateLimiter<String>, key: String) -> Result<(), Problem> {
    limiter.check_key(&key).map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now());
        Problem { retry_after: Some(wait.as_secs() + 1), ..Problem::new("request.too_many") }
    })
}
