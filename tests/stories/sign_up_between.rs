//! What may come between the steps of a sign-up: a crash, somebody with the same short name, somebody who asks for many, and
//! the time after which an address is forgotten.

use keiin_eventlog::record::{Leaf, Record};
use keiin_tests::canary::{assert_absent, assert_present};
use keiin_tests::company::PASSWORD;
use keiin_tests::mailbox::{root_records, vault};
use keiin_tests::sign_up::agreement;
use keiin_tests::smtp::Smtp;
use keiin_tests::{Call, Client, Deployment, Server, SignUp};
use serde_json::{Value, json};
use uuid::Uuid;

fn tenant(slug: &str) -> Value {
    json!({ "company": format!("{slug} KK"), "slug": slug, "name": "Founder", "password": PASSWORD })
}

/// How many events of a kind are in the deployment's own ledger.
fn count(deployment: &Deployment, kind: &str) -> usize {
    let is = |record: &Record| Leaf::decode(&record.leaf).expect("a leaf").event_kind == kind;
    root_records(&deployment.data()).iter().filter(|record| is(record)).count()
}

fn add(deployment: &Deployment, lines: &str) {
    let path = deployment.data().join("keiin.toml");
    let text = std::fs::read_to_string(&path).expect("settings");
    std::fs::write(&path, format!("{text}\n{lines}\n")).expect("settings can be written");
}

/// EL-15, EL-17 to EL-19: killed after every answer, the next server goes on where the last one stopped. A crash in the
/// middle of the last step is a story of its own (`retry.rs`).
#[test]
fn el_19_killed_after_every_step_it_goes_on() {
    let smtp = Smtp::plain(0);
    let deployment = Deployment::new();
    deployment.mail_to(smtp.port, "none", "");
    let mut server = deployment.serve();
    let mut sign_up = SignUp::begin(&server.client(), "hanako@crashes.example");
    let code = smtp.code_to("hanako@crashes.example");
    let mut next = |sign_up: &mut SignUp, step: &str| {
        server.kill();
        server = deployment.serve();
        sign_up.client = server.client();
        assert_eq!(sign_up.standing()["next_step"], step);
    };
    next(&mut sign_up, "code");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        sign_up.post("verify", &json!({ "code": wrong })).expect(422);
    }
    next(&mut sign_up, "code");
    sign_up.post("verify", &json!({ "code": code })).expect(200);
    next(&mut sign_up, "terms");
    sign_up.post("terms", &agreement(&sign_up.client)).expect(200);
    next(&mut sign_up, "company");
    let made = sign_up.post("tenant", &tenant("crashes")).expect(201).json();
    next(&mut sign_up, "done");
    assert_eq!(sign_up.post("tenant", &tenant("crashes")).expect(201).json()["id"], made["id"]);
    let login = json!({ "email": "hanako@crashes.example", "password": PASSWORD });
    assert_eq!(sign_up.client.post("/v1/sessions", &login).expect(201).json()["tenant"]["id"], made["id"]);
    smtp.next_to("hanako@crashes.example");
    for kind in ["sign_up.requested", "email_code.issued", "email_code.verified", "tenant.provisioned"] {
        assert_eq!(count(&deployment, kind), 1, "{kind}");
    }
    assert_eq!(count(&deployment, "email_code.refused"), 5, "wrong codes are counted over crashes");

    // The sixth is one too many, whoever was restarted in between.
    let mut guessed = SignUp::begin(&sign_up.client, "guessed@crashes.example");
    let code = smtp.code_to("guessed@crashes.example");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        guessed.post("verify", &json!({ "code": wrong })).expect(422);
    }
    next(&mut guessed, "code");
    assert_eq!(guessed.post("verify", &json!({ "code": wrong })).expect(403).code(), "sign_up.locked");
    assert_eq!(guessed.post("verify", &json!({ "code": code })).expect(403).code(), "sign_up.locked");
}

#[test]
fn el_19_of_many_that_want_one_short_name_one_gets_it() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let client = server.client();
    let all: Vec<SignUp> = (0..6).map(|n| SignUp::agreed(&client, &format!("founder{n}@race.example"))).collect();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = all.iter().map(|one| scope.spawn(|| one.post("tenant", &tenant("race")))).collect();
        asking.into_iter().map(|asking| asking.join().expect("answered")).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for other in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((other.status, other.code().as_str()), (409, "tenant.slug_taken"), "{}", other.text());
    }
    // Nothing is lost for whoever came too late: another name will do.
    let late = answers.iter().position(|answer| answer.status != 201).expect("five of them");
    all[late].post("tenant", &tenant("race-too")).expect(201);
    assert_eq!((count(&deployment, "slug.taken"), count(&deployment, "tenant.provisioned")), (2, 2));
}

#[test]
fn el_15_one_source_cannot_have_mails_sent_to_many() {
    let smtp = Smtp::plain(0);
    let deployment = Deployment::limited();
    deployment.mail_to(smtp.port, "none", "");
    add(&deployment, "[limits]\nsign_ups_an_hour = 3\n[proxy]\ntrusted = [\"127.0.0.0/8\"]");
    let server = deployment.serve();
    let client = server.client();
    let ask = |from: &str, n: usize| {
        let body = json!({ "email": format!("victim{n}-{}@many.example", from.replace(':', "-")) });
        client.send(&Call::new("POST", "/v1/sign_ups").header("X-Forwarded-For", from).json(&body))
    };
    let codes = |from: &dyn Fn(usize) -> String| (0..4).map(|n| ask(&from(n), n).status).collect::<Vec<_>>();
    assert_eq!(codes(&|_| "203.0.113.7".into()), [201, 201, 201, 429]);
    assert_eq!(ask("203.0.113.8", 0).status, 201, "others are not in the way");
    // A household has 2^64 addresses.
    assert_eq!(codes(&|n| format!("2001:db8:1:2::{n}")), [201, 201, 201, 429]);
    assert_eq!(ask("2001:db8:1:3::1", 0).status, 201);
    let refused = ask("203.0.113.7", 9).expect(429);
    assert!(refused.header("retry-after").is_some() && refused.code() == "request.too_many");
}

/// What is left of a sign-up a week later is in the root ledger without its address; the company has its own.
#[test]
fn an_address_is_forgotten_when_its_sign_up_is_long_over() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let client: Client = server.client();
    let [gone, stays] = ["gone.canary@forgets.example", "stays@forgets.example"];
    let abandoned = SignUp::verified(&client, gone);
    SignUp::agreed(&client, stays).post("tenant", &tenant("forgets")).expect(201);
    let id = |sign_up: &SignUp| sign_up.begun["id"].as_str().and_then(|id| Uuid::parse_str(id).ok()).expect("an id");
    let key = |sign_up: &SignUp| vault(&deployment.data()).newest_subject_key(Uuid::nil(), id(sign_up)).expect("asked");
    assert_present(&deployment.data(), gone);
    assert_eq!(server.stop(), 0);
    let server = Server::serve_at("+6d", &deployment.data());
    assert!(key(&abandoned).is_some(), "mails may still be tried");
    assert_eq!(server.stop(), 0);
    let server = Server::serve_at("+8d", &deployment.data());
    for _ in 0..600 {
        if count(&deployment, "ledger.subject_erased") == 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(key(&abandoned).is_none());
    let login = json!({ "email": stays, "password": PASSWORD });
    server.client().post("/v1/sessions", &login).expect(201);
    assert_eq!(server.stop(), 0);
    assert_absent(&deployment.data(), gone, |_| false);
}
