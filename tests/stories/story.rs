//! A company's first day, from the sign-up to the auditor: everything that people do is in the ledger, in order, under
//! their names, and whoever holds the export can check it without us.

use keiin_tests::company::{PASSWORD, cookie, lines, text, verify};
use keiin_tests::{Call, Company, Credential, Deployment, keiin};
use serde_json::{Value, json};

/// Kinds of the events of a list, oldest first, without the server's own.
fn kinds(events: &Value) -> Vec<String> {
    let items = events["items"].as_array().expect("a list");
    let caused = items.iter().filter(|event| event["actor"]["kind"] != "system");
    caused.map(|event| text(event, "kind")).rev().collect()
}

#[test]
fn a_companys_first_day() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");

    // A colleague is invited, joins by the link in the mail and logs in.
    let (colleague, invitation) = company.invite("accountant");
    company.client.get(&format!("/invite/{invitation}")).expect(200);
    let accept = json!({ "name": "Takahashi", "password": PASSWORD });
    let joined = company.client.post(&format!("/v1/invitations/{invitation}/accept"), &accept).expect(200).json();
    assert_eq!((text(&joined, "id"), text(&joined, "status")), (colleague.clone(), "active".into()));
    let email = text(&company.get(&format!("/v1/members/{colleague}")), "email");
    let login =
        cookie(&company.client.post("/v1/sessions", &json!({ "email": email, "password": PASSWORD })).expect(201));
    let send = |call: Call| {
        let answer = company.client.send(&login.on(call));
        assert!(answer.status < 300, "{}: {}", answer.asked, answer.text());
        answer
    };

    // They draft an invoice, issue it and send it; the customer opens the link.
    let client = text(
        &send(Call::new("POST", "/v1/clients").json(&json!({ "name": "Kawasaki KK", "honorific": "onchu" }))).json(),
        "id",
    );
    let mut two_rates = lines();
    two_rates.as_array_mut().expect("lines").push(json!({
        "description": "Tea", "quantity": "3", "unit_price": "333", "tax_rate": "8",
    }));
    let draft = json!({
        "document_type": "invoice", "client_id": client, "title": "November", "date": "2026-11-20",
        "date_due": "2026-12-31", "lines": two_rates,
    });
    let drafted = send(Call::new("POST", "/v1/documents").json(&draft));
    let document = text(&drafted.json(), "id");
    assert_eq!(drafted.header("location"), Some(format!("/v1/documents/{document}").as_str()));
    let path = format!("/v1/documents/{document}");
    let issued = send(Call::new("POST", &format!("{path}/issue")).if_match(drafted.etag())).json();
    // ¥1,000 at 10 % and ¥999 at 8 %: 100 and 79 of tax, each rate rounded down once.
    assert_eq!(issued["totals"]["total"], json!({ "amount": 2178, "currency": "JPY" }));
    assert!(text(&issued, "number").starts_with("INV-") && issued["status"] == "issued", "{issued}");
    let delivery = json!({ "document_ids": [document], "to_name": "Kawasaki", "to_email": "kawasaki@client.example" });
    let delivery = text(&send(Call::new("POST", "/v1/deliveries").key("send").json(&delivery)).json(), "id");
    let link = company.mailed_link(&delivery);
    let page = link.strip_prefix(&server.url).expect("links lead to this server");
    let landing = company.client.get(page).expect(200).text();
    assert!(!landing.contains("November"), "the landing page shows the document");
    let opened = company.client.send(&Call::new("POST", page).bytes("application/x-www-form-urlencoded", ""));
    assert!(opened.expect(200).text().contains("2,178"));
    assert_eq!(company.get(&format!("/v1/deliveries/{delivery}"))["views"], 1);
    let etag = company.etag(&path);
    let amount = json!({ "amount": { "amount": 2178, "currency": "JPY" }, "date": "2026-12-01" });
    let paid = send(Call::new("POST", &format!("{path}/payments")).key("pay").if_match(&etag).json(&amount)).json();
    assert_eq!(paid["status"], "paid");

    // A visitor comes with the pass from the mail, and leaves.
    let (visit, pass) = company.new_visit();
    company.client.get(&format!("/pass/{pass}")).expect(200);
    let kiosk = company.new_kiosk().1;
    for verb in ["check_in", "check_out"] {
        let call = Call::new("POST", &format!("/v1/kiosk/{verb}")).json(&json!({ "code": pass }));
        company.client.send(&kiosk.on(call)).expect(200);
    }
    assert_eq!(company.get(&format!("/v1/visits/{visit}"))["status"], "left");

    // The trail of each: what happened, who did it, before and after.
    let trail = |object: &str| company.get(&format!("/v1/events?object={object}&limit=200"));
    company.printed(&document);
    let of_document = trail(&document);
    assert_eq!(kinds(&of_document), ["document.drafted", "document.issued", "document.payment_recorded"]);
    for event in of_document["items"].as_array().expect("a list") {
        // What nobody did by hand is the printing.
        let is_printing = event["actor"]["kind"] == "system" && event["kind"] == "document.rendered";
        assert!(is_printing || event["actor"]["id"] == json!(colleague), "{event}");
    }
    let of_visit = company.get(&format!("/v1/events?object={visit}&kind=visit"));
    assert_eq!(kinds(&of_visit), ["visit.registered", "visit.checked_in", "visit.checked_out"]);
    let csv = company.send(Call::new("GET", &format!("/v1/events.csv?object={document}"))).expect(200).text();
    assert_eq!(csv.trim_start_matches('\u{feff}').trim().lines().count(), 5, "{csv}");

    // The auditor gets the file and the key, and needs neither us nor an account.
    company.settle();
    company.checkpoint();
    let file = deployment.export("minato", "ledger.keiin", &[]);
    let report = verify(&file, &company.key());
    assert_eq!(report["events"], report["size"]);
    let forged = deployment.folder().join("forged.keiin");
    let arg = |path: &std::path::Path| path.to_str().expect("temporary paths are text").to_owned();
    keiin(&["demo-tamper", &arg(&file), "--out", &arg(&forged), "--position", "9"]).expect(0);
    let refuted = keiin(&["verify", &arg(&forged), "--key", &company.key(), "--format", "json"]).expect(1).json();
    assert_eq!((&refuted["verdict"], &refuted["first_bad_position"]), (&json!("refuted"), &json!(9)), "{refuted}");
}

