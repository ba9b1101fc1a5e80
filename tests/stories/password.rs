//! Passwords (ML-17, ML-18, RN-14, RN-35, EL-06, MN-10): what is refused, who changes whose, what ends with one, and what a
//! stranger can learn.

use std::cell::Cell;
use std::time::{Duration, Instant};

use keiin_eventlog::vault::Entry;
use keiin_tests::company::{PASSWORD, cookie, text};
use keiin_tests::mailbox::{OTHER_PASSWORD, vault};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server, SignUp, long, report};
use serde_json::{Value, json};
use uuid::Uuid;

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

fn log_in(company: &Company, email: &str, password: &str) -> Answer {
    company.client.post("/v1/sessions", &json!({ "email": email, "password": password, "company": company.slug }))
}

fn me(company: &Company, login: &Credential) -> u16 {
    company.client.send(&login.on(Call::new("GET", "/v1/me"))).status
}

fn change(company: &Company, login: &Credential, current: &str, password: &str) -> Answer {
    let body = json!({ "current": current, "password": password });
    company.client.send(&login.on(Call::new("POST", "/v1/me/password").json(&body)))
}

fn accept(company: &Company, secret: &str, password: &str) -> Answer {
    company.client.post(&format!("/v1/password_resets/{secret}/accept"), &json!({ "password": password }))
}

fn forget(company: &Company, email: &str) -> Answer {
    company.client.post("/v1/password_resets", &json!({ "email": email })).expect(202)
}

/// A member: id, address, login.
fn member(company: &Company, role: &str) -> (String, String, Credential) {
    let (id, login) = company.new_member(role);
    let email = text(&company.get(&format!("/v1/members/{id}")), "email");
    (id, email, login)
}

fn events(company: &Company, kind: &str) -> Vec<Value> {
    company.get(&format!("/v1/events?kind={kind}"))["items"].as_array().expect("a list").clone()
}

#[test]
fn rn_35_a_weak_password_is_refused_wherever_one_is_set() {
    let (_deployment, _server, company) = company("kumquat");
    let (_, _, login) = member(&company, "member");
    let reset = member(&company, "member").0;
    company.require_reset(&reset);
    let (link, (_, invitation)) = (company.reset_secret(&reset), company.invite("viewer"));
    let sign_up = SignUp::agreed(&company.client, "f@two.example");
    for (weak, code) in [
        ("fourteen chars", "member.password_too_short"),
        ("password12345678", "member.password_common"),
        ("qwertyqwertyqwerty", "member.password_common"),
        ("Kumquat-2026-Kumquat", "member.password_personal"),
        ("123456789012345", "member.password_pattern"),
    ] {
        let founder = json!({
            "company": "Kumquat KK", "slug": "kumquat-two", "name": "Founder", "password": weak,
        });
        let join = json!({ "name": "New", "password": weak });
        for answer in [
            sign_up.post("tenant", &founder),
            company.client.post(&format!("/v1/invitations/{invitation}/accept"), &join),
            change(&company, &login, PASSWORD, weak),
            accept(&company, &link, weak),
        ] {
            assert_eq!(answer.expect(422).code(), code, "{weak}");
        }
    }
    // Nothing of it was kept: the links still work.
    accept(&company, &link, OTHER_PASSWORD).expect(200);
}

#[test]
fn el_06_a_changed_password_ends_every_other_login_at_once() {
    let (_deployment, _server, company) = company("change");
    let (id, email, first) = member(&company, "auditor");
    let (second, third) = (company.log_in(&email), company.log_in(&email));
    assert_eq!(
        change(&company, &second, "not the password so far", OTHER_PASSWORD).expect(422).code(),
        "member.wrong_password"
    );
    assert_eq!(change(&company, &second, PASSWORD, PASSWORD).expect(422).code(), "member.password_same");
    assert_eq!([&first, &second, &third].map(|login| me(&company, login)), [200, 200, 200]);
    change(&company, &second, PASSWORD, OTHER_PASSWORD).expect(200);
    assert_eq!([&first, &second, &third].map(|login| me(&company, login)), [401, 200, 401]);
    log_in(&company, &email, PASSWORD).expect(401);
    log_in(&company, &email, OTHER_PASSWORD).expect(201);
    // In full width they are the same keys.
    let wide: String = OTHER_PASSWORD
        .chars()
        .map(|c| if c == ' ' { '\u{3000}' } else { char::from_u32(c as u32 + 0xfee0).unwrap() })
        .collect();
    log_in(&company, &email, &wide).expect(201);

    // Without the one so far it takes a confirmation, which a fresh login is; a token never.
    let fresh = cookie(&log_in(&company, &email, OTHER_PASSWORD).expect(201));
    let bare = Call::new("POST", "/v1/me/password").json(&json!({ "password": PASSWORD }));
    company.client.send(&fresh.on(bare.clone())).expect(200);
    assert_eq!(me(&company, &second), 401);
    company.send(bare).expect(403);

    company.mark();
    let changed = events(&company, "member.password_changed");
    assert_eq!(changed.len(), 2, "{changed:?}");
    let detail = company.get(&format!("/v1/events/{}", changed[0]["position"])).to_string();
    assert!(!detail.contains("argon2") && !detail.contains(PASSWORD), "{detail}");
    assert!(events(&company, "session.ended").len() >= 4);
    let mail = company.mailed(&id, "password_changed");
    assert!(mail.get("link").is_none() && text(&mail, "body").contains("change"), "{mail}");
}

