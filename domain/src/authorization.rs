//! Authorizations: a member lets an application act for them. An authorization begins with a code of one minute that is used once, lives by
//! refresh tokens that are used once each, and ends at once when it is revoked, or when a code or refresh token comes a
//! second time: then somebody holds what they should not.
//!
//! What makes a create unique: nothing but its id; a member may connect an application twice.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access_token::{self, AccessToken};
use crate::application::{Application, GrantType, within};
use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::DAY_US;
use crate::role::{Permission, Role};
use crate::{codes, events};

/// A code is good for a minute (RFC 9700, ASVS V10.4.3).
pub const CODE_US: i64 = 60 * 1_000_000;
/// An authorization ends after this long whatever happens; then its member is asked again.
pub const AUTHORIZATION_US: i64 = 90 * DAY_US;
/// A refresh token that nobody uses for so long is worth nothing.
pub const IDLE_US: i64 = 30 * DAY_US;

events! {
    /// What happens to an authorization.
    AuthorizationEvent {
        Given = "authorization.given" v 1;
        Redeemed = "authorization.redeemed" v 1;
        Revoked = "authorization.revoked" v 1;
    }
}

codes! {
    /// Why an authorization is over.
    AuthorizationEnd {
        /// The application gave it back (RFC 7009).
        Application = 1 "application",
        /// Its member took it away.
        Member = 2 "member",
        /// Somebody who runs the company took it away.
        Administrator = 3 "administrator",
        /// Its code came a second time.
        CodeReused = 4 "code_reused",
        /// A refresh token came a second time.
        RefreshReused = 5 "refresh_reused",
    }
}

/// A member consented.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Given {
    /// Who may act.
    pub application_id: Uuid,
    /// For whom.
    pub member_id: Uuid,
    /// See [`Application::revocations`], as they were.
    pub revocations: u32,
    /// What it may, sorted, each once; never more than the member may when it is used.
    pub scopes: Vec<String>,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// SHA-256 of the verifier that must come with the code (RFC 7636, S256).
    #[serde(with = "crate::event::hex32")]
    pub challenge: [u8; 32],
    /// SHA-256 of the code.
    #[serde(with = "crate::event::hex32")]
    pub code_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
    /// Until when the code is good, microseconds UTC.
    pub code_expires_at_us: i64,
}

/// Its code was used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Redeemed {}

/// It is over, and every token made from it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revoked {
    /// Why.
    pub reason: AuthorizationEnd,
}

/// State of an authorization.
#[derive(Debug, Default)]
pub struct Authorization {
    /// What was given; `None` before.
    pub given: Option<Given>,
    /// Its code was used.
    pub redeemed: bool,
    /// It is over.
    pub revoked: bool,
}

