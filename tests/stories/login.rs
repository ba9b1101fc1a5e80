//! Logging in and out: what a stranger can learn from it, how long a login lasts, and who is kept out.

use keiin_tests::company::{PASSWORD, cookie, text};
use keiin_tests::{Answer, Call, Company, Credential, Deployment};
use serde_json::{Value, json};

fn log_in(company: &Company, email: &str, password: &str) -> Answer {
    company.client.post("/v1/sessions", &json!({ "email": email, "password": password }))
}

/// The refusal without what differs from request to request.
fn refusal(answer: Answer) -> (u16, Value) {
    let mut body = answer.json();
    body.as_object_mut().expect("a problem").remove("instance");
    (answer.status, body)
}

#[test]
fn a_refused_login_does_not_say_what_was_wrong() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "login");
    let owner = "owner@login.example";
    let unknown = refusal(log_in(&company, "nobody@login.example", PASSWORD));
    assert_eq!((unknown.0, unknown.1["code"].as_str()), (401, Some("access.wrong_credentials")));
    assert_eq!(refusal(log_in(&company, owner, "not the password")), unknown);
    assert_eq!(refusal(log_in(&company, "no address at all", PASSWORD)), unknown);
    let elsewhere = json!({ "email": owner, "password": PASSWORD, "company": "no-such-company" });
    assert_eq!(refusal(company.client.post("/v1/sessions", &elsewhere)), unknown);
    let (id, _) = company.new_member("member");
    let path = format!("/v1/members/{id}");
    let email = text(&company.get(&path), "email");
    log_in(&company, &email, PASSWORD).expect(201);
    company.ok(Call::new("POST", &format!("{path}/suspend"))
        .if_match(&company.etag(&path))
        .json(&json!({ "reason": "x" })));
    assert_eq!(refusal(log_in(&company, &email, PASSWORD)), unknown);
    company.ok(Call::new("POST", &format!("{path}/reinstate")).if_match(&company.etag(&path)));
    log_in(&company, &email, PASSWORD).expect(201);

    // The company sees who tried: known people in its own ledger, strangers in the deployment's.
    company.mark();
    let refused = company.get("/v1/events?kind=session.refused");
    assert_eq!(refused["items"].as_array().map(Vec::len), Some(2), "{refused}");
}

#[test]
fn an_address_may_belong_to_two_companies() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let (one, two) = (Company::sign_up(&server, "first"), Company::sign_up(&server, "second"));
    let body = json!({ "name": "Guest", "email": "owner@first.example", "role": "auditor" });
    let guest = text(&two.ok(Call::new("POST", "/v1/members").key("guest").json(&body)), "id");
    let link = two.mailed_link(&guest);
    let secret = link.rsplit('/').next().expect("a secret");
    let accept = json!({ "name": "Guest", "password": PASSWORD });
    one.client.post(&format!("/v1/invitations/{secret}/accept"), &accept).expect(200);
    let which = log_in(&one, "owner@first.example", PASSWORD).expect(401);
    assert_eq!(which.json()["errors"][0]["pointer"], "/company");
    for company in [&one, &two] {
        let body = json!({ "email": "owner@first.example", "password": PASSWORD, "company": company.slug });
        let me = company.client.post("/v1/sessions", &body).expect(201).json();
        assert_eq!(me["tenant"]["id"], json!(company.id));
    }
}

#[test]
fn an_invitation_is_good_once_and_while_it_stands() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "invite");
    let client = &company.client;
    let accept = |secret: &str, password: &str| {
        let body = json!({ "name": "New", "password": password });
        client.post(&format!("/v1/invitations/{secret}/accept"), &body)
    };
    let (_, secret) = company.invite("member");
    assert_eq!(accept(&secret, "too short").expect(422).code(), "member.password_too_short");
    company.client.get(&format!("/invite/{secret}")).expect(200);
    accept(&secret, PASSWORD).expect(200);
    assert_eq!(accept(&secret, PASSWORD).expect(410).code(), "member.invitation_gone");
    assert_eq!(company.client.get(&format!("/invite/{secret}")).status, 410);

    let (id, secret) = company.invite("member");
    let path = format!("/v1/members/{id}");
    company.ok(Call::new("POST", &format!("{path}/revoke_invitation")).if_match(&company.etag(&path)));
    assert_eq!(accept(&secret, PASSWORD).expect(410).code(), "member.invitation_gone");

    // Two people with one link: one of them joins.
    let (_, secret) = company.invite("member");
    let together: Vec<u16> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| accept(&secret, PASSWORD).status));
        both.map(|sent| sent.join().expect("an answer")).to_vec()
    });
    assert_eq!(together.iter().filter(|status| **status == 200).count(), 1, "{together:?}");
}

#[test]
fn a_login_ends_when_it_is_ended_and_belongs_to_this_site() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "logout");
    let answer = log_in(&company, "owner@logout.example", PASSWORD).expect(201);
    let set = answer.header("set-cookie").expect("a cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(attribute), "{set}");
    }
    let (login, other) = (cookie(&answer), company.log_in("owner@logout.example"));
    let me = |login: &Credential| company.client.send(&login.on(Call::new("GET", "/v1/me"))).status;
    assert_eq!((me(&login), me(&other)), (200, 200));

    // Another site's form carries the cookie and is refused; so is one from this site's own subdomain.
    let change = || login.on(Call::new("POST", "/v1/clients").json(&json!({ "name": "Forged", "honorific": "sama" })));
    for (header, value) in
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"), ("Origin", "https://evil.example")]
    {
        let refused = company.client.send(&change().header(header, value)).expect(403);
        assert_eq!(refused.code(), "request.cross_site");
    }
    company.client.send(&change().header("Sec-Fetch-Site", "same-origin")).expect(201);

    company.client.send(&login.on(Call::new("POST", "/v1/sessions/end"))).expect(204);
    assert_eq!((me(&login), me(&other)), (401, 200));
    let ended = company.get("/v1/events?kind=session.ended");
    assert_eq!(ended["items"].as_array().map(Vec::len), Some(1), "{ended}");
}

#[test]
fn guessing_is_slowed_down() {
    let deployment = Deployment::limited();
    let server = deployment.serve();
    let client = server.client();
    let mut refused = 0;
    for n in 0..60 {
        let body = json!({ "email": format!("nobody{n}@guess.example"), "password": "a guess" });
        let answer = client.post("/v1/sessions", &body);
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").and_then(|s| s.parse().ok()).expect("it says when");
            assert!(wait >= 1 && answer.code() == "request.too_many");
            refused += 1;
        }
    }
    assert!(refused >= 30, "{refused} of 60 guesses were refused");
    // The server is there for everybody else.
    client.get("/livez").expect(200);
}
