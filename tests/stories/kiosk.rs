//! The reception's devices over the API: one code lets in once however many hold it up at the same time, a kiosk sees its own
//! place and one visit only, it asks what the company wants to know, and a lost one is shut out at once.

use std::sync::Barrier;

use keiin_test_postgres::Server as Postgres;
use keiin_tests::company::{text, verify};
use keiin_tests::{Call, Company, Credential, Deployment, report};
use serde_json::{Value, json};

/// How many show one code at once.
const AT_ONCE: u64 = 32;

fn post(path: &str, body: &Value) -> Call {
    Call::new("POST", path).json(body)
}

/// One code, shown to one kiosk or to several by many at once.
fn exactly_one_gets_in(deployment: &Deployment, slug: &str) {
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    let (visit, secret) = company.new_visit();
    let kiosks: Vec<Credential> = (0..4).map(|_| company.new_kiosk().1).collect();
    let start = Barrier::new(AT_ONCE as usize);
    let statuses: Vec<(u16, String)> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..AT_ONCE)
            .map(|n| {
                let (lane, kiosk, start) = (company.lane(n), &kiosks[n as usize % kiosks.len()], &start);
                let call = post("/v1/kiosk/check_in", &json!({ "code": secret })).key(&format!("try {n}"));
                scope.spawn(move || {
                    start.wait();
                    let answer = lane.client.send(&kiosk.on(call));
                    let code = if answer.status == 200 { String::new() } else { answer.code() };
                    (answer.status, code)
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().expect("it ends")).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = statuses.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!(won.len(), 1, "{lost:?}");
    assert!(lost.iter().all(|one| *one == (409, "visit.already_checked_in".to_owned())), "{lost:?}");
    company.mark();
    let came = company.get(&format!("/v1/events?object={visit}&kind=visit.checked_in"));
    assert_eq!(came["items"].as_array().map(Vec::len), Some(1), "{came}");
    assert_eq!(company.get(&format!("/v1/visits/{visit}"))["status"], "arrived");
    report!("kiosk {slug} at_once={AT_ONCE} let_in=1 refused={}", lost.len());
}

#[test]
fn one_code_lets_in_once_on_sqlite() {
    exactly_one_gets_in(&Deployment::new(), "once-sqlite");
}

#[test]
fn one_code_lets_in_once_on_postgresql() {
    exactly_one_gets_in(&Deployment::on_postgres(Postgres::shared()), "once-postgres");
}

#[test]
fn rn_06_a_kiosk_sees_its_own_place_and_one_visit_only() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "one-place");
    let (_, kiosk) = company.new_kiosk();
    let ask = |path: &str| company.client.send(&kiosk.on(Call::new("GET", path)));
    let (visit, secret) = company.new_visit();
    for path in ["/v1/visits", "/v1/members", "/v1/kiosks", "/v1/reception", "/v1/scan_refusals", "/v1/events"] {
        assert_eq!(ask(path).status, 403, "{path}");
    }
    assert_eq!(ask(&format!("/v1/visits/{visit}")).status, 403);

    // Of a visit at its own place whether the host was told; of one elsewhere nothing.
    let notice = |visit: &str| ask(&format!("/v1/kiosk/visits/{visit}/notice"));
    assert_eq!(notice(&visit).expect(200).json(), json!({ "told": false }));
    let elsewhere = Value::Object({
        let mut body = company.visit_body().as_object().expect("an object").clone();
        body.insert("location".into(), json!("Another place"));
        body
    });
    let elsewhere = company.ok(post("/v1/visits", &elsewhere));
    notice(&text(&elsewhere, "id")).expect(404);
    let answer = company.client.send(&kiosk.on(post("/v1/kiosk/check_in", &json!({ "code": elsewhere["secret"] }))));
    assert_eq!((answer.status, answer.code().as_str()), (404, "visit.unknown_code"));

    let seen =
        company.client.send(&kiosk.on(post("/v1/kiosk/check_in", &json!({ "code": secret })))).expect(200).json();
    let mut fields: Vec<&String> = seen.as_object().expect("an object").keys().collect();
    fields.sort();
    assert_eq!(fields, ["host", "id", "location", "status", "visitor"]);
    assert_eq!(seen["visitor"].as_object().map(|o| o.len()), Some(1), "the name and no address: {seen}");
    for _ in 0..500 {
        if notice(&visit).expect(200).json()["told"] == true {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("the host was not told: {}", company.get("/v1/mails?limit=5"));
}

#[test]
fn rn_c22_a_kiosk_asks_what_the_company_wants_to_know() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "asking");
    let (_, kiosk) = company.new_kiosk();
    let send = |call: Call| company.client.send(&kiosk.on(call));
    let flow = || send(Call::new("GET", "/v1/kiosk/flow")).expect(200).json();
    assert_eq!(flow()["questions"].as_array().map(Vec::len), Some(3));

    let words = |ja: &str, en: &str| json!({ "ja": ja, "en": en });
    let meals = [words("要る", "Yes"), words("要らない", "No")];
    let questions = json!([
        { "field": "name", "walk_in": true, "required": true },
        { "field": "host", "walk_in": true, "required": true },
        { "field": "choice", "label": words("昼食", "Lunch"), "choices": meals, "walk_in": true, "check_in": true, "required": true },
    ]);
    let mut asking = json!({ "questions": questions, "consent": words("撮影を控えます。", "I will take no pictures."),
        "walk_ins": true, "check_outs": false, "hosts": "chosen", "shown_hosts": [company.owner] });
    company.ok(post("/v1/reception", &asking));
    let asked = flow();
    assert_eq!(asked["questions"][1]["label"], words("訪問先", "Person to see"));
    let consent = text(&asked["consent"], "hash");

    // The code comes first: what is asked is said of a good one only.
    let refused = |body: &Value| send(post("/v1/kiosk/check_in", body)).code();
    let (visit, secret) = company.new_visit();
    assert_eq!(refused(&json!({ "code": "00000000" })), "visit.unknown_code");
    assert_eq!(refused(&json!({ "code": secret })), "reception.answer_required");
    let answers = json!([{ "question": "昼食", "answer": "要らない" }]);
    assert_eq!(refused(&json!({ "code": secret, "answers": answers })), "reception.consent_required");
    let came = json!({ "code": secret, "answers": answers, "consent": consent });
    send(post("/v1/kiosk/check_in", &came)).expect(200);
    let shown = company.get(&format!("/v1/visits/{visit}"));
    assert_eq!(shown["consent"], consent.as_str());
    assert_eq!(shown["answers"], json!([{ "question": words("昼食", "Lunch"), "answer": words("要らない", "No") }]));
    assert_eq!(send(post("/v1/kiosk/check_out", &json!({ "code": secret }))).code(), "reception.no_check_outs");

    // Whom one comes to see: found by typing, among those who may be shown.
    let (member, _) = company.new_member("member");
    let hosts = |q: &str| send(Call::new("GET", &format!("/v1/kiosk/hosts?q={q}"))).expect(200).json()["items"].clone();
    company.mark();
    assert_eq!(hosts(""), json!([]));
    assert_eq!(hosts("ｏwNer"), json!([{ "id": company.owner, "name": "Owner of asking" }]));
    assert_eq!(hosts("member"), json!([]), "not chosen");
    let walk_in = |host: &str| {
        let body = json!({ "visitor_name": "飛込 次郎", "host_id": host, "answers": answers, "consent": consent });
        send(post("/v1/kiosk/walk_in", &body))
    };
    assert_eq!(walk_in(&member).code(), "visit.unknown_host");
    let came = walk_in(&company.owner).expect(201).json();
    assert_eq!(came["host"]["name"], "Owner of asking");
    let mail = company.mailed(&text(&came, "id"), "arrival");
    assert_eq!(mail["object"]["id"], came["id"]);

    // Another text: who agreed to the old one agrees again. No walk-ins: none.
    asking["consent"] = words("撮影も録音も控えます。", "I will neither film nor record.");
    asking["walk_ins"] = json!(false);
    company.ok(post("/v1/reception", &asking));
    let (_, secret) = company.new_visit();
    let old = json!({ "code": secret, "answers": answers, "consent": consent });
    assert_eq!(refused(&old), "reception.consent_changed");
    assert_eq!(walk_in(&company.owner).code(), "reception.no_walk_ins");

    let key = company.key();
    company.checkpoint();
    assert_eq!(server.stop(), 0);
    verify(&deployment.export(&company.id, "asking.keiin", &[]), &key);
}