/// What was shown once is there after a restart; reads of the same thing by two versions do not mix.
#[test]
fn a_restart_changes_nothing_and_an_old_version_changes_nothing() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "restart");
    let client = company.new_client();
    let path = format!("/v1/clients/{client}");
    let before = company.get(&path);
    let etag = company.etag(&path);
    assert_eq!(server.stop(), 0);
    let server = deployment.serve();
    let company = company.at(&server);
    assert_eq!(company.get(&path), before);
    let change = |name: &str| Call::new("PUT", &path).json(&json!({ "name": name, "honorific": "onchu" }));
    assert_eq!(company.send(change("No version")).expect(428).code(), "request.version_required");
    company.send(change("Right version").if_match(&etag)).expect(200);
    assert_eq!(company.send(change("Old version").if_match(&etag)).expect(412).code(), "request.version_mismatch");
    assert_eq!(company.get(&path)["name"], "Right version");

    // Of eight who change the same version at once, one does.
    let etag = company.etag(&path);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let Credential::Bearer(token) = &company.token else { unreachable!("a token is a bearer's") };
        let client = company.client.with_token(token);
        let sent: Vec<_> = (0..8)
            .map(|n| {
                let (client, call) = (client.clone(), change(&format!("Writer {n}")).if_match(&etag));
                scope.spawn(move || client.send(&call).status)
            })
            .collect();
        sent.into_iter().map(|sent| sent.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409 | 412)), "{statuses:?}");
}
