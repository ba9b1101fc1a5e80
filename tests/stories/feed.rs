//! F16, the event feed: whoever follows the ledger is told of each record once, in order, however often they are cut off, and
//! nobody is told what they may not read. Many who follow, and those who do not read: [`super::feed_slow`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keiin_tests::company::{PASSWORD, text};
use keiin_tests::follow::{Event, Follow, Next};
use keiin_tests::load::{Target, Writer, settle};
use keiin_tests::{Browser, Call, Company, Credential, Deployment, Seeded, Server, long, report};
use serde_json::{Value, json};

/// Longest wait for something that is certain to come.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// A revoked right ends a stream within this time.
const SOON: Duration = Duration::from_secs(1);

pub fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

pub fn positions(events: &[Event]) -> Vec<u64> {
    events.iter().map(Event::position).collect()
}

/// The whole trail, oldest first, as the list shows it.
fn listed(company: &Company, filter: &str) -> Vec<Value> {
    let (mut items, mut cursor): (Vec<Value>, _) = (Vec::new(), String::new());
    loop {
        let page = company.get(&format!("/v1/events?limit=200{cursor}{filter}"));
        items.extend(page["items"].as_array().expect("a list").clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    items.reverse();
    items
}

/// Without what changes by itself: whether a checkpoint covers it by now.
fn without_anchored(mut event: Value) -> Value {
    event.as_object_mut().expect("an object").remove("anchored");
    event
}

#[test]
fn a_feed_tells_what_the_list_shows_oldest_first_and_goes_on_from_any_cursor() {
    let (_deployment, _server, company) = company("feed");
    company.new_document();
    company.settle();
    let last = company.mark();
    let open = |query: &str, last: Option<&str>| Follow::open(&company.client, &company.token, query, last);
    let mut all = open("?after=0", None);
    for header in ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"] {
        assert!(all.head.contains(header), "{}", all.head);
    }
    let events = all.up_to(last);
    let list = listed(&company, "");
    assert_eq!(positions(&events), (1..=last).collect::<Vec<_>>());
    for (event, item) in events.iter().zip(&list[1..]) {
        assert_eq!(without_anchored(event.data.clone()), without_anchored(item.clone()));
        assert_eq!(event.kind, text(item, "kind"));
    }

    // From a cursor, in the header or in the address; the header counts more, because a browser comes back by itself.
    let third = &events[2].id;
    for mut follow in [open("", Some(third)), open(&format!("?cursor={third}"), None), open("?after=3", None)] {
        assert_eq!(positions(&follow.up_to(last)), (4..=last).collect::<Vec<_>>());
    }
    let mut both = open(&format!("?cursor={third}&after=0"), Some(&events[4].id));
    assert_eq!(positions(&both.up_to(last)), (6..=last).collect::<Vec<_>>());

    // Without any, what comes from now on. Its cursor is there before the first event is.
    let mut fresh = open("", None).caught_up();
    let cursor = fresh.last.clone().expect("a cursor");
    let next = company.mark();
    assert_eq!(positions(&fresh.up_to(next)), [next]);
    assert_eq!(positions(&open("", Some(&cursor)).up_to(next)), [next]);

    // Filters are the list's.
    for filter in ["kind=document.issued".to_owned(), "kind=client".to_owned(), format!("object={}", company.id)] {
        let mut narrowed = open(&format!("?after=0&{filter}"), None);
        let mut seen = Vec::new();
        while let Next::Event(event) = narrowed.next(PATIENCE) {
            seen.push(event.position());
        }
        let wanted = listed(&company, &format!("&{filter}"));
        let wanted = wanted.iter().map(|event| event["position"].as_u64().expect("a number")).filter(|at| *at > 0);
        assert!(!seen.is_empty() && seen == wanted.collect::<Vec<_>>(), "{filter}: {seen:?}");
        // What was left out is passed all the same: the cursor is not behind.
        let cursor = narrowed.last.expect("a cursor");
        assert!(matches!(open("", Some(&cursor)).next(PATIENCE), Next::Alive), "{filter}");
    }
    let of_company = |query: &str| company.send(Call::new("GET", &format!("/v1/events/stream?{query}")));
    for bad in ["cursor=x", &format!("cursor={third}A"), "after=-1", "kind=a&kind=b", "from=2026-11-21", "limit=5"] {
        assert_eq!((of_company(bad).status, of_company(bad).code()), (400, "request.bad_parameter".into()), "{bad}");
    }
    assert_eq!(of_company(&format!("after={}", last + 1_000)).expect(503).code(), "service.behind");
}

#[test]
fn nobody_is_told_what_they_may_not_read() {
    let (_deployment, server, ours) = company("ours-4711");
    let theirs = Company::sign_up(&server, "theirs-0815");
    let (member, own) = ours.new_member("member");
    let client = &ours.client;
    let mut at_ours = Follow::open(client, &ours.token, "?after=0", None);
    let mut at_theirs = Follow::open(client, &theirs.token, "?after=0", None);
    let mut of_member = Follow::open(client, &own, "?after=0", None);
    for _ in 0..3 {
        ours.new_draft();
        theirs.new_draft();
        client
            .send(&own.on(Call::new("POST", "/v1/clients").json(&json!({ "name": "Own", "honorific": "onchu" }))))
            .expect(201);
    }
    let (our_last, their_last) = (ours.mark(), theirs.mark());
    let (told_us, told_them) = (at_ours.up_to(our_last), at_theirs.up_to(their_last));
    assert_eq!(positions(&told_us), (1..=our_last).collect::<Vec<_>>());
    assert_eq!(positions(&told_them), (1..=their_last).collect::<Vec<_>>());
    let told = |events: &[Event]| events.iter().map(|event| event.data.to_string()).collect::<String>();
    assert!(!told(&told_us).contains(&theirs.slug) && !told(&told_them).contains(&ours.slug));
    assert!(told(&told_us).contains(&ours.slug) && told(&told_them).contains(&theirs.slug));

    // A member is told of what they did themselves.
    let wanted = listed(&ours, &format!("&actor={member}"));
    let mut seen = Vec::new();
    while seen.len() < wanted.len() {
        let event = of_member.event(PATIENCE).expect("an event");
        let who = [&event.data["actor"]["id"], &event.data["on_behalf_of"]["id"]];
        assert!(who.iter().any(|id| **id == json!(member)), "{}", event.data);
        seen.push(event.position());
    }
    assert_eq!(seen, wanted.iter().map(|event| event["position"].as_u64().expect("a number")).collect::<Vec<_>>());
    assert!(seen.len() >= 4 && of_member.event(Duration::from_millis(200)).is_none(), "{seen:?}");

    // A cursor is good in its own ledger only.
    let foreign = theirs.send(Call::new("GET", "/v1/events/stream").header("Last-Event-ID", &told_us[0].id));
    assert_eq!((foreign.status, foreign.code()), (400, "request.bad_header".into()));
    let list_cursor = text(&ours.get("/v1/events?limit=1"), "next");
    ours.send(Call::new("GET", &format!("/v1/events/stream?cursor={list_cursor}"))).expect(400);
}

#[test]
fn a_right_that_is_taken_away_ends_the_stream() {
    let (_deployment, _server, company) = company("revoked");
    let scopes: Vec<String> = keiin_domain::catalog::scopes().into_iter().collect();
    let open = |credential: &Credential| Follow::open(&company.client, credential, "", None).caught_up();
    let mut others = open(&company.token);
    let act = |path: &str, verb: &str, body: Value| {
        let method = if verb == "role" { "PUT" } else { "POST" };
        company.ok_logged_in(Call::new(method, &format!("{path}/{verb}")).if_match(&company.etag(path)).json(&body));
    };
    let mut slowest = Duration::ZERO;
    let mut ends = |about: &str, credential: &Credential, revoke: &dyn Fn()| {
        let mut follow = open(credential);
        revoke();
        let took = follow.ended_within(PATIENCE).unwrap_or_else(|| panic!("{about}: it goes on"));
        assert!(took < SOON, "{about}: ended after {took:?}");
        slowest = slowest.max(took);
    };
    let (token, credential) = company.issue_token(&scopes);
    ends("a revoked token", &credential, &|| act(&format!("/v1/tokens/{token}"), "revoke", json!({})));
    let (member, login) = company.new_member("admin");
    let path = format!("/v1/members/{member}");
    ends("suspended", &login, &|| act(&path, "suspend", json!({ "reason": "For now" })));
    act(&path, "reinstate", json!({}));
    // The login ended with the suspension, and stays so.
    let login = company.log_in(&text(&company.get(&path), "email"));
    let issue = Call::new("POST", "/v1/tokens").json(&json!({ "name": "Theirs", "scopes": scopes }));
    let theirs = Credential::Bearer(text(&company.client.send(&login.on(issue)).expect(201).json(), "secret"));
    ends("another role", &login, &|| act(&path, "role", json!({ "role": "viewer" })));
    ends("removed, with a token", &theirs, &|| act(&path, "remove", json!({})));
    let (_, login) = company.new_member("admin");
    let log_out = || drop(company.client.send(&login.on(Call::new("POST", "/v1/sessions/end"))).expect(204));
    ends("logged out", &login, &log_out);
    // Who is still allowed is still told.
    let last = company.mark();
    others.up_to(last);
    report!("F16 revoked_streams=5 slowest_end_ms={}", slowest.as_millis());
}

/// Eight writers write; one follower is cut off at random and comes back with its cursor, the server is killed, started
/// again, and stopped in order.
#[test]
fn each_record_comes_once_and_in_order_through_cuts_and_restarts() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "cuts");
    let targets = Target::of(std::slice::from_ref(&company));
    let mut writers = Writer::some(8, 0, deployment.folder());
    let mut chance = Seeded::from_env_or(20_261_121);
    let (seed, rounds) = (chance.0, if long() { 40 } else { 4 });
    let (mut told, mut cursor, mut cuts): (Vec<u64>, Option<String>, u32) = (Vec::new(), None, 0);
    let mut server = Some(server);
    for round in 0..rounds {
        let mut running = server.take().unwrap_or_else(|| deployment.serve());
        let client = running.client();
        settle(&mut writers, &client, &targets);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for writer in &mut writers {
                scope.spawn(|| writer.write(&client, &targets, &stop));
            }
            let deadline = Instant::now() + Duration::from_millis(chance.between(1_000, 2_500));
            while Instant::now() < deadline {
                let query = if cursor.is_none() { "?after=0" } else { "" };
                let mut follow = Follow::open(&client, &company.token, query, cursor.as_deref());
                assert_eq!(follow.status, 200, "{}", follow.head);
                for _ in 0..chance.between(1, 120) {
                    let Some(event) = follow.event(deadline.saturating_duration_since(Instant::now())) else { break };
                    told.push(event.position());
                }
                cursor = follow.last;
                cuts += 1;
            }
            match round % 2 {
                0 => running.kill(),
                _ => {
                    // A stream that is open does not hold the end up.
                    let mut follow = Follow::open(&client, &company.token, "", cursor.as_deref());
                    let started = Instant::now();
                    stop.store(true, Ordering::Relaxed);
                    assert_eq!(running.stop(), 0);
                    assert!(started.elapsed() < Duration::from_secs(5), "stopped after {:?}", started.elapsed());
                    while let Some(event) = follow.event(SOON) {
                        told.push(event.position());
                    }
                    cursor = follow.last;
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
    let server = deployment.serve();
    let client = server.client();
    settle(&mut writers, &client, &targets);
    let last = company.at(&server).mark();
    told.extend(positions(&Follow::open(&client, &company.token, "", cursor.as_deref()).up_to(last)));
    let wanted: Vec<u64> = (1..=last).collect();
    let gaps = wanted.iter().filter(|position| told.binary_search(position).is_err()).count();
    let doubled = told.len() - told.iter().collect::<std::collections::BTreeSet<_>>().len();
    report!(
        "F16 events={last} cuts={cuts} restarts={rounds} gaps={gaps} doubled={doubled} reordered={} seed={seed}",
        usize::from(!told.is_sorted())
    );
    assert_eq!(told, wanted);
    assert!(cuts > rounds * 2 && last > 100, "hardly anything happened: {cuts} {last}");
}

/// The ledger was put back to an older copy, anchor and all: the server cannot know. Whoever followed it is told.
#[test]
fn a_cursor_from_a_history_that_was_taken_back_is_refused() {
    // A directory that can be copied, whatever engine the other stories run on.
    let disk = tempfile::tempdir().expect("a temporary folder");
    let deployment = Deployment::on(disk.path());
    let server = deployment.serve();
    let first = Company::sign_up(&server, "put-back");
    first.settle();
    assert_eq!(server.stop(), 0);
    let old = deployment.folder().join("old");
    let copied = std::process::Command::new("cp").arg("-a").arg(deployment.data()).arg(&old).status();
    assert!(copied.expect("cp runs").success());
    let server = deployment.serve();
    let company = first.at(&server);
    let before = Follow::open(&company.client, &company.token, "", None).caught_up().last.expect("a cursor");
    company.mark();
    let after = Follow::open(&company.client, &company.token, "", None).caught_up().last.expect("a cursor");
    assert_eq!(server.stop(), 0);
    std::fs::remove_dir_all(deployment.data()).expect("removed");
    std::fs::rename(&old, deployment.data()).expect("put back");

    let server = deployment.serve();
    let company = first.at(&server);
    let resume = |cursor: &str| company.send(Call::new("GET", "/v1/events/stream").header("Last-Event-ID", cursor));
    assert_eq!(resume(&after).code(), "service.behind");
    let next = company.mark();
    assert_eq!((resume(&after).status, resume(&after).code()), (410, "event.cursor_gone".into()));
    assert_eq!(positions(&Follow::open(&company.client, &company.token, "", Some(&before)).up_to(next)), [next]);
}

#[test]
fn a_person_and_a_company_have_so_many_streams_and_no_more() {
    let deployment = Deployment::limited();
    let settings = deployment.data().join("keiin.toml");
    let config = std::fs::read_to_string(&settings).expect("init wrote the settings");
    let limits = "[limits]\nlogins_a_minute = 1000\nstreams_a_person = 2\nstreams_a_company = 3\n";
    std::fs::write(&settings, format!("{config}\n{limits}")).expect("the settings can be written");
    let server = deployment.serve();
    let company = Company::sign_up(&server, "many");
    let (_, colleague) = company.new_member("admin");
    let (_, third) = company.new_member("admin");
    let open = |credential: &Credential| Follow::open(&company.client, credential, "", None);
    // A token and a login are the same person.
    let (one, _two) = (open(&company.token).caught_up(), open(&company.login).caught_up());
    assert_eq!((open(&company.token).status, open(&company.login).status), (429, 429));
    let refused = open(&company.token);
    assert!(refused.head.contains("retry-after: 15"), "{}", refused.head);
    let _three = open(&colleague).caught_up();
    assert_eq!((open(&colleague).status, open(&third).status), (429, 429));
    assert_eq!(streams(&server), 3.0);
    Company::sign_up(&server, "others");
    drop(one);
    let deadline = Instant::now() + PATIENCE;
    while streams(&server) > 2.0 {
        assert!(Instant::now() < deadline, "a stream whose client is gone is still counted");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(open(&third).status, 200);
}

/// Open streams, as operators see them.
pub fn streams(server: &Server) -> f64 {
    let metrics = server.admin().get("/metrics").expect(200).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("keiin_event_streams "));
    line.expect("the gauge is there").parse().expect("a number")
}

#[test]
fn the_audit_page_says_how_many_records_are_new() {
    let (_deployment, server, company) = company("live");
    company.settle();
    let browser = Browser::open("en");
    browser.goto(&format!("{}/login", server.url));
    browser.fill("[name=email]", &format!("owner@{}.example", company.slug));
    browser.fill("[name=password]", PASSWORD);
    browser.click("main button[type=submit]");
    browser.wait_for(".figures");
    // Of the new device is told by mail: that is a record, too.
    company.settle();
    browser.goto(&format!("{}/audit", server.url));
    browser.wait_for("[data-stream][hidden]");
    company.mark();
    let last = company.mark();
    browser.wait_for_text("[data-stream]:not([hidden]) b", "2");
    browser.click("[data-stream]");
    browser.wait_for("[data-stream][hidden]");
    browser.wait_for(&format!("#events a[href='/audit/{last}']"));
    assert_eq!(browser.console(), Vec::<String>::new());
    // An open page does not keep the server from stopping.
    let started = Instant::now();
    assert_eq!(server.stop(), 0);
    assert!(started.elapsed() < Duration::from_secs(5), "stopped after {:?}", started.elapsed());
}
