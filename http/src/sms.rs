//! Codes by SMS (RN-23): made here, sent by a [`provider`], typed where they were asked for.
//!
//! Invariants:
//! * A code belongs to the secret of the login or session that asked for it: it is found by that, and its hash cannot be tried
//!   out without it. For another login it is no code at all.
//! * It is good once, for five minutes and five tries; a newer one takes its place. Whether it was used, the ledger says.
//! * How many were sent is counted before one is: a member's, those to a number, whoever asks, and a company's.

pub mod api;
pub mod pages;
pub mod provider;

use std::sync::{Mutex, PoisonError};

use keiin_domain::command::{Command, On};
use keiin_domain::date::instant;
use keiin_domain::factor::phone::{SendCode, UsePhone, e164, masked};
use keiin_domain::factor::{Factor, digits};
use keiin_domain::security::Security;
use keiin_eventlog::vault::Entry;
use keiin_projections::fact::Opener;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{App, ROOT};
use crate::execute::{Call, execute};
use crate::locale::Lang;
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::random;
use crate::session::TenantMember;

/// Entry kind of codes for somebody who has a phone; found by the hash of the login's secret.
const CODE: &str = "sms_code";
/// Entry kind of codes for a phone that is to be enrolled.
const CODE_NEW: &str = "sms_code_new";
/// Entry kind of what was sent: in the company under its member, and in the root ledger under the number's fingerprint.
const SENT: &str = "sms_sent";
/// How long a code is good.
const LIFE_US: i64 = 5 * 60 * 1_000_000;
/// Wrong tries that end one.
const TRIES: u8 = 5;
/// How long after one the next can be asked for in the same place.
const WAIT_US: i64 = 30 * 1_000_000;
/// Codes in an hour to one member, and to one number: one, and three more.
const AN_HOUR: usize = 4;
const HOUR_US: i64 = 3_600 * 1_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// What the vault keeps of a code.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Its name in the ledger.
    id: Uuid,
    /// Of the secret and the code.
    hash: [u8; 32],
    wrong: u8,
    /// Where it was sent to, if that is to be enrolled.
    number: String,
}

/// Whose code it is to be.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Who.
    pub who: TenantMember,
    /// Of the login or session.
    pub secret: &'a str,
    /// The number of a phone that is to be enrolled; `None` = theirs.
    pub new: Option<&'a str>,
    /// Language of the message.
    pub lang: Lang,
}

impl Asked<'_> {
    fn kind(&self) -> &'static str {
        if self.new.is_some() { CODE_NEW } else { CODE }
    }
}

/// Sends a code, and answers where it went (masked), how long it is good, and when another can be asked for.
pub async fn send(app: &App, asked: Asked<'_>, call: &Call) -> Result<Value, Problem> {
    let who = asked.who;
    let provider = app.sms.as_ref().ok_or_else(|| Problem::new("factor.sms_off"))?;
    let factor: On<Factor> = principal::load(app, who.ledger, who.member).await?;
    let security: On<Security> = principal::load(app, who.ledger, who.ledger).await?;
    factor.may_text(&security, asked.new.is_some())?;
    let keys = Opener { vault: &app.vault, ledger: who.ledger };
    let number = match (asked.new, &factor.phone) {
        (Some(typed), _) => e164(typed).ok_or_else(|| Problem::at("factor.bad_phone", "/number"))?,
        (None, Some(phone)) => phone.number.open(&keys).ok_or_else(|| Problem::new("factor.no_phone"))?.number,
        (None, None) => return Err(Problem::new("factor.no_phone")),
    };
    count(app, asked, &number, call.now_us)?;
    let (code, id) = (random::digits(6), random::id_at(call.now_us));
    let text = app.texts.get(asked.lang, "sms-text", &[("code", &code)]);
    // The last line lets a browser fill the code in on our page and nowhere else (WebOTP, origin-bound one-time codes).
    let sent = provider.send(&number, &format!("{text}\n\n@{} #{code}", host(app))).await;
    let allowed = Principal::system(who.ledger).allow::<SendCode>()?;
    let (new, taken_over) = (asked.new.is_some(), sent.is_ok());
    let command = SendCode { member_id: who.member, code_id: id, new, taken_over };
    execute(app, &allowed, command, &plain(call)).await?;
    if let Err(trouble) = sent {
        tracing::error!(%trouble, "a code by SMS could not be sent");
        return Err(Problem::new("access.sms_failed"));
    }
    let hash = random::hash(&format!("{} {code}", asked.secret));
    let kept = Kept { id, hash, wrong: 0, number: if new { number.clone() } else { String::new() } };
    let expires_us = call.now_us + LIFE_US;
    app.vault.put(&[Entry {
        kind: asked.kind().into(),
        lookup: random::hash(asked.secret).to_vec(),
        ledger: who.ledger,
        owner: who.member,
        value: serde_json::to_vec(&kept).map_err(Problem::failed)?,
        created_us: call.now_us,
        expires_us: Some(expires_us),
    }])?;
    let next_us = call.now_us + WAIT_US;
    Ok(json!({ "to": masked(&number), "expires_at": instant(expires_us), "next_at": instant(next_us) }))
}

