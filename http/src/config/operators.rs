//! Who runs the deployment, and how they come in.

use std::net::IpAddr;
use std::path::PathBuf;

use keiin_domain::grant::HOURS;
use serde::{Deserialize, Serialize};

use super::{BadConfig, parse_cidr, within};

/// Operators and their port.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operators {
    /// Authority (PEM) of the certificates by which operators log in. Empty = nobody logs in there. Needs TLS.
    pub ca: PathBuf,
    /// Certificate of the operators' port and those between it and its authority, PEM; empty = that of `tls`.
    pub cert: PathBuf,
    /// Its private key, PEM, not encrypted.
    pub key: PathBuf,
    /// Networks (CIDR) that the operators' port answers; empty = whoever reaches it. `/livez` and `/readyz` answer all.
    pub networks: Vec<String>,
    /// Hours of the longest grant that an operator can ask a company for.
    pub grant_hours: u32,
    /// Days after which somebody else must have said again that an account is still needed.
    pub review_days: u32,
}

impl Default for Operators {
    fn default() -> Self {
        Operators {
            ca: PathBuf::new(),
            cert: PathBuf::new(),
            key: PathBuf::new(),
            networks: vec![],
            grant_hours: HOURS,
            review_days: 90,
        }
    }
}

impl Operators {
    /// Can operators log in at all?
    pub fn is_on(&self) -> bool {
        !self.ca.as_os_str().is_empty()
    }

    /// Has the operators' port a certificate of its own?
    pub fn has_own_certificate(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }

    /// Does the operators' port answer this address?
    pub fn lets_in(&self, from: IpAddr) -> bool {
        let mut networks = self.networks.iter().filter_map(|text| parse_cidr(text));
        self.networks.is_empty() || networks.any(|(network, bits)| within(from.to_canonical(), network, bits))
    }

    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), BadConfig> {
        if self.has_own_certificate() == self.key.as_os_str().is_empty() {
            return Err(BadConfig::new("operators: cert and key belong together, both PEM"));
        }
        if let Some(bad) = self.networks.iter().find(|text| parse_cidr(text).is_none()) {
            let like = "such as 10.0.0.0/8 or ::1/128";
            return Err(BadConfig::new(format!("operators.networks: {bad} is not a network {like}")));
        }
        if !(1..=24 * 30).contains(&self.grant_hours) || !(1..=366).contains(&self.review_days) {
            return Err(BadConfig::new("operators: grant_hours 1 to 720, review_days 1 to 366"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mn_03_the_port_answers_the_networks_that_are_named() {
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(Operators::default().lets_in(from("203.0.113.9")));
        let named = Operators { networks: vec!["10.0.0.0/8".into(), "::1/128".into()], ..Operators::default() };
        assert!(
            named.lets_in(from("10.1.2.3")) && named.lets_in(from("::1")) && named.lets_in(from("::ffff:10.1.2.3"))
        );
        assert!(!named.lets_in(from("11.1.2.3")) && !named.lets_in(from("::2")));
        assert!(named.check().is_ok());
        assert!(Operators { networks: vec!["here".into()], ..Operators::default() }.check().is_err());
        assert!(Operators { grant_hours: 0, ..Operators::default() }.check().is_err());
    }
}
