//! How a company guards its accounts: whether a second factor is required and whether codes by SMS are one, from which
//! networks people may come, and by which accounts elsewhere they may log in. The stream's id is the company's.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::events;
use crate::factor::Factor;
use crate::factor::account::Provider;
use crate::role::Permission;

/// Most networks in a list.
pub const NETWORKS_MAX: usize = 100;

events! {
    /// What happens to a company's security settings.
    SecurityEvent {
        Changed = "security.changed" v 3, was ChangedV2 v 2, was ChangedV1 v 1;
    }
}

/// The settings after the change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Who has no second factor may only set one up.
    pub second_factor_required: bool,
    /// `address/bits`, sorted; empty = from anywhere.
    pub networks: Vec<String>,
    /// By whose accounts people may log in, sorted.
    pub providers: Vec<Provider>,
    /// Codes by SMS are a second factor.
    pub sms: bool,
}

/// State of the settings. As long as nobody changed them, nothing is required and everywhere is allowed.
#[derive(PartialEq, Eq, Debug, Default)]
pub struct Security {
    /// See [`Changed`].
    pub second_factor_required: bool,
    /// See [`Changed`].
    pub networks: Vec<Network>,
    /// See [`Changed`].
    pub providers: Vec<Provider>,
    /// See [`Changed`].
    pub sms: bool,
}

impl Aggregate for Security {
    type Event = SecurityEvent;
    const STREAM: &'static str = "security";
    fn apply(&mut self, event: SecurityEvent) {
        let SecurityEvent::Changed(e) = event;
        self.second_factor_required = e.second_factor_required;
        self.networks = e.networks.iter().filter_map(|text| Network::parse(text)).collect();
        self.providers = e.providers;
        self.sms = e.sms;
    }
    #[cfg(test)]
    fn samples() -> Vec<SecurityEvent> {
        tests::samples()
    }
}

impl Security {
    /// May people come from this address? An unknown one is nowhere.
    pub fn allows(&self, from: Option<IpAddr>) -> bool {
        self.networks.is_empty() || from.is_some_and(|from| self.networks.iter().any(|network| network.holds(from)))
    }
}

/// A network: an address and how many of its leading bits count (RFC 4632).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// `192.0.2.0/24`, `2001:db8::/32`; one address alone is a network of itself. The bits after the network's must be zero:
    /// whoever writes 192.0.2.77/24 means something else.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => {
                let plain = bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit());
                (address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok().filter(|_| plain)?)
            }
            None => {
                let address = text.trim().parse::<IpAddr>().ok()?;
                (address, if address.is_ipv4() { 32 } else { 128 })
            }
        };
        let (number, width) = number(address);
        let rest = width.checked_sub(bits)?;
        let network = Network { address, bits };
        (rest == 128 || number & ((1u128 << rest) - 1) == 0).then_some(network).filter(|_| rest < 128 || number == 0)
    }

    /// Is this address in it? An IPv4 address that came as IPv6 (`::ffff:a.b.c.d`) is the IPv4 address.
    pub fn holds(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if address.is_ipv4() != self.address.is_ipv4() {
            return false;
        }
        let ((own, width), (other, _)) = (number(self.address), number(address));
        let rest = width - self.bits;
        rest >= 128 || own >> rest == other >> rest
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

/// Replaces the settings. Whoever requires a second factor has one; whoever names networks stands in one of them.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSecurity {
    /// Who has no second factor may only set one up.
    #[serde(default)]
    pub second_factor_required: bool,
    /// Networks that people and programs may come from, `192.0.2.0/24` or `2001:db8::/32`, at most 100; absent = anywhere.
    #[serde(default)]
    pub networks: Vec<String>,
    /// By whose accounts people may log in; absent = by none.
    #[serde(default)]
    pub providers: Vec<Provider>,
    /// Codes by SMS are a second factor. They can be intercepted; passkeys and apps cannot.
    #[serde(default)]
    pub sms: bool,
}

