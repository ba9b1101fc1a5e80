//! The business rules of Keiin: pure decisions over events.
//!
//! Architecture invariant: no IO, async, clock, randomness, SQL, HTTP or cryptography in this crate. What is impure enters
//! through [`context::Context`]. Each noun is one file, read top-down: events, state, commands, rules, tests.

pub mod access;
pub mod catalog;
pub mod client;
pub mod command;
pub mod context;
pub mod date;
pub mod delivery;
pub mod document;
pub mod envelope;
pub mod event;
pub mod json;
pub mod kiosk;
pub mod log;
pub mod mail;
pub mod member;
pub mod money;
pub mod owners;
pub mod problem;
pub mod provision;
pub mod registration_number;
pub mod role;
pub mod sealed;
pub mod series;
pub mod session;
pub mod tax;
pub mod tenant;
#[cfg(test)]
mod testing;
pub mod text;
pub mod token;
pub mod visit;
