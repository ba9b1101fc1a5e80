//! Passkeys (RN-23, FM-30): one is a login by itself and a second factor; what is forged, replayed or copied is refused.

use keiin_tests::company::{PASSWORD, cookie, text};
use keiin_tests::passkey::{PRESENT, SoftKey};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server, report};
use serde_json::{Value, json};

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

fn as_login(company: &Company, login: &Credential, call: Call) -> Answer {
    company.client.send(&login.on(call))
}

fn member(company: &Company) -> (String, String, Credential) {
    let (id, login) = company.new_member("member");
    let email = text(&company.get(&format!("/v1/members/{id}")), "email");
    (id, email, login)
}

fn events(company: &Company, kind: &str) -> Vec<Value> {
    company.mark();
    let found = company.get(&format!("/v1/events?kind={kind}&limit=200"));
    found["items"].as_array().expect("a list").clone()
}

/// Why logins were refused, newest first.
fn refusals(company: &Company) -> Vec<String> {
    let reason = |event: &Value| {
        let detail = company.get(&format!("/v1/events/{}", event["position"]));
        text(&detail["event"], "reason")
    };
    events(company, "session.refused").iter().map(reason).collect()
}

#[test]
fn rn_23_a_passkey_alone_is_a_login_with_two_factors() {
    let (_deployment, _server, company) = company("keys");
    let (id, email, login) = member(&company);
    let (mut key, made) = company.new_passkey(&login);
    assert_eq!(made["recovery_codes"].as_array().map(Vec::len), Some(10), "{made}");
    let mine = as_login(&company, &login, Call::new("GET", "/v1/me/passkeys")).expect(200).json();
    assert_eq!(mine["items"].as_array().map(Vec::len), Some(1), "{mine}");
    // The second brings no new codes.
    assert!(company.new_passkey(&login).1.get("recovery_codes").is_none());

    let answer = company.log_in_by_passkey(&mut key).expect(201);
    assert_eq!((text(&answer.json(), "id"), &answer.json()["second_factor"]), (id.clone(), &json!(true)));
    company.mark();
    let sessions = as_login(&company, &cookie(&answer), Call::new("GET", "/v1/sessions")).expect(200).json();
    let newest = &sessions["items"][0];
    assert_eq!((text(newest, "method"), &newest["second_factor"]), ("passkey".to_owned(), &json!(true)));

    // Where the company requires a second factor, it is one.
    let (mut owners, _) = company.new_passkey(&company.login);
    let require = Call::new("POST", "/v1/security").json(&json!({ "second_factor_required": true }));
    company.ok_logged_in(require);
    let inside = cookie(&company.log_in_by_passkey(&mut key).expect(201));
    as_login(&company, &inside, Call::new("GET", "/v1/clients")).expect(200);
    let owner = cookie(&company.log_in_by_passkey(&mut owners).expect(201));
    as_login(&company, &owner, Call::new("GET", "/v1/members")).expect(200);

    for kind in ["factor.passkey_added", "factor.passkey_used", "factor.recovery_codes_issued", "session.confirmed"] {
        assert!(!events(&company, kind).is_empty(), "{kind}");
    }
    // Whoever may not act does not come in by it either.
    let path = format!("/v1/members/{id}");
    let suspend = Call::new("POST", &format!("{path}/suspend")).if_match(&company.etag(&path));
    company.ok(suspend.json(&json!({ "reason": "x" })));
    assert_eq!(company.log_in_by_passkey(&mut key).expect(401).code(), "access.wrong_passkey");
    assert!(!email.is_empty());
}

#[test]
fn rn_23_a_passkey_is_the_second_step_and_the_confirmation() {
    let (_deployment, _server, company) = company("steps");
    let (_, email, login) = member(&company);
    let (mut key, made) = company.new_passkey(&login);
    let (_, _, other) = member(&company);
    let (mut others, _) = company.new_passkey(&other);

    let body = json!({ "email": email, "password": PASSWORD, "company": company.slug });
    let first = company.client.post("/v1/sessions", &body).expect(202).json();
    assert_eq!(first["factors"], json!(["passkey", "recovery_code"]));
    let second = |pending: &str, key: &mut SoftKey| {
        let mut proof = company.passkey_proof(key);
        proof["pending"] = json!(pending);
        company.client.post("/v1/sessions/passkey", &proof)
    };
    assert_eq!(second(&company.pending(&email), &mut others).expect(401).code(), "access.wrong_passkey");
    assert_eq!(second("keiin_pnd_x", &mut key).expect(410).code(), "access.gone");
    let pending = company.pending(&email);
    let inside = cookie(&second(&pending, &mut key).expect(201));
    second(&pending, &mut key).expect(410);
    // A recovery code does as well; six digits are no app's.
    let code = |code: &str| {
        let body = json!({ "pending": company.pending(&email), "code": code });
        company.client.post("/v1/sessions/code", &body)
    };
    code("123456").expect(401);
    code(made["recovery_codes"][0].as_str().expect("a code")).expect(201);

    // Step-up: the secret changes, and only one's own passkey will do.
    let confirm = |key: &mut SoftKey| {
        let proof = company.passkey_proof(key);
        as_login(&company, &inside, Call::new("POST", "/v1/me/confirm/passkey").json(&proof))
    };
    assert_eq!(confirm(&mut others).expect(401).code(), "access.wrong_passkey");
    let confirmed = confirm(&mut key).expect(200);
    assert_eq!(confirmed.json()["is_fresh"], json!(true));
    as_login(&company, &inside, Call::new("GET", "/v1/me")).expect(401);
    as_login(&company, &cookie(&confirmed), Call::new("GET", "/v1/me")).expect(200);
}

