//! Operators: the people who run the deployment. Their accounts stand in the root ledger; what they see of a company, in that
//! company's own (`grant.rs`, `data.rs`).
//!
//! An account works once somebody else has written down that the person was screened and a second operator, who did not
//! ask for it, has approved it (FM-16). The first two are approved where the machine is: before there are two nobody
//! could. Boundary: `operators/<root>`, which every command that gives or takes a working account writes.
//!
//! Who gives an account another certificate could be whoever holds it, and would be two people: the account stops working
//! and waits for a second operator's approval like a new one.
//!
//! What makes an account unique: its certificate (`certificate/<fingerprint>`), which is how an operator logs in.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::{Context, actor_kind};
use crate::role::Permission;
use crate::sealed::{Person, Sealed};
use crate::{codes, events, text};

codes! {
    /// What somebody does for the deployment.
    OperatorKind {
        /// Answers customers.
        Support = 1 "support",
        /// Builds and repairs.
        Engineering = 2 "engineering",
        /// Leads. Sees counts, never a company's data (FM-15).
        Management = 3 "management",
    }
}

events! {
    /// What happens to an operator's account.
    OperatorEvent {
        Registered = "operator.registered" v 1;
        Screened = "operator.screened" v 1;
        Approved = "operator.approved" v 1;
        CertificateReplaced = "operator.certificate_replaced" v 1;
        Reviewed = "operator.reviewed" v 1;
        Removed = "operator.removed" v 1;
    }
}

/// An account was asked for. It does not work yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// Name and address.
    pub person: Sealed<Person>,
    /// What they do.
    pub kind: OperatorKind,
    /// Who asked; the nil id where the machine is.
    pub by: Uuid,
    /// SHA-256 of the certificate by which they log in.
    #[serde(with = "crate::event::hex32")]
    pub certificate: [u8; 32],
}

/// Somebody looked at who they are, before they may work here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Screened {
    /// What was looked at and where the papers are, in `note`.
    pub record: Sealed<Person>,
    /// Who did; the nil id where the machine is.
    pub by: Uuid,
}

/// The account works from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approved {
    /// The second person; the nil id where the machine is.
    pub by: Uuid,
}

/// They log in by another certificate once it is approved; by the one before never again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CertificateReplaced {
    /// Who asked; the nil id where the machine is.
    pub by: Uuid,
    /// SHA-256 of the new one.
    #[serde(with = "crate::event::hex32")]
    pub certificate: [u8; 32],
}

/// Somebody else says that they still need the account (MN-04).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reviewed {
    /// Who.
    pub by: Uuid,
}

/// The account works no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removed {
    /// Why.
    pub reason: String,
}

/// State of an account.
#[derive(Debug, Default)]
pub struct Operator {
    /// What they do; `None` before they were registered.
    pub kind: Option<OperatorKind>,
    /// The only certificate that counts.
    pub certificate: [u8; 32],
    /// Who asked for it to work: cannot approve it.
    asked_by: Uuid,
    screened: bool,
    approved: bool,
    removed: bool,
}

