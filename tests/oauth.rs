//! Programs that act through OAuth 2.0: an application of a company, and what a member's browser does for it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{Answer, Call, Client};
use crate::company::{Company, Credential, text};

/// Where codes are sent. Nobody listens there: the browser's part reads the redirect itself.
pub const REDIRECT: &str = "https://app.example/cb";
/// What proves that whoever brings a code asked for it.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// An application with its credentials.
#[derive(Clone)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// By which it names itself.
    pub client_id: String,
    /// Its secret; empty for a public one.
    pub secret: String,
    client: Client,
}

impl Company {
    /// What `register_application` takes: confidential, in every way, with these scopes; all there are if none.
    pub fn application_body(&self, scopes: &[String]) -> Value {
        let all: Vec<String> = keiin_domain::catalog::scopes().into_iter().collect();
        json!({
            "name": format!("Program {} of {}", self.next(), self.slug), "confidential": true,
            "redirect_uris": [REDIRECT], "scopes": if scopes.is_empty() { &all } else { scopes },
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        })
    }

    /// A confidential application.
    pub fn new_application(&self, scopes: &[String]) -> Application {
        self.application(&self.application_body(scopes))
    }

    /// An application.
    #[track_caller]
    pub fn application(&self, body: &Value) -> Application {
        let made = self.ok_logged_in(Call::new("POST", "/v1/applications").json(body));
        Application {
            id: text(&made, "id"),
            client_id: text(&made, "client_id"),
            secret: made["secret"].as_str().unwrap_or_default().to_owned(),
            client: self.client.clone(),
        }
    }

    /// An authorization of the owner.
    pub fn new_authorization(&self) -> String {
        let application = self.new_application(&[]);
        application.connect(&self.login, "me:read");
        // What a program did is read a moment later.
        self.mark();
        let authorizations =
            self.client.send(&self.login.on(Call::new("GET", "/v1/me/authorizations?limit=1"))).expect(200).json();
        text(&authorizations["items"][0], "id")
    }
}

/// Fields of a form or a query.
pub fn form(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect::<Vec<_>>().join("&")
}

/// The S256 challenge of a verifier.
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// A parameter of the address that an answer redirects to.
pub fn redirected(answer: &Answer, name: &str) -> Option<String> {
    let (_, query) = answer.header("location")?.split_once('?')?;
    let raw = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

impl Application {
    /// The same with another secret.
    pub fn with_secret(&self, secret: &str) -> Application {
        Application { secret: secret.to_owned(), ..self.clone() }
    }

    /// What the browser brings to `/oauth/authorize`.
    pub fn question<'a>(&'a self, scope: &'a str, challenge: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("state", "the state"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]
    }

    /// A member consents; the code.
    #[track_caller]
    pub fn code(&self, login: &Credential, scope: &str) -> String {
        let challenge = challenge(VERIFIER);
        let mut fields = self.question(scope, &challenge);
        let ask = Call::new("GET", &format!("/oauth/authorize?{}", form(&fields)));
        let page = self.client.send(&login.on(ask));
        assert_eq!(page.status, 200, "{}", page.text());
        fields.push(("decision", "allow"));
        let answer = self.client.send(&login.on(post("/oauth/authorize", &fields))).expect(303);
        redirected(&answer, "code").unwrap_or_else(|| panic!("no code: {:?}", answer.header("location")))
    }

    /// A request to an endpoint, with the client's secret in the body.
    pub fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", self.client_id.as_str())];
        if !self.secret.is_empty() {
            all.push(("client_secret", &self.secret));
        }
        all.extend(fields);
        self.client.send(&post(path, &all))
    }

    /// Exchanges a code.
    pub fn redeem(&self, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.ask("/oauth/token", &fields)
    }

    /// Exchanges a refresh token.
    pub fn refresh(&self, refresh_token: &str) -> Answer {
        self.ask("/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    /// From consent to tokens.
    #[track_caller]
    pub fn connect(&self, login: &Credential, scope: &str) -> Value {
        self.redeem(&self.code(login, scope)).expect(200).json()
    }

    /// A token to act for itself; every scope if none is named.
    #[track_caller]
    pub fn own_token(&self, scope: &str) -> Credential {
        let answer = self.ask("/oauth/token", &[("grant_type", "client_credentials"), ("scope", scope)]).expect(200);
        bearer(&answer.json())
    }

    /// Is this token worth anything?
    #[track_caller]
    pub fn is_active(&self, token: &str) -> bool {
        self.ask("/oauth/introspect", &[("token", token)]).expect(200).json()["active"] == true
    }
}

/// The access token of an answer.
#[track_caller]
pub fn bearer(tokens: &Value) -> Credential {
    Credential::Bearer(text(tokens, "access_token"))
}

/// A form.
pub fn post(path: &str, fields: &[(&str, &str)]) -> Call {
    Call::new("POST", path).bytes("application/x-www-form-urlencoded", form(fields))
}
