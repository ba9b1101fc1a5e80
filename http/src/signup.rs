//! Sign-up: a process over two ledgers, each step of which may be repeated. First the short name is taken in the root
//! ledger, then the company's own ledger is opened, then its first append makes the company and its owner.

use keiin_domain::provision::TakeSlug;
use keiin_domain::tenant::SignUp;
use keiin_domain::text;
use uuid::Uuid;

use crate::app::{App, ROOT};
use crate::execute::{Call, Done, execute};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::random;

/// Signs a company up. Returns its ledger and what the last step did. With the same Idempotency-Key an interrupted
/// sign-up goes on where it stopped. Callers are strangers, so a key stands for one of them only together with the whole
/// request: two people who chose the same key do not meet.
pub async fn sign_up(app: &App, form: SignUp, call: &Call) -> Result<(Uuid, Done), Problem> {
    form.check()?;
    let ledger = match &call.key {
        Some(key) => {
            let key = format!("{} {key}", hex::encode(call.request_hash));
            app.vault.append_id(ROOT, Uuid::nil(), "sign_up", &key)?
        }
        None => random::id_at(call.now_us),
    };
    let step = Call { key: None, target: None, if_match: None, ..call.clone() };
    let taking = Principal::system(ROOT).allow::<TakeSlug>()?;
    execute(app, &taking, TakeSlug { tenant: ledger, slug: form.slug.clone() }, &step).await?;
    app.open_ledger(ledger, call.now_us).await.map_err(Problem::failed)?;
    let email = text::email(&form.email).unwrap_or_default();
    let owner = app.vault.subject_for(ledger, "member", &email)?;
    let founding = Principal::member(ledger, owner, None).allow::<SignUp>()?;
    // In its own ledger the key is the first one used, so the whole process is repeated as one.
    let done = execute(app, &founding, form, &Call { target: None, if_match: None, ..call.clone() }).await?;
    Ok((ledger, done))
}
