//! Logins without a password. They end where all logins end ([`super::begin`]).

use keiin_domain::command::On;
use keiin_domain::member::{Member, MemberStatus};
use keiin_domain::security::Security;
use keiin_domain::session::{LoginMethod, LoginRefusal, Proof};

use super::{LoggedIn, TenantMember, finish, refuse, take_pending};
use crate::app::App;
use crate::execute::Call;
use crate::passkey::Proven;
use crate::principal;
use crate::problem::Problem;

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
        return finish(app, who, pending.method, Proof::Passkey, pending.break_glass, call).await;
    }
    if !principal::load::<Security>(app, who.ledger, who.ledger).await?.allows(call.from()) {
        refuse(app, Some(who), LoginRefusal::Network, call).await?;
        return Err(Problem::new("access.network"));
    }
    finish(app, who, LoginMethod::Passkey, Proof::Passkey, String::new(), call).await
}