impl Aggregate for Authorization {
    type Event = AuthorizationEvent;
    const STREAM: &'static str = "authorization";
    fn apply(&mut self, event: AuthorizationEvent) {
        match event {
            AuthorizationEvent::Given(e) => self.given = Some(e),
            AuthorizationEvent::Redeemed(_) => self.redeemed = true,
            AuthorizationEvent::Revoked(_) => self.revoked = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<AuthorizationEvent> {
        tests::samples()
    }
}

impl Authorization {
    /// What was given, while it holds: not revoked, not past its end, and its application's tokens not revoked since.
    pub fn holds(&self, application: &On<Application>, now_us: i64) -> Option<&Given> {
        let given = self.given.as_ref().filter(|_| !self.revoked)?;
        let holds = given.application_id == application.id
            && given.revocations == application.revocations
            && now_us < given.expires_at_us;
        holds.then_some(given)
    }
}

impl On<Authorization> {
    /// What was given, or why it holds no more.
    fn must_hold(&self, application: &On<Application>, now_us: i64) -> Result<&Given, Rejection> {
        let given = self.given.as_ref().ok_or(Rejection::new("authorization.unknown"))?;
        if given.application_id != application.id {
            return Err(Rejection::new("authorization.unknown"));
        }
        self.holds(application, now_us).ok_or_else(|| Rejection::new("authorization.revoked"))
    }
}

/// A member lets an application act for them: the answer to the consent page.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveAuthorization {
    /// Who may act.
    pub application_id: Uuid,
    /// What it asks for; all that it may if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub scopes: Option<Vec<String>>,
    /// Where the code is sent.
    pub redirect_uri: String,
    /// SHA-256 of a verifier that only the application knows.
    #[schema(value_type = String)]
    pub challenge: [u8; 32],
}

impl GiveAuthorization {
    /// May the member be asked this? What the consent page and the decision both look at.
    pub fn check(&self, application: &On<Application>) -> Result<Vec<String>, Rejection> {
        application.must_use(GrantType::AuthorizationCode)?;
        if !application.redirect_uris.contains(&self.redirect_uri) {
            return Err(Rejection::new("authorization.redirect_uri"));
        }
        application.scopes_of(self.scopes.as_deref())
    }
}

impl Command for GiveAuthorization {
    type On = (On<Authorization>, On<Application>);
    const NAME: &'static str = "give_authorization";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("me.give_authorization");
    const REJECTS: &'static [&'static str] = &[
        "application.unknown", "application.disabled", "application.grant_type", "application.scope",
        "authorization.redirect_uri", "authorization.not_a_member",
    ];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.application_id])
    }
    fn decide(self, (authorization, application): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let scopes = self.check(application)?;
        Ok(vec![authorization.emit(Given {
            application_id: application.id,
            member_id: ctx.member.ok_or(Rejection::new("authorization.not_a_member"))?,
            revocations: application.revocations,
            scopes,
            redirect_uri: self.redirect_uri,
            challenge: self.challenge,
            code_hash: ctx.world.secret("cod", authorization.id),
            expires_at_us: ctx.now_us + AUTHORIZATION_US,
            code_expires_at_us: ctx.now_us + CODE_US,
        })])
    }
}

/// An application exchanges its code for tokens. A code that comes again is answered by the end of its authorization, not by a
/// rejection: that must be written.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemCode {
    /// Who has shown who it is.
    pub application_id: Uuid,
    /// The code.
    pub code: String,
    /// The same as when it was asked for.
    pub redirect_uri: String,
    /// What the challenge was made from.
    pub verifier: String,
}

impl Command for RedeemCode {
    type On = (On<Authorization>, On<Application>, On<AccessToken>);
    const NAME: &'static str = "redeem_code";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("access.redeem");
    const REJECTS: &'static [&'static str] = &[
        "application.unknown", "application.disabled", "application.grant_type", "authorization.unknown",
        "authorization.revoked", "authorization.code_expired", "authorization.redirect_uri", "authorization.verifier",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let authorization = ctx.world.owner_of("cod", &self.code).ok_or(Rejection::new("authorization.unknown"))?;
        Ok(vec![authorization, self.application_id, ctx.fresh_id()])
    }
    fn decide(self, (authorization, application, token): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        application.must_use(GrantType::AuthorizationCode)?;
        let given = authorization.must_hold(application, ctx.now_us)?;
        if authorization.redeemed {
            return Ok(vec![authorization.emit(Revoked { reason: AuthorizationEnd::CodeReused })]);
        }
        if ctx.now_us >= given.code_expires_at_us {
            return Err(Rejection::new("authorization.code_expired"));
        }
        if given.redirect_uri != self.redirect_uri {
            return Err(Rejection::new("authorization.redirect_uri"));
        }
        if given.challenge != ctx.world.hash(&self.verifier) {
            return Err(Rejection::new("authorization.verifier"));
        }
        let issued = issue(token, application, Some(authorization.id), given.scopes.clone(), ctx);
        Ok(vec![authorization.emit(Redeemed {}), issued])
    }
}

/// An access token, and a refresh token beside it where there is an authorization to renew.
fn issue(
    token: &On<AccessToken>,
    application: &On<Application>,
    authorization_id: Option<Uuid>,
    scopes: Vec<String>,
    ctx: &mut Context,
) -> Emit {
    if authorization_id.is_some() && application.grant_types.contains(&GrantType::RefreshToken) {
        // Found by its hash, it leads to this token; what may come of it, this token's state and the authorization's say.
        ctx.world.secret("rt", token.id);
    }
    token.emit(access_token::Issued {
        application_id: application.id,
        authorization_id,
        revocations: application.revocations,
        scopes,
        secret_hash: ctx.world.secret("at", token.id),
        expires_at_us: ctx.now_us + access_token::LIFE_US,
    })
}

