//! Logins without a password. They end where all logins end ([`super::begin`]).

use keiin_domain::command::On;
use keiin_domain::factor::Factor;
use keiin_domain::factor::account::Provider;
use keiin_domain::member::{Member, MemberStatus};
use keiin_domain::security::Security;
use keiin_domain::session::{LoginMethod, LoginRefusal, Proof};
use keiin_domain::text;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LoggedIn, Step, TenantMember, begin, finish, refuse, take_pending};
use crate::app::App;
use crate::execute::Call;
use crate::oidc::Identity;
use crate::passkey::Proven;
use crate::principal;
use crate::problem::Problem;

/// How a login began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Way {
    /// As it is written down.
    pub method: LoginMethod,
    /// An account that is linked once they are in: its verified address is theirs.
    #[serde(default)]
    pub link: Option<Identity>,
}

impl From<LoginMethod> for Way {
    fn from(method: LoginMethod) -> Way {
        Way { method, link: None }
    }
}

/// A login by a passkey: alone, or as the second step of one that waits.
pub async fn by_passkey(app: &App, proven: Proven, pending: &str, call: &Call) -> Result<LoggedIn, Problem> {
    let wrong = || Problem::at("access.wrong_passkey", "/credential");
    let member: On<Member> = principal::load(app, proven.ledger, proven.subject).await?;
    let who = TenantMember { ledger: proven.ledger, member: proven.subject, passwords: member.passwords };
    if member.status != Some(MemberStatus::Active) || member.must_reset {
        refuse(app, Some(who), LoginRefusal::Inactive, call).await?;
        return Err(wrong());
    }
    if !pending.is_empty() {
        let (_, pending, waits) = take_pending(app, pending, call).await?;
        if (waits.ledger, waits.member) != (who.ledger, who.member) {
            refuse(app, Some(waits), LoginRefusal::WrongPasskey, call).await?;
            return Err(wrong());
        }
        return finish(app, who, pending.way, Proof::Passkey, pending.break_glass, call).await;
    }
    if !principal::load::<Security>(app, who.ledger, who.ledger).await?.allows(call.from()) {
        refuse(app, Some(who), LoginRefusal::Network, call).await?;
        return Err(Problem::new("access.network"));
    }
    finish(app, who, LoginMethod::Passkey.into(), Proof::Passkey, String::new(), call).await
}

/// What a login by an account elsewhere leads to.
pub enum Outcome {
    /// On.
    On(Step),
    /// The account belongs to several companies: to which?
    Which(Vec<Uuid>),
}

/// A login by an account elsewhere. It is that of whoever linked it; an account that nobody linked is that of the member with
/// its address, where the provider has verified that. Nobody becomes a member by it.
pub async fn by_account(app: &App, identity: &Identity, company: &str, call: &Call) -> Result<Outcome, Problem> {
    let ledgers = match company {
        "" => app.tenants().await?,
        slug => app.tenant_by_slug(slug).await?.into_iter().collect(),
    };
    let address = text::email(&identity.address).filter(|_| identity.is_verified);
    let (mut found, mut refused) = (vec![], None);
    for ledger in ledgers {
        let linked = identity.member(app, ledger).await?;
        let addressed = match (&linked, &address) {
            (None, Some(address)) => app.vault.find_subject(ledger, "member", address)?,
            _ => None,
        };
        let Some(member) = linked.or(addressed) else { continue };
        match may(app, identity, ledger, member, linked.is_some(), call).await? {
            Ok(who) => found.push((who, linked.is_none())),
            Err(reason) => {
                let who = TenantMember { ledger, member, passwords: 0 };
                refuse(app, Some(who), reason, call).await?;
                refused = Some(reason);
            }
        }
    }
    let method = match identity.provider {
        Provider::Google => LoginMethod::Google,
        Provider::Microsoft => LoginMethod::Microsoft,
    };
    match found[..] {
        [(who, is_new)] => {
            let way = Way { method, link: is_new.then(|| identity.clone()) };
            Ok(Outcome::On(begin(app, who, way, None, String::new(), call).await?))
        }
        [] => {
            let reason = match (refused, &address) {
                (Some(reason), _) => reason,
                (None, Some(_)) => LoginRefusal::UnknownMember,
                (None, None) => LoginRefusal::UnverifiedAddress,
            };
            if refused.is_none() {
                refuse(app, None, reason, call).await?;
            }
            Err(Problem::new(match reason {
                LoginRefusal::UnverifiedAddress => "access.unverified_address",
                LoginRefusal::OtherAccount => "access.other_account",
                LoginRefusal::Network => "access.network",
                // Whoever may not for now, or not by this provider, is told no more than a stranger.
                _ => "access.unknown_account",
            }))
        }
        _ => Ok(Outcome::Which(found.iter().map(|(who, _)| who.ledger).collect())),
    }
}

/// Whether this member comes in by this account, or why not.
async fn may(
    app: &App,
    identity: &Identity,
    ledger: Uuid,
    member: Uuid,
    is_linked: bool,
    call: &Call,
) -> Result<Result<TenantMember, LoginRefusal>, Problem> {
    let security: On<Security> = principal::load(app, ledger, ledger).await?;
    if !security.providers.contains(&identity.provider) {
        return Ok(Err(LoginRefusal::ProviderOff));
    }
    if !security.allows(call.from()) {
        return Ok(Err(LoginRefusal::Network));
    }
    let factor: On<Factor> = principal::load(app, ledger, member).await?;
    if !is_linked && factor.account(identity.provider).is_some() {
        return Ok(Err(LoginRefusal::OtherAccount));
    }
    let state: On<Member> = principal::load(app, ledger, member).await?;
    if state.status != Some(MemberStatus::Active) || state.must_reset {
        return Ok(Err(LoginRefusal::Inactive));
    }
    Ok(Ok(TenantMember { ledger, member, passwords: state.passwords }))
}
