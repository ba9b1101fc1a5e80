//! Appointments at the reception (RN-01, RN-02, RN-07, RN-C45): several visitors and hosts, period passes, codes that are
//! good in their window only, calendars, reminders, corrections.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use keiin_tests::company::text;
use keiin_tests::smtp::Smtp;
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server, authlib, report, root};
use serde_json::{Value, json};

/// A kiosk at this place.
pub(crate) fn kiosk(company: &Company, location: &str) -> Credential {
    let kiosk = company.ok(Call::new("POST", "/v1/kiosks").json(&json!({ "name": location, "location": location })));
    Credential::Bearer(text(&kiosk, "secret"))
}

pub(crate) fn at_kiosk(company: &Company, kiosk: &Credential, what: &str, code: &str) -> Answer {
    let call = Call::new("POST", &format!("/v1/kiosk/{what}")).json(&json!({ "code": code }));
    company.client.send(&kiosk.on(call))
}

/// What the answer refuses, and what would be right.
fn refusal(answer: Answer) -> (u16, String, Value) {
    let (status, problem) = (answer.status, answer.json());
    (status, text(&problem, "code"), problem["errors"][0]["expected"].clone())
}

/// Monday, 2026-11-02, 09:00 to 10:00 in Japan.
pub(crate) fn nine_to_ten(company: &Company) -> Value {
    json!({
        "visitor_name": "𠮷田 一郎", "visitor_kana": "ﾖｼﾀﾞ ｲﾁﾛｳ", "visitor_email": "yoshida@example.jp",
        "host_id": company.owner, "location": "本社",
        "starts_at": "2026-11-02T09:00:00+09:00", "ends_at": "2026-11-02T10:00:00+09:00",
    })
}

pub(crate) fn with(mut body: Value, more: Value) -> Value {
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
    body
}

pub(crate) fn register(company: &Company, body: &Value) -> Value {
    company.ok(Call::new("POST", "/v1/visits").json(body))
}

pub(crate) fn change(company: &Company, visit: &str, part: &str, method: &str, body: &Value) -> Answer {
    let path = format!("/v1/visits/{visit}");
    company.send(Call::new(method, &format!("{path}{part}")).if_match(&company.etag(&path)).json(body))
}

/// The server again, at this time in Japan.
pub(crate) fn at(time: &str, deployment: &Deployment, company: &Company) -> (Server, Company) {
    let us = keiin_domain::date::parse_instant(&format!("{time}+09:00")).expect("RFC 3339");
    let utc = keiin_domain::date::instant(us).replace('T', " ").replace('Z', "");
    let server = Server::serve_at(&format!("@{utc}"), &deployment.data());
    let company = company.at(&server);
    (server, company)
}

