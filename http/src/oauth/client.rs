//! Which client calls an endpoint, and whether it is that client: by HTTP Basic or in the body for those that can keep a
//! secret, by its name alone for those that cannot (RFC 6749 2.3). Whoever fails is counted and recorded like any denial.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keiin_domain::application::Application;
use keiin_domain::command::On;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::role::Role;
use keiin_domain::security::Security;
use uuid::Uuid;

use super::{Params, Refused};
use crate::app::App;
use crate::execute::Call;
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::{denial, random};

/// A client that has shown who it is.
pub struct Client {
    /// Its company.
    pub ledger: Uuid,
    /// What it is.
    pub application: On<Application>,
}

impl Client {
    /// As the ledger names it, for what no permission covers: the server carries out what the protocol asks for. With the
    /// member on whose behalf it is.
    pub fn principal(&self, member: Option<Uuid>) -> Principal {
        Principal { member, ..Principal::new(self.ledger, actor(self.application.id, Role::System)) }
    }

    /// Writes down that it was refused what it asked for.
    pub async fn denied(&self, app: &App, operation: &str, call: &Call) {
        denial::denied(app, &self.principal(None), operation, call).await;
    }
}

/// An application that acts.
pub fn actor(application: Uuid, role: Role) -> Actor {
    Actor::new(actor_kind::API_CLIENT, application, role)
}

/// The company and the application of a client's name: `<company>.<application>`, as we write it and no other way.
pub fn parts_of(client_id: &str) -> Option<(Uuid, Uuid)> {
    let (ledger, application) = client_id.split_once('.')?;
    let id = |text: &str| Uuid::parse_str(text).ok().filter(|id| id.to_string() == text);
    Some((id(ledger)?, id(application)?))
}

/// The application of this name; `None` if there is none.
pub async fn find(app: &App, client_id: &str) -> Result<Option<Client>, Problem> {
    let Some((ledger, id)) = parts_of(client_id) else { return Ok(None) };
    let application: On<Application> = principal::load(app, ledger, id).await?;
    Ok(application.exists().then_some(Client { ledger, application }))
}

/// What a request says of its client.
struct Claim {
    client_id: String,
    secret: Option<String>,
}

fn claim(head: &Parts, params: &Params) -> Result<Claim, Refused> {
    let given = |name: &str| params.get(name).cloned();
    // A signed assertion is a way that we do not offer; to overlook one would be to let it pass for `none`.
    if given("client_assertion").or(given("client_assertion_type")).is_some() {
        return Err(Refused::client());
    }
    let Some(header) = head.headers.get(AUTHORIZATION) else {
        let client_id = given("client_id").ok_or_else(Refused::client)?;
        return Ok(Claim { client_id, secret: given("client_secret") });
    };
    if head.headers.get_all(AUTHORIZATION).iter().count() > 1 || params.contains_key("client_secret") {
        return Err(Refused::new("invalid_request", "Authenticate in one way only."));
    }
    let basic = header.to_str().ok().and_then(basic).ok_or_else(Refused::client)?;
    match given("client_id") {
        Some(other) if other != basic.client_id => Err(Refused::client()),
        _ => Ok(basic),
    }
}

/// `Basic base64(id:secret)`, both percent-encoded before (RFC 6749 2.3.1).
fn basic(header: &str) -> Option<Claim> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some(Claim { client_id: unescaped(id)?, secret: Some(unescaped(secret)?).filter(|secret| !secret.is_empty()) })
}

/// One value out of `application/x-www-form-urlencoded`.
fn unescaped(text: &str) -> Option<String> {
    if text.contains(['&', '=']) {
        return None;
    }
    let first = form_urlencoded::parse(text.as_bytes()).next();
    Some(first.map(|(value, _)| value.into_owned()).unwrap_or_default())
}

/// The client that sends this. A wrong secret and a name that nobody has are one answer.
pub async fn authenticate(
    app: &App,
    head: &Parts,
    params: &Params,
    operation: &str,
    call: &Call,
) -> Result<Client, Refused> {
    let claim = match claim(head, params) {
        Ok(claim) => claim,
        Err(refused) => {
            denial::denied_stranger(app, operation, call).await;
            guessed(app, call)?;
            return Err(refused);
        }
    };
    let Some(client) = find(app, &claim.client_id).await? else {
        denial::denied_stranger(app, operation, call).await;
        guessed(app, call)?;
        return Err(Refused::client());
    };
    let application = &client.application;
    let shown = match &claim.secret {
        Some(secret) => application.secret_hash == Some(random::hash(secret)),
        None => !application.confidential,
    };
    if !shown || application.disabled {
        client.denied(app, operation, call).await;
        guessed(app, call)?;
        return Err(Refused::client());
    }
    app.limiter.request(format!("{} {}", client.ledger, application.id))?;
    app.limiter.company(client.ledger)?;
    if !principal::load::<Security>(app, client.ledger, client.ledger).await?.allows(call.from()) {
        client.denied(app, operation, call).await;
        return Err(Problem::new("access.network").into());
    }
    Ok(client)
}

/// Only what fails counts as a guess, so that many clients behind one address do not stop each other.
fn guessed(app: &App, call: &Call) -> Result<(), Problem> {
    let ip = call.origin.as_ref().map_or("", |origin| origin.ip.as_str());
    app.limiter.guess(format!("client {ip}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_read_as_the_standard_writes_it() {
        let read = |text: &str| basic(&format!("Basic {}", STANDARD.encode(text))).map(|c| (c.client_id, c.secret));
        assert_eq!(read("a.b:c%2Bd+e"), Some(("a.b".into(), Some("c+d e".into()))));
        assert_eq!(read("a:"), Some(("a".into(), None)));
        assert_eq!(read("a:b:c"), Some(("a".into(), Some("b:c".into()))));
        for bad in ["a", "a&x=1:b", "a=1:b"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(basic("Bearer x").is_none() && basic("Basic ???").is_none() && basic("Basic").is_none());
    }

    #[test]
    fn a_clients_name_is_written_in_one_way() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(0xab));
        assert_eq!(parts_of(&format!("{one}.{two}")), Some((one, two)));
        let upper = format!("{one}.{two}").to_uppercase();
        let simple = format!("{}.{}", one.simple(), two.simple());
        for bad in
            ["", ".", "x.y", &upper, &simple, &format!("{one}"), &format!("{one}.{two}."), &format!(" {one}.{two}")]
        {
            assert_eq!(parts_of(bad), None, "{bad}");
        }
    }
}
