//! Second factors (RN-23, FM-30, EL-24): an app, recovery codes, a company that requires them, and what only somebody who
//! is certainly there may do; networks that a company lets people come from (RN-25, MN-15).

use keiin_tests::company::{PASSWORD, cookie, text};
use keiin_tests::{Answer, Call, Client, Company, Credential, Deployment, Server};
use serde_json::{Value, json};

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

fn code(company: &Company, pending: &str, code: &str) -> Answer {
    code_by(&company.client, pending, code)
}

fn code_by(client: &Client, pending: &str, code: &str) -> Answer {
    client.post("/v1/sessions/code", &json!({ "pending": pending, "code": code }))
}

fn as_login(company: &Company, login: &Credential, call: Call) -> Answer {
    company.client.send(&login.on(call))
}

fn kinds(company: &Company, of: &str) -> Vec<String> {
    let found = company.get(&format!("/v1/events?object={of}&limit=200"));
    found["items"].as_array().expect("a list").iter().map(|event| text(event, "kind")).collect()
}

#[test]
fn rn_23_a_login_asks_for_a_code_and_takes_each_code_once() {
    let (_deployment, _server, company) = company("codes");
    let (email, mut app) = company.enrolled();
    // The code that set the app up is used.
    let replayed = code(&company, &company.pending(&email), &app.same_code()).expect(401);
    assert_eq!(replayed.code(), "access.wrong_code");
    let right = app.next_code();
    let login = cookie(&code(&company, &company.pending(&email), &right).expect(201));
    as_login(&company, &login, Call::new("GET", "/v1/me")).expect(200);
    assert_eq!(code(&company, &company.pending(&email), &right).expect(401).code(), "access.wrong_code");

    // Two logins with one code at the same time: one comes in.
    let both = [company.pending(&email), company.pending(&email)];
    let shown = app.next_code();
    let client = &company.client;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let sent = both.each_ref().map(|pending| scope.spawn(|| code_by(client, pending, &shown).status));
        sent.map(|sent| sent.join().expect("an answer")).to_vec()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");

    // A pending login is worth five wrong codes, and a right one afterwards is too late.
    let pending = company.pending(&email);
    let patiently = |_| loop {
        let status = code(&company, &pending, "000000").status;
        if status != 429 {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    };
    let answers: Vec<u16> = (0..6).map(patiently).collect();
    assert_eq!(answers, [401, 401, 401, 401, 401, 410]);
    assert_eq!(code(&company, "keiin_pnd_x", "000000").expect(410).code(), "access.gone");
    company.mark();
    assert!(kinds(&company, &company.member_at(&email)).contains(&"factor.totp_used".to_owned()));
}

#[test]
fn rn_23_recovery_codes_work_once_and_a_lost_phone_is_reset_by_somebody_else() {
    let (_deployment, _server, company) = company("recovery");
    let (id, login) = company.new_member("admin");
    let email = text(&company.get(&format!("/v1/members/{id}")), "email");
    let mut app = company.begin_totp(&login);
    let enrolled = company.enrol(&login, &mut app);
    let codes: Vec<String> = serde_json::from_value(enrolled["recovery_codes"].clone()).expect("codes");
    assert_eq!(codes.len(), 10);
    let with_spaces = codes[0].replace('-', " ").to_uppercase();
    code(&company, &company.pending(&email), &with_spaces).expect(201);
    assert_eq!(code(&company, &company.pending(&email), &codes[0]).expect(401).code(), "access.wrong_code");
    let mine = as_login(&company, &login, Call::new("GET", "/v1/me/factor")).expect(200).json();
    assert_eq!((mine["totp"].clone(), mine["recovery_codes_left"].clone()), (json!(true), json!(9)));

    // Somebody else who runs the company takes it away; then the password is enough again.
    let reset = |who: &Credential, of: &str| {
        let etag = company.etag(&format!("/v1/factors/{of}"));
        let call = Call::new("POST", &format!("/v1/factors/{of}/reset")).if_match(&etag);
        as_login(&company, who, call.json(&json!({ "reason": "By phone, number from the register" })))
    };
    assert_eq!(reset(&login, &id).expect(403).code(), "factor.own");
    reset(&company.login, &id).expect(200);
    company.log_in(&email);
    assert!(kinds(&company, &id).contains(&"factor.reset".to_owned()));
}

#[test]
fn fm_30_where_a_second_factor_is_required_nothing_else_is_open_without_one() {
    let (_deployment, _server, company) = company("required");
    let (_, member) = company.new_member("member");
    let require = |who: &Credential| {
        let body = json!({ "second_factor_required": true });
        as_login(&company, who, Call::new("POST", "/v1/security").json(&body))
    };
    assert_eq!(require(&company.login).expect(422).code(), "security.own_factor_first");
    let owner = company.log_in(&format!("owner@{}.example", company.slug));
    let mut app = company.begin_totp(&owner);
    company.enrol(&owner, &mut app);
    require(&owner).expect(200);

    let refused = as_login(&company, &member, Call::new("GET", "/v1/clients")).expect(403);
    assert_eq!(refused.code(), "access.second_factor_required");
    let page = as_login(&company, &member, Call::new("GET", "/clients"));
    assert_eq!((page.status, page.header("location")), (303, Some("/account")));
    let account = as_login(&company, &member, Call::new("GET", "/account")).expect(200).text();
    assert!(account.contains("/account/totp"), "{account}");

    let mut theirs = company.begin_totp(&member);
    company.enrol(&member, &mut theirs);
    // The session shows the factor once, and is as good as any.
    let proof = json!({ "proof": theirs.next_code() });
    let confirmed = as_login(&company, &member, Call::new("POST", "/v1/me/confirm").json(&proof)).expect(200);
    as_login(&company, &cookie(&confirmed), Call::new("GET", "/v1/clients")).expect(200);
    as_login(&company, &member, Call::new("GET", "/v1/me")).expect(401);
}

#[test]
fn el_24_what_needs_a_confirmation_takes_no_token_and_confirming_changes_the_secret() {
    let (_deployment, _server, company) = company("confirm");
    let owner = company.log_in(&format!("owner@{}.example", company.slug));
    let wrong = as_login(&company, &owner, Call::new("POST", "/v1/me/confirm").json(&json!({ "proof": "wrong" })));
    assert_eq!(wrong.expect(401).code(), "access.wrong_code");
    let proof = json!({ "proof": PASSWORD });
    let confirmed = as_login(&company, &owner, Call::new("POST", "/v1/me/confirm").json(&proof)).expect(200);
    assert_eq!(confirmed.json()["is_fresh"], json!(true));
    // ML-06: the old secret is worth nothing.
    as_login(&company, &owner, Call::new("GET", "/v1/me")).expect(401);
    let owner = cookie(&confirmed);

    // A token may not make owners, whatever its scopes.
    let (id, _) = company.new_member("viewer");
    let path = format!("/v1/members/{id}");
    let promote = |who: &Credential| {
        let call = Call::new("PUT", &format!("{path}/role")).if_match(&company.etag(&path));
        as_login(&company, who, call.json(&json!({ "role": "owner" })))
    };
    assert_eq!(promote(&company.token).expect(403).code(), "access.confirm_first");
    promote(&owner).expect(200);
    let sessions = as_login(&company, &owner, Call::new("GET", "/v1/sessions")).expect(200).json();
    assert!(sessions["items"].as_array().is_some_and(|items| items.len() >= 2), "{sessions}");
}

#[test]
fn ml_06_one_ends_ones_own_sessions_elsewhere() {
    let (_deployment, _server, company) = company("sessions");
    let (id, here) = company.new_member("member");
    let email = text(&company.get(&format!("/v1/members/{id}")), "email");
    let there = company.log_in(&email);
    let own = |login: &Credential| -> Value {
        let me = as_login(&company, login, Call::new("GET", "/v1/me")).expect(200).json();
        me["session_id"].clone()
    };
    let elsewhere = own(&there);
    company.mark();
    let path = format!("/v1/sessions/{}", elsewhere.as_str().expect("an id"));
    let seen = as_login(&company, &here, Call::new("GET", &path)).expect(200);
    let etag = seen.header("etag").expect("a version").to_owned();
    let revoke =
        |who: &Credential| as_login(&company, who, Call::new("POST", &format!("{path}/revoke")).if_match(&etag));
    let (_, stranger) = company.new_member("member");
    assert_eq!(revoke(&stranger).expect(404).code(), "request.not_found");
    as_login(&company, &there, Call::new("GET", "/v1/me")).expect(200);
    revoke(&here).expect(200);
    as_login(&company, &there, Call::new("GET", "/v1/me")).expect(401);
    as_login(&company, &here, Call::new("GET", "/v1/me")).expect(200);
}

#[test]
fn rn_25_other_networks_are_refused_before_the_password_and_the_owner_gets_in_by_breaking_the_glass() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "networks");
    assert_eq!(server.stop(), 0);
    let settings = deployment.data().join("keiin.toml");
    let written = std::fs::read_to_string(&settings).expect("settings") + "\n[proxy]\ntrusted = [\"127.0.0.1/32\"]\n";
    std::fs::write(&settings, written).expect("settings can be written");
    let server = deployment.serve();
    let company = company.at(&server);
    let email = format!("owner@{}.example", company.slug);
    let from = |call: Call, ip: &str| call.header("X-Forwarded-For", ip);
    let owner = company.log_in(&email);
    let mut app = company.begin_totp(&owner);
    company.enrol(&owner, &mut app);
    let change = |networks: &[&str], ip: &str| {
        let call = Call::new("POST", "/v1/security").json(&json!({ "networks": networks }));
        as_login(&company, &owner, from(call, ip))
    };
    let locked = change(&["192.0.2.0/24", "2001:db8::/32"], "198.51.100.9").expect(422);
    assert_eq!(locked.code(), "security.locks_you_out");
    change(&["192.0.2.0/24", "2001:db8::/32"], "192.0.2.7").expect(200);

    let me = |ip: &str| as_login(&company, &owner, from(Call::new("GET", "/v1/me"), ip)).status;
    assert_eq!((me("192.0.2.200"), me("2001:db8::1"), me("198.51.100.9")), (200, 200, 403));
    let token = |ip: &str| as_login(&company, &company.token, from(Call::new("GET", "/v1/clients"), ip)).status;
    assert_eq!((token("192.0.2.1"), token("198.51.100.9")), (200, 403));

    let log_in = |body: &Value, ip: &str| company.client.send(&from(Call::new("POST", "/v1/sessions").json(body), ip));
    let named = json!({ "email": email, "password": PASSWORD, "company": company.slug });
    log_in(&named, "192.0.2.9").expect(202);
    for password in [PASSWORD, "not the password"] {
        let body = json!({ "email": email, "password": password, "company": company.slug });
        assert_eq!(log_in(&body, "198.51.100.9").expect(403).code(), "access.network");
    }
    // Without the company's name, the answer does not say that the address is known.
    let unnamed = json!({ "email": email, "password": PASSWORD });
    assert_eq!(log_in(&unnamed, "198.51.100.9").expect(401).code(), "access.wrong_credentials");

    // The page that refuses asks for the reason.
    let form = |more: &str| {
        let form = format!("email={email}&password={}&tenant={}{more}", PASSWORD.replace(' ', "+"), company.slug);
        let call = Call::new("POST", "/login").header("Sec-Fetch-Site", "same-origin");
        let call = call.bytes("application/x-www-form-urlencoded", form);
        company.client.send(&from(call, "198.51.100.9"))
    };
    let refused = form("").expect(403).text();
    assert!(refused.contains("name=\"break_glass\""), "{refused}");
    let asked = form("&break_glass=The+line+is+down").expect(200).text();
    assert!(asked.contains("name=\"code\""), "{asked}");
    let body =
        json!({ "email": email, "password": PASSWORD, "company": company.slug, "break_glass": "The line is down" });
    let pending = text(&log_in(&body, "198.51.100.9").expect(202).json(), "pending");
    let body = json!({ "pending": pending, "code": app.next_code() });
    let answer = company.client.send(&from(Call::new("POST", "/v1/sessions/code").json(&body), "198.51.100.9"));
    let inside = cookie(&answer.expect(201));
    as_login(&company, &inside, from(Call::new("GET", "/v1/me"), "203.0.113.5")).expect(200);
    as_login(&company, &inside, from(Call::new("POST", "/v1/security").json(&json!({})), "203.0.113.5")).expect(200);
    let trail =
        as_login(&company, &owner, from(Call::new("GET", "/v1/events?limit=200"), "192.0.2.7")).expect(200).json();
    let kinds: Vec<String> =
        trail["items"].as_array().expect("a list").iter().map(|event| text(event, "kind")).collect();
    assert!(kinds.contains(&"session.glass_broken".to_owned()), "{kinds:?}");
    assert!(kinds.contains(&"session.refused".to_owned()), "{kinds:?}");
}
