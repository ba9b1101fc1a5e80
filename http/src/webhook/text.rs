//! What messages say.

use keiin_projections::webhook::Endpoint;
use keiin_projections::webhook::delivery::Message;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::locale::Lang;

/// The body of a message by Standard Webhooks: where the record stands, and nothing of what it says. What is in here may be
/// copied anywhere and outlives any erasure, so no field may ever hold anything personal (RN-10).
pub fn body(ledger: Uuid, message: &Message) -> String {
    json!({
        "type": message.kind,
        "timestamp": message.time,
        "data": {
            "ledger": ledger,
            "position": message.position,
            "object": { "kind": message.object_kind, "id": message.object_id },
            "hash": message.hash.to_string(),
        },
    })
    .to_string()
}

/// The message in the API's description.
pub fn described() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let header = |name: &str, about: &str| json!({ "name": name, "in": "header", "required": true, "description": about, "schema": { "type": "string" } });
    let object = json!({ "type": "object", "required": ["kind", "id"], "properties": {
        "kind": text("Noun."), "id": { "type": "string", "format": "uuid" },
    } });
    let data = json!({ "type": "object", "required": ["ledger", "position", "object", "hash"], "properties": {
        "ledger": { "type": "string", "format": "uuid", "description": "The company." },
        "position": { "type": "integer", "minimum": 0, "description": "Of the record: the order of what happened." },
        "object": object,
        "hash": text("Of the record, 64 hex digits."),
    } });
    let schema = json!({ "type": "object", "required": ["type", "timestamp", "data"], "properties": {
        "type": text("Kind of the record, as in docs/events.md."),
        "timestamp": { "type": "string", "format": "date-time", "description": "When it was written." },
        "data": data,
    } });
    json!({ "post": {
        "summary": "A record that an endpoint wants was written",
        "description": "Sent to endpoints of `register_webhook`, at least once and in no promised order. Answer 2xx within \
            15 seconds; how to check it: docs/CONNECTING.md.",
        "parameters": [
            header("webhook-id", "The same whenever the message is sent."),
            header("webhook-timestamp", "When it was sent, seconds since 1970."),
            header("webhook-signature", "`v1,` HMAC-SHA256 and `v1a,` Ed25519, both in base64 over `id.timestamp.body`."),
        ],
        "requestBody": { "required": true, "content": { "application/json": { "schema": schema } } },
        "responses": {
            "2XX": { "description": "Taken." },
            "410": { "description": "Never again: the endpoint is switched off." },
            "default": { "description": "Tried again." },
        },
        "security": [],
    } })
}

/// Slack's: what happened, to what, and where to look. People are named only where the company wants that, and only those
/// who visit.
pub fn sentence(app: &App, of: &Endpoint, message: &Message) -> String {
    let lang = Lang::parse(&of.language).unwrap_or_default();
    let what = app.texts.get(lang, &format!("kind-{}", message.kind.replace(['.', '_'], "-")), &[]);
    let may_name = !message.is_about_persons() || (of.names_visitors && message.object_kind == "visit");
    let mut text = escaped(&what);
    if let Some(label) = message.label.as_deref().filter(|label| may_name && !label.is_empty()) {
        text.push_str(&format!(" – {}", escaped(label)));
    }
    let link = escaped(&format!("{}/audit/{}", app.public_url(), message.position));
    text.push_str(&format!(" <{link}|{}>", escaped(&app.texts.get(lang, "webhook-sentence-open", &[]))));
    json!({ "text": text }).to_string()
}

/// The three characters that mean something in Slack's markup, on one line.
fn escaped(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use keiin_eventlog::record::Hash;
    use keiin_projections::view::Time;

    use super::*;

    #[test]
    fn a_message_is_a_place_and_no_content() {
        let (id, object_id) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let message = Message {
            id,
            position: 41,
            kind: "visit.checked_in".into(),
            time: Time(1_793_577_600_000_000),
            hash: Hash([0xab; 32]),
            object_kind: "visit".into(),
            object_id,
            label: Some("来る 人".into()),
            attempts: 1,
        };
        assert_eq!(
            body(Uuid::from_u128(3), &message),
            format!(
                "{{\"data\":{{\"hash\":\"{}\",\"ledger\":\"{}\",\"object\":{{\"id\":\"{object_id}\",\"kind\":\"visit\"}},\
                 \"position\":41}},\"timestamp\":\"2026-11-02T00:00:00Z\",\"type\":\"visit.checked_in\"}}",
                "ab".repeat(32),
                Uuid::from_u128(3)
            )
        );
        assert!(message.is_about_persons());
    }

    #[test]
    fn markup_of_others_is_no_markup() {
        assert_eq!(escaped("<!channel> A&B\n<https://x|y>"), "&lt;!channel&gt; A&amp;B &lt;https://x|y&gt;");
    }
}