/// The window of the reception's fixture, over HTTP. The clock starts at each of its times.
#[test]
fn rn_02_a_code_is_good_in_its_window_at_its_place_and_once() {
    let deployment = Deployment::new();
    let server = Server::serve_at("@2026-11-01 03:00:00", &deployment.data());
    let company = Company::sign_up(&server, "window");
    let (office, factory) = (kiosk(&company, "本社"), kiosk(&company, "工場"));
    let visit = register(&company, &nine_to_ten(&company));
    assert_eq!(visit["visitor"]["kana"], "ヨシダ イチロウ", "half-width kana become full-width");
    let pass = text(&visit, "secret");
    let late = text(&register(&company, &nine_to_ten(&company)), "secret");
    let missed = text(&register(&company, &nine_to_ten(&company)), "secret");
    let moved = register(&company, &nine_to_ten(&company));
    let later = json!({ "starts_at": "2026-11-02T11:00:00+09:00", "ends_at": "2026-11-02T12:00:00+09:00" });
    let body = with(nine_to_ten(&company), later);
    change(&company, &text(&moved, "id"), "", "PUT", &body).expect(200);
    let weekdays = json!(["mon", "tue", "wed", "thu", "fri"]);
    let more = json!({ "weekdays": weekdays, "ends_at": "2026-11-13T18:00:00+09:00" });
    let period = text(&register(&company, &with(nine_to_ten(&company), more)), "secret");
    drop(server);

    let (server, _) = at("2026-11-02T08:29:00", &deployment, &company);
    let company = company.at(&server);
    let refused = refusal(at_kiosk(&company, &office, "check_in", &pass));
    assert_eq!(refused, (422, "visit.too_early".into(), json!("2026-11-01T23:30:00Z")));
    drop(server);

    let (server, company) = at("2026-11-02T08:30:00", &deployment, &company);
    let elsewhere = at_kiosk(&company, &factory, "check_in", &pass);
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (404, "visit.unknown_code"));
    let before = at_kiosk(&company, &office, "check_out", &pass);
    assert_eq!((before.status, before.code().as_str()), (409, "visit.not_checked_in"));
    let answer = at_kiosk(&company, &office, "check_in", &pass).expect(200).json();
    assert_eq!(answer["visitor"]["name"], "𠮷田 一郎");
    let twice = at_kiosk(&company, &office, "check_in", &pass);
    assert_eq!((twice.status, twice.code().as_str()), (409, "visit.already_checked_in"));
    let replaced = refusal(at_kiosk(&company, &office, "check_in", &text(&moved, "secret")));
    assert_eq!(replaced, (410, "visit.code_replaced".into(), json!("2026-11-02T02:00:00Z")));
    at_kiosk(&company, &office, "check_in", &period).expect(200);
    at_kiosk(&company, &office, "check_out", &period).expect(200);
    let again = at_kiosk(&company, &office, "check_in", &period);
    assert_eq!((again.status, again.code().as_str()), (409, "visit.already_checked_out"));
    // Without an appointment and without a host.
    let walk_in = Call::new("POST", "/v1/kiosk/walk_in").json(&json!({ "visitor_name": "髙橋 誠" }));
    let walked = company.client.send(&office.on(walk_in)).expect(201).json();
    assert!(walked.get("host").is_none(), "{walked}");
    drop(server);

    let (server, company) = at("2026-11-02T10:01:00", &deployment, &company);
    at_kiosk(&company, &office, "check_in", &late).expect(200);
    let seen = company.get("/v1/visits?status=arrived");
    assert!(seen["items"].as_array().expect("a list").iter().any(|visit| visit["late"] == true), "{seen}");
    drop(server);

    let (server, company) = at("2026-11-03T09:00:00", &deployment, &company);
    let over = at_kiosk(&company, &office, "check_in", &missed);
    assert_eq!((over.status, over.code().as_str()), (410, "visit.expired"));
    at_kiosk(&company, &office, "check_in", &period).expect(200);
    drop(server);

    let (_server, company) = at("2026-11-07T09:30:00", &deployment, &company);
    let saturday = refusal(at_kiosk(&company, &office, "check_in", &period));
    assert_eq!(saturday, (422, "visit.not_now".into(), json!("2026-11-08T23:30:00Z")));
    report!("reception fixture: 14 of 14");
}

