//! Lists of many: what is counted while it is written is what a recount finds, and a text is found whatever its width, case and
//! kind of kana, wherever it stands.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use keiin_domain::client::{ArchiveClient, ChangeClient, ClientEvent, RegisterClient};
use keiin_domain::delivery::{DeliveryEvent, Enclosed, InboxDelivered, SendDocument};
use keiin_domain::document::{DraftDocument, IssueDocument};
use keiin_domain::event::Event;
use keiin_domain::kiosk::PairKiosk;
use keiin_domain::member::{AcceptInvitation, InviteMember};
use keiin_domain::paper::RecordRendering;
use keiin_domain::postal_item::{QueuePostalItem, reference};
use keiin_domain::sealed::Sealed;
use keiin_domain::tenant::ChangeTenant;
use keiin_domain::visit::RegisterVisit;
use keiin_eventlog::record::Stream;
use keiin_projections::fact::Fact;
use keiin_projections::query::Query;
use keiin_projections::runner::Runner;
use keiin_projections::{client, delivery, inbox, kiosk, mail, member, postal_item, visit};
use serde_json::{Value, json};
use support::{House, Person, ask, column};
use uuid::Uuid;

on_every_engine! {
    clients_are_counted_as_they_are_written
    clients_are_found_by_themselves_and_by_their_people_each_once
    every_list_folds_what_is_typed
}

/// What the list says it counts is what it lists.
async fn recounted(house: &House, runner: &Runner, owner: Person) -> BTreeMap<String, u64> {
    runner.catch_up().await.unwrap();
    let list = ask::<client::ListClients>(house, owner, &[("limit", "200")]).await.unwrap();
    let mut counts = BTreeMap::new();
    for one in list["items"].as_array().unwrap() {
        let status = if one["archived"] == true { "archived" } else { "active" };
        *counts.entry(status.to_owned()).or_default() += 1;
    }
    assert_eq!(list["counts"], json!(counts));
    counts
}

async fn clients_are_counted_as_they_are_written(house: House) {
    let runner = house.runner().await;
    let [owner, other] = [house.company("minato").await, house.company("kawa").await];
    assert_eq!(recounted(&house, &runner, owner).await, [].into());
    let client = |name: &str| json!({ "name": name, "honorific": "onchu" });
    let mut overridden = client("番号商会");
    overridden["registration_number"] = json!("T8000012050002");
    overridden["registration_number_override"] = json!("公表サイトで確認");
    let one = house.run::<RegisterClient>(owner, None, client("第一商会")).await;
    recounted(&house, &runner, owner).await;
    let two = house.run::<RegisterClient>(owner, None, overridden.clone()).await;
    house.run::<RegisterClient>(other, None, client("よその商会")).await;
    assert_eq!(recounted(&house, &runner, owner).await, [("active".into(), 2)].into());
    house.run::<ChangeClient>(owner, Some(one), overridden).await;
    assert_eq!(recounted(&house, &runner, owner).await, [("active".into(), 2)].into());
    house.run::<ArchiveClient>(owner, Some(one), json!({})).await;
    assert_eq!(recounted(&house, &runner, owner).await, [("active".into(), 1), ("archived".into(), 1)].into());
    house.run::<ArchiveClient>(owner, Some(two), json!({})).await;
    assert_eq!(recounted(&house, &runner, owner).await, [("archived".into(), 2)].into());
    assert_eq!(recounted(&house, &runner, other).await, [("active".into(), 1)].into());
    runner.rebuild().await.unwrap();
    assert_eq!(recounted(&house, &runner, owner).await, [("archived".into(), 2)].into());

    let records = house.log.read(owner.ledger, 0, 100).await.unwrap();
    let kinds = records.iter().map(|record| Fact::open(record, &house.vault).unwrap().event.kind);
    let happened: BTreeSet<String> = kinds.filter(|kind| kind.starts_with("client.")).collect();
    let known = ClientEvent::KINDS.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    assert_eq!(happened, known, "every kind of event was counted after");
}

