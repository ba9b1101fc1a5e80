//! The business rules of Keiin: pure decisions over events.
//!
//! Architecture invariant: no IO, async, clock, randomness, SQL, HTTP or cryptography in this crate. What is impure enters
//! through [`context::Context`]. Each noun is one file, read top-down: events, state, commands, rules, tests.

pub mod catalog;
pub mod command;
pub mod context;
pub mod date;
pub mod envelope;
pub mod event;
pub mod member;
pub mod registration_number;
pub mod role;
pub mod sealed;
pub mod tenant;
pub mod text;
