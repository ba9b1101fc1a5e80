//! Requests about what mails say.

use serde_json::{Value, json};

use super::Example;
use crate::client::Call;
use crate::company::{Company, text};

/// Fills in one of them; false if it is about something else.
pub fn fill(company: &Company, name: &str, example: &mut Example) -> bool {
    match name {
        "get_mail_templates" => {}
        "set_mail_template" => example.body = Some(words(company)),
        "clear_mail_template" => {
            set(company);
            example.body = Some(json!({ "kind": "inbox", "language": "ja" }));
        }
        _ => return false,
    }
    true
}

/// What it is about: a mail, or the stream of its words, which no other company has.
pub fn object(company: &Company, name: &str) -> Option<String> {
    let id = match name {
        "get_mail" => {
            company.invite("viewer");
            text(&company.get("/v1/mails?limit=1")["items"][0], "id")
        }
        "get_mail_template" => {
            set(company);
            let events = company.get("/v1/events?kind=mail_template.set");
            text(&events["items"][0]["object"], "id")
        }
        _ => return None,
    };
    Some(id)
}

fn words(company: &Company) -> Value {
    let subject = format!("{} of {}", company.next(), company.slug);
    json!({ "kind": "inbox", "language": "ja", "subject": subject, "text": "{link}" })
}

fn set(company: &Company) {
    company.ok(Call::new("POST", "/v1/mail-templates").json(&words(company)));
}
