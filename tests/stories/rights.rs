//! A company's own roles (EL-05, EL-21, EL-22, ML-16): made of permissions, given to members, changed under them. What
//! changes holds from the next request on, by every way in, and nobody passes on what they do not have.

use std::time::Duration;

use keiin_tests::company::text;
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Follow, Server};
use serde_json::{Value, json};

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

fn get(company: &Company, who: &Credential, path: &str) -> Answer {
    company.client.send(&who.on(Call::new("GET", path)))
}

fn change(company: &Company, set: &str, permissions: &[&str]) {
    let path = format!("/v1/permission_sets/{set}");
    let body = json!({ "name": "Invoice checking", "permissions": permissions });
    company.ok(Call::new("PUT", &path).if_match(&company.etag(&path)).json(&body));
}

fn give(company: &Company, member: &str, role: &str) -> Answer {
    let path = format!("/v1/members/{member}");
    let call = Call::new("PUT", &format!("{path}/role")).if_match(&company.etag(&path));
    company.send(call.json(&json!({ "role": role })))
}

#[test]
fn el_22_a_change_of_a_set_holds_from_the_next_request_by_every_way_in() {
    let (_deployment, _server, company) = company("own-roles");
    let all = ["client.read", "document.read", "document.draft", "token.read", "token.issue", "event.read"];
    let set = company.new_permission_set(&all);
    let (member, login) = company.new_member(&set);
    let view = company.get(&format!("/v1/members/{member}"));
    assert_eq!((&view["role"], &view["permission_set"]["id"]), (&json!("custom"), &json!(set)));
    let scopes =
        json!({ "name": "Theirs", "scopes": ["documents:read", "documents:write", "events:read", "mails:read"] });
    let issued = company.client.send(&login.on(Call::new("POST", "/v1/tokens").json(&scopes))).expect(201).json();
    let token = Credential::Bearer(text(&issued, "secret"));
    let client = company.new_client();
    for who in [&login, &token] {
        get(&company, who, "/v1/documents").expect(200);
        // The scope is there, the right is not; and the other way round.
        assert_eq!(get(&company, who, "/v1/mails").expect(403).code(), "access.forbidden");
        let draft = Call::new("POST", "/v1/documents").json(&company.draft_body(&client));
        company.client.send(&who.on(draft)).expect(201);
    }
    get(&company, &token, "/v1/clients").expect(403);
    get(&company, &login, "/v1/clients").expect(200);
    get(&company, &login, "/documents").expect(200);
    get(&company, &login, "/permission_sets").expect(403);
    let mut follower = Follow::open(&company.client, &login, "", None);
    assert_eq!(follower.status, 200);

    change(&company, &set, &["client.read", "token.read", "token.issue"]);
    for who in [&login, &token] {
        assert_eq!(get(&company, who, "/v1/documents").expect(403).code(), "access.forbidden");
    }
    get(&company, &login, "/documents").expect(403);
    get(&company, &login, "/clients").expect(200);
    // Only their own actions are left to see.
    let seen = get(&company, &login, "/v1/events?limit=200").expect(200).json();
    let mine = seen["items"]
        .as_array()
        .expect("a list")
        .iter()
        .all(|e| e["actor"]["id"] == member.as_str() || e["on_behalf_of"]["id"] == member.as_str());
    assert!(mine, "{seen}");
    let may = get(&company, &login, "/v1/me").expect(200).json();
    assert_eq!(may["permission_set"]["name"], "Invoice checking");
    let may: Vec<&str> = may["permissions"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(may.contains(&"client.read") && !may.contains(&"document.read"), "{may:?}");
    // A stream that was opened with other rights ends.
    assert!(follower.ended_within(Duration::from_secs(10)).is_some());

    change(&company, &set, &all);
    get(&company, &token, "/v1/documents").expect(200);
    // By another role, too.
    give(&company, &member, "receptionist").expect(200);
    get(&company, &token, "/v1/documents").expect(403);
    get(&company, &login, "/v1/visits").expect(200);
    let history = company.get(&format!("/v1/events?object={set}"));
    let kinds: Vec<&str> =
        history["items"].as_array().expect("a list").iter().filter_map(|e| e["kind"].as_str()).collect();
    assert_eq!(kinds, ["permission_set.changed", "permission_set.changed", "permission_set.defined"]);
}

#[test]
fn el_22_a_set_that_somebody_has_is_not_deleted() {
    let (_deployment, _server, company) = company("in-use");
    let set = company.new_permission_set(&["visit.read"]);
    let path = format!("/v1/permission_sets/{set}");
    let delete = || company.send(Call::new("POST", &format!("{path}/delete")).if_match(&company.etag(&path)));
    let (invited, _) = company.invite(&set);
    let (member, _) = company.new_member(&set);
    assert_eq!(company.get(&path)["holders"], 2);
    assert_eq!(delete().expect(409).code(), "permission_set.in_use");
    give(&company, &member, "viewer").expect(200);
    assert_eq!(delete().expect(409).code(), "permission_set.in_use");
    let member_path = format!("/v1/members/{invited}");
    let revoke = Call::new("POST", &format!("{member_path}/revoke_invitation"));
    company.ok(revoke.if_match(&company.etag(&member_path)));
    assert_eq!(delete().expect(200).json()["status"], "deleted");
    assert_eq!(give(&company, &member, &set).expect(422).code(), "member.bad_role");
    assert_eq!(company.get("/v1/permission_sets")["items"], json!([]));
}

#[test]
fn el_22_nobody_makes_rights_out_of_nothing() {
    let (_deployment, _server, company) = company("escalation");
    let (_, admin) = company.new_member("admin");
    let define = |who: &Credential, name: &str, permissions: &[&str]| {
        let body = json!({ "name": name, "permissions": permissions });
        company.client.send(&who.on(Call::new("POST", "/v1/permission_sets").json(&body)))
    };
    for never in ["member.invite", "member.change_role", "permission_set.define", "security.change", "tenant.close"] {
        let refused = define(&admin, "Too much", &["visit.read", never]).expect(422);
        assert_eq!(refused.code(), "permission_set.unknown_permission");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/permissions/1");
    }
    let refused = define(&admin, "Blind", &["visit.register"]).expect(422);
    assert_eq!(refused.code(), "permission_set.needs_read");
    define(&admin, "Front desk", &["visit.read", "visit.register"]).expect(201);
    assert_eq!(define(&admin, "FRONT DESK", &["visit.read"]).expect(409).code(), "permission_set.name_taken");
    // With the fullest set there is, nobody makes sets, gives roles or sees to people.
    let fullest: Vec<&str> = keiin_domain::role::Permission::grantable().map(|p| p.0).collect();
    let set = company.new_permission_set(&fullest);
    let (member, login) = company.new_member(&set);
    assert_eq!(define(&login, "Mine", &["visit.read"]).expect(403).code(), "access.forbidden");
    let path = format!("/v1/members/{member}");
    let call = Call::new("PUT", &format!("{path}/role")).if_match(&company.etag(&path));
    company.client.send(&login.on(call.json(&json!({ "role": "admin" })))).expect(403);
    let path = format!("/v1/permission_sets/{set}");
    let body = json!({ "name": "Mine", "permissions": fullest });
    let call = Call::new("PUT", &path).if_match(&company.etag(&path)).json(&body);
    company.client.send(&login.on(call)).expect(403);
    assert_eq!(give(&company, &member, "custom").expect(422).code(), "member.bad_role");
}

#[test]
fn el_21_the_console_makes_a_set_and_gives_it() {
    let (_deployment, _server, company) = company("by-form");
    let form = |path: &str, body: &str| {
        let call = Call::new("POST", path).bytes("application/x-www-form-urlencoded", body.to_owned());
        company.client.send(&company.login.on(call))
    };
    let fields = "name=Front+desk&permissions.3=visit.read&permissions.7=visit.register&_key=a&_next=/permission_sets";
    form("/do/v1/permission_sets", fields).expect(303);
    let set = company.get("/v1/permission_sets")["items"][0].clone();
    assert_eq!(set["permissions"], json!(["visit.read", "visit.register"]));
    let page = get(&company, &company.login, "/members").expect(200).text();
    assert!(page.contains(&text(&set, "id")) && page.contains("Front desk"), "the invitation offers it");
    let (member, _) = company.new_member("viewer");
    let version = company.get(&format!("/v1/members/{member}"))["version"].clone();
    let given = format!("role={}&_if_match=v{version}&_method=PUT&_key=b&_next=/members", text(&set, "id"));
    form(&format!("/do/v1/members/{member}/role"), &given).expect(303);
    let page = get(&company, &company.login, &format!("/members/{member}")).expect(200).text();
    assert!(page.contains("Front desk"), "the member's page names it");
    let none = form("/do/v1/permission_sets", "name=Nothing&_key=c");
    assert!(none.status == 422 && none.text().contains("少なくとも一つ選んでください"), "{}", none.text());
}
