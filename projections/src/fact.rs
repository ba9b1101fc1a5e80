//! A record, opened: what folds and the audit trail see.

use keiin_domain::envelope::{self, ContextV1};
use keiin_domain::event::{Event, Stored};
use keiin_domain::sealed::Open;
use keiin_eventlog::record::{Hash, Leaf, Record};
use keiin_eventlog::seal::{self, SubjectKeyId};
use keiin_eventlog::vault::Vault;
use uuid::Uuid;

/// A record whose body was opened.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The header.
    pub leaf: Leaf,
    /// Its hash, from the stored bytes.
    pub hash: Hash,
    /// Of the append; only its first record carries it.
    pub context: Option<ContextV1>,
    /// The event; for `ledger.*` the clear body.
    pub event: Stored,
}

/// A record could not be opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("position {position}: {reason}")]
pub struct Unreadable {
    /// Where.
    pub position: u64,
    /// Why.
    pub reason: String,
}

impl Fact {
    /// Opens a record with the keys of its ledger.
    pub fn open(record: &Record, vault: &Vault) -> Result<Fact, Unreadable> {
        let leaf = Leaf::decode(&record.leaf).map_err(|e| Unreadable { position: 0, reason: e.to_string() })?;
        let position = leaf.position;
        let fail = |reason: String| Unreadable { position, reason };
        let body = record.body.as_deref().ok_or_else(|| fail("the body was dropped".into()))?;
        let (context, bytes) = match leaf.sealed_epoch {
            None => (None, body.to_vec()),
            Some(epoch) => {
                let key = vault.body_key(leaf.ledger, epoch).map_err(|e| fail(e.to_string()))?;
                let text = seal::open_body(&key, &leaf, body).map_err(|e| fail(e.to_string()))?;
                let (context, event) = envelope::read(&text).ok_or_else(|| fail("the body is not an event".into()))?;
                (context, event.to_vec())
            }
        };
        let event = Stored { kind: leaf.event_kind.clone(), version: leaf.event_version, bytes };
        Ok(Fact { hash: record.hash(), leaf, context, event })
    }

    /// The event, as the newest version of its kind. The error stops a fold.
    pub fn read<E: Event>(&self) -> Result<E, String> {
        E::read(&self.event).map_err(|e| e.to_string())
    }

    /// When it was recorded, microseconds UTC.
    pub fn time_us(&self) -> i64 {
        self.leaf.time_us as i64
    }

    /// When it happened, as far as the append says so; else when it was recorded. Microseconds UTC.
    pub fn happened_us(&self) -> i64 {
        self.context.as_ref().and_then(|context| context.occurred_at_us).unwrap_or_else(|| self.time_us())
    }

    /// Stream kind: which aggregate it belongs to.
    pub fn stream(&self) -> &str {
        &self.leaf.stream.kind
    }

    /// Stream id as a key value.
    pub fn id(&self) -> crate::table::Value {
        crate::table::id(self.leaf.stream.id)
    }
}

/// Opens personal fields of one ledger.
pub struct Opener<'a> {
    /// Where the keys are.
    pub vault: &'a Vault,
    /// Whose.
    pub ledger: Uuid,
}

impl Open for Opener<'_> {
    fn open(&self, subject: Uuid, key_version: u16, sealed: &[u8]) -> Option<Vec<u8>> {
        let key = self.vault.subject_key(self.ledger, subject, key_version).ok()??;
        seal::open_value(&key, SubjectKeyId { ledger: self.ledger, subject, version: key_version }, sealed).ok()
    }
}
