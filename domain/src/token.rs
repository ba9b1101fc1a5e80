//! Personal access tokens: a program acts as the member who made it, within scopes and for a time.
//!
//! What makes a create unique: nothing but its id; its secret is shown once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::DAY_US;
use crate::role::{Permission, Role};
use crate::{catalog, events, text};

/// Days that a token works when nothing is said.
pub const EXPIRES_IN_DAYS: u32 = 90;
/// Most days that a token works.
pub const EXPIRES_IN_DAYS_MAX: u32 = 365;

events! {
    /// What happens to a token.
    TokenEvent {
        Issued = "token.issued" v 1;
        Revoked = "token.revoked" v 1;
    }
}

/// A program may act for a member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// For whom.
    pub member_id: Uuid,
    /// What people call it.
    pub name: String,
    /// `<nouns>:read` or `<nouns>:write`, sorted, each once. Never more than the member's role allows when it is used.
    pub scopes: Vec<String>,
    /// SHA-256 of its secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
}

/// It may no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revoked {}

/// State of a token.
#[derive(Debug, Default)]
pub struct Token {
    /// For whom it acts; nil before it was issued.
    pub member_id: Uuid,
    /// What it may.
    pub scopes: Vec<String>,
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
    /// Does nothing any more.
    pub revoked: bool,
}

impl Aggregate for Token {
    type Event = TokenEvent;
    const STREAM: &'static str = "token";
    fn apply(&mut self, event: TokenEvent) {
        match event {
            TokenEvent::Issued(e) => {
                (self.member_id, self.scopes, self.expires_at_us) = (e.member_id, e.scopes, e.expires_at_us);
            }
            TokenEvent::Revoked(_) => self.revoked = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<TokenEvent> {
        tests::samples()
    }
}

/// Makes a token for oneself.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueToken {
    /// What people call it, at most 40 characters.
    pub name: String,
    /// `<nouns>:read` or `<nouns>:write`, at least one. No scope lets a token make tokens.
    pub scopes: Vec<String>,
    /// 1 to 365; 90 if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub expires_in_days: Option<u32>,
}

impl Command for IssueToken {
    type On = On<Token>;
    const NAME: &'static str = "issue_token";
    const ROUTE: Route = Route::create("/v1/tokens");
    const PERMISSION: Permission = Permission("token.issue");
    const REJECTS: &'static [&'static str] = &[
        "token.not_a_member", "token.no_scopes", "token.unknown_scope", "token.bad_expiry", "text.required",
        "text.too_long", "text.control_character",
    ];
    fn decide(mut self, token: &On<Token>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let member_id = ctx.member.ok_or(Rejection::new("token.not_a_member"))?;
        let name = text::line(&self.name, "/name", 40)?;
        if self.scopes.is_empty() {
            return Err(Rejection::at("token.no_scopes", "/scopes"));
        }
        let known = catalog::scopes();
        if let Some(i) = self.scopes.iter().position(|scope| !known.contains(scope)) {
            return Err(Rejection::at("token.unknown_scope", format!("/scopes/{i}")));
        }
        self.scopes.sort();
        self.scopes.dedup();
        let days = self.expires_in_days.unwrap_or(EXPIRES_IN_DAYS);
        if !(1..=EXPIRES_IN_DAYS_MAX).contains(&days) {
            return Err(Rejection::at("token.bad_expiry", "/expires_in_days"));
        }
        Ok(vec![token.emit(Issued {
            member_id,
            name,
            scopes: self.scopes,
            secret_hash: ctx.world.secret("pat", token.id),
            expires_at_us: ctx.now_us + i64::from(days) * DAY_US,
        })])
    }
}

/// Shuts a token out at once: one's own, or as owner or admin anybody's.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeToken {}

