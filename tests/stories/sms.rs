//! Codes by SMS as a second factor (RN-23): enrol a phone, log in and confirm by codes, and what does not work with them.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keiin_eventlog::vault::Entry;
use keiin_tests::canary::{assert_absent, assert_present};
use keiin_tests::company::{cookie, text};
use keiin_tests::mailbox::vault_at_rest;
use keiin_tests::server::keiin;
use keiin_tests::sms::{Exchange, TOKEN, new_number};
use keiin_tests::{Answer, Call, Client, Company, Credential, Deployment, Server, report};
use serde_json::{Value, json};
use uuid::Uuid;

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

fn as_login(company: &Company, login: &Credential, call: Call) -> Answer {
    company.client.send(&login.on(call))
}

fn post(company: &Company, login: &Credential, path: &str, body: Value) -> Answer {
    as_login(company, login, Call::new("POST", path).json(&body))
}

fn log_in(client: &Client, pending: &str, code: &str) -> Answer {
    client.post("/v1/sessions/code", &json!({ "pending": pending, "code": code }))
}

fn send(company: &Company, pending: &str) -> Answer {
    company.client.post("/v1/sessions/sms", &json!({ "pending": pending }))
}

/// Another settings file, with what is to be different.
fn settings(deployment: &Deployment, change: impl Fn(String) -> String) {
    let file = deployment.data().join("keiin.toml");
    let text = change(std::fs::read_to_string(&file).expect("settings"));
    std::fs::write(&file, text).expect("the settings can be written");
}

fn with_exchange(exchange: &Exchange) -> Deployment {
    let deployment = Deployment::new();
    settings(&deployment, |text| text.replace(&Exchange::shared().url, &exchange.url));
    deployment
}

#[test]
fn rn_23_a_phone_is_enrolled_and_each_of_its_codes_is_good_once_for_its_own_login() {
    let (_deployment, _server, company) = company("texts");
    company.allow_sms();
    let (id, login) = company.new_member("viewer");
    let email = text(&company.get(&format!("/v1/members/{id}")), "email");
    let number = new_number();
    let typed = number.replace("+81", "０").replace("80", "８０－");
    let begun = post(&company, &login, "/v1/me/phone/begin", json!({ "number": typed })).expect(202).json();
    assert_eq!(begun["to"], json!(format!("••••{}", &number[number.len() - 4..])));
    let code = Exchange::shared().code(&number);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let enrol = |code: &str| post(&company, &login, "/v1/me/phone", json!({ "code": code }));
    assert_eq!(enrol(wrong).expect(422).code(), "factor.wrong_code");
    let made = enrol(&code).expect(201).json();
    assert_eq!(made["recovery_codes"].as_array().map(Vec::len), Some(10));
    assert_eq!(enrol(&code).expect(422).code(), "factor.wrong_code", "it is used");
    let phones = as_login(&company, &login, Call::new("GET", "/v1/me/phones")).expect(200).json();
    assert_eq!(phones["items"][0]["number"], begun["to"]);

    let first = company.client.post(
        "/v1/sessions",
        &json!({ "email": email, "password": keiin_tests::company::PASSWORD, "company": company.slug }),
    );
    assert_eq!(first.expect(202).json()["factors"], json!(["sms", "recovery_code"]));
    let [one, other] = [(); 2].map(|()| company.pending(&email));
    let code = company.text_for(&one, &number);
    // Not for another login, not after it was used.
    assert_eq!(log_in(&company.client, &other, &code).expect(401).code(), "access.wrong_code");
    let inside = cookie(&log_in(&company.client, &one, &code).expect(201));
    assert_eq!(log_in(&company.client, &other, &code).expect(401).code(), "access.wrong_code");
    assert_eq!(log_in(&company.client, &one, &code).expect(410).code(), "access.gone");

    // Of two at the same time with one code, one comes in.
    let (client, pending) = (&company.client, company.pending(&email));
    let code = company.text_for(&pending, &number);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..8).map(|_| scope.spawn(|| log_in(client, &pending, &code).status)).collect();
        sent.into_iter().map(|sent| sent.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");

    // A confirmation, with the code of that login alone.
    let sent = post(&company, &inside, "/v1/me/confirm/sms", json!({})).expect(202).json();
    assert_eq!(sent["to"], begun["to"]);
    let proof = json!({ "proof": Exchange::shared().code(&number) });
    assert_eq!(post(&company, &login, "/v1/me/confirm", proof.clone()).expect(401).code(), "access.wrong_code");
    let confirmed = post(&company, &inside, "/v1/me/confirm", proof).expect(200);
    as_login(&company, &inside, Call::new("GET", "/v1/me")).expect(401);
    let inside = cookie(&confirmed);

    // All of it is in the trail; neither number nor code is.
    let told = company.told("factor.code_sent");
    assert_eq!(told.len(), 4);
    assert!(told.iter().all(|event| event["taken_over"] == true && event.as_object().is_some_and(|e| e.len() == 2)));
    assert_eq!(company.told("factor.phone_used").len(), 3);
    let enrolled = company.told("factor.phone_enrolled");
    assert_eq!(enrolled[0]["number"]["phone"]["number"], begun["to"]);
    assert!(company.told("session.confirmed").iter().filter(|event| event["by"] == "sms").count() >= 3);
    assert!(company.told("session.refused").iter().any(|event| event["reason"] == "wrong_code"));

    post(&company, &inside, "/v1/me/phone/remove", json!({})).expect(200);
    company.log_in(&email);
    assert_eq!(post(&company, &inside, "/v1/me/confirm/sms", json!({})).expect(409).code(), "factor.no_phone");
}

