//! The plaintext of a sealed body: context of the append, then the event (`docs/LOG-FORMAT.md`, section 4).
//!
//! The context stands once per append, in its first record; the others say "none".

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::date::Date;
use crate::event::{decode, encode};
use crate::sealed::{Origin, Sealed};

/// How a command came about, version 1. Frozen.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ContextV1 {
    /// Of the HTTP request; also in its answer.
    pub request_id: Option<Uuid>,
    /// Of the login.
    pub session_id: Option<Uuid>,
    /// SHA-256 over principal, command and request, so that one Idempotency-Key cannot stand for two requests.
    pub request_hash: [u8; 32],
    /// Why, where the command asks for it or the caller said so; else empty.
    pub reason: String,
    /// When it happened, where that is not when it was recorded; microseconds UTC.
    pub occurred_at_us: Option<i64>,
    /// The civil date that rules used.
    pub today: Date,
    /// Where the request came from.
    pub origin: Option<Sealed<Origin>>,
}

/// Bytes to seal.
pub fn write(context: Option<&ContextV1>, event: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(event.len() + 160);
    match context {
        None => body.push(0),
        Some(context) => {
            let bytes = encode(context);
            body.push(1);
            body.extend((bytes.len() as u16).to_be_bytes());
            body.extend(bytes);
        }
    }
    body.extend(event);
    body
}

/// The two parts of an opened body; `None` if it is not exactly what [`write()`] makes.
pub fn read(body: &[u8]) -> Option<(Option<ContextV1>, &[u8])> {
    match body.split_first()? {
        (0, event) => Some((None, event)),
        (1, rest) => {
            let (length, rest) = rest.split_at_checked(2)?;
            let (context, event) = rest.split_at_checked(usize::from(u16::from_be_bytes([length[0], length[1]])))?;
            Some((Some(decode(context)?), event))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_come_back() {
        let context = ContextV1 {
            request_id: Some(Uuid::from_u128(7)),
            reason: "監査".into(),
            today: Date(20_000),
            ..ContextV1::default()
        };
        let body = write(Some(&context), b"event");
        assert_eq!(read(&body), Some((Some(context), &b"event"[..])));
        assert_eq!(read(&write(None, b"event")), Some((None, &b"event"[..])));
        assert_eq!(read(&body[..40]), None);
        assert_eq!(read(&[2, 0]), None);
        assert_eq!(read(&[]), None);
    }
}
