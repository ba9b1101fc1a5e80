//! What is secret or personal is in no file in clear where it must not be: passwords, tokens and links nowhere, people only
//! in the read models. Every search is first shown to find what is there.

use std::path::{Path, PathBuf};

use keiin_tests::canary::{assert_absent, assert_present, search};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server, SignUp, report};
use serde_json::json;

const PASSWORD: &str = "Xylograph-quokka-77-verglas";
const NEXT_PASSWORD: &str = "Syzygy-lorikeet-58-gantry";
const WRONG_PASSWORD: &str = "Zugzwang-nacelle-31-pelmet";
const UNKNOWN_ADDRESS: &str = "brachiate.umiak@nowhere-canary.example";
const USER_AGENT: &str = "QuetzalBrowser/74.1717";
const FORWARDED: &str = "203.0.113.77";
/// Of people and of the company's customers: in the read models, and nowhere else.
const PEOPLE: &[&str] = &[
    "鑿籬靉鼕",
    "spinnaker.owner@canary.example",
    "Wombatine Sphagnum",
    "wombatine@canary.example",
    "齷齪黌鬯",
    "キンカジュウ",
    "isinglass@canary.example",
    "Flummoxed Trebuchet KK",
    "Rutabaga note 5512",
    "Zeugma Contact",
    "zeugma@canary.example",
    "Gallimaufry Recipient",
    "gallimaufry@canary.example",
    "Please find the xanthic enclosure",
];

fn is_read_model(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("read.db"))
}

/// Does with every canary what people do with such things, and returns the secrets that came up.
fn live(server: &Server) -> Vec<String> {
    let client = server.client();
    let body = json!({ "company": "Canary KK", "slug": "canary", "name": PEOPLE[0], "password": PASSWORD });
    let sign_up = SignUp::agreed(&client, PEOPLE[1]);
    let call = Call::new("POST", &sign_up.path("tenant")).json(&body).header("User-Agent", USER_AGENT);
    let answer = client.send(&call).expect(201);
    let login = keiin_tests::company::cookie(&answer);
    let Credential::Cookie(session) = &login else { unreachable!("a login is a cookie") };
    let mut secrets = vec![session.split_once('=').expect("name and value").1.to_owned(), sign_up.secret];

    let send = |call: Call| -> Answer {
        let call = call.header("User-Agent", USER_AGENT).header("X-Forwarded-For", FORWARDED);
        let answer = client.send(&login.on(call));
        assert!((200..300).contains(&answer.status), "{}: {}", answer.asked, answer.text());
        answer
    };
    let scopes: Vec<String> = keiin_domain::catalog::scopes().into_iter().collect();
    let token = send(Call::new("POST", "/v1/tokens").json(&json!({ "name": "Program", "scopes": scopes }))).json();
    let kiosk = send(Call::new("POST", "/v1/kiosks").json(&json!({ "name": "Door", "location": "Hall" }))).json();
    let member = json!({ "name": PEOPLE[2], "email": PEOPLE[3], "role": "member" });
    let member = send(Call::new("POST", "/v1/members").key("1").json(&member)).json();
    let register = json!({
        "name": PEOPLE[7], "honorific": "onchu", "contacts": [{ "name": PEOPLE[9], "email": PEOPLE[10] }],
    });
    let customer = send(Call::new("POST", "/v1/clients").json(&register)).json();
    let me = send(Call::new("GET", "/v1/me")).json();
    let now_us = keiin::clock::now_us();
    let visit = send(Call::new("POST", "/v1/visits").json(&json!({
        "visitor_name": PEOPLE[4], "visitor_kana": PEOPLE[5], "visitor_email": PEOPLE[6], "note": PEOPLE[8],
        "host_id": me["id"], "location": "Hall", "starts_at": keiin_domain::date::instant(now_us),
        "ends_at": keiin_domain::date::instant(now_us + 3_600_000_000),
    })));
    let visit = visit.json();
    let draft = json!({
        "document_type": "quote", "client_id": customer["id"], "title": "Offer", "date": "2026-11-20",
        "lines": keiin_tests::company::lines(),
    });
    let draft = send(Call::new("POST", "/v1/documents").json(&draft));
    let issue = format!("/v1/documents/{}/issue", draft.json()["id"].as_str().expect("an id"));
    let document = send(Call::new("POST", &issue).if_match(draft.etag())).json();
    let delivery = json!({
        "document_ids": [document["id"]], "to_name": PEOPLE[11], "to_email": PEOPLE[12], "message": PEOPLE[13],
    });
    let delivery = send(Call::new("POST", "/v1/deliveries").key("2").json(&delivery)).json();
    let mails = send(Call::new("GET", "/v1/mails?limit=200")).json();
    let link = |object: &str| {
        let mails = mails["items"].as_array().expect("a list");
        let mail = mails.iter().find(|mail| mail["object"]["id"] == object).expect("there is a mail about it");
        mail["link"].as_str().expect("with a link").rsplit('/').next().expect("with a secret").to_owned()
    };
    let [token, kiosk, pass] =
        [&token, &kiosk, &visit].map(|made| made["secret"].as_str().expect("a secret").to_owned());
    let [invitation, secure_link] = [&member, &delivery].map(|object| link(object["id"].as_str().expect("an id")));

    // Each is used once, some of them wrongly.
    let check_in = Call::new("POST", "/v1/kiosk/check_in").json(&json!({ "code": pass }));
    client.send(&Credential::Bearer(kiosk.clone()).on(check_in)).expect(200);
    client.with_token(&token).get("/v1/clients").expect(200);
    client.get(&format!("/l/{secure_link}")).expect(200);
    client.post(&format!("/v1/links/{secure_link}/open"), &json!({})).expect(200);
    client.get(&format!("/invite/{invitation}")).expect(200);
    client
        .post(&format!("/v1/invitations/{invitation}/accept"), &json!({ "name": "", "password": PASSWORD }))
        .expect(422);
    client.get(&format!("/pass/{pass}")).expect(200);
    client.get(&format!("/kiosk/pair/{kiosk}")).expect(303);
    client.post("/v1/sessions", &json!({ "email": PEOPLE[1], "password": PASSWORD })).expect(201);
    client.post("/v1/sessions", &json!({ "email": PEOPLE[1], "password": WRONG_PASSWORD })).expect(401);
    client.post("/v1/sessions", &json!({ "email": UNKNOWN_ADDRESS, "password": WRONG_PASSWORD })).expect(401);
    let form = format!("email={UNKNOWN_ADDRESS}&password={WRONG_PASSWORD}");
    client.send(&Call::new("POST", "/login").bytes("application/x-www-form-urlencoded", form)).expect(401);
    // ML-17: changed, not changed, forgotten.
    let change = |current: &str, password: &str| {
        let body = json!({ "current": current, "password": password });
        client.send(&login.on(Call::new("POST", "/v1/me/password").json(&body)))
    };
    change(WRONG_PASSWORD, NEXT_PASSWORD).expect(422);
    change(PASSWORD, "password12345678").expect(422);
    change(PASSWORD, NEXT_PASSWORD).expect(200);
    for address in [PEOPLE[1], UNKNOWN_ADDRESS] {
        client.post("/v1/password_resets", &json!({ "email": address })).expect(202);
    }
    secrets.extend([token, kiosk, pass, invitation, secure_link]);
    secrets
}

