//! A request that was not answered is sent again with the same Idempotency-Key: it is done once, and the answer is the one
//! that was missed. The key stands for one request only. Rebuilding the read models logs nobody out.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use keiin_tests::company::text;
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Seeded, Server, SignUp, keiin, report};
use serde_json::{Value, json};

/// What makes two answers the same.
fn seen(answer: &Answer) -> (u16, Value, u64, Option<String>) {
    (answer.status, answer.json(), answer.position(), answer.header("location").map(str::to_owned))
}

#[test]
fn killed_between_commit_and_answer_it_is_done_once() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut company = Company::sign_up(&server, "retry");
    let mut chance = Seeded::from_env_or(7);
    let (mut committed, mut not_yet) = (0, 0);
    for round in 0..16 {
        let name = format!("Retried {round}");
        let body = json!({ "name": name, "honorific": "onchu" }).to_string();
        let _open = send_only(&server, &company.token, &name, &body);
        // The commit takes a few milliseconds: some kills come before it, some between it and the answer.
        std::thread::sleep(Duration::from_micros(chance.between(0, 12_000)));
        server.kill();
        server = deployment.serve();
        company = company.at(&server);
        let named = |company: &Company| {
            let all = company.get("/v1/clients?limit=200");
            let items = all["items"].as_array().expect("a list").clone();
            items.into_iter().filter(|client| client["name"] == name.as_str()).collect::<Vec<_>>()
        };
        let before = named(&company);
        if before.is_empty() {
            not_yet += 1
        } else {
            committed += 1
        }
        let call = Call::new("POST", "/v1/clients").key(&name).bytes("application/json", body);
        let first = company.send(call.clone()).expect(201);
        let second = company.send(call).expect(201);
        assert_eq!(seen(&first), seen(&second), "round {round}");
        assert!(before.iter().all(|client| client["id"] == first.json()["id"]), "round {round}: done again");
        assert_eq!(named(&company).len(), 1, "round {round}");
        let events = company.get(&format!("/v1/events?object={}", text(&first.json(), "id")));
        assert_eq!(events["items"].as_array().map(Vec::len), Some(1), "round {round}: {events}");
    }
    report!("retry rounds=16 committed_before_the_kill={committed} not_yet={not_yet} events_each=1");
    assert!(committed > 0, "no kill came after a commit");
}

/// Sends a whole request and does not wait for the answer. The connection stays open as long as what is returned.
fn send_only(server: &Server, sender: &Credential, key: &str, body: &str) -> TcpStream {
    let client = server.client();
    let mut stream = TcpStream::connect(client.address()).expect("the server accepts connections");
    let request = format!(
        "POST /v1/clients HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n\
         Content-Length: {}\r\n{}\r\n{body}",
        client.address(),
        body.len(),
        sender.lines(),
    );
    stream.write_all(request.as_bytes()).expect("the request can be written");
    stream
}

#[test]
fn a_key_stands_for_one_request_of_one_person() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "keys");
    let client = |name: &str| json!({ "name": name, "honorific": "sama" });
    let post = |body: &Value| company.send(Call::new("POST", "/v1/clients").key("one key").json(body));
    let first = post(&client("First")).expect(201);
    let before = company.mark();
    assert_eq!(seen(&post(&client("First"))), seen(&first));
    let other = post(&client("Second")).expect(422);
    assert_eq!(other.code(), "idempotency.key_reused");
    // A refusal is not remembered: the same key may be used for the corrected request.
    let corrected = Call::new("POST", "/v1/clients").key("corrected");
    company.send(corrected.clone().json(&json!({ "name": "", "honorific": "sama" }))).expect(422);
    assert_eq!(company.event_after(before), None);
    company.send(corrected.json(&client("Corrected"))).expect(201);

    // A colleague's key of the same text is another key. (Of the same name they would be told of as duplicates.)
    let (_, colleague) = company.new_member("member");
    let call = Call::new("POST", "/v1/clients").key("one key").json(&client("A colleague's"));
    let answer = company.client.send(&colleague.on(call)).expect(201);
    assert_ne!(answer.json()["id"], first.json()["id"]);

    // The same person with another login is the same person.
    let again = company.log_in("owner@keys.example");
    let call = Call::new("POST", "/v1/clients").key("one key").json(&client("First"));
    assert_eq!(seen(&company.client.send(&again.on(call))), seen(&first));
}

#[test]
fn a_sign_up_that_was_interrupted_goes_on() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    Company::sign_up(&server, "warm-up");
    let mut chance = Seeded::from_env_or(11);
    for round in 0..4 {
        let body = json!({
            "company": "Halfway KK", "slug": format!("halfway-{round}"), "name": "Founder",
            "password": "correct horse battery staple",
        });
        let sign_up = SignUp::agreed(&server.client(), "founder@halfway.example");
        let call = Call::new("POST", &sign_up.path("tenant")).json(&body);
        let client = server.client();
        let asking = std::thread::spawn({
            let call = call.clone();
            move || client.try_send(&call).map(|answer| answer.status)
        });
        std::thread::sleep(Duration::from_millis(chance.between(20, 400)));
        server.kill();
        let _ = asking.join();
        server = deployment.serve();
        let answer = server.client().send(&call).expect(201);
        let other = SignUp::agreed(&server.client(), "somebody-else@halfway.example");
        assert_eq!(other.post("tenant", &body).expect(409).code(), "tenant.slug_taken");
        let login = json!({ "email": "founder@halfway.example", "password": "correct horse battery staple", "company": format!("halfway-{round}") });
        let me = server.client().post("/v1/sessions", &login).expect(201).json();
        assert_eq!(me["tenant"]["id"], answer.json()["id"]);
    }
}

#[test]
fn a_rebuild_logs_nobody_out() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "patient");
    let client = company.new_client();
    let kiosk = company.new_kiosk().1;
    let (_, link) = company.new_delivery();
    assert_eq!(server.stop(), 0);
    keiin(&["rebuild", "--data", deployment.data_arg()]).expect(0);
    let server = deployment.serve();
    let company = company.at(&server);
    let path = format!("/v1/clients/{client}");
    company.get(&path);
    company.ok_logged_in(Call::new("GET", &path));
    let walk_in = Call::new("POST", "/v1/kiosk/walk_in").json(&json!({ "visitor_name": "Somebody" }));
    company.client.send(&kiosk.on(walk_in)).expect(201);
    company.client.post(&format!("/v1/links/{link}/open"), &json!({})).expect(200);
}
