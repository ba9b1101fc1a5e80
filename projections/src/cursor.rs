//! Where a list goes on: opaque to the caller, and only ours are accepted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use keiin_eventlog::sql::Value;

/// The place behind the row with this time and id (a number or, longer, bytes), as text.
pub fn seal(key: &[u8; 32], since: i64, id: &Value) -> String {
    let id = match id {
        Value::Blob(bytes) => bytes.clone(),
        Value::Integer(number) => number.to_be_bytes().to_vec(),
        other => panic!("a list cannot be sorted by {other:?}"),
    };
    let body = [&since.to_be_bytes()[..], &id].concat();
    URL_SAFE_NO_PAD.encode([&body[..], &mac(key, &body)[..]].concat())
}

/// What [`seal`] made under this key; `None` for any other text.
pub fn open(key: &[u8; 32], cursor: &str) -> Option<(i64, Value)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (body, given) = bytes.split_at_checked(bytes.len().checked_sub(16)?)?;
    let (since, id) = body.split_first_chunk()?;
    let number = id.try_into().map(i64::from_be_bytes).map(Value::Integer);
    (mac(key, body) == given).then(|| (i64::from_be_bytes(*since), number.unwrap_or_else(|_| Value::Blob(id.to_vec()))))
}

/// Shows that a text is ours.
pub(crate) fn mac(key: &[u8; 32], body: &[u8]) -> [u8; 16] {
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(key).expect("any length is a key");
    mac.update(body);
    let full: [u8; 32] = mac.finalize().into_bytes().into();
    full[..16].try_into().expect("16 of 32")
}
