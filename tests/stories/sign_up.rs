//! Joining (journey J1): address, code by mail, terms, payment, password and company, welcome. What a stranger learns from
//! it, what happens to whoever skips, repeats, hurries, waits or gives up.

use std::time::{Duration, Instant};

use keiin_eventlog::record::{Leaf, Record};
use keiin_tests::company::{PASSWORD, cookie, read_export, text, verify};
use keiin_tests::mailbox::root_records;
use keiin_tests::sign_up::agreement;
use keiin_tests::smtp::{Smtp, code_in};
use keiin_tests::{Answer, Call, Client, Company, Deployment, Server, SignUp, report};
use serde_json::{Value, json};

fn tenant(slug: &str) -> Value {
    json!({ "company": format!("{slug} KK"), "slug": slug, "name": "Founder", "password": PASSWORD })
}

/// Adds lines to the settings; effective at the next start.
fn set(deployment: &Deployment, section: &str, lines: &str) {
    let path = deployment.data().join("keiin.toml");
    let text = std::fs::read_to_string(&path).expect("settings");
    let head = format!("[{section}]");
    let text = match text.contains(&head) {
        true => text.replace(&head, &format!("{head}\n{lines}")),
        false => format!("{text}\n{head}\n{lines}\n"),
    };
    std::fs::write(&path, text).expect("settings can be written");
}

/// Kinds of all events in the deployment's own ledger, in order.
fn root_kinds(deployment: &Deployment) -> Vec<String> {
    let leaf = |record: Record| Leaf::decode(&record.leaf).expect("a leaf");
    root_records(&deployment.data()).into_iter().map(|record| leaf(record).event_kind.to_string()).collect()
}