async fn names<Q: Query>(house: &House, owner: Person, params: &[(&str, &str)], pointer: &str) -> Vec<String> {
    let list = ask::<Q>(house, owner, params).await.unwrap();
    column(&list, pointer).into_iter().map(str::to_owned).collect()
}

async fn clients_are_found_by_themselves_and_by_their_people_each_once(house: House) {
    let runner = house.runner().await;
    let owner = house.company("minato").await;
    let found = async |params: &[(&str, &str)]| names::<client::ListClients>(&house, owner, params, "/name").await;
    let register = async |client: Value| house.run::<RegisterClient>(owner, None, client).await;
    let apples = json!({ "name": "㈱林檎商会", "honorific": "onchu", "reading": "リンゴ", "contacts": [{ "name": "田中 一郎" }] });
    let apples = register(apples).await;
    let person = json!({ "name": "髙橋 花子", "honorific": "sama", "reading": "たかはし はなこ" });
    let person = register(person).await;
    let people: Vec<Value> = (0..10).map(|n| json!({ "name": format!("商会の人 {n}") })).collect();
    register(json!({ "name": "多人数商会", "honorific": "onchu", "contacts": people })).await;
    for n in 0..3 {
        register(json!({ "name": format!("第{n}商会"), "honorific": "onchu" })).await;
    }
    runner.catch_up().await.unwrap();
    assert_eq!(found(&[("q", "田中")]).await, ["㈱林檎商会"]);

    let changed = json!({ "name": "㈱林檎商会", "honorific": "onchu", "reading": "リンゴ", "contacts": [
        { "name": "山本 さくら", "email": "SAKURA@ringo.example.jp" }, { "name": "ｽｽﾞｷ 次郎", "department": "商会課" }] });
    house.run::<ChangeClient>(owner, Some(apples), changed).await;
    runner.catch_up().await.unwrap();
    for typed in ["ﾘﾝｺﾞ", "りんご", "(株)林檎", "ｻｸﾗ", "さくら", "ｓａｋｕｒａ＠ＲＩＮＧＯ", "すずき", "スズキ 次郎"]
    {
        assert_eq!(found(&[("q", typed)]).await, ["㈱林檎商会"], "{typed}");
        assert_eq!(found(&[("q", typed), ("status", "active")]).await, ["㈱林檎商会"], "{typed}");
        assert_eq!(found(&[("q", typed), ("status", "archived")]).await, Vec::<String>::new(), "{typed}");
    }
    for typed in ["高橋", "髙 橋", "ﾀｶﾊｼ"] {
        assert_eq!(found(&[("q", typed)]).await, ["髙橋 花子"], "{typed}");
    }
    for typed in ["田中", "%", "_", "林檎山本"] {
        assert_eq!(found(&[("q", typed)]).await, Vec::<String>::new(), "{typed}");
    }

    // A page after the other, newest first, also where a client is found by many of its people and is archived meanwhile.
    house.run::<ArchiveClient>(owner, Some(apples), json!({})).await;
    runner.catch_up().await.unwrap();
    let all = ["第2商会", "第1商会", "第0商会", "多人数商会", "㈱林檎商会"];
    assert_eq!(found(&[("q", "商会")]).await, all);
    assert_eq!(found(&[("q", "商会"), ("status", "archived")]).await, ["㈱林檎商会"]);
    assert_eq!(found(&[("q", "商会の人")]).await, ["多人数商会"]);
    let (mut paged, mut cursor) = (vec![], None::<String>);
    loop {
        let mut params = vec![("q", "商会"), ("limit", "1")];
        params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = ask::<client::ListClients>(&house, owner, &params).await.unwrap();
        paged.extend(column(&page, "/name").into_iter().map(str::to_owned));
        match page.get("next") {
            Some(next) => cursor = Some(next.as_str().unwrap().to_owned()),
            None => break,
        }
    }
    assert_eq!(paged, all);

    // Who was erased is not found, and stands in no table.
    let shown = ask::<client::GetClient>(&house, owner, &[("id", &apples.to_string())]).await.unwrap();
    let sakura: Uuid = serde_json::from_value(shown["contacts"][0]["id"].clone()).unwrap();
    let told = house.log.read_stream(owner.ledger, &Stream::new("client", person), 0, 1).await.unwrap();
    let told = Fact::open(&told[0], &house.vault).unwrap();
    assert!(runner.dump().unwrap().contains("山本サクラ"));
    for subject in [sakura, keiin_domain::json::subjects("client", &told.event)[0]] {
        house.erase(owner.ledger, subject).await;
    }
    runner.catch_up().await.unwrap();
    let dump = runner.dump().unwrap();
    assert!(!dump.contains("サクラ") && !dump.contains("sakura") && !dump.contains("タカハシ"), "{dump}");
    for (typed, left) in [("さくら", &[][..]), ("たかはし", &[]), ("高橋", &["髙橋 花子"]), ("すずき", &["㈱林檎商会"])]
    {
        assert_eq!(found(&[("q", typed)]).await, left, "{typed}");
    }
    runner.rebuild().await.unwrap();
    assert_eq!(runner.dump().unwrap(), dump);
}

