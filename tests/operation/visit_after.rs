//! Requests about what follows an arrival: answers, the blocklist, the policy, erasing.

use serde_json::json;

use super::{Example, receive};
use crate::client::Call;
use crate::company::{Company, Credential, text};
use crate::mailbox::vault_secret;

/// Fills in one of them; false if it is about something else.
pub fn fill(company: &Company, name: &str, example: &mut Example) -> bool {
    match name {
        "acknowledge_visit" => example.body = Some(json!({ "answer": "coming" })),
        "answer_notice" => {
            let visit = company.new_visit().0;
            receive(company, &visit);
            example.sender = Credential::Nobody;
            example.params.insert("token", vault_secret(&company.data, "ans", &company.id, &visit));
            example.body = Some(json!({ "answer": "wait" }));
        }
        "let_visitor_in" => example.body = Some(json!({ "reason": format!("Because of {}", company.slug) })),
        "erase_visitor" => example.sender = company.login.clone(),
        "add_to_blocklist" => example.body = Some(entry(company)),
        "change_visit_policy" => example.body = Some(json!({ "escalate_after_min": 5 })),
        "turn_visitor_away"
        | "remove_from_blocklist"
        | "get_visit_figures"
        | "get_visit_policy"
        | "get_present_visitors" => {}
        _ => return false,
    }
    true
}

/// What it is about.
pub fn object(company: &Company, name: &str) -> Option<String> {
    match name {
        "acknowledge_visit" => {
            let visit = company.new_visit().0;
            receive(company, &visit);
            Some(visit)
        }
        "let_visitor_in" => {
            let visit = company.new_visit().0;
            let visitor = text(&company.get(&format!("/v1/visits/{visit}"))["visitor"], "name");
            let entry = json!({ "kind": "name", "value": visitor });
            company.ok(Call::new("POST", "/v1/blocklist_entries").json(&entry));
            Some(visit)
        }
        "turn_visitor_away" => Some(company.new_visit().0),
        "erase_visitor" => {
            let visit = company.new_visit().0;
            let path = format!("/v1/visits/{visit}");
            company.ok(Call::new("POST", &format!("{path}/cancel")).if_match(&company.etag(&path)));
            Some(visit)
        }
        "get_blocklist_entry" | "remove_from_blocklist" => {
            let added = company.ok(Call::new("POST", "/v1/blocklist_entries").json(&entry(company)));
            Some(text(&added, "id"))
        }
        _ => None,
    }
}

fn entry(company: &Company) -> serde_json::Value {
    json!({ "kind": "name", "value": format!("Listed {} of {}", company.next(), company.slug) })
}
