//! Whether an access token holds: asked of the ledger at every use, so that what was taken away a moment ago is away now.

use keiin_domain::access_token::AccessToken;
use keiin_domain::application::Application;
use keiin_domain::authorization::Authorization;
use keiin_domain::command::On;
use keiin_domain::context::Actor;
use keiin_domain::role::Role;
use keiin_eventlog::vault::Entry;
use uuid::Uuid;

use super::client;
use crate::app::App;
use crate::limit::Work;
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::{clock, random};

/// Entry kind of access tokens.
pub const ACCESS: &str = "at";
/// Entry kind of refresh tokens.
pub const REFRESH: &str = "rt";
/// Entry kind of codes.
pub const CODE: &str = "cod";

/// What holds of an access token.
pub struct Held {
    /// The company.
    pub ledger: Uuid,
    /// Whose it is.
    pub application: Uuid,
    /// What it may now.
    pub scopes: Vec<String>,
    /// For whom it acts, with the rights that they have now; `None` = for itself.
    pub member: Option<Actor>,
    /// Until when, microseconds UTC.
    pub expires_at_us: i64,
}

impl Held {
    /// Who acts.
    pub fn principal(&self) -> Principal {
        let scopes = Some(self.scopes.clone());
        // With the member's rights, under the application's name.
        let own = client::actor(self.application, Role::Application);
        let actor = self.member.map_or(own, |member| Actor { kind: own.kind, id: own.id, ..member });
        Principal { member: self.member.map(|member| member.id), scopes, ..Principal::new(self.ledger, actor) }
    }
}

/// The entry of a secret of a kind, if it is one.
pub fn entry(app: &App, kind: &str, secret: &str) -> Result<Option<Entry>, Problem> {
    if random::kind_of(secret) != Some(kind) {
        return Ok(None);
    }
    Ok(app.vault.get(kind, &random::hash(secret))?)
}

/// The access token with this secret, while it holds.
pub async fn by_secret(app: &App, secret: &str) -> Result<Option<Held>, Problem> {
    let Some(entry) = entry(app, ACCESS, secret)? else { return Ok(None) };
    let _turn = app.limiter.turn(entry.ledger, Work::Core).await;
    let token: On<AccessToken> = principal::load(app, entry.ledger, entry.owner).await?;
    let Some(issued) = &token.issued else { return Ok(None) };
    let application: On<Application> = principal::load(app, entry.ledger, issued.application_id).await?;
    let now_us = clock::now_us();
    let Some(scopes) = token.holds(&application, now_us) else { return Ok(None) };
    let member = match issued.authorization_id {
        None => None,
        Some(authorization) => {
            let authorization: On<Authorization> = principal::load(app, entry.ledger, authorization).await?;
            let Some(member) = authorization.holds(&application, now_us).map(|given| given.member_id) else {
                return Ok(None);
            };
            let Some(member) = principal::active(app, entry.ledger, member).await? else { return Ok(None) };
            Some(member)
        }
    };
    let (ledger, expires_at_us) = (entry.ledger, issued.expires_at_us);
    Ok(Some(Held { ledger, application: application.id, scopes, member, expires_at_us }))
}
