//! One test binary, a module per story.
//!
//! `tidy`, `layers` and `licences` read the repository itself; every other module is something that a user, an operator
//! or an attacker does.

mod bad_forms;
mod bad_input;
mod bench;
mod browser_day;
mod browser_factor;
mod browser_oauth;
mod browser_oidc;
mod browser_pages;
mod browser_passkey;
mod browser_sign_up;
mod browser_verify;
mod demo;
mod device;
mod erase;
mod factor;
mod feed;
mod guard;
mod headers;
mod invitation;
mod isolation;
mod layers;
mod licences;
mod lifecycle;
mod lockout;
mod login;
mod looks;
mod mail;
mod noisy;
mod oauth;
mod oauth_clients;
mod oauth_forged;
mod oidc;
mod oidc_hostile;
mod openapi;
mod operators;
mod out;
mod passkey;
mod password;
mod postgres;
mod rebuild;
mod retry;
mod rights;
mod sample_aggregate;
mod secretaries;
mod secrets;
mod sign_up;
mod sign_up_between;
mod slow_heads;
mod sms;
mod story;
mod tidy;
mod tls;
mod tls_running;
