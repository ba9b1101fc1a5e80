//! What the queries answer, over ledgers whose every record was decided by the domain.

mod support;

use keiin_domain::attachment::ReceiveAttachment;
use keiin_domain::client::{ArchiveClient, ChangeClient, RegisterClient};
use keiin_domain::delivery::{OpenLink, RevokeLink, SendDocument};
use keiin_domain::document::{CancelDocument, CorrectDocument, DraftDocument, IssueDocument, RecordPayment};
use keiin_domain::kiosk::PairKiosk;
use keiin_domain::mail::RecordMail;
use keiin_domain::member::{ChangeRole, InviteMember};
use keiin_domain::paper::RecordRendering;
use keiin_domain::postal_item::QueuePostalItem;
use keiin_domain::role::Role;
use keiin_domain::sending_order::PlaceSendingOrder;
use keiin_domain::tenant::ChangeTenant;
use keiin_domain::token::IssueToken;
use keiin_domain::visit::{AnnounceVisitor, CancelVisit, ReceiveVisitor, RegisterVisit, ReleaseVisitor, WalkIn};
use keiin_projections::catalog::{VisitQueries, queries};
use keiin_projections::query::{Params, Query, Refusal};
use keiin_projections::{
    attachment, batch, client, delivery, document, event, grant, item, kiosk, mail, member, postal_item, reception,
    recurrence, sending_order, template, tenant, token, visit,
};
use serde_json::{Value, json};
use support::{HOUR, House, NINE, Person, ask, column};
use uuid::Uuid;

on_every_engine! {
    documents_with_what_is_derived
    deliveries_and_their_mails
    visits_over_a_day
    the_trail_tells_who_what_and_what_changed
    pages_give_each_item_once_while_new_ones_come
    companies_see_nothing_of_each_other
    nothing_there_is_no_error
}

const DAY: i64 = 24 * HOUR;

fn client(name: &str) -> Value {
    json!({ "name": name, "honorific": "onchu", "contacts": [{ "name": "鈴木 一郎", "email": "suzuki@client.example.jp" }] })
}

fn invoice(client: Uuid, title: &str, due: &str) -> Value {
    json!({ "document_type": "invoice", "client_id": client, "title": title, "date": "2026-11-02", "date_due": due,
        "lines": [{ "description": "設計", "quantity": "2", "unit_price": "1000", "tax_rate": "10" }] })
}

fn visit(host: Uuid, name: &str, starts: &str, ends: &str, email: &str) -> Value {
    json!({ "visitor_name": name, "visitor_email": email, "host_id": host, "location": "本社", "starts_at": starts, "ends_at": ends })
}

async fn qualified(house: &House, name: &str) -> Person {
    let owner = house.company(name).await;
    let tenant =
        json!({ "name": format!("株式会社{name}"), "registration_number": "T7000012050002", "address": "東京" });
    house.run::<ChangeTenant>(owner, Some(owner.ledger), tenant).await;
    owner
}

fn id(id: Uuid) -> String {
    id.to_string()
}