#[test]
fn rn_c45_several_visitors_and_hosts_and_who_sees_them() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "several");
    let (anna, anna_login) = company.new_member("member");
    let (_, ben_login) = company.new_member("member");
    let (_, desk) = company.new_member("receptionist");
    let companions = json!([{ "name": "二人目", "email": "second@example.jp" }, { "name": "三人目" }]);
    let body = with(company.visit_body(), json!({ "companions": companions, "co_hosts": [anna] }));
    let made = register(&company, &body);
    let passes = made["passes"].as_array().expect("a pass each").clone();
    assert_eq!((passes.len(), &passes[0]["secret"]), (3, &made["secret"]));
    let id = text(&made, "id");
    assert_eq!(made["appointment_id"], json!(id));
    let others = made["companions"].as_array().expect("a list").clone();
    let names: Vec<&Value> = others.iter().map(|other| &other["visitor"]["name"]).collect();
    assert_eq!(names, ["二人目", "三人目"]);
    assert_eq!(made["co_hosts"][0]["id"], json!(anna));
    // One append: three records, all or nothing.
    let events = company.get("/v1/events?kind=visit.registered");
    let position = events["items"][0]["position"].as_u64().expect("a number");
    assert_eq!(company.get(&format!("/v1/events/{position}"))["append"]["count"], 3);
    let bad = with(body.clone(), json!({ "companions": [{ "name": "二人目" }, { "name": " " }] }));
    company.send(Call::new("POST", "/v1/visits").json(&bad)).expect(422);
    assert_eq!(company.get("/v1/events?kind=visit.registered")["items"].as_array().map(Vec::len), Some(3));

    // Each code opens the door for its own visitor.
    let door = kiosk(&company, keiin_tests::company::PLACE);
    for (pass, name) in passes.iter().zip([body["visitor_name"].as_str().unwrap(), "二人目", "三人目"]).skip(1) {
        let seen = at_kiosk(&company, &door, "check_in", &text(pass, "secret")).expect(200).json();
        assert_eq!(seen["visitor"]["name"], name);
    }

    // Hosts, co-hosts and whoever registered it; the reception and admins all.
    let see = |login: &Credential| {
        let list = company.client.send(&login.on(Call::new("GET", "/v1/visits"))).expect(200).json();
        list["items"].as_array().expect("a list").len()
    };
    let open = |login: &Credential, id: &str| {
        company.client.send(&login.on(Call::new("GET", &format!("/v1/visits/{id}")))).status
    };
    assert_eq!((see(&anna_login), see(&ben_login), see(&desk), see(&company.login)), (3, 0, 3, 3));
    assert_eq!((open(&anna_login, &id), open(&ben_login, &id), open(&desk, &id)), (200, 404, 200));
    // Anna registers one and hands it over to the owner: it is still hers to see. Ben's secretarial wish is refused.
    let own = with(company.visit_body(), json!({ "host_id": anna }));
    let hers = company.client.send(&anna_login.on(Call::new("POST", "/v1/visits").json(&own))).expect(201);
    let (hers, etag) = (text(&hers.json(), "id"), hers.header("etag").expect("a version").to_owned());
    let over = Call::new("PUT", &format!("/v1/visits/{hers}")).if_match(&etag).json(&company.visit_body());
    company.client.send(&anna_login.on(over)).expect(200);
    assert_eq!((see(&anna_login), open(&anna_login, &hers), open(&ben_login, &hers)), (4, 200, 404));
    let refused = company.client.send(&ben_login.on(Call::new("POST", "/v1/visits").json(&body)));
    assert_eq!((refused.status, refused.code().as_str()), (403, "visit.own_only"));

    // The whole appointment moves for who is still expected; then it is cancelled for all of them.
    let to =
        json!({ "location": "別館", "starts_at": "2031-04-01T10:00:00+09:00", "ends_at": "2031-04-01T11:00:00+09:00" });
    change(&company, &id, "/schedule", "PUT", &to).expect(200);
    let moved = company.get(&format!("/v1/visits/{id}"));
    assert_eq!((&moved["location"], &moved["sequence"]), (&json!("別館"), &json!(1)));
    let second = text(&others[0], "id");
    assert_eq!(company.get(&format!("/v1/visits/{second}"))["sequence"], 0, "who is here stays");
    change(&company, &id, "/cancel", "POST", &json!({ "whole_appointment": true })).expect(200);
    assert_eq!(company.get(&format!("/v1/visits/{id}"))["status"], "cancelled");
}

/// What the independent parser makes of a calendar file.
fn parsed(file: &[u8]) -> Value {
    let script = root().join("tests/authlib/calendar_file.py");
    let mut child = Command::new(authlib())
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    child.stdin.take().expect("piped").write_all(file).expect("Python reads");
    let out = child.wait_with_output().expect("it ends");
    assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(file));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

/// A file of a mail: its type and its bytes.
pub(crate) fn file(mail: &Value, name: &str) -> (String, Vec<u8>) {
    let files = mail["files"].as_array().expect("a list");
    let file = files.iter().find(|file| file["name"] == name).unwrap_or_else(|| panic!("no {name} in {mail}"));
    (text(file, "type"), BASE64.decode(text(file, "base64")).expect("Base64"))
}

