//! Sending orders, over HTTP: one order goes to several recipients by link, into an inbox and by post (ML-32, ML-35, ML-38);
//! it is looked at, approved, released, cancelled; and it goes on where a server died.

use std::time::{Duration, Instant};

use keiin_tests::attachments::{content_type, form};
use keiin_tests::company::text;
use keiin_tests::{Answer, Call, Company, Credential, Deployment};
use serde_json::{Value, json};

/// A client with a postal address, and so many invoices for it that are printed.
fn invoices(company: &Company, count: usize) -> (String, Vec<String>) {
    let mut client = company.address_body();
    client["name"] = json!("株式会社山田商事");
    let client = text(&company.ok(Call::new("POST", "/v1/clients").json(&client)), "id");
    let invoice = |_| {
        let draft = text(&company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client))), "id");
        text(&company.printed(&company.issue(&draft)), "id")
    };
    let invoices = (0..count).map(invoice).collect();
    (client, invoices)
}

fn place(company: &Company, who: &Credential, body: &Value) -> Answer {
    let key = format!("order {}", company.next());
    company.client.send(&who.on(Call::new("POST", "/v1/sending-orders").key(&key).json(body)))
}

fn path(id: &str) -> String {
    format!("/v1/sending-orders/{id}")
}

fn tell(company: &Company, who: &Credential, id: &str, verb: &str, body: &Value) -> Answer {
    let call = Call::new("POST", &format!("{}/{verb}", path(id))).if_match(&company.etag(&path(id)));
    company.client.send(&who.on(call.json(body)))
}

#[track_caller]
fn refused(answer: Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
}