impl Command for ChangeSecurity {
    type On = (On<Security>, On<Factor>);
    const NAME: &'static str = "change_security";
    const ROUTE: Route = Route::post("/v1/security");
    const PERMISSION: Permission = Permission("security.change");
    const REJECTS: &'static [&'static str] = &[
        "access.confirm_first", "factor.not_a_member", "security.own_factor_first", "security.too_many_networks",
        "security.bad_network", "security.locks_you_out",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.tenant, ctx.member.ok_or(Rejection::new("factor.not_a_member"))?])
    }
    fn decide(self, (security, own): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        ctx.must_be_fresh()?;
        if self.second_factor_required && !own.is_on(self.sms) {
            return Err(Rejection::at("security.own_factor_first", "/second_factor_required"));
        }
        if self.networks.len() > NETWORKS_MAX {
            return Err(Rejection::at("security.too_many_networks", "/networks"));
        }
        let mut networks = vec![];
        for (i, text) in self.networks.iter().enumerate() {
            let network = Network::parse(text);
            networks.push(network.ok_or_else(|| Rejection::at("security.bad_network", format!("/networks/{i}")))?);
        }
        networks.sort();
        networks.dedup();
        let mut providers = self.providers;
        providers.sort();
        providers.dedup();
        let (second_factor_required, sms) = (self.second_factor_required, self.sms);
        let after = Security { second_factor_required, networks, providers, sms };
        if !after.allows(ctx.from) {
            return Err(Rejection::at("security.locks_you_out", "/networks"));
        }
        if after == **security {
            return Ok(vec![]);
        }
        let Security { second_factor_required, networks, providers, sms } = after;
        let networks = networks.iter().map(Network::to_string).collect();
        Ok(vec![security.emit(Changed { second_factor_required, networks, providers, sms })])
    }
}

/// As it was written before accounts elsewhere were a way in. Frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedV1 {
    /// See [`Changed`].
    pub second_factor_required: bool,
    /// See [`Changed`].
    pub networks: Vec<String>,
}

impl From<ChangedV1> for Changed {
    fn from(old: ChangedV1) -> Changed {
        let ChangedV1 { second_factor_required, networks } = old;
        Changed { second_factor_required, networks, providers: vec![], sms: false }
    }
}

/// As it was written before codes by SMS were a second factor. Frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedV2 {
    /// See [`Changed`].
    pub second_factor_required: bool,
    /// See [`Changed`].
    pub networks: Vec<String>,
    /// See [`Changed`].
    pub providers: Vec<Provider>,
}