async fn every_list_folds_what_is_typed(house: House) {
    let runner = house.runner().await;
    let owner = house.company("minato").await;
    let host = owner.actor.id;
    let tenant = json!({ "name": "株式会社", "registration_number": "T7000012050002" });
    house.run::<ChangeTenant>(owner, Some(owner.ledger), tenant).await;
    let invited = json!({ "name": "佐藤 ケン", "email": "ken@example.jp", "role": "member" });
    let invited = house.run::<InviteMember>(owner, None, invited).await;
    let joins = json!({ "name": "Emily ｸﾗｰｸ", "password": "correct horse battery" });
    let clark = json!({ "name": "伊藤 ﾏﾘ", "email": "clark@example.jp", "role": "member" });
    let clark = house.run::<InviteMember>(owner, None, clark).await;
    house.run::<AcceptInvitation>(owner.holder(clark), Some(clark), joins).await;
    house.run::<PairKiosk>(owner, None, json!({ "name": "受付ﾛﾋﾞｰ", "location": "本社１Ｆ" })).await;

    let buyer = house.run::<RegisterClient>(owner, None, json!({ "name": "山田商事", "honorific": "onchu" })).await;
    let lines = json!([{ "description": "紙", "quantity": "1", "unit_price": "100", "tax_rate": "10" }]);
    let paper = json!({ "document_type": "invoice", "client_id": buyer, "title": "設計ﾃﾞｰﾀ", "date": "2026-11-02", "lines": lines });
    let paper = house.run::<DraftDocument>(owner, None, paper).await;
    house.run::<IssueDocument>(owner, Some(paper), json!({})).await;
    let to = json!({ "document_ids": [paper], "to_name": "鈴木 ハナ", "to_email": "hana@client.example.jp" });
    house.run::<SendDocument>(owner, None, to).await;
    let documents = vec![Enclosed { document_id: paper, revision: 1 }];
    let recipient = Sealed::new(host, 1, vec![0; 8]);
    let put = InboxDelivered { documents, attachments: vec![], recipient, member_id: host, sent_by: Some(host) };
    let put = DeliveryEvent::InboxDelivered(put).store();
    house.append(owner, None, vec![(Stream::new("delivery", support::fresh()), put)], vec![]).await;
    let file = json!({ "revision": 1, "sha256": vec![8; 32], "size": 1 });
    house.run::<RecordRendering>(owner.system(), Some(paper), file).await;
    let by_post = json!({ "document_ids": [paper], "to": { "name": "渡邉 ユキ", "honorific": "sama",
        "postal_code": "1058445", "street_address": "虎ノ門2-2-5" } });
    let posted = house.run::<QueuePostalItem>(owner, None, by_post).await;
    let comes = json!({ "visitor_name": "吉田 ミカ", "visitor_email": "mika@example.jp", "host_id": host,
        "location": "会議室Ａ", "starts_at": "2026-11-02T10:00:00+09:00", "ends_at": "2026-11-02T11:00:00+09:00" });
    house.run::<RegisterVisit>(owner, None, comes).await;
    runner.catch_up().await.unwrap();

    let (reference, none) = (reference(posted).to_lowercase(), Vec::<String>::new());
    for (typed, names_of) in [
        ("けん", &["佐藤 ケン"][..]),
        ("ＫＥＮ＠ＥＸＡＭＰＬＥ", &["佐藤 ケン"]),
        ("ＥＭＩＬＹ　くらーく", &["Emily ｸﾗｰｸ"]),
        ("ＣＬＡＲＫ＠", &["Emily ｸﾗｰｸ"]),
        ("まり", &[]),
        ("花 子", &["田中 花子"]),
    ] {
        assert_eq!(names::<member::ListMembers>(&house, owner, &[("q", typed)], "/name").await, names_of, "{typed}");
    }
    for typed in ["ろびー", "ロビー", "ﾛﾋﾞ", "1f", "本社1F"] {
        assert_eq!(names::<kiosk::ListKiosks>(&house, owner, &[("q", typed)], "/name").await, ["受付ﾛﾋﾞｰ"], "{typed}");
    }
    for typed in ["はな", "ﾊﾅ", "ＨＡＮＡ＠"] {
        assert_eq!(
            names::<delivery::ListDeliveries>(&house, owner, &[("q", typed)], "/channel").await,
            ["secure_link"]
        );
        assert_eq!(names::<inbox::ListInbox>(&house, owner, &[("q", typed)], "/id").await, none, "{typed}");
    }
    for typed in ["でーた", "データ", "ｉｎｖ－２０２６"] {
        let channels = names::<delivery::ListDeliveries>(&house, owner, &[("q", typed)], "/channel").await;
        assert_eq!(channels, ["inbox", "secure_link"], "{typed}");
        assert_eq!(names::<inbox::ListInbox>(&house, owner, &[("q", typed)], "/id").await.len(), 1, "{typed}");
    }
    for typed in ["わたなべ", "渡辺ゆき", "ﾕｷ", "でーた", reference.as_str()] {
        let expected = if typed == "わたなべ" { &[][..] } else { &["渡邉 ユキ"] };
        assert_eq!(
            names::<postal_item::ListPostalItems>(&house, owner, &[("q", typed)], "/to/name").await,
            expected,
            "{typed}"
        );
    }
    for typed in ["みか", "ﾐｶ", "会議室a", "花子"] {
        let found = names::<visit::ListVisits>(&house, owner, &[("q", typed)], "/visitor/name").await;
        assert_eq!(found, ["吉田 ミカ"], "{typed}");
    }
    for (typed, template) in [
        ("けん", "invitation"),
        ("ＫＥＮ＠", "invitation"),
        ("ﾊﾅ", "delivery"),
        ("みか", "visit_pass"),
        ("ＭＩＫＡ＠", "visit_pass"),
    ] {
        assert_eq!(names::<mail::ListMails>(&house, owner, &[("q", typed)], "/template").await, [template], "{typed}");
    }

    // What is searched of people goes with them.
    house.erase(owner.ledger, invited).await;
    runner.catch_up().await.unwrap();
    assert_eq!(names::<member::ListMembers>(&house, owner, &[("q", "けん")], "/name").await, none);
    assert_eq!(names::<mail::ListMails>(&house, owner, &[("q", "けん")], "/template").await, none);
    let dump = runner.dump().unwrap();
    assert!(!dump.contains("佐藤ケン") && !dump.contains("ken@example"), "{dump}");
    assert!(dump.contains("emilyクラーク"), "the others are still there: {dump}");
}
