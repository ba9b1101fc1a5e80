//! Row-level security alone keeps companies apart on PostgreSQL: statements that name no company see and change nothing
//! of another one's. And nodes that share a database see what the others have folded.

mod support;

use std::time::Duration;

use keiin_domain::application::RegisterApplication;
use keiin_domain::attachment::ReceiveAttachment;
use keiin_domain::authorization::GiveAuthorization;
use keiin_domain::batch::{IssueInBatch, OrderBatch};
use keiin_domain::blocklist::AddToBlocklist;
use keiin_domain::calendar_feed::IssueCalendarFeed;
use keiin_domain::client::RegisterClient;
use keiin_domain::data::RecordVendorView;
use keiin_domain::delivery::{DeliveryEvent, Replied, SendDocument};
use keiin_domain::document::{DraftDocument, IssueDocument};
use keiin_domain::event::Event;
use keiin_domain::factor::EnrolTotp;
use keiin_domain::factor::account::LinkAccount;
use keiin_domain::factor::passkey::AddPasskey;
use keiin_domain::factor::phone::{EnrolPhone, SendCode};
use keiin_domain::grant::{ChangeSupport, RequestGrant};
use keiin_domain::item::RegisterItem;
use keiin_domain::kiosk::{PairKiosk, RecordScanRefusal};
use keiin_domain::mail_template::SetMailTemplate;
use keiin_domain::member::{AcceptInvitation, InviteMember};
use keiin_domain::operator::RegisterOperator;
use keiin_domain::paper::RecordRendering;
use keiin_domain::permission_set::DefinePermissionSet;
use keiin_domain::postal_item::QueuePostalItem;
use keiin_domain::reception::ChangeReception;
use keiin_domain::recurrence::{FireRecurrence, SetUpRecurrence};
use keiin_domain::sealed::Sealed;
use keiin_domain::secretary::AssignSecretary;
use keiin_domain::security::ChangeSecurity;
use keiin_domain::sending_order::{HandOver, PlaceSendingOrder, ReleaseSendingOrder};
use keiin_domain::session::StartSession;
use keiin_domain::sign_up::RequestSignUp;
use keiin_domain::template::SaveAsTemplate;
use keiin_domain::tenant::ChangeTenant;
use keiin_domain::token::IssueToken;
use keiin_domain::visit::{AnnounceVisitor, CorrectVisit, ReceiveVisitor, RegisterVisit};
use keiin_domain::visit_policy::ChangeVisitPolicy;
use keiin_domain::webhook::{RegisterWebhook, ReplayWebhook};
use keiin_eventlog::record::Stream;
use keiin_eventlog::sql::Scope;
use keiin_eventlog::values;
use keiin_projections::catalog::{PROJECTIONS, VisitQueries, queries};
use keiin_projections::query::Query;
use keiin_projections::{
    account, application, authorization, batch, calendar_feed, client, delivery, device, document, event, grant, item,
    kiosk, mail, member, passkey, permission_set, phone, postal_item, recurrence, secretary, sending_order, session,
    sign_up, template, token, visit, webhook,
};
use serde_json::json;
use support::{Engine, House, Person};
use uuid::Uuid;