/// The order, once it is so far.
fn wait(company: &Company, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let order = company.get(&path(id));
        if is_so(&order) {
            return order;
        }
        assert!(Instant::now() < deadline, "{order}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The order, once everybody's turn came.
fn finished(company: &Company, id: &str) -> Value {
    wait(company, id, |order| order["status"] == "finished")
}

fn column(order: &Value, name: &str) -> Vec<String> {
    let recipients = order["recipients"].as_array().expect("recipients").iter();
    recipients.map(|one| one[name].as_str().unwrap_or_default().to_owned()).collect()
}

fn kinds(company: &Company, object: &str) -> Vec<String> {
    let events = company.get(&format!("/v1/events?object={object}&limit=50"));
    let kinds = events["items"].as_array().expect("items").iter().rev().map(|event| text(event, "kind"));
    // That somebody looked at the recipients is an event, too.
    kinds.filter(|kind| kind != "data.viewed").collect()
}

#[test]
fn one_order_reaches_everybody_by_their_way() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let (client, invoices) = invoices(&company, 2);
    let (inbox, _) = company.new_recipient();
    let body = json!({
        "document_ids": invoices, "client_id": client, "message": "11月分です。", "view_limit": 3,
        "by_mail": [
            { "to_name": "吉田 一郎", "to_email": "yoshida@client.example", "passcode": "4711" },
            { "to_name": "受信箱の方", "to_email": inbox },
        ],
        "by_post": [{ "department": "経理部" }, { "to": company.address_body(), "service": "letter_pack_light" }],
    });
    let id = text(&place(&company, &company.login, &body).expect(201).json(), "id");
    let order = company.get(&path(&id));
    assert_eq!((&order["status"], &order["waiting"]), (&json!("ready"), &json!(4)));
    assert_eq!(column(&order, "channel"), ["secure_link", "inbox", "post", "post"]);
    assert_eq!(column(&order, "status"), ["waiting"; 4]);
    // The preview: what the mail will say, to whom the envelope goes; and nothing has gone out.
    let mail = &order["recipients"][0]["mail"];
    assert!(text(mail, "body").contains("11月分です。") && text(mail, "body").contains("吉田 一郎"), "{mail}");
    assert!(text(&order["recipients"][2], "address").ends_with("虎ノ門2-2-5 経理部"), "{order}");
    assert_eq!(company.get("/v1/deliveries")["items"].as_array().map(Vec::len), Some(1), "but the account's own");
    assert_eq!(company.get("/v1/postal-items")["items"], json!([]));

    tell(&company, &company.login, &id, "release", &json!({})).expect(200);
    let order = finished(&company, &id);
    assert_eq!((&order["handed_over"], &order["failed"]), (&json!(4), &json!(0)), "{order}");
    assert_eq!(column(&order, "channel"), ["secure_link", "inbox", "post", "post"]);
    let states = column(&order, "status");
    assert_eq!(states[1..], ["delivered", "queued", "queued"]);
    let link = company.get(&format!("/v1/deliveries/{}", text(&order["recipients"][0], "delivery_id")));
    let numbers: Vec<&Value> = link["documents"].as_array().expect("documents").iter().map(|d| &d["id"]).collect();
    assert_eq!(json!(numbers), json!(invoices));
    assert_eq!(
        (&link["has_passcode"], &link["view_limit"], &link["message"]),
        (&json!(true), &json!(3), &json!("11月分です。"))
    );
    let item = company.get(&format!("/v1/postal-items/{}", text(&order["recipients"][2], "postal_item_id")));
    assert_eq!((&item["to"]["department"], &item["message"]), (&json!("経理部"), &json!("11月分です。")));
    // What the sender did and what the server did for them are told apart, and both name the order.
    let mut expected = vec!["sending_order.placed", "sending_order.released"];
    expected.extend(["sending_order.handed_over"; 4]);
    assert_eq!(kinds(&company, &id), expected);
    refused(tell(&company, &company.login, &id, "cancel", &json!({})), 409, "sending_order.handed_over");
}

/// The console's form, as a browser without a script sends it.
#[test]
fn the_form_ticks_people_takes_another_address_and_says_what_the_postage_is() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "form");
    let people = json!([
        { "name": "吉田 一郎", "email": "yoshida@client.example" }, { "email": "keiri@client.example" },
        { "name": "電話 のみ", "phone": "03-1234-5678" },
    ]);
    let body = json!({
        "name": "株式会社みなと商事", "honorific": "onchu", "contacts": people,
        "postal_code": "105-8445", "region": "東京都", "locality": "港区", "street_address": "虎ノ門2-2-5",
    });
    let client = text(&company.ok(Call::new("POST", "/v1/clients").json(&body)), "id");
    let draft = company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client)));
    let invoice = company.issue(&text(&draft, "id"));
    company.printed(&invoice);
    let contacts = company.get(&format!("/v1/clients/{client}"))["contacts"].clone();
    let contact = |n: usize| text(&contacts[n], "id");
    let send = |fields: &[(&str, &str)]| {
        let call = Call::new("POST", &format!("/clients/{client}/send")).bytes(&content_type(), form(fields, &[]));
        company.client.send(&company.login.on(call))
    };
    let look = |fields: &[(&str, &str)]| send(&[fields, &[("_key", "look"), ("_do", "look")]].concat());
    let first = contact(0);
    let passcode = format!("_passcode.{first}");
    let mut fields = vec![
        ("document_ids.0", invoice.as_str()),
        ("_person", first.as_str()),
        (passcode.as_str(), "4711"),
        ("by_mail.1.to_name", "Somebody else"),
        ("by_mail.1.to_email", "else@client.example"),
        ("by_post.0.service", "letter"),
        ("by_post.0.extras.1", "simple_registered"),
        ("by_post.0.attention", "Ichiro"),
        ("by_post.0.to.name", "Branch"),
        ("by_post.0.to.postal_code", "1000001"),
        ("by_post.0.to.street_address", "1-1"),
        ("expires_in_days:int", "7"),
    ];
    let page = company.client.send(&company.login.on(Call::new("GET", &format!("/clients/{client}/send"))));
    let page = page.expect(200).text();
    assert!(page.contains("yoshida@client.example") && page.contains("keiri@client.example"), "{page}");
    assert!(!page.contains("電話 のみ"), "nobody without an address");

    // 定形 and 簡易書留; everything that was typed is still there, and nothing was ordered.
    let looked = look(&fields).expect(200).text();
    assert!(looked.contains("¥460") && looked.contains("Branch") && looked.contains("4711"), "{looked}");
    assert_eq!(company.get("/v1/sending-orders")["items"], json!([]));
    let mut both = fields.clone();
    both.push(("by_post.0.extras.2", "specific_record"));
    assert!(look(&both).expect(422).text().contains("by_post.0.extras"), "it says where");
    assert_eq!(send(&fields).status, 400, "the form's key is missing");
    let stranger = [&fields[..], &[("_person", &*invoice)]].concat();
    assert_eq!(look(&stranger).status, 404);
    // Without a service the part about post holds nothing.
    let without: Vec<_> = fields.iter().copied().filter(|(name, _)| *name != "by_post.0.service").collect();
    assert!(!look(&without).expect(200).text().contains("¥460"));

    fields.push(("_key", "form-1"));
    let placed = send(&fields);
    assert_eq!(placed.status, 303, "{}", placed.text());
    assert_eq!(send(&fields).header("location"), placed.header("location"), "pressed twice");
    let all = company.get("/v1/sending-orders");
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1), "{all}");
    let order = company.get(&path(&text(&all["items"][0], "id")));
    let names: Vec<&Value> =
        order["recipients"].as_array().expect("a list").iter().map(|to| &to["to"]["name"]).collect();
    assert_eq!(names, ["Somebody else", "吉田 一郎", "Branch"]);
    assert_eq!(order["recipients"][1]["to"]["email"], "yoshida@client.example");
}