async fn documents_with_what_is_derived(house: House) {
    let runner = house.runner().await;
    let owner = qualified(&house, "minato").await;
    let buyer = house.run::<RegisterClient>(owner, None, client("山田商事")).await;
    let drafted = house.run::<DraftDocument>(owner, None, invoice(buyer, "下書き", "2026-11-30")).await;
    let paid = house.run::<DraftDocument>(owner, None, invoice(buyer, "払われた", "2026-11-05")).await;
    house.run::<IssueDocument>(owner, Some(paid), json!({})).await;
    house
        .run::<RecordPayment>(
            owner,
            Some(paid),
            json!({ "amount": { "amount": 2200, "currency": "JPY" }, "date": "2026-11-02" }),
        )
        .await;
    let late = house.run::<DraftDocument>(owner, None, invoice(buyer, "50%_引き", "2026-11-05")).await;
    house.run::<IssueDocument>(owner, Some(late), json!({})).await;
    let lines = json!([{ "description": "設計", "quantity": "3", "unit_price": "1000", "tax_rate": "10" }]);
    house.run::<CorrectDocument>(owner, Some(late), json!({ "lines": lines, "reason": "数量" })).await;
    let void = house.run::<DraftDocument>(owner, None, invoice(buyer, "取り消し", "2026-11-05")).await;
    house.run::<CancelDocument>(owner, Some(void), json!({ "reason": "重複" })).await;
    runner.catch_up().await.unwrap();

    let list = ask::<document::ListDocuments>(&house, owner, &[]).await.unwrap();
    assert_eq!(column(&list, "/title"), ["取り消し", "50%_引き", "払われた", "下書き"], "newest first");
    assert_eq!(column(&list, "/status"), ["cancelled", "issued", "paid", "draft"]);
    assert_eq!(list["counts"], json!({ "cancelled": 1, "draft": 1, "issued": 1, "paid": 1 }));
    let money = |count: u64, amount: i64| json!({ "count": count, "amount": { "amount": amount, "currency": "JPY" } });
    assert_eq!(list["figures"], json!({ "open": money(1, 3_300), "overdue": money(0, 0) }));
    assert!(list["items"][0].get("lines").is_none());
    let corrected = ask::<document::GetDocument>(&house, owner, &[("id", &id(late))]).await.unwrap();
    assert_eq!(corrected["number"], "INV-2026-0002");
    assert_eq!((&corrected["revision"], &corrected["version"]), (&json!(2), &json!(2)));
    assert_eq!(corrected["lines"][0]["amount"], json!({ "amount": 3000, "currency": "JPY" }));
    assert_eq!(corrected["totals"]["total"]["amount"], 3300);
    assert_eq!(corrected["client"], json!({ "id": buyer, "name": "山田商事", "honorific": "onchu" }));
    assert_eq!(corrected["sender"]["registration_number"], "T7000012050002");
    assert_eq!(corrected["overdue"], false, "due in three days");

    for (params, found) in [
        (vec![("status", "issued")], vec![late]),
        (vec![("q", "50%_")], vec![late]),
        (vec![("q", "%")], vec![late]),
        (vec![("q", "_")], vec![late]),
        (vec![("q", "INV-2026-0001")], vec![paid]),
        (vec![("q", "山田"), ("status", "draft")], vec![drafted]),
        (vec![("q", "ＩＮＶ－２０２６－０００１")], vec![paid]),
        (vec![("q", "¥3,300")], vec![late]),
        (vec![("q", "はらわれた")], vec![]),
        (vec![("q", "払ワレタ")], vec![paid]),
        (vec![("document_type", "quote")], vec![]),
        (vec![("from", "2026-11-03")], vec![]),
        (vec![("from", "2026-11-02"), ("to", "2026-11-02"), ("status", "paid")], vec![paid]),
        (vec![("client_id", "00000000-0000-0000-0000-000000000001")], vec![]),
    ] {
        let list = ask::<document::ListDocuments>(&house, owner, &params).await.unwrap();
        assert_eq!(column(&list, "/id"), found.iter().copied().map(id).collect::<Vec<_>>(), "{params:?}");
    }
    // 2026-11-06 00:00 in Japan is 2026-11-05 15:00 UTC: overdue from then on, one microsecond before not.
    house.later(3 * DAY + 15 * HOUR - 1);
    let still = ask::<document::ListDocuments>(&house, owner, &[("status", "overdue")]).await.unwrap();
    assert_eq!(column(&still, "/id"), Vec::<&str>::new());
    house.later(1);
    let overdue = ask::<document::ListDocuments>(&house, owner, &[("status", "overdue")]).await.unwrap();
    assert_eq!(column(&overdue, "/id"), [id(late)]);
    assert_eq!((&overdue["items"][0]["overdue"], &overdue["counts"]["overdue"]), (&json!(true), &json!(1)));
    assert_eq!(overdue["figures"]["overdue"], money(1, 3_300));
    let quotes = ask::<document::ListDocuments>(&house, owner, &[("document_type", "quote")]).await.unwrap();
    assert_eq!((&quotes["counts"], &quotes["figures"]), (&json!({}), &json!({})));

    let buyers = ask::<client::ListClients>(&house, owner, &[("q", "suzuki@")]).await.unwrap();
    assert_eq!(buyers["items"][0]["documents"], 4);
    assert_eq!(buyers["items"][0]["contact"], json!({ "name": "鈴木 一郎", "email": "suzuki@client.example.jp" }));
    let person = json!({ "name": "山田商事", "honorific": "sama", "reading": "ﾔﾏﾀﾞｼｮｳｼﾞ",
        "contacts": [{ "name": "鈴木 一郎" }, { "email": "keiri@client.example.jp", "phone": "03-1234-5678" }] });
    let twin = house.run::<RegisterClient>(owner, None, person).await;
    runner.catch_up().await.unwrap();
    let found = ask::<client::GetClient>(&house, owner, &[("id", &id(twin))]).await.unwrap();
    assert_eq!(found["duplicates"], json!([{ "id": buyer, "name": "山田商事" }]));
    assert_eq!((&found["reading"], &found["contacts"][1]["phone"]), (&json!("ヤマダショウジ"), &json!("03-1234-5678")));
    for q in ["ヤマダ", "ﾔﾏﾀﾞ", "やまだ しょうじ", "KEIRI@", "03-1234"] {
        let found = ask::<client::ListClients>(&house, owner, &[("q", q)]).await.unwrap();
        assert_eq!(column(&found, "/id"), [id(twin)], "{q}");
    }
    assert_eq!(buyers["items"][0]["open"]["amount"], 3_300, "what its issued invoices still lack");
    house.run::<ChangeClient>(owner, Some(buyer), json!({ "name": "山田商会", "honorific": "onchu" })).await;
    house.run::<ArchiveClient>(owner, Some(buyer), json!({})).await;
    runner.catch_up().await.unwrap();
    let changed = ask::<client::GetClient>(&house, owner, &[("id", &id(buyer))]).await.unwrap();
    assert_eq!(
        (&changed["name"], &changed["archived"], changed.get("contact")),
        (&json!("山田商会"), &json!(true), None)
    );
}

