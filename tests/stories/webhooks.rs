//! Programs elsewhere hear of records: signed by Standard Webhooks, at least once, in their own time, and nowhere that the
//! internet does not know (RN-C23, RN-10; ASVS V1.3.6; OWASP API7).

use std::sync::Arc;
use std::time::{Duration, Instant};

use keiin_tests::company::text;
use keiin_tests::webhook::{Manner, Receiver};
use keiin_tests::{Call, Company, Deployment, Server, authlib, python, root};
use serde_json::{Value, json};

/// A company that may have messages sent to these receivers.
fn company(slug: &str, receivers: &[&Arc<Receiver>]) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    deployment.may_send_to(&receivers.iter().map(|receiver| &***receiver).collect::<Vec<_>>());
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

/// The code of the page for those who connect programs, run by Python: what it says of a message.
fn judged(secret: &str, public_key: &str, headers: &[(&str, &str)], body: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/CONNECTING.md")).expect("the page is there");
    let (_, code) = page.split_once("```python\n").expect("it has a receiver");
    let (code, _) = code.split_once("```").expect("which ends");
    let headers: Value = headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let more = "\nimport json, sys\nsecret, public_key, headers, body = json.load(sys.stdin)\n\
                try:\n    print(verify(secret, public_key, headers, body.encode())['type'])\n\
                except ValueError as why:\n    print('refused:', why)\n";
    let input = json!([secret, public_key, headers, body]).to_string();
    let done = keiin_tests::webhook::piped(&python(), &["-c", &format!("{code}{more}")], &input);
    done.trim().to_owned()
}

/// What the library of Standard Webhooks says of the same (PyPI `standardwebhooks`; it knows `v1`).
fn judged_elsewhere(secret: &str, headers: &[(&str, &str)], body: &str) -> String {
    let code = "import json, sys\n\
        from standardwebhooks.webhooks import Webhook, WebhookVerificationError\n\
        secret, headers, body = json.load(sys.stdin)\n\
        try:\n    print(Webhook(secret).verify(body.encode(), headers)['type'])\n\
        except WebhookVerificationError as why:\n    print('refused:', why)\n";
    let headers: Value = headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let input = json!([secret, headers, body]).to_string();
    keiin_tests::webhook::piped(&authlib(), &["-c", code], &input).trim().to_owned()
}

#[test]
fn rn_c23_a_message_is_signed_and_names_a_record_and_nothing_personal() {
    let receiver = Receiver::start();
    let (_deployment, _server, company) = company("told", &[&receiver]);
    let made = company.webhook(&json!({ "url": receiver.url(), "events": ["client.*", "visit.registered"] }));
    let (id, secret, key) = (text(&made, "id"), text(&made, "secret"), text(&made, "public_key"));
    assert!(secret.starts_with("whsec_") && key.starts_with("whpk_"), "{made}");
    let shown = company.get(&format!("/v1/webhooks/{id}"));
    assert_eq!((&shown["secret"], &shown["public_key"]), (&Value::Null, &json!(key)));
    company.new_draft();
    company.new_visit();
    let message = receiver.of_kind("visit.registered");
    assert_eq!(message.asked, "POST /hook HTTP/1.1");
    assert_eq!(message.header("content-type"), "application/json");
    let event = company.get("/v1/events?kind=visit.registered")["items"][0].clone();
    let expected = json!({
        "type": "visit.registered", "timestamp": event["time"],
        "data": { "ledger": company.id, "position": event["position"], "hash": event["hash"],
            "object": { "kind": "visit", "id": event["object"]["id"] } },
    });
    assert_eq!(message.json(), expected);
    receiver.of_kind("client.registered");
    for message in receiver.messages() {
        assert!(!message.json()["type"].as_str().is_some_and(|kind| kind.starts_with("document")), "not asked for");
        assert!(!message.body.contains(&format!("of {}", company.slug)), "{}", message.body);
    }

    // As its receiver checks it, with both signatures and with either.
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (*name, message.header(name))).collect();
    let (v1, v1a) = message.header("webhook-signature").split_once(' ').expect("two signatures");
    assert!(v1.starts_with("v1,") && v1a.starts_with("v1a,"));
    for signature in [message.header("webhook-signature"), v1, v1a, "v1,AAAA v9,x"] {
        let mut headers = headers.clone();
        headers[2].1 = signature;
        let good = if signature.contains("AAAA") { "refused: signature" } else { "visit.registered" };
        assert_eq!(judged(&secret, &key, &headers, &message.body), good, "{signature}");
        assert_eq!(judged(&secret, &key, &headers, &format!("{} ", message.body)), "refused: signature");
    }
    let old = [headers[0], ("webhook-timestamp", "1600000000"), headers[2]];
    assert_eq!(judged(&secret, &key, &old, &message.body), "refused: timestamp");
    assert_eq!(judged_elsewhere(&secret, &headers, &message.body), "visit.registered");
    let other = "refused: No matching signature found";
    assert_eq!(judged_elsewhere(&secret, &headers, &format!("{} ", message.body)), other);
    assert_eq!(judged_elsewhere("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &headers, &message.body), other);
    assert!(judged_elsewhere(&secret, &old, &message.body).starts_with("refused: "), "too old");

    // A new secret signs, and the one before beside it.
    let renewed = company.do_webhook(&id, "secret", &json!({}));
    assert_eq!(renewed["prior_public_key"], json!(key));
    company.do_webhook(&id, "ping", &json!({}));
    let ping = receiver.of_kind("webhook.pinged");
    assert_eq!(ping.header("webhook-signature").split(' ').count(), 4);
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (*name, ping.header(name))).collect();
    for (secret, key) in [(&secret, &key), (&text(&renewed, "secret"), &text(&renewed, "public_key"))] {
        assert_eq!(judged(secret, key, &headers, &ping.body), "webhook.pinged");
    }
    assert_eq!(judged(&secret.replace("whsec_", "whsec_AAAA"), "", &headers, &ping.body), "refused: signature");
}

