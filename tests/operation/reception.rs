//! Requests for what a kiosk does, and for what it asks.

use serde_json::json;

use super::{Example, receive};
use crate::company::Company;

/// What is asked for here.
pub const OPERATIONS: &[&str] = &[
    "check_in", "check_out", "walk_in", "get_reception", "change_reception", "get_kiosk_flow", "get_kiosk_hosts",
    "get_kiosk_notice",
];

/// Fills in one of them.
pub fn fill(company: &Company, name: &str, example: &mut Example) {
    match name {
        "get_reception" => {}
        "change_reception" => {
            let label = format!("Question {} of {}", company.next(), company.slug);
            let question = json!({ "field": "text", "label": { "ja": label, "en": label }, "walk_in": true });
            let name = json!({ "field": "name", "walk_in": true, "required": true });
            let questions = [name, question];
            example.body =
                Some(json!({ "questions": questions, "walk_ins": true, "check_outs": true, "hosts": "nobody" }));
        }
        _ => {
            let (visit, secret) = company.new_visit();
            if name == "check_out" {
                receive(company, &visit);
            }
            example.sender = company.new_kiosk().1;
            example.body = match name {
                "check_in" | "check_out" => Some(json!({ "code": secret })),
                "walk_in" => Some(json!({ "visitor_name": format!("Passer-by of {}", company.slug) })),
                _ => None,
            };
        }
    }
}
