//! Secretaries of a law office (FM-26, FM-27): a lawyer takes somebody on; that person acts for the lawyer once the button in
//! a mail to their own mailbox was pressed, and every press is told to the lawyer, with a way to end it.
//!
//! Two kinds of streams: one tie between a secretary and a lawyer, whose id is the fingerprint of the two, and
//! `secretaries/<member>`, which says for whom a secretary acts now. An invitation is not enough: whoever runs the company can
//! see its link; the link of the confirmation is shown to nobody.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::events;
use crate::member::{INVITATION_US, Invited, Member, MemberStatus};
use crate::permission_set::PermissionSets;
use crate::role::{Permission, Role};
use crate::sealed::Person;
use crate::text;

events! {
    /// What happens between a secretary and a lawyer.
    SecretaryEvent {
        Assigned = "secretary.assigned" v 1;
        Confirmed = "secretary.confirmed" v 1;
        Revoked = "secretary.revoked" v 1;
    }
}

/// A lawyer took a secretary on; the mail that asks for the confirmation is to go out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Assigned {
    /// The secretary's member id.
    pub secretary: Uuid,
    /// The lawyer's.
    pub lawyer: Uuid,
    /// SHA-256 of the secret in the mail to the secretary.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when its button works, microseconds UTC.
    pub expires_at_us: i64,
}

/// The button in the mail was pressed; the mail that tells the lawyer is to go out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Confirmed {
    /// SHA-256 of the secret in the mail to the lawyer, which ends it.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
}

/// The secretary does not act for the lawyer any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revoked {
    /// By the link in a mail.
    pub by_link: bool,
}

/// State of a tie.
#[derive(Debug, Default)]
pub struct Secretary {
    /// Nil before anything happened.
    pub secretary: Uuid,
    /// Nil before anything happened.
    pub lawyer: Uuid,
    /// Of the button in the mail to the secretary.
    pub confirm: [u8; 32],
    /// Until when it works.
    pub expires_at_us: i64,
    /// The mailbox was confirmed.
    pub confirmed: bool,
    /// Of the links in the mails to the lawyer; each works until one was used.
    pub revokers: Vec<[u8; 32]>,
    /// It is over.
    pub revoked: bool,
}

impl Aggregate for Secretary {
    type Event = SecretaryEvent;
    const STREAM: &'static str = "secretary";
    fn apply(&mut self, event: SecretaryEvent) {
        match event {
            SecretaryEvent::Assigned(e) => {
                *self = Secretary {
                    secretary: e.secretary,
                    lawyer: e.lawyer,
                    confirm: e.secret_hash,
                    expires_at_us: e.expires_at_us,
                    confirmed: self.confirmed && !self.revoked,
                    ..Secretary::default()
                };
            }
            SecretaryEvent::Confirmed(e) => {
                self.confirmed = true;
                self.revokers.push(e.secret_hash);
            }
            SecretaryEvent::Revoked(_) => (self.revoked, self.confirmed, self.revokers) = (true, false, vec![]),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<SecretaryEvent> {
        tests::samples()
    }
}

events! {
    /// For whom a secretary acts.
    SecretariesEvent {
        Tied = "secretaries.tied" v 1;
        Untied = "secretaries.untied" v 1;
    }
}

/// One lawyer more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tied {
    /// For whom.
    pub lawyer: Uuid,
}

/// One lawyer fewer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Untied {
    /// For whom.
    pub lawyer: Uuid,
}

/// The boundary `secretaries/<member>`.
#[derive(Debug, Default)]
pub struct Secretaries {
    /// Member ids of the lawyers whose secretary this member is, confirmed.
    pub lawyers: Vec<Uuid>,
}

impl Aggregate for Secretaries {
    type Event = SecretariesEvent;
    const STREAM: &'static str = "secretaries";
    fn apply(&mut self, event: SecretariesEvent) {
        match event {
            SecretariesEvent::Tied(e) => {
                self.lawyers.retain(|lawyer| *lawyer != e.lawyer);
                self.lawyers.push(e.lawyer);
            }
            SecretariesEvent::Untied(e) => self.lawyers.retain(|lawyer| *lawyer != e.lawyer),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<SecretariesEvent> {
        tests::boundary_samples()
    }
}

/// Takes a secretary on for oneself. Whoever is not in the company yet is invited to it, too. Until their mailbox confirms,
/// they can do nothing.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignSecretary {
    /// As colleagues will see it, at most 80 characters.
    pub name: String,
    /// The secretary's own mailbox.
    pub email: String,
}

impl Command for AssignSecretary {
    type On = (On<Secretary>, On<Member>, On<PermissionSets>);
    const NAME: &'static str = "assign_secretary";
    const ROUTE: Route = Route::create("/v1/secretaries");
    const PERMISSION: Permission = Permission("secretary.assign");
    const REJECTS: &'static [&'static str] = &[
        "secretary.not_a_member", "secretary.other_role", "secretary.already_confirmed", "secretary.own",
        "member.bad_email", "text.required", "text.too_long", "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        let lawyer = ctx.member.ok_or(Rejection::new("secretary.not_a_member"))?;
        let secretary = ctx.world.subject_for("member", &email);
        Ok(vec![tie(ctx, secretary, lawyer), secretary, ctx.tenant])
    }
    fn decide(self, (tie, member, sets): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let name = text::line(&self.name, "/name", 80)?;
        let email = text::email(&self.email).ok_or(Rejection::at("member.bad_email", "/email"))?;
        let lawyer = ctx.member.ok_or(Rejection::new("secretary.not_a_member"))?;
        if member.id == lawyer {
            return Err(Rejection::at("secretary.own", "/email"));
        }
        let here = matches!(member.status, Some(MemberStatus::Active | MemberStatus::Suspended));
        let waits = member.status == Some(MemberStatus::Invited) && ctx.now_us < member.expires_at_us;
        if (here || waits) && member.role != Some(Role::Secretary) {
            return Err(Rejection::at("secretary.other_role", "/email"));
        }
        if tie.confirmed {
            return Err(Rejection::at("secretary.already_confirmed", "/email"));
        }
        let invited = (!here && !waits).then(|| {
            let person = Person { name, email, ..Person::default() };
            member.emit(Invited {
                person: ctx.seal(member.id, &person),
                role: Role::Secretary,
                permission_set: None,
                invited_by: ctx.member,
                secret_hash: ctx.world.secret("inv", member.id),
                expires_at_us: ctx.now_us + INVITATION_US,
            })
        });
        let held = invited.as_ref().and_then(|_| sets.moved(member.id, None));
        let assigned = tie.emit(Assigned {
            secretary: member.id,
            lawyer,
            secret_hash: ctx.world.secret("sec", tie.id),
            expires_at_us: ctx.now_us + INVITATION_US,
        });
        Ok([invited, held, Some(assigned)].into_iter().flatten().collect())
    }
}