#[test]
fn rn_23_what_the_message_says() {
    let (_deployment, _server, company) = company("words");
    let (email, _, number) = company.phoned();
    let call = Call::new("POST", "/v1/sessions/sms").json(&json!({ "pending": company.pending(&email) }));
    company.client.send(&call.header("Accept-Language", "en")).expect(202);
    let messages = Exchange::shared().messages(&number);
    let [japanese, english] = [&messages[0], &messages[1]].map(|message| text(&message.body, "text"));
    let code = messages[0].code();
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{japanese}");
    assert!(
        japanese.contains(&format!("確認コード: {code}")) && japanese.ends_with(&format!("\n\n@127.0.0.1 #{code}"))
    );
    assert!(english.contains("is your Keiin code"), "{english}");
    for text in [english, japanese] {
        assert!(!text.contains("http") && !text.contains("://"), "{text}");
        assert!(text.encode_utf16().count() <= 140, "more than two parts: {text}");
    }
    let asked = (&messages[1].asked, &messages[1].headers["authorization"], &messages[1].body["from"]);
    assert_eq!(asked, (&"POST /send HTTP/1.1".to_owned(), &format!("Bearer {TOKEN}"), &json!("Keiin")));
}

/// As if the codes of a member had been sent this long ago.
fn age(deployment: &Deployment, company: &Company, kind: &str, member: &str, by_us: i64) {
    let vault = vault_at_rest(&deployment.data());
    let ids = [&company.id, member].map(|id| Uuid::parse_str(id).expect("an id"));
    let aged: Vec<Entry> = vault.list(kind, ids[0], Some(ids[1])).expect("the vault answers").into_iter().collect();
    assert!(!aged.is_empty(), "{kind}");
    let aged = aged.into_iter().map(|entry| Entry {
        created_us: entry.created_us - by_us,
        expires_us: entry.expires_us.map(|at| at - by_us),
        ..entry
    });
    vault.put(&aged.collect::<Vec<_>>()).expect("the vault takes them");
}