impl Aggregate for Operator {
    type Event = OperatorEvent;
    const STREAM: &'static str = "operator";
    fn apply(&mut self, event: OperatorEvent) {
        match event {
            OperatorEvent::Registered(e) => {
                (self.kind, self.asked_by, self.certificate) = (Some(e.kind), e.by, e.certificate);
            }
            OperatorEvent::Screened(_) => self.screened = true,
            OperatorEvent::Approved(_) => self.approved = true,
            OperatorEvent::CertificateReplaced(e) => {
                (self.approved, self.asked_by, self.certificate) = (false, e.by, e.certificate);
            }
            OperatorEvent::Reviewed(_) => {}
            OperatorEvent::Removed(_) => self.removed = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<OperatorEvent> {
        tests::samples()
    }
}

impl Operator {
    /// May they log in?
    pub fn works(&self) -> bool {
        self.approved && !self.removed
    }
}

impl On<Operator> {
    fn must_be_there(&self) -> Result<(), Rejection> {
        match (self.kind, self.removed) {
            (None, _) => Err(Rejection::new("operator.unknown")),
            (_, true) => Err(Rejection::new("operator.removed")),
            _ => Ok(()),
        }
    }

    /// Nobody does this for themselves.
    fn must_be_another(&self, ctx: &Context) -> Result<(), Rejection> {
        if ctx.actor.id == self.id { Err(Rejection::new("operator.own_account")) } else { Ok(()) }
    }
}

events! {
    /// Whose a certificate is.
    CertificateEvent {
        Taken = "certificate.taken" v 1;
    }
}

/// It belongs to this account, and never to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// Whose.
    pub operator: Uuid,
}

/// A certificate; its stream's id is its fingerprint's.
#[derive(Debug, Default)]
pub struct Certificate {
    /// Whose.
    pub operator: Option<Uuid>,
}

impl Aggregate for Certificate {
    type Event = CertificateEvent;
    const STREAM: &'static str = "certificate";
    fn apply(&mut self, event: CertificateEvent) {
        let CertificateEvent::Taken(e) = event;
        self.operator = Some(e.operator);
    }
    #[cfg(test)]
    fn samples() -> Vec<CertificateEvent> {
        tests::certificate_samples()
    }
}

events! {
    /// Who works here.
    OperatorsEvent {
        OperatorAdded = "operators.added" v 1;
        OperatorLeft = "operators.left" v 1;
    }
}

/// One more working account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OperatorAdded {
    /// Whose.
    pub operator: Uuid,
}

/// One fewer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OperatorLeft {
    /// Whose.
    pub operator: Uuid,
}

/// The boundary `operators/<root>`.
#[derive(Debug, Default)]
pub struct Operators {
    /// Accounts that work.
    pub working: Vec<Uuid>,
}

impl Aggregate for Operators {
    type Event = OperatorsEvent;
    const STREAM: &'static str = "operators";
    fn apply(&mut self, event: OperatorsEvent) {
        match event {
            OperatorsEvent::OperatorAdded(e) => self.working.push(e.operator),
            OperatorsEvent::OperatorLeft(e) => self.working.retain(|operator| *operator != e.operator),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<OperatorsEvent> {
        tests::operators_samples()
    }
}

impl On<Operators> {
    /// An account that worked works no more.
    fn left(&self, operator: &On<Operator>) -> Option<Emit> {
        operator.approved.then(|| self.emit(OperatorLeft { operator: operator.id }))
    }
}

/// The SHA-256 of a certificate as people and `openssl x509 -fingerprint -sha256` write it: 64 hex digits, colons or not.
pub fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let digit = |d: u8| (d as char).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(hash)
}

/// The stream of a certificate.
pub fn certificate_stream(certificate: &[u8; 32], world: &mut dyn crate::context::World) -> Uuid {
    let text: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    world.fingerprint(Certificate::STREAM, &text)
}

fn certificate(text: &str) -> Result<[u8; 32], Rejection> {
    fingerprint(text).ok_or_else(|| Rejection::at("operator.bad_certificate", "/certificate_sha256"))
}

fn taken() -> Rejection {
    Rejection::at("operator.certificate_taken", "/certificate_sha256")
}

/// Asks for an account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterOperator {
    /// Their name, at most 80 characters.
    pub name: String,
    /// Their address.
    pub email: String,
    /// What they do.
    pub kind: OperatorKind,
    /// SHA-256 of their certificate, 64 hex digits.
    pub certificate_sha256: String,
}

impl Command for RegisterOperator {
    type On = (On<Operator>, On<Certificate>);
    const NAME: &'static str = "register_operator";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.manage");
    const REJECTS: &'static [&'static str] = &[
        "operator.bad_email", "operator.bad_certificate", "operator.certificate_taken", "text.required",
        "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, certificate_stream(&certificate(&self.certificate_sha256)?, ctx.world)])
    }
    fn decide(self, (operator, held): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let name = text::line(&self.name, "/name", 80)?;
        let email = text::email(&self.email).ok_or_else(|| Rejection::at("operator.bad_email", "/email"))?;
        if held.exists() {
            return Err(taken());
        }
        let person = ctx.seal(operator.id, &Person { name, email, ..Person::default() });
        let certificate = certificate(&self.certificate_sha256)?;
        Ok(vec![
            operator.emit(Registered { person, kind: self.kind, by: ctx.actor.id, certificate }),
            held.emit(Taken { operator: operator.id }),
        ])
    }
}

