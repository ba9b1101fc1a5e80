//! Requests for what people do with what was sent, at both ends.

use serde_json::json;

use super::Example;
use crate::company::{Company, Credential, PASSWORD, text};

/// What is asked for here, beside [`IN_INBOX`].
pub const OPERATIONS: &[&str] =
    &["open_link", "download_document", "register_recipient", "resend_link", "revoke_link", "list_inbox"];

/// What a recipient with an account does with something in their inbox.
pub const IN_INBOX: &[&str] = &["open_delivery", "take_file", "take_files", "reply_to_delivery", "accept_quote"];

/// Fills in one of them.
pub fn fill(company: &Company, name: &str, example: &mut Example) {
    match name {
        "open_link" => {
            example.sender = Credential::Nobody;
            example.params.insert("token", company.new_delivery().1);
        }
        "download_document" | "register_recipient" => {
            let (id, link) = company.new_delivery();
            company.client.post(&format!("/v1/links/{link}/open"), &json!({})).expect(200);
            example.sender = Credential::Nobody;
            example.params.insert("token", link);
            example.body = Some(if name == "register_recipient" {
                json!({ "name": format!("Recipient of {}", company.slug), "password": PASSWORD })
            } else {
                let document = text(&company.get(&format!("/v1/deliveries/{id}"))["documents"][0], "id");
                company.printed(&document);
                json!({ "document_id": document })
            });
        }
        "resend_link" => example.body = Some(json!({ "expires_in_days": 30 })),
        "revoke_link" => example.body = Some(json!({ "reason": format!("Because of {}", company.slug) })),
        "list_inbox" => example.sender = company.new_recipient().1,
        _ => {
            let document = match name {
                "accept_quote" => company.issue(&company.new_draft_of("quote")),
                _ => company.new_document(),
            };
            company.printed(&document);
            let (email, login) = company.new_recipient();
            example.params.insert("id", company.send_to(&email, &document));
            example.sender = login;
            example.body = Some(match name {
                "take_file" => json!({ "document_id": document }),
                "reply_to_delivery" => json!({ "text": format!("Thanks to {}", company.slug) }),
                "accept_quote" => json!({ "document_id": document, "revision": 1 }),
                _ => json!({}),
            });
        }
    }
}