async fn deliveries_and_their_mails(house: House) {
    let runner = house.runner().await;
    let owner = qualified(&house, "minato").await;
    let buyer = house.run::<RegisterClient>(owner, None, client("山田商事")).await;
    let invoice = house.run::<DraftDocument>(owner, None, invoice(buyer, "十一月分", "2026-11-30")).await;
    house.run::<IssueDocument>(owner, Some(invoice), json!({})).await;
    let send = |email: &str| json!({ "document_ids": [invoice], "to_name": "鈴木 一郎", "to_email": email, "message": "どうぞ" });
    let first = house.run::<SendDocument>(owner, None, send("suzuki@client.example.jp")).await;
    runner.catch_up().await.unwrap();

    let read = house.read();
    assert!(mail::due(&read, house.now(), 10).unwrap().is_empty(), "waits for the paper");
    assert_eq!(document::unprinted(&read, 10).unwrap(), [(owner.ledger, invoice)]);
    let file = json!({ "revision": 1, "sha256": vec![8; 32], "size": 1 });
    house.run::<RecordRendering>(owner.system(), Some(invoice), file).await;
    runner.catch_up().await.unwrap();
    assert!(document::unprinted(&read, 10).unwrap().is_empty());
    let mails = mail::due(&read, house.now(), 10).unwrap();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!((mail.letter.template.as_str(), mail.letter.object_id, mail.attempts), ("delivery", first, 1));
    assert_eq!(mail.letter.to.email.as_deref(), Some("suzuki@client.example.jp"));
    assert_eq!(mail.letter.document_number.as_deref(), Some("INV-2026-0001"));
    assert_eq!(
        (mail.letter.company.as_deref(), mail.letter.message.as_deref()),
        (Some("株式会社minato"), Some("どうぞ"))
    );
    assert!(mail::due(&read, house.now(), 10).unwrap().is_empty(), "leased");
    mail::give_back(&read, mail, house.now()).unwrap();
    assert_eq!(mail::due(&read, house.now(), 10).unwrap()[0].attempts, 1, "given back is not tried");
    mail::retry_later(&read, mail, house.now() + HOUR).unwrap();
    assert!(mail::due(&read, house.now() + HOUR - 1, 10).unwrap().is_empty());
    runner.rebuild().await.unwrap();
    assert_eq!(mail::due(&read, house.now() + HOUR, 10).unwrap()[0].attempts, 2, "a rebuild forgets no attempt");
    let position = mail.letter.position;
    let status = async |delivery: Uuid| {
        runner.catch_up().await.unwrap();
        let view = ask::<delivery::GetDelivery>(&house, owner, &[("id", &id(delivery))]).await.unwrap();
        let document = ask::<document::GetDocument>(&house, owner, &[("id", &id(invoice))]).await.unwrap();
        assert_eq!(document["delivery_status"], view["status"]);
        view["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(first).await, "sending");
    house
        .run::<RecordMail>(owner.system(), None, json!({ "effect_position": position, "n": 0, "template": "delivery" }))
        .await;
    assert_eq!(status(first).await, "sent");
    house.run::<OpenLink>(owner.holder(first), Some(first), json!({})).await;
    assert_eq!(status(first).await, "opened");

    let second = house.run::<SendDocument>(owner, None, send("nobody@bounce.invalid")).await;
    runner.catch_up().await.unwrap();
    let position = mail::due(&read, house.now(), 10).unwrap()[0].letter.position;
    let failure = json!({ "code": 550, "diagnostic": "no such user nobody@bounce.invalid" });
    let refused = json!({ "effect_position": position, "n": 0, "template": "delivery", "failure": failure });
    house.run::<RecordMail>(owner.system(), None, refused).await;
    assert_eq!(status(second).await, "failed");
    let view = ask::<delivery::GetDelivery>(&house, owner, &[("id", &id(second))]).await.unwrap();
    assert_eq!(view["failure"], "550 no such user <address>");
    let third = house.run::<SendDocument>(owner, None, send("suzuki@client.example.jp")).await;
    house.later(15 * DAY);
    assert_eq!(status(third).await, "expired");
    let fourth = house.run::<SendDocument>(owner, None, send("suzuki@client.example.jp")).await;
    house.run::<RevokeLink>(owner, Some(fourth), json!({ "reason": "宛先違い" })).await;
    assert_eq!(status(fourth).await, "revoked");
    assert!(mail::due(&read, house.now(), 10).unwrap().is_empty(), "neither expired nor revoked links go out");

    let list = ask::<delivery::ListDeliveries>(&house, owner, &[]).await.unwrap();
    assert_eq!(column(&list, "/status"), ["revoked", "expired", "failed", "opened"]);
    assert_eq!(list["counts"], json!({ "revoked": 1, "expired": 1, "failed": 1, "opened": 1 }));
    let outbox = ask::<mail::ListMails>(&house, owner, &[]).await.unwrap();
    assert_eq!(column(&outbox, "/status"), ["dead", "dead", "failed", "sent"]);
    let one = ask::<mail::GetMail>(&house, owner, &[("id", &format!("{position}-0"))]).await.unwrap();
    assert_eq!((&one["code"], &one["object"]), (&json!(550), &json!({ "kind": "delivery", "id": second })));
    for bad in ["x", "1", "-", "999999-0", "1-0"] {
        assert!(matches!(ask::<mail::GetMail>(&house, owner, &[("id", bad)]).await, Err(Refusal::NotFound)), "{bad}");
    }
}

async fn visits_over_a_day(house: House) {
    let runner = house.runner().await;
    let owner = house.company("minato").await;
    let host = owner.actor.id;
    let (start, end) = ("2026-11-02T10:00:00+09:00", "2026-11-02T11:00:00+09:00");
    let comes = house.run::<RegisterVisit>(owner, None, visit(host, "来る 人", start, end, "kuru@example.jp")).await;
    let stays = house.run::<RegisterVisit>(owner, None, visit(host, "来ない 人", start, end, "")).await;
    let off = house.run::<RegisterVisit>(owner, None, visit(host, "止めた 人", start, end, "")).await;
    house.run::<CancelVisit>(owner, Some(off), json!({})).await;
    runner.catch_up().await.unwrap();
    let passes = mail::due(&house.read(), house.now(), 10).unwrap();
    let [pass] = &passes[..] else { panic!("a visitor without an address gets no mail: {passes:?}") };
    assert_eq!((pass.letter.object_id, pass.letter.host_name.as_deref()), (comes, Some("田中 花子")));

    house.later(3 * HOUR);
    house.run::<ReceiveVisitor>(owner, Some(comes), json!({})).await;
    let kiosk = house.run::<PairKiosk>(owner, None, json!({ "name": "受付", "location": "本社" })).await;
    let walked =
        house.run::<WalkIn>(owner.kiosk(kiosk), None, json!({ "visitor_name": "飛込 次郎", "purpose": "営業" })).await;
    house.run::<AnnounceVisitor>(owner.system(), Some(comes), json!({})).await;
    runner.catch_up().await.unwrap();
    let arrival = mail::due(&house.read(), house.now(), 10).unwrap();
    assert_eq!(arrival[0].letter.template, "arrival");
    assert_eq!(arrival[0].letter.to.email.as_deref(), Some("hanako@minato.example.jp"));
    let list = ask::<visit::ListVisits>(&house, owner, &[("from", "2026-11-02"), ("to", "2026-11-02")]).await.unwrap();
    assert_eq!(
        column(&list, "/visitor/name"),
        ["飛込 次郎", "止めた 人", "来ない 人", "来る 人"],
        "the latest start first"
    );
    assert_eq!(column(&list, "/status"), ["arrived", "cancelled", "expected", "arrived"]);
    assert_eq!(list["items"][3]["late"], true);
    assert_eq!(list["items"][0]["walk_in"], true);
    assert!(list["items"][0].get("host").is_none() && list["items"][0].get("ends_at").is_none());

    house.run::<ReleaseVisitor>(owner, Some(comes), json!({})).await;
    runner.catch_up().await.unwrap();
    // The day in Japan ends at 15:00 UTC.
    house.later(NINE + 15 * HOUR - 1 - house.now());
    let before = ask::<visit::GetVisit>(&house, owner, &[("id", &id(stays))]).await.unwrap();
    house.later(1);
    let after = ask::<visit::GetVisit>(&house, owner, &[("id", &id(stays))]).await.unwrap();
    assert_eq!((&before["status"], &after["status"]), (&json!("expected"), &json!("no_show")));
    let list = ask::<visit::ListVisits>(&house, owner, &[]).await.unwrap();
    assert_eq!(list["counts"], json!({ "arrived": 1, "cancelled": 1, "left": 1, "no_show": 1 }));

    let other = owner.named(support::fresh(), Role::Member);
    let theirs = ask::<visit::ListVisits>(&house, other, &[]).await.unwrap();
    assert_eq!((theirs["items"].as_array().unwrap().len(), &theirs["counts"]), (0, &json!({})));
    assert!(matches!(ask::<visit::GetVisit>(&house, other, &[("id", &id(walked))]).await, Err(Refusal::NotFound)));
    let own = ask::<visit::ListVisits>(&house, owner.with_role(Role::Member), &[]).await.unwrap();
    assert_eq!(own["items"].as_array().unwrap().len(), 3);
}

async fn the_trail_tells_who_what_and_what_changed(house: House) {
    let runner = house.runner().await;
    let owner = house.company("minato").await;
    let invited = json!({ "name": "佐藤 健", "email": "ken@minato.example.jp", "role": "member" });
    let ken = house.run::<InviteMember>(owner, None, invited).await;
    house.later(DAY);
    house.run::<ChangeRole>(owner, Some(ken), json!({ "role": "admin" })).await;
    let formula = json!({ "name": "=HYPERLINK(1)", "honorific": "sama" });
    let trap = house.run::<RegisterClient>(owner.named(ken, Role::Member), None, formula).await;
    house.run::<IssueToken>(owner, None, json!({ "name": "会計", "scopes": ["documents:read"] })).await;
    runner.catch_up().await.unwrap();

    let all = ask::<event::ListEvents>(&house, owner, &[]).await.unwrap();
    let kinds = column(&all, "/kind");
    assert_eq!(kinds[..4], ["token.issued", "client.registered", "member.role_changed", "member.invited"]);
    assert_eq!(kinds.last(), Some(&"ledger.opened"));
    for (params, count) in [
        (vec![("kind", "member.invited")], 1),
        (vec![("kind", "member")], 3),
        (vec![("actor", &*id(ken))], 1),
        (vec![("object", &*id(ken))], 2),
        (vec![("from", "2026-11-03")], 3),
        (vec![("to", "2026-11-02"), ("kind", "member")], 2),
        (vec![("kind", "nothing.like_it")], 0),
    ] {
        let list = ask::<event::ListEvents>(&house, owner, &params).await.unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{params:?}");
    }
    let member = owner.named(ken, Role::Member);
    let own = ask::<event::ListEvents>(&house, member, &[]).await.unwrap();
    assert_eq!(column(&own, "/kind"), ["client.registered"]);

    let position = |n: usize| all["items"][n]["position"].to_string();
    let changed = ask::<event::GetEvent>(&house, owner, &[("position", &position(2))]).await.unwrap();
    assert_eq!(changed["changes"], json!([{ "field": "role", "before": "member", "after": "admin" }]));
    assert_eq!(changed["actor"], json!({ "kind": "member", "id": owner.actor.id, "name": "田中 花子" }));
    assert_eq!(changed["object"], json!({ "kind": "member", "id": ken, "label": "佐藤 健" }));
    assert_eq!((&changed["context"]["ip"], &changed["context"]["user_agent"]), (&json!("192.0.2.7"), &json!("curl/8")));
    assert_eq!(changed["history"].as_array().unwrap().len(), 2);
    let leaf: Vec<u8> = (0..changed["leaf"].as_str().unwrap().len() / 2)
        .map(|n| u8::from_str_radix(&changed["leaf"].as_str().unwrap()[2 * n..2 * n + 2], 16).unwrap())
        .collect();
    assert_eq!(keiin_eventlog::record::Hash::of_leaf(&leaf).to_string(), changed["hash"]);
    let opened = ask::<event::GetEvent>(&house, owner, &[("position", "0")]).await.unwrap();
    assert_eq!(opened["event"]["recovery"], "none");
    assert!(matches!(
        ask::<event::GetEvent>(&house, member, &[("position", &position(2))]).await,
        Err(Refusal::NotFound)
    ));
    assert!(matches!(ask::<event::GetEvent>(&house, owner, &[("position", "999")]).await, Err(Refusal::NotFound)));

    let params = Params([("kind".to_owned(), "client".to_owned())].into());
    let csv = String::from_utf8(event::csv(&house.read(), &owner.who(&house), &params).unwrap()).unwrap();
    let lines: Vec<&str> = csv.strip_prefix('\u{feff}').unwrap().split("\r\n").collect();
    assert_eq!(lines.len(), 3);
    let hash = all["items"][1]["hash"].as_str().unwrap();
    let expected = format!(
        "{},2026-11-03T09:00:00+09:00,member,佐藤 健,,client.registered,client,'=HYPERLINK(1),{trap},{hash}",
        position(1)
    );
    assert_eq!(lines[1], expected);

    house.erase(owner.ledger, ken).await;
    runner.catch_up().await.unwrap();
    let erased = ask::<event::GetEvent>(&house, owner, &[("position", &position(3))]).await.unwrap();
    assert_eq!(erased["event"]["person"], json!({ "subject": ken, "erased": true }));
    assert!(erased["object"].get("label").is_none());
    assert!(!erased.to_string().contains("佐藤"));
}

async fn pages_give_each_item_once_while_new_ones_come(house: House) {
    let runner = house.runner().await;
    let owner = house.company("minato").await;
    for n in 0..7 {
        house.run::<RegisterClient>(owner, None, client(&format!("client {n}"))).await;
    }
    runner.catch_up().await.unwrap();
    let (mut seen, mut cursor) = (vec![], String::new());
    loop {
        let page = ask::<client::ListClients>(&house, owner, &[("limit", "3"), ("cursor", &cursor)]).await.unwrap();
        seen.extend(column(&page, "/name").into_iter().map(str::to_owned));
        house.run::<RegisterClient>(owner, None, client(&format!("new {}", seen.len()))).await;
        runner.catch_up().await.unwrap();
        match page.get("next") {
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (0..7).rev().map(|n| format!("client {n}")).collect::<Vec<_>>());
    let mut forged = cursor.clone();
    forged.replace_range(0..1, if cursor.starts_with('B') { "C" } else { "B" });
    for bad in ["x", "AAAA", "!!", &forged] {
        let refused = ask::<client::ListClients>(&house, owner, &[("cursor", bad)]).await;
        assert!(matches!(refused, Err(Refusal::BadParameter("cursor"))), "{bad}");
    }
    let events = ask::<event::ListEvents>(&house, owner, &[("limit", "1")]).await.unwrap();
    assert!(events["next"].is_string());
}

/// Every list of one company is empty for another, and no detail is found there.
async fn companies_see_nothing_of_each_other(house: House) {
    let runner = house.runner().await;
    let owner = qualified(&house, "minato").await;
    let stranger = house.company("kawa").await;
    let buyer = house.run::<RegisterClient>(owner, None, client("山田商事")).await;
    let paper = house.run::<DraftDocument>(owner, None, invoice(buyer, "十一月分", "2026-11-30")).await;
    house.run::<IssueDocument>(owner, Some(paper), json!({})).await;
    let to = json!({ "document_ids": [paper], "to_name": "鈴木 一郎", "to_email": "suzuki@client.example.jp" });
    let sent = house.run::<SendDocument>(owner, None, to).await;
    let file = json!({ "revision": 1, "sha256": vec![8; 32], "size": 1 });
    house.run::<RecordRendering>(owner.system(), Some(paper), file).await;
    let by_post = json!({ "document_ids": [paper], "to": { "name": "鈴木 一郎", "honorific": "sama",
        "postal_code": "1058445", "street_address": "虎ノ門2-2-5" } });
    let by_post = house.run::<QueuePostalItem>(owner, None, by_post).await;
    let terms = json!({ "name": "約款.pdf", "size": 1, "sha256": vec![9; 32], "pages": 1, "is_printable": true, "is_scanned": false });
    let terms = house.run::<ReceiveAttachment>(owner, None, terms).await;
    let order = json!({ "document_ids": [paper], "attachments": [terms],
        "by_mail": [{ "to_name": "鈴木 一郎", "to_email": "suzuki@client.example.jp" }] });
    let order = house.run::<PlaceSendingOrder>(owner, None, order).await;
    let (start, end) = ("2026-11-02T10:00:00+09:00", "2026-11-02T11:00:00+09:00");
    let comes =
        house.run::<RegisterVisit>(owner, None, visit(owner.actor.id, "来る 人", start, end, "k@example.jp")).await;
    let kiosk = house.run::<PairKiosk>(owner, None, json!({ "name": "受付", "location": "本社" })).await;
    let token = house.run::<IssueToken>(owner, None, json!({ "name": "会計", "scopes": ["documents:read"] })).await;
    runner.catch_up().await.unwrap();

    macro_rules! only_ours {
        ($list:ty, $get:ty, $id:expr) => {
            let ours = ask::<$list>(&house, owner, &[]).await.unwrap();
            assert_eq!(ours["items"].as_array().unwrap().len(), 1, "{ours}");
            let mut one = ask::<$get>(&house, owner, &[("id", &$id)]).await.unwrap();
            let only_in_the_detail = ["contacts", "duplicates", "address", "recipients", "after"]
                .map(|name| one.as_object_mut().unwrap().remove(name));
            assert_eq!((one, only_in_the_detail.len()), (ours["items"][0].clone(), 5));
            let theirs = ask::<$list>(&house, stranger, &[]).await.unwrap();
            assert!(!column(&theirs, "/id").contains(&&*$id));
            assert!(matches!(ask::<$get>(&house, stranger, &[("id", &$id)]).await, Err(Refusal::NotFound)));
        };
    }
    only_ours!(client::ListClients, client::GetClient, id(buyer));
    only_ours!(delivery::ListDeliveries, delivery::GetDelivery, id(sent));
    only_ours!(postal_item::ListPostalItems, postal_item::GetPostalItem, id(by_post));
    only_ours!(sending_order::ListSendingOrders, sending_order::GetSendingOrder, id(order));
    let file = async |who| ask::<attachment::GetAttachment>(&house, who, &[("id", &id(terms))]).await;
    assert_eq!(file(owner).await.unwrap()["status"], "enclosed");
    assert!(matches!(file(stranger).await, Err(Refusal::NotFound)));
    only_ours!(visit::ListVisits, visit::GetVisit, id(comes));
    only_ours!(kiosk::ListKiosks, kiosk::GetKiosk, id(kiosk));
    only_ours!(token::ListTokens, token::GetToken, id(token));
    only_ours!(member::ListMembers, member::GetMember, id(owner.actor.id));
    let papers = ask::<document::ListDocuments>(&house, stranger, &[]).await.unwrap();
    assert_eq!((&papers["items"], &papers["counts"]), (&json!([]), &json!({})));
    assert!(matches!(
        ask::<document::GetDocument>(&house, stranger, &[("id", &id(paper))]).await,
        Err(Refusal::NotFound)
    ));
    assert_eq!(ask::<mail::ListMails>(&house, stranger, &[]).await.unwrap()["items"], json!([]));
    assert_eq!(ask::<tenant::GetTenant>(&house, stranger, &[]).await.unwrap()["slug"], "kawa");
    let trail = ask::<event::ListEvents>(&house, stranger, &[]).await.unwrap();
    assert_eq!(
        column(&trail, "/kind"),
        ["owners.added", "member.registered", "terms.accepted", "tenant.opened", "ledger.opened"]
    );
}

/// Every query of the catalog runs on an empty read model.
async fn nothing_there_is_no_error(house: House) {
    let _runner = house.runner().await;
    let who = Person { ledger: support::fresh(), actor: house.company("minato").await.actor };
    struct Names(Vec<(&'static str, bool)>);
    impl VisitQueries for Names {
        fn query<Q: Query>(&mut self) {
            let one_of_each = [
                "get_tenant", "get_my_factor", "get_security", "get_support", "get_number_series", "get_print_queue",
                "get_handed_over", "get_reception", "get_kiosk_flow", "get_kiosk_hosts", "get_visit_figures",
                "get_visit_policy", "get_present_visitors", "get_mail_templates",
            ];
            let listed = Q::PATH.contains('{') != Q::LIST || one_of_each.contains(&Q::NAME);
            self.0.push((Q::NAME, listed));
        }
    }
    let mut names = Names(vec![]);
    queries(&mut names);
    assert!(names.0.len() >= 19 && names.0.iter().all(|(_, fits)| *fits), "{:?}", names.0);
    for list in [
        ask::<client::ListClients>(&house, who, &[("q", "a")]).await,
        ask::<document::ListDocuments>(&house, who, &[("q", "a")]).await,
        ask::<item::ListItems>(&house, who, &[("q", "a")]).await,
        ask::<template::ListTemplates>(&house, who, &[("q", "a")]).await,
        ask::<recurrence::ListRecurrences>(&house, who, &[("status", "active")]).await,
        ask::<batch::ListBatches>(&house, who, &[("status", "running")]).await,
        ask::<delivery::ListDeliveries>(&house, who, &[("q", "a")]).await,
        ask::<sending_order::ListSendingOrders>(&house, who, &[("status", "ready")]).await,
        ask::<postal_item::ListPostalItems>(&house, who, &[("q", "a")]).await,
        ask::<postal_item::GetPrintQueue>(&house, who, &[("service", "letter")]).await,
        ask::<postal_item::GetHandedOver>(&house, who, &[("code", "a")]).await,
        ask::<visit::ListVisits>(&house, who, &[("q", "a")]).await,
        ask::<kiosk::ListKiosks>(&house, who, &[("q", "a")]).await,
        ask::<kiosk::ListScanRefusals>(&house, who, &[("open", "true")]).await,
        ask::<reception::GetHosts>(&house, who, &[("q", "a")]).await,
        ask::<token::ListTokens>(&house, who, &[("status", "active")]).await,
        ask::<mail::ListMails>(&house, who, &[("q", "a")]).await,
        ask::<member::ListMembers>(&house, who, &[("q", "a")]).await,
        ask::<event::ListEvents>(&house, who, &[("kind", "a")]).await,
        ask::<grant::ListGrants>(&house, who, &[("status", "open")]).await,
    ] {
        assert_eq!(list.unwrap()["items"], json!([]));
    }
}
