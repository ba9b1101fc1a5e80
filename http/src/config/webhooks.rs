//! `[webhooks]`: where companies may have us send.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::BadConfig;

/// Where companies may have us send.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    /// Messages are sent. Off, endpoints can be registered and nothing leaves.
    pub send: bool,
    /// Hosts that take sentences for Slack, each as `host` or `host:port`.
    pub slack_hosts: Vec<String>,
    /// Dangerous: addresses of this machine or network that companies may have us send to, each as `address:port`, also
    /// without TLS. For tests and for receivers beside us; every company can reach every one of them.
    pub allow_private: Vec<SocketAddr>,
}

impl Default for Webhooks {
    fn default() -> Self {
        Webhooks { send: true, slack_hosts: vec!["hooks.slack.com".into()], allow_private: vec![] }
    }
}

impl Webhooks {
    /// What can be said without a connection.
    pub fn check(&self) -> Result<(), BadConfig> {
        let odd = self.slack_hosts.iter().find(|host| host.is_empty() || host.contains(['/', '@', ' ']));
        match odd {
            Some(host) => {
                Err(BadConfig::new(format!("webhooks.slack_hosts: \"{host}\": hosts, such as hooks.slack.com")))
            }
            None => Ok(()),
        }
    }
}