impl Command for RevokeToken {
    type On = On<Token>;
    const NAME: &'static str = "revoke_token";
    const ROUTE: Route = Route::post("/v1/tokens/{id}/revoke");
    const PERMISSION: Permission = Permission("token.revoke");
    const REJECTS: &'static [&'static str] = &["token.unknown", "token.already_revoked"];
    fn decide(self, token: &On<Token>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let anybodys = matches!(ctx.actor.role, Role::Owner | Role::Admin | Role::System);
        // What is not yours is as unknown to you as what does not exist.
        if !token.exists() || !(anybodys || Some(token.member_id) == ctx.member) {
            return Err(Rejection::new("token.unknown"));
        }
        if token.revoked {
            return Err(Rejection::new("token.already_revoked"));
        }
        Ok(vec![token.emit(Revoked {})])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const TOKEN: Uuid = Uuid::from_u128(0x70);

    fn issue() -> IssueToken {
        let scopes = ["visits:read", "documents:write", "visits:read"].map(String::from).into();
        IssueToken { name: "会計連携".into(), scopes, expires_in_days: None }
    }

    #[test]
    fn a_token_acts_for_its_maker_within_scopes_and_ninety_days() {
        scene().when(TOKEN, issue()).then([emit::<Token>(
            TOKEN,
            Issued {
                member_id: ME,
                name: "会計連携".into(),
                scopes: ["documents:write", "visits:read"].map(String::from).into(),
                secret_hash: hash("keiin_pat_1"),
                expires_at_us: us("2027-01-31T09:00:00+09:00"),
            },
        )]);
    }

    #[test]
    fn no_scope_makes_tokens_or_reaches_what_is_not_for_people() {
        for scope in
            ["tokens:write", "kiosks:write", "links:write", "sessions:write", "slugs:write", "documents:*", "", "*"]
        {
            let command = IssueToken { scopes: vec!["documents:read".into(), scope.into()], ..issue() };
            scene().when(TOKEN, command).refused_at("token.unknown_scope", "/scopes/1");
        }
    }

    #[test]
    fn one_revokes_ones_own_and_an_admin_anybodys() {
        let own = scene().by(Role::Accountant).when(TOKEN, issue()).accepted();
        own.clone().when(TOKEN, RevokeToken {}).then([emit::<Token>(TOKEN, Revoked {})]);
        let issued = Issued {
            member_id: ANNA,
            name: "杏奈の".into(),
            scopes: vec!["documents:read".into()],
            secret_hash: [0; 32],
            expires_at_us: 0,
        };
        let hers = scene().given::<Token>(TOKEN, issued);
        hers.clone().by(Role::Accountant).when(TOKEN, RevokeToken {}).refused("token.unknown");
        hers.by(Role::Admin).when(TOKEN, RevokeToken {}).accepted();
    }

    #[test]
    fn every_refusal() {
        let s = refuses_bad_text(scene(), TOKEN, "/name", true, 40, |name| IssueToken { name, ..issue() });
        let s = s.when(TOKEN, IssueToken { scopes: vec![], ..issue() }).refused_at("token.no_scopes", "/scopes");
        let odd = IssueToken { scopes: vec!["x".into()], ..issue() };
        let mut s = s.when(TOKEN, odd).refused_at("token.unknown_scope", "/scopes/0");
        for days in [0, 366] {
            let command = IssueToken { expires_in_days: Some(days), ..issue() };
            s = s.when(TOKEN, command).refused_at("token.bad_expiry", "/expires_in_days");
        }
        let s = s.by_system().when(TOKEN, issue()).refused("token.not_a_member").by(Role::Owner);
        covered::<IssueToken>();
        let s = s.when(TOKEN, RevokeToken {}).refused("token.unknown").when(TOKEN, issue()).accepted();
        s.when(TOKEN, RevokeToken {}).accepted().when(TOKEN, RevokeToken {}).refused("token.already_revoked");
        covered::<RevokeToken>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<TokenEvent> {
        vec![
            Issued {
                member_id: SAMPLE_ID,
                name: "会計連携".into(),
                scopes: vec!["documents:read".into()],
                secret_hash: [0xab; 32],
                expires_at_us: SAMPLE_US,
            }
            .into(),
            Revoked {}.into(),
        ]
    }
}
