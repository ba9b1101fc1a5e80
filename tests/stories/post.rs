//! Documents by post, over HTTP: ML-32 (order, print, hand over), ML-33 (the clerk sees it until then), ML-34 (each look is an
//! event). The journey in a browser is `browser_post.rs`.

use keiin_tests::canary::{assert_absent, assert_present};
use keiin_tests::company::text;
use keiin_tests::{Answer, Call, Company, Credential, Deployment, keiin, poppler};
use serde_json::{Value, json};

/// A client with a postal address, and an invoice for it that is printed.
fn invoice(company: &Company) -> (String, String) {
    let client = json!({
        "name": "株式会社山田商事", "honorific": "onchu", "postal_code": "105-8445", "region": "東京都",
        "locality": "港区", "street_address": "虎ノ門2-2-5",
    });
    let client = text(&company.ok(Call::new("POST", "/v1/clients").json(&client)), "id");
    let draft = text(&company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client))), "id");
    (client, text(&company.printed(&company.issue(&draft)), "id"))
}

fn order(company: &Company, body: &Value) -> Answer {
    let key = format!("order {}", company.next());
    company.send(Call::new("POST", "/v1/postal-items").key(&key).json(body))
}

fn path(id: &str) -> String {
    format!("/v1/postal-items/{id}")
}

/// A command on an item, by somebody.
fn tell(company: &Company, who: &Credential, id: &str, verb: &str, body: &Value) -> Answer {
    let call = Call::new("POST", &format!("{}/{verb}", path(id))).if_match(&company.etag(&path(id)));
    company.client.send(&who.on(call.json(body)))
}

fn get(company: &Company, who: &Credential, path: &str) -> Answer {
    company.client.send(&who.on(Call::new("GET", path)))
}

/// Purposes of the looks at something, the oldest first.
fn looks(company: &Company, object: &str) -> Vec<String> {
    let events = company.get(&format!("/v1/events?object={object}&kind=postal_item.accessed"));
    let found = events["items"].as_array().expect("items").iter();
    let purpose = |event: &Value| {
        let record = company.get(&format!("/v1/events/{}", event["position"]));
        text(&record["event"], "purpose")
    };
    found.rev().map(purpose).collect()
}

#[test]
fn ml_32_to_34_an_order_from_the_queue_to_the_post_office_and_back() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "yubin");
    let (client, document) = invoice(&company);
    let (_, clerk) = company.new_member("postal_clerk");
    let (_, viewer) = company.new_member("viewer");
    let body = json!({ "document_ids": [document], "client_id": client, "department": "経理部", "message": "拝啓" });
    let item = order(&company, &body).expect(201).json();
    let id = text(&item, "id");
    assert_eq!((&item["status"], &item["sheets"], &item["weight_g"]), (&json!("queued"), &json!(2), &json!(15)));
    assert_eq!(item["postage"], json!({ "amount": 110, "currency": "JPY" }));
    assert_eq!(item["documents"][0]["sha256"], company.get(&format!("/v1/documents/{document}"))["pdf"]["sha256"]);

    // The clerk sees the queue and the item, but neither documents nor clients; somebody without the right sees nothing.
    let queue = get(&company, &clerk, "/v1/postal-items/queue").expect(200).json();
    assert_eq!((&queue["queued"], queue["items"][0].get("address")), (&json!(1), None));
    assert_eq!(get(&company, &clerk, &path(&id)).expect(200).json()["address"]["postal_code"], json!("1058445"));
    for hidden in
        [format!("/v1/documents/{document}"), format!("/v1/documents/{document}/pdf"), format!("/v1/clients/{client}")]
    {
        get(&company, &clerk, &hidden).expect(403);
    }
    for hidden in ["/v1/postal-items", "/v1/postal-items/queue", &path(&id), &format!("{}/pdf", path(&id))] {
        get(&company, &viewer, hidden).expect(403);
    }

    // The print job has the address where the window is, and the document as it was issued.
    let job = get(&company, &clerk, &format!("{}/pdf?purpose=print", path(&id))).expect(200);
    let printed = poppler::text(&job.body);
    for wanted in
        ["〒105-8445", "東京都港区虎ノ門2-2-5", "株式会社山田商事", "書類送付のご案内", "INV-2026-0001", "請求書"]
    {
        assert!(printed.contains(wanted), "{wanted} in {printed}");
    }
    let label = get(&company, &clerk, &format!("{}/label?layout=24&first=5", path(&id))).expect(200);
    assert!(poppler::text(&label.body).contains(&text(&item, "reference")));
    let all = json!({ "item_ids": [id] });
    let list = clerk.on(Call::new("POST", "/v1/postal-items/manifests").json(&all));
    assert!(poppler::text(&company.client.send(&list).expect(200).body).contains("郵便物差出票"));
    get(&company, &company.login, &format!("{}/pdf", path(&id))).expect(200);
    assert_eq!(looks(&company, &id), ["print", "label", "manifest", "preview"]);
    assert_eq!(looks(&company, &document), ["print", "preview"], "found by the document, too");

    assert_eq!(tell(&company, &clerk, &id, "dispatch", &json!({})).expect(409).code(), "postal_item.wrong_state");
    tell(&company, &clerk, &id, "print", &json!({ "with_label": true })).expect(200);
    let done = tell(&company, &clerk, &id, "dispatch", &json!({})).expect(200);
    assert_eq!(done.json()["status"], json!("dispatched"));
    assert!(!done.text().contains("山田商事") && !done.text().contains("1058445"), "{}", done.text());

    // ML-33: from here on it is out of the clerk's sight, and every try is written down.
    for hidden in [path(&id), format!("{}/pdf", path(&id)), format!("{}/label", path(&id))] {
        assert_eq!(get(&company, &clerk, &hidden).expect(403).code(), "postal_item.handed_over");
    }
    for many in ["print-jobs", "label-sheets", "manifests"] {
        let call = Call::new("POST", &format!("/v1/postal-items/{many}")).json(&all);
        assert_eq!(company.client.send(&clerk.on(call)).expect(403).code(), "postal_item.handed_over");
    }
    assert_eq!(get(&company, &clerk, "/v1/postal-items").expect(200).json()["items"], json!([]));
    let denied = company.get("/v1/events?kind=access.denied");
    assert!(!denied["items"].as_array().expect("items").is_empty(), "every try is written down");
    assert_eq!(company.get(&path(&id))["status"], json!("dispatched"), "who ordered it sees it");

    // The envelope comes back: the clerk finds it by what stands on it, and learns nothing else.
    let reference = text(&item, "reference");
    let found = get(&company, &clerk, &format!("/v1/postal-items/handed-over?code={}", reference.to_lowercase()));
    assert_eq!(found.expect(200).json()["items"][0]["id"], json!(id));
    let back = tell(&company, &clerk, &id, "return", &json!({ "reason": "moved" })).expect(200);
    assert!(!back.text().contains("山田"), "{}", back.text());
    let again = json!({ "to": company.address_body(), "attention": "鈴木 一郎" });
    let call = Call::new("POST", &format!("{}/requeue", path(&id))).key("again").if_match(&company.etag(&path(&id)));
    company.ok(call.json(&again));
    assert_eq!(get(&company, &clerk, &path(&id)).expect(200).json()["to"]["attention"], json!("鈴木 一郎"));

    // Another company's items are not there.
    let other = Company::sign_up(&server, "betsu");
    for nothing in [path(&id), format!("{}/pdf", path(&id)), format!("{}/label", path(&id))] {
        other.send(Call::new("GET", &nothing)).expect(404);
    }
}