#[test]
fn what_is_refused_is_tried_again_under_the_same_id_and_can_be_sent_once_more() {
    let receiver = Receiver::start();
    let (_deployment, _server, company) = company("again", &[&receiver]);
    let webhook = text(&company.webhook(&json!({ "url": receiver.url(), "events": ["client.registered"] })), "id");
    let mut long = b"<b>no</b>\x1b".to_vec();
    long.extend([b'x'; 20_000]);
    receiver.answers(Manner { body: long, ..Manner::says("500 No") });
    company.new_client();
    let waits = company.webhook_delivery(&webhook, |d| d["tries"][0]["status"] == 500);
    assert_eq!((waits["status"].as_str(), waits["attempts"].as_u64()), (Some("queued"), Some(1)));
    let answer = text(&waits["tries"][0], "answer");
    assert!(answer.starts_with("<b>no</b>xxx") && answer.len() <= 1_024, "{}", answer.len());
    receiver.answers(Manner::says("302 Found\r\nlocation: http://169.254.169.254/"));
    company.webhook_delivery(&webhook, |d| d["tries"][1]["status"] == 302);
    receiver.answers(Manner::says("204 No Content"));
    let position = waits["position"].as_u64().expect("a position");
    company.do_webhook(&webhook, "replay", &json!({ "first": position, "last": position }));
    let done = company.webhook_delivery(&webhook, |d| d["status"] == "delivered");
    assert_eq!(done["tries"].as_array().map(Vec::len), Some(3), "{done}");
    let ids: Vec<String> = receiver.messages().iter().map(|m| m.header("webhook-id").to_owned()).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == done["message_id"]), "{ids:?}");
    // Another range holds nothing that it wants, and what it did not hear of is not there.
    company.do_webhook(&webhook, "replay", &json!({ "first": 0, "last": 1 }));
    company.do_webhook(&webhook, "ping", &json!({}));
    receiver.of_kind("webhook.pinged");
    assert_eq!(receiver.messages().len(), 4);
}

#[test]
fn an_endpoint_that_is_gone_is_switched_off_and_its_owners_hear_of_it() {
    let receiver = Receiver::start();
    let (_deployment, _server, company) = company("gone", &[&receiver]);
    let webhook = text(&company.webhook(&json!({ "url": receiver.url(), "events": ["*"] })), "id");
    receiver.answers(Manner::says("410 Gone"));
    company.new_client();
    let until = Instant::now() + Duration::from_secs(30);
    while company.get(&format!("/v1/webhooks/{webhook}"))["status"] != "gone" {
        assert!(Instant::now() < until, "{}", company.get(&format!("/v1/webhooks/{webhook}")));
        std::thread::sleep(Duration::from_millis(50));
    }
    company.mark();
    company.settle();
    let off = company.get("/v1/events?kind=webhook.disabled");
    assert_eq!(off["items"].as_array().map(Vec::len), Some(1), "{off}");
    let mails = company.get("/v1/mails?template=webhook_disabled");
    assert_eq!(mails["items"].as_array().map(Vec::len), Some(1), "{mails}");
    assert!(text(&mails["items"][0], "link").ends_with("/webhooks"));
    let heard = receiver.messages().len();
    company.new_client();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(receiver.messages().len(), heard, "nothing comes any more");
    receiver.answers(Manner::says("200 OK"));
    company.do_webhook(&webhook, "enable", &json!({}));
    company.new_client();
    receiver.message(|m| m.json()["type"] == "client.registered" && receiver.messages().len() > heard);
}

