//! What visitors do at a kiosk: come, leave, write themselves down.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ASK_RECEPTION, CheckedIn, EARLY_US, NOT_SCREENED, PASSCODE_DIGITS, Visit, WalkedIn, is_passcode, plain,
    refuse_named,
};
use crate::blocklist::Blocklist;
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::kiosk::Kiosk;
use crate::member::{Member, MemberStatus};
use crate::reception::{Answers, Asked, Field, GivenAnswer, PEOPLE_MAX, Reception};
use crate::role::{Permission, Role};
use crate::sealed::{Person, Sealed};
use crate::text;

/// The visit behind a code of this company.
pub fn visit_of(code: &str, ctx: &mut Context) -> Option<Uuid> {
    let code = plain(code);
    ctx.world.owner_of(if is_passcode(&code) { "passcode" } else { "pas" }, &code)
}

/// Streams of a command that a kiosk sends with a code: the visit behind the code, the kiosk, the reception.
fn behind_code(code: &str, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
    let visit = visit_of(code, ctx).ok_or(Rejection::at("visit.unknown_code", "/code"))?;
    Ok(vec![visit, ctx.actor.id, ctx.tenant])
}

fn sealed(subject: Uuid, answers: Option<Answers>, ctx: &mut Context) -> Option<Sealed<Answers>> {
    answers.map(|answers| ctx.seal(subject, &answers))
}

/// Checks a visitor in at a kiosk of the visit's location: from 30 minutes before the start to the end of the last day.
/// Sent with the code alone it says what the reception asks, once the code was found good.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckIn {
    /// What the QR code says, or the eight digits.
    pub code: String,
    /// To what the reception asks of whoever was expected.
    #[serde(default)]
    pub answers: Vec<GivenAnswer>,
    /// The `hash` of the text that the visitor agreed to, where the reception asks for that.
    #[serde(default)]
    pub consent: String,
}

impl Command for CheckIn {
    type On = (On<Visit>, On<Kiosk>, On<Reception>, On<Blocklist>);
    const NAME: &'static str = "check_in";
    const ROUTE: Route = Route::post("/v1/kiosk/check_in");
    const PERMISSION: Permission = Permission("kiosk.check_in");
    const REJECTS: &'static [&'static str] = &[
        "kiosk.unknown", "kiosk.revoked", "visit.unknown_code", "visit.code_replaced", "visit.cancelled",
        "visit.too_early", "visit.not_now", "visit.expired", "visit.already_checked_in", "visit.already_checked_out",
        "visit.ask_reception", "visit.not_screened", "reception.unknown_question", "reception.answer_required",
        "reception.bad_answer", "reception.consent_required", "reception.consent_changed", "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let tenant = ctx.tenant;
        behind_code(&self.code, ctx).map(|ids| ids.into_iter().chain([tenant]).collect())
    }
    fn decide(self, (visit, kiosk, reception, list): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.accept(&self.code, kiosk, ctx)?;
        let came = visit.enter(Some(EARLY_US), ctx)?;
        visit.must_be_clear(list, ctx)?;
        let answers = reception.answers(Asked::CheckIn, &self.answers)?;
        let consent = reception.agreed(&self.consent)?;
        let answers = sealed(visit.visitor_subject, answers, ctx);
        Ok(vec![visit.emit(CheckedIn { answers, consent, ..came })])
    }
    fn turned_away(&self, (visit, _, _, list): &Self::On, why: &Rejection, ctx: &mut Context) -> Vec<Emit> {
        visit.sent_to_reception(list, why, ctx)
    }
}

/// Checks a visitor out at a kiosk, with the code they came in with.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckOut {
    /// What the QR code says, or the eight digits.
    pub code: String,
}

impl Command for CheckOut {
    type On = (On<Visit>, On<Kiosk>, On<Reception>);
    const NAME: &'static str = "check_out";
    const ROUTE: Route = Route::post("/v1/kiosk/check_out");
    const PERMISSION: Permission = Permission("kiosk.check_out");
    const REJECTS: &'static [&'static str] = &[
        "kiosk.unknown", "kiosk.revoked", "visit.unknown_code", "visit.code_replaced", "visit.not_checked_in",
        "visit.already_checked_out", "reception.no_check_outs",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        behind_code(&self.code, ctx)
    }
    fn decide(self, (visit, kiosk, reception): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        visit.accept(&self.code, kiosk, ctx)?;
        if !reception.0.check_outs {
            return Err(Rejection::new("reception.no_check_outs"));
        }
        Ok(vec![visit.emit(visit.leave()?)])
    }
}

