//! One test binary, a module per story.
//!
//! `tidy`, `layers` and `licences` read the repository itself; every other module is something that a user, an operator
//! or an attacker does.

mod demo;
mod layers;
mod licences;
mod sample_aggregate;
mod tidy;
