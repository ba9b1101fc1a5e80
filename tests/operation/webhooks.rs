//! Requests about webhooks, and about mails that did not arrive.

use serde_json::json;

use super::Example;
use crate::company::Company;

/// Fills in one of them; false if it is about something else.
pub fn fill(company: &Company, name: &str, example: &mut Example) -> bool {
    match name {
        "register_webhook" => {
            company.make_room();
            let body = json!({ "url": "https://receiver.invalid/hook", "events": ["token.revoked"] });
            example.body = Some(body);
        }
        "send_mail_again" => {
            let (effect_position, n) = company.failed_mail();
            example.body = Some(json!({ "effect_position": effect_position, "n": n }));
        }
        "change_webhook" => example.body = Some(json!({ "events": ["token.issued"] })),
        "replay_webhook" => example.body = Some(json!({ "first": 1, "last": 1 })),
        "rotate_webhook_secret" | "enable_webhook" | "disable_webhook" | "ping_webhook" | "remove_webhook" => {}
        _ => return false,
    }
    true
}

/// What it is about.
pub fn object(company: &Company, name: &str) -> Option<String> {
    match name {
        "get_webhook"
        | "change_webhook"
        | "rotate_webhook_secret"
        | "enable_webhook"
        | "disable_webhook"
        | "ping_webhook"
        | "replay_webhook"
        | "remove_webhook" => Some(company.new_webhook()),
        "get_webhook_delivery" => Some(company.new_webhook_delivery()),
        _ => None,
    }
}