/// Waits until the ledger's checkpoint covers a record: an export ends there.
fn wait_for_checkpoint(client: &Client, ledger: &str, position: u64) {
    for _ in 0..600 {
        let note = client.get(&format!("/log/{ledger}/checkpoint")).text();
        if note.lines().nth(1).and_then(|line| line.parse().ok()) > Some(position) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no checkpoint covers {position}");
}

/// A form, as a browser without a script sends it.
fn form(client: &Client, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let call = Call::new("POST", path).bytes("application/x-www-form-urlencoded", body.join("&"));
    client.send(&call.header("Cookie", cookie).header("Accept", "text/html"))
}

/// EL-15, EL-17, EL-19, EL-20, EL-57, MN-06, FM-31 in a row, with a real mail server.
#[test]
fn j1_a_company_joins_by_mail() {
    let smtp = Smtp::plain(0);
    let deployment = Deployment::new();
    deployment.mail_to(smtp.port, "none", "");
    set(&deployment, "support", "contact = \"help@keiin.example\"");
    let server = deployment.serve();
    // ML-50: where to ask stands on every page, and whether somebody answers.
    let page = server.client().get("/login").expect(200).text();
    assert!(page.contains("help@keiin.example") && page.contains("data-support=\""), "{page}");
    let client = server.client();
    let sign_up = SignUp::begin(&client, "hanako@aoba.example");
    assert_eq!(sign_up.begun["next_step"], "code");
    assert_eq!(sign_up.begun.get("development_code"), None, "mail brings it");
    let page = client.send(&Call::new("GET", "/signup").header("Cookie", &format!("keiin_signup={}", sign_up.secret)));
    let mail = smtp.next_to("hanako@aoba.example");
    let code = code_in(&mail);
    assert!(!page.text().contains(&code), "nor does the page show it");
    assert!(text(&mail["headers"], "subject").contains("お申し込みの確認コード"), "{mail}");
    sign_up.post("verify", &json!({ "code": code })).expect(200);
    sign_up.post("terms", &agreement(&client)).expect(200);
    assert_eq!(sign_up.standing()["next_step"], "company");

    let started = Instant::now();
    let answer = sign_up.post("tenant", &tenant("aoba")).expect(201);
    let login = cookie(&answer);
    let document = json!({ "name": "First client", "honorific": "onchu" });
    client.send(&login.on(Call::new("POST", "/v1/clients").json(&document))).expect(201);
    let took = started.elapsed();
    assert!(took.as_secs_f64() < 5.0, "EL-19: usable after {took:?}");
    report!("sign_up provisioned_ms={}", took.as_millis());

    let welcome = smtp.next_to("hanako@aoba.example");
    let body = text(&welcome, "body");
    assert!(!body.contains(PASSWORD) && !body.contains("keiin_"), "EL-20: no secret: {body}");
    for wanted in ["aoba", "hanako@aoba.example", "help@keiin.example", "/login", "/terms", "/privacy"] {
        assert!(body.contains(wanted), "EL-20: {wanted}: {body}");
    }
    let key = text(&client.send(&login.on(Call::new("GET", "/v1/log/key"))).expect(200).json(), "vkey");
    let get = |path: &str| client.send(&login.on(Call::new("GET", path))).expect(200).json();
    let position = get("/v1/events?kind=terms.accepted")["items"][0]["position"].clone();
    let texts = get(&format!("/v1/events/{position}"))["event"]["texts"].clone();
    let wanted = agreement(&client);
    assert_eq!((&texts[0]["sha256"], &texts[1]["sha256"]), (&wanted["terms"], &wanted["privacy"]), "EL-57: {texts}");
    assert_eq!(texts[0]["version"], "2026-11-22");
    wait_for_checkpoint(&client, &text(&answer.json(), "id"), position.as_u64().expect("a number"));
    assert_eq!(server.stop(), 0);
    // EL-19: the first record opens the ledger and is signed with the rest.
    let export = deployment.export("aoba", "aoba.keiin", &[]);
    verify(&export, &key);
    let records = read_export(&export);
    assert_eq!(records[0].leaf.event_kind.to_string(), "ledger.opened");
    assert!(records.iter().any(|record| record.leaf.event_kind == "terms.accepted"), "the export tells it");
    let kinds = root_kinds(&deployment);
    let own: Vec<&str> =
        kinds.iter().map(String::as_str).filter(|k| !k.starts_with("ledger.") && !k.starts_with("mail.")).collect();
    let expected = [
        "sign_up.requested", "email_code.issued", "email_code.verified", "terms.accepted", "slug.taken",
        "sign_up.submitted", "tenant.provisioned",
    ];
    assert_eq!(own, expected);
}

#[test]
fn el_17_the_sixth_wrong_code_locks() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let sign_up = SignUp::begin(&server.client(), "hanako@locks.example");
    let right = text(&sign_up.begun, "development_code");
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let answer = sign_up.post("verify", &json!({ "code": wrong })).expect(422);
        assert_eq!(answer.code(), "sign_up.wrong_code");
    }
    assert_eq!(sign_up.post("verify", &json!({ "code": wrong })).expect(403).code(), "sign_up.locked");
    assert_eq!(sign_up.post("verify", &json!({ "code": right })).expect(403).code(), "sign_up.locked");
    assert_eq!(sign_up.post("code", &json!({})).expect(403).code(), "sign_up.locked");
    // Guesses at the same time count as many.
    let sign_up = SignUp::begin(&server.client(), "hanako@locks.example");
    let right = text(&sign_up.begun, "development_code");
    let wrong = if right == "000000" { "000001" } else { "000000" };
    let codes: Vec<String> = std::thread::scope(|scope| {
        let guesses: Vec<_> =
            (0..12).map(|_| scope.spawn(|| sign_up.post("verify", &json!({ "code": wrong })).code())).collect();
        guesses.into_iter().map(|guess| guess.join().expect("answered")).collect()
    });
    assert_eq!(codes.iter().filter(|code| *code == "sign_up.wrong_code").count(), 5, "{codes:?}");
    assert_eq!(sign_up.post("verify", &json!({ "code": right })).expect(403).code(), "sign_up.locked");
}

#[test]
fn el_18_steps_are_not_skipped_and_may_be_repeated() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let client = server.client();
    let sign_up = SignUp::begin(&client, "hanako@order.example");
    let refused = |step: &str, body: &Value, code: &str| assert_eq!(sign_up.post(step, body).expect(403).code(), code);
    refused("tenant", &tenant("order"), "sign_up.code_first");
    refused("terms", &agreement(&client), "sign_up.code_first");
    let code = json!({ "code": sign_up.begun["development_code"] });
    for _ in 0..2 {
        sign_up.post("verify", &code).expect(200);
        refused("tenant", &tenant("order"), "sign_up.terms_first");
    }
    let other = json!({ "terms": "0".repeat(64), "privacy": "0".repeat(64) });
    assert_eq!(sign_up.post("terms", &other).expect(409).code(), "terms.not_in_force");
    for _ in 0..2 {
        sign_up.post("terms", &agreement(&client)).expect(200);
    }
    sign_up.post("tenant", &json!({ "company": "", "slug": "order", "name": "F", "password": PASSWORD })).expect(422);
    let first = sign_up.post("tenant", &tenant("order")).expect(201).json();
    assert_eq!(sign_up.post("tenant", &tenant("order")).expect(201).json()["id"], first["id"]);
    // Whoever only holds the secret of a sign-up that is over does not get in.
    let guess = json!({ "company": "x", "slug": "order", "name": "x", "password": "eleven quiet otters under a lamp" });
    assert_eq!(sign_up.post("tenant", &guess).expect(409).code(), "sign_up.already_done");
    // A secret that leads nowhere, or somewhere else, looks like a path that is not there.
    let company = Company::sign_up(&server, "elsewhere");
    for secret in [format!("keiin_sgn_{}", "A".repeat(43)), company.invite("viewer").1, "x".into()] {
        client.get(&format!("/v1/sign_ups/{secret}")).expect(404);
        client
            .post(&format!("/v1/invitations/{}/accept", sign_up.secret), &json!({ "name": "x", "password": PASSWORD }))
            .expect(404);
    }
}