#[test]
fn rn_23_a_code_ends_after_five_minutes_and_after_five_tries() {
    let (deployment, server, company) = company("ends");
    let (email, login, number) = company.phoned();
    let member = company.member_at(&email);
    let pending = company.pending(&email);
    let code = company.text_for(&pending, &number);
    post(&company, &login, "/v1/me/confirm/sms", json!({})).expect(202);
    assert_eq!(server.stop(), 0);
    age(&deployment, &company, "sms_code", &member, 5 * 60 * 1_000_000);
    let server = deployment.serve();
    let company = company.at(&server);
    assert_eq!(log_in(&company.client, &pending, &code).expect(401).code(), "access.wrong_code", "late");

    // The sixth try of a confirmation is the right one, and one too many.
    post(&company, &login, "/v1/me/confirm/sms", json!({})).expect(202);
    let code = Exchange::shared().code(&number);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let patiently = |proof: &str| loop {
        let answer = post(&company, &login, "/v1/me/confirm", json!({ "proof": proof }));
        if answer.status != 429 {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(300));
    };
    for _ in 0..5 {
        assert_eq!(patiently(wrong).expect(401).code(), "access.wrong_code");
    }
    assert_eq!(patiently(&code).expect(401).code(), "access.wrong_code");
    // A login ends with its fifth, as with an app's codes.
    let pending = company.pending(&email);
    let statuses: Vec<u16> = (0..6)
        .map(|_| {
            loop {
                let status = log_in(&company.client, &pending, wrong).status;
                if status != 429 {
                    break status;
                }
                std::thread::sleep(Duration::from_millis(300));
            }
        })
        .collect();
    assert!(statuses[..5].iter().all(|status| *status == 401) && statuses[5] == 410, "{statuses:?}");
}

#[test]
fn rn_23_few_codes_an_hour_go_to_one_member_one_number_and_one_company() {
    let (deployment, server, company) = company("floods");
    let (email, login, number) = company.phoned();
    let refused = |answer: Answer, wait: std::ops::RangeInclusive<u64>| {
        let seconds: u64 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
        assert_eq!((answer.status, answer.code().as_str()), (429, "access.sms_limit"));
        assert!(wait.contains(&seconds), "{seconds}");
    };
    let pending = company.pending(&email);
    company.text_for(&pending, &number);
    refused(send(&company, &pending), 1..=30);
    for _ in 0..2 {
        company.text_for(&company.pending(&email), &number);
    }
    assert_eq!(Exchange::shared().messages(&number).len(), 4);
    refused(send(&company, &company.pending(&email)), 3_000..=3_600);
    refused(post(&company, &login, "/v1/me/confirm/sms", json!({})), 3_000..=3_600);
    // The number is full for everybody, also in another company.
    let (_, other) = company.new_member("viewer");
    refused(post(&company, &other, "/v1/me/phone/begin", json!({ "number": number })), 3_000..=3_600);
    let elsewhere = Company::sign_up(&server, "elsewhere");
    elsewhere.allow_sms();
    let (_, stranger) = elsewhere.new_member("viewer");
    refused(post(&elsewhere, &stranger, "/v1/me/phone/begin", json!({ "number": number })), 3_000..=3_600);
    assert_eq!(Exchange::shared().messages(&number).len(), 4);
    // Nobody is locked out by it: a recovery code needs no SMS.
    assert_eq!(send(&company, "keiin_pnd_x").expect(410).code(), "access.gone");

    assert_eq!(server.stop(), 0);
    settings(&deployment, |text| text.replace("a_day_company = 1000000", "a_day_company = 6"));
    let server = deployment.serve();
    let (company, elsewhere) = (company.at(&server), elsewhere.at(&server));
    for _ in 0..2 {
        let (_, login) = company.new_member("viewer");
        company.text_to(&login, &new_number());
    }
    let (_, login) = company.new_member("viewer");
    let full = post(&company, &login, "/v1/me/phone/begin", json!({ "number": new_number() }));
    refused(full, 80_000..=86_400);
    elsewhere.phoned();
}