#[test]
fn a_second_person_lets_it_go_out_or_not() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let (_, invoices) = invoices(&company, 1);
    let (_, member) = company.new_member("member");
    let body = json!({
        "document_ids": invoices, "asks_approval": true,
        "by_mail": [{ "to_name": "吉田 一郎", "to_email": "yoshida@client.example" }],
    });
    let place = |who| text(&place(&company, who, &body).expect(201).json(), "id");
    let id = place(&member);
    assert_eq!(company.get(&path(&id))["status"], "asked");
    refused(tell(&company, &member, &id, "release", &json!({})), 409, "sending_order.not_approved");
    refused(tell(&company, &member, &id, "approve", &json!({})), 403, "access.forbidden");
    tell(&company, &company.login, &id, "approve", &json!({})).expect(200);
    tell(&company, &member, &id, "release", &json!({})).expect(200);
    assert_eq!(finished(&company, &id)["handed_over"], 1);
    // Who may approve does not approve their own.
    let own = place(&company.login);
    refused(tell(&company, &company.login, &own, "approve", &json!({})), 403, "sending_order.own_approval");
    tell(&company, &company.login, &own, "cancel", &json!({ "reason": "やめた" })).expect(200);
    let no = place(&member);
    refused(tell(&company, &company.login, &no, "reject", &json!({})), 400, "request.bad_field");
    tell(&company, &company.login, &no, "reject", &json!({ "reason": "宛先が違います" })).expect(200);
    let rejected = company.get(&path(&no));
    assert_eq!((&rejected["status"], &rejected["reason"]), (&json!("rejected"), &json!("宛先が違います")));
    for gone in [&own, &no] {
        refused(tell(&company, &member, gone, "release", &json!({})), 409, "sending_order.wrong_state");
    }
    assert_eq!(company.get("/v1/deliveries")["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_refused_is_told_and_stops_nobody() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "minato");
    let (client, invoices) = invoices(&company, 2);
    let to = |n: usize| json!({ "to_name": "吉田 一郎", "to_email": format!("yoshida{n}@client.example") });
    let body = |documents: &[String]| json!({ "document_ids": documents, "by_mail": [to(0), to(1)] });
    // Everything wrong is said before anything is kept.
    let mut bad = body(&invoices);
    bad["by_mail"][1]["to_email"] = json!("yoshida");
    let answer = place(&company, &company.login, &bad);
    assert_eq!(answer.json()["errors"][0]["pointer"], "/by_mail/1/to_email", "{}", answer.text());
    refused(answer, 422, "delivery.bad_email");
    let draft = text(&company.ok(Call::new("POST", "/v1/documents").json(&company.draft_body(&client))), "id");
    let with_draft = body(&[invoices[0].clone(), draft]);
    refused(place(&company, &company.login, &with_draft), 409, "delivery.not_issued");
    // Corrected between the order and its release: nothing goes out but what was looked at.
    let id = text(&place(&company, &company.login, &body(&invoices[..1])).expect(201).json(), "id");
    let document = format!("/v1/documents/{}", invoices[0]);
    let cancel = Call::new("POST", &format!("{document}/cancel")).if_match(&company.etag(&document));
    company.ok(cancel.json(&json!({ "reason": "二重" })));
    tell(&company, &company.login, &id, "release", &json!({})).expect(200);
    let order = finished(&company, &id);
    assert_eq!((&order["failed"], column(&order, "code")), (&json!(2), vec!["delivery.not_issued".to_owned(); 2]));
    assert_eq!(company.get("/v1/deliveries")["items"], json!([]));
}

#[test]
fn a_server_that_dies_in_the_middle_sends_nothing_twice() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut company = Company::sign_up(&server, "minato");
    let (client, invoices) = invoices(&company, 1);
    let by_mail: Vec<Value> = (0..48)
        .map(|n| json!({ "to_name": format!("宛先 {n}"), "to_email": format!("to{n}@client.example") }))
        .collect();
    let body = json!({ "document_ids": invoices, "client_id": client, "by_mail": by_mail, "by_post": [{}, {}] });
    let id = text(&place(&company, &company.login, &body).expect(201).json(), "id");
    tell(&company, &company.login, &id, "release", &json!({})).expect(200);
    let begun = wait(&company, &id, |order| order["handed_over"].as_u64() > Some(2));
    server.kill();
    server = deployment.serve();
    company = company.at(&server);
    let order = finished(&company, &id);
    assert_eq!((&order["handed_over"], &order["failed"]), (&json!(50), &json!(0)));
    let sent = company.get("/v1/deliveries?limit=200");
    let mut to: Vec<String> =
        sent["items"].as_array().expect("items").iter().map(|one| text(&one["to"], "email")).collect();
    to.sort();
    let all = to.len();
    to.dedup();
    assert_eq!((all, to.len()), (48, 48));
    assert_eq!(company.get("/v1/postal-items")["items"].as_array().map(Vec::len), Some(2));
    keiin_tests::report!("sending_order recipients=50 before_the_kill={}", begun["handed_over"]);
}