#[test]
fn el_16_a_payment_link_becomes_a_paid_event() {
    let deployment = Deployment::new();
    set(&deployment, "signup", "payment = \"development\"\nprice_jpy = 1100");
    let server = deployment.serve();
    let client = server.client();
    let sign_up = SignUp::agreed(&client, "hanako@pays.example");
    assert_eq!(sign_up.standing()["next_step"], "payment");
    assert_eq!(sign_up.post("tenant", &tenant("pays")).expect(403).code(), "sign_up.payment_first");
    let begun = sign_up.post("payment", &json!({})).expect(200).json();
    assert_eq!(sign_up.post("payment", &json!({})).expect(200).json()["payment_url"], begun["payment_url"]);
    let url = text(&begun, "payment_url");
    let path = url.strip_prefix(&server.url).expect("our own server").to_owned();
    assert!(client.get(&path).expect(200).text().contains("1,100"));
    client.get("/signup/pay/00000000-0000-0000-0000-000000000000").expect(404);
    assert_eq!(sign_up.standing()["paid"], false, "looking is not paying");
    form(&client, &path, "", &[]).expect(200);
    assert_eq!((&sign_up.standing()["paid"], &sign_up.standing()["next_step"]), (&json!(true), &json!("company")));
    sign_up.post("tenant", &tenant("pays")).expect(201);
    assert_eq!(server.stop(), 0);
    let kinds = root_kinds(&deployment);
    for (kind, times) in [("payment.requested", 1), ("payment.confirmed", 1), ("tenant.provisioned", 1)] {
        assert_eq!(kinds.iter().filter(|k| *k == kind).count(), times, "{kind}: {kinds:?}");
    }
    // The provider that takes everybody's word does not leave the machine.
    set(&deployment, "proxy", "trusted = [\"10.0.0.0/8\"]");
    let (_, log) = Server::try_serve_under(&["env"], &deployment.data()).err().expect("it does not start");
    assert!(log.contains("signup.payment"), "{log}");
}

#[test]
fn asking_does_not_tell_whether_an_address_is_known_and_bothers_nobody_for_long() {
    let deployment = Deployment::limited();
    set(&deployment, "limits", "logins_a_minute = 1000");
    let server = deployment.serve();
    let company = Company::sign_up(&server, "known");
    let ask = |email: &str| company.client.post("/v1/sign_ups", &json!({ "email": email }));
    let shape = |answer: Answer| {
        let mut body = answer.expect(201).json();
        for (name, value) in body.as_object_mut().expect("an object") {
            if !matches!(name.as_str(), "next_step" | "steps") {
                *value = json!("…");
            }
        }
        body
    };
    assert_eq!(shape(ask("owner@known.example")), shape(ask("nobody@nowhere.example")));
    assert_eq!(ask("no address").expect(422).code(), "member.bad_email");
    let answers: Vec<u16> = (0..6).map(|_| ask("Victim@nowhere.example").status).collect();
    assert_eq!(answers, [201; 6]);
    assert_eq!(ask("victim@nowhere.example").expect(429).code(), "request.too_many");
    ask("somebody@nowhere.example").expect(201);
}