/// J7: whoever is registered has the QR code, the passcode and the appointment for their calendar in their mail; a change
/// and a cancellation come after, as the same event of the calendar.
#[test]
fn rn_01_the_pass_comes_by_mail_with_a_calendar_file() {
    let smtp = Smtp::plain(0);
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "calendar");
    assert_eq!(server.stop(), 0);
    deployment.mail_to(smtp.port, "none", "");
    let server = deployment.serve();
    let company = company.at(&server);
    let start = json!({ "starts_at": "2031-04-01T10:00:00+09:00", "ends_at": "2031-04-01T11:00:00+09:00" });
    let title = "会議室 東, 3階; 奥の部屋";
    let more = json!({ "visitor_email": "guest@example.jp", "visitor_language": "en", "location": title });
    let body = with(with(company.visit_body(), start), more);
    let visit = register(&company, &body);
    let id = text(&visit, "id");
    let mail = smtp.next_to("guest@example.jp");
    let said = text(&mail, "body");
    let code = |said: &str| -> String {
        let line = said.lines().find_map(|line| line.trim().strip_prefix("Passcode: ").map(str::to_owned));
        line.unwrap_or_else(|| panic!("no passcode in {said}"))
    };
    assert!(said.contains(&text(&visit, "link")) && !said.contains("受付番号"), "in their language only: {said}");
    assert_eq!(code(&said).len(), 8);
    let (kind, picture) = file(&mail, "pass.png");
    assert_eq!((kind.split(';').next(), &picture[..8]), (Some("image/png"), &b"\x89PNG\r\n\x1a\n"[..]));
    assert_eq!(read_qr(&picture), text(&visit, "secret"), "the QR code is the secret and nothing else");
    let (kind, calendar) = file(&mail, "visit.ics");
    assert!(kind.starts_with("text/calendar") && kind.replace('"', "").contains("method=REQUEST"), "{kind}");
    let first = parsed(&calendar);
    let event = &first["events"][0];
    assert_eq!((&first["method"], &event["uid"], &event["sequence"]), (&json!("REQUEST"), &json!(id), &json!(0)));
    assert_eq!(event["starts"], "2031-04-01T01:00:00+00:00");
    assert_eq!((&event["location"], &event["status"]), (&json!(title), &json!("CONFIRMED")));
    assert_eq!(event["attendee"], "mailto:guest@example.jp");
    assert_eq!(event["organizer"], "mailto:noreply@keiin.example");

    // The passcode that was mailed is the one that opens the door.
    let shown = server.client().get(&format!("/pass/{}", text(&visit, "secret"))).expect(200).text();
    assert!(shown.contains(&code(&said)), "{shown}");
    let download = server.client().get(&format!("/pass/{}/visit.ics", text(&visit, "secret"))).expect(200);
    let download = parsed(download.text().as_bytes());
    assert_eq!((&download["method"], &download["events"][0]["uid"]), (&json!("PUBLISH"), &json!(id)));

    let later = json!({ "ends_at": "2031-04-01T12:00:00+09:00" });
    change(&company, &id, "", "PUT", &with(body, later)).expect(200);
    let mail = smtp.next_to("guest@example.jp");
    let moved = parsed(&file(&mail, "visit.ics").1);
    assert_eq!((&moved["events"][0]["uid"], &moved["events"][0]["sequence"]), (&json!(id), &json!(1)));
    assert_eq!(moved["events"][0]["ends"], "2031-04-01T03:00:00+00:00");
    assert_ne!(code(&text(&mail, "body")), code(&said), "another time is another code, and the mail says it");
    server.client().get(&format!("/pass/{}/visit.ics", text(&visit, "secret"))).expect(410);

    change(&company, &id, "/cancel", "POST", &json!({ "reason": "延期" })).expect(200);
    let mail = smtp.next_to("guest@example.jp");
    assert!(text(&mail["headers"], "subject").starts_with("Cancelled"), "{mail}");
    let gone = parsed(&file(&mail, "visit.ics").1);
    let event = &gone["events"][0];
    assert_eq!((&gone["method"], &event["uid"], &event["sequence"]), (&json!("CANCEL"), &json!(id), &json!(2)));
    assert_eq!(event["status"], "CANCELLED");
    assert!(mail["files"].as_array().expect("a list").iter().all(|file| file["name"] != "pass.png"));
}

/// Reads a QR code's picture with zbar, which others wrote.
pub(crate) fn read_qr(png: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pass.png");
    std::fs::write(&path, png).expect("the picture is written");
    let out = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&path).output();
    let out = out.expect("zbarimg is not installed: apt-get install zbar-tools");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[test]