#[test]
fn what_cannot_be_posted_says_what_to_do() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "fubi");
    let poor = company.new_client();
    let draft = text(&company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&poor))), "id");
    let body = json!({ "document_ids": [draft], "client_id": poor });
    let refused = order(&company, &body).expect(422);
    assert_eq!(refused.code(), "postal_item.no_address");
    assert_eq!(refused.json()["errors"][0]["pointer"], json!("/client_id"));
    let body = json!({ "document_ids": [draft], "to": company.address_body() });
    assert_eq!(order(&company, &body).expect(409).code(), "postal_item.not_issued");

    // A correction after the order: the old paper does not go out.
    let (client, document) = invoice(&company);
    let id =
        text(&order(&company, &json!({ "document_ids": [document], "client_id": client })).expect(201).json(), "id");
    let at = format!("/v1/documents/{document}");
    let correct = json!({ "lines": keiin_tests::company::lines(), "reason": "数量の誤り" });
    company.ok(Call::new("POST", &format!("{at}/correct")).json(&correct).if_match(&company.etag(&at)));
    let refused = tell(&company, &company.login, &id, "print", &json!({})).expect(409);
    assert_eq!(refused.code(), "postal_item.document_changed");
    tell(&company, &company.login, &id, "cancel", &json!({ "reason": "訂正" })).expect(200);

    // A name that the font lacks is said with its place.
    company.printed(&document);
    let mut to = company.address_body();
    to["name"] = json!("𠮷田商店");
    let id = text(&order(&company, &json!({ "document_ids": [document], "to": to })).expect(201).json(), "id");
    let refused = company.send(Call::new("GET", &format!("{}/label", path(&id)))).expect(422);
    assert_eq!(
        (refused.code().as_str(), &refused.json()["errors"][0]["pointer"]),
        ("document.unprintable", &json!("/items/0/name"))
    );
}

#[test]
fn an_erased_recipient_is_on_no_label_and_in_no_file() {
    const NAME: &str = "Postal Quincunx Abseil";
    const STREET: &str = "Hullabaloo Lane 4711";
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "kieru");
    let (_, document) = invoice(&company);
    let to = json!({ "name": NAME, "honorific": "sama", "postal_code": "1000001", "street_address": STREET });
    let id = text(&order(&company, &json!({ "document_ids": [document], "to": to })).expect(201).json(), "id");
    let position = company.get(&path(&id))["position"].clone();
    let subject = text(&company.get(&format!("/v1/events/{position}"))["event"]["recipient"], "subject");
    assert_eq!(server.stop(), 0);
    for canary in [NAME, STREET] {
        assert_present(&deployment.data(), canary);
    }
    let erase = ["erase-subject", "--data", deployment.data_arg(), "--tenant", "kieru", "--subject", &subject];
    keiin(&erase).expect(0);
    let server = deployment.serve();
    let company = company.at(&server);
    let shown = company.get(&path(&id));
    assert_eq!((&shown["to"], shown.get("address")), (&json!({ "erased": true }), None));
    let label = company.send(Call::new("GET", &format!("{}/label", path(&id)))).expect(200);
    assert!(poppler::text(&label.body).contains("宛先は消去されました"));
    assert_eq!(server.stop(), 0);
    for gone in [NAME, STREET] {
        assert_absent(&deployment.data(), gone, |_| false);
    }
}