#[test]
fn two_tabs_do_not_make_two_companies() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let client = server.client();
    let sign_up = SignUp::agreed(&client, "hanako@tabs.example");
    let bodies: Vec<Value> = (0..8).map(|n| tenant(if n % 2 == 0 { "tabs" } else { "tabs-too" })).collect();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let tabs: Vec<_> = bodies.iter().map(|body| scope.spawn(|| sign_up.post("tenant", body))).collect();
        tabs.into_iter().map(|tab| tab.join().expect("answered")).collect()
    });
    let made: Vec<_> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.json()["id"].clone()).collect();
    assert!(!made.is_empty() && made.iter().all(|id| *id == made[0]), "{made:?}");
    for other in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((other.status, other.code().as_str()), (409, "sign_up.slug_fixed"), "{}", other.text());
    }
    assert_eq!(server.stop(), 0);
    let kinds = root_kinds(&deployment);
    for kind in ["slug.taken", "sign_up.submitted", "tenant.provisioned"] {
        assert_eq!(kinds.iter().filter(|k| *k == kind).count(), 1, "{kind}");
    }
}

#[test]
fn el_17_codes_and_sign_ups_end_by_themselves_and_leave_no_company() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let waits = SignUp::begin(&server.client(), "waits@late.example");
    let forgets = SignUp::agreed(&server.client(), "forgets@late.example");
    server.stop();
    let server = Server::serve_at("+16m", &deployment.data());
    let at = |sign_up: &SignUp, server: &Server| SignUp {
        client: server.client(),
        secret: sign_up.secret.clone(),
        begun: sign_up.begun.clone(),
    };
    let waits = at(&waits, &server);
    let code = json!({ "code": waits.begun["development_code"] });
    assert_eq!(waits.post("verify", &code).expect(410).code(), "sign_up.code_expired");
    let again = waits.post("code", &json!({})).expect(200).json();
    assert_ne!(again["development_code"], waits.begun["development_code"]);
    waits.post("verify", &code).expect(422);
    waits.post("verify", &json!({ "code": again["development_code"] })).expect(200);
    server.stop();
    let server = Server::serve_at("+25h", &deployment.data());
    for sign_up in [at(&waits, &server), at(&forgets, &server)] {
        assert_eq!(sign_up.post("tenant", &tenant("late")).expect(410).code(), "sign_up.expired");
    }
    server.stop();
    let kinds = root_kinds(&deployment);
    assert!(!kinds.iter().any(|kind| kind == "slug.taken" || kind == "tenant.provisioned"), "{kinds:?}");
}

#[test]
fn a_deployment_may_be_closed_to_new_companies() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "inside");
    server.stop();
    for (section, lines) in [("signup", "open = false"), ("proxy", "trusted = [\"10.0.0.0/8\"]")] {
        set(&deployment, section, lines);
        let server = deployment.serve();
        let client = server.client();
        let asked = client.post("/v1/sign_ups", &json!({ "email": "hanako@closed.example" })).expect(403);
        assert_eq!(asked.code(), "sign_up.closed", "{section}");
        assert!(client.get("/signup").expect(200).text().contains("受け付けていません"));
        company.at(&server).log_in("owner@inside.example");
        server.stop();
        set(&deployment, "signup", "");
        let path = deployment.data().join("keiin.toml");
        let text = std::fs::read_to_string(&path).expect("settings").replace("open = false", "");
        std::fs::write(&path, text).expect("settings can be written");
    }
}

#[test]
fn el_57_new_terms_wait_for_the_owner() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "agrees");
    let (_, admin) = company.new_member("admin");
    let old = agreement(&company.client);
    let terms =
        |company: &Company| company.client.send(&company.login.on(Call::new("GET", "/v1/terms"))).expect(200).json();
    assert_eq!(terms(&company)["waiting"], false);
    server.stop();
    let folder = deployment.folder().join("texts");
    std::fs::create_dir(&folder).expect("a folder");
    for name in ["terms.ja.txt", "terms.en.txt", "privacy.ja.txt", "privacy.en.txt"] {
        std::fs::write(folder.join(name), format!("version: 2027-01-01\n\n# Ours, {name}\n\nBe kind.\n"))
            .expect("written");
    }
    set(&deployment, "signup", &format!("texts = \"{}\"", folder.display()));
    let server = deployment.serve();
    let company = company.at(&server);
    assert_eq!(terms(&company)["waiting"], true);
    let shown =
        |who: &keiin_tests::Credential| company.client.send(&who.on(Call::new("GET", "/members"))).expect(200).text();
    assert!(shown(&company.login).contains("/terms/accept") && !shown(&admin).contains("/terms/accept"));
    assert!(company.client.get("/terms?lang=en").expect(200).text().contains("Ours, terms.en.txt"));
    let page = company.client.send(&company.login.on(Call::new("GET", "/terms/accept"))).expect(200).text();
    let now = agreement(&company.client);
    let accept = |who: &keiin_tests::Credential, hashes: &Value| {
        company.client.send(&who.on(Call::new("POST", "/v1/terms/accept").json(hashes)))
    };
    assert_eq!(accept(&company.login, &old).expect(409).code(), "terms.not_in_force");
    accept(&admin, &now).expect(403);
    accept(&company.token, &now).expect(403);
    assert_eq!(terms(&company)["waiting"], true);
    // The page's own hashes are those of the Japanese texts.
    let hashes: Vec<&str> =
        page.split("value=\"").filter_map(|rest| rest.split('"').next()).filter(|v| v.len() == 64).collect();
    accept(&company.login, &json!({ "terms": hashes[0], "privacy": hashes[1] })).expect(200);
    let after = terms(&company);
    assert_eq!((&after["waiting"], &after["accepted"][0]["version"]), (&json!(false), &json!("2027-01-01")));
    assert_eq!(after["accepted"][0]["sha256"], hashes[0]);
    assert!(!shown(&company.login).contains("/terms/accept"));
    company.mark();
    let events = company.get("/v1/events?kind=terms.accepted");
    assert_eq!(events["items"].as_array().map(Vec::len), Some(2), "{events}");
    // What was shown is what is served as a file.
    use sha2::{Digest, Sha256};
    let file = company.client.get("/terms.txt").expect(200);
    assert_eq!(hex::encode(Sha256::digest(&file.body)), hashes[0]);
}