/// A row in every table.
async fn everything(house: &House, owner: Person) {
    let tenant = json!({ "name": "株式会社", "registration_number": "T7000012050002" });
    house.run::<ChangeTenant>(owner, Some(owner.ledger), tenant).await;
    let buyer = json!({ "name": "山田商事", "honorific": "onchu", "contacts": [{ "name": "鈴木" }] });
    let buyer = house.run::<RegisterClient>(owner, None, buyer).await;
    let lines = json!([{ "description": "紙", "quantity": "1", "unit_price": "100", "tax_rate": "10" }]);
    let paper =
        json!({ "document_type": "invoice", "client_id": buyer, "title": "紙", "date": "2026-11-02", "lines": lines });
    let paper = house.run::<DraftDocument>(owner, None, paper).await;
    house.run::<IssueDocument>(owner, Some(paper), json!({})).await;
    let item = json!({ "description": "紙", "unit_price": "100", "tax_rate": "10" });
    house.run::<RegisterItem>(owner, None, item).await;
    let template = house.run::<SaveAsTemplate>(owner, None, json!({ "document_id": paper, "name": "紙" })).await;
    let monthly = json!({ "template_id": template, "client_id": buyer, "every_months": 1, "day": 2,
        "starts_on": "2026-11-02", "mode": "draft" });
    let monthly = house.run::<SetUpRecurrence>(owner, None, monthly).await;
    house.run::<FireRecurrence>(owner.system(), Some(monthly), json!({ "date": "2026-11-02" })).await;
    let batch = house.run::<OrderBatch>(owner, None, json!({ "documents": [paper] })).await;
    house.run::<IssueInBatch>(owner.system(), Some(paper), json!({ "batch": batch })).await;
    let to = json!({ "document_ids": [paper], "to_name": "鈴木 一郎", "to_email": "suzuki@client.example.jp" });
    let sent = house.run::<SendDocument>(owner, None, to).await;
    let reply = DeliveryEvent::Replied(Replied { reply: Sealed::new(owner.actor.id, 1, vec![0; 8]) });
    house.append(owner, None, vec![(Stream::new("delivery", sent), reply.store())], vec![]).await;
    let file = json!({ "revision": 1, "sha256": vec![8; 32], "size": 1 });
    house.run::<RecordRendering>(owner.system(), Some(paper), file).await;
    let by_post = json!({ "document_ids": [paper], "to": { "name": "鈴木 一郎", "honorific": "sama",
        "postal_code": "1058445", "street_address": "虎ノ門2-2-5" } });
    house.run::<QueuePostalItem>(owner, None, by_post).await;
    let terms = json!({ "name": "約款.pdf", "size": 1, "sha256": vec![9; 32], "pages": 1, "is_printable": true, "is_scanned": false });
    let terms = house.run::<ReceiveAttachment>(owner, None, terms).await;
    let order = json!({ "document_ids": [paper], "attachments": [terms],
        "by_mail": [{ "to_name": "鈴木 一郎", "to_email": "suzuki@client.example.jp" }] });
    let order = house.run::<PlaceSendingOrder>(owner, None, order).await;
    house.run::<ReleaseSendingOrder>(owner, Some(order), json!({})).await;
    house.run::<HandOver>(owner.system(), Some(order), json!({ "n": 0 })).await;
    let (starts, ends) = ("2026-11-02T10:00:00+09:00", "2026-11-02T11:00:00+09:00");
    let invited = json!({ "name": "同席 者", "email": "doseki@example.jp", "role": "member" });
    let beside = house.run::<InviteMember>(owner, None, invited).await;
    let joins = json!({ "name": "同席 者", "password": "correct horse battery" });
    house.run::<AcceptInvitation>(owner.holder(beside), Some(beside), joins).await;
    house.run::<IssueCalendarFeed>(owner, None, json!({})).await;
    let comes = json!({ "visitor_name": "来る 人", "visitor_email": "k@example.jp", "host_id": owner.actor.id,
        "co_hosts": [beside], "location": "本社", "starts_at": starts, "ends_at": ends });
    house.run::<RegisterVisit>(owner, None, comes).await;
    let here = json!({ "visitor_name": "来た 人", "host_id": owner.actor.id, "location": "本社",
        "starts_at": starts, "ends_at": ends });
    let here = house.run::<RegisterVisit>(owner, None, here).await;
    house.run::<ReceiveVisitor>(owner, Some(here), json!({})).await;
    house.run::<AnnounceVisitor>(owner.system(), Some(here), json!({})).await;
    let right = json!({ "reason": "誤記", "arrived_at": keiin_domain::date::instant(house.now()) });
    house.run::<CorrectVisit>(owner, Some(here), right).await;
    house.run::<ChangeVisitPolicy>(owner, None, json!({ "keep_days": 90 })).await;
    let words = json!({ "kind": "inbox", "language": "ja", "subject": "{company}", "text": "{link}" });
    house.run::<SetMailTemplate>(owner, None, words).await;
    house.run::<AddToBlocklist>(owner, None, json!({ "kind": "company", "value": "株式会社 洪水" })).await;
    let kiosk = house.run::<PairKiosk>(owner, None, json!({ "name": "受付", "location": "本社" })).await;
    let kept = json!({ "code": "99999999", "scan": "check_in", "refusal": "visit.unknown_code", "taken_at_us": 1 });
    house.run::<RecordScanRefusal>(owner.kiosk(kiosk), Some(kiosk), kept).await;
    house.run::<ChangeReception>(owner, None, json!({ "hosts": "everybody", "check_outs": true })).await;
    house.run::<AssignSecretary>(owner, None, json!({ "name": "墨田 澄", "email": "sumi@example.jp" })).await;
    let set = json!({ "name": "閲覧", "permissions": ["document.read"] });
    house.run::<DefinePermissionSet>(owner, None, set).await;
    house.run::<EnrolTotp>(owner, None, json!({ "code": "000100" })).await;
    let passkey = json!({ "member_id": owner.actor.id, "passkey_id": support::fresh(), "name": "鍵" });
    house.run::<AddPasskey>(owner, None, passkey).await;
    let security = json!({ "second_factor_required": true, "providers": ["google"], "sms": true });
    house.run::<ChangeSecurity>(owner, None, security).await;
    let account = json!({ "member_id": owner.actor.id, "account_id": support::fresh(), "provider": "google",
        "address": "hanako@example.jp", "by": "address" });
    house.run::<LinkAccount>(owner, None, account).await;
    let (member, code) = (owner.actor.id, support::fresh());
    let sent = json!({ "member_id": member, "code_id": code, "new": true, "taken_over": true });
    house.run::<SendCode>(owner, None, sent).await;
    let phone = json!({ "member_id": member, "code_id": code, "number": "090-1234-5678" });
    house.run::<EnrolPhone>(owner, None, phone).await;
    house.run::<RequestSignUp>(owner, None, json!({ "email": "new@example.jp" })).await;
    let login = json!({ "member_id": owner.actor.id, "device_id": support::fresh(), "method": "password" });
    house.run::<StartSession>(owner, None, login).await;
    house.run::<ChangeSupport>(owner, None, json!({ "told_at_once": true })).await;
    let operator = owner.operator(Uuid::from_u128(0x0a));
    let ask = json!({ "operator_name": "支援 一郎", "operator_kind": "support", "purpose": "bug", "classes": ["internal"],
        "reason": "不具合", "hours": 1, "hours_max": 1 });
    let grant = house.run::<RequestGrant>(operator, None, ask).await;
    let look =
        json!({ "id": paper, "grant": grant, "purpose": "bug", "operation": "get_document", "class": "internal" });
    house.run::<RecordVendorView>(operator, None, look).await;
    let account = json!({ "name": "支援 一郎", "email": "s@example.jp", "kind": "support",
        "certificate_sha256": "ab".repeat(32) });
    house.run::<RegisterOperator>(operator, None, account).await;
    house.run::<IssueToken>(owner, None, json!({ "name": "会計", "scopes": ["documents:read"] })).await;
    connected(house, owner).await;
    let webhook = json!({ "url": "https://app.example/hook", "events": ["*"] });
    let webhook = house.run::<RegisterWebhook>(owner, None, webhook).await;
    house.run::<ReplayWebhook>(owner, Some(webhook), json!({ "first": 0 })).await;
}