/// Writes somebody down at a kiosk who was not expected, and lets them in. They get a passcode for leaving.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WalkIn {
    /// Who comes, at most 80 characters.
    pub visitor_name: String,
    /// From where, at most 80 characters.
    #[serde(default)]
    pub visitor_company: String,
    /// What for, at most 400 characters.
    #[serde(default)]
    pub purpose: String,
    /// Whom they want to see: a member whose name kiosks may show.
    #[serde(default, deserialize_with = "crate::command::present")]
    pub host_id: Option<Uuid>,
    /// How many they are, at most 99.
    #[serde(default)]
    pub people: u32,
    /// To the company's own questions.
    #[serde(default)]
    pub answers: Vec<GivenAnswer>,
    /// The `hash` of the text that the visitor agreed to, where the reception asks for that.
    #[serde(default)]
    pub consent: String,
}

impl WalkIn {
    /// Whom they want to see, who must be somebody whose name kiosks may show.
    fn host(&self, host: &On<Member>, reception: &Reception) -> Result<Option<Uuid>, Rejection> {
        let Some(id) = self.host_id else { return Ok(None) };
        let is_member = host.status == Some(MemberStatus::Active) && host.role != Some(Role::Recipient);
        let is_shown = is_member && reception.shows(id);
        if is_shown { Ok(Some(id)) } else { Err(Rejection::at("visit.unknown_host", "/host_id")) }
    }

    /// Who comes, with everything said that this reception wants to know.
    fn visitor(&self, reception: &Reception) -> Result<Person, Rejection> {
        let visitor = Person {
            name: text::line(&self.visitor_name, "/visitor_name", 80)?,
            company: text::optional_line(&self.visitor_company, "/visitor_company", 80)?,
            note: text::prose(&self.purpose, "/purpose", 400)?,
            ..Person::default()
        };
        reception.must_be_filled(Field::Company, !visitor.company.is_empty(), "/visitor_company")?;
        reception.must_be_filled(Field::Purpose, !visitor.note.is_empty(), "/purpose")?;
        reception.must_be_filled(Field::Host, self.host_id.is_some(), "/host_id")?;
        reception.must_be_filled(Field::People, self.people > 0, "/people")?;
        if self.people > PEOPLE_MAX {
            return Err(Rejection::at("reception.bad_answer", "/people"));
        }
        Ok(visitor)
    }
}

impl Command for WalkIn {
    type On = (On<Visit>, On<Kiosk>, On<Reception>, On<Member>, On<Blocklist>);
    const NAME: &'static str = "walk_in";
    const ROUTE: Route = Route::create("/v1/kiosk/walk_in");
    const PERMISSION: Permission = Permission("kiosk.walk_in");
    const REJECTS: &'static [&'static str] = &[
        "kiosk.unknown", "kiosk.revoked", "reception.no_walk_ins", "visit.unknown_host", "visit.ask_reception",
        "visit.not_screened", "reception.unknown_question", "reception.answer_required", "reception.bad_answer",
        "reception.consent_required", "reception.consent_changed", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        // Without a host the fourth stream is one that does not exist: ids are unique over all kinds.
        Ok(vec![target, ctx.actor.id, ctx.tenant, self.host_id.unwrap_or(target), ctx.tenant])
    }
    fn decide(self, on: &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let (visit, kiosk, reception, host, list) = on;
        kiosk.must_be_paired()?;
        if !reception.0.walk_ins {
            return Err(Rejection::new("reception.no_walk_ins"));
        }
        let visitor = self.visitor(reception)?;
        let host_id = self.host(host, reception)?;
        let answers = reception.answers(Asked::WalkIn, &self.answers)?;
        let consent = reception.agreed(&self.consent)?;
        refuse_named(list.matches(&visitor, ctx).ok())?;
        let subject = ctx.fresh_id();
        Ok(vec![visit.emit(WalkedIn {
            visitor: ctx.seal(subject, &visitor),
            location: kiosk.location.clone(),
            passcode: ctx.world.passcode(visit.id, PASSCODE_DIGITS),
            host_id,
            people: self.people,
            answers: sealed(subject, answers, ctx),
            consent,
            day: Some(ctx.today),
        })])
    }
    /// Somebody whom the blocklist names, or may name, waits at the door.
    fn turned_away(&self, on: &Self::On, why: &Rejection, ctx: &mut Context) -> Vec<Emit> {
        let (visit, kiosk, reception, _, list) = on;
        let visitor = self.visitor(reception).ok().filter(|_| [ASK_RECEPTION, NOT_SCREENED].contains(&why.code));
        let Some(visitor) = visitor else { return vec![] };
        let known = if why.code == NOT_SCREENED { None } else { list.matches(&visitor, ctx).ok() };
        let subject = ctx.fresh_id();
        let visitor = Some(ctx.seal(subject, &visitor));
        vec![visit.stopped(known, visitor, kiosk.location.clone(), ctx.today)]
    }
}
