//! Guesses at passwords and codes, one after the other (ASVS 6.3.1; NIST SP 800-63B-4, 3.2.2: at most 100 in a row).
//!
//! Counted by what was typed, whether anybody has that address or not, so that neither answer nor time tells. After a few
//! wrong ones the next must wait, each time twice as long; after a hundred there is no next, until a new password or another
//! second factor. A guess counts before it is looked at; a right one takes all of them away. Several at the same instant may
//! pass the last limit by a few: each node lets [`crate::config::Limits::logins_a_minute`] of them through at most.

use keiin_domain::text;
use keiin_eventlog::vault::Entry;
use uuid::Uuid;

use crate::app::{App, ROOT};
use crate::execute::Call;
use crate::problem::Problem;
use crate::session::TenantMember;
use crate::{device, random};

/// Entry kind of a guess.
const GUESS: &str = "guess";
/// Wrong ones after which nobody waits yet.
pub const FREE: usize = 5;
/// Wrong ones after which there is no next.
pub const MOST: usize = 100;
/// The longest wait, seconds.
pub const LONGEST_S: i64 = 15 * 60;
/// A guess is forgotten after this time.
const REMEMBERED_US: i64 = 90 * 24 * 3_600 * 1_000_000;

/// What is guessed at.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    ledger: Uuid,
    owner: Uuid,
}

impl Target {
    /// The password of whoever has this address, in any company.
    pub fn password(app: &App, email: &str) -> Result<Target, Problem> {
        let email = text::email(email).unwrap_or_default();
        Ok(Target { ledger: ROOT, owner: app.vault.fingerprint(ROOT, "login", &email)? })
    }

    /// What a member is asked for beyond the login's password: the code of a second factor, a confirmation.
    pub fn proof(ledger: Uuid, member: Uuid) -> Target {
        Target { ledger, owner: member }
    }

    /// Counts a guess, or refuses to look at it: `request.too_many` with the seconds to wait, or `access.locked`.
    pub fn guess(self, app: &App, now_us: i64) -> Result<(), Problem> {
        let guesses = app.vault.list(GUESS, self.ledger, Some(self.owner))?;
        let last_us = guesses.last().map_or(0, |guess| guess.created_us);
        if guesses.len() >= MOST {
            return Err(Problem::new("access.locked"));
        }
        let left_us = (last_us + wait_s(guesses.len()) * 1_000_000).saturating_sub(now_us);
        if left_us > 0 {
            // A clock that stepped back makes nobody wait longer.
            let seconds = ((left_us + 999_999) / 1_000_000).min(wait_s(guesses.len()));
            return Err(Problem { retry_after: u64::try_from(seconds).ok(), ..Problem::new("request.too_many") });
        }
        let Target { ledger, owner } = self;
        let (lookup, expires_us) = (random::bytes::<16>().to_vec(), Some(now_us + REMEMBERED_US));
        let guess = Entry { kind: GUESS.into(), lookup, ledger, owner, value: vec![], created_us: now_us, expires_us };
        Ok(app.vault.put(&[guess])?)
    }

    /// The guess was right, or there is something new to guess at.
    pub fn forget(self, app: &App) -> Result<(), Problem> {
        app.vault.delete_owned(self.ledger, self.owner, GUESS)?;
        Ok(())
    }
}

/// Counts a guess at a password. A device by which its member has logged in before has a count of its own, so that nobody is
/// kept out of their own browser by guesses from elsewhere (OWASP, device cookies); used up, it is one like any other.
pub fn guess_password(app: &App, email: &str, whose: &[TenantMember], call: &Call) -> Result<Target, Problem> {
    for who in whose {
        let Some(device) = device::known(app, *who, call)? else { continue };
        let own = Target { ledger: who.ledger, owner: device };
        if own.guess(app, call.now_us).is_ok() {
            return Ok(own);
        }
    }
    let anybodys = Target::password(app, email)?;
    anybodys.guess(app, call.now_us)?;
    Ok(anybodys)
}

/// Seconds from one guess to the next, after this many wrong ones.
fn wait_s(wrong: usize) -> i64 {
    match wrong.checked_sub(FREE) {
        None => 0,
        Some(more) => (1i64 << more.min(20)).min(LONGEST_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_the_sixth_on_up_to_a_quarter_of_an_hour() {
        let waits: Vec<i64> = [0, 4, 5, 6, 7, 14, 15, 99].into_iter().map(wait_s).collect();
        assert_eq!(waits, [0, 0, 1, 2, 4, 512, 900, 900]);
    }
}
