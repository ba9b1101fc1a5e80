//! The composition root: everything that touches the outside. Builds the one binary, `keiin`.
//!
//! A request's way: [`serve`] (layers) → [`api`] or [`console`] (routes) → [`principal`] (who, and may they) →
//! [`execute`](mod@execute) (load, decide, append) → `projections` (fold) → the answer.
//!
//! Architecture invariant: no SQL, and no rule of the business.

pub mod api;
pub mod app;
pub mod assets;
pub mod audit_archive;
pub mod batch;
pub mod bench;
pub mod check;
pub mod cli;
pub mod client_import;
pub mod clock;
pub mod command;
pub mod config;
pub mod console;
pub mod datadir;
pub mod demo;
pub mod denial;
pub mod device;
pub mod document_files;
pub mod execute;
pub mod export;
pub mod factor;
pub mod feed;
pub mod headers;
pub mod invitation;
pub mod json;
pub mod kiosk;
pub mod ledger;
pub mod legal;
pub mod limit;
pub mod link;
pub mod locale;
pub mod lockout;
pub mod look;
pub mod mail;
pub mod metrics;
pub mod oauth;
pub mod oidc;
pub mod oidc_pages;
pub mod openapi;
pub mod operator;
pub mod page;
pub mod paper;
pub mod passkey;
pub mod passkey_api;
pub mod password;
pub mod payment;
pub mod principal;
pub mod problem;
pub mod public;
pub mod query;
pub mod random;
pub mod scrub;
pub mod serve;
pub mod session;
pub mod session_api;
pub mod signup;
pub mod sms;
pub mod smtp;
pub mod stores;
pub mod support;
pub mod timer;
pub mod tls;
pub mod totals;
pub mod trust;
pub mod upload;
pub mod world;
