//! Out within a second (ML-15, FM-28, FM-29): whoever is removed or suspended is nobody by every way in and on every node,
//! while 32 loops of their requests run; everybody else goes on, and what they did still has their name.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keiin_test_postgres::Server as Postgres;
use keiin_tests::client::Client;
use keiin_tests::company::text;
use keiin_tests::{Call, Company, Credential, Deployment, Follow, Server, report};
use serde_json::{Value, json};

/// After this long nothing succeeds.
const GRACE: Duration = Duration::from_secs(1);

/// A member with a login and a token.
struct Somebody {
    id: String,
    login: Credential,
    token: Credential,
}

fn somebody(company: &Company) -> Somebody {
    let (id, login) = company.new_member("admin");
    let scopes: Vec<String> = keiin_domain::catalog::scopes().into_iter().collect();
    let issue = Call::new("POST", "/v1/tokens").json(&json!({ "name": "Theirs", "scopes": scopes }));
    let token = company.client.send(&login.on(issue)).expect(201).json();
    Somebody { id, login, token: Credential::Bearer(text(&token, "secret")) }
}

/// One request: when it began and what came back.
type Seen = (Instant, u16);

/// Runs 32 loops of one member's requests and 4 of a colleague's over all nodes, ends the member's access meanwhile with
/// this call, and goes on for three seconds. The number of requests, and how long the slowest success began after the answer.
fn shut_out(company: &Company, nodes: &[Client], member: &Somebody, end: &Call) -> (usize, Duration) {
    let colleague = somebody(company);
    let stop = AtomicBool::new(false);
    let (theirs, others) = (Mutex::new(Vec::<Seen>::new()), Mutex::new(Vec::<Seen>::new()));
    let mut streams: Vec<Follow> =
        nodes.iter().map(|node| Follow::open(node, &member.login, "", None).caught_up()).collect();
    let kept = Follow::open(&nodes[0], &colleague.login, "", None).caught_up();
    let ways = [
        (&member.login, "/v1/me"),
        (&member.token, "/v1/documents"),
        (&member.login, "/members"),
        (&member.token, "/v1/events?limit=1"),
        (&member.login, "/v1/clients"),
        (&member.login, "/"),
        (&member.token, "/v1/me"),
        (&member.login, "/v1/events/stream?after=0"),
    ];
    let answered = std::thread::scope(|scope| {
        for lane in 0..36 {
            let (node, stop) = (&nodes[lane % nodes.len()], &stop);
            let (who, path, seen) = match lane {
                0..32 => (ways[lane % ways.len()].0, ways[lane % ways.len()].1, &theirs),
                _ => (&colleague.login, "/v1/me", &others),
            };
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = node.send(&who.on(Call::new("GET", path)));
                    // A page sends whoever is not logged in to the login.
                    let away = answer.header("location").is_some_and(|to| to.starts_with("/login"));
                    let status = if away { 401 } else { answer.status };
                    seen.lock().expect("nobody panics with it").push((began, status));
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        let done = company.client.send(end);
        let answered = Instant::now();
        std::thread::sleep(Duration::from_secs(3));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(done.status, 200, "{}", done.text());
        answered
    });
    for stream in &mut streams {
        assert!(stream.ended_within(GRACE).is_some(), "an open stream goes on");
    }
    drop(kept);
    let theirs = theirs.into_inner().expect("nobody panicked");
    let good = |(_, status): &&Seen| (200..400).contains(status);
    let before = theirs.iter().filter(good).filter(|(began, _)| *began < answered).count();
    let after = theirs.iter().filter(|(began, _)| *began > answered + GRACE);
    assert!(before > 32, "only {before} requests before");
    let after: Vec<&Seen> = after.collect();
    assert!(after.len() > 32, "only {} requests after", after.len());
    let let_in = after.iter().filter(|(_, status)| !matches!(status, 401 | 403)).count();
    assert_eq!(let_in, 0, "of {} requests a second later", after.len());
    let late = theirs.iter().filter(good).map(|(began, _)| began.saturating_duration_since(answered)).max();
    let others = others.into_inner().expect("nobody panicked");
    assert!(others.len() > 8 && others.iter().all(|(_, status)| *status == 200), "others go on");
    (theirs.len(), late.unwrap_or_default())
}

fn call(company: &Company, member: &str, verb: &str, body: &Value) -> Call {
    let path = format!("/v1/members/{member}");
    let etag = company.etag(&path);
    company.login.on(Call::new("POST", &format!("{path}/{verb}")).if_match(&etag).json(body))
}

#[test]
fn ml_15_a_removed_member_is_out_within_a_second_and_keeps_their_name() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "removed");
    let member = somebody(&company);
    let made = Call::new("POST", "/v1/clients").json(&json!({ "name": "Made by removed", "honorific": "onchu" }));
    let position = company.client.send(&member.login.on(made)).expect(201).position();
    let name = text(&company.get(&format!("/v1/members/{}", member.id)), "name");
    let end = call(&company, &member.id, "remove", &json!({}));
    let (requests, late) = shut_out(&company, &[server.client()], &member, &end);
    let event = company.get(&format!("/v1/events/{position}"));
    assert_eq!((&event["actor"]["id"], &event["actor"]["name"]), (&json!(member.id), &json!(name)));
    // Their logins are written down as over, and a new invitation revives none.
    let sessions = company.get(&format!("/v1/events?kind=session.ended&actor={}", member.id));
    assert_ne!(sessions["items"], json!([]));
    report!("out removed requests={requests} last_success_ms={}", late.as_millis());
}