fn a_feed_has_a_secret_address_and_shows_ones_own_visits_only() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "feeds");
    let (anna, anna_login) = company.new_member("member");
    let start = |day: u64| {
        let from = keiin::clock::now_us() + day as i64 * 86_400_000_000;
        let at = |us| keiin_domain::date::instant(us);
        json!({ "starts_at": at(from), "ends_at": at(from + 3_600_000_000) })
    };
    let hers = register(&company, &with(with(company.visit_body(), start(2)), json!({ "co_hosts": [anna] })));
    let company_of = json!({ "visitor_company": "株式会社みなと商事, 第2営業部; 東京", "host_id": company.owner });
    register(&company, &with(with(company.visit_body(), start(3)), company_of));
    let issue = |login: &Credential| {
        let made = company.client.send(&login.on(Call::new("POST", "/v1/me/calendar_feed"))).expect(200).json();
        text(&made, "link").strip_prefix(&server.url).expect("a link to this server").to_owned()
    };
    let read = |path: &str| parsed(server.client().get(path).expect(200).text().as_bytes());
    let path = issue(&anna_login);
    assert!(path.starts_with("/calendar/keiin_cal_") && path.ends_with(".ics"), "{path}");
    let feed = read(&path);
    let uids: Vec<&Value> = feed["events"].as_array().expect("a list").iter().map(|event| &event["uid"]).collect();
    assert_eq!(uids, [&hers["id"]], "{feed}");
    // An owner sees everything, but a calendar is for what concerns its member.
    let of_owner = issue(&company.login);
    assert_eq!(read(&of_owner)["events"].as_array().map(Vec::len), Some(2));

    change(&company, &text(&hers, "id"), "/cancel", "POST", &json!({})).expect(200);
    let cancelled = read(&path);
    assert_eq!(
        (&cancelled["events"][0]["status"], &cancelled["events"][0]["sequence"]),
        (&json!("CANCELLED"), &json!(1))
    );

    // A new address takes the old one's place; ended, there is none.
    let renewed = issue(&anna_login);
    server.client().get(&path).expect(410);
    read(&renewed);
    company.client.send(&anna_login.on(Call::new("POST", "/v1/me/calendar_feed/end"))).expect(200);
    server.client().get(&renewed).expect(410);
    let twice = company.client.send(&anna_login.on(Call::new("POST", "/v1/me/calendar_feed/end")));
    assert_eq!((twice.status, twice.code().as_str()), (409, "calendar_feed.none"));
    server.client().get("/calendar/keiin_cal_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.ics").expect(404);
    // Who leaves takes the feed along.
    let (ben, ben_login) = company.new_member("member");
    let his = issue(&ben_login);
    read(&his);
    let member = format!("/v1/members/{ben}");
    let suspend = Call::new("POST", &format!("{member}/suspend")).if_match(&company.etag(&member));
    company.ok_logged_in(suspend.json(&json!({ "reason": "休職" })));
    server.client().get(&his).expect(410);
    drop(server);
    // Only the hash of its secret is kept, in the vault as in the ledger.
    let secret = of_owner.trim_start_matches("/calendar/").trim_end_matches(".ics").to_owned();
    for name in ["log.db", "vault.db", "read.db"] {
        let bytes = std::fs::read(deployment.data().join(name)).expect("a file of the deployment");
        assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{name}");
    }
}

