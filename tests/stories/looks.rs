//! Looks at data about persons are events in the company's own ledger: one for each actor, object and hour.

use keiin_tests::company::{read_export, text};
use keiin_tests::{Call, Company, Credential, Deployment, Server};
use serde_json::{Value, json};

/// The looks at an object, newest first.
fn looks(company: &Company, object: &str) -> Vec<Value> {
    company.mark();
    let found = company.get(&format!("/v1/events?object={object}&kind=data.viewed&limit=200"));
    found["items"].as_array().expect("a list").clone()
}

fn get(company: &Company, who: &Credential, path: &str) -> u16 {
    company.client.send(&who.on(Call::new("GET", path))).status
}

#[test]
fn each_hour_has_one_look_of_each_actor_at_each_object() {
    let deployment = Deployment::new();
    let server = Server::serve_at("@2026-11-23 10:20:00", &deployment.data());
    let company = Company::sign_up(&server, "looks");
    let (viewer_id, viewer) = company.new_member("viewer");
    let buyer = company.new_client();
    let path = format!("/v1/clients/{buyer}");
    let made = looks(&company, &buyer).len();

    // Many at once, by program and by page: one event each hour and actor.
    let (_, other) = company.new_member("member");
    let before = looks(&company, &buyer).len();
    std::thread::scope(|scope| {
        for lane in 0..16 {
            let (client, path, page) = (company.client.clone(), path.clone(), format!("/clients/{buyer}"));
            let call = other.on(Call::new("GET", if lane % 2 == 0 { &path } else { &page }));
            scope.spawn(move || assert_eq!(client.send(&call).status, 200));
        }
    });
    let seen = looks(&company, &buyer);
    assert_eq!(seen.len(), before + 1, "{seen:?}");
    assert_eq!(seen[0]["actor"]["kind"], "member");
    assert_eq!(seen[0]["object"]["kind"], "data");
    assert!(seen[0]["object"]["label"].is_string(), "its name, joined: {seen:?}");

    // What one may not see is not seen.
    assert_eq!(get(&company, &viewer, &format!("/v1/deliveries/{}", company.owner)), 403);
    assert_eq!(get(&company, &viewer, &format!("/v1/clients/{}", company.owner)), 404);
    // Lists show little of many, and one's own record is one's own.
    assert_eq!(get(&company, &viewer, "/v1/clients"), 200);
    assert_eq!(get(&company, &viewer, &format!("/v1/members/{viewer_id}")), 200);
    assert_eq!(get(&company, &viewer, "/v1/tenant"), 200);
    company.mark();
    let theirs = company.get(&format!("/v1/events?actor={viewer_id}&kind=data.viewed"));
    assert_eq!(theirs["items"], json!([]));

    // A colleague's record is not. It is found by person and by object, and says what was seen.
    assert_eq!(get(&company, &viewer, &format!("/v1/members/{}", company.owner)), 200);
    let theirs = looks(&company, &company.owner);
    let theirs: Vec<&Value> = theirs.iter().filter(|look| look["actor"]["id"] == viewer_id).collect();
    assert_eq!(theirs.len(), 1);
    let detail = company.get(&format!("/v1/events/{}", theirs[0]["position"]));
    assert_eq!(detail["event"], json!({ "kind": "member", "class": "personal", "how": "shown" }));
    assert_eq!(detail["context"]["ip"], "127.0.0.1");
    // A file that leaves is another look.
    assert_eq!(get(&company, &company.token, "/v1/events.csv"), 200);
    assert_eq!(get(&company, &company.token, "/v1/events.csv"), 200);
    assert_eq!(looks(&company, &company.id).len(), 1);

    // After a restart the ledger still knows; in the next hour it is a new look.
    assert_eq!(server.stop(), 0);
    let server = Server::serve_at("@2026-11-23 10:40:00", &deployment.data());
    let company = company.at(&server);
    assert_eq!(get(&company, &other, &path), 200);
    assert_eq!(looks(&company, &buyer).len(), before + 1);
    assert_eq!(server.stop(), 0);
    let server = Server::serve_at("@2026-11-23 11:00:01", &deployment.data());
    let company = company.at(&server);
    assert_eq!(get(&company, &other, &path), 200);
    assert_eq!(looks(&company, &buyer).len(), before + 2);
    company.checkpoint();
    server.stop();
    let exported = read_export(&deployment.export(&company.id, "looks.keiin", &["--open"]));
    let all = exported.iter().filter(|record| record.leaf.event_kind == "data.viewed").count();
    assert!(all >= before + 2 - made + 2, "{all}");
}

#[test]
fn the_trail_tells_who_looked_in_words() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "words");
    let client = company.new_client();
    assert_eq!(get(&company, &company.login, &format!("/clients/{client}")), 200);
    let look = looks(&company, &client).remove(0);
    let position = look["position"].as_u64().expect("a position");
    for (lang, words) in [
        ("en", ["Personal data seen", "Client", "Personal", "Seen"]),
        ("ja", ["個人情報を閲覧", "取引先", "個人情報", "閲覧"]),
    ] {
        let list = format!("/audit?kind=data.viewed&lang={lang}");
        let page = company.client.send(&company.login.on(Call::new("GET", &list))).expect(200).text();
        assert!(page.contains(words[0]), "{page}");
        let detail = format!("/audit/{position}?lang={lang}");
        let page = company.client.send(&company.login.on(Call::new("GET", &detail))).expect(200).text();
        words.iter().for_each(|word| assert!(page.contains(word), "{word}: {page}"));
    }
    // Reading the trail of looks leaves no looks behind.
    assert_eq!(looks(&company, &client).len(), 1);
    assert_eq!(text(&look["object"], "kind"), "data");
}
