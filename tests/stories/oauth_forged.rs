//! OAuth messages that are forged, crossed, twisted or repeated: every one is refused, and nothing is issued by it. What is
//! refused here is each time a request that succeeds with one thing changed.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keiin_tests::company::text;
use keiin_tests::oauth::{Application, REDIRECT, VERIFIER, challenge, form, post, redirected};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, report};
use serde_json::json;

/// Positions of everything that gives somebody something.
fn issued(company: &Company) -> BTreeSet<u64> {
    company.mark();
    let kinds = ["access_token.issued", "authorization.given", "authorization.redeemed"];
    let lists = kinds.map(|kind| company.get(&format!("/v1/events?limit=200&kind={kind}")));
    let items = lists.iter().flat_map(|list| list["items"].as_array().expect("a list"));
    items.map(|event| event["position"].as_u64().expect("a position")).collect()
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The same fields, with one of them otherwise; an empty value takes it away.
fn with<'a>(fields: &[(&'a str, &'a str)], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut changed: Vec<_> = fields.iter().filter(|(n, _)| *n != name).copied().collect();
    if !value.is_empty() {
        changed.push((name, value));
    }
    changed
}

/// A JWT without a signature, and one signed with what is public.
fn jwt(alg: &str) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "iss": "x", "sub": "x", "aud": "x", "exp": 4_000_000_000u64 });
    let signature = if alg == "none" { "" } else { "c2lnbmF0dXJl" };
    format!("{}.{}.{signature}", part(json!({ "alg": alg, "typ": "JWT" })), part(claims))
}

struct Refusals {
    count: usize,
}

impl Refusals {
    /// Refused as the standard words it, with no token in the answer and nothing to keep.
    #[track_caller]
    fn token(&mut self, about: &str, answer: &Answer, status: u16, error: &str) {
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (status, Some(error)),
            "{about}: {}",
            answer.text()
        );
        assert!(answer.json().get("access_token").is_none(), "{about}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{about}");
        self.count += 1;
    }

    /// The browser is sent nowhere else.
    #[track_caller]
    fn page(&mut self, about: &str, answer: &Answer) {
        assert!((400..500).contains(&answer.status), "{about}: {} {:?}", answer.status, answer.header("location"));
        assert_eq!(answer.header("location"), None, "{about}");
        self.count += 1;
    }

    /// The client is told, at its own address, and gets no code.
    #[track_caller]
    fn told(&mut self, about: &str, answer: &Answer, error: &str) {
        let to = answer.header("location").unwrap_or_default();
        assert!(answer.status == 303 && to.starts_with(&format!("{REDIRECT}?")), "{about}: {} {to}", answer.status);
        assert_eq!(redirected(answer, "error").as_deref(), Some(error), "{about}");
        assert!(redirected(answer, "code").is_none() && redirected(answer, "iss").is_some(), "{about}");
        self.count += 1;
    }
}

