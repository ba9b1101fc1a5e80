//! Accounts of a member at a provider of identities (Google, Microsoft), by which they log in (FM-24). Which account it is,
//! is kept apart from the ledger; that one was linked, how, and that it counts no more is here.
//!
//! Invariant: a provider knows a member by one account. Another one with the same address is somebody else.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Factor, own, theirs};
use crate::codes;
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::sealed::{Label, Sealed};
use crate::security::Security;

codes! {
    /// Who says who somebody is.
    Provider {
        /// A Google account.
        Google = 1 "google",
        /// A Microsoft account of a company or school.
        Microsoft = 2 "microsoft",
    }
}

codes! {
    /// What an account was linked by.
    LinkedBy {
        /// Its member, logged in, had just shown again that it is them.
        Confirmation = 1 "confirmation",
        /// A login: the provider had verified the member's address.
        Address = 2 "address",
    }
}

/// An account was linked: whoever logs in to it may log in here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountLinked {
    /// Names the account, which is kept apart from the ledger.
    pub account_id: Uuid,
    /// Where it is.
    pub provider: Provider,
    /// The address that it has there.
    pub address: Sealed<Label>,
    /// What it was linked by.
    pub by: LinkedBy,
    /// When, microseconds UTC.
    pub linked_at_us: i64,
}

/// The account counts no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountUnlinked {
    /// Which.
    pub account_id: Uuid,
}

/// State of a linked account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// See [`AccountLinked`].
    pub id: Uuid,
    /// Where it is.
    pub provider: Provider,
    /// When it was linked, microseconds UTC.
    pub linked_at_us: i64,
}

impl Factor {
    /// The account at this provider.
    pub fn account(&self, provider: Provider) -> Option<&Account> {
        self.accounts.iter().find(|account| account.provider == provider)
    }
}

impl On<Factor> {
    /// Unlinks what was linked at this time or later.
    pub fn without_accounts_since(&self, since_us: i64) -> Vec<Emit> {
        let gone = self.accounts.iter().filter(|account| account.linked_at_us >= since_us);
        gone.map(|account| self.emit(AccountUnlinked { account_id: account.id })).collect()
    }
}

/// Links an account that its owner has just logged in to.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkAccount {
    /// Whose.
    pub member_id: Uuid,
    /// Names the account.
    pub account_id: Uuid,
    /// Where it is.
    pub provider: Provider,
    /// The address that it has there; may be empty.
    pub address: String,
    /// What it is linked by.
    pub by: LinkedBy,
}

impl Command for LinkAccount {
    type On = (On<Factor>, On<Security>);
    const NAME: &'static str = "link_account";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] =
        &["access.confirm_first", "factor.not_a_member", "factor.account_linked", "factor.provider_off"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![theirs(self.member_id, ctx)?, ctx.tenant])
    }
    fn decide(self, (factor, security): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        if !security.providers.contains(&self.provider) {
            return Err(Rejection::new("factor.provider_off"));
        }
        if factor.account(self.provider).is_some() {
            return Err(Rejection::new("factor.account_linked"));
        }
        let text = self.address.chars().filter(|c| !c.is_control()).take(254).collect();
        let address = ctx.seal(factor.id, &Label { text });
        let LinkAccount { account_id, provider, by, .. } = self;
        Ok(vec![factor.emit(AccountLinked { account_id, provider, address, by, linked_at_us: ctx.now_us })])
    }
}

/// Unlinks one's own account at a provider: whoever logs in to it does not come in here any more. None linked = nothing to do.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlinkAccount {
    /// Where it is.
    pub provider: Provider,
}

impl Command for UnlinkAccount {
    type On = On<Factor>;
    const NAME: &'static str = "unlink_account";
    const ROUTE: Route = Route::post("/v1/me/accounts/unlink");
    const PERMISSION: Permission = Permission("me.change_factor");
    const REJECTS: &'static [&'static str] = &["access.confirm_first", "factor.not_a_member"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, factor: &On<Factor>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        let known = factor.account(self.provider).into_iter();
        Ok(known.map(|account| factor.emit(AccountUnlinked { account_id: account.id })).collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::factor::FactorEvent;
    use crate::role::Role;
    use crate::security::Changed;
    use crate::testing::*;

    const AT_GOOGLE: Uuid = Uuid::from_u128(0x600);
    const OTHER: Uuid = Uuid::from_u128(0x601);

    fn link(account_id: Uuid, provider: Provider) -> LinkAccount {
        LinkAccount {
            member_id: ME,
            account_id,
            provider,
            address: "hanako@example.jp".into(),
            by: LinkedBy::Confirmation,
        }
    }

    fn allowed() -> Scene {
        let providers = vec![Provider::Google];
        scene().given::<Security>(
            TENANT,
            Changed { second_factor_required: false, networks: vec![], providers, sms: false },
        )
    }

    fn unlink() -> UnlinkAccount {
        UnlinkAccount { provider: Provider::Google }
    }

    fn linked() -> Scene {
        allowed().when(ME, link(AT_GOOGLE, Provider::Google)).accepted()
    }

    #[test]
    fn fm_24_an_account_is_linked_and_unlinked_and_is_no_second_factor() {
        let scene = linked();
        let factor = scene.now::<Factor>(ME);
        assert_eq!(factor.account(Provider::Google).map(|account| account.id), Some(AT_GOOGLE));
        assert!(factor.account(Provider::Microsoft).is_none() && !factor.has_any());
        let gone = emit::<Factor>(ME, AccountUnlinked { account_id: AT_GOOGLE });
        let scene = scene.when(ME, unlink()).then([gone]).when(ME, unlink()).then([]);
        scene.when(ME, link(OTHER, Provider::Google)).accepted();
    }

    #[test]
    fn fm_24_of_two_accounts_at_one_provider_the_second_is_refused() {
        linked().when(ME, link(OTHER, Provider::Google)).refused("factor.account_linked");
        let race = allowed().race((ME, link(AT_GOOGLE, Provider::Google)), (ME, link(OTHER, Provider::Google)));
        race.refused("factor.account_linked");
    }

    #[test]
    fn every_refusal() {
        let s = allowed().when(ME, link(OTHER, Provider::Microsoft)).refused("factor.provider_off");
        let s = s.by(Role::Member).when(ME, LinkAccount { member_id: ANNA, ..link(OTHER, Provider::Google) });
        s.refused("factor.not_a_member").by_system().when(ME, link(OTHER, Provider::Google)).accepted();
        let s = linked().stale().when(ME, link(OTHER, Provider::Google)).refused("access.confirm_first");
        s.when(ME, unlink()).refused("access.confirm_first");
        linked().when(ME, link(OTHER, Provider::Google)).refused("factor.account_linked");
        scene().by_system().when(ME, unlink()).refused("factor.not_a_member");
        covered::<LinkAccount>();
        covered::<UnlinkAccount>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<FactorEvent> {
        let address = sealed(SAMPLE_ID, &Label { text: "hanako@example.jp".into() });
        vec![
            AccountLinked {
                account_id: SAMPLE_ID,
                provider: Provider::Microsoft,
                address,
                by: LinkedBy::Address,
                linked_at_us: SAMPLE_US,
            }
            .into(),
            AccountUnlinked { account_id: SAMPLE_ID }.into(),
        ]
    }
}
