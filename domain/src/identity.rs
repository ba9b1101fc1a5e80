//! Making sure, outside of Keiin, that somebody is who they say they are (FM-28): who was called back, under a number that
//! the company knew before, by whom, and what came of it. The stream's id is the member's.
//!
//! What makes a create unique: the member; each call is an event.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::date::{DAY_US, parse_instant};
use crate::member::{Member, MemberStatus};
use crate::role::Permission;
use crate::sealed::{Personal, Sealed};
use crate::{codes, events, text};

/// A call is written down within this many days.
pub const DAYS_MAX: i64 = 7;

codes! {
    /// Where the number that was called comes from.
    NumberSource {
        /// The company's file of its people.
        PersonnelFile = 1 "personnel_file",
        /// A contract with them.
        Contract = 2 "contract",
        /// A public register, such as the bar association's.
        PublicRegister = 3 "public_register",
        /// Somebody who knows them in person.
        Colleague = 4 "colleague",
        /// Whoever asks to be let in again said it: never good enough.
        Caller = 5 "caller",
    }
}

codes! {
    /// What came of a call.
    CallResult {
        /// They were there and it is them who ask.
        Confirmed = 1 "confirmed",
        /// They were there and know nothing of it.
        Denied = 2 "denied",
        /// Nobody was there.
        NotReached = 3 "not_reached",
    }
}

/// What is personal about a call.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PhoneCall {
    /// The number, as it was dialled.
    pub number: String,
    /// What was asked and said.
    pub note: String,
}

impl Personal for PhoneCall {
    const CLASS: &'static str = "phone_call";
}

events! {
    /// What was done to make sure.
    IdentityEvent {
        VerifiedByPhone = "identity.verified_by_phone" v 1;
    }
}

/// Somebody was called. Who called is who acts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VerifiedByPhone {
    /// Which of the member's suspensions it is about, from 1.
    pub suspension: u32,
    /// Where the number comes from.
    pub number_source: NumberSource,
    /// Number and notes.
    pub call: Sealed<PhoneCall>,
    /// When it was, microseconds UTC.
    pub called_at_us: i64,
    /// What came of it.
    pub result: CallResult,
}

/// State: what was found out last.
#[derive(Debug, Default)]
pub struct Identity {
    /// The suspension that the last call was about, if the member confirmed in it that it is them.
    pub confirmed: Option<u32>,
}

impl Aggregate for Identity {
    type Event = IdentityEvent;
    const STREAM: &'static str = "identity";
    fn apply(&mut self, event: IdentityEvent) {
        let IdentityEvent::VerifiedByPhone(e) = event;
        self.confirmed = (e.result == CallResult::Confirmed).then_some(e.suspension);
    }
    #[cfg(test)]
    fn samples() -> Vec<IdentityEvent> {
        tests::samples()
    }
}

/// Writes down that a suspended member was called back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordPhoneCheck {
    /// Where the number comes from. What the caller says of themselves is refused.
    pub number_source: NumberSource,
    /// 6 to 20 digits; spaces, hyphens, parentheses and a leading + do not count.
    pub number: String,
    /// When, RFC 3339; within the last seven days.
    pub called_at: String,
    /// What came of it.
    pub result: CallResult,
    /// What was asked and said, at most 400 characters.
    #[serde(default)]
    pub note: String,
}

