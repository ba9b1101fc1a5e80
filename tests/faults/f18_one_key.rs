//! F18. The same request a hundred times at once under one Idempotency-Key: one event, one answer. The key outlives a
//! restart, stands for one request only, and means nothing in another company.

use std::collections::BTreeSet;

use keiin_tests::{Answer, Call, Company, Deployment, long, report};
use serde_json::{Value, json};

/// What makes two answers the same.
fn seen(answer: &Answer) -> String {
    let answer = (answer.status, answer.json(), answer.position(), answer.header("location").map(str::to_owned));
    format!("{answer:?}")
}

fn named(company: &Company, name: &str) -> usize {
    let all = company.get("/v1/clients?limit=200");
    all["items"].as_array().expect("a list").iter().filter(|client| client["name"] == name).count()
}

#[test]
fn f18_one_key_a_hundred_times_at_once_is_one_event_and_one_answer() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let [one, other] = [Company::sign_up(&server, "key-a"), Company::sign_up(&server, "key-b")];
    let rounds = if long() { 50 } else { 3 };
    let body = |name: &str| -> Value { json!({ "name": name, "honorific": "onchu" }) };
    let mut retried = 0;
    for round in 0..rounds {
        let (key, name) = (format!("key {round}"), format!("Once {round}"));
        let ask = || loop {
            let answer = one.client.send(&one.token.on(Call::new("POST", "/v1/clients").key(&key).json(&body(&name))));
            // Too many at once on a busy machine: asked again, as the answer says.
            if answer.status != 503 {
                return answer;
            }
        };
        let (client, token) = (&one.client, &one.token);
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..100)
                .map(|_| {
                    let call = token.on(Call::new("POST", "/v1/clients").key(&key).json(&body(&name)));
                    scope.spawn(move || client.send(&call))
                })
                .collect();
            asking.into_iter().map(|thread| thread.join().expect("answered")).collect()
        });
        let (busy, answers): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 503);
        retried += busy.len();
        let mut different: BTreeSet<String> = answers.iter().map(seen).collect();
        different.insert(seen(&ask()));
        assert_eq!(different.len(), 1, "round {round}: {different:#?}");
        assert_eq!(named(&one, &name), 1, "round {round}");
    }

    let call = Call::new("POST", "/v1/clients").key("key 0");
    let refused = one.send(call.clone().json(&body("Something else"))).expect(422);
    assert_eq!(refused.code(), "idempotency.key_reused");
    let first = one.send(call.clone().json(&body("Once 0"))).expect(201);
    assert_eq!(server.stop(), 0);
    let server = deployment.serve();
    let [one, other] = [one.at(&server), other.at(&server)];
    assert_eq!(seen(&one.send(call.clone().json(&body("Once 0")))), seen(&first), "after a restart");
    assert_eq!(one.send(call.clone().json(&body("Something else"))).status, 422, "after a restart");
    // The same key in another company is another key.
    let elsewhere = other.send(call.json(&body("Once 0"))).expect(201);
    assert_ne!(elsewhere.json()["id"], first.json()["id"]);
    assert_eq!((named(&one, "Once 0"), named(&other, "Once 0")), (1, 1));
    report!("F18 rounds={rounds} at_once=100 events_each=1 different_answers=0 told_to_wait={retried}");
}