#[test]
fn rn_23_the_company_decides_and_a_phone_counts_no_more_when_it_says_no() {
    let (_deployment, _server, company) = company("decides");
    let (_, member) = company.new_member("viewer");
    let begin = |login: &Credential| post(&company, login, "/v1/me/phone/begin", json!({ "number": new_number() }));
    assert_eq!(begin(&member).expect(409).code(), "factor.sms_off", "off by default");
    let (email, login, number) = company.phoned();
    // The owner requires a second factor, of which a phone is one.
    let owner = company.log_in(&format!("owner@{}.example", company.slug));
    let mut app = company.begin_totp(&owner);
    company.enrol(&owner, &mut app);
    let owner = company.log_in_with_code(&format!("owner@{}.example", company.slug), &app.next_code());
    let change =
        |sms: bool| post(&company, &owner, "/v1/security", json!({ "second_factor_required": true, "sms": sms }));
    change(true).expect(200);
    let pending = company.pending(&email);
    let inside = cookie(&log_in(&company.client, &pending, &company.text_for(&pending, &number)).expect(201));
    let clients = |who: &Credential| as_login(&company, who, Call::new("GET", "/v1/clients"));
    clients(&inside).expect(200);
    // Who has no second factor yet sets a phone up, and confirms by it.
    assert_eq!(clients(&member).expect(403).code(), "access.second_factor_required");
    let (theirs, _) = company.enrol_phone(&member);
    post(&company, &member, "/v1/me/confirm/sms", json!({})).expect(202);
    let confirmed = post(&company, &member, "/v1/me/confirm", json!({ "proof": Exchange::shared().code(&theirs) }));
    clients(&cookie(&confirmed.expect(200))).expect(200);

    let waiting = company.pending(&email);
    let late = company.text_for(&waiting, &number);
    change(false).expect(200);
    // At once: for logins by SMS that are open, for a code that is under way, for the next login.
    assert_eq!(clients(&inside).expect(403).code(), "access.second_factor_required");
    assert_eq!(log_in(&company.client, &waiting, &late).expect(401).code(), "access.wrong_code");
    assert_eq!(send(&company, &waiting).expect(409).code(), "factor.sms_off");
    let alone = company.log_in(&email);
    assert_eq!(clients(&alone).expect(403).code(), "access.second_factor_required");
    let me = as_login(&company, &alone, Call::new("GET", "/v1/me")).expect(200).json();
    assert_eq!((&me["must_enrol"], &me["second_factor"], &me["phone"]), (&json!(true), &json!(false), &json!(false)));
    let mut app = company.begin_totp(&alone);
    company.enrol(&alone, &mut app);
    let page = as_login(&company, &login, Call::new("GET", "/account")).expect(200).text();
    assert!(page.contains("/do/v1/me/phone/remove"), "{page}");
}

#[test]
fn rn_23_where_the_provider_is_down_other_factors_go_on() {
    let exchange = Exchange::start();
    let deployment = with_exchange(&exchange);
    let server = deployment.serve();
    let company = Company::sign_up(&server, "down");
    company.allow_sms();
    let (email, login) = {
        let (id, login) = company.new_member("viewer");
        (text(&company.get(&format!("/v1/members/{id}")), "email"), login)
    };
    let number = new_number();
    post(&company, &login, "/v1/me/phone/begin", json!({ "number": number })).expect(202);
    let made = post(&company, &login, "/v1/me/phone", json!({ "code": exchange.code(&number) })).expect(201).json();
    let mut app = company.begin_totp(&login);
    // The app brings new recovery codes.
    let codes = company.enrol(&login, &mut app)["recovery_codes"].clone();
    assert_ne!(codes, made["recovery_codes"]);
    for status in [500, 401, 302] {
        exchange.status.store(status, Ordering::SeqCst);
        let before = exchange.messages(&number).len();
        let pending = company.pending(&email);
        if status == 302 {
            // Four in an hour: this one is to somebody else, and follows no redirect.
            let (_, other) = company.new_member("viewer");
            let theirs = new_number();
            let failed = post(&company, &other, "/v1/me/phone/begin", json!({ "number": theirs })).expect(503);
            assert_eq!((failed.code().as_str(), exchange.messages(&theirs).len()), ("access.sms_failed", 1));
            continue;
        }
        assert_eq!(send(&company, &pending).expect(503).code(), "access.sms_failed");
        assert_eq!(exchange.messages(&number).len(), before + 1);
        // What it was sent and did not take over is no code.
        assert_eq!(log_in(&company.client, &pending, &exchange.code(&number)).expect(401).code(), "access.wrong_code");
        log_in(&company.client, &pending, &app.next_code()).expect(201);
    }
    let failed = company.told("factor.code_sent").into_iter().filter(|event| event["taken_over"] == false);
    assert_eq!(failed.count(), 3);
    assert_eq!(server.stop(), 0);
    // Nobody is there at all.
    settings(&deployment, |text| text.replace(&exchange.url, "http://127.0.0.1:9/send"));
    let server = deployment.serve();
    let company = company.at(&server);
    let pending = company.pending(&email);
    assert_eq!(send(&company, &pending).expect(503).code(), "access.sms_failed");
    log_in(&company.client, &pending, codes[0].as_str().expect("a code")).expect(201);
    for hidden in [TOKEN, &number] {
        assert_absent(&deployment.data(), hidden, |_| false);
        assert!(!std::fs::read_to_string(&server.log).expect("a log").contains(hidden), "{hidden}");
    }
}