#[test]
fn el_06_a_forced_reset_shuts_out_and_nobody_but_the_member_sees_the_link() {
    let (_deployment, _server, company) = company("forced");
    let (id, email, login) = member(&company, "member");
    let asked = company.require_reset(&id);
    assert_eq!(me(&company, &login), 401);
    log_in(&company, &email, PASSWORD).expect(401);
    let secret = company.reset_secret(&id);
    // The owner, who may read everything else, does not read this.
    let mail = company.mailed(&id, "password_required");
    let seen = [asked.text(), mail.to_string(), company.get("/v1/mails?limit=200").to_string()].concat();
    let page = company.client.send(&company.login.on(Call::new("GET", "/outbox"))).expect(200).text();
    assert!(!(seen + &page).contains(&secret), "the link is shown to somebody else");
    assert_eq!(company.get(&format!("/v1/members/{id}"))["must_reset_password"], true);

    company.client.get(&format!("/reset/{secret}")).expect(200);
    let (client, link) = (&company.client, &secret);
    let set = |password: &'static str| {
        client.post(&format!("/v1/password_resets/{link}/accept"), &json!({ "password": password })).status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let both =
            [OTHER_PASSWORD, "twelve loud otters under a lamp"].map(|password| scope.spawn(move || set(password)));
        both.map(|sent| sent.join().expect("an answer")).to_vec()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    let won = if statuses[0] == 200 { OTHER_PASSWORD } else { "twelve loud otters under a lamp" };
    assert_eq!(accept(&company, &secret, PASSWORD).expect(410).code(), "member.reset_gone");
    assert_eq!(company.client.get(&format!("/reset/{secret}")).status, 410);
    log_in(&company, &email, won).expect(201);
    log_in(&company, &email, PASSWORD).expect(401);

    // Not their own, and an admin not an owner's.
    let path = format!("/v1/members/{}", company.owner);
    let own = Call::new("POST", &format!("{path}/reset_password")).if_match(&company.etag(&path)).key("own");
    assert_eq!(company.client.send(&company.login.on(own.clone())).expect(422).code(), "member.own_password");
    let admin = company.new_member("admin").1;
    assert_eq!(company.client.send(&admin.on(own)).expect(403).code(), "member.owner_only");
}

#[test]
fn a_forgotten_password_is_set_by_mail_and_a_second_factor_stays() {
    let (_deployment, _server, company) = company("forgot");
    let (email, mut app) = company.enrolled();
    let id = company.member_at(&email);
    let login = company.log_in_with_code(&email, &app.next_code());
    forget(&company, &email);
    let secret = company.reset_secret(&id);
    // Until the link is used, nothing has happened to who did not ask.
    assert_eq!(me(&company, &login), 200);
    company.pending(&email);
    forget(&company, &email);
    accept(&company, &secret, OTHER_PASSWORD).expect(200);
    assert_eq!(me(&company, &login), 401);
    log_in(&company, &email, PASSWORD).expect(401);
    assert!(log_in(&company, &email, OTHER_PASSWORD).expect(202).json()["pending"].is_string());
    accept(&company, &secret, PASSWORD).expect(410);
    company.mark();
    assert_eq!(events(&company, "member.password_reset_requested").len(), 1);
}

#[test]
fn a_pending_login_ends_with_the_password() {
    let (_deployment, _server, company) = company("pending");
    let (email, mut app) = company.enrolled();
    let login = company.log_in_with_code(&email, &app.next_code());
    let pending = company.pending(&email);
    change(&company, &login, PASSWORD, OTHER_PASSWORD).expect(200);
    let code = json!({ "pending": pending, "code": app.next_code() });
    company.client.post("/v1/sessions/code", &code).expect(410);
}

/// The PHC string of a member, where the server keeps it.
fn stored(company: &Company, member: &str) -> String {
    let ids = [&company.id, member].map(|id| Uuid::parse_str(id).expect("an id"));
    let mut entries: Vec<Entry> =
        vault(&company.data).list("password", ids[0], Some(ids[1])).expect("the vault answers");
    assert_eq!(entries.len(), 1, "one password a member");
    String::from_utf8(entries.remove(0).value).expect("PHC strings are text")
}

