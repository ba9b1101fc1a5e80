//! Clients that others wrote get along with the server (ML-07): the Rust crate `oauth2`, and Authlib for Python.

use std::process::Command;

use keiin_tests::company::text;
use keiin_tests::oauth::{Application, REDIRECT};
use keiin_tests::{Call, Company, Credential, Deployment, authlib};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IntrospectionUrl,
    PkceCodeChallenge, RedirectUrl, RevocationUrl, Scope, StandardRevocableToken, TokenIntrospectionResponse,
    TokenResponse, TokenUrl,
};
use serde_json::{Value, json};

/// Carries the crate's requests, and follows no redirect.
fn carry(request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).build();
    let (head, mut body) = config.new_agent().run(request)?.into_parts();
    Ok(HttpResponse::from_parts(head, body.read_to_vec()?))
}

fn public(company: &Company) -> Application {
    let mut body = company.application_body(&["me:read".to_owned(), "documents:read".to_owned()]);
    body["confidential"] = json!(false);
    body["grant_types"] = json!(["authorization_code", "refresh_token"]);
    company.application(&body)
}

#[test]
fn ml_07_the_crate_oauth2_does_both_authorizations() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "crate");
    let at = |path: &str| format!("{}{path}", server.url);
    for application in [company.new_application(&[]), public(&company)] {
        let client = BasicClient::new(ClientId::new(application.client_id.clone()))
            .set_auth_uri(AuthUrl::new(at("/oauth/authorize")).expect("an address"))
            .set_token_uri(TokenUrl::new(at("/oauth/token")).expect("an address"))
            .set_introspection_url(IntrospectionUrl::new(at("/oauth/introspect")).expect("an address"))
            .set_revocation_url(RevocationUrl::new(at("/oauth/revoke")).expect("an address"))
            .set_redirect_uri(RedirectUrl::new(REDIRECT.to_owned()).expect("an address"));
        let is_confidential = !application.secret.is_empty();
        let client = match is_confidential {
            true => client.set_client_secret(ClientSecret::new(application.secret.clone())),
            // Without a secret, the name goes into the body.
            false => client.set_auth_type(oauth2::AuthType::RequestBody),
        };
        let works = |secret: &str| {
            let token = Credential::Bearer(secret.to_owned());
            company.client.send(&token.on(Call::new("GET", "/v1/me"))).status == 200
        };
        if is_confidential {
            let own = client.exchange_client_credentials().add_scope(Scope::new("me:read".into()));
            let own = own.request(&carry).expect("a token");
            assert!(works(own.access_token().secret()) && own.refresh_token().is_none());
            assert_eq!(own.scopes().map(|scopes| scopes.len()), Some(1));
        }
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let asked = client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge);
        let (ask, state) = asked.add_scope(Scope::new("me:read".into())).url();
        let login = &company.login;
        let path = ask.as_str().strip_prefix(&server.url).expect("an address of ours");
        company.client.send(&login.on(Call::new("GET", path))).expect(200);
        let form = format!("{}&decision=allow", ask.query().expect("a query"));
        let answer = Call::new("POST", "/oauth/authorize").bytes("application/x-www-form-urlencoded", form);
        let answer = company.client.send(&login.on(answer)).expect(303);
        let given = |name: &str| keiin_tests::oauth::redirected(&answer, name).unwrap_or_default();
        assert_eq!((given("state").as_str(), given("iss").as_str()), (state.secret().as_str(), server.url.as_str()));
        let code = AuthorizationCode::new(given("code"));
        let tokens = client.exchange_code(code).set_pkce_verifier(verifier).request(&carry).expect("tokens");
        assert!(works(tokens.access_token().secret()));
        let refresh_token = tokens.refresh_token().expect("a refresh token");
        let tokens = client.exchange_refresh_token(refresh_token).request(&carry).expect("new tokens");
        assert!(works(tokens.access_token().secret()));
        if is_confidential {
            let about = client.introspect(tokens.access_token()).request(&carry).expect("an answer");
            assert!(about.active() && about.client_id().is_some_and(|id| id.as_str() == application.client_id));
        }
        let refresh_token = tokens.refresh_token().expect("a refresh token").clone();
        // The crate does not send tokens to an address without TLS, so this goes past it.
        assert!(client.revoke_token(StandardRevocableToken::from(refresh_token.clone())).is_err());
        application.ask("/oauth/revoke", &[("token", refresh_token.secret())]).expect(200);
        assert!(!works(tokens.access_token().secret()));
        assert!(client.exchange_refresh_token(&refresh_token).request(&carry).is_err());
    }
}

#[test]
fn ml_07_authlib_does_both_authorizations() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "authlib");
    let (_, login) = company.new_member("accountant");
    let Credential::Cookie(cookie) = &login else { panic!("a login is a cookie") };
    let script = keiin_tests::root().join("tests/authlib/client.py");
    for application in [company.new_application(&[]), public(&company)] {
        let args = [server.url.as_str(), &application.client_id, &application.secret, REDIRECT, cookie];
        let out = Command::new(authlib()).arg(&script).args(args).output().expect("Python runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let seen: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        assert_eq!((text(&seen, "member"), text(&seen, "refreshed")), ("accountant".into(), "accountant".into()));
        assert_eq!((seen["revoked"].as_u64(), text(&seen, "again")), (Some(401), "invalid_grant".into()));
        if !application.secret.is_empty() {
            for method in ["client_secret_basic", "client_secret_post"] {
                assert_eq!(text(&seen, method), "application");
            }
            assert_eq!(seen["active"], true);
        }
    }
}