/// The clock starts at each of these times; the messages' own tries go on in between.
#[test]
fn an_endpoint_that_took_nothing_for_five_days_is_switched_off() {
    let receiver = Receiver::start();
    let deployment = Deployment::new();
    deployment.may_send_to(&[&receiver]);
    let server = Server::serve_at("@2026-11-02 00:00:00", &deployment.data());
    let first = Company::sign_up(&server, "failing");
    let body = json!({ "url": receiver.url(), "events": ["client.registered"] });
    let webhook = text(&first.webhook(&body), "id");
    let path = format!("/v1/webhooks/{webhook}");
    receiver.answers(Manner::says("500 No"));
    let fails = |company: &Company| {
        company.new_client();
        let newest = company.get("/v1/events?kind=client.registered&limit=1")["items"][0]["position"].clone();
        company.webhook_delivery(&webhook, |d| d["position"] == newest && d["tries"][0]["status"] == 500);
        company.mark();
        company.settle();
        text(&company.get(&path), "status")
    };
    assert_eq!(fails(&first), "on");
    drop(server);
    let server = Server::serve_at("@2026-11-06 23:00:00", &deployment.data());
    assert_eq!(fails(&first.at(&server)), "on", "not five days yet");
    drop(server);

    let server = Server::serve_at("@2026-11-07 01:00:00", &deployment.data());
    let company = first.at(&server);
    let until = Instant::now() + Duration::from_secs(30);
    company.new_client();
    while company.get(&path)["status"] != "failing" {
        assert!(Instant::now() < until, "{}", company.get(&path));
        std::thread::sleep(Duration::from_millis(50));
    }
    company.settle();
    let off = company.get("/v1/events?kind=webhook.disabled");
    assert_eq!(off["items"].as_array().map(Vec::len), Some(1), "{off}");
    let mails = company.get("/v1/mails?template=webhook_disabled");
    assert_eq!(mails["items"].as_array().map(Vec::len), Some(1), "its owner is told: {mails}");
    let heard = receiver.messages().len();
    company.new_client();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(receiver.messages().len(), heard, "nothing comes any more");

    // Switched on again it has its five days anew.
    company.do_webhook(&webhook, "enable", &json!({}));
    assert_eq!(fails(&company), "on");
    receiver.answers(Manner::says("204 No Content"));
    company.new_client();
    company.webhook_delivery(&webhook, |d| d["status"] == "delivered");
}

#[test]
fn a_slow_receiver_keeps_nobody_waiting() {
    let (slow, quick) = (Receiver::start(), Receiver::start());
    let (_deployment, _server, company) = company("slow", &[&slow, &quick]);
    slow.answers(Manner { after: Duration::from_secs(20), ..Manner::says("200 OK") });
    company.webhook(&json!({ "url": slow.url(), "events": ["*"] }));
    company.webhook(&json!({ "url": quick.url(), "events": ["client.registered"] }));
    let began = Instant::now();
    (0..20).for_each(|_| drop(company.new_client()));
    quick.message(|_| quick.messages().len() == 20);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(slow.messages().len() <= 4, "no more than four at once");
    let ids: std::collections::BTreeSet<String> =
        quick.messages().iter().map(|m| m.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 20, "each once");
}

