//! The life of somebody's access (RN-C46, ML-13, EL-05): one report from the invitation to the erasure, with who did what and
//! where it stands; and a search by person finds exactly what they did.

use keiin_tests::company::{PASSWORD, text};
use keiin_tests::{Call, Company, Deployment, keiin};
use serde_json::{Value, json};

fn kinds(report: &Value) -> Vec<String> {
    report["entries"].as_array().expect("a list").iter().map(|entry| text(entry, "kind")).collect()
}

#[test]
fn rn_c46_one_report_from_invitation_to_erasure() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "life");
    let (member, _) = company.new_member("member");
    let path = format!("/v1/members/{member}");
    let email = text(&company.get(&path), "email");
    let name = text(&company.get(&path), "name");
    let login = company.log_in(&email);
    let put = Call::new("PUT", &format!("{path}/role")).if_match(&company.etag(&path));
    company.ok_logged_in(put.json(&json!({ "role": "accountant" })));
    let change = json!({ "current": PASSWORD, "password": "eleven quiet otters under a lamp" });
    company.client.send(&login.on(Call::new("POST", "/v1/me/password").json(&change))).expect(200);
    let body = json!({ "name": "Made by them", "honorific": "onchu" });
    let mut own = vec![];
    for _ in 0..3 {
        own.push(company.client.send(&login.on(Call::new("POST", "/v1/clients").json(&body))).expect(201).position());
    }
    company.new_client();
    company.suspend(&member, true);
    let checks = Call::new("POST", &format!("{path}/phone_checks")).if_match(&company.etag(&path));
    company.ok_logged_in(checks.json(&company.phone_check()));
    let lift = Call::new("POST", &format!("{path}/reinstate")).if_match(&company.etag(&path));
    company.ok_logged_in(lift.json(&json!({})));
    let remove = Call::new("POST", &format!("{path}/remove")).if_match(&company.etag(&path));
    company.ok_logged_in(remove.json(&json!({})));
    company.checkpoint();

    let report = company.get(&format!("{path}/lifecycle"));
    let life = [
        "member.invited", "member.joined", "member.role_changed", "member.password_changed", "member.suspended",
        "identity.verified_by_phone", "member.reinstated", "member.removed",
    ];
    assert_eq!(kinds(&report), life);
    assert_eq!((&report["logins"], &report["member"]["status"]), (&json!(2), &json!("removed")));
    let entries = report["entries"].as_array().expect("a list");
    assert_eq!((&entries[2]["event"]["from"], &entries[2]["event"]["to"]), (&json!("member"), &json!("accountant")));
    for (at, who) in [(0, &company.owner), (2, &company.owner), (3, &member), (5, &company.owner), (7, &company.owner)]
    {
        let entry = &entries[at];
        let actor = if entry["on_behalf_of"].is_null() { &entry["actor"] } else { &entry["on_behalf_of"] };
        assert_eq!(actor["id"], who.as_str(), "{entry}");
    }
    // Each entry can be proved.
    for entry in entries {
        assert_eq!(entry["anchored"], true);
        let proof = company.send(Call::new("GET", &format!("/v1/events/{}/proof", entry["position"]))).expect(200);
        assert!(proof.text().contains("tlog-proof"), "{}", proof.text());
    }
    let csv = company.send(Call::new("GET", &format!("{path}/lifecycle.csv"))).expect(200).text();
    assert_eq!(csv.lines().count(), 1 + life.len(), "{csv}");
    assert!(csv.contains("member.role_changed") && csv.contains("+09:00"), "{csv}");
    let page = company.client.send(&company.login.on(Call::new("GET", &format!("/members/{member}/lifecycle"))));
    let page = page.expect(200).text();
    assert!(page.contains(&name) && page.contains("/audit/"), "{page}");

    // ML-13: a search by their id finds what they did, all of it and nothing else.
    let found = company.get(&format!("/v1/events?actor={member}&limit=200"));
    let found = found["items"].as_array().expect("a list");
    let by = |event: &Value| event["actor"]["id"] == member.as_str() || event["on_behalf_of"]["id"] == member.as_str();
    assert!(found.iter().all(by), "{found:?}");
    let positions: Vec<u64> = found.iter().filter_map(|event| event["position"].as_u64()).collect();
    assert!(own.iter().all(|position| positions.contains(position)), "{own:?} {positions:?}");
    let all = company.get("/v1/events?limit=200");
    let theirs = all["items"].as_array().expect("a list").iter().filter(|event| by(event)).count();
    assert_eq!(theirs, found.len());
    assert_eq!(report["actions"], json!(found.len()));
    company.settle();
    assert_eq!(server.stop(), 0);

    // Erased, the report still says what happened; the name is gone from it.
    keiin(&["erase-subject", "--data", deployment.data_arg(), "--tenant", "life", "--subject", &member]).expect(0);
    let server = deployment.serve();
    let company = company.at(&server);
    let report = company.get(&format!("{path}/lifecycle"));
    assert_eq!(kinds(&report).last().map(String::as_str), Some("ledger.subject_erased"));
    assert_eq!(kinds(&report).len(), life.len() + 1);
    assert!(!report.to_string().contains(&email) && !report.to_string().contains(&name), "{report}");
}

#[test]
fn one_sees_ones_own_life_and_not_a_colleagues() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "own-life");
    let (member, login) = company.new_member("viewer");
    let get = |path: &str, status: u16| company.client.send(&login.on(Call::new("GET", path))).expect(status).json();
    assert_eq!(kinds(&get(&format!("/v1/members/{member}/lifecycle"), 200)), ["member.invited", "member.joined"]);
    get(&format!("/v1/members/{}/lifecycle", company.owner), 404);
    get(&format!("/v1/members/{}/lifecycle.csv", company.owner), 404);
}