impl Command for RecordPhoneCheck {
    type On = (On<Member>, On<Identity>);
    const NAME: &'static str = "record_phone_check";
    const ROUTE: Route = Route::post("/v1/members/{id}/phone_checks");
    const PERMISSION: Permission = Permission("member.verify");
    const REJECTS: &'static [&'static str] = &[
        "member.unknown", "member.wrong_state", "identity.own", "identity.number_from_caller", "identity.bad_number",
        "identity.bad_time", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, target])
    }
    fn decide(self, (member, identity): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        member.status.ok_or(Rejection::new("member.unknown"))?;
        if ctx.member == Some(member.id) {
            return Err(Rejection::new("identity.own"));
        }
        if member.status != Some(MemberStatus::Suspended) {
            return Err(Rejection::new("member.wrong_state"));
        }
        if self.number_source == NumberSource::Caller {
            return Err(Rejection::at("identity.number_from_caller", "/number_source"));
        }
        let number = text::compatible(&self.number);
        let number = number.trim();
        let digits = number.chars().filter(char::is_ascii_digit).count();
        let plain = number.trim_start_matches('+').chars().all(|c| c.is_ascii_digit() || " -()".contains(c));
        if !plain || !(6..=20).contains(&digits) || number.len() > 40 {
            return Err(Rejection::at("identity.bad_number", "/number"));
        }
        let called_at_us = parse_instant(&self.called_at).ok_or(Rejection::at("identity.bad_time", "/called_at"))?;
        if called_at_us > ctx.now_us || called_at_us < ctx.now_us - DAYS_MAX * DAY_US {
            return Err(Rejection::at("identity.bad_time", "/called_at"));
        }
        let call = PhoneCall { number: number.to_owned(), note: text::prose(&self.note, "/note", 400)? };
        Ok(vec![identity.emit(VerifiedByPhone {
            suspension: member.suspensions,
            number_source: self.number_source,
            call: ctx.seal(member.id, &call),
            called_at_us,
            result: self.result,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::{Registered, ReinstateMember, SuspendMember};
    use crate::role::Role;
    use crate::testing::*;

    fn check() -> RecordPhoneCheck {
        RecordPhoneCheck {
            number_source: NumberSource::PersonnelFile,
            number: "０３ (1234)-5678".into(),
            called_at: "2026-11-02T08:30:00+09:00".into(),
            result: CallResult::Confirmed,
            note: "社員番号と入社日を確認".into(),
        }
    }

    fn anna() -> Scene {
        let anna = Registered { person: sealed(ANNA, &person("佐藤 杏奈", "")), role: Role::Member };
        scene().given::<Member>(ANNA, anna)
    }

    fn suspended(emergency: bool) -> Scene {
        anna().when(ANNA, SuspendMember { reason: "乗っ取りの疑い".into(), emergency }).accepted()
    }

    #[test]
    fn fm_28_who_was_called_under_which_number_is_written_down() {
        let call = PhoneCall { number: "03 (1234)-5678".into(), note: "社員番号と入社日を確認".into() };
        suspended(true).when(ANNA, check()).then([emit::<Identity>(
            ANNA,
            VerifiedByPhone {
                suspension: 1,
                number_source: NumberSource::PersonnelFile,
                call: sealed(ANNA, &call),
                called_at_us: us("2026-11-02T08:30:00+09:00"),
                result: CallResult::Confirmed,
            },
        )]);
    }

    #[test]
    fn fm_28_an_emergency_ends_only_after_a_call_that_confirmed() {
        let lift = || ReinstateMember {};
        let scene = suspended(true).when(ANNA, lift()).refused("identity.check_first");
        for result in [CallResult::NotReached, CallResult::Denied] {
            let tried = scene.clone().when(ANNA, RecordPhoneCheck { result, ..check() }).accepted();
            tried.when(ANNA, lift()).refused("identity.check_first");
        }
        // The last call counts: somebody may have been taken in by the first one.
        let denied = RecordPhoneCheck { result: CallResult::Denied, ..check() };
        let taken_in = scene.clone().when(ANNA, check()).accepted().when(ANNA, denied).accepted();
        taken_in.when(ANNA, lift()).refused("identity.check_first");
        let scene = scene.when(ANNA, check()).accepted().when(ANNA, lift()).accepted();
        // The call was about that suspension and not about the next one.
        let again = SuspendMember { reason: "再び".into(), emergency: true };
        scene.when(ANNA, again).accepted().when(ANNA, lift()).refused("identity.check_first");
        suspended(false).when(ANNA, lift()).accepted();
    }

    #[test]
    fn every_refusal() {
        scene().when(ANNA, check()).refused("member.unknown");
        anna().when(ANNA, check()).refused("member.wrong_state");
        let s = suspended(true).by_login(ANNA, SAMPLE_ID).when(ANNA, check()).refused("identity.own");
        let s = s.by(Role::Owner);
        let caller = RecordPhoneCheck { number_source: NumberSource::Caller, ..check() };
        let mut s = s.when(ANNA, caller).refused_at("identity.number_from_caller", "/number_source");
        for number in ["", "12345", "03-1234-567x", "tel:0312345678", "123456789012345678901"] {
            let command = RecordPhoneCheck { number: number.into(), ..check() };
            s = s.when(ANNA, command).refused_at("identity.bad_number", "/number");
        }
        for time in ["", "2026-11-02", "2026-11-02T09:00:01+09:00", "2026-10-26T08:59:59+09:00"] {
            let command = RecordPhoneCheck { called_at: time.into(), ..check() };
            s = s.when(ANNA, command).refused_at("identity.bad_time", "/called_at");
        }
        let s = s.when(ANNA, RecordPhoneCheck { note: "長".repeat(401), ..check() });
        let s = s.refused_at("text.too_long", "/note");
        let s = s.when(ANNA, RecordPhoneCheck { note: "a\u{202E}b".into(), ..check() });
        s.refused_at("text.control_character", "/note");
        covered::<RecordPhoneCheck>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<IdentityEvent> {
        let call = PhoneCall { number: "03-1234-5678".into(), note: "入社日を確認".into() };
        vec![
            VerifiedByPhone {
                suspension: 1,
                number_source: NumberSource::Contract,
                call: sealed(SAMPLE_ID, &call),
                called_at_us: SAMPLE_US,
                result: CallResult::Confirmed,
            }
            .into(),
        ]
    }
}