/// The whole way without a script: plain forms and one cookie.
#[test]
fn the_pages_need_no_script() {
    let deployment = Deployment::new();
    set(&deployment, "signup", "payment = \"development\"\nprice_jpy = 1100");
    let server = deployment.serve();
    let client = server.client();
    let page = |cookie: &str| client.send(&Call::new("GET", "/signup").header("Cookie", cookie)).expect(200).text();
    assert!(page("").contains("action=\"/signup/email\""));
    let wrong = form(&client, "/signup/email", "", &[("email", "hanako")]).expect(422).text();
    assert!(wrong.contains("value=\"hanako\"") && wrong.contains("role=\"alert\""));
    let begun = form(&client, "/signup/email", "", &[("email", "hanako%40forms.example")]).expect(303);
    let cookie = begun.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    assert!(begun.header("set-cookie").is_some_and(|c| c.contains("HttpOnly") && c.contains("SameSite=Lax")));
    let shown = page(&cookie);
    let code = shown
        .split("development-code\">")
        .nth(1)
        .and_then(|rest| rest.get(..6))
        .expect("shown in development")
        .to_owned();
    assert!(form(&client, "/signup/code", &cookie, &[("code", "x")]).expect(422).text().contains("role=\"alert\""));
    form(&client, "/signup/code/new", &cookie, &[]).expect(303);
    form(&client, "/signup/code", &cookie, &[("code", &code)]).expect(422);
    let code =
        page(&cookie).split("development-code\">").nth(1).and_then(|rest| rest.get(..6)).expect("another").to_owned();
    form(&client, "/signup/code", &cookie, &[("code", &code)]).expect(303);
    let shown = page(&cookie);
    let hashes: Vec<&str> =
        shown.split("value=\"").filter_map(|rest| rest.split('"').next()).filter(|v| v.len() == 64).collect();
    form(&client, "/signup/terms", &cookie, &[("terms", hashes[0]), ("privacy", hashes[1])]).expect(303);
    let pay = form(&client, "/signup/payment", &cookie, &[]).expect(303);
    let pay = pay.header("location").and_then(|to| to.strip_prefix(&server.url)).expect("our own page").to_owned();
    form(&client, &pay, &cookie, &[]).expect(303);
    assert!(page(&cookie).contains("action=\"/signup/company\""));
    let company = |slug: &str| {
        let fields = [
            ("company", "Forms+KK"),
            ("slug", slug),
            ("name", "Founder"),
            ("password", "correct+horse+battery+staple"),
        ];
        form(&client, "/signup/company", &cookie, &fields)
    };
    let wrong = company("No").expect(422).text();
    assert!(wrong.contains("value=\"Forms KK\"") && !wrong.contains("staple"), "what was typed stays, but no password");
    let done = company("forms").expect(303);
    assert_eq!(done.header("location"), Some("/"));
    // Whoever goes back, or loads the address of a form again, is at the beginning.
    client.send(&Call::new("GET", "/signup/company").header("Cookie", &cookie)).expect(303);
    assert!(page(&cookie).contains("action=\"/signup/email\""));
}