#[test]
fn rn_23_a_number_is_in_clear_in_no_file_and_in_no_export() {
    let exchange = Exchange::start();
    let deployment = with_exchange(&exchange);
    let server = deployment.serve();
    let company = Company::sign_up(&server, "sealed");
    company.allow_sms();
    let (_, login) = company.new_member("viewer");
    let (number, digits) = ("+817084615937", "7084615937");
    post(&company, &login, "/v1/me/phone/begin", json!({ "number": "070-8461-5937" })).expect(202);
    post(&company, &login, "/v1/me/phone", json!({ "code": exchange.code(number) })).expect(201);
    company.mark();
    company.settle();
    let notes = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(notes.path().join("notes"), number).expect("notes can be written");
    assert_present(notes.path(), digits);
    deployment.export(&company.id, "closed.keiin", &[]);
    deployment.export(&company.id, "open.keiin", &["--open"]);
    for running in [Some(server), None] {
        assert_absent(deployment.folder(), digits, |_| false);
        if let Some(server) = running {
            assert_eq!(server.stop(), 0);
        }
    }
    report!("sms number in_clear=0");
}

#[test]
fn hostile_requests_send_and_enrol_nothing() {
    let (_deployment, _server, company) = company("hostile");
    let (email, login, number) = company.phoned();
    let sent = || Exchange::shared().messages(&number).len();
    let before = sent();
    for pending in ["", "x", "keiin_pnd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "keiin_ses_x"] {
        assert_eq!(send(&company, pending).expect(410).code(), "access.gone", "{pending}");
    }
    // Neither a token nor nobody; neither a second phone nor a number that takes no SMS.
    let begin = Call::new("POST", "/v1/me/phone/begin").json(&json!({ "number": number }));
    assert_eq!(company.send(begin.clone()).expect(403).code(), "access.forbidden");
    assert_eq!(company.client.send(&begin).expect(401).code(), "access.unauthenticated");
    assert_eq!(as_login(&company, &login, begin).expect(409).code(), "factor.phone_exists");
    let (_, other) = company.new_member("viewer");
    for bad in
        ["", "03-1234-5678", "+", "090-1234-567\r\nX: y", "+81 90 1234 5678 9", "javascript:alert(1)", "٠٩٠١٢٣٤٥٦٧٨"]
    {
        let answer = post(&company, &other, "/v1/me/phone/begin", json!({ "number": bad })).expect(422);
        assert_eq!(answer.code(), "factor.bad_phone", "{bad:?}");
    }
    // The code of a phone that is to be enrolled logs nobody in, and that of a login enrols none.
    let code = company.text_to(&other, &new_number());
    assert_eq!(
        post(&company, &other, "/v1/me/confirm", json!({ "proof": code })).expect(401).code(),
        "access.wrong_code"
    );
    let pending = company.pending(&email);
    assert_eq!(log_in(&company.client, &pending, &code).expect(401).code(), "access.wrong_code");
    let of_login = company.text_for(&pending, &number);
    assert_eq!(
        post(&company, &other, "/v1/me/phone", json!({ "code": of_login })).expect(422).code(),
        "factor.wrong_code"
    );
    for rubbish in ["", "12345a", "１２３４５６７"] {
        let answer = post(&company, &other, "/v1/me/phone", json!({ "code": rubbish })).expect(422);
        assert_eq!(answer.code(), "factor.wrong_code", "{rubbish}");
    }
    assert_eq!(sent(), before + 1);
    log_in(&company.client, &pending, &of_login).expect(201);
}

