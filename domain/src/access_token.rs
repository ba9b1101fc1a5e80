//! Access tokens of applications: opaque, for an hour, and never good for more than what they were made from is good for
//! now: the application, and the authorization and its member where there is one ([`AccessToken::holds`]). Each is a stream of its
//! own, so that what is read at every request stays short however often an authorization is renewed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::application::Application;
use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::events;
use crate::role::Permission;

/// How long one works.
pub const LIFE_US: i64 = 3_600 * 1_000_000;

events! {
    /// What happens to an access token.
    AccessTokenEvent {
        Issued = "access_token.issued" v 1;
        Refreshed = "access_token.refreshed" v 1;
        Revoked = "access_token.revoked" v 1;
    }
}

/// An application may act for an hour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// Which application.
    pub application_id: Uuid,
    /// By whose consent; `None` = it acts for itself.
    pub authorization_id: Option<Uuid>,
    /// See [`Application::revocations`], as they were.
    pub revocations: u32,
    /// What it may, sorted, each once.
    pub scopes: Vec<String>,
    /// SHA-256 of its secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
}

/// The refresh token that came with it was used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refreshed {}

/// It was given back (RFC 7009).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revoked {}

/// State of an access token.
#[derive(Debug, Default)]
pub struct AccessToken {
    /// What it is; `None` before it was issued.
    pub issued: Option<Issued>,
    /// Its refresh token was used.
    pub refreshed: bool,
    /// It works no more.
    pub revoked: bool,
}

impl Aggregate for AccessToken {
    type Event = AccessTokenEvent;
    const STREAM: &'static str = "access_token";
    fn apply(&mut self, event: AccessTokenEvent) {
        match event {
            AccessTokenEvent::Issued(e) => self.issued = Some(e),
            AccessTokenEvent::Refreshed(_) => self.refreshed = true,
            AccessTokenEvent::Revoked(_) => self.revoked = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<AccessTokenEvent> {
        tests::samples()
    }
}

impl AccessToken {
    /// By which consent; `None` = none, it acts for itself.
    pub fn authorization(&self) -> Option<Uuid> {
        self.issued.as_ref().and_then(|issued| issued.authorization_id)
    }

    /// What it may now, by what is known of it and of its application; the authorization is for the caller to ask. `None` = nothing.
    pub fn holds(&self, application: &On<Application>, now_us: i64) -> Option<Vec<String>> {
        let issued = self.issued.as_ref().filter(|_| !self.revoked)?;
        let holds = issued.application_id == application.id
            && issued.revocations == application.revocations
            && !application.disabled
            && now_us < issued.expires_at_us;
        // What the application may no more, its tokens may no more.
        let left = issued.scopes.iter().filter(|scope| application.scopes.contains(scope));
        holds.then(|| left.cloned().collect())
    }
}

/// An application gives one of its tokens back. Given back already = nothing to do.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeAccess {}

impl Command for RevokeAccess {
    type On = On<AccessToken>;
    const NAME: &'static str = "revoke_access";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("access.revoke");
    const REJECTS: &'static [&'static str] = &["access_token.unknown"];
    fn decide(self, token: &On<AccessToken>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        token.issued.as_ref().ok_or(Rejection::new("access_token.unknown"))?;
        Ok(if token.revoked { vec![] } else { vec![token.emit(Revoked {})] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const TOKEN: Uuid = Uuid::from_u128(0xa7);

    fn issued() -> Issued {
        let (application_id, scopes) = (ANNA, vec!["documents:read".to_owned()]);
        let expires_at_us = us("2026-11-02T10:00:00+09:00");
        Issued { application_id, authorization_id: None, revocations: 0, scopes, secret_hash: [0; 32], expires_at_us }
    }

    #[test]
    fn one_is_given_back_once() {
        let s = scene().when(TOKEN, RevokeAccess {}).refused("access_token.unknown");
        covered::<RevokeAccess>();
        let s = s.given::<AccessToken>(TOKEN, issued()).when(TOKEN, RevokeAccess {});
        let s = s.then([emit::<AccessToken>(TOKEN, Revoked {})]).when(TOKEN, RevokeAccess {}).then([]);
        assert!(s.now::<AccessToken>(TOKEN).revoked);
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<AccessTokenEvent> {
        let (application_id, authorization_id) = (SAMPLE_ID, Some(SAMPLE_ID));
        let scopes = vec!["documents:read".to_owned()];
        let (secret_hash, expires_at_us) = ([0xab; 32], SAMPLE_US);
        vec![
            Issued { application_id, authorization_id, revocations: 2, scopes, secret_hash, expires_at_us }.into(),
            Refreshed {}.into(),
            Revoked {}.into(),
        ]
    }
}