/// Killed after the receiver has taken the message and before that was written down; then the read models are lost, too.
#[test]
fn nothing_is_lost_with_a_process_or_a_read_model() {
    let receiver = Receiver::start();
    let (deployment, mut server, company) = company("killed", &[&receiver]);
    let webhook = text(&company.webhook(&json!({ "url": receiver.url(), "events": ["client.registered"] })), "id");
    receiver.answers(Manner { after: Duration::from_secs(10), ..Manner::says("200 OK") });
    company.new_client();
    let first = receiver.of_kind("client.registered");
    server.kill();
    drop(server);
    receiver.answers(Manner::says("200 OK"));
    let server = deployment.serve();
    let company = company.at(&server);
    let again =
        receiver.message(|m| m.header("webhook-id") == first.header("webhook-id") && receiver.messages().len() > 1);
    assert_eq!(again.body, first.body);
    company.webhook_delivery(&webhook, |d| d["status"] == "delivered");
    receiver.answers(Manner::says("503 Busy"));
    company.new_client();
    company.webhook_delivery(&webhook, |d| d["tries"][0]["status"] == 503);
    assert_eq!(server.stop(), 0);
    if !deployment.data().join("read.db").exists() {
        return; // The read models of PostgreSQL are another story.
    }
    for name in ["read.db", "read.db-wal", "read.db-shm"] {
        // Some of them are not there.
        let _ = std::fs::remove_file(deployment.data().join(name));
    }
    receiver.answers(Manner::says("200 OK"));
    let server = deployment.serve();
    let company = company.at(&server);
    let newest = company.get("/v1/events?kind=client.registered")["items"][0]["position"].clone();
    receiver.message(|m| m.json()["data"]["position"] == newest && receiver.messages().len() > 3);
    company.webhook_delivery(&webhook, |d| d["position"] == newest && d["status"] == "delivered");
}

#[test]
fn nobody_has_us_knock_at_home() {
    let home = Receiver::start();
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "home");
    let port = home.address.rsplit(':').next().expect("a port");
    for url in [
        home.url(),
        format!("https://127.0.0.1:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://0x7f000001:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://[fd00:ec2::254]/".to_owned(),
        "https://receiver.example:22/".to_owned(),
    ] {
        let body = json!({ "url": url, "events": ["*"] });
        let refused = company.send(Call::new("POST", "/v1/webhooks").json(&body)).expect(422).json();
        assert_eq!(
            (&refused["code"], &refused["errors"][0]["pointer"]),
            (&json!("webhook.forbidden_url"), &json!("/url"))
        );
    }
    // A name says only at its look-up where it leads.
    let url = format!("https://localhost:{port}/");
    let webhook = text(&company.webhook(&json!({ "url": url, "events": ["client.registered"] })), "id");
    company.do_webhook(&webhook, "ping", &json!({}));
    let tried = company.webhook_delivery(&webhook, |d| d["tries"][0]["error"].is_string());
    assert_eq!(tried["tries"][0]["error"], "the address is not public");
    assert_eq!(home.messages().len(), 0, "nobody knocked");
}

#[test]
fn slack_is_told_in_a_sentence_without_names_and_markup() {
    let slack = Receiver::start();
    let (deployment, server, company) = company("slack", &[&slack]);
    let url = slack.url() + "/services/T0/B0/secret-of-slack";
    let events = json!(["visit.registered", "document.drafted"]);
    let body = json!({ "kind": "slack", "url": url, "events": events, "language": "en" });
    let made = company.webhook(&body);
    assert_eq!(made["url"], format!("http://{}/…", slack.address));
    assert_eq!((&made["secret"], &made["public_key"]), (&Value::Null, &Value::Null));
    company.new_visit();
    let visit = slack.message(|m| m.body.contains("isit"));
    let position = company.get("/v1/events?kind=visit.registered")["items"][0]["position"].clone();
    let link = format!("<{}/audit/{position}|Open the record>", server.url);
    assert_eq!(visit.json(), json!({ "text": format!("Visit registered {link}") }));
    assert_eq!(visit.header("webhook-signature"), "");
    let draft = json!({ "document_type": "invoice", "client_id": company.new_client(), "title": "<!channel> A & B",
        "date": "2026-11-20", "lines": [] });
    company.ok(Call::new("POST", "/v1/documents").json(&draft));
    let drafted = slack.message(|m| m.body.contains("channel"));
    assert!(text(&drafted.json(), "text").contains("&lt;!channel&gt; A &amp; B"), "{}", drafted.body);
    // Where the company wants it, visitors are named, in its language.
    let id = text(&made, "id");
    let path = format!("/v1/webhooks/{id}");
    let change = json!({ "events": events, "language": "ja", "names_visitors": true });
    company.ok(Call::new("PUT", &path).if_match(&company.etag(&path)).json(&change));
    company.new_visit();
    slack.message(|m| text(&m.json(), "text").contains(&format!("of {}", company.slug)));
    slack.message(|m| text(&m.json(), "text").contains("記録を開く"));
    // Its address is nowhere but in the vault, where it is sealed.
    keiin_tests::canary::assert_absent(&deployment.data(), "secret-of-slack", |_| false);
}
