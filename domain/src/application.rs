//! Applications: programs that act through OAuth 2.0, each with its own scopes, one for each connected service. Anybody's
//! consent lets one act for them ([`crate::authorization`]); with `client_credentials` it acts for itself.
//!
//! What makes a create unique: nothing but its id. Its secret is shown once.

mod redirect;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::redirect::is_redirect_uri;
use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::{catalog, codes, events, text};

/// Most redirect URIs of an application.
pub const REDIRECT_URIS_MAX: usize = 10;

events! {
    /// What happens to an application.
    ApplicationEvent {
        Registered = "application.registered" v 1;
        Changed = "application.changed" v 1;
        SecretIssued = "application.secret_issued" v 1;
        TokensRevoked = "application.tokens_revoked" v 1;
        Disabled = "application.disabled" v 1;
    }
}

codes! {
    /// How an application comes by access tokens (RFC 6749).
    GrantType {
        /// A member consents in the browser; always with PKCE.
        AuthorizationCode = 1 "authorization_code",
        /// New tokens without the member, until the consent ends.
        RefreshToken = 2 "refresh_token",
        /// The application acts for itself.
        ClientCredentials = 3 "client_credentials",
    }
}

/// An application was made known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// What people call it; the consent page shows it.
    pub name: String,
    /// It can keep a secret: it runs on a server, not in a browser or on a phone.
    pub confidential: bool,
    /// Where the browser may be sent after a consent; compared letter by letter.
    pub redirect_uris: Vec<String>,
    /// Most that it may ever do, sorted, each once.
    pub scopes: Vec<String>,
    /// Sorted, each once.
    pub grant_types: Vec<GrantType>,
}

/// It is called otherwise, or may do other things. Tokens that it has feel that at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// See [`Registered::name`].
    pub name: String,
    /// See [`Registered::redirect_uris`].
    pub redirect_uris: Vec<String>,
    /// See [`Registered::scopes`].
    pub scopes: Vec<String>,
    /// See [`Registered::grant_types`].
    pub grant_types: Vec<GrantType>,
}

/// It has a new secret; the one before is worth nothing from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecretIssued {
    /// SHA-256 of the secret.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
}

/// Every token and every consent that it had is worth nothing from now on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokensRevoked {}

/// It may nothing more, for good.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Disabled {}

/// State of an application.
#[derive(Debug, Default)]
pub struct Application {
    /// See [`Registered::name`].
    pub name: String,
    /// See [`Registered::confidential`].
    pub confidential: bool,
    /// See [`Registered::redirect_uris`].
    pub redirect_uris: Vec<String>,
    /// See [`Registered::scopes`].
    pub scopes: Vec<String>,
    /// See [`Registered::grant_types`].
    pub grant_types: Vec<GrantType>,
    /// SHA-256 of its secret; `None` = a public client has none.
    pub secret_hash: Option<[u8; 32]>,
    /// How often all of its tokens were revoked: a token that was made before a revocation remembers a smaller number.
    pub revocations: u32,
    /// It may nothing more.
    pub disabled: bool,
}

