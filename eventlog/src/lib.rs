//! The ledger: records, hash chain, signatures, Merkle tree, proofs, sealing, stores.
//!
//! Architecture invariant: no business word. Event bodies are bytes here, and actor kinds are numbers.
//! Without features this crate is the offline verifier: no async, no SQL, no C.
//!
//! Read in this order: [`record`] (the bytes of one entry), [`seal`] (who can read a body), [`sign`] (commits and keys),
//! [`chain`] (how appends become records), [`tree`] and [`checkpoint`] (what the ledger contains), [`bundle`] and
//! [`verify`] (how a stranger checks all of it), then `store` (how it becomes durable).
//!
//! A writer (features `store`, `sqlite`) holds six things:
//! * `keys::Keyring`: the key files (`create`, `open`, `current`, `rotate_signing`, `kek`); it signs for the store.
//! * `store::sqlite::SqliteStore` (`open`, `open_reader`, `on_fatal`) behind `store::Store`.
//! * `vault::Vault`: data keys, the keys of persons, fingerprints, append ids, erasure, sealed entries.
//! * `log::Log` (`open`, `append`, reads, `changed`): group commit over all ledgers. Everybody else holds this one.
//! * `anchor::Anchorer` (`open`, `follow`, `latest`, `wait_for`, `proof`, `consistency`, `with_tree`, `restore`): signed
//!   checkpoints, what is proved from them, and the refusal of a log that contradicts them.
//!
//! * `scrub::Scrub`: reads everything again in the background and refuses what is damaged.
//!
//! What happens to a ledger as a whole (opened, key rotated or replaced, a person erased, closed) is in `life`.

#[cfg(feature = "databases")]
pub mod anchor;
pub mod bundle;
pub mod chain;
pub mod checkpoint;
pub mod clear;
pub mod framed;
#[cfg(feature = "databases")]
pub mod kept;
#[cfg(feature = "store")]
pub mod keys;
#[cfg(feature = "databases")]
pub mod life;
#[cfg(feature = "store")]
pub mod log;
#[cfg(feature = "databases")]
mod near;
pub mod note;
#[cfg(feature = "databases")]
pub mod postgres;
pub mod proof;
pub mod record;
#[cfg(feature = "sqlite")]
pub mod scrub;
pub mod seal;
pub mod sign;
#[cfg(feature = "databases")]
pub mod sql;
#[cfg(feature = "databases")]
mod sqlite;
#[cfg(feature = "store")]
pub mod store;
pub mod tamper;
pub mod tiles;
pub mod tree;
#[cfg(feature = "databases")]
pub mod vault;
pub mod verify;
