//! `[signup]`: how companies join.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::BadConfig;

/// How companies join.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signup {
    /// May anybody sign a company up?
    pub open: bool,
    /// Whether a payment is asked for.
    pub payment: PaymentKind,
    /// How much, yen.
    pub price_jpy: u32,
    /// Folder with `terms.ja.txt`, `terms.en.txt`, `privacy.ja.txt` and `privacy.en.txt`; empty = samples.
    pub texts: PathBuf,
}

/// Who takes the payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentKind {
    /// Nobody: there is nothing to pay.
    Off,
    /// A page of our own on which everybody is free to say that they have paid. On this machine only.
    Development,
}

impl Default for Signup {
    fn default() -> Self {
        Signup { open: true, payment: PaymentKind::Off, price_jpy: 0, texts: PathBuf::new() }
    }
}

impl Signup {
    /// Do the settings fit together?
    pub fn check(&self) -> Result<(), BadConfig> {
        if self.payment != PaymentKind::Off && self.price_jpy == 0 {
            return Err(BadConfig::new("signup.price_jpy: how much is to be paid, in yen"));
        }
        Ok(())
    }
}
