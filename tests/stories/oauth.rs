//! Programs that act through OAuth 2.0 (ML-07, ML-08, ML-09): both authorizations, what a token may, and how it is taken away.

use keiin_tests::company::text;
use keiin_tests::oauth::{REDIRECT, VERIFIER, bearer, challenge, form, post, redirected};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server};
use serde_json::{Value, json};

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

fn scopes(all: &[&str]) -> Vec<String> {
    all.iter().map(|scope| (*scope).to_owned()).collect()
}

fn get(company: &Company, token: &Credential, path: &str) -> Answer {
    company.client.send(&token.on(Call::new("GET", path)))
}

/// Kinds of the records about an object, oldest first.
fn kinds(company: &Company, query: &str) -> Vec<String> {
    company.mark();
    let events = company.get(&format!("/v1/events?limit=200&{query}"));
    let mut kinds: Vec<String> =
        events["items"].as_array().expect("a list").iter().map(|event| text(event, "kind")).collect();
    kinds.reverse();
    kinds
}

#[test]
fn ml_07_a_program_acts_for_itself() {
    let (_deployment, _server, company) = company("itself");
    let application = company.new_application(&scopes(&["clients:read", "clients:write", "me:read", "events:read"]));
    let answer = application.ask("/oauth/token", &[("grant_type", "client_credentials")]).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let tokens = answer.json();
    assert_eq!((tokens["token_type"].as_str(), tokens["expires_in"].as_u64()), (Some("Bearer"), Some(3600)));
    assert_eq!(tokens["scope"], "clients:read clients:write events:read me:read");
    assert!(tokens.get("refresh_token").is_none(), "{tokens}");

    // The trail says that the program did it, by its name, on nobody's behalf.
    let token = bearer(&tokens);
    let body = json!({ "name": "Client of a program", "honorific": "onchu" });
    let made = company.client.send(&token.on(Call::new("POST", "/v1/clients").json(&body))).expect(201).json();
    let event = &company.get(&format!("/v1/events?object={}", text(&made, "id")))["items"][0];
    assert_eq!(event["actor"]["kind"], "api_client");
    assert_eq!((&event["actor"]["id"], &event["on_behalf_of"]), (&json!(application.id), &Value::Null));
    assert!(text(&event["actor"], "name").starts_with("Program"));
    let me = get(&company, &token, "/v1/me").expect(200).json();
    assert_eq!((me["role"].as_str(), me["kind"].as_str()), (Some("application"), Some("api_client")));
    let own = get(&company, &token, "/v1/events").expect(200).json();
    assert!(own["items"].as_array().is_some_and(|items| !items.is_empty()), "{own}");

    // HTTP Basic, as most clients do it.
    let basic = format!("{}:{}", application.client_id, application.secret);
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, basic);
    let call = post("/oauth/token", &[("grant_type", "client_credentials"), ("scope", "me:read")]);
    let answer = company.client.send(&call.header("Authorization", &format!("Basic {basic}"))).expect(200);
    assert_eq!(answer.json()["scope"], "me:read");
    assert_eq!(kinds(&company, &format!("object={}", application.id)).len(), 2, "registered, secret issued");
}