/// Who joins later has a pass and a mail of their own, sees the others, and can be taken out again.
#[test]
fn rn_01_visitors_join_an_appointment_later() {
    let smtp = Smtp::plain(0);
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "joins");
    assert_eq!(server.stop(), 0);
    deployment.mail_to(smtp.port, "none", "");
    let server = deployment.serve();
    let company = company.at(&server);
    let (anna, anna_login) = company.new_member("member");
    let first = register(&company, &with(company.visit_body(), json!({ "co_hosts": [anna] })));
    let id = text(&first, "id");
    let more = json!({ "companions": [
        { "name": "Robert Brown", "email": "robert@example.jp", "language": "en" }, { "name": "鈴木 一郎", "email": "suzuki@example.jp" },
    ] });
    let (etag, path) = (company.etag(&format!("/v1/visits/{id}")), format!("/v1/visits/{id}/companions"));
    let joined = anna_login.on(Call::new("POST", &path).if_match(&etag).json(&more));
    let joined = company.client.send(&joined).expect(200).json();
    let (passes, companions) =
        (joined["passes"].as_array().expect("passes"), joined["companions"].as_array().expect("a list"));
    assert_eq!((passes.len(), joined.get("secret")), (2, None), "the first visitor's pass stays theirs: {joined}");
    let names: Vec<String> = companions.iter().map(|one| text(&one["visitor"], "name")).collect();
    assert_eq!(names, ["Robert Brown", "鈴木 一郎"]);
    for (address, pass) in ["robert@example.jp", "suzuki@example.jp"].iter().zip(passes) {
        let mail = smtp.next_to(address);
        assert!(text(&mail, "body").contains(&text(pass, "link")), "{mail}");
        assert_eq!(read_qr(&file(&mail, "pass.png").1), text(pass, "secret"));
    }
    let theirs = company.get(&format!("/v1/visits/{}", text(&companions[0], "id")));
    assert_eq!((&theirs["appointment_id"], theirs["companions"].as_array().map(Vec::len)), (&json!(id), Some(2)));
    assert_eq!((&theirs["host"], &theirs["registered_by"]["id"]), (&first["host"], &json!(anna)));

    // One of them cannot come: their code lets nobody in, and they hear of it.
    let robert = text(&companions[0], "id");
    change(&company, &robert, "/cancel", "POST", &json!({})).expect(200);
    let mail = smtp.next_to("robert@example.jp");
    assert!(text(&mail["headers"], "subject").starts_with("Cancelled"), "{mail}");
    let to =
        json!({ "location": "本社", "starts_at": "2031-04-02T09:00:00+09:00", "ends_at": "2031-04-02T10:00:00+09:00" });
    change(&company, &id, "/schedule", "PUT", &to).expect(200);
    let suzuki = company.get(&format!("/v1/visits/{}", text(&companions[1], "id")));
    assert_eq!(
        (&suzuki["starts_at"], &suzuki["sequence"]),
        (&json!("2031-04-02T00:00:00Z"), &json!(1)),
        "moved with the rest"
    );
}

#[test]
fn rn_07_a_correction_shows_both_values() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "corrected");
    let visit = register(&company, &with(company.visit_body(), json!({ "visitor_name": "吉田 一朗" })));
    let id = text(&visit, "id");
    let early = change(&company, &id, "/correct", "POST", &json!({ "reason": "誤記", "visitor_name": "吉田 一郎" }));
    assert_eq!((early.status, early.code().as_str()), (409, "visit.not_checked_in"));
    change(&company, &id, "/check_in", "POST", &json!({})).expect(200);
    let recorded = company.get(&format!("/v1/visits/{id}"))["arrived_at"].clone();
    let now_us = keiin::clock::now_us();
    let really = keiin_domain::date::instant(now_us - now_us.rem_euclid(1_000_000) - 1_000_000);
    let body = json!({ "reason": "名札の読み違い", "visitor_name": "𠮷田 一郎", "arrived_at": really });
    let corrected = change(&company, &id, "/correct", "POST", &body).expect(200).json();
    assert_eq!((&corrected["visitor"]["name"], &corrected["arrived_at"]), (&json!("𠮷田 一郎"), &json!(really)));
    assert_eq!(corrected["recorded"], json!({ "arrived_at": recorded, "reason": "名札の読み違い" }));
    let position = company.get("/v1/events?kind=visit.corrected")["items"][0]["position"].clone();
    let changes = company.get(&format!("/v1/events/{position}"))["changes"].clone();
    let change_of = |field: &str| {
        let all = changes.as_array().expect("a list");
        let one = all.iter().find(|c| c["field"] == field).unwrap_or_else(|| panic!("no {field} in {changes}"));
        (one["before"].clone(), one["after"].clone())
    };
    assert_eq!(change_of("visitor.name"), (json!("吉田 一朗"), json!("𠮷田 一郎")));
    let (before, after) = change_of("arrived_at");
    assert_eq!((before, after), (recorded, json!(really)));
    // The first record still says what it said.
    let events = company.get(&format!("/v1/events?object={id}&kind=visit.registered"));
    let first = company.get(&format!("/v1/events/{}", events["items"][0]["position"]));
    assert_eq!(first["event"]["visitor"]["person"]["name"], "吉田 一朗");
}