#[test]
fn without_a_script_a_login_by_sms_is_three_forms() {
    let (_deployment, _server, company) = company("forms");
    let (email, _, number) = company.phoned();
    let form = |path: &str, body: String| {
        let call = Call::new("POST", path).bytes("application/x-www-form-urlencoded", body);
        company.client.send(&call.header("Accept", "text/html").header("Accept-Language", "en"))
    };
    let hidden = |page: &str, name: &str| -> String {
        let (_, rest) =
            page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {page}"));
        rest.split('"').next().expect("a value").replace("&#x2f;", "/")
    };
    let password = keiin_tests::company::PASSWORD.replace(' ', "+");
    let page = form("/login", format!("email={email}&password={password}&tenant={}&_next=/visits", company.slug));
    let page = page.expect(200).text();
    let (pending, next) = (hidden(&page, "pending"), hidden(&page, "_next"));
    let fields = format!("pending={pending}&sms=true&passkey=false&_next={next}");
    let page = form("/login/sms", fields.clone()).expect(200).text();
    assert!(page.contains("autocomplete=\"one-time-code\"") && page.contains("inputmode=\"numeric\""), "{page}");
    assert!(page.contains(&format!("••••{}", &number[number.len() - 4..])), "{page}");
    let again = form("/login/sms", fields.clone()).expect(429).text();
    assert!(again.contains("seconds") && hidden(&again, "pending") == pending, "{again}");
    let done = form("/login/code", format!("{fields}&code={}", Exchange::shared().code(&number)));
    assert_eq!(done.expect(303).header("location"), Some("/visits"));
}

#[test]
fn development_writes_to_a_file_that_its_owner_reads_and_stays_on_the_machine() {
    let deployment = Deployment::limited();
    settings(&deployment, |text| text + "\n[sms]\ndevelopment = true\n");
    let server = deployment.serve();
    let company = Company::sign_up(&server, "develops");
    company.allow_sms();
    let (_, login) = company.new_member("viewer");
    post(&company, &login, "/v1/me/phone/begin", json!({ "number": "+12025550123" })).expect(202);
    let outbox = deployment.data().join("sms-outbox.jsonl");
    let lines = std::fs::read_to_string(&outbox).expect("the outbox is there");
    let message: Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
    assert_eq!(message["to"], "+12025550123");
    let code = text(&message, "text").rsplit('#').next().expect("a code").to_owned();
    post(&company, &login, "/v1/me/phone", json!({ "code": code })).expect(201);
    assert_eq!(outbox.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(server.stop(), 0);
    let serve = ["serve", "--data", deployment.data_arg(), "--listen", "127.0.0.1:0", "--behind-proxy", "127.0.0.1/32"];
    let refused = keiin(&serve);
    assert!(refused.code != 0 && refused.stderr.contains("sms.development"), "{}", refused.stderr);

    // A token that others can read is refused by name.
    let token = deployment.folder().join("token");
    std::fs::write(&token, TOKEN).expect("a token");
    std::fs::set_permissions(&token, PermissionsExt::from_mode(0o644)).expect("it is ours");
    let url = format!("url = \"https://sms.example/\"\ntoken_file = {token:?}");
    settings(&deployment, |text| text.replace("development = true", &url));
    let refused = keiin(&serve[..5]);
    assert!(refused.code != 0 && refused.stderr.contains("chmod 600"), "{}", refused.stderr);
}
