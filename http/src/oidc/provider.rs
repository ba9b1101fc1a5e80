//! A provider of identities: what it says about itself, its keys, the exchange of a code, and what it says about somebody
//! (OpenID Connect Core 1.0). The checks of an ID token, section 3.1.3.7, are the library's.
//!
//! Microsoft's own: one configuration serves all directories, so the issuer is a template, `…/{tenantid}/v2.0`. The token
//! names its directory (`tid`), and its issuer must be the one of that directory; so must that of the key, where the key
//! names one. Its `email` may be whatever an administrator typed: it counts only with `xms_edov` or `email_verified`.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use keiin_domain::factor::account::Provider;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AsyncHttpClient, AuthUrl, AuthenticationFlow, AuthorizationCode, ClientId,
    ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdToken,
    IdTokenFields, IdTokenVerifier, IssuerUrl, JsonWebKeySet, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse, TokenUrl,
    http,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::config::oidc::{Client, is_safe};

/// How long what a provider says about itself is believed; keys that it takes back are believed no longer than that.
const FRESH_US: i64 = 10 * 60 * 1_000_000;
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer, bytes.
const ANSWER_MAX: usize = 1 << 20;
/// Most that the provider's clock may be ahead of or behind ours when it says that a token was made just now.
const SKEW_S: i64 = 10 * 60;
/// In an issuer: the directory's id goes here.
const DIRECTORY: &str = "{tenantid}";

/// Why a provider's answer leads nowhere. The texts are for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// It did not answer, or not what a provider answers.
    #[error("not reached: {0}")]
    Unreachable(String),
    /// It answered, and the answer does not hold.
    #[error("its answer does not hold: {0}")]
    Answer(String),
}

fn answer(error: impl std::fmt::Display) -> Wrong {
    Wrong::Answer(error.to_string())
}

fn unreachable(error: impl std::fmt::Display) -> Wrong {
    Wrong::Unreachable(error.to_string())
}

/// What a provider says about itself (OpenID Connect Discovery 1.0).
#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: AuthUrl,
    token_endpoint: TokenUrl,
    jwks_uri: String,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The same, and its keys.
#[derive(Debug)]
pub struct About {
    metadata: Metadata,
    keys: Vec<Value>,
    read_us: i64,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

/// Claims beside the standard ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Extra {
    /// Microsoft: the account's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tid: Option<String>,
    /// Microsoft: the address' domain belongs to that directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xms_edov: Option<Value>,
}

impl AdditionalClaims for Extra {}

type Token = IdToken<Extra, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Asking<Auth, Exchange> = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    Auth,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Exchange,
    EndpointNotSet,
>;

/// What one login is known by on both sides.
pub struct Secrets<'a> {
    /// Comes back with the browser.
    pub state: &'a str,
    /// Comes back in the ID token.
    pub nonce: &'a str,
    /// Proves to the provider who began it (PKCE, RFC 7636).
    pub verifier: &'a str,
    /// Where the browser comes back to.
    pub back: &'a str,
}

/// Whom a provider vouches for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// Which provider.
    pub provider: Provider,
    /// Its own name, as the token had it.
    pub issuer: String,
    /// Who, in the provider's words; means something only with the issuer.
    pub subject: String,
    /// The account's address; may be empty.
    pub address: String,
    /// The provider has made sure that the address is theirs.
    pub is_verified: bool,
}

/// The providers, and what they said about themselves.
pub struct Providers {
    http: reqwest::Client,
    known: Mutex<HashMap<String, Arc<About>>>,
}