#[test]
fn ml_18_rn_14_a_password_is_hashed_again_when_the_settings_have_risen() {
    let (deployment, server, company) = company("rehash");
    let (id, email, _) = member(&company, "member");
    let (first, other) = (stored(&company, &id), stored(&company, &company.owner));
    assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
    assert_ne!(first, other, "one password, two salts");
    assert_eq!(server.stop(), 0);

    let settings = deployment.data().join("keiin.toml");
    let before = std::fs::read_to_string(&settings).expect("the settings");
    std::fs::write(&settings, format!("{before}\n[passwords]\nmemory_kib = 20480\npasses = 3\n")).expect("written");
    let server = deployment.serve();
    let company = company.at(&server);
    let trust = company.client.get("/v1/trust").expect(200).json();
    assert_eq!((&trust["passwords"]["memory_kib"], &trust["passwords"]["passes"]), (&json!(20_480), &json!(3)));
    assert!(company.client.get("/trust?lang=en").expect(200).text().contains("20 MiB, 3 passes"));
    log_in(&company, &email, "not the password").expect(401);
    assert_eq!(stored(&company, &id), first, "a wrong guess changes nothing");
    log_in(&company, &email, PASSWORD).expect(201);
    let risen = stored(&company, &id);
    assert!(risen.starts_with("$argon2id$v=19$m=20480,t=3,p=1$"), "{risen}");
    log_in(&company, &email, PASSWORD).expect(201);
    assert_eq!(stored(&company, &id), risen, "once is enough");
    assert_eq!(stored(&company, &company.owner), other, "who has not logged in keeps theirs");
    assert_eq!(server.stop(), 0);

    std::fs::write(&settings, format!("{before}\n[passwords]\nmemory_kib = 8192\n")).expect("written");
    let refused = keiin_tests::keiin(&["serve", "--data", deployment.data_arg(), "--listen", "127.0.0.1:0"]).expect(2);
    assert!(refused.stderr.contains("19 MiB"), "{}", refused.stderr);
}

/// What the first and what the second of each pair typically took: the median; of a short form, the fastest tenth, which what
/// else the machine is doing disturbs least. Which of a pair goes first changes from pair to pair.
fn typical(pairs: usize, mut send: impl FnMut(usize, bool) -> Answer) -> [Duration; 2] {
    let mut taken = [vec![], vec![]];
    let mut bodies = [vec![], vec![]];
    for pair in 0..pairs {
        for turn in [pair % 2 == 0, pair % 2 != 0] {
            let started = Instant::now();
            let answer = send(pair, turn);
            taken[usize::from(turn)].push(started.elapsed());
            let mut body = answer.json();
            body.as_object_mut().expect("an object").remove("instance");
            bodies[usize::from(turn)].push((answer.status, body));
        }
    }
    assert_eq!(bodies[0], bodies[1]);
    taken.map(|mut taken| {
        taken.sort();
        taken[taken.len() / if long() { 2 } else { 10 }]
    })
}

#[test]
fn mn_10_a_stranger_learns_nothing_from_answers_or_times() {
    let (_deployment, _server, company) = company("stranger");
    let (pairs, tries) = if long() { (1_000, 1) } else { (40, 3) };
    // Five wrong ones are free; from then on both would have to wait.
    let free = 5;
    let known: Vec<String> = (0..pairs * tries / free).map(|_| member(&company, "viewer").1).collect();
    let sent = [Cell::new(0), Cell::new(0)];
    let email = |exists: bool| {
        let at = sent[usize::from(exists)].replace(sent[usize::from(exists)].get() + 1) / free % known.len();
        if exists { known[at].clone() } else { format!("member{:04}@stranger.example", 5_000 + at) }
    };
    let logins = |_, exists| log_in(&company, &email(exists), "a guess that is wrong");
    let resets = |_, exists| {
        let answer = forget(&company, &email(exists));
        // What comes of it happens afterwards, and must not stand in the next one's way.
        std::thread::sleep(Duration::from_millis(30));
        answer
    };
    for (what, send) in [("login", &logins as &dyn Fn(usize, bool) -> Answer), ("reset", &resets)] {
        // Of a short form on a busy machine, one of three must do.
        let mut seen = vec![];
        let alike = (0..tries).any(|_| {
            let [unknown, known] = typical(pairs, send);
            seen.push((unknown, known));
            let apart = unknown.abs_diff(known);
            apart * 20 <= unknown.max(known) || apart < Duration::from_micros(if long() { 100 } else { 1_000 })
        });
        assert!(alike, "{what}: {seen:?}");
        report!("stranger {what} pairs={pairs} unknown_and_known={:?}", seen.last());
    }
}