impl Aggregate for Application {
    type Event = ApplicationEvent;
    const STREAM: &'static str = "application";
    fn apply(&mut self, event: ApplicationEvent) {
        match event {
            ApplicationEvent::Registered(e) => {
                (self.name, self.confidential, self.redirect_uris) = (e.name, e.confidential, e.redirect_uris);
                (self.scopes, self.grant_types) = (e.scopes, e.grant_types);
            }
            ApplicationEvent::Changed(e) => {
                (self.name, self.redirect_uris) = (e.name, e.redirect_uris);
                (self.scopes, self.grant_types) = (e.scopes, e.grant_types);
            }
            ApplicationEvent::SecretIssued(e) => self.secret_hash = Some(e.secret_hash),
            ApplicationEvent::TokensRevoked(_) => self.revocations += 1,
            ApplicationEvent::Disabled(_) => self.disabled = true,
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<ApplicationEvent> {
        tests::samples()
    }
}

impl On<Application> {
    /// May it do anything at all?
    pub fn must_be_enabled(&self) -> Result<(), Rejection> {
        if !self.exists() {
            return Err(Rejection::new("application.unknown"));
        }
        if self.disabled { Err(Rejection::new("application.disabled")) } else { Ok(()) }
    }

    /// Does it come by tokens in this way?
    pub fn must_use(&self, grant_type: GrantType) -> Result<(), Rejection> {
        self.must_be_enabled()?;
        if self.grant_types.contains(&grant_type) { Ok(()) } else { Err(Rejection::new("application.grant_type")) }
    }

    /// What it asks for, within what it may; all that it may where it names nothing. Sorted, each once.
    pub fn scopes_of(&self, asked: Option<&[String]>) -> Result<Vec<String>, Rejection> {
        within(asked, &self.scopes)
    }
}

/// What is asked for, if all of it is among `most`; `most` where nothing is named. Sorted, each once.
pub fn within(asked: Option<&[String]>, most: &[String]) -> Result<Vec<String>, Rejection> {
    let mut scopes = asked.unwrap_or(most).to_vec();
    if scopes.is_empty() || scopes.iter().any(|scope| !most.contains(scope)) {
        return Err(Rejection::new("application.scope"));
    }
    scopes.sort();
    scopes.dedup();
    Ok(scopes)
}

/// What both registering and changing say, checked and in order.
fn checked(
    name: &str,
    confidential: bool,
    redirect_uris: Vec<String>,
    mut scopes: Vec<String>,
    mut grant_types: Vec<GrantType>,
) -> Result<Changed, Rejection> {
    let name = text::line(name, "/name", 60)?;
    if redirect_uris.len() > REDIRECT_URIS_MAX {
        return Err(Rejection::at("application.too_many_redirect_uris", "/redirect_uris"));
    }
    if let Some(i) = redirect_uris.iter().position(|uri| !is_redirect_uri(uri)) {
        return Err(Rejection::at("application.bad_redirect_uri", format!("/redirect_uris/{i}")));
    }
    if scopes.is_empty() {
        return Err(Rejection::at("application.no_scopes", "/scopes"));
    }
    let known = catalog::scopes();
    if let Some(i) = scopes.iter().position(|scope| !known.contains(scope)) {
        return Err(Rejection::at("application.unknown_scope", format!("/scopes/{i}")));
    }
    scopes.sort();
    scopes.dedup();
    grant_types.sort();
    grant_types.dedup();
    let uses = |grant_type| grant_types.contains(&grant_type);
    let code = uses(GrantType::AuthorizationCode);
    // Who cannot keep a secret cannot show that it acts for itself; without a consent there is nothing to renew.
    let stray = uses(GrantType::ClientCredentials) && !confidential || uses(GrantType::RefreshToken) && !code;
    if grant_types.is_empty() || stray {
        return Err(Rejection::at("application.bad_grant_types", "/grant_types"));
    }
    if code && redirect_uris.is_empty() {
        return Err(Rejection::at("application.no_redirect_uri", "/redirect_uris"));
    }
    Ok(Changed { name, redirect_uris, scopes, grant_types })
}

/// What [`checked`] rejects with, and what both commands do.
const REFUSED: &[&str] = &[
    "access.confirm_first",
    "application.too_many_redirect_uris",
    "application.bad_redirect_uri",
    "application.no_scopes",
    "application.unknown_scope",
    "application.bad_grant_types",
    "application.no_redirect_uri",
    "text.required",
    "text.too_long",
    "text.control_character",
];

/// Makes a program known that acts through OAuth 2.0. Its secret, if it can keep one, is shown once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterApplication {
    /// What people call it, at most 60 characters; the consent page shows it.
    pub name: String,
    /// It can keep a secret: it runs on a server, not in a browser or on a phone.
    pub confidential: bool,
    /// At most 10 of 500 characters: https, http on this machine itself, or an app's own scheme with a dot in it. Compared
    /// letter by letter; needed for `authorization_code`.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// `<nouns>:read` or `<nouns>:write`, at least one: the most that it may ever do.
    pub scopes: Vec<String>,
    /// How it comes by tokens, at least one.
    pub grant_types: Vec<GrantType>,
}

impl Command for RegisterApplication {
    type On = On<Application>;
    const NAME: &'static str = "register_application";
    const ROUTE: Route = Route::create("/v1/applications");
    const PERMISSION: Permission = Permission("application.register");
    const REJECTS: &'static [&'static str] = REFUSED;
    fn decide(self, application: &On<Application>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        let Changed { name, redirect_uris, scopes, grant_types } =
            checked(&self.name, self.confidential, self.redirect_uris, self.scopes, self.grant_types)?;
        let confidential = self.confidential;
        let mut emits = vec![application.emit(Registered { name, confidential, redirect_uris, scopes, grant_types })];
        if confidential {
            emits.push(application.emit(SecretIssued { secret_hash: ctx.world.secret("app", application.id) }));
        }
        Ok(emits)
    }
}