impl From<ChangedV2> for Changed {
    fn from(old: ChangedV2) -> Changed {
        let ChangedV2 { second_factor_required, networks, providers } = old;
        Changed { second_factor_required, networks, providers, sms: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::TotpEnrolled;
    use crate::testing::*;

    fn change(networks: &[&str]) -> ChangeSecurity {
        let networks = networks.iter().map(|n| (*n).to_owned()).collect();
        ChangeSecurity { second_factor_required: false, networks, providers: vec![], sms: false }
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_network_holds_its_addresses_of_both_families() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/24", "::ffff:192.0.2.9", "::ffff:192.0.3.9"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let network = Network::parse(network).expect(network);
            assert!(network.holds(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.holds(outside.parse().unwrap()), "{network} {outside}");
        }
        for bad in
            ["", "x", "192.0.2.0/33", "192.0.2.1/24", "192.0.2.0/", "192.0.2.0/+8", "/8", "::1/129", "2001:db8::1/32"]
        {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn networks_are_kept_sorted_and_nobody_locks_themselves_out() {
        let scene = scene().from("192.0.2.7");
        let scene = scene.when(TENANT, change(&["203.0.113.0/24"])).refused_at("security.locks_you_out", "/networks");
        let networks = vec!["192.0.2.0/24".into(), "2001:db8::/32".into()];
        let kept = Changed { second_factor_required: false, networks, providers: vec![], sms: false };
        let both = change(&["2001:db8::/32", "192.0.2.0/24", "192.0.2.0/24"]);
        let scene = scene.when(TENANT, both.clone()).then([emit::<Security>(TENANT, kept)]);
        let settings = scene.now::<Security>(TENANT);
        assert!(settings.allows(address("192.0.2.1")) && !settings.allows(address("198.51.100.1")));
        assert!(!settings.allows(None), "an unknown address is nowhere");
        let scene = scene.when(TENANT, both).then([]);
        let scene = scene.when(TENANT, change(&[])).accepted();
        assert!(scene.now::<Security>(TENANT).allows(None), "no list, no limit");
    }

    #[test]
    fn fm_24_providers_are_kept_sorted_and_each_once() {
        let both = vec![Provider::Microsoft, Provider::Google, Provider::Microsoft];
        let with = |providers| ChangeSecurity { providers, ..change(&[]) };
        let providers = vec![Provider::Google, Provider::Microsoft];
        let kept = Changed { second_factor_required: false, networks: vec![], providers, sms: false };
        let scene = scene().when(TENANT, with(both.clone())).then([emit::<Security>(TENANT, kept)]);
        let scene = scene.when(TENANT, with(both)).then([]);
        assert!(scene.when(TENANT, change(&[])).accepted().now::<Security>(TENANT).providers.is_empty());
    }

    #[test]
    fn whoever_requires_a_second_factor_has_one() {
        let require = || ChangeSecurity { second_factor_required: true, ..change(&[]) };
        let scene = scene().when(TENANT, require());
        let scene = scene.refused_at("security.own_factor_first", "/second_factor_required");
        let scene = scene.given::<Factor>(ME, TotpEnrolled { step: 1 }).when(TENANT, require()).accepted();
        assert!(scene.now::<Security>(TENANT).second_factor_required);
    }

    #[test]
    fn rn_23_whose_only_factor_is_a_phone_cannot_require_one_and_refuse_it() {
        use crate::factor::phone::{PhoneEnrolled, PhoneNumber};
        let number = sealed(ME, &PhoneNumber { number: "+819012345678".into() });
        let phone = PhoneEnrolled { number, code_id: FRESH, first: true, enrolled_at_us: 1 };
        let scene = scene().given::<Factor>(ME, phone);
        let required = |sms| ChangeSecurity { second_factor_required: true, sms, ..change(&[]) };
        let scene = scene.when(TENANT, required(false));
        let scene = scene.refused_at("security.own_factor_first", "/second_factor_required");
        let scene = scene.when(TENANT, required(true)).accepted();
        assert!(scene.now::<Security>(TENANT).sms);
        scene.when(TENANT, required(false)).refused_at("security.own_factor_first", "/second_factor_required");
    }

    #[test]
    fn every_refusal() {
        let s =
            scene().when(TENANT, change(&["192.0.2.0/24", "here"])).refused_at("security.bad_network", "/networks/1");
        let many: Vec<String> = (0..=NETWORKS_MAX).map(|n| format!("192.0.2.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let s = s.when(TENANT, change(&many)).refused_at("security.too_many_networks", "/networks");
        let s = s.when(TENANT, change(&["192.0.2.0/24"])).refused_at("security.locks_you_out", "/networks");
        let required = ChangeSecurity { second_factor_required: true, ..change(&[]) };
        let s = s.when(TENANT, required).refused_at("security.own_factor_first", "/second_factor_required");
        let s = s.by_system().when(TENANT, change(&[])).refused("factor.not_a_member");
        s.by(crate::role::Role::Owner).stale().when(TENANT, change(&[])).refused("access.confirm_first");
        covered::<ChangeSecurity>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<SecurityEvent> {
        let networks = vec!["192.0.2.0/24".into(), "2001:db8::/32".into()];
        let providers = vec![Provider::Google, Provider::Microsoft];
        vec![Changed { second_factor_required: true, networks, providers, sms: true }.into()]
    }
}