#[test]
fn every_forged_or_crossed_message_is_refused_and_nothing_is_issued() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let (ours, theirs) = (Company::sign_up(&server, "forged"), Company::sign_up(&server, "crossed"));
    let (app, other) = (ours.new_application(&[]), ours.new_application(&[]));
    let foreign = theirs.new_application(&[]);
    let mut public_body = ours.application_body(&[]);
    public_body["confidential"] = json!(false);
    public_body["grant_types"] = json!(["authorization_code", "refresh_token"]);
    let public = ours.application(&public_body);
    let mut narrow_body = ours.application_body(&["me:read".to_owned()]);
    narrow_body["grant_types"] = json!(["client_credentials"]);
    narrow_body["redirect_uris"] = json!([REDIRECT]);
    let narrow = ours.application(&narrow_body);
    let login = &ours.login;
    let send = |call: &Call| ours.client.send(call);

    let tokens = app.connect(login, "me:read documents:read");
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let code = app.code(login, "me:read");
    let public_code = public.code(login, "me:read");
    let foreign_tokens = foreign.connect(&theirs.login, "me:read");
    let before = (issued(&ours), issued(&theirs));
    let mut seen = Refusals { count: 0 };

    // The token endpoint: a code.
    let good = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let ask = |app: &Application, fields: &[(&str, &str)]| app.ask("/oauth/token", fields);
    seen.token("another client's code", &ask(&other, &good), 400, "invalid_grant");
    seen.token("another company's code", &ask(&foreign, &good), 400, "invalid_grant");
    seen.token("a public client's name for it", &ask(&public, &good), 400, "invalid_grant");
    for uri in ["https://app.example/cb/", "https://app.example/CB", "https://app.example", "https://evil.example/cb"] {
        seen.token(uri, &ask(&app, &with(&good, "redirect_uri", uri)), 400, "invalid_grant");
    }
    seen.token("no redirect URI", &ask(&app, &with(&good, "redirect_uri", "")), 400, "invalid_request");
    let tampered = VERIFIER.replace('d', "e");
    seen.token("another verifier", &ask(&app, &with(&good, "code_verifier", &tampered)), 400, "invalid_grant");
    let hashed = challenge(VERIFIER);
    seen.token("the challenge as verifier", &ask(&app, &with(&good, "code_verifier", &hashed)), 400, "invalid_grant");
    seen.token("no verifier", &ask(&app, &with(&good, "code_verifier", "")), 400, "invalid_request");
    seen.token("a short verifier", &ask(&app, &with(&good, "code_verifier", "short")), 400, "invalid_request");
    let long = "a".repeat(129);
    seen.token("a long verifier", &ask(&app, &with(&good, "code_verifier", &long)), 400, "invalid_request");
    let downgraded = [with(&good, "code_verifier", ""), vec![("code_challenge_method", "plain")]].concat();
    seen.token("a downgrade to no PKCE", &ask(&app, &downgraded), 400, "invalid_request");
    seen.token("a refresh token as code", &ask(&app, &with(&good, "code", &refresh)), 400, "invalid_grant");
    seen.token("an access token as code", &ask(&app, &with(&good, "code", &access)), 400, "invalid_grant");
    seen.token(
        "a guessed code",
        &ask(&app, &with(&good, "code", &format!("keiin_cod_{}", "A".repeat(43)))),
        400,
        "invalid_grant",
    );
    seen.token("no code", &ask(&app, &with(&good, "code", "")), 400, "invalid_request");
    let twice = [&good[..], &[("code", code.as_str())]].concat();
    seen.token("a parameter twice", &ask(&app, &twice), 400, "invalid_request");

    // Who the client is.
    let mine = [("grant_type", "client_credentials"), ("client_id", app.client_id.as_str())];
    let as_client = |secret: &str| send(&post("/oauth/token", &[&mine[..], &[("client_secret", secret)]].concat()));
    seen.token("no secret", &send(&post("/oauth/token", &mine)), 401, "invalid_client");
    seen.token("a wrong secret", &as_client("wrong"), 401, "invalid_client");
    seen.token("another client's secret", &as_client(&other.secret), 401, "invalid_client");
    seen.token("the secret's hash", &as_client(&hashed), 401, "invalid_client");
    seen.token(
        "a name that nobody has",
        &send(&post("/oauth/token", &with(&mine, "client_id", "x.y"))),
        401,
        "invalid_client",
    );
    let elsewhere = format!("{}.{}", theirs.id, app.id);
    let claimed = [("grant_type", "client_credentials"), ("client_id", &elsewhere), ("client_secret", &app.secret)];
    seen.token("the name in another company", &send(&post("/oauth/token", &claimed)), 401, "invalid_client");
    let mixed = |id: &str, body: &[(&str, &str)]| {
        let call = post("/oauth/token", &[&[("grant_type", "client_credentials")], body].concat());
        send(&call.header("Authorization", &basic(id, &app.secret)))
    };
    let both = [("client_secret", app.secret.as_str())];
    seen.token("two ways at once", &mixed(&app.client_id, &both), 400, "invalid_request");
    let other_id = [("client_id", other.client_id.as_str())];
    seen.token("two names", &mixed(&app.client_id, &other_id), 401, "invalid_client");
    let bearer = post("/oauth/token", &mine).header("Authorization", &format!("Bearer {access}"));
    seen.token("a token instead of a secret", &send(&bearer), 401, "invalid_client");
    for alg in ["none", "HS256"] {
        let assertion = jwt(alg);
        let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let fields = [&mine[..], &[kind, ("client_assertion", assertion.as_str())]].concat();
        seen.token(
            &format!("an assertion with alg {alg}"),
            &send(&post("/oauth/token", &fields)),
            401,
            "invalid_client",
        );
    }
    let stolen = with(&with(&good, "code", &public_code), "client_id", &public.client_id);
    let with_secret = [stolen.clone(), vec![("client_secret", app.secret.as_str())]].concat();
    seen.token("a public client with a secret", &send(&post("/oauth/token", &with_secret)), 401, "invalid_client");

    // Grant types and scopes.
    let own = |app: &Application, scope: &str| ask(app, &[("grant_type", "client_credentials"), ("scope", scope)]);
    seen.token("more than it may", &own(&narrow, "me:read documents:write"), 400, "invalid_scope");
    seen.token("a scope that no token has", &own(&app, "tokens:write"), 400, "invalid_scope");
    seen.token("a scope that is none", &own(&app, "*"), 400, "invalid_scope");
    seen.token("a public client for itself", &own(&public, "me:read"), 400, "unauthorized_client");
    seen.token("a code where there are none", &ask(&narrow, &good), 400, "unauthorized_client");
    for kind in ["password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "Client_Credentials"] {
        let fields = [("grant_type", kind), ("username", "owner@forged.example"), ("password", "x")];
        seen.token(kind, &ask(&app, &fields), 400, "unsupported_grant_type");
    }
    seen.token("no grant type", &ask(&app, &[]), 400, "invalid_request");

    // Refreshing.
    let renew = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let more = [&renew[..], &[("scope", "me:read documents:write")]].concat();
    seen.token("more at a refresh", &ask(&app, &more), 400, "invalid_scope");
    seen.token("another client's refresh token", &ask(&other, &renew), 400, "invalid_grant");
    seen.token("another company's refresh token", &ask(&foreign, &renew), 400, "invalid_grant");
    seen.token(
        "an access token to refresh with",
        &ask(&app, &with(&renew, "refresh_token", &access)),
        400,
        "invalid_grant",
    );
    seen.token("a code to refresh with", &ask(&app, &with(&renew, "refresh_token", &code)), 400, "invalid_grant");

    // How it is sent.
    let body = form(&[&mine[..], &[("client_secret", app.secret.as_str())]].concat());
    let in_address = Call::new("GET", &format!("/oauth/token?{body}"));
    assert_eq!(send(&in_address).status, 405);
    let in_address = Call::new("POST", &format!("/oauth/token?{body}")).bytes("application/x-www-form-urlencoded", "");
    seen.token("parameters in the address", &send(&in_address), 400, "invalid_request");
    let as_json = Call::new("POST", "/oauth/token").json(&json!({ "grant_type": "client_credentials" }));
    seen.token("JSON", &send(&as_json), 400, "invalid_request");
    let cross = post("/oauth/token", &mine).header("Sec-Fetch-Site", "cross-site");
    assert_eq!(send(&cross).expect(403).code(), "request.cross_site");
    seen.count += 2;

    // Giving back and asking about what is another's.
    let revoke = other.ask("/oauth/revoke", &[("token", &access)]);
    seen.token("another client gives it back", &revoke, 400, "unauthorized_client");
    let revoke = other.ask("/oauth/revoke", &[("token", &refresh)]);
    seen.token("another client gives the refresh token back", &revoke, 400, "unauthorized_client");
    foreign.ask("/oauth/revoke", &[("token", &refresh)]).expect(200);
    let unknown = public.ask("/oauth/introspect", &[("token", &access)]);
    seen.token("a public client asks about a token", &unknown, 401, "invalid_client");
    for (asker, token) in [(&foreign, &access), (&foreign, &refresh), (&app, &text(&foreign_tokens, "access_token"))] {
        assert!(!asker.is_active(token), "another company's token is nothing");
        seen.count += 1;
    }
    assert!(app.is_active(&access) && app.is_active(&refresh), "none of it harmed what is good");

    // The consent page: whose client, and where to.
    let hash = challenge(VERIFIER);
    let question = app.question("me:read", &hash);
    let look = |fields: &[(&str, &str)], who: &Credential| {
        send(&who.on(Call::new("GET", &format!("/oauth/authorize?{}", form(fields)))))
    };
    let agree = |fields: &[(&str, &str)], who: &Credential| {
        send(&who.on(post("/oauth/authorize", &[fields, &[("decision", "allow")]].concat())))
    };
    look(&question, login).expect(200);
    for uri in [
        "https://app.example/cb/",
        "https://app.example/cb2",
        "https://app.example/CB",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "http://app.example/cb",
        "https://app.example:443/cb",
        "https://app.example:8443/cb",
        "https://app.example/x/../cb",
        "https://app.example/cb#x",
        "https://app.example/cb?x=1",
        "https://me@app.example/cb",
        "https://app.example@evil.example/cb",
        "https://app.example.evil.example/cb",
        "https://evil.example/cb",
        "https://app.example%2fcb",
        "https://app.example/%63b",
        "//app.example/cb",
        "javascript:alert(1)",
        "https://app.example/cb\r\nX: y",
        " https://app.example/cb",
    ] {
        let fields = with(&question, "redirect_uri", uri);
        seen.page(uri, &look(&fields, login));
        seen.page(uri, &agree(&fields, login));
    }
    seen.page("no redirect URI", &look(&with(&question, "redirect_uri", ""), login));
    seen.page("no client", &look(&with(&question, "client_id", ""), login));
    seen.page("a client of another company", &agree(&with(&question, "client_id", &foreign.client_id), login));
    seen.page("a member of another company", &agree(&question, &theirs.login));
    seen.page("an access token instead of a person", &agree(&question, &Credential::Bearer(access.clone())));
    seen.page("a member's own token instead of the member", &agree(&question, &ours.token));
    let twice = [&question[..], &[("redirect_uri", "https://evil.example/cb")]].concat();
    seen.page("a redirect URI twice", &look(&twice, login));
    seen.page("a redirect URI twice", &agree(&twice, login));
    let foreign_form = post("/oauth/authorize", &[&question[..], &[("decision", "allow")]].concat());
    seen.page("a form of another site", &send(&login.on(foreign_form.header("Sec-Fetch-Site", "cross-site"))));
    let stranger = agree(&question, &Credential::Nobody);
    assert!(
        stranger.header("location").is_some_and(|to| to.starts_with("/login")),
        "{:?}",
        stranger.header("location")
    );
    // The client is right and the question is wrong.
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "tooshort", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "s256", "invalid_request"),
        ("scope", "me:read tokens:write", "invalid_scope"),
        ("scope", "everything", "invalid_scope"),
        ("client_id", narrow.client_id.as_str(), "unauthorized_client"),
    ] {
        let fields = with(&question, name, value);
        seen.told(&format!("{name}={value}"), &look(&fields, login), error);
        seen.told(&format!("{name}={value}"), &agree(&fields, login), error);
    }
    let unsigned = jwt("none");
    let object = [&question[..], &[("request", unsigned.as_str())]].concat();
    seen.told("a request object", &agree(&object, login), "request_not_supported");
    let deny = [&question[..], &[("decision", "perhaps")]].concat();
    seen.told("neither yes nor no", &send(&login.on(post("/oauth/authorize", &deny))), "access_denied");

    assert_eq!((issued(&ours), issued(&theirs)), before, "something was issued");
    assert!(seen.count >= 100, "{}", seen.count);
    // What is right is still right: nothing of the above used it up.
    app.redeem(&code).expect(200);
    public.redeem(&public_code).expect(200);
    app.refresh(&refresh).expect(200);
    // Who failed to be a client stands in the trail, in the company's own ledger where the name was known.
    let denied = ours.get("/v1/events?kind=access.denied");
    let whose: BTreeSet<String> =
        denied["items"].as_array().expect("a list").iter().map(|event| text(&event["actor"], "id")).collect();
    assert!(whose.contains(&app.id) && whose.contains(&other.id) && whose.contains(&public.id), "{denied}");
    report!("oauth forged={} issued=0", seen.count);
}
