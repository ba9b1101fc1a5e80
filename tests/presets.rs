//! What documents are made from: items, templates.

use serde_json::{Value, json};

use crate::client::Call;
use crate::company::{Company, lines, text};

impl Company {
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
}
