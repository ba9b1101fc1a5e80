//! Guesses, one after the other (MN-10, ML-22, ASVS 6.3.1): the next one waits, after a hundred there is no next, and none of
//! it tells whether anybody has the address.

use std::path::Path;
use std::time::Duration;

use keiin_eventlog::vault::{Entry, Vault};
use keiin_tests::company::{PASSWORD, text};
use keiin_tests::mailbox::{OTHER_PASSWORD, vault_at_rest};
use keiin_tests::{Answer, Call, Company, Deployment};
use serde_json::json;
use uuid::Uuid;

const WRONG: &str = "a guess that is wrong";

fn log_in(company: &Company, email: &str, password: &str) -> Answer {
    company.client.post("/v1/sessions", &json!({ "email": email, "password": password }))
}

/// What tells one refusal from another: status, code, seconds to wait.
fn refusal(answer: &Answer) -> (u16, String, Option<String>) {
    (answer.status, answer.code(), answer.header("retry-after").map(str::to_owned))
}

#[test]
fn ml_22_after_five_wrong_ones_the_next_waits_for_known_and_unknown_alike() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "waiting");
    let (id, _) = company.new_member("viewer");
    let known = text(&company.get(&format!("/v1/members/{id}")), "email");
    let curve = |email: &str| {
        let free: Vec<_> = (0..5).map(|_| refusal(&log_in(&company, email, WRONG))).collect();
        assert!(free.iter().all(|r| *r == (401, "access.wrong_credentials".into(), None)), "{free:?}");
        // Refused without being looked at, so the right one is, too.
        let waiting = refusal(&log_in(&company, email, PASSWORD));
        std::thread::sleep(Duration::from_millis(1_100));
        let sixth = refusal(&log_in(&company, email, WRONG));
        (waiting, sixth, refusal(&log_in(&company, email, PASSWORD)))
    };
    let seen = curve(&known);
    let [one, two] = ["1", "2"].map(|s| (429, "request.too_many".to_owned(), Some(s.to_owned())));
    assert_eq!(seen, (one, (401, "access.wrong_credentials".into(), None), two));
    assert_eq!(curve("nobody@waiting.example"), seen);
    // The owner is not held up by it; and when they have waited, the right one is right and takes the count away.
    log_in(&company, "owner@waiting.example", PASSWORD).expect(201);
    std::thread::sleep(Duration::from_millis(2_100));
    log_in(&company, &known, PASSWORD).expect(201);
    (0..5).for_each(|_| drop(log_in(&company, &known, WRONG).expect(401)));
}

/// As if so many wrong guesses had been made a day ago.
fn plant(data: &Path, ledger: Uuid, owner: impl Fn(&Vault) -> Uuid, count: u8) {
    let vault = vault_at_rest(data);
    let (owner, at) = (owner(&vault), keiin::clock::now_us() - 86_400_000_000);
    let guess = |n| Entry {
        kind: "guess".into(),
        lookup: [owner.as_bytes().as_slice(), &[n]].concat(),
        ledger,
        owner,
        value: vec![],
        created_us: at,
        expires_us: Some(at + 90 * 86_400_000_000),
    };
    vault.put(&(0..count).map(guess).collect::<Vec<_>>()).expect("the vault takes them");
}

#[test]
fn mn_10_after_a_hundred_there_is_no_next_until_there_is_a_new_password() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "hundred");
    let (id, _) = company.new_member("viewer");
    let known = text(&company.get(&format!("/v1/members/{id}")), "email");
    let first = log_in(&company, &known, PASSWORD).expect(201);
    let mut cookies = first.headers_of("set-cookie").into_iter();
    let browser = cookies.find(|set| set.starts_with("keiin-device=")).expect("a cookie for the device");
    let browser = browser.split(';').next().unwrap_or_default().to_owned();
    drop(server);
    for email in [known.as_str(), "nobody@hundred.example"] {
        let login = |vault: &Vault| vault.fingerprint(Uuid::nil(), "login", email).expect("the vault answers");
        plant(&deployment.data(), Uuid::nil(), login, 99);
    }
    let server = deployment.serve();
    let company = company.at(&server);
    for email in [known.as_str(), "nobody@hundred.example"] {
        assert_eq!(refusal(&log_in(&company, email, WRONG)), (401, "access.wrong_credentials".into(), None));
        assert_eq!(refusal(&log_in(&company, email, PASSWORD)), (403, "access.locked".into(), None), "{email}");
    }
    // Who guesses elsewhere keeps nobody out of the browser that they always use.
    let body = json!({ "email": known, "password": PASSWORD });
    let usual = Call::new("POST", "/v1/sessions").json(&body).header("Cookie", &browser);
    company.client.send(&usual).expect(201);
    company.require_reset(&id);
    let secret = company.reset_secret(&id);
    let accept = format!("/v1/password_resets/{secret}/accept");
    company.client.post(&accept, &json!({ "password": OTHER_PASSWORD })).expect(200);
    log_in(&company, &known, OTHER_PASSWORD).expect(201);
}

#[test]
fn mn_10_codes_are_counted_over_all_logins() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "codes");
    let (email, mut app) = company.enrolled();
    let try_code = |code: &str| {
        let pending = company.pending(&email);
        company.client.post("/v1/sessions/code", &json!({ "pending": pending, "code": code }))
    };
    (0..5).for_each(|_| drop(try_code("000000").expect(401)));
    assert_eq!(refusal(&try_code("000000")).0, 429, "every login is a new one, and the sixth code waits all the same");
    std::thread::sleep(Duration::from_millis(1_100));
    try_code(&app.next_code()).expect(201);
}