#[test]
fn ml_15_on_two_nodes_over_one_database_too() {
    let deployment = Deployment::on_postgres(Postgres::shared());
    let first = deployment.serve();
    let company = Company::sign_up(&first, "two-nodes");
    let data = deployment.folder().join("second");
    assert!(Command::new("cp").arg("-a").arg(deployment.data()).arg(&data).status().expect("cp runs").success());
    let second = Server::serve(&data);
    let member = somebody(&company);
    let end = call(&company, &member.id, "suspend", &json!({ "reason": "Left the office" }));
    let (requests, late) = shut_out(&company, &[first.client(), second.client()], &member, &end);
    report!("out two_nodes requests={requests} last_success_ms={}", late.as_millis());
}

#[test]
fn fm_28_29_an_emergency_shuts_everything_and_ends_after_a_call_alone() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "emergency");
    let member = somebody(&company);
    let to = json!({
        "document_ids": [company.new_document()], "to_name": "Recipient", "to_email": "to@emergency.example",
    });
    let sent = company.client.send(&member.login.on(Call::new("POST", "/v1/deliveries").key("sent").json(&to)));
    let delivery = text(&sent.expect(201).json(), "id");
    let link = company.mailed_link(&delivery).rsplit('/').next().expect("a secret").to_owned();
    let open = |status: u16| company.client.post(&format!("/v1/links/{link}/open"), &json!({})).expect(status);
    open(200);
    let (kiosk, kiosk_secret) = company.new_kiosk();
    let reason = "Mails that they did not write";
    let end = call(&company, &member.id, "suspend", &json!({ "reason": reason, "emergency": true }));
    let (requests, late) = shut_out(&company, &[server.client()], &member, &end);
    assert_eq!(open(403).code(), "delivery.on_hold");
    company.client.get(&format!("/l/{link}")).expect(403);
    // Nothing is lost, and what belongs to the company goes on.
    assert_eq!(company.get(&format!("/v1/deliveries/{delivery}"))["id"], delivery.as_str());
    assert_eq!(company.get(&format!("/v1/kiosks/{kiosk}"))["id"], kiosk.as_str());
    let check_in = Call::new("POST", "/v1/kiosk/check_in").json(&json!({ "code": "00000000" }));
    assert_eq!(company.client.send(&kiosk_secret.on(check_in)).code(), "visit.unknown_code");
    let view = company.get(&format!("/v1/members/{}", member.id));
    assert_eq!((&view["emergency"], &view["suspended_reason"]), (&json!(true), &json!(reason)));

    let lift = || company.client.send(&call(&company, &member.id, "reinstate", &json!({})));
    let refused = lift().expect(409);
    assert_eq!(refused.code(), "identity.check_first");
    let checks = |body: &Value| company.client.send(&call(&company, &member.id, "phone_checks", body));
    let mut body = company.phone_check();
    body["number_source"] = json!("caller");
    assert_eq!(checks(&body).expect(422).code(), "identity.number_from_caller");
    let mut body = company.phone_check();
    body["result"] = json!("not_reached");
    checks(&body).expect(200);
    assert_eq!(lift().expect(409).code(), "identity.check_first");
    let seen = checks(&company.phone_check()).expect(200).json();
    assert_eq!(seen["phone_check"]["result"], "confirmed");
    lift().expect(200);
    // The login and the token of before stay shut; a new login comes in, and the link opens again.
    for old in [&member.login, &member.token] {
        company.client.send(&old.on(Call::new("GET", "/v1/me"))).expect(401);
    }
    let email = text(&company.get(&format!("/v1/members/{}", member.id)), "email");
    company.log_in(&email);
    open(200);
    let calls = company.get("/v1/events?kind=identity.verified_by_phone");
    let at = calls["items"][0]["position"].clone();
    let event = company.get(&format!("/v1/events/{at}"));
    assert_eq!(event["actor"]["id"], company.owner.as_str());
    assert!(event.to_string().contains("03-1234-5678"), "who may read the trail sees what was dialled: {event}");
    report!("out emergency requests={requests} last_success_ms={}", late.as_millis());
}

#[test]
fn the_console_suspends_with_a_reason_and_records_the_call() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "by-hand");
    let (member, login) = company.new_member("member");
    let form = |verb: &str, fields: &str| {
        let version = company.get(&format!("/v1/members/{member}"))["version"].clone();
        let body = format!("{fields}&_if_match=v{version}&_key={}&_next=/members/{member}", company.next());
        let call = Call::new("POST", &format!("/do/v1/members/{member}/{verb}"));
        let call = call.bytes("application/x-www-form-urlencoded", body);
        company.client.send(&company.login.on(call))
    };
    form("suspend", "reason=Lost+phone&emergency:bool=true").expect(303);
    company.client.send(&login.on(Call::new("GET", "/v1/me"))).expect(401);
    let page = company.client.send(&company.login.on(Call::new("GET", &format!("/members/{member}")))).expect(200);
    assert!(page.text().contains("phone_checks") && page.text().contains("Lost phone"), "{}", page.text());
    form("reinstate", "").expect(409);
    let when = keiin_domain::date::instant(keiin::clock::now_us() + 9 * 3_600_000_000 - 120_000_000);
    let fields = format!("number_source=contract&number=0312345678&called_at:local={}&result=confirmed", &when[..16]);
    form("phone_checks", &fields).expect(303);
    form("reinstate", "").expect(303);
    assert_eq!(company.get(&format!("/v1/members/{member}"))["status"], "active");
}