#[test]
fn rn_33_a_lost_kiosk_is_shut_out_at_its_next_call() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "lost");
    let (id, Credential::Bearer(secret)) = company.new_kiosk() else { panic!("a kiosk has a secret") };
    let cookie = Credential::Cookie(format!("keiin_kiosk={secret}"));
    let call = |call: Call| company.client.send(&cookie.on(call));
    let form = |path: &str, body: &str| Call::new("POST", path).bytes("application/x-www-form-urlencoded", body);
    assert_eq!(call(Call::new("GET", "/kiosk/alive")).status, 204);
    assert!(call(Call::new("GET", "/kiosk")).expect(200).text().contains("data-paired"));
    let path = format!("/v1/kiosks/{id}");
    company.ok(Call::new("POST", &format!("{path}/revoke")).if_match(&company.etag(&path)));
    for next in [
        Call::new("GET", "/kiosk/alive"),
        Call::new("GET", "/kiosk"),
        Call::new("GET", "/kiosk/hosts?q=o"),
        form("/kiosk/check_in", "code=12345678"),
        form("/kiosk/walk_in", "visitor_name=X"),
    ] {
        let answer = call(next.clone());
        assert_eq!(answer.status, 401, "{}", next.path());
    }
    let page = call(Call::new("GET", "/kiosk").header("Accept-Language", "en")).text();
    assert!(page.contains("This device is switched off") && page.contains("この端末の利用は止められました"));
    assert!(!page.contains("data-paired") && !page.contains("lost KK"), "{page}");
}