#[test]
fn ml_07_a_program_acts_for_a_member_who_consented() {
    let (_deployment, server, company) = company("consent");
    let application = company.new_application(&[]);
    let (member, login) = company.new_member("accountant");
    let challenge = challenge(VERIFIER);
    let fields = application.question("documents:read members:write me:read", &challenge);
    let ask = format!("/oauth/authorize?{}", form(&fields));

    // Without a login one is asked to log in, and comes back.
    let stranger = company.client.get(&ask).expect(303);
    let to = stranger.header("location").expect("somewhere").to_owned();
    assert!(to.starts_with("/login?next=%2Foauth%2Fauthorize%3Fresponse_type"), "{to}");
    let page = get(&company, &login, &ask).expect(200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("form-action 'self' https://app.example;"), "{policy}");
    let page = page.text();
    assert!(
        page.contains("of consentを接続しますか") && page.contains("consent KK") && page.contains("書類を見る"),
        "{page}"
    );

    // No is an answer too, and comes with who gives it (RFC 9207) and the state.
    let deny = [fields.clone(), vec![("decision", "deny")]].concat();
    let denied = company.client.send(&login.on(post("/oauth/authorize", &deny))).expect(303);
    assert_eq!(redirected(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(redirected(&denied, "state").as_deref(), Some("the state"));
    assert_eq!(redirected(&denied, "iss").as_deref(), Some(server.url.as_str()));
    assert!(denied.header("location").expect("somewhere").starts_with(&format!("{REDIRECT}?")));

    let code = application.code(&login, "documents:read members:write me:read");
    let tokens = application.redeem(&code).expect(200).json();
    let token = bearer(&tokens);
    let me = get(&company, &token, "/v1/me").expect(200).json();
    assert_eq!((&me["role"], &me["id"]), (&json!("accountant"), &json!(application.id)));
    get(&company, &token, "/v1/documents").expect(200);
    // ML-08: never more than the scopes, never more than the member.
    assert_eq!(get(&company, &token, "/v1/clients").expect(403).code(), "access.forbidden");
    let invite = json!({ "name": "X", "email": "x@consent.example", "role": "viewer" });
    let invite = Call::new("POST", "/v1/members").key("x").json(&invite);
    assert_eq!(company.client.send(&token.on(invite)).expect(403).code(), "access.forbidden");
    let draft = Call::new("POST", "/v1/documents").json(&company.draft_body(&company.new_client()));
    assert_eq!(company.client.send(&token.on(draft)).expect(403).code(), "access.forbidden");

    // What became of it stands in the trail: the member consented, the program acts on their behalf.
    let authorization = text(&get(&company, &login, "/v1/me/authorizations").expect(200).json()["items"][0], "id");
    assert_eq!(kinds(&company, &format!("object={authorization}")), ["authorization.given", "authorization.redeemed"]);
    let issued = &company.get("/v1/events?kind=access_token.issued")["items"][0];
    assert_eq!(issued["actor"]["id"], json!(application.id));
    assert_eq!(issued["on_behalf_of"]["id"], json!(member));

    // Refreshed: new tokens, and the old access token lives out its hour.
    let next = application.refresh(&text(&tokens, "refresh_token")).expect(200).json();
    assert_ne!(next["refresh_token"], tokens["refresh_token"]);
    get(&company, &bearer(&next), "/v1/documents").expect(200);
    get(&company, &token, "/v1/documents").expect(200);
}

#[test]
fn ml_08_each_service_has_its_own_scopes_and_a_change_is_felt_at_once() {
    let (_deployment, _server, company) = company("scoped");
    let reads = company.new_application(&scopes(&["documents:read", "clients:read"]));
    let token = reads.own_token("documents:read");
    get(&company, &token, "/v1/documents").expect(200);
    let draft = Call::new("POST", "/v1/documents").json(&company.draft_body(&company.new_client()));
    assert_eq!(company.client.send(&token.on(draft)).expect(403).code(), "access.forbidden");
    assert_eq!(get(&company, &token, "/v1/clients").expect(403).code(), "access.forbidden");
    assert!(kinds(&company, &format!("object={}", reads.id)).contains(&"application.secret_issued".to_owned()));
    assert_eq!(kinds(&company, "kind=access.denied").len(), 1, "recorded once a minute, under the program's name");

    // No longer allowed to the program: its tokens lose it, without being revoked.
    let token = reads.own_token("documents:read clients:read");
    get(&company, &token, "/v1/clients").expect(200);
    let path = format!("/v1/applications/{}", reads.id);
    let mut body = company.application_body(&scopes(&["documents:read"]));
    body.as_object_mut().expect("an object").remove("confidential");
    company.ok_logged_in(Call::new("PUT", &path).if_match(&company.etag(&path)).json(&body));
    assert_eq!(get(&company, &token, "/v1/clients").expect(403).code(), "access.forbidden");
    get(&company, &token, "/v1/documents").expect(200);
}

#[test]
fn ml_09_what_is_revoked_is_refused_at_the_next_call() {
    let (_deployment, _server, company) = company("revoked");
    let application = company.new_application(&[]);
    let (member, login) = company.new_member("member");
    let works = |token: &Credential| get(&company, token, "/v1/me").status == 200;
    let connect = || application.connect(&login, "me:read documents:read");

    // RFC 7009: an access token alone.
    let tokens = connect();
    let access = text(&tokens, "access_token");
    assert!(works(&bearer(&tokens)) && application.is_active(&access));
    application.ask("/oauth/revoke", &[("token", &access)]).expect(200);
    assert!(!works(&bearer(&tokens)) && !application.is_active(&access));
    assert_eq!(kinds(&company, "kind=access_token.revoked").len(), 1);
    application.ask("/oauth/revoke", &[("token", &access), ("token_type_hint", "refresh_token")]).expect(200);
    let tokens = application.refresh(&text(&tokens, "refresh_token")).expect(200).json();

    // A refresh token: everything with it.
    assert!(works(&bearer(&tokens)) && application.is_active(&text(&tokens, "refresh_token")));
    application.ask("/oauth/revoke", &[("token", &text(&tokens, "refresh_token"))]).expect(200);
    assert!(!works(&bearer(&tokens)) && !application.is_active(&text(&tokens, "refresh_token")));
    application.refresh(&text(&tokens, "refresh_token")).expect(400);

    // By the member, one connection.
    let (one, two) = (connect(), connect());
    let authorizations = get(&company, &login, "/v1/me/authorizations").expect(200).json();
    assert_eq!(authorizations["items"].as_array().map(Vec::len), Some(2), "{authorizations}");
    let path = format!("/v1/authorizations/{}", text(&authorizations["items"][0], "id"));
    let etag = get(&company, &login, &path).expect(200).etag().to_owned();
    let revoke = Call::new("POST", &format!("{path}/revoke")).if_match(&etag);
    assert_eq!(company.send(revoke.clone()).expect(403).code(), "access.forbidden", "no token takes consents back");
    company.client.send(&login.on(revoke)).expect(200);
    assert!(works(&bearer(&one)) && !works(&bearer(&two)));
    // By the member, all.
    let three = connect();
    let all = company.client.send(&login.on(Call::new("POST", "/v1/me/authorizations/revoke"))).expect(200).json();
    assert_eq!(all["revoked"], 2);
    assert!(!works(&bearer(&one)) && !works(&bearer(&three)));

    // By whoever runs the company: all of the program's.
    let (theirs, own) = (connect(), application.own_token("me:read"));
    let path = format!("/v1/applications/{}", application.id);
    let act = |verb: &str| {
        let call = Call::new("POST", &format!("{path}/{verb}")).if_match(&company.etag(&path));
        company.ok_logged_in(call)
    };
    act("revoke_tokens");
    assert!(!works(&bearer(&theirs)) && !works(&own));
    assert_eq!(get(&company, &own, "/v1/me").code(), "access.unauthenticated");
    application.refresh(&text(&theirs, "refresh_token")).expect(400);
    assert_eq!(kinds(&company, "kind=application.tokens_revoked").len(), 1);
    assert!(works(&bearer(&connect())), "it may ask anew");

    // A new secret shuts the old one out and nothing else.
    let token = application.own_token("me:read");
    let fresh = text(&act("secret"), "secret");
    assert!(works(&token));
    let ask = [("grant_type", "client_credentials")];
    assert_eq!(application.ask("/oauth/token", &ask).expect(401).json()["error"], "invalid_client");
    let application = application.with_secret(&fresh);
    application.ask("/oauth/token", &ask).expect(200);

    // The member may no more: neither may what acts for them. Back again, it may.
    let tokens = application.connect(&login, "me:read");
    let person = format!("/v1/members/{member}");
    let change = |verb: &str, body: Value| {
        company.ok(Call::new("POST", &format!("{person}/{verb}")).if_match(&company.etag(&person)).json(&body));
    };
    change("suspend", json!({ "reason": "For now" }));
    assert!(!works(&bearer(&tokens)) && !application.is_active(&text(&tokens, "access_token")));
    let refused = application.refresh(&text(&tokens, "refresh_token")).expect(400).json();
    assert_eq!(refused["error"], "invalid_grant");
    change("reinstate", json!({}));
    assert!(works(&bearer(&tokens)));
    let tokens = application.refresh(&text(&tokens, "refresh_token")).expect(200).json();
    change("remove", json!({}));
    assert!(!works(&bearer(&tokens)));

    // Shut out for good.
    let own = application.own_token("me:read");
    act("disable");
    assert!(!works(&own));
    assert_eq!(application.ask("/oauth/token", &ask).expect(401).json()["error"], "invalid_client");
}

#[test]
fn what_comes_twice_takes_everything_with_it() {
    let (_deployment, _server, company) = company("twice");
    let application = company.new_application(&[]);
    let works = |token: &Credential| get(&company, token, "/v1/me").status == 200;
    // ML-07: a code that is used again.
    let code = application.code(&company.login, "me:read");
    let tokens = application.redeem(&code).expect(200).json();
    assert!(works(&bearer(&tokens)));
    assert_eq!(application.redeem(&code).expect(400).json()["error"], "invalid_grant");
    assert!(!works(&bearer(&tokens)));
    application.refresh(&text(&tokens, "refresh_token")).expect(400);

    // A refresh token that is used again, though it was the last but one.
    let first = application.connect(&company.login, "me:read");
    let second = application.refresh(&text(&first, "refresh_token")).expect(200).json();
    let third = application.refresh(&text(&second, "refresh_token")).expect(200).json();
    assert!(works(&bearer(&third)));
    assert_eq!(application.refresh(&text(&first, "refresh_token")).expect(400).json()["error"], "invalid_grant");
    assert!(!works(&bearer(&first)) && !works(&bearer(&third)));
    application.refresh(&text(&third, "refresh_token")).expect(400);
    let revoked = company.get("/v1/authorizations?status=revoked");
    let reasons: Vec<_> = revoked["items"].as_array().expect("a list").iter().map(|g| text(g, "ended")).collect();
    assert_eq!(reasons, ["refresh_reused", "code_reused"]);

    // Ten at the same moment: at most one gets tokens, and because others came too, not for long.
    let code = application.code(&company.login, "me:read");
    let (application, code) = (&application, &code);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..10).map(|_| scope.spawn(move || application.redeem(code))).collect();
        all.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
    assert!(!works(&bearer(&won[0].json())));
}

#[test]
fn rfc_8414_what_the_server_says_of_itself_is_what_it_does() {
    let (_deployment, server, company) = company("metadata");
    let answer = company.client.get("/.well-known/oauth-authorization-server").expect(200);
    let said = answer.json();
    assert_eq!(said["issuer"], json!(server.url));
    for endpoint in ["authorization", "token", "revocation", "introspection"] {
        let url = text(&said, &format!("{endpoint}_endpoint"));
        let path = url.strip_prefix(&server.url).expect("an address of ours");
        assert_ne!(company.client.get(path).status, 404, "{path}");
    }
    assert_eq!(said["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(said["response_types_supported"], json!(["code"]));
    assert_eq!(said["authorization_response_iss_parameter_supported"], json!(true));
    assert_eq!(said["grant_types_supported"], json!(["authorization_code", "refresh_token", "client_credentials"]));

    // RFC 7662: what is not active says nothing else.
    let application = company.new_application(&[]);
    let tokens = application.connect(&company.login, "me:read documents:read");
    let about = application.ask("/oauth/introspect", &[("token", &text(&tokens, "access_token"))]).expect(200).json();
    assert_eq!((about["active"].as_bool(), about["scope"].as_str()), (Some(true), Some("documents:read me:read")));
    assert_eq!((&about["client_id"], &about["sub"]), (&json!(application.client_id), &json!(company.owner)));
    let span = about["exp"].as_i64().expect("a time") - about["iat"].as_i64().expect("a time");
    assert_eq!(span, 3600);
    for nothing in ["nonsense", "keiin_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &application.secret] {
        let about = application.ask("/oauth/introspect", &[("token", nothing)]).expect(200).json();
        assert_eq!(about, json!({ "active": false }), "{nothing}");
    }
}
