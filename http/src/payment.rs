//! Taking money on the way to a company (EL-16): who takes it is behind [`Payment`]. The ledger keeps the payment's name at
//! the provider and the amount; nothing of a card ever comes here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use keiin_domain::money::Money;
use keiin_eventlog::vault::{Entry, Vault};
use uuid::Uuid;

use crate::app::ROOT;
use crate::config::{BadConfig, Config, PaymentKind};
use crate::problem::Problem;

/// An answer of a provider, which may take its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// Somebody who takes money.
pub trait Payment: Send + Sync {
    /// What the ledger calls it.
    fn name(&self) -> &'static str;
    /// Begins a payment for a sign-up; asked again, answers with the same one.
    fn begin(&self, sign_up: Uuid, amount: Money) -> Answer<'_, Begun>;
    /// Has it been paid?
    fn is_paid<'a>(&'a self, reference: &'a str) -> Answer<'a, bool>;
}

/// A payment that was begun.
pub struct Begun {
    /// Its name at the provider.
    pub reference: String,
    /// Where the payer goes.
    pub url: String,
}

/// The provider of the settings; `None` = there is nothing to pay.
pub fn provider(config: &Config, vault: &Arc<Vault>) -> Result<Option<Arc<dyn Payment>>, BadConfig> {
    match config.signup.payment {
        PaymentKind::Off => Ok(None),
        PaymentKind::Development if !config.is_private() => Err(BadConfig::new(
            "signup.payment: \"development\" lets everybody in who says to have paid: 127.0.0.1 only",
        )),
        PaymentKind::Development => Ok(Some(Arc::new(Development { vault: vault.clone(), url: config.url() }))),
    }
}

/// Entry kind of payments that [`Development`] has begun; their owner is the sign-up.
const BEGUN: &str = "dev_payment";
/// Entry kind of those that were paid.
const PAID: &str = "dev_paid";

/// A page of our own on which the payer says that they have paid.
pub struct Development {
    vault: Arc<Vault>,
    url: String,
}

impl Payment for Development {
    fn name(&self) -> &'static str {
        "development"
    }

    fn begin(&self, sign_up: Uuid, amount: Money) -> Answer<'_, Begun> {
        Box::pin(async move {
            let reference = self.vault.append_id(ROOT, sign_up, BEGUN, "")?.to_string();
            keep(&self.vault, BEGUN, &reference, sign_up, amount.amount)?;
            Ok(Begun { url: format!("{}/signup/pay/{reference}", self.url), reference })
        })
    }

    fn is_paid<'a>(&'a self, reference: &'a str) -> Answer<'a, bool> {
        Box::pin(async move { Ok(self.vault.get(PAID, reference.as_bytes())?.is_some()) })
    }
}

fn keep(vault: &Vault, kind: &str, reference: &str, owner: Uuid, amount: i64) -> Result<(), Problem> {
    vault.put_new(&Entry {
        kind: kind.into(),
        lookup: reference.as_bytes().to_vec(),
        ledger: ROOT,
        owner,
        value: amount.to_string().into_bytes(),
        created_us: 0,
        expires_us: None,
    })?;
    Ok(())
}

/// What the development provider's page shows: whose payment, how much in yen, and whether it was paid.
pub fn begun(vault: &Vault, reference: &str) -> Result<Option<(Uuid, i64, bool)>, Problem> {
    let Some(entry) = vault.get(BEGUN, reference.as_bytes())? else { return Ok(None) };
    let amount = String::from_utf8(entry.value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(Some((entry.owner, amount, vault.get(PAID, reference.as_bytes())?.is_some())))
}

/// What the button on that page does.
pub fn pay(vault: &Vault, reference: &str, sign_up: Uuid, amount: i64) -> Result<(), Problem> {
    keep(vault, PAID, reference, sign_up, amount)
}
