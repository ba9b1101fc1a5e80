//! Who runs the deployment, and what they see of a company (J14): nothing, unless two of them and the company say so, for a
//! purpose, some of the data and a time; and each look is in the company's own ledger.

use std::collections::BTreeSet;

use keiin_tests::company::text;
use keiin_tests::operation::{WITH_OPERATORS, all_operations};
use keiin_tests::{Call, Company, Plane, Server, report};
use serde_json::{Value, json};

/// Queries that show something of a company: path without `/v1/`, class, on an object where one is needed.
fn readable(company: &Company) -> Vec<(String, &'static str)> {
    let (client, document) = (company.new_client(), company.new_document());
    let (delivery, visit, kiosk) = (company.new_delivery().0, company.new_visit().0, company.new_kiosk().0);
    let fixed = [
        ("tenant", "internal"),
        ("documents", "internal"),
        ("kiosks", "internal"),
        ("members", "personal"),
        ("clients", "personal"),
        ("deliveries", "personal"),
        ("visits", "personal"),
        ("events", "personal"),
        ("events/1", "personal"),
    ];
    let mut all: Vec<(String, &'static str)> = fixed.iter().map(|(path, class)| ((*path).to_owned(), *class)).collect();
    all.extend([
        (format!("documents/{document}"), "internal"),
        (format!("kiosks/{kiosk}"), "internal"),
        (format!("members/{}", company.owner), "personal"),
        (format!("clients/{client}"), "personal"),
        (format!("deliveries/{delivery}"), "personal"),
        (format!("visits/{visit}"), "personal"),
    ]);
    all
}

fn refused(answer: &keiin_tests::Answer, code: &str, status: u16) {
    assert_eq!((answer.status, answer.code()), (status, code.to_owned()), "{}: {}", answer.asked, answer.text());
}

/// The company's records of this kind.
fn records(company: &Company, kind: &str) -> Vec<Value> {
    company.mark();
    company.get(&format!("/v1/events?kind={kind}&limit=200"))["items"].as_array().expect("a list").clone()
}

/// ML-23, ML-24, ML-48, ML-49, MN-05, FM-10: the guard sweep of vendors.
#[test]
fn ml_24_without_a_grant_that_covers_it_every_look_is_refused_and_with_one_each_is_recorded() {
    let plane = Plane::new();
    let company = Company::sign_up(&plane.server, "looked-at");
    let all = readable(&company);
    let mut refusals = 0;
    let mut sweep = |what: &str, may: &dyn Fn(&str) -> bool| {
        for (path, class) in &all {
            let answer = plane.look("suzuki", &company, path);
            match may(class) {
                true => assert_eq!(answer.status, 200, "{what} {path}: {}", answer.text()),
                false => {
                    refused(&answer, "access.grant", 403);
                    assert!(!answer.text().contains(&company.slug), "{what} {path}");
                    refusals += 1;
                }
            }
        }
    };
    sweep("no grant", &|_| false);
    // What nobody opens, whatever was granted; a company that is not there looks the same.
    for path in ["mails", "tokens", "security", "sessions", "factors/x", "log/key", "me", "events.csv", "grants"] {
        assert!(matches!(plane.look("suzuki", &company, path).status, 403 | 404), "{path}");
    }
    refused(&plane.operator("suzuki").get("/operator/v1/companies/nobody/documents"), "access.grant", 403);
    assert!(!records(&company, "access.denied").is_empty(), "the company sees that somebody tried");

    let asked = text(&plane.ask("suzuki", &company, &json!({})).expect(200).json(), "id");
    sweep("asked", &|_| false);
    refused(&plane.open(&company, &asked), "grant.not_approved", 409);
    refused(&plane.act("suzuki", &company, &asked, "approve", &json!({})), "grant.own_approval", 403);
    plane.act("takahashi", &company, &asked, "approve", &json!({})).expect(200);
    sweep("approved", &|_| false);
    plane.open(&company, &asked).expect(200);
    assert_eq!(records(&company, "tenant_data.viewed"), Vec::<Value>::new());
    // ML-49: what is personal stays closed.
    sweep("internal", &|class| class == "internal");
    // The owners got a mail that leads there.
    company.mark();
    let mails = company.get("/v1/mails?limit=200");
    let mail = mails["items"].as_array().and_then(|mails| mails.iter().find(|m| m["template"] == "support_access"));
    let mail = mail.unwrap_or_else(|| panic!("no mail: {mails}"));
    assert_eq!(mail["to"]["email"], format!("owner@{}.example", company.slug));
    let mail = company.get(&format!("/v1/mails/{}", mail["id"].as_str().expect("an id")));
    assert!(mail["link"].as_str().is_some_and(|link| link.ends_with("/grants")), "{mail}");
    // It is suzuki's, not everybody's.
    refused(&plane.look("takahashi", &company, "documents"), "access.grant", 403);

    // ML-23: each look is in the company's ledger, with name and purpose, also at a list.
    let looks = records(&company, "tenant_data.viewed");
    assert_eq!(looks.len(), all.iter().filter(|(_, class)| *class == "internal").count());
    assert!(looks.iter().all(|look| look["actor"]["kind"] == "operator" && look["actor"]["name"] == "Suzuki Ichiro"));
    let detail = company.get(&format!("/v1/events/{}", looks[0]["position"]));
    assert_eq!(detail["event"]["purpose"], "inquiry");
    assert_eq!(detail["event"]["grant"], asked.as_str());
    let shown = company.get(&format!("/v1/grants/{asked}"));
    assert_eq!((shown["status"].clone(), shown["seen"].as_array().map(Vec::len)), (json!("open"), Some(looks.len())));
    assert_eq!(shown["operator"]["name"], "Suzuki Ichiro");

    // Personal data, by a grant that says so; and of one thing only, where it says that.
    plane.opened(&company, &json!({ "classes": ["personal"] }));
    sweep("both", &|class| class != "privileged");
    let other = Company::sign_up(&plane.server, "one-thing");
    let (one, two) = (other.new_document(), other.new_document());
    let only = plane.opened(&other, &json!({ "object": one }));
    plane.look("suzuki", &other, &format!("documents/{one}")).expect(200);
    for path in ["documents".to_owned(), format!("documents/{two}"), "tenant".to_owned()] {
        refused(&plane.look("suzuki", &other, &path), "access.grant", 403);
    }
    // The company ends it: the next look is refused.
    let path = format!("/v1/grants/{only}");
    let end = Call::new("POST", &format!("{path}/end")).if_match(&other.etag(&path));
    other.ok_logged_in(end.json(&json!({ "reason": "Enough" })));
    refused(&plane.look("suzuki", &other, &format!("documents/{one}")), "access.grant", 403);
    report!("operators refusals={refusals} let_in_without_a_grant=0");
}

/// ML-48, FM-13: after its time a grant opens nothing; both ends are in the trail; somebody else signs it off.
#[test]
fn ml_48_a_grant_ends_by_its_time_and_is_signed_off_by_somebody_else() {
    let mut plane = Plane::new();
    let mut company = Company::sign_up(&plane.server, "in-time");
    let grant = plane.opened(&company, &json!({ "hours": 1, "purpose": "bug" }));
    plane.look("suzuki", &company, "documents").expect(200);
    assert_eq!(plane.shown(&plane.operator("takahashi"))["unreviewed"], json!([]));
    refused(&plane.act("takahashi", &company, &grant, "review", &json!({})), "grant.not_over", 409);

    plane.server.kill();
    plane.server = Server::serve_at("+61m", &plane.deployment.data());
    company = company.at(&plane.server);
    refused(&plane.look("suzuki", &company, "documents"), "access.grant", 403);
    assert_eq!(company.get(&format!("/v1/grants/{grant}"))["status"], "expired");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(40);
    while company.get("/v1/events?kind=grant.expired")["items"] == json!([]) {
        assert!(std::time::Instant::now() < deadline, "the end is not written down");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert_eq!(records(&company, "grant.opened").len(), 1);

    let shown = plane.shown(&plane.operator("takahashi"));
    assert_eq!(shown["unreviewed"], json!([grant]), "FM-13: listed until somebody signs it off");
    assert_eq!((shown["purposes"]["bug"].clone(), shown["purposes"]["campaign"].clone()), (json!(1), json!(0)));
    assert_eq!(shown["purposes"].as_object().map(serde_json::Map::len), Some(10), "FM-17");
    let figures = plane.stranger().get("/metrics").expect(200).text();
    assert!(figures.contains("keiin_operator_reviews_due 1"), "{figures}");
    refused(&plane.act("suzuki", &company, &grant, "review", &json!({})), "grant.own_review", 403);
    plane.act("takahashi", &company, &grant, "review", &json!({ "note": "One look, at the list" })).expect(200);
    assert_eq!(plane.shown(&plane.operator("suzuki"))["unreviewed"], json!([]));
    assert_eq!(records(&company, "grant.reviewed").len(), 1);
    assert_eq!(company.get("/v1/support")["purposes"], json!({ "bug": 1 }));
}

/// ML-49, FM-17: two people of the company for what is privileged; a purpose always; told instead of asked where it wants that.
#[test]
fn ml_49_what_is_privileged_takes_two_of_the_companys_people() {
    let plane = Plane::new();
    let company = Company::sign_up(&plane.server, "two-keys");
    let grant = plane.approved(&company, &json!({ "classes": ["privileged"] }));
    plane.open(&company, &grant).expect(200);
    assert_eq!(company.get(&format!("/v1/grants/{grant}"))["status"], "approved");
    refused(&plane.open(&company, &grant), "grant.second_person", 403);
    let (_, admin) = company.new_member("admin");
    let path = format!("/v1/grants/{grant}");
    let open = Call::new("POST", &format!("{path}/open")).if_match(&company.etag(&path)).json(&json!({}));
    company.client.send(&admin.on(open)).expect(200);
    assert_eq!(company.get(&path)["status"], "open");
    // It opens what is privileged, and that alone.
    refused(&plane.look("suzuki", &company, "documents"), "access.grant", 403);

    // Access without a purpose is impossible; so is one that nobody named.
    for purpose in [json!(null), json!(""), json!("curiosity")] {
        assert_eq!(plane.ask("suzuki", &company, &json!({ "purpose": purpose })).status, 400, "{purpose}");
    }
    for (field, value, code) in [
        ("hours", json!(0), "grant.bad_hours"),
        ("hours", json!(73), "grant.bad_hours"),
        ("classes", json!([]), "grant.no_classes"),
        ("reason", json!(" "), "text.required"),
        ("company", json!("nobody"), "grant.no_company"),
    ] {
        let mut more = json!({});
        more[field] = value;
        refused(&plane.ask("suzuki", &company, &more), code, 422);
    }
    // Told instead of asked; every page says so.
    let told = Call::new("POST", "/v1/support").json(&json!({ "told_at_once": true }));
    company.client.send(&company.login.on(told)).expect(200);
    let grant = plane.approved(&company, &json!({}));
    plane.look("suzuki", &company, "documents").expect(200);
    assert_eq!(company.get(&format!("/v1/grants/{grant}"))["status"], "open");
    let home = company.client.send(&company.login.on(Call::new("GET", "/?lang=en"))).expect(200).text();
    assert!(home.contains("support access concern you now"), "{home}");
}

/// FM-15, FM-16: screening, a second operator, management.
#[test]
fn fm_16_an_account_works_after_a_screening_and_a_second_operators_approval() {
    let plane = Plane::new();
    let company = Company::sign_up(&plane.server, "accounts");
    let (suzuki, takahashi) = (plane.operator("suzuki"), plane.operator("takahashi"));
    let certificate_sha256 = plane.issue("mori");
    let mori = plane.operator("mori");
    refused(&mori.get("/operator/v1/plane"), "access.certificate", 401);
    let body = json!({
        "name": "Mori Saburo", "email": "mori@example.jp", "kind": "management", "certificate_sha256": certificate_sha256,
    });
    let id = text(&suzuki.post("/operator/v1/operators", &body).expect(200).json(), "id");
    refused(&suzuki.post("/operator/v1/operators", &body), "operator.certificate_taken", 422);
    let at = |verb: &str| format!("/operator/v1/operators/{id}/{verb}");
    refused(&takahashi.post(&at("approve"), &json!({})), "operator.not_screened", 409);
    suzuki.post(&at("screen"), &json!({ "record": "Identity card, folder 14" })).expect(200);
    refused(&suzuki.post(&at("approve"), &json!({})), "operator.second_person", 403);
    refused(&mori.post(&at("approve"), &json!({})), "access.certificate", 401);
    takahashi.post(&at("approve"), &json!({})).expect(200);
    assert_eq!(plane.shown(&mori)["me"]["kind"], "management");
    // FM-15: management never, and sees no company.
    refused(&plane.ask("mori", &company, &json!({})), "grant.management_never", 403);
    refused(&plane.look("mori", &company, "documents"), "access.grant", 403);
    // MN-04: everybody else's accounts are reviewed.
    refused(&mori.post(&at("review"), &json!({})), "operator.own_account", 403);
    suzuki.post(&at("review"), &json!({})).expect(200);
    let listed = plane.shown(&suzuki)["operators"].as_array().expect("a list").len();
    assert_eq!(listed, 3);
    // MN-04: the list on the trust page, for anybody: what they do and when that was looked at; no names.
    let trust = company.client.get("/v1/trust").expect(200);
    let accounts = trust.json()["operators"]["accounts"].as_array().expect("a list").clone();
    let kinds: Vec<&Value> = accounts.iter().map(|account| &account["kind"]).collect();
    assert_eq!(kinds, ["support", "engineering", "management"]);
    assert!(accounts.iter().all(|account| account["review_due"] == false && account["since"].is_string()));
    assert!(!trust.text().contains("Suzuki"), "{}", trust.text());
    let page = company.client.get("/trust?lang=en").expect(200).text();
    assert_eq!(page.matches("Works since").count(), 3, "{page}");
    assert_eq!(company.get("/v1/support")["operators"], json!({ "engineering": 1, "management": 1, "support": 1 }));
    // A new certificate; the old one is worth nothing at once. Then the account goes, and with it everything.
    let fresh = plane.issue("mori-2");
    suzuki.post(&at("certificate"), &json!({ "certificate_sha256": fresh })).expect(200);
    refused(&mori.get("/operator/v1/plane"), "access.certificate", 401);
    // Suzuki could hold the new key, and would be two people: takahashi approves it.
    refused(&plane.operator("mori-2").get("/operator/v1/plane"), "access.certificate", 401);
    refused(&suzuki.post(&at("approve"), &json!({})), "operator.second_person", 403);
    takahashi.post(&at("approve"), &json!({})).expect(200);
    plane.operator("mori-2").get("/operator/v1/plane").expect(200);
    suzuki.post(&at("remove"), &json!({ "reason": "Left" })).expect(200);
    refused(&plane.operator("mori-2").get("/operator/v1/plane"), "access.certificate", 401);
}

/// RN-C50, FM-06, EL-42, MN-03, ML-27, MN-12: how operators come in, and where nobody does.
#[test]
fn rn_c50_operators_come_in_by_certificate_on_their_own_port_and_nowhere_else() {
    let plane = Plane::new();
    let company = Company::sign_up(&plane.server, "doors");
    let (suzuki, stranger, public) = (plane.operator("suzuki"), plane.stranger(), plane.server.client());
    let page = suzuki.get("/operator?lang=en").expect(200).text();
    assert!(page.contains("Suzuki Ichiro") && !page.contains("type=\"password\""), "{page}");
    assert!(suzuki.get("/operator?lang=ja").expect(200).text().contains("運営"));
    let routes = [
        "/operator",
        "/operator/v1/plane",
        "/operator/v1/companies/doors/documents",
        "/operator/v1/grants",
        "/operator/v1/operators",
        "/operator/do/grants",
    ];
    // Nobody without a certificate, whatever else they show; the company's own logins are nobody there.
    for path in routes {
        let post = path.ends_with("grants") || path.ends_with("operators");
        let call = if post { Call::new("POST", path).json(&json!({})) } else { Call::new("GET", path) };
        refused_door(&stranger.send(&call));
        refused_door(&stranger.send(&company.login.on(call.clone())));
        refused_door(&stranger.send(&company.token.on(call.clone())));
        refused_door(&stranger.send(&call.clone().header("Authorization", "Basic c3V6dWtpOnBhc3N3b3Jk")));
        // The customers' port has no such route, with or without a certificate.
        let there = public.send(&company.login.on(call));
        assert_eq!(there.status, 404, "{path}: {}", there.text());
    }
    for path in ["/login", "/v1/sessions", "/signup", "/v1/sign_ups", "/", "/members"] {
        assert_eq!(suzuki.get(path).status, 404, "{path} is not on the operators' port");
    }
    refused(
        &suzuki.post("/v1/sessions", &json!({ "email": "a@b.example", "password": "x" })),
        "request.not_found",
        404,
    );
    // Other sites cannot make a browser that holds a certificate do things.
    let forged = Call::new("POST", "/operator/do/grants").header("Sec-Fetch-Site", "cross-site");
    let forged = suzuki.send(&forged.bytes("application/x-www-form-urlencoded", "company=doors"));
    assert_eq!(forged.status, 403, "{}", forged.text());
    // A certificate of another authority is refused before anything is read.
    let other = keiin_tests::authority::Authority::new();
    let [certificate, key] = other.issue("suzuki", keiin_tests::authority::Kind::Ecdsa, 2100);
    let read = |path: &std::path::Path| std::fs::read(path).expect("it was made");
    let url = plane.server.printed["admin_url"].as_str().expect("serve prints it");
    let forged = keiin_tests::Client::showing(url, &read(&plane.file("ca.pem")), &read(&certificate), &read(&key));
    assert!(forged.try_send(&Call::new("GET", "/operator/v1/plane")).map_or(true, |answer| answer.status >= 400));
    // One's own certificate that belongs to no account.
    plane.issue("nobody");
    refused_door(&plane.operator("nobody").get("/operator/v1/plane"));
    for path in ["/rebuild", "/scrub"] {
        refused_door(&stranger.post(path, &json!({})));
        suzuki.post(path, &json!({})).expect(200);
    }
    assert!(stranger.get("/metrics").expect(200).text().contains("keiin_"));

    // ML-27, MN-12: what listens is what was configured.
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let configured = BTreeSet::from([port(&plane.server.url), port(url)]);
    assert_eq!(listening(plane.server.pid()), configured);
}

#[track_caller]
fn refused_door(answer: &keiin_tests::Answer) {
    assert_eq!(answer.status, 401, "{}: {}", answer.asked, answer.text());
}

/// The TCP ports on which a process listens, as `ss -ltn` shows them.
fn listening(pid: u32) -> BTreeSet<u16> {
    let out = std::process::Command::new("ss").args(["-H", "-l", "-t", "-n", "-p"]).output();
    let out = String::from_utf8(out.expect("ss runs (apt-get install iproute2)").stdout).expect("text");
    let mine = format!("pid={pid},");
    let lines = out.lines().filter(|line| line.contains(&mine));
    lines.filter_map(|line| line.split_whitespace().nth(3)?.rsplit(':').next()?.parse().ok()).collect()
}

/// MN-03: other addresses are not answered.
#[test]
fn mn_03_the_operators_port_answers_the_networks_that_are_named() {
    let plane = Plane::with("networks = [\"192.0.2.0/24\"]");
    for path in ["/operator", "/operator/v1/plane", "/metrics", "/scrub"] {
        assert_eq!(plane.operator("suzuki").get(path).status, 403, "{path}");
    }
    plane.stranger().get("/livez").expect(200);
}

/// The operations that the other sweeps leave out, sent by everybody (EL-05, guard).
#[test]
fn what_needs_a_grant_is_guarded_like_everything_else() {
    let plane = Plane::new();
    let company = Company::sign_up(&plane.server, "guarded");
    let other = Company::sign_up(&plane.server, "stranger");
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    let swept: Vec<_> =
        all_operations(&document).into_iter().filter(|o| WITH_OPERATORS.contains(&o.name.as_str())).collect();
    assert_eq!(swept.len(), WITH_OPERATORS.len());
    let roles = ["admin", "member", "viewer", "accountant", "receptionist", "auditor"];
    let people = roles.map(|role| (role, company.new_member(role).1));
    let stranger = other.new_member("admin").1;
    let kiosk = company.new_kiosk().1;
    let mut tried = 0;
    for operation in swept {
        let grant = plane.approved(&company, &json!({}));
        let path = format!("/v1/grants/{grant}");
        let etag = company.etag(&path);
        let call = |id: &str| {
            let call = Call::new(&operation.method, &operation.path.replace("{id}", id)).if_match(&etag);
            if operation.method == "GET" { call } else { call.json(&json!({})) }
        };
        refused(&company.client.send(&call(&grant)), "access.unauthenticated", 401);
        refused(&company.client.send(&kiosk.on(call(&grant))), "access.forbidden", 403);
        refused(&company.client.send(&stranger.on(call(&grant))), "request.not_found", 404);
        refused(&company.client.send(&company.login.on(call(&company.owner))), "request.not_found", 404);
        // The page: for the company, and nobody else's.
        let page = Call::new("GET", &format!("/grants/{grant}"));
        let own = company.client.send(&company.login.on(page.clone())).expect(200).text();
        assert!(own.contains(&format!("A question of {}", company.slug)), "{own}");
        let theirs = company.client.send(&stranger.on(page)).expect(404).text();
        assert!(!theirs.contains(&company.slug), "{theirs}");
        if operation.method != "GET" {
            let bad = call(&grant).json(&json!({ "unknown": 1 }));
            assert_eq!(company.client.send(&company.login.on(bad)).status, 400, "{}", operation.name);
            let unread = Call::new("POST", &operation.path.replace("{id}", &grant)).json(&json!({}));
            refused(&company.client.send(&company.login.on(unread)), "request.version_required", 428);
        }
        for (role, login) in &people {
            let may = *role == "admin" || *role == "auditor" && operation.method == "GET";
            if !may {
                refused(&company.client.send(&login.on(call(&grant))), "access.forbidden", 403);
            }
            tried += 1;
        }
        let answer = company.client.send(&people[0].1.on(call(&grant)));
        assert_eq!(answer.status, operation.status, "{}: {}", operation.name, answer.text());
    }
    report!("operators guarded={tried}");
}
