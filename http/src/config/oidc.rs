//! Providers of identities: by whose accounts people may log in, where their company wants it.

use std::net::IpAddr;
use std::path::PathBuf;

use keiin_domain::factor::account::Provider;
use serde::{Deserialize, Serialize};

use super::BadConfig;

/// Longest secret that a provider hands out, in bytes; more is another file.
const SECRET_MAX: usize = 4_096;

/// The providers that are known. One without a `client_id` is off.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oidc {
    /// Google accounts.
    pub google: Client,
    /// Microsoft accounts of companies and schools.
    pub microsoft: Client,
}

/// What the provider knows us by.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Client {
    /// Public name of this deployment there.
    pub client_id: String,
    /// Its secret; or name a file.
    pub client_secret: String,
    /// File that holds the secret.
    pub client_secret_file: PathBuf,
    /// Where the provider is. Microsoft: `https://login.microsoftonline.com/` and a directory's id, or `organizations` for
    /// all of them, and `/v2.0`.
    pub issuer: String,
}

/// Without the secret.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:?}", self.client_id, self.issuer)
    }
}

impl Default for Oidc {
    fn default() -> Self {
        let at = |issuer: &str| Client { issuer: issuer.to_owned(), ..Client::default() };
        Oidc {
            google: at("https://accounts.google.com"),
            microsoft: at("https://login.microsoftonline.com/organizations/v2.0"),
        }
    }
}

impl Oidc {
    /// What this provider knows us by; `None` = it is off.
    pub fn client(&self, provider: Provider) -> Option<&Client> {
        let client = match provider {
            Provider::Google => &self.google,
            Provider::Microsoft => &self.microsoft,
        };
        Some(client).filter(|client| !client.client_id.is_empty())
    }

    /// Those that are on.
    pub fn on(&self) -> Vec<Provider> {
        Provider::ALL.iter().copied().filter(|provider| self.client(*provider).is_some()).collect()
    }

    /// Reads secrets from their files, and refuses what cannot work.
    pub fn load(&mut self) -> Result<(), BadConfig> {
        for (name, client) in [("google", &mut self.google), ("microsoft", &mut self.microsoft)] {
            client.load().map_err(|text| BadConfig::new(format!("oidc.{name}: {text}")))?;
        }
        Ok(())
    }
}

impl Client {
    fn load(&mut self) -> Result<(), String> {
        if self.client_id.is_empty() {
            return Ok(());
        }
        let file = &self.client_secret_file;
        if !file.as_os_str().is_empty() {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            self.client_secret = text.trim().to_owned();
        }
        if !(1..=SECRET_MAX).contains(&self.client_secret.len()) {
            return Err("client_id needs client_secret, or client_secret_file with the file that holds it".into());
        }
        if !is_safe(&self.issuer) {
            return Err(format!("issuer = {:?} must begin with https://", self.issuer));
        }
        Ok(())
    }
}

/// May secrets go there? Over TLS, or to this machine.
pub fn is_safe(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    !host.is_empty() && !authority.contains('@') && (scheme == "https" || (scheme == "http" && here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_the_machine() {
        for good in
            ["https://accounts.google.com", "http://127.0.0.1:8080/realm", "http://localhost/x", "http://[::1]:1"]
        {
            assert!(is_safe(good), "{good}");
        }
        for bad in
            ["", "x", "https://", "http://accounts.google.com", "http://127.0.0.1@evil.example/", "ftp://localhost"]
        {
            assert!(!is_safe(bad), "{bad}");
        }
    }

    #[test]
    fn a_client_without_a_secret_stops_the_start() {
        let mut settings = Oidc::default();
        assert!(settings.load().is_ok() && settings.on().is_empty());
        settings.google.client_id = "x".into();
        assert!(settings.load().unwrap_err().to_string().starts_with("oidc.google: client_id needs client_secret"));
        settings.google.client_secret = "s".into();
        assert!(settings.load().is_ok() && settings.on() == [Provider::Google]);
        assert!(!format!("{settings:?}").contains("\"s\""));
    }
}
