//! Read models folded from the ledger, and the queries over them.
//!
//! Architecture invariant: everything here can be dropped and rebuilt from the ledger at any time. A noun's file holds its
//! tables, its fold, its views and its queries, top-down; the same noun has the same file name in `domain` and `http`.

pub mod catalog;
pub mod client;
pub mod delivery;
pub mod document;
pub mod event;
pub mod fact;
pub mod kiosk;
pub mod mail;
pub mod member;
pub mod query;
pub mod runner;
pub mod table;
pub mod tenant;
pub mod token;
pub mod view;
pub mod visit;
