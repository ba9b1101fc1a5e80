//! What follows an arrival: hosts are told and answer, the reception is told where nobody does, the blocklist holds people back,
//! the history equals the events, and a visitor is forgotten while the proof stays.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keiin_tests::canary::{assert_absent, assert_present};
use keiin_tests::company::{text, verify};
use keiin_tests::smtp::Smtp;
use keiin_tests::{Call, Company, Credential, Deployment, Server, keiin, report};
use rusqlite::Connection;
use serde_json::{Value, json};

fn start(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

/// Asks until the answer is right.
#[track_caller]
fn soon(company: &Company, path: &str, right: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = company.get(path);
        if right(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{path}: {seen}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn visit(company: &Company, more: &Value) -> (String, String) {
    let mut body = company.visit_body();
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    let made = company.ok(Call::new("POST", "/v1/visits").json(&body));
    (text(&made, "id"), text(&made, "secret"))
}

fn check_in(company: &Company, kiosk: &Credential, code: &str) -> keiin_tests::Answer {
    let call = Call::new("POST", "/v1/kiosk/check_in").json(&json!({ "code": code }));
    company.client.send(&kiosk.on(call))
}

fn walk_in(company: &Company, kiosk: &Credential, name: &str) -> keiin_tests::Answer {
    let call = Call::new("POST", "/v1/kiosk/walk_in").json(&json!({ "visitor_name": name }));
    company.client.send(&kiosk.on(call))
}

fn leave(company: &Company, visit: &str) {
    company.ok(Call::new("POST", &format!("/v1/visits/{visit}/check_out")));
}

/// The next mail about an arrival; others, about a login on a new device, may come between.
fn announced(smtp: &Smtp, to: &str) -> Value {
    std::iter::repeat_with(|| smtp.next_to(to)).find(|mail| text(mail, "body").contains("/answer/")).expect("it comes")
}

/// How many events of a kind there are.
fn count(company: &Company, kind: &str) -> usize {
    company.get(&format!("/v1/events?kind={kind}&limit=200"))["items"].as_array().expect("a list").len()
}

#[test]
fn rn_04_a_host_is_told_by_mail_and_answers_from_it() {
    let smtp = Smtp::plain(0);
    let (deployment, server, company) = start("told");
    let (host, _) = company.new_member("member");
    let to = text(&company.get(&format!("/v1/members/{host}")), "email");
    assert_eq!(server.stop(), 0);
    deployment.mail_to(smtp.port, "none", "");
    let server = deployment.serve();
    let company = company.at(&server);
    let kiosk = company.new_kiosk().1;
    let more = json!({ "host_id": host, "visitor_name": "山本 さくら", "visitor_company": "Secretive KK",
        "visitor_email": "sakura@visitor.example", "note": "車椅子" });
    let (id, secret) = visit(&company, &more);
    let path = format!("/v1/visits/{id}");
    let hook = json!({ "url": "https://receiver.invalid/hook", "events": ["visit.*"], "description": "Front door" });
    company.ok(Call::new("POST", "/v1/webhooks").json(&hook));
    let started = Instant::now();
    check_in(&company, &kiosk, &secret).expect(200);
    let mail = announced(&smtp, &to);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "told after {took:?}");
    // What the company's policy allows, and nothing else (RN-10).
    let whole = mail.to_string();
    assert!(whole.contains("山本 さくら"), "{whole}");
    for kept in ["Secretive", "sakura@visitor", "車椅子"] {
        assert!(!whole.contains(kept), "{kept} in {whole}");
    }
    let body = text(&mail, "body").replace("\r\n", "\n");
    let link = body.lines().find(|line| line.contains("/answer/keiin_ans_")).expect("a link").trim();
    let secret = link.rsplit('/').next().expect("a secret").to_owned();
    let link = format!("/answer/{secret}");

    // Opening it, as mail scanners do, answers nothing.
    let page = company.client.without_token().get(&format!("{link}?lang=ja")).expect(200).text();
    assert!(page.contains("すぐ行きます") && page.contains("山本 さくら"), "{page}");
    let after = company.get(&path)["after"].clone();
    assert_eq!(after.get("answer"), None);
    assert_eq!(after["notices"][0]["member"]["id"], json!(host));
    let told = soon(&company, &path, |visit| visit["after"]["notices"][0]["mail"] == "sent");
    assert_eq!(told["after"]["notices"].as_array().map(Vec::len), Some(1));
    // What programs and Slack were told of the same is beside it.
    let told = soon(&company, &path, |visit| {
        let messages = visit["after"]["messages"].as_array();
        messages.is_some_and(|all| all.iter().any(|message| message["event"] == "visit.announced"))
    });
    assert_eq!(told["after"]["messages"][0]["webhook"]["name"], "Front door", "{told}");
    let sent = company.get("/v1/events?kind=mail.sent&limit=1");
    assert!(sent["items"][0]["position"].is_u64(), "the outcome is an event: {sent}");

    let answer = |answer: &str| {
        let call = Call::new("POST", &format!("/v1/visit_notices/{secret}/answer"));
        company.client.without_token().send(&call.json(&json!({ "answer": answer })))
    };
    assert_eq!(answer("coming").expect(200).json()["status"], "answered");
    let after = company.get(&path)["after"].clone();
    assert_eq!((&after["answer"], &after["answered_by"]["id"]), (&json!("coming"), &json!(host)));
    answer("coming").expect(200);
    assert_eq!(count(&company, "visit.acknowledged"), 1, "the same answer is no news");
    answer("someone_else").expect(200);
    assert_eq!(answer("later").status, 400);
    leave(&company, &id);
    assert_eq!(answer("wait").expect(409).code(), "visit.not_checked_in");
    company.client.without_token().get(&link).expect(410);

    // Nothing but that somebody is here; or the company as well.
    for (notice, named, from) in [("nothing", false, false), ("name_and_company", true, true)] {
        company.ok(Call::new("POST", "/v1/visit_policy").json(&json!({ "notice": notice })));
        let (_, secret) = visit(&company, &more);
        check_in(&company, &kiosk, &secret).expect(200);
        let whole = announced(&smtp, &to).to_string();
        assert_eq!((whole.contains("山本"), whole.contains("Secretive")), (named, from), "{notice}: {whole}");
        assert!(!whole.contains("sakura@visitor"));
    }
    report!("reception told_ms={}", took.as_millis());
}

#[test]
fn where_nobody_answers_the_reception_is_told_once_also_after_a_stop() {
    let deployment = Deployment::new();
    let server = Server::serve_at("@2026-11-02 00:00:00", &deployment.data());
    let company = Company::sign_up(&server, "silent");
    let (host, _) = company.new_member("member");
    let (desk, _) = company.new_member("receptionist");
    let now =
        json!({ "host_id": host, "starts_at": "2026-11-02T09:00:00+09:00", "ends_at": "2026-11-02T10:00:00+09:00" });
    let (silent, secret) = visit(&company, &now);
    let (answered, other) = visit(&company, &now);
    let kiosk = company.new_kiosk().1;
    for code in [&secret, &other] {
        check_in(&company, &kiosk, code).expect(200);
    }
    let coming = json!({ "answer": "coming" });
    company.ok(Call::new("POST", &format!("/v1/visits/{answered}/acknowledge")).json(&coming));
    assert_eq!(count(&company, "visit.escalated"), 0);
    company.settle();
    drop(server);
    // Not yet after four minutes, but after five; nobody was running when the time came.
    let server = Server::serve_at("@2026-11-02 00:03:50", &deployment.data());
    let company = company.at(&server);
    company.settle();
    assert_eq!(count(&company, "visit.escalated"), 0);
    drop(server);
    let server = Server::serve_at("@2026-11-02 00:09:00", &deployment.data());
    let company = company.at(&server);
    let path = format!("/v1/visits/{silent}");
    let told = soon(&company, &path, |visit| visit["after"]["notices"].as_array().is_some_and(|all| all.len() == 2));
    let notice = &told["after"]["notices"][0];
    assert_eq!((&notice["member"]["id"], &notice["why"]), (&json!(desk), &json!("no_answer")));
    drop(server);
    let server = Server::serve_at("@2026-11-02 00:30:00", &deployment.data());
    let company = company.at(&server);
    // A walk-in whom nobody expects is the reception's at once; when it is told, the rounds have looked at the others again.
    let passer_by = text(&walk_in(&company, &kiosk, "飛込 次郎").expect(201).json(), "id");
    let told = soon(&company, &format!("/v1/visits/{passer_by}"), |visit| visit["after"]["notices"][0].is_object());
    assert_eq!(told["after"]["notices"][0]["why"], "nobody_to_ask");
    assert_eq!(count(&company, "visit.escalated"), 2, "once for each");
    let waiting = company.get("/v1/waiting_visits");
    let waits: Vec<&Value> = waiting["items"].as_array().expect("a list").iter().map(|visit| &visit["id"]).collect();
    assert_eq!(waits, [&json!(passer_by), &json!(silent)], "{waiting}");
}

#[test]
fn whom_the_blocklist_names_the_kiosk_lets_nobody_know_and_nobody_in() {
    let (deployment, _server, company) = start("blocked");
    let (desk, desk_login) = company.new_member("receptionist");
    let (host, host_login) = company.new_member("member");
    let kiosk = company.new_kiosk().1;
    let by = |login: &Credential, call: Call| company.client.send(&login.on(call));
    let add = |kind: &str, value: &str| {
        let entry = json!({ "kind": kind, "value": value, "reason": "Caused a flood in 2024" });
        by(&desk_login, Call::new("POST", "/v1/blocklist_entries").json(&entry))
    };
    let entry = text(&add("name", "ﾀｶﾊｼ　ﾏｺﾄ").expect(201).json(), "id");
    assert_eq!(add("name", "たかはし まこと").expect(409).code(), "blocklist_entry.already_listed");
    by(&host_login, Call::new("GET", "/v1/blocklist_entries")).expect(403);

    let named = json!({ "host_id": host, "visitor_name": "高橋 誠", "visitor_kana": "たかはし まこと" });
    let (id, secret) = visit(&company, &named);
    let path = format!("/v1/visits/{id}");
    assert_eq!(count(&company, "visit.matched"), 1, "known from the registration on");
    let refused = check_in(&company, &kiosk, &secret).expect(403);
    assert_eq!(refused.code(), "visit.ask_reception");
    for told in ["block", "flood", "list", "高橋"] {
        assert!(!refused.text().to_lowercase().contains(told), "{told}: {}", refused.text());
    }
    check_in(&company, &kiosk, &secret).expect(403);
    assert_eq!(count(&company, "visit.matched"), 2, "once for the same entries");
    let seen = soon(&company, &path, |visit| visit["after"]["notices"][0].is_object());
    assert_eq!((&seen["status"], &seen["after"]["held"]), (&json!("expected"), &json!(true)));
    assert_eq!(seen["after"]["notices"][0]["member"]["id"], json!(desk));
    assert_eq!(seen["after"]["entries"][0]["reason"], "Caused a flood in 2024");
    // The host is not told why, and cannot let them in either.
    let theirs = by(&host_login, Call::new("GET", &path)).expect(200).json();
    assert!(!theirs.to_string().contains("flood") && !theirs.to_string().contains("blocklist"), "{theirs}");
    let refused = by(&host_login, Call::new("POST", &format!("{path}/check_in"))).expect(403);
    assert_eq!(refused.code(), "visit.ask_reception");
    let let_in = Call::new("POST", &format!("{path}/let_in")).json(&json!({ "reason": "同姓同名" }));
    by(&host_login, let_in.clone()).expect(403);
    by(&desk_login, let_in).expect(200);
    assert_eq!(company.get(&path)["status"], "arrived");
    let position = company.get("/v1/events?kind=visit.overridden")["items"][0]["position"].clone();
    let override_ = company.get(&format!("/v1/events/{position}"))["event"].clone();
    assert_eq!(override_["reason"]["label"]["text"], "同姓同名", "{override_}");
    assert_eq!(override_["entries"], json!([entry]));

    // Somebody without an appointment waits at the door until the reception has decided.
    walk_in(&company, &kiosk, "タカハシ マコト").expect(403);
    let waiting = company.get("/v1/waiting_visits")["items"][0].clone();
    assert_eq!((&waiting["status"], &waiting["why"]), (&json!("held"), &json!("blocklist")), "{waiting}");
    let held = text(&waiting, "id");
    by(&desk_login, Call::new("POST", &format!("/v1/visits/{held}/turn_away"))).expect(200);
    assert_eq!(company.get(&format!("/v1/visits/{held}"))["status"], "turned_away");

    // Off the list: the name is erased, and the next of that name comes in.
    assert_present(&deployment.data(), "flood");
    let entry = format!("/v1/blocklist_entries/{entry}");
    company.ok(Call::new("POST", &format!("{entry}/remove")).if_match(&company.etag(&entry)));
    assert_eq!(company.get(&entry).get("value"), None);
    walk_in(&company, &kiosk, "タカハシ マコト").expect(201);

    // When the list cannot be asked, nobody comes in by themselves, and the reception is told of whoever waits.
    add("company", "株式会社 洪水").expect(201);
    let (id, secret) = visit(&company, &json!({}));
    let (unlucky, pass) = visit(&company, &json!({ "host_id": host }));
    let broken = |sql: &str| {
        let vault = Connection::open(deployment.data().join("vault.db")).expect("the vault opens");
        vault.busy_timeout(Duration::from_secs(10)).expect("it waits");
        vault.execute_batch(sql).expect("the table is there");
    };
    broken("ALTER TABLE fingerprint RENAME TO fingerprint_away");
    for _ in 0..2 {
        assert_eq!(check_in(&company, &kiosk, &secret).expect(403).code(), "visit.not_screened");
    }
    assert_eq!(check_in(&company, &kiosk, &pass).expect(403).code(), "visit.not_screened");
    assert_eq!(walk_in(&company, &kiosk, "Somebody").expect(403).code(), "visit.not_screened");
    assert_eq!(count(&company, "visit.screening_failed"), 3, "once for each visitor");
    let waiting = company.get("/v1/waiting_visits");
    let why = waiting["items"].as_array().expect("a list").iter().filter(|visit| visit["why"] == "not_screened");
    let why: Vec<(String, String)> = why.map(|one| (text(one, "status"), text(&one["visitor"], "name"))).collect();
    assert_eq!(why.len(), 3, "{waiting}");
    assert!(why.contains(&("held".into(), "Somebody".into())), "{why:?}");
    let path = format!("/v1/visits/{unlucky}");
    let told = soon(&company, &path, |visit| visit["after"]["notices"][0].is_object());
    assert_eq!(
        (&told["after"]["notices"][0]["why"], &told["after"]["not_screened"]),
        (&json!("not_screened"), &json!(true))
    );
    let theirs = by(&host_login, Call::new("GET", &path)).expect(200).text();
    assert!(theirs.contains("\"held\":true") && !theirs.contains("screen"), "{theirs}");
    // The reception makes sure who it is, and lets them in while nobody can say more.
    let let_in = Call::new("POST", &format!("{path}/let_in")).json(&json!({ "reason": "名刺で確認" }));
    by(&desk_login, let_in).expect(200);
    assert_eq!(company.get(&path)["status"], "arrived");
    broken("ALTER TABLE fingerprint_away RENAME TO fingerprint");
    assert_eq!(company.get(&format!("/v1/visits/{id}"))["status"], "expected");
    check_in(&company, &kiosk, &secret).expect(200);
    assert_eq!(company.get(&format!("/v1/visits/{id}"))["after"].get("not_screened"), None);
}

/// The CSV's rows below the titles, each as its cells.
fn rows(company: &Company, query: &str) -> Vec<Vec<String>> {
    let answer =
        company.send(Call::new("GET", &format!("/v1/visit_history.csv?lang=en&encoding=utf8&{query}"))).expect(200);
    // Nothing in this story has a comma or a quote.
    answer.text().lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn rn_05_the_rows_of_a_period_are_the_events_of_the_period() {
    let deployment = Deployment::new();
    let server = Server::serve_at("@2026-11-02 00:00:00", &deployment.data());
    let company = Company::sign_up(&server, "history");
    let kiosk = company.new_kiosk().1;
    let period = |day: u32, ends: u32| json!({ "starts_at": format!("2026-11-{day:02}T09:00:00+09:00"), "ends_at": format!("2026-11-{ends:02}T18:00:00+09:00") });
    let with = |mut plan: Value, name: &str, email: &str| {
        (plan["visitor_name"], plan["visitor_email"]) = (json!(name), json!(email));
        plan
    };
    // A supplier of two days, one who never comes, and somebody whose address is used by somebody else later.
    let (supplier, pass) = visit(&company, &with(period(2, 3), "=1+1 商店", ""));
    visit(&company, &with(period(2, 2), "来ない 人", ""));
    let (first, code) = visit(&company, &with(period(2, 2), "山本 一郎", "shared@visitor.example"));
    check_in(&company, &kiosk, &pass).expect(200);
    check_in(&company, &kiosk, &code).expect(200);
    leave(&company, &first);
    walk_in(&company, &kiosk, "飛込 次郎").expect(201);
    let (second, _) = visit(&company, &with(period(3, 3), "髙橋 二郎", "shared@visitor.example"));
    assert_eq!(
        company.get(&format!("/v1/visits/{first}"))["visitor"]["name"],
        "山本 一郎",
        "a snapshot for each visit"
    );
    drop(server);
    let server = Server::serve_at("@2026-11-03 00:00:00", &deployment.data());
    let mut company = company.at(&server);
    company.token = company.log_in("owner@history.example");
    let correct = |company: &Company, more: Value| {
        let path = format!("/v1/visits/{supplier}");
        let call = Call::new("POST", &format!("{path}/correct")).if_match(&company.etag(&path));
        company.ok(call.json(&more));
    };
    // What the first day's arrival really was is known on the second, before the next one.
    correct(&company, json!({ "reason": "時計のずれ", "arrived_at": "2026-11-02T08:05:00+09:00" }));
    check_in(&company, &kiosk, &pass).expect(200);
    leave(&company, &supplier);

    for (day, wanted) in [("2026-11-02", 3), ("2026-11-03", 1)] {
        let query = format!("from={day}&to={day}");
        let events = company.get(&format!("/v1/events?limit=200&{query}"));
        let came =
            events["items"].as_array().expect("a list").iter().filter(|event| {
                ["visit.checked_in", "visit.walked_in"].contains(&event["kind"].as_str().unwrap_or(""))
            });
        let came: BTreeSet<(String, String)> =
            came.map(|event| (event["position"].to_string(), text(&event["object"], "id"))).collect();
        let rows = rows(&company, &query);
        let arrived = rows.iter().filter(|row| !row[8].is_empty());
        let arrived: BTreeSet<(String, String)> = arrived.map(|row| (row[12].clone(), row[11].clone())).collect();
        assert_eq!(arrived, came, "{day}");
        assert_eq!(came.len(), wanted, "{day}");
        assert!(rows.iter().filter(|row| !row[8].is_empty()).all(|row| row[8].starts_with(day)), "{rows:?}");
    }
    let first_day = rows(&company, "from=2026-11-02&to=2026-11-02");
    let status = |name: &str| first_day.iter().find(|row| row[1] == name).map(|row| row[0].as_str());
    assert_eq!(
        (status("来ない 人"), status("山本 一郎"), status("飛込 次郎")),
        (Some("no-show"), Some("left"), Some("here"))
    );
    // The supplier did not check out on the first day: the history does not make a time up.
    let of = |day: &str| rows(&company, &format!("from={day}&to={day}&q=商店"));
    assert_eq!((of("2026-11-02")[0][9].as_str(), of("2026-11-03")[0][9].is_empty()), ("", false));

    // Found however it is typed; by place, host and way in.
    let names = |query: &str| -> Vec<String> {
        let all = company.get(&format!("/v1/visit_history?{query}"));
        all["items"].as_array().expect("a list").iter().map(|row| text(&row["visitor"], "name")).collect()
    };
    assert_eq!(names("q=高橋"), ["髙橋 二郎"]);
    assert_eq!(names("how=walk_in"), ["飛込 次郎"]);
    assert_eq!(names("location=nowhere"), [""; 0]);
    assert_eq!(names(&format!("host_id={}&from=2026-11-03", company.owner)).len(), 2);
    // In a spreadsheet nothing runs, and what it cannot write is said.
    let sheet = company.send(Call::new("GET", "/v1/visit_history.csv?lang=ja")).expect(200).body;
    assert!(sheet.starts_with(b"\xEF\xBB\xBF") && String::from_utf8_lossy(&sheet).contains("'=1+1 商店"));
    let lost = company.get("/v1/visit_history.csv?encoding=cp932&check=true");
    assert_eq!(lost["unmappable"], json!([]), "髙 is in CP932");

    let figures = company.get("/v1/visit_figures?day=2026-11-15");
    assert_eq!((&figures["arrivals"], &figures["walk_ins"]), (&json!(4), &json!(1)), "{figures}");
    assert_eq!((&figures["days"][1]["arrivals"], &figures["days"][2]["arrivals"]), (&json!(3), &json!(1)));
    assert_eq!((&figures["no_shows"], &figures["appointments"]), (&json!(1), &json!(2)), "the others are not over yet");
    assert_eq!((&figures["hours"][8], &figures["hours"][9]), (&json!(1), &json!(3)), "as corrected, in Japan");

    // A correction shows both values, of the arrival that it is of and of no other.
    let left = "2026-11-03T09:00:00+09:00";
    correct(&company, json!({ "reason": "記入漏れ", "arrived_at": "2026-11-03T08:50:00+09:00", "left_at": left }));
    let all = company.get("/v1/visit_history?q=商店");
    let shown = |at: usize| {
        let row = &all["items"][at];
        (
            row["arrived_at"].clone(),
            row["recorded"]["reason"].clone(),
            row["recorded"]["arrived_at"].as_str().map(str::len),
        )
    };
    assert_eq!(shown(0), (json!("2026-11-02T23:50:00Z"), json!("記入漏れ"), Some(27)), "{all}");
    assert_eq!(shown(1), (json!("2026-11-01T23:05:00Z"), json!("時計のずれ"), Some(27)), "{all}");
    let sheet = of("2026-11-03");
    assert_eq!((sheet[0][8].as_str(), sheet[0][9].as_str()), ("2026-11-03T08:50:00+09:00", left));
    assert!(sheet[0][13].starts_with("2026-11-03T09:0") && sheet[0][14].starts_with("2026-11-03T09:0"), "{sheet:?}");
    assert_eq!((sheet[0][15].as_str(), of("2026-11-02")[0][15].as_str()), ("記入漏れ", "時計のずれ"));
    assert_eq!(company.get("/v1/visit_figures?day=2026-11-15")["hours"][8], json!(2));
    assert_eq!(company.get(&format!("/v1/visits/{second}"))["status"], "expected");
    let house = company.get("/v1/present_visitors");
    assert_eq!((&house["count"], house["places"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{house}");
    assert_eq!(house["places"][0]["people"][0]["visitor"]["name"], "飛込 次郎");
}

const CANARY: [(&str, &str); 4] = [
    ("visitor_name", "鸛籠 幽霊"),
    ("visitor_company", "Perspicacious Wraith KK"),
    ("visitor_email", "wraith@erased-canary.example"),
    ("note", "Brings a theremin"),
];

#[test]
fn a_visitor_is_erased_by_hand_or_when_the_time_is_up_and_the_proof_stays() {
    let deployment = Deployment::new();
    let server = Server::serve_at("@2026-11-02 00:00:00", &deployment.data());
    let company = Company::sign_up(&server, "forgotten");
    let mut plan = json!({ "starts_at": "2026-11-02T09:00:00+09:00", "ends_at": "2026-11-02T10:00:00+09:00" });
    CANARY.iter().for_each(|(name, value)| plan[*name] = json!(value));
    let (id, _) = visit(&company, &plan);
    let path = format!("/v1/visits/{id}");
    company.ok(Call::new("POST", &format!("{path}/check_in")));
    let erase = || Call::new("POST", &format!("{path}/erase"));
    assert_eq!(company.client.send(&company.login.on(erase())).expect(409).code(), "visit.not_over");
    leave(&company, &id);
    company.settle();
    CANARY.iter().for_each(|(_, value)| drop(assert_present(&deployment.data(), value)));
    // No token, no member; an owner who has just shown that it is them.
    company.send(erase()).expect(403);
    let member = company.new_member("member").1;
    company.client.send(&member.on(erase())).expect(403);
    company.ok_logged_in(erase());
    assert_eq!(company.client.send(&company.login.on(erase())).expect(409).code(), "visit.already_erased");
    let seen = company.get(&path);
    assert_eq!((&seen["visitor"], &seen["status"]), (&json!({ "erased": true }), &json!("left")), "{seen}");
    assert!(seen["arrived_at"].is_string() && seen["left_at"].is_string());
    assert_eq!(company.get("/v1/visit_history")["items"][0]["visitor"], json!({ "erased": true }));
    company.checkpoint();
    let (key, file) = (company.key(), deployment.export("forgotten", "forgotten.keiin", &["--open"]));
    verify(&file, &key);

    // Another, whom the company keeps for two days; the owner's word for it is that alone.
    plan["visitor_email"] = json!("");
    plan["visitor_name"] = json!("Second Theodolite");
    let (second, _) = visit(&company, &plan);
    company.settle();
    assert_eq!(count(&company, "visit.erasure_ordered"), 1);
    drop(server);
    let server = Server::serve_at("@2028-11-02 00:00:00", &deployment.data());
    let mut company = company.at(&server);
    company.token = company.log_in("owner@forgotten.example");
    company.settle();
    assert_eq!(
        company.get(&format!("/v1/visits/{second}"))["visitor"]["name"],
        "Second Theodolite",
        "no silent expiry"
    );
    company.ok(Call::new("POST", "/v1/visit_policy").json(&json!({ "keep_days": 2 })));
    let path = format!("/v1/visits/{second}");
    let seen = soon(&company, &path, |visit| visit["visitor"]["erased"] == true);
    assert_eq!((&seen["after"]["erased"], &seen["after"]["by_policy"]), (&json!(true), &json!(true)));
    assert_eq!(count(&company, "ledger.subject_erased"), 2);
    let gone = || {
        CANARY.iter().for_each(|(_, value)| assert_absent(deployment.folder(), value, |_| false));
        assert_absent(deployment.folder(), "Theodolite", |_| false);
    };
    assert_eq!(server.stop(), 0);
    gone();
    keiin(&["rebuild", "--data", deployment.data_arg()]).expect(0);
    gone();
    verify(&deployment.export("forgotten", "again.keiin", &["--open"]), &key);
}