/// Says anew what an application is called, where it is reached and what it may at most. What it may no more, its tokens may
/// no more at once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeApplication {
    /// What people call it, at most 60 characters.
    pub name: String,
    /// All of them.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// All of them.
    pub scopes: Vec<String>,
    /// All of them.
    pub grant_types: Vec<GrantType>,
}

impl Command for ChangeApplication {
    type On = On<Application>;
    const NAME: &'static str = "change_application";
    const ROUTE: Route = Route::put("/v1/applications/{id}");
    const PERMISSION: Permission = Permission("application.change");
    const REJECTS: &'static [&'static str] = &[
        "application.unknown",
        "application.disabled",
        "access.confirm_first",
        "application.too_many_redirect_uris",
        "application.bad_redirect_uri",
        "application.no_scopes",
        "application.unknown_scope",
        "application.bad_grant_types",
        "application.no_redirect_uri",
        "text.required",
        "text.too_long",
        "text.control_character",
    ];
    fn decide(self, application: &On<Application>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        application.must_be_enabled()?;
        ctx.must_be_fresh()?;
        let confidential = application.confidential;
        let changed = checked(&self.name, confidential, self.redirect_uris, self.scopes, self.grant_types)?;
        let is_same = (&changed.name, &changed.redirect_uris, &changed.scopes, &changed.grant_types)
            == (&application.name, &application.redirect_uris, &application.scopes, &application.grant_types);
        Ok(if is_same { vec![] } else { vec![application.emit(changed)] })
    }
}

/// Gives a confidential application a new secret, shown once. The one before is worth nothing at once; tokens live on.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateApplicationSecret {}

impl Command for RotateApplicationSecret {
    type On = On<Application>;
    const NAME: &'static str = "rotate_application_secret";
    const ROUTE: Route = Route::post("/v1/applications/{id}/secret");
    const PERMISSION: Permission = Permission("application.change");
    const REJECTS: &'static [&'static str] =
        &["application.unknown", "application.disabled", "application.public", "access.confirm_first"];
    fn decide(self, application: &On<Application>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        application.must_be_enabled()?;
        ctx.must_be_fresh()?;
        if !application.confidential {
            return Err(Rejection::new("application.public"));
        }
        Ok(vec![application.emit(SecretIssued { secret_hash: ctx.world.secret("app", application.id) })])
    }
}

/// Makes every token and every consent of an application worthless at once (ML-09). It may ask anew.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeApplicationTokens {}

impl Command for RevokeApplicationTokens {
    type On = On<Application>;
    const NAME: &'static str = "revoke_application_tokens";
    const ROUTE: Route = Route::post("/v1/applications/{id}/revoke_tokens");
    const PERMISSION: Permission = Permission("application.revoke");
    const REJECTS: &'static [&'static str] = &["application.unknown", "application.disabled"];
    fn decide(self, application: &On<Application>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        application.must_be_enabled()?;
        Ok(vec![application.emit(TokensRevoked {})])
    }
}

/// Shuts an application out at once and for good.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableApplication {}

impl Command for DisableApplication {
    type On = On<Application>;
    const NAME: &'static str = "disable_application";
    const ROUTE: Route = Route::post("/v1/applications/{id}/disable");
    const PERMISSION: Permission = Permission("application.revoke");
    const REJECTS: &'static [&'static str] = &["application.unknown", "application.disabled"];
    fn decide(self, application: &On<Application>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        application.must_be_enabled()?;
        Ok(vec![application.emit(Disabled {})])
    }
}
