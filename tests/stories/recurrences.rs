//! Recurring documents: a template becomes a document on each of its dates, once, also when nobody was running.

use std::time::{Duration, Instant};

use keiin_test_postgres::Server as Postgres;
use keiin_tests::company::text;
use keiin_tests::{Call, Company, Deployment, Server};
use serde_json::{Value, json};

fn set_up(company: &Company, more: &Value) -> String {
    let mut body = json!({
        "template_id": company.new_template(), "client_id": company.new_client(), "every_months": 1, "day": 31,
        "starts_on": "2026-11-02", "mode": "draft",
    });
    for (name, value) in more.as_object().expect("fields") {
        body[name] = value.clone();
    }
    text(&company.ok(Call::new("POST", "/v1/recurrences").json(&body)), "id")
}

/// Waits until the next date is this one, or there is none.
fn settled(company: &Company, id: &str, next_on: Option<&str>) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = company.get(&format!("/v1/recurrences/{id}"));
        if seen["next_on"].as_str() == next_on {
            return seen;
        }
        assert!(Instant::now() < deadline, "{seen}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Date, outcome and code of what became of the dates, the oldest first.
fn dates(seen: &Value) -> Vec<(String, String, String)> {
    let dates = seen["dates"].as_array().expect("a list").iter().rev();
    let word = |date: &Value, field: &str| date[field].as_str().unwrap_or("").to_owned();
    dates.map(|date| (word(date, "date"), word(date, "outcome"), word(date, "code"))).collect()
}

#[test]
fn each_date_has_its_document_also_after_a_stop_of_months() {
    let deployment = Deployment::new();
    // 09:00 on 2 November in Japan.
    let server = Server::serve_at("@2026-11-02 00:00:00", &deployment.data());
    let company = Company::sign_up(&server, "monthly");
    let about = json!({ "name": "Monthly KK", "registration_number": "T7000012050002" });
    company.ok(Call::new("PUT", "/v1/tenant").if_match(&company.etag("/v1/tenant")).json(&about));
    let issued = set_up(&company, &json!({ "mode": "issue", "ends_on": "2027-02-28" }));
    let drafted = set_up(&company, &json!({ "day": 2, "every_months": 2 }));
    let paused = set_up(&company, &json!({ "day": 10 }));
    // A terms' change: the next date moves, what the trail tells is both.
    let path = format!("/v1/recurrences/{issued}");
    let terms = |template: &Value, day: u8| json!({ "template_id": template["id"], "every_months": 1, "day": day, "mode": "issue", "ends_on": "2027-02-28" });
    let template = company.get(&path)["template"].clone();
    for (day, next_on) in [(20, "2026-11-20"), (31, "2026-11-30")] {
        let change = Call::new("PUT", &path).if_match(&company.etag(&path)).json(&terms(&template, day));
        assert_eq!(company.ok(change)["next_on"], next_on);
    }
    let told =
        company.get(&format!("/v1/events?object={issued}&kind=recurrence.changed"))["items"][0]["position"].clone();
    let changes = company.get(&format!("/v1/events/{told}"))["changes"].clone();
    let next =
        changes.as_array().expect("a list").iter().find(|change| change["field"] == "next_on").expect("it moved");
    assert_eq!((&next["before"], &next["after"]), (&json!("2026-11-20"), &json!("2026-11-30")));
    let path = format!("/v1/recurrences/{paused}");
    company.ok(Call::new("POST", &format!("{path}/pause")).if_match(&company.etag(&path)));
    // What is due today comes today.
    let today = settled(&company, &drafted, Some("2027-01-02"));
    assert_eq!(dates(&today), [("2026-11-02".into(), "draft".into(), String::new())]);
    let before = company.mark();
    assert_eq!(company.get(&format!("/v1/recurrences/{issued}"))["next_on"], "2026-11-30");
    drop(server);

    // Nobody ran until midnight of the last day of February in Japan.
    let server = Server::serve_at("@2027-02-27 15:00:05", &deployment.data());
    let mut company = company.at(&server);
    // The token has expired meanwhile.
    company.token = company.log_in("owner@monthly.example");
    let seen = settled(&company, &issued, None);
    assert_eq!(seen["status"], "ended");
    let wanted = ["2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28"];
    assert_eq!(dates(&seen), wanted.map(|date| (date.to_owned(), "issued".to_owned(), String::new())));
    let documents: Vec<Value> = seen["dates"].as_array().expect("a list").iter().rev().cloned().collect();
    for (n, (date, one)) in wanted.iter().zip(&documents).enumerate() {
        let document = company.get(&format!("/v1/documents/{}", text(one, "document_id")));
        let (month, year) = (date[5..7].trim_start_matches('0'), &date[..4]);
        assert_eq!((&document["date"], &document["title"]), (&json!(date), &json!(format!("Work of {month}/{year}"))));
        assert_eq!(document["number"], json!(format!("INV-2027-{:04}", n + 1)), "numbered on the day of the issue");
    }
    assert_eq!(dates(&settled(&company, &drafted, Some("2027-03-02"))).len(), 2, "November and January");
    assert_eq!(company.get("/v1/documents?limit=200")["items"].as_array().expect("a list").len(), 6, "none twice");

    // The server acted on behalf of whoever set it up, caused by that.
    let trail = company.get(&format!("/v1/events?object={issued}&kind=recurrence.fired"));
    for event in trail["items"].as_array().expect("a list") {
        assert_eq!((&event["actor"]["kind"], &event["on_behalf_of"]["id"]), (&json!("system"), &json!(company.owner)));
        assert!(event["position"].as_u64() > Some(before));
    }
    // What passed while it was paused is left out.
    let resume = Call::new("POST", &format!("{path}/resume")).if_match(&company.etag(&path));
    let resumed = company.ok(resume);
    assert_eq!((&resumed["next_on"], &resumed["status"]), (&json!("2027-03-10"), &json!("active")));
    assert_eq!(resumed["dates"], json!([]));
}

#[test]
fn a_date_that_has_nothing_to_be_made_from_says_why_and_so_does_a_draft() {
    let deployment = Deployment::new();
    let server = Server::serve_at("@2026-11-02 00:00:00", &deployment.data());
    let company = Company::sign_up(&server, "why");
    let (template, client) = (company.new_template(), company.new_client());
    let orphan = set_up(&company, &json!({ "template_id": template, "day": 3 }));
    let lonely = set_up(&company, &json!({ "client_id": client, "day": 3 }));
    let careful = set_up(&company, &json!({ "mode": "issue", "day": 3 }));
    for path in [format!("/v1/templates/{template}"), format!("/v1/clients/{client}")] {
        company.ok(Call::new("POST", &format!("{path}/archive")).if_match(&company.etag(&path)));
    }
    let about = json!({ "name": "Why KK", "registration_number": "T7000012050002", "approval_required": true });
    company.ok(Call::new("PUT", "/v1/tenant").if_match(&company.etag("/v1/tenant")).json(&about));
    drop(server);
    let server = Server::serve_at("@2026-11-03 00:00:00", &deployment.data());
    let company = company.at(&server);
    for (id, outcome, code) in [
        (&orphan, "failed", "document.template_archived"),
        (&lonely, "failed", "document.client_archived"),
        (&careful, "draft", "document.not_approved"),
    ] {
        let seen = settled(&company, id, Some("2026-12-03"));
        assert_eq!(dates(&seen), [("2026-11-03".to_owned(), outcome.to_owned(), code.to_owned())]);
    }
    // In words, on its page.
    let login = company.log_in("owner@why.example");
    for (id, words) in [(&orphan, "このひな形は使用を停止しています"), (&careful, "承認")] {
        let page = company.client.send(&login.on(Call::new("GET", &format!("/recurrences/{id}?lang=ja")))).expect(200);
        assert!(page.text().contains(words), "{}", page.text());
    }
}

/// Two nodes whose timers meet at the same dates.
#[test]
fn two_nodes_make_one_document_of_a_date() {
    let deployment = Deployment::on_postgres(Postgres::shared());
    let server = Server::serve_at("@2026-11-02 00:00:00", &deployment.data());
    let company = Company::sign_up(&server, "timers");
    let all: Vec<String> = (3..=8).map(|day| set_up(&company, &json!({ "day": day }))).collect();
    drop(server);
    let second = deployment.node("second");
    let late = "@2027-01-20 00:00:00";
    let (one, two) = std::thread::scope(|scope| {
        let other = scope.spawn(|| Server::serve_at(late, &second));
        (Server::serve_at(late, &deployment.data()), other.join().expect("it starts"))
    });
    let company = company.at(&one);
    for (day, id) in (3..=8).zip(&all) {
        let seen = settled(&company, id, Some(&format!("2027-02-{day:02}")));
        let wanted = ["2026-11", "2026-12", "2027-01"].map(|month| format!("{month}-{day:02}"));
        assert_eq!(dates(&seen), wanted.map(|date| (date, "draft".to_owned(), String::new())));
    }
    drop(two);
    assert_eq!(company.get("/v1/documents")["counts"], json!({ "draft": 3 * all.len() }), "none twice");
}