/// The stream of a tie: the same for the same two.
fn tie(ctx: &mut Context, secretary: Uuid, lawyer: Uuid) -> Uuid {
    ctx.world.fingerprint("secretary", &format!("{secretary} {lawyer}"))
}

/// Presses the button in the mail to the secretary's mailbox. Each press is told to the lawyer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmSecretary {}

impl Command for ConfirmSecretary {
    type On = (On<Secretary>, On<Secretaries>);
    const NAME: &'static str = "confirm_secretary";
    const ROUTE: Route = Route::post("/v1/secretary_confirmations/{token}/confirm");
    const PERMISSION: Permission = Permission("link.confirm_secretary");
    const REJECTS: &'static [&'static str] = &["secretary.unknown", "secretary.gone", "secretary.expired"];
    fn linked(&self, tie: &On<Secretary>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![tie.secretary])
    }
    fn decide(self, (tie, ties): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if !tie.exists() {
            return Err(Rejection::new("secretary.unknown"));
        }
        if tie.revoked || ctx.link != Some(tie.confirm) {
            return Err(Rejection::new("secretary.gone"));
        }
        if ctx.now_us >= tie.expires_at_us {
            return Err(Rejection::new("secretary.expired"));
        }
        let confirmed = tie.emit(Confirmed { secret_hash: ctx.world.secret("srv", tie.id) });
        let tied = (!ties.lawyers.contains(&tie.lawyer)).then(|| ties.emit(Tied { lawyer: tie.lawyer }));
        Ok([Some(confirmed), tied].into_iter().flatten().collect())
    }
}

fn end(tie: &On<Secretary>, ties: &On<Secretaries>, by_link: bool) -> Vec<Emit> {
    let untied = ties.lawyers.contains(&tie.lawyer).then(|| ties.emit(Untied { lawyer: tie.lawyer }));
    [Some(tie.emit(Revoked { by_link })), untied].into_iter().flatten().collect()
}

/// Ends it by the link in a mail to the lawyer; works once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseSecretary {}

impl Command for RefuseSecretary {
    type On = (On<Secretary>, On<Secretaries>);
    const NAME: &'static str = "refuse_secretary";
    const ROUTE: Route = Route::post("/v1/secretary_refusals/{token}/refuse");
    const PERMISSION: Permission = Permission("link.refuse_secretary");
    const REJECTS: &'static [&'static str] = &["secretary.unknown", "secretary.gone"];
    fn linked(&self, tie: &On<Secretary>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![tie.secretary])
    }
    fn decide(self, (tie, ties): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if !tie.exists() {
            return Err(Rejection::new("secretary.unknown"));
        }
        match ctx.link.is_some_and(|link| tie.revokers.contains(&link)) {
            true => Ok(end(tie, ties, true)),
            false => Err(Rejection::new("secretary.gone")),
        }
    }
}

/// Ends it: the lawyer themselves, or whoever runs the company.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSecretary {}

impl Command for EndSecretary {
    type On = (On<Secretary>, On<Secretaries>);
    const NAME: &'static str = "end_secretary";
    const ROUTE: Route = Route::post("/v1/secretaries/{id}/end");
    const PERMISSION: Permission = Permission("secretary.assign");
    const REJECTS: &'static [&'static str] = &["secretary.unknown", "secretary.gone"];
    fn linked(&self, tie: &On<Secretary>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![tie.secretary])
    }
    fn decide(self, (tie, ties): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let anybodys = matches!(ctx.actor.role, Role::Owner | Role::Admin | Role::System);
        // What is not yours is as unknown to you as what does not exist.
        if !tie.exists() || !(anybodys || ctx.member == Some(tie.lawyer)) {
            return Err(Rejection::new("secretary.unknown"));
        }
        if tie.revoked {
            return Err(Rejection::new("secretary.gone"));
        }
        Ok(end(tie, ties, false))
    }
}
