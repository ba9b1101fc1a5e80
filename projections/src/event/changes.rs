//! What an event changed: each of its fields beside what an earlier event of the same object said there.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One field before and after.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Change {
    /// Path with dots: `profile.name`, `lines.0.quantity`.
    pub field: String,
    /// What it was; absent where there was nothing, or nothing can be known any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub before: Option<Value>,
    /// What it is; absent where there is nothing any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub after: Option<Value>,
}

/// Events that say what happened once; an earlier one of the same kind is no "before".
const OCCURRENCES: &[&str] =
    &["access.", "data.", "document.payment_recorded", "log.", "mail.", "series.", "session.", "tenant_data."];
/// Fields that a replacing event leaves out when there is nothing any more.
const REMOVABLE: &[(&str, &str)] = &[("client.changed", "person"), ("document.changed", "date_due")];
/// What nobody reads as a change.
const SILENT: &[&str] = &["secret_hash", "passcode", "subject", "registration_number_checks"];

/// `earlier` are the object's earlier events, the oldest first.
pub fn changes<'a>(kind: &str, event: &Value, earlier: impl Iterator<Item = &'a Value>) -> Vec<Change> {
    let Value::Object(fields) = event else { return vec![] };
    if let (Some(from), Some(to)) = (fields.get("from"), fields.get("to")) {
        let verb = kind.split_once('.').map_or(kind, |(_, verb)| verb);
        let field = verb.strip_suffix("_changed").unwrap_or(verb).to_owned();
        return vec![Change { field, before: Some(from.clone()), after: Some(to.clone()) }];
    }
    let mut known: Map<String, Value> = Map::new();
    if !OCCURRENCES.iter().any(|once| kind.starts_with(once)) {
        earlier.filter_map(Value::as_object).for_each(|event| known.extend(event.clone()));
        known.remove("reason");
    }
    let removed = REMOVABLE.iter().filter(|(k, field)| *k == kind && !fields.contains_key(*field));
    let mut found = vec![];
    for field in fields.keys().map(String::as_str).chain(removed.map(|(_, field)| *field)) {
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        known.get(field).into_iter().for_each(|value| flatten(field, value, &mut before));
        fields.get(field).into_iter().for_each(|value| flatten(field, value, &mut after));
        let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
        paths.sort();
        paths.dedup();
        for path in paths.into_iter().filter(|path| before.get(*path) != after.get(*path)) {
            let change = |side: &BTreeMap<String, Value>| side.get(path).cloned();
            found.push(Change { field: path.clone(), before: change(&before), after: change(&after) });
        }
    }
    found
}

/// Leaves are scalars, amounts of money, and lists of scalars. Personal fields stand under the field that holds their box.
fn flatten(path: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    match value {
        Value::Object(fields) if fields.contains_key("subject") => {
            for (key, inner) in fields.iter().filter(|(key, _)| !SILENT.contains(&key.as_str())) {
                let at = if inner.is_object() { path.to_owned() } else { format!("{path}.{key}") };
                flatten(&at, inner, out);
            }
        }
        Value::Object(fields) if !(fields.len() == 2 && fields.contains_key("currency")) => {
            for (key, inner) in fields.iter().filter(|(key, _)| !SILENT.contains(&key.as_str())) {
                flatten(&format!("{path}.{key}"), inner, out);
            }
        }
        Value::Array(items) if !items.iter().all(is_plain) => {
            items.iter().enumerate().for_each(|(n, inner)| flatten(&format!("{path}.{n}"), inner, out));
        }
        Value::Array(items) if items.is_empty() => {}
        plain if !SILENT.contains(&path) => _ = out.insert(path.to_owned(), plain.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn between(kind: &str, before: &[Value], event: Value) -> Vec<(String, Value, Value)> {
        let changes = changes(kind, &event, before.iter());
        changes.into_iter().map(|c| (c.field, c.before.into(), c.after.into())).collect()
    }

    #[test]
    fn fields_are_compared_with_the_last_earlier_value_of_the_object() {
        let line = |quantity: &str| json!({ "description": "紙", "quantity": quantity, "amount": { "amount": 5, "currency": "JPY" } });
        let drafted = json!({ "title": "見積", "note": "", "lines": [line("1"), line("2")] });
        let found = between("document.lines_set", std::slice::from_ref(&drafted), json!({ "lines": [line("3")] }));
        assert_eq!(
            found,
            [
                ("lines.0.quantity".into(), json!("1"), json!("3")),
                ("lines.1.amount".into(), json!({ "amount": 5, "currency": "JPY" }), Value::Null),
                ("lines.1.description".into(), json!("紙"), Value::Null),
                ("lines.1.quantity".into(), json!("2"), Value::Null),
            ]
        );
        assert_eq!(between("document.changed", &[drafted], json!({ "title": "見積", "note": "" })), []);
    }

    #[test]
    fn personal_fields_stand_under_their_box_and_are_gone_when_erased() {
        let of = |name: &str| json!({ "contacts": [{ "subject": "s", "contact": { "name": name } }] });
        let found = between("client.changed", &[of("田中")], of("佐藤"));
        assert_eq!(found, [("contacts.0.name".into(), json!("田中"), json!("佐藤"))]);
        let found = between("client.changed", &[of("田中")], json!({ "contacts": [] }));
        assert_eq!(found, [("contacts.0.name".into(), json!("田中"), Value::Null)]);
        let erased = json!({ "contacts": [{ "subject": "s", "erased": true }] });
        assert_eq!(between("client.changed", std::slice::from_ref(&erased), erased.clone()), []);
    }

    #[test]
    fn roles_have_both_sides_and_occurrences_have_no_before() {
        let found =
            between("member.role_changed", &[json!({ "role": "member" })], json!({ "from": "member", "to": "admin" }));
        assert_eq!(found, [("role".into(), json!("member"), json!("admin"))]);
        let paid = json!({ "amount": { "amount": 100, "currency": "JPY" } });
        let found = between("document.payment_recorded", std::slice::from_ref(&paid), paid.clone());
        assert_eq!(found, [("amount".into(), Value::Null, json!({ "amount": 100, "currency": "JPY" }))]);
        assert_eq!(between("kiosk.paired", &[], json!({ "name": "受付", "secret_hash": "00" })).len(), 1);
    }
}