/// Writes down that somebody's person was looked at.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScreenOperator {
    /// What was looked at and where the papers are, at most 500 characters.
    pub record: String,
}

impl Command for ScreenOperator {
    type On = On<Operator>;
    const NAME: &'static str = "screen_operator";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.manage");
    const REJECTS: &'static [&'static str] = &[
        "operator.unknown", "operator.removed", "operator.own_account", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, operator: &On<Operator>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        operator.must_be_there()?;
        operator.must_be_another(ctx)?;
        let note = text::line(&self.record, "/record", 500)?;
        let record = ctx.seal(operator.id, &Person { note, ..Person::default() });
        Ok(vec![operator.emit(Screened { record, by: ctx.actor.id })])
    }
}

/// Lets an account work.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveOperator {}

impl Command for ApproveOperator {
    type On = (On<Operator>, On<Operators>);
    const NAME: &'static str = "approve_operator";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.manage");
    const REJECTS: &'static [&'static str] = &[
        "operator.unknown", "operator.removed", "operator.own_account", "operator.not_screened",
        "operator.already_approved", "operator.second_person",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (operator, operators): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        operator.must_be_there()?;
        operator.must_be_another(ctx)?;
        if !operator.screened {
            return Err(Rejection::new("operator.not_screened"));
        }
        if operator.approved {
            return Err(Rejection::new("operator.already_approved"));
        }
        // Where the machine is nobody is known; that is enough only as long as no two operators could do it.
        let at_the_machine = ctx.actor.kind == actor_kind::SYSTEM;
        let founding = at_the_machine && operators.working.len() < 2;
        if !founding && (at_the_machine || operator.asked_by == ctx.actor.id) {
            return Err(Rejection::new("operator.second_person"));
        }
        let added = operators.emit(OperatorAdded { operator: operator.id });
        Ok(vec![operator.emit(Approved { by: ctx.actor.id }), added])
    }
}

/// Gives an account another certificate; the one before is worth nothing from then on, the new one once a second operator
/// has approved the account again.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceCertificate {
    /// SHA-256 of the new certificate, 64 hex digits.
    pub certificate_sha256: String,
}

impl Command for ReplaceCertificate {
    type On = (On<Operator>, On<Certificate>, On<Operators>);
    const NAME: &'static str = "replace_certificate";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.manage");
    const REJECTS: &'static [&'static str] = &[
        "operator.unknown", "operator.removed", "operator.own_account", "operator.bad_certificate",
        "operator.certificate_taken",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, certificate_stream(&certificate(&self.certificate_sha256)?, ctx.world), ctx.tenant])
    }
    fn decide(self, (operator, held, operators): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        operator.must_be_there()?;
        operator.must_be_another(ctx)?;
        if held.exists() {
            return Err(taken());
        }
        let certificate = certificate(&self.certificate_sha256)?;
        let replaced = operator.emit(CertificateReplaced { by: ctx.actor.id, certificate });
        Ok([replaced, held.emit(Taken { operator: operator.id })].into_iter().chain(operators.left(operator)).collect())
    }
}

/// Says that somebody still needs their account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewOperator {}

impl Command for ReviewOperator {
    type On = On<Operator>;
    const NAME: &'static str = "review_operator";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.manage");
    const REJECTS: &'static [&'static str] = &["operator.unknown", "operator.removed", "operator.own_account"];
    fn decide(self, operator: &On<Operator>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        operator.must_be_there()?;
        operator.must_be_another(ctx)?;
        Ok(vec![operator.emit(Reviewed { by: ctx.actor.id })])
    }
}

/// Takes an account away, at once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveOperator {
    /// Why, at most 200 characters.
    pub reason: String,
}

impl Command for RemoveOperator {
    type On = (On<Operator>, On<Operators>);
    const NAME: &'static str = "remove_operator";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("operator.manage");
    const REJECTS: &'static [&'static str] =
        &["operator.unknown", "operator.removed", "text.required", "text.too_long", "text.control_character"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (operator, operators): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        operator.must_be_there()?;
        let removed = operator.emit(Removed { reason: text::line(&self.reason, "/reason", 200)? });
        Ok([removed].into_iter().chain(operators.left(operator)).collect())
    }
}
