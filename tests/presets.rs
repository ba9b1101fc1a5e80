//! What documents are made from, and by what: items, templates, recurrences, batches; and another node to do it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Call;
use crate::company::{Company, Deployment, lines, text};

impl Deployment {
    /// A data directory for another node of it: its settings and keys.
    pub fn node(&self, name: &str) -> PathBuf {
        let data = self.folder().join(name);
        let copied = Command::new("cp").arg("-a").arg(self.data()).arg(&data).status().expect("cp runs");
        assert!(copied.success());
        data
    }

    /// The same deployment in another data directory of the same folder, where `keiin migrate` has moved it.
    pub fn moved(self, to: &str) -> Deployment {
        Deployment { data: self.folder.path().join(to), folder: self.folder }.unlimited()
    }
}

impl Company {
    /// The newest event after this position that somebody caused; the server's own follow in their own time.
    pub fn event_after(&self, position: u64) -> Option<Value> {
        let events = self.get("/v1/events?limit=200");
        let items = events["items"].as_array().expect("a list");
        let caused = |event: &&Value| event["actor"]["kind"] != "system" && event["position"].as_u64() > Some(position);
        items.iter().find(caused).cloned()
    }

    /// Has the server read and verify everything that is anchored; where only operators may order that, waits until it has
    /// done so by itself.
    pub fn verify(&self) {
        self.checkpoint();
        let scrub = Call::new("POST", "/scrub").json(&json!({}));
        // Where operators have accounts, that port speaks TLS and wants a certificate.
        if self.admin.url.starts_with("http://") {
            self.admin.send(&scrub).expect(200);
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.get("/v1/log/verification").get("last").is_none() {
            assert!(Instant::now() < deadline, "nothing was verified");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// What `register_item` takes.
    pub fn item_body(&self) -> Value {
        let n = self.next();
        json!({
            "code": format!("I-{n}"), "description": format!("Item {n} of {}", self.slug), "unit": "pcs",
            "unit_price": "120.5", "tax_rate": "10",
        })
    }

    /// An item of the catalog.
    pub fn new_item(&self) -> String {
        text(&self.ok(Call::new("POST", "/v1/items").json(&self.item_body())), "id")
    }

    /// What `define_template` takes: an invoice over ¥1,100, due in 30 days.
    pub fn template_body(&self) -> Value {
        json!({
            "name": format!("Template {} of {}", self.next(), self.slug), "document_type": "invoice",
            "title": "Work of {month}/{year}", "due_days": 30, "lines": lines(),
        })
    }

    /// A template.
    pub fn new_template(&self) -> String {
        text(&self.ok(Call::new("POST", "/v1/templates").json(&self.template_body())), "id")
    }

    /// What `set_up_recurrence` takes: a draft at the end of each month of the far future.
    pub fn recurrence_body(&self) -> Value {
        json!({
            "template_id": self.new_template(), "client_id": self.new_client(), "every_months": 1, "day": 31,
            "starts_on": "2099-01-01", "mode": "draft",
        })
    }

    /// A recurrence, perhaps a paused one.
    pub fn new_recurrence(&self, paused: bool) -> String {
        let id = text(&self.ok(Call::new("POST", "/v1/recurrences").json(&self.recurrence_body())), "id");
        if paused {
            let path = format!("/v1/recurrences/{id}");
            self.ok(Call::new("POST", &format!("{path}/pause")).if_match(&self.etag(&path)));
        }
        id
    }

    /// A batch of one document; it is done soon.
    pub fn new_batch(&self) -> String {
        let documents = json!({ "documents": [self.new_draft()] });
        text(&self.ok(Call::new("POST", "/v1/batches").json(&documents)), "id")
    }

    /// What `place_sending_order` takes: an invoice that is printed, to somebody by mail and somewhere by post.
    pub fn sending_order_body(&self, asks_approval: bool) -> Value {
        let document = text(&self.printed(&self.new_document()), "id");
        let (n, slug) = (self.next(), &self.slug);
        json!({
            "document_ids": [document], "message": format!("Message {n} of {slug}"), "asks_approval": asks_approval,
            "by_mail": [{ "to_name": format!("Somebody {n} of {slug}"), "to_email": format!("somebody{n}@{slug}.example") }],
            "by_post": [{ "to": self.address_body() }],
        })
    }

    /// A sending order, not released. What asks for approval is a colleague's, so that the owner may give it.
    pub fn new_sending_order(&self, asks_approval: bool) -> String {
        let key = format!("sending {}", self.next());
        let order = Call::new("POST", "/v1/sending-orders").key(&key).json(&self.sending_order_body(asks_approval));
        if !asks_approval {
            return text(&self.ok(order), "id");
        }
        let colleague = self.new_member("accountant").1;
        text(&self.client.send(&colleague.on(order)).expect(201).json(), "id")
    }

    /// Where something goes by post.
    pub fn address_body(&self) -> Value {
        json!({
            "name": format!("Recipient {} of {}", self.next(), self.slug), "honorific": "onchu",
            "postal_code": "105-8445", "region": "東京都", "locality": "港区", "street_address": "虎ノ門2-2-5",
        })
    }

    /// What `queue_postal_item` takes: an invoice that is printed, to an address of its own.
    pub fn postal_item_body(&self) -> Value {
        let document = text(&self.printed(&self.new_document()), "id");
        json!({ "document_ids": [document], "to": self.address_body() })
    }

    /// A postal item, as far as `queued`, `printed`, `dispatched` or `returned`.
    pub fn new_postal_item(&self, status: &str) -> String {
        let key = format!("post {}", self.next());
        let order = Call::new("POST", "/v1/postal-items").key(&key).json(&self.postal_item_body());
        let id = text(&self.ok(order), "id");
        let path = format!("/v1/postal-items/{id}");
        let steps = [("print", "printed", json!({})), ("dispatch", "dispatched", json!({}))];
        let steps = steps.into_iter().chain([("return", "returned", json!({ "reason": "moved" }))]);
        let mut now = "queued";
        for (verb, then, body) in steps {
            if now == status {
                break;
            }
            self.ok(Call::new("POST", &format!("{path}/{verb}")).if_match(&self.etag(&path)).json(&body));
            now = then;
        }
        assert_eq!(now, status);
        id
    }
}