/// An application exchanges a refresh token for new tokens. One that comes again ends the authorization.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshAccess {
    /// Who has shown who it is.
    pub application_id: Uuid,
    /// The refresh token.
    pub refresh_token: String,
    /// Less than was granted; all of it if absent. The next refresh may ask for all of it again.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub scopes: Option<Vec<String>>,
}

impl Command for RefreshAccess {
    type On = (On<AccessToken>, On<Authorization>, On<Application>, On<AccessToken>);
    const NAME: &'static str = "refresh_access";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("access.refresh");
    const REJECTS: &'static [&'static str] = &[
        "application.unknown", "application.disabled", "application.grant_type", "application.scope",
        "authorization.unknown", "authorization.revoked",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let before = ctx.world.owner_of("rt", &self.refresh_token);
        before.map(|token| vec![token]).ok_or(Rejection::new("authorization.unknown"))
    }
    fn linked(&self, before: &On<AccessToken>, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let authorization = before.authorization().ok_or(Rejection::new("authorization.unknown"))?;
        Ok(vec![authorization, self.application_id, ctx.fresh_id()])
    }
    fn decide(
        self,
        (before, authorization, application, token): &Self::On,
        ctx: &mut Context,
    ) -> Result<Vec<Emit>, Rejection> {
        application.must_use(GrantType::RefreshToken)?;
        let given = authorization.must_hold(application, ctx.now_us)?;
        if before.refreshed {
            return Ok(vec![authorization.emit(Revoked { reason: AuthorizationEnd::RefreshReused })]);
        }
        let issued_at_us = before.issued.as_ref().map_or(0, |issued| issued.expires_at_us - access_token::LIFE_US);
        if ctx.now_us >= issued_at_us + IDLE_US {
            return Err(Rejection::new("authorization.revoked"));
        }
        let scopes = within(self.scopes.as_deref(), &given.scopes)?;
        let issued = issue(token, application, Some(authorization.id), scopes, ctx);
        Ok(vec![before.emit(access_token::Refreshed {}), issued])
    }
}

/// An application that acts for itself asks for a token.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueAccess {
    /// Who has shown who it is.
    pub application_id: Uuid,
    /// What it asks for; all that it may if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub scopes: Option<Vec<String>>,
}

impl Command for IssueAccess {
    type On = (On<AccessToken>, On<Application>);
    const NAME: &'static str = "issue_access";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("access.issue");
    const REJECTS: &'static [&'static str] =
        &["application.unknown", "application.disabled", "application.grant_type", "application.scope"];
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.application_id])
    }
    fn decide(self, (token, application): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        application.must_use(GrantType::ClientCredentials)?;
        let scopes = application.scopes_of(self.scopes.as_deref())?;
        Ok(vec![issue(token, application, None, scopes, ctx)])
    }
}

/// Ends an authorization and every token made from it, at once (ML-09): one's own, as owner or admin anybody's, or as the application
/// itself. Over already = nothing to do.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeAuthorization {}

impl Command for RevokeAuthorization {
    type On = On<Authorization>;
    const NAME: &'static str = "revoke_authorization";
    const ROUTE: Route = Route::post("/v1/authorizations/{id}/revoke");
    const PERMISSION: Permission = Permission("me.revoke_authorization");
    const REJECTS: &'static [&'static str] = &["authorization.unknown"];
    fn decide(self, authorization: &On<Authorization>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let unknown = || Rejection::new("authorization.unknown");
        let member = authorization.given.as_ref().ok_or_else(unknown)?.member_id;
        let reason = match ctx.actor.role {
            Role::System => AuthorizationEnd::Application,
            _ if ctx.member == Some(member) => AuthorizationEnd::Member,
            Role::Owner | Role::Admin => AuthorizationEnd::Administrator,
            // What is not yours is as unknown to you as what does not exist.
            _ => return Err(unknown()),
        };
        Ok(if authorization.revoked { vec![] } else { vec![authorization.emit(Revoked { reason })] })
    }
}
