//! Any event as JSON, for the audit trail's detail and for opened exports. Built from the catalog alone: a new noun needs no
//! code here.
//!
//! Personal fields are opened in place: `{"subject": "…", "person": {"name": "…"}}`, or `{"subject": "…", "erased": true}`
//! once they cannot be opened. `expires_at_us: 0` becomes `expires_at: "1970-01-01T00:00:00Z"`.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::catalog::{Visit, catalog};
use crate::command::Aggregate;
use crate::date::instant;
use crate::event::{Event, Stored, decode};
use crate::sealed::{Open, Personal};

/// The event's fields. `None` if this build knows no such event.
pub fn event_json(stream_kind: &str, stored: &Stored, open: &dyn Open) -> Option<Value> {
    let mut value = raw(stream_kind, stored)?;
    readable(&mut value, open);
    Some(value)
}

/// Whose personal fields are in an event, each once; empty if there are none, or if this build knows no such event.
pub fn subjects(stream_kind: &str, stored: &Stored) -> Vec<Uuid> {
    let mut found = Vec::new();
    if let Some(value) = raw(stream_kind, stored) {
        collect(&value, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// As serde sees it, boxes closed.
fn raw(stream_kind: &str, stored: &Stored) -> Option<Value> {
    struct Read<'a>(&'a str, &'a Stored, Option<Value>);
    impl Visit for Read<'_> {
        fn aggregate<A: Aggregate>(&mut self) {
            if A::STREAM == self.0 {
                self.2 = A::Event::read(self.1).ok().and_then(|event| serde_json::to_value(event).ok());
            }
        }
    }
    let mut read = Read(stream_kind, stored, None);
    catalog(&mut read);
    read.2
}

/// The parts of a `Sealed` in JSON. Events hold no maps and no JSON, so nothing that people type can look like one.
fn as_box(fields: &Map<String, Value>) -> Option<(&str, Uuid, u16, Vec<u8>)> {
    let subject = fields.get("subject")?.as_str()?.parse().ok()?;
    let key_version = fields.get("key_version")?.as_u64()?.try_into().ok()?;
    let bytes = fields.get("sealed")?.as_array()?.iter().map(|b| b.as_u64()?.try_into().ok());
    Some((fields.get("class")?.as_str()?, subject, key_version, bytes.collect::<Option<_>>()?))
}

fn collect(value: &Value, found: &mut Vec<Uuid>) {
    match value {
        Value::Object(fields) => match as_box(fields) {
            Some((_, subject, ..)) => found.push(subject),
            None => fields.values().for_each(|v| collect(v, found)),
        },
        Value::Array(items) => items.iter().for_each(|v| collect(v, found)),
        _ => {}
    }
}

fn readable(value: &mut Value, open: &dyn Open) {
    match value {
        Value::Object(fields) => {
            if let Some((class, subject, key_version, bytes)) = as_box(fields) {
                let opened = open.open(subject, key_version, &bytes).and_then(|plain| personal(class, &plain));
                *value = match opened {
                    Some(inner) => json!({ "subject": subject, class: inner }),
                    None => json!({ "subject": subject, "erased": true }),
                };
                return;
            }
            let entries = std::mem::take(fields).into_iter().filter(|(_, v)| !v.is_null());
            *fields = entries.map(|(key, value)| entry(key, value, open)).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(|v| readable(v, open)),
        _ => {}
    }
}

/// One field: absent, not null; times as people read them.
fn entry(key: String, mut value: Value, open: &dyn Open) -> (String, Value) {
    match (key.strip_suffix("_us"), value.as_i64()) {
        (Some(name), Some(time_us)) if name.ends_with("_at") => (name.to_owned(), instant(time_us).into()),
        _ => {
            readable(&mut value, open);
            (key, value)
        }
    }
}

/// The fields of a class, without those that are empty.
fn personal(class: &str, plain: &[u8]) -> Option<Value> {
    struct Decode<'a>(&'a str, &'a [u8], Option<Value>);
    impl Visit for Decode<'_> {
        fn personal<P: Personal>(&mut self) {
            if P::CLASS == self.0 {
                self.2 = decode::<P>(self.1).and_then(|fields| serde_json::to_value(fields).ok());
            }
        }
    }
    let mut found = Decode(class, plain, None);
    catalog(&mut found);
    let mut value = found.2?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, v| v.as_str() != Some(""));
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Registered as Client;
    use crate::member::{Invited, MemberEvent};
    use crate::role::Role;
    use crate::sealed::Person;
    use crate::testing::{ANNA, Opener, sealed};

    fn invited() -> Stored {
        let person = Person { name: "田中 花子".into(), email: "hanako@example.jp".into(), ..Person::default() };
        let event = Invited {
            person: sealed(ANNA, &person),
            role: Role::Admin,
            permission_set: None,
            invited_by: None,
            secret_hash: [10; 32],
            expires_at_us: 1,
        };
        MemberEvent::from(event).store()
    }

    #[test]
    fn an_event_is_shown_with_its_boxes_open() {
        let shown = event_json("member", &invited(), &Opener::default()).unwrap();
        let expected = json!({
            "person": { "subject": ANNA, "person": { "name": "田中 花子", "email": "hanako@example.jp" } },
            "role": "admin", "secret_hash": "0a".repeat(32), "expires_at": "1970-01-01T00:00:00.000001Z",
        });
        assert_eq!(shown, expected);
        assert_eq!(subjects("member", &invited()), [ANNA]);
    }

    #[test]
    fn what_was_erased_stays_closed_and_the_rest_is_shown() {
        let shown = event_json("member", &invited(), &Opener { erased: vec![ANNA] }).unwrap();
        assert_eq!(shown["person"], json!({ "subject": ANNA, "erased": true }));
        assert_eq!(shown["role"], "admin");
        assert_eq!(subjects("member", &invited()), [ANNA], "still known, though nothing can be opened");
    }

    #[test]
    fn what_is_unknown_is_nothing() {
        let other = Stored { kind: "ledger.opened".into(), version: 1, bytes: b"keiin/v1".to_vec() };
        assert_eq!(event_json("ledger", &other, &Opener::default()), None);
        assert_eq!(event_json("client", &invited(), &Opener::default()), None, "of another stream");
        assert!(subjects("ledger", &other).is_empty());
    }

    #[test]
    fn nothing_that_is_typed_looks_like_a_box() {
        let name = r#"{"class":"person","subject":"00000000-0000-0000-0000-000000000000","key_version":1,"sealed":[]}"#;
        let profile = crate::testing::profile(name);
        let stored = crate::client::ClientEvent::from(Client {
            profile,
            reading: String::new(),
            person: None,
            contacts: vec![],
        })
        .store();
        let shown = event_json("client", &stored, &Opener::default()).unwrap();
        assert_eq!(shown["profile"]["name"], name);
        assert!(shown.get("person").is_none(), "absent, not null");
        assert!(subjects("client", &stored).is_empty());
    }
}