/// The name under which browsers know us.
fn host(app: &App) -> String {
    let url = reqwest::Url::parse(&app.public_url()).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Counts a code that is to be sent, or says when one can be.
fn count(app: &App, asked: Asked<'_>, number: &str, now_us: i64) -> Result<(), Problem> {
    // One after the other, so that of many at once no more than the limit pass in this process.
    static ONE: Mutex<()> = Mutex::new(());
    let _turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let TenantMember { ledger, member, .. } = asked.who;
    if let Some(last) = app.vault.get(asked.kind(), &random::hash(asked.secret))? {
        until(last.created_us + WAIT_US, now_us, WAIT_US)?;
    }
    let places = [(ledger, member), (ROOT, app.vault.fingerprint(ROOT, "phone", number)?)];
    for (ledger, owner) in places {
        full(&app.vault.list(SENT, ledger, Some(owner))?, AN_HOUR, HOUR_US, now_us)?;
    }
    full(&app.vault.list(SENT, ledger, None)?, app.config.sms.a_day_company as usize, DAY_US, now_us)?;
    let entry = |(ledger, owner)| Entry {
        kind: SENT.into(),
        lookup: random::bytes::<16>().to_vec(),
        ledger,
        owner,
        value: vec![],
        created_us: now_us,
        expires_us: Some(now_us + DAY_US),
    };
    Ok(app.vault.put(&places.map(entry))?)
}

/// Refuses while the last `most` of these, oldest first, are all younger than `span_us`.
fn full(sent: &[Entry], most: usize, span_us: i64, now_us: i64) -> Result<(), Problem> {
    let oldest = sent.len().checked_sub(most).and_then(|at| sent.get(at));
    oldest.map_or(Ok(()), |entry| until(entry.created_us + span_us, now_us, span_us))
}

fn until(then_us: i64, now_us: i64, longest_us: i64) -> Result<(), Problem> {
    if now_us >= then_us {
        return Ok(());
    }
    // A clock that stepped back makes nobody wait longer.
    let seconds = ((then_us - now_us).min(longest_us) + 999_999) / 1_000_000;
    Err(Problem { retry_after: u64::try_from(seconds).ok(), ..Problem::new("access.sms_limit") })
}

/// The code that was sent there, if this is it; it is taken out. Two guesses at the same time count as two.
fn take(app: &App, asked: Asked<'_>, typed: &str, now_us: i64) -> Result<Option<Kept>, Problem> {
    let code = digits(typed);
    if code.len() != 6 {
        return Ok(None);
    }
    let Some(entry) = app.vault.take(asked.kind(), &random::hash(asked.secret))? else { return Ok(None) };
    let mut kept: Kept = serde_json::from_slice(&entry.value).map_err(Problem::failed)?;
    if (entry.ledger, entry.owner) != (asked.who.ledger, asked.who.member)
        || entry.expires_us.is_none_or(|at| now_us >= at)
    {
        return Ok(None);
    }
    if kept.hash == random::hash(&format!("{} {code}", asked.secret)) {
        return Ok(Some(kept));
    }
    kept.wrong += 1;
    if kept.wrong < TRIES {
        let value = serde_json::to_vec(&kept).map_err(Problem::failed)?;
        app.vault.put(&[Entry { value, ..entry }])?;
    }
    Ok(None)
}

/// Is this the code that was sent to the phone of whoever logs in or confirms? Then it is used up, in the ledger as well.
pub async fn is_used(app: &App, who: TenantMember, secret: &str, typed: &str, call: &Call) -> Result<bool, Problem> {
    let asked = Asked { who, secret, new: None, lang: Lang::En };
    let Some(kept) = take(app, asked, typed, call.now_us)? else { return Ok(false) };
    let allowed = Principal::system(who.ledger).allow::<UsePhone>()?;
    let command = UsePhone { member_id: who.member, code_id: kept.id };
    match execute(app, &allowed, command, &plain(call)).await {
        Ok(_) => Ok(true),
        Err(problem) if UsePhone::REJECTS.contains(&problem.code) => Ok(false),
        Err(problem) => Err(problem),
    }
}

fn plain(call: &Call) -> Call {
    Call { key: None, if_match: None, target: None, ..call.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rn_23_the_next_one_waits_until_the_oldest_that_counts_is_old_enough() {
        let at = |created_us| Entry {
            kind: SENT.into(),
            lookup: vec![],
            ledger: ROOT,
            owner: ROOT,
            value: vec![],
            created_us,
            expires_us: None,
        };
        let wait = |sent: &[i64], now_us| {
            let sent: Vec<Entry> = sent.iter().map(|created_us| at(*created_us)).collect();
            full(&sent, 2, 10_000_000, now_us).err().map(|problem| (problem.code, problem.retry_after))
        };
        assert_eq!((wait(&[], 0), wait(&[0], 1)), (None, None));
        assert_eq!(wait(&[0, 1_000_000], 1_500_000), Some(("access.sms_limit", Some(9))));
        assert_eq!(wait(&[0, 1_000_000], 10_000_000), None);
        assert_eq!(wait(&[0, 1_000_000, 10_000_000], 10_500_000), Some(("access.sms_limit", Some(1))));
        assert_eq!(
            wait(&[90_000_000, 90_000_000], 0),
            Some(("access.sms_limit", Some(10))),
            "a clock that stepped back"
        );
    }
}