#[test]
fn secrets_are_in_no_file_and_people_only_in_the_read_models() {
    let deployment = Deployment::new();
    let server = Server::serve_talkative(&deployment.data());
    let mut hidden = live(&server);
    hidden.extend([PASSWORD, NEXT_PASSWORD, WRONG_PASSWORD, UNKNOWN_ADDRESS, USER_AGENT, FORWARDED].map(str::to_owned));
    let company = Company::sign_up(&server, "bystander");
    company.settle();

    // The same search finds each of them where somebody wrote it down.
    let notes = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(notes.path().join("notes"), hidden.join("\n")).expect("notes can be written");
    hidden.iter().for_each(|secret| drop(assert_present(notes.path(), secret)));

    // While the server runs, and when it has stopped and its write-ahead logs are gone.
    let mut searched = 0;
    for running in [Some(server), None] {
        let log = deployment.data().with_extension("log");
        assert!(std::fs::metadata(&log).is_ok_and(|log| log.len() > 10_000), "the server logged nothing");
        let within: PathBuf = deployment.folder().to_owned();
        for secret in &hidden {
            assert_absent(&within, secret, |_| false);
        }
        for person in PEOPLE {
            let hits = assert_present(&deployment.data(), person);
            assert!(hits.iter().any(|hit| is_read_model(&hit.file)), "{person} is in no read model");
            assert_absent(&within, person, is_read_model);
        }
        searched += keiin_tests::canary::files(&within).len();
        if let Some(server) = running {
            assert_eq!(server.stop(), 0);
        }
    }
    report!("secrets canaries={} files={searched} in_clear=0", hidden.len() + PEOPLE.len());
}

/// Whoever has the files but not the keys reads nothing; nor does who has the keys but not the files.
#[test]
fn keys_are_apart_and_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "closed");
    company.new_client();
    assert_eq!(server.stop(), 0);
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&deployment.data()), 0o700);
    let keys = keiin_tests::canary::files(&deployment.data().join("keys"));
    assert!(keys.len() >= 2, "{keys:?}");
    for file in &keys {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        let secret = std::fs::read(file).expect("we may read it");
        let text = String::from_utf8_lossy(&secret).into_owned();
        for word in text.split_whitespace().filter(|word| word.len() >= 32) {
            let hits = search(&deployment.data(), word);
            assert!(hits.iter().all(|hit| hit.file.starts_with(deployment.data().join("keys"))), "{hits:?}");
        }
    }
}