impl Providers {
    /// Nothing is asked yet.
    pub fn new() -> anyhow::Result<Providers> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        Ok(Providers { http: http.build()?, known: Mutex::default() })
    }

    /// What a provider says about itself, at most [`FRESH_US`] old.
    pub async fn about(&self, client: &Client, now_us: i64) -> Result<Arc<About>, Wrong> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&client.issuer).cloned();
        match known.filter(|about| (about.read_us..about.read_us + FRESH_US).contains(&now_us)) {
            Some(about) => Ok(about),
            None => self.ask(client, now_us).await,
        }
    }

    async fn ask(&self, client: &Client, now_us: i64) -> Result<Arc<About>, Wrong> {
        let url = format!("{}/.well-known/openid-configuration", client.issuer.trim_end_matches('/'));
        let metadata: Metadata = serde_json::from_slice(&self.get(&url).await?).map_err(unreachable)?;
        if !is_of(&metadata.issuer, &client.issuer) {
            return Err(answer(format!("{} says that it is {}", client.issuer, metadata.issuer)));
        }
        let urls = [metadata.authorization_endpoint.as_str(), metadata.token_endpoint.as_str(), &metadata.jwks_uri];
        if let Some(url) = urls.into_iter().find(|url| !is_safe(url)) {
            return Err(answer(format!("{url} is not https")));
        }
        let Keys { keys } = serde_json::from_slice(&self.get(&metadata.jwks_uri).await?).map_err(unreachable)?;
        let about = Arc::new(About { metadata, keys, read_us: now_us });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(client.issuer.clone(), about.clone());
        Ok(about)
    }

    /// Exchanges a code for an ID token, and reads whom it is about.
    pub async fn identity(
        &self,
        provider: Provider,
        client: &Client,
        secrets: &Secrets<'_>,
        code: String,
        now_us: i64,
    ) -> Result<Identity, Wrong> {
        let about = self.about(client, now_us).await?;
        let asking = about.asking(client, secrets)?;
        let exchange = asking.exchange_code(AuthorizationCode::new(code));
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(secrets.verifier.to_owned()));
        let tokens = exchange.request_async(self).await.map_err(|error| match error {
            RequestTokenError::Request(wrong) => wrong,
            other => answer(other),
        })?;
        let token = tokens.extra_fields().id_token().ok_or_else(|| answer("no ID token"))?;
        let hash_of = |verifier: &IdTokenVerifier<'_, CoreJsonWebKey>| {
            let key = token.signing_key(verifier).map_err(answer)?;
            let alg = token.signing_alg().map_err(answer)?;
            AccessTokenHash::from_token(tokens.access_token(), alg, key).map_err(answer)
        };
        let checked = about.check(provider, client, token, secrets.nonce, &hash_of, now_us);
        // A key that is not known may be a new one. The provider itself brought the token, so nobody else makes us ask.
        if checked.is_err() && about.lacks_key_of(token) {
            let about = self.ask(client, now_us).await?;
            return about.check(provider, client, token, secrets.nonce, &hash_of, now_us);
        }
        checked
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, Wrong> {
        let request = http::Request::get(url).header("accept", "application/json").body(vec![]).map_err(unreachable)?;
        let response = self.send(request).await?;
        match response.status().as_u16() {
            200 => Ok(response.into_body()),
            status => Err(unreachable(format!("{url}: {status}"))),
        }
    }

    /// One request, its answer bounded in length and time. No redirect is followed: secrets go where they were meant to.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Wrong> {
        let request = reqwest::Request::try_from(request).map_err(unreachable)?;
        let mut response = self.http.execute(request).await.map_err(unreachable)?;
        let mut head = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            head = head.header(name, value);
        }
        let mut body = vec![];
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            if body.len() + part.len() > ANSWER_MAX {
                return Err(unreachable("its answer is too long"));
            }
            body.extend_from_slice(&part);
        }
        head.body(body).map_err(unreachable)
    }
}

/// For the library's own requests.
impl<'c> AsyncHttpClient<'c> for Providers {
    type Error = Wrong;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Wrong>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl About {
    fn asking(&self, client: &Client, secrets: &Secrets<'_>) -> Result<Asking<EndpointSet, EndpointSet>, Wrong> {
        let id = ClientId::new(client.client_id.clone());
        // Signatures are checked elsewhere, with the keys of that moment.
        let issuer = IssuerUrl::new(client.issuer.clone()).map_err(answer)?;
        let asking = Asking::<EndpointNotSet, EndpointNotSet>::new(id, issuer, JsonWebKeySet::new(vec![]));
        let back = RedirectUrl::new(secrets.back.to_owned()).map_err(answer)?;
        let asking = asking.set_client_secret(ClientSecret::new(client.client_secret.clone())).set_redirect_uri(back);
        let Metadata { authorization_endpoint, token_endpoint, .. } = self.metadata.clone();
        Ok(asking.set_auth_uri(authorization_endpoint).set_token_uri(token_endpoint))
    }

    /// Where the browser goes.
    pub fn url(&self, client: &Client, secrets: &Secrets<'_>) -> Result<String, Wrong> {
        let (state, nonce) = (CsrfToken::new(secrets.state.to_owned()), Nonce::new(secrets.nonce.to_owned()));
        let verifier = PkceCodeVerifier::new(secrets.verifier.to_owned());
        let asking = self.asking(client, secrets)?;
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let asked = asking.authorize_url(flow, || state, || nonce).add_scope(Scope::new("email".into()));
        let asked = asked.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        let (url, _, _) = asked.add_prompt(CoreAuthPrompt::SelectAccount).url();
        Ok(url.into())
    }

    /// Does the way back come from this provider (RFC 9207)? Whoever says that they name themselves must.
    pub fn sent(&self, iss: Option<&str>) -> bool {
        match iss {
            Some(iss) => is_of(&self.metadata.issuer, iss) || iss_of_directory(&self.metadata.issuer, iss),
            None => !self.metadata.authorization_response_iss_parameter_supported,
        }
    }

    fn lacks_key_of(&self, token: &Token) -> bool {
        let header = token.to_string();
        let header = header.split('.').next().and_then(|part| {
            use base64::Engine;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok()
        });
        let header: Option<Value> = header.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        header.is_some_and(|header| !self.keys.iter().any(|key| key["kid"] == header["kid"]))
    }

    fn check(
        &self,
        provider: Provider,
        client: &Client,
        token: &Token,
        nonce: &str,
        hash_of: &dyn Fn(&IdTokenVerifier<'_, CoreJsonWebKey>) -> Result<AccessTokenHash, Wrong>,
        now_us: i64,
    ) -> Result<Identity, Wrong> {
        let issuer = self.issuer_for(token)?;
        let of_issuer = |key: &&Value| key["issuer"].as_str().is_none_or(|of| fits(of, &issuer));
        let keys = self.keys.iter().filter(of_issuer).filter_map(|key| serde_json::from_value(key.clone()).ok());
        let keys = JsonWebKeySet::<CoreJsonWebKey>::new(keys.collect());
        let (id, secret) = (ClientId::new(client.client_id.clone()), ClientSecret::new(client.client_secret.clone()));
        let url = IssuerUrl::new(issuer.clone()).map_err(answer)?;
        let now = DateTime::<Utc>::from_timestamp_micros(now_us).ok_or_else(|| answer("no time"))?;
        let verifier = IdTokenVerifier::new_confidential_client(id, secret, url, keys)
            .set_allowed_algs([CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256])
            .set_time_fn(move || now)
            .set_issue_time_verifier_fn(move |at| match (now - at).num_seconds().abs() <= SKEW_S {
                true => Ok(()),
                false => Err("not made just now".to_owned()),
            });
        let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned())).map_err(answer)?;
        if let Some(expected) = claims.access_token_hash()
            && hash_of(&verifier)? != *expected
        {
            return Err(answer("it belongs to another access token"));
        }
        let owned = match &claims.additional_claims().xms_edov {
            Some(Value::Bool(owned)) => *owned,
            Some(Value::Number(number)) => number.as_u64() == Some(1),
            Some(Value::String(text)) => text == "1" || text == "true",
            _ => false,
        };
        Ok(Identity {
            provider,
            issuer,
            subject: claims.subject().to_string(),
            address: claims.email().map(|email| email.to_string()).unwrap_or_default(),
            is_verified: claims.email_verified() == Some(true) || (provider == Provider::Microsoft && owned),
        })
    }