/// An application, and an authorization of the owner to it.
async fn connected(house: &House, owner: Person) -> (Uuid, Uuid) {
    let uri = "https://app.example/cb";
    let application = json!({ "name": "会計クラウド", "confidential": true, "redirect_uris": [uri],
        "scopes": ["documents:read"], "grant_types": ["authorization_code"] });
    let application = house.run::<RegisterApplication>(owner, None, application).await;
    let authorization = json!({ "application_id": application, "redirect_uri": uri, "challenge": vec![7; 32] });
    (application, house.run::<GiveAuthorization>(owner, None, authorization).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_companys_filter_only_its_rows_come_back_and_change() {
    let house = House::on(Engine::Postgres);
    let runner = house.runner().await;
    let [ours, theirs] = [house.company("minato").await, house.company("kawa").await];
    everything(&house, ours).await;
    everything(&house, theirs).await;
    runner.catch_up().await.unwrap();
    let read = house.read();
    assert_eq!(sign_up::over(&read, i64::MAX, 10).unwrap().len(), 2);
    assert_eq!(mail::due(&read, house.now(), 20).unwrap().len(), 16, "the deployment's own work sees every company");

    for endpoint in webhook::endpoints(&read).unwrap() {
        webhook::delivery::pass(&read, &endpoint, 0, house.now()).unwrap();
        assert!(!webhook::delivery::take(&read, &endpoint, house.now(), 100).unwrap().is_empty());
    }

    let mut tables: Vec<&str> = PROJECTIONS.iter().flat_map(|p| p.tables).map(|table| table.name).collect();
    tables.extend(["positions", "effect_attempts", "webhook_cursors", "webhook_deliveries"]);
    let mut connection = house.database.connect().unwrap();
    for table in tables {
        let mut count = |scope, condition: &str| -> u64 {
            let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
            connection.row(scope, &sql, &[]).unwrap().unwrap().get(0).unwrap()
        };
        let foreign = format!("encode(ledger, 'hex') <> '{}'", ours.ledger.simple());
        assert!(count(Scope::All, &foreign) > 0, "{table} holds something of others");
        assert!(count(Scope::Ledger(ours.ledger), "true") > 0, "{table} holds something of ours");
        assert_eq!(count(Scope::Ledger(ours.ledger), &foreign), 0, "{table}");
        let all = count(Scope::All, "true");
        connection
            .write(Scope::Ledger(Uuid::from_u128(1)), |tx| tx.execute(&format!("DELETE FROM {table}"), &[]))
            .unwrap();
        let mut count =
            |sql: String| -> u64 { connection.row(Scope::All, &sql, &[]).unwrap().unwrap().get(0).unwrap() };
        assert_eq!(count(format!("SELECT count(*) FROM {table}")), all, "{table}: a stranger deletes nothing");
    }
    let smuggled = connection.write(Scope::Ledger(ours.ledger), |tx| {
        tx.execute("INSERT INTO kiosks (ledger, id, name) VALUES ($1, $1, 'x')", &values![theirs.ledger])
    });
    assert!(smuggled.unwrap_err().to_string().contains("row-level security"));

    // What every list shows, asked without "of this company".
    let (visits, refusals) = (visit::from(), kiosk::refusals());
    let (history, waiting) = (visit::history_from(), visit::waiting_from(true, true));
    let lists: [(&str, &str); 34] = [
        ("list_accounts", account::FROM),
        ("list_applications", application::FROM),
        ("list_authorizations", authorization::FROM),
        ("list_batches", batch::FROM),
        ("list_blocklist_entries", "blocklist_entries"),
        ("list_calendar_feeds", calendar_feed::FROM),
        ("list_clients", client::FROM),
        ("list_deliveries", &delivery::FROM),
        ("list_devices", device::FROM),
        ("list_documents", &document::FROM),
        ("list_events", event::FROM),
        ("list_grants", grant::FROM),
        ("list_inbox", &delivery::FROM),
        ("list_items", item::FROM),
        ("list_kiosks", kiosk::FROM),
        ("list_mails", mail::FROM),
        ("list_members", member::FROM),
        ("list_my_authorizations", authorization::FROM),
        ("list_passkeys", passkey::FROM),
        ("list_permission_sets", permission_set::FROM),
        ("list_phones", phone::FROM),
        ("list_postal_items", postal_item::FROM),
        ("list_recurrences", recurrence::FROM),
        ("list_scan_refusals", &refusals),
        ("list_secretaries", secretary::FROM),
        ("list_sending_orders", sending_order::FROM),
        ("list_sessions", session::FROM),
        ("list_templates", template::FROM),
        ("list_tokens", token::FROM),
        ("list_visit_history", &history),
        ("list_visits", &visits),
        ("list_waiting_visits", &waiting),
        ("list_webhook_deliveries", webhook::delivery::FROM),
        ("list_webhooks", webhook::FROM),
    ];
    struct Lists(Vec<&'static str>);
    impl VisitQueries for Lists {
        fn query<Q: Query>(&mut self) {
            self.0.extend(Q::LIST.then_some(Q::NAME));
        }
    }
    let mut known = Lists(vec![]);
    queries(&mut known);
    known.0.sort();
    assert_eq!(lists.map(|(name, _)| name).to_vec(), known.0, "a list is new or gone: say here what it reads");
    for (name, from) in lists {
        for who in [ours, theirs] {
            let sql = format!("SELECT t.ledger FROM {from} t");
            let of: Vec<Uuid> = read.rows(&who.who(&house), &sql, vec![], |row| row.get(0)).unwrap();
            assert!(!of.is_empty() && of.iter().all(|ledger| *ledger == who.ledger), "{name}: {of:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_waits_for_what_another_one_folds() {
    let house = House::on(Engine::Postgres);
    let [one, two] = [house.another_node(PROJECTIONS).await, house.another_node(PROJECTIONS).await];
    let owner = house.company("minato").await;
    let last = house.log.head(owner.ledger).await.unwrap().unwrap().size - 1;
    assert!(!two.wait(owner.ledger, last, Duration::from_millis(100)).await, "nobody has folded it");
    let (there, folded) = tokio::join!(two.wait(owner.ledger, last, Duration::from_secs(10)), one.catch_up());
    folded.unwrap();
    assert!(there);
    assert!(!two.wait(owner.ledger, last + 1, Duration::from_millis(100)).await);
    // The second node has nothing left to fold, and nothing is folded twice.
    let folded = one.dump().unwrap();
    two.catch_up().await.unwrap();
    assert_eq!(two.dump().unwrap(), folded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_hold_the_same_rows_live_and_rebuilt() {
    let house = House::on(Engine::Sqlite);
    let [mut other, mut third] = [House::on(Engine::Postgres), House::on(Engine::Postgres)];
    for elsewhere in [&mut other, &mut third] {
        (elsewhere.log, elsewhere.vault) = (house.log.clone(), house.vault.clone());
    }
    let [here, there] = [house.runner().await, other.runner().await];
    let owners = [house.company("minato").await, house.company("kawa").await];
    for owner in owners {
        everything(&house, owner).await;
        here.catch_up().await.unwrap();
        there.catch_up().await.unwrap();
    }
    house.erase(owners[0].ledger, owners[0].actor.id).await;
    here.catch_up().await.unwrap();
    there.catch_up().await.unwrap();
    let rows = here.dump().unwrap();
    assert!(rows.lines().count() > 40, "{rows}");
    assert_eq!(there.dump().unwrap(), rows);
    assert_eq!(third.runner().await.dump().unwrap(), rows, "made from zero");
    here.rebuild().await.unwrap();
    there.rebuild().await.unwrap();
    assert_eq!((here.dump().unwrap(), there.dump().unwrap()), (rows.clone(), rows));
}
