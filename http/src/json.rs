//! Requests as JSON, read one way only (RFC 8259 leaves too much open): no duplicate or unknown key, no null, no number
//! beyond range, no lone surrogate. Every refusal names its place.

mod named;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::problem::Problem;

/// Reads a command.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    typed(strict_or_empty(body)?)
}

/// Any JSON value, strictly. The empty body is the empty object: commands without fields need none.
pub fn strict_or_empty(body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() { Ok(Value::Object(Map::new())) } else { strict(body) }
}

/// Reads a value into a type; the pointer of the refusal is where it does not fit.
pub fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(named::Named(value)).map_err(|error| {
        let mut pointer = String::new();
        for segment in error.path() {
            use serde_path_to_error::Segment::*;
            match segment {
                Seq { index } => pointer.push_str(&format!("/{index}")),
                Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
                Enum { .. } | Unknown => {}
            }
        }
        // "missing field `x`" is reported at the object; the reader wants to be sent to the field.
        let text = error.inner().to_string();
        if let Some(field) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            pointer.push_str(&format!("/{field}"));
        }
        Problem::at("request.bad_field", pointer)
    })
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn strict(body: &[u8]) -> Result<Value, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Strict { pointer: String::new() }.deserialize(&mut reader).map_err(|error| place(&error))?;
    reader.end().map_err(|error| place(&error))?;
    Ok(value)
}

const MARK: char = '\u{1}';

fn place(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    match text.split_once(MARK).and_then(|(_, rest)| rest.split_once(MARK)) {
        Some((pointer, _)) => Problem::at("request.bad_field", pointer),
        None => Problem::at("request.not_json", ""),
    }
}

struct Strict {
    pointer: String,
}

impl Strict {
    fn below(&self, key: &str) -> Strict {
        Strict { pointer: format!("{}/{}", self.pointer, escaped(key)) }
    }
    fn refuse<E: Error>(&self) -> E {
        E::custom(format_args!("{MARK}{}{MARK}", self.pointer))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("JSON without null")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // Of so many digits that it would be another number when it is written and read again.
        let is_one = |number: &Number| serde_json::from_str::<Number>(&number.to_string()).is_ok_and(|n| n == *number);
        Number::from_f64(value).filter(is_one).map(Value::Number).ok_or_else(|| self.refuse())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Err(self.refuse())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = vec![];
        while let Some(item) = items.next_element_seed(self.below(&list.len().to_string()))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let below = self.below(&key);
            if map.contains_key(&key) {
                return Err(below.refuse());
            }
            let value = entries.next_value_seed(below)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading is tested")]
    struct Sample {
        name: String,
        #[serde(default)]
        lines: Vec<Line>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading is tested")]
    struct Line {
        count: u32,
    }

    #[test]
    fn every_refusal_names_its_place() {
        for (body, code, pointer) in [
            (r#"{"name":"a","name":"b"}"#, "request.bad_field", "/name"),
            (r#"{"name":null}"#, "request.bad_field", "/name"),
            (r#"{"name":7}"#, "request.bad_field", "/name"),
            (r#"{}"#, "request.bad_field", "/name"),
            (r#"{"name":"a","other":1}"#, "request.bad_field", "/other"),
            (r#"{"name":"a","lines":[{"count":1},{"count":-1}]}"#, "request.bad_field", "/lines/1/count"),
            (r#"{"name":"a","lines":[{}]}"#, "request.bad_field", "/lines/0/count"),
            (r#"{"name":"a","lines":[{"count":1e400}]}"#, "request.not_json", ""),
            (r#"{"name":"\ud800"}"#, "request.not_json", ""),
            (r#"{"name":"a"} {}"#, "request.not_json", ""),
            ("{", "request.not_json", ""),
            ("[]", "request.bad_field", ""),
            (r#"["a"]"#, "request.bad_field", ""),
            (r#"{"name":"a","lines":[[1]]}"#, "request.bad_field", "/lines/0"),
        ] {
            let problem = read::<Sample>(body.as_bytes()).unwrap_err();
            assert_eq!((problem.code, problem.errors[0].pointer.as_str()), (code, pointer), "{body}");
        }
        assert!(read::<Sample>(&[b"[".repeat(100_000), b"]".repeat(100_000)].concat()).is_err());
        assert!(read::<Sample>(b"\xff").is_err());
        let long = strict_or_empty(format!("[1.5,{}]", "1".repeat(127)).as_bytes()).unwrap_err();
        assert_eq!((long.code, long.errors[0].pointer.as_str()), ("request.bad_field", "/1"));
        assert_eq!(read::<Sample>(r#"{"name":"a"}"#.as_bytes()).unwrap().name, "a");
    }
}