#[test]
fn what_is_forged_or_replayed_is_refused_and_written_down() {
    let (_deployment, _server, company) = company("forged");
    let (_, _, login) = member(&company);
    let (mut key, _) = company.new_passkey(&login);
    let (_, _, other) = member(&company);
    let (others, _) = company.new_passkey(&other);
    let send = |body: &Value| company.client.post("/v1/sessions/passkey", body);

    let good = company.passkey_proof(&mut key);
    send(&good).expect(201);
    assert_eq!(send(&good).expect(410).code(), "access.gone", "a challenge is good once");
    let mut of_another = company.passkey_proof(&mut key);
    of_another["ceremony"] = company.passkey_proof(&mut key)["ceremony"].clone();
    let mut tried = 0;
    let mut refused = |what: &str, body: Value| {
        assert_eq!(send(&body).expect(401).code(), "access.wrong_passkey", "{what}");
        tried += 1;
    };
    refused("the answer to another challenge", of_another);
    for (field, what) in [("signature", "a changed signature"), ("authenticatorData", "changed data")] {
        let mut body = company.passkey_proof(&mut key);
        let part = &mut body["credential"]["response"][field];
        let text = part.as_str().expect("text").to_owned();
        let middle = text.len() / 2;
        let flipped = if &text[middle..=middle] == "A" { "B" } else { "A" };
        *part = json!(format!("{}{flipped}{}", &text[..middle], &text[middle + 1..]));
        refused(what, body);
    }
    type Lie = (&'static str, fn(&mut SoftKey));
    let lies: [Lie; 6] = [
        ("another page", |key| key.origin = "https://evil.example".into()),
        ("another port", |key| key.origin = "http://localhost:1".into()),
        ("another site", |key| key.site = "evil.example".into()),
        ("nobody verified", |key| key.flags = PRESENT),
        ("nobody there", |key| key.flags = 0),
        ("an unknown key", |key| key.id = vec![7; 32]),
    ];
    for (what, lie) in lies {
        let before = (key.origin.clone(), key.site.clone(), key.flags, key.id.clone());
        lie(&mut key);
        let body = company.passkey_proof(&mut key);
        (key.origin, key.site, key.flags, key.id) = before;
        refused(what, body);
    }
    let user = std::mem::replace(&mut key.user, others.user.clone());
    let body = company.passkey_proof(&mut key);
    key.user = user;
    refused("somebody else's name", body);
    let whose = std::mem::replace(&mut key.id, others.id.clone());
    let body = company.passkey_proof(&mut key);
    key.id = whose;
    refused("somebody else's key", body);
    for rubbish in [json!({}), json!({ "id": "x" })] {
        let mut body = company.passkey_proof(&mut key);
        body["credential"] = rubbish;
        refused("rubbish", body);
    }
    for ceremony in ["", "keiin_pky_x", "keiin_pky_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let mut body = company.passkey_proof(&mut key);
        body["ceremony"] = json!(ceremony);
        assert_eq!(send(&body).expect(410).code(), "access.gone");
    }
    send(&company.passkey_proof(&mut key)).expect(201);
    let told = refusals(&company);
    assert!(told.len() >= 8 && told.iter().all(|reason| reason == "wrong_passkey"), "{told:?}");
    report!("passkeys forged={tried} let_in=0");
}

#[test]
fn a_copy_of_a_key_is_noticed_by_its_count() {
    let (_deployment, _server, company) = company("copies");
    let (_, _, login) = member(&company);
    let (mut key, _) = company.new_passkey(&login);
    key.counter = 41;
    company.log_in_by_passkey(&mut key).expect(201);
    for counter in [41, 7, 0] {
        key.counter = counter;
        company.log_in_by_passkey(&mut key).expect(401);
    }
    assert_eq!(refusals(&company), ["copied_passkey"; 3]);
    key.counter = 43;
    company.log_in_by_passkey(&mut key).expect(201);
}

#[test]
fn a_passkey_is_made_once_by_who_is_certainly_there() {
    let (_deployment, _server, company) = company("making");
    let (_, _, login) = member(&company);
    let (_, _, other) = member(&company);
    let add =
        |login: &Credential, body: &Value| as_login(&company, login, Call::new("POST", "/v1/me/passkeys").json(body));
    let (mut key, body) = company.made_passkey(&login);
    assert_eq!(add(&other, &body).expect(410).code(), "access.gone", "begun by somebody else");
    assert_eq!(add(&login, &body).expect(410).code(), "access.gone", "and used up by that");
    let begun = company.begin_new_passkey(&login);
    let named = |begun: &Value, credential: Value| json!({ "ceremony": begun["ceremony"], "name": "Key", "credential": credential });
    key.flags = PRESENT;
    let unverified = key.make(&begun["options"]);
    assert_eq!(add(&login, &named(&begun, unverified)).expect(422).code(), "access.bad_passkey");
    key.flags = PRESENT | keiin_tests::passkey::VERIFIED;
    let begun = company.begin_new_passkey(&login);
    let elsewhere = company.begin_new_passkey(&login);
    let answer = key.make(&elsewhere["options"]);
    assert_eq!(add(&login, &named(&begun, answer)).expect(422).code(), "access.bad_passkey", "another challenge");
    let begun = company.begin_new_passkey(&login);
    let answer = key.make(&begun["options"]);
    add(&login, &named(&begun, answer)).expect(201);
    // Nobody else takes it over.
    let begun = company.begin_new_passkey(&other);
    let user = key.user.clone();
    let answer = key.make(&begun["options"]);
    assert_eq!(add(&other, &named(&begun, answer)).expect(409).code(), "access.passkey_exists");
    key.user = user;
    let me = company.log_in_by_passkey(&mut key).expect(201).json();
    assert_eq!(me["id"], as_login(&company, &login, Call::new("GET", "/v1/me")).json()["id"]);
    // A token makes none.
    let by_token = company.send(Call::new("POST", "/v1/me/passkeys/begin"));
    assert_eq!(by_token.expect(403).code(), "access.forbidden");
}

#[test]
fn a_passkey_that_was_removed_lets_nobody_in() {
    let (_deployment, _server, company) = company("removing");
    let (id, email, login) = member(&company);
    let (mut key, made) = company.new_passkey(&login);
    let passkeys = || as_login(&company, &login, Call::new("GET", "/v1/me/passkeys")).expect(200).json();
    let passkey = text(&passkeys()["items"][0], "id");
    let post = |path: &str, body: Value| as_login(&company, &login, Call::new("POST", path).json(&body));
    post("/v1/me/passkeys/rename", json!({ "passkey_id": passkey, "name": "My phone" })).expect(200);
    assert_eq!(text(&passkeys()["items"][0], "name"), "My phone");
    post("/v1/me/passkeys/remove", json!({ "passkey_id": passkey })).expect(200);
    assert_eq!(company.log_in_by_passkey(&mut key).expect(401).code(), "access.wrong_passkey");
    // It was the last factor: the password alone is asked for again, and the codes are gone.
    company.log_in(&email);
    assert_eq!(made["recovery_codes"].as_array().map(Vec::len), Some(10));
    let factor = as_login(&company, &login, Call::new("GET", "/v1/me/factor")).expect(200).json();
    assert_eq!((&factor["passkeys"], &factor["recovery_codes_left"]), (&json!(0), &json!(0)));

    // Lost with the phone: somebody who runs the company takes it away.
    let (mut lost, _) = company.new_passkey(&login);
    let path = format!("/v1/factors/{id}");
    let reset = Call::new("POST", &format!("{path}/reset")).if_match(&company.etag(&path));
    company.ok_logged_in(reset.json(&json!({ "reason": "By phone" })));
    company.log_in_by_passkey(&mut lost).expect(401);
    assert_eq!(passkeys()["items"], json!([]));
}

#[test]
fn fm_25_whose_login_it_was_not_keeps_no_passkey() {
    let (_deployment, _server, company) = company("thief");
    let (id, email, mine) = member(&company);
    let (mut own, _) = company.new_passkey(&mine);
    let pending = company.pending(&email);
    let mut proof = company.passkey_proof(&mut own);
    proof["pending"] = json!(pending);
    let theirs = cookie(&company.client.post("/v1/sessions/passkey", &proof).expect(201));
    let secret = company.alert_secret(&id, &theirs);
    let (mut thiefs, _) = company.new_passkey(&theirs);
    company.client.post(&format!("/v1/login_alerts/{secret}/disown"), &json!({})).expect(200);
    for key in [&mut own, &mut thiefs] {
        company.log_in_by_passkey(key).expect(401);
    }
    let new = json!({ "password": "eleven quiet otters under a lamp" });
    let reset = company.reset_secret(&id);
    company.client.post(&format!("/v1/password_resets/{reset}/accept"), &new).expect(200);
    company.log_in_by_passkey(&mut own).expect(201);
    company.log_in_by_passkey(&mut thiefs).expect(401);
}
