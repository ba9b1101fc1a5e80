//! Fields of forms, and the JSON of the API that they become.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use crate::api;
use crate::app::App;
use crate::problem::Problem;

/// The fields of a form.
pub async fn fields(app: &App, head: &Parts, body: Body) -> Result<Vec<(String, String)>, Problem> {
    let is_form =
        head.headers.get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form {
        return Err(Problem::new("request.wrong_content_type"));
    }
    let body = api::whole(app, head, body).await?;
    Ok(pairs(&body))
}

/// Names and values of a body in `application/x-www-form-urlencoded`, of which every one can be read.
pub fn pairs(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Deepest list index that a form may name.
const MAX_INDEX: usize = 200;
/// Most parts of a field's name. What reads and frees the value goes down part by part, on a stack that ends.
pub(super) const MAX_DEPTH: usize = 8;

/// Fields as the JSON that the API takes: `lines.0.description`, `count:int`, `agreed:bool`. What is empty is absent;
/// lines that are empty as a whole disappear.
pub fn nested(fields: &[(String, String)]) -> Result<Value, Problem> {
    let mut root = Value::Object(Map::new());
    for (name, value) in fields.iter().filter(|(name, value)| !name.starts_with('_') && !value.is_empty()) {
        let bad = || Problem::at("request.bad_field", format!("/{}", name.replace('.', "/")));
        let (path, kind) = name.split_once(':').unwrap_or((name, ""));
        if path.split('.').count() > MAX_DEPTH {
            return Err(Problem::at("request.bad_field", ""));
        }
        let value = match kind {
            "" => json!(value),
            "int" => json!(value.parse::<i64>().map_err(|_| bad())?),
            "bool" => json!(value == "true"),
            // A date and time without zone, as browsers send it, is the company's.
            "local" if value.len() == 16 => json!(format!("{value}:00+09:00")),
            "local" => json!(format!("{value}+09:00")),
            _ => return Err(bad()),
        };
        let mut at = &mut root;
        for part in path.split('.') {
            // Lists are objects keyed by number until all is read.
            let object = at.as_object_mut().ok_or_else(bad)?;
            at = object.entry(part).or_insert_with(|| Value::Object(Map::new()));
        }
        match at {
            // A name that comes several times (checkboxes) is a list.
            Value::Object(empty) if empty.is_empty() => *at = value,
            Value::Array(list) => list.push(value),
            Value::String(_) => *at = json!([at.clone(), value]),
            _ => return Err(bad()),
        }
    }
    lists(root)
}

fn lists(value: Value) -> Result<Value, Problem> {
    let Value::Object(map) = value else { return Ok(value) };
    let numbered = !map.is_empty() && map.keys().all(|key| key.parse::<usize>().is_ok_and(|n| n <= MAX_INDEX));
    if !numbered {
        let fields =
            map.into_iter().map(|(key, value)| Ok((key, lists(value)?))).collect::<Result<Map<_, _>, Problem>>();
        return fields.map(Value::Object);
    }
    let mut items: Vec<(usize, Value)> = map.into_iter().filter_map(|(key, v)| Some((key.parse().ok()?, v))).collect();
    items.sort_by_key(|(n, _)| *n);
    items.into_iter().map(|(_, value)| lists(value)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}