    /// The issuer that the token must have. Where that is a template, the token says which directory it is of: read
    /// before anything is checked, and checked with all the rest.
    fn issuer_for(&self, token: &Token) -> Result<String, Wrong> {
        let issuer = &self.metadata.issuer;
        if !issuer.contains(DIRECTORY) {
            return Ok(issuer.clone());
        }
        let unchecked = IdTokenVerifier::<CoreJsonWebKey>::new_insecure_without_verification();
        let any_nonce = |_: Option<&Nonce>| Ok(());
        let claims = token.claims(&unchecked, any_nonce).map_err(answer)?;
        let tid = claims.additional_claims().tid.as_deref().filter(|tid| is_directory(tid));
        Ok(issuer.replace(DIRECTORY, tid.ok_or_else(|| answer("it names no directory"))?))
    }
}

fn is_directory(text: &str) -> bool {
    Uuid::parse_str(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}

/// Is a provider that calls itself `said` the one that we mean? One that serves all directories calls itself by a template.
fn is_of(said: &str, meant: &str) -> bool {
    let all = said.split_once(DIRECTORY).and_then(|(before, after)| meant.strip_prefix(before)?.strip_suffix(after));
    said == meant || all.is_some_and(|all| matches!(all, "organizations" | "common"))
}

fn iss_of_directory(template: &str, iss: &str) -> bool {
    let directory =
        template.split_once(DIRECTORY).and_then(|(before, after)| iss.strip_prefix(before)?.strip_suffix(after));
    directory.is_some_and(is_directory)
}

/// Is a key that names this issuer one of the issuer's? A template fits every directory's.
fn fits(of: &str, issuer: &str) -> bool {
    of == issuer || iss_of_directory(of, issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
    const ONE: &str = "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0";

    #[test]
    fn a_template_is_the_provider_of_all_directories_and_of_nothing_else() {
        assert!(is_of(ALL, "https://login.microsoftonline.com/organizations/v2.0"));
        assert!(is_of("https://accounts.google.com", "https://accounts.google.com"));
        assert!(is_of(ONE, ONE));
        for meant in [ONE, "https://login.microsoftonline.com//v2.0", "https://evil.example/organizations/v2.0"] {
            assert!(!is_of(ALL, meant), "{meant}");
        }
        assert!(!is_of("https://evil.example", "https://accounts.google.com"));
    }

    #[test]
    fn keys_and_ways_back_belong_to_a_directory() {
        assert!(fits(ALL, ONE) && fits(ONE, ONE));
        assert!(
            !fits(ONE, &ONE.replace('8', "9")) && !fits(ALL, "https://login.microsoftonline.com/organizations/v2.0")
        );
        assert!(!iss_of_directory(ALL, &ONE.to_uppercase()) && !iss_of_directory("https://accounts.google.com", ONE));
    }
}
