//! Settings: flag over environment over `keiin.toml` over default. An unknown key stops the start: a mistyped setting
//! that is silently ignored is a hole.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Everything that can be set. Durations in seconds, sizes in bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where people connect.
    pub listen: SocketAddr,
    /// Where operators connect: metrics and rebuild. Keep it off the public network.
    pub admin_listen: SocketAddr,
    /// What links in mails begin with; empty = `http://` and the listening address.
    pub public_url: String,
    /// Host-like name in every origin, frozen when the data directory is made. Names no customer.
    pub log_name: String,
    /// Where the ledgers and read models are: `postgres://…`; empty = files in the data directory.
    pub database: String,
    /// Where keys and secrets are: a database of its own, `postgres://…`; empty = a file in the data directory.
    pub vault: String,
    /// Where checkpoints are remembered: a database of its own, `postgres://…`; empty = a file in the data directory.
    /// Several nodes need one that they share.
    pub anchor: String,
    /// Where keys are; empty = `keys` in the data directory.
    pub keys: PathBuf,
    /// What is in front of us.
    pub proxy: Proxy,
    /// What is too much.
    pub limits: Limits,
    /// Reading the stored records again.
    pub scrub: Scrub,
}

/// Reading the stored records again, before somebody needs them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scrub {
    /// Seconds from the beginning of one round to that of the next; 0 = never.
    pub every_s: u64,
    /// How much of one core a round may take, in percent.
    pub share_percent: u32,
}

/// A reverse proxy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// Networks (CIDR) whose `X-Forwarded-For` is believed.
    pub trusted: Vec<String>,
}

/// What is too much.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: usize,
    /// Seconds for one request.
    pub request_s: u64,
    /// Requests a minute for one login, token or address.
    pub requests_a_minute: u32,
    /// Login attempts a minute for one address.
    pub logins_a_minute: u32,
    /// Event streams that one person has open at once, over all logins and tokens.
    pub streams_a_person: usize,
    /// Event streams that one company has open at once. Each takes a file descriptor: `ulimit -n` should allow for them.
    pub streams_a_company: usize,
    /// Seconds that a connection may take nothing of what is sent to it; then it is cut off.
    pub stalled_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            public_url: String::new(),
            log_name: "localhost".into(),
            database: String::new(),
            vault: String::new(),
            anchor: String::new(),
            keys: PathBuf::new(),
            proxy: Proxy::default(),
            limits: Limits::default(),
            scrub: Scrub::default(),
        }
    }
}

impl Default for Scrub {
    fn default() -> Self {
        Scrub { every_s: 12 * 3_600, share_percent: 5 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 1 << 20,
            request_s: 30,
            requests_a_minute: 3_000,
            logins_a_minute: 20,
            streams_a_person: 20,
            streams_a_company: 200,
            stalled_s: 30,
        }
    }
}

/// A setting cannot be used. The text names it and says what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadConfig(String);

impl BadConfig {
    /// With this text.
    pub fn new(text: impl Into<String>) -> BadConfig {
        BadConfig(text.into())
    }
}

impl Config {
    /// File, then environment (`KEIIN__LIMITS__BODY`); flags are laid over by the command line.
    pub fn read(file: &Path) -> Result<Config, BadConfig> {
        use figment::Figment;
        use figment::providers::{Env, Format, Serialized, Toml};
        let figment = Figment::from(Serialized::defaults(Config::default()))
            .merge(Toml::file(file))
            .merge(Env::prefixed("KEIIN__").split("__"));
        let config: Config = figment.extract().map_err(|error| {
            let mut text = String::new();
            for error in error {
                text.push_str(&explained(&error));
            }
            BadConfig(text.trim_end().to_owned())
        })?;
        if !(1..=100).contains(&config.scrub.share_percent) {
            return Err(BadConfig("scrub.share_percent: 1 to 100 percent of one core".to_owned()));
        }
        for network in &config.proxy.trusted {
            if parse_cidr(network).is_none() {
                return Err(BadConfig(format!(
                    "proxy.trusted: {network} is not a network such as 10.0.0.0/8 or ::1/128"
                )));
            }
        }
        Ok(config)
    }

    /// Plain HTTP leaves the machine only behind a proxy that was named.
    pub fn check_listen(&self) -> Result<(), BadConfig> {
        if cfg!(keiin_unchecked) && !self.listen.ip().is_loopback() {
            return Err(BadConfig::new("this build keeps companies apart by row-level security alone: loopback only"));
        }
        if self.listen.ip().is_loopback() || !self.proxy.trusted.is_empty() {
            return Ok(());
        }
        Err(BadConfig(format!(
            "plain HTTP on {} would send passwords in the clear: listen on 127.0.0.1, or put a TLS proxy in front and \
             name its network with --behind-proxy CIDR",
            self.listen
        )))
    }

    /// Is this peer a proxy whose headers are believed?
    pub fn trusts_proxy(&self, peer: IpAddr) -> bool {
        self.proxy.trusted.iter().filter_map(|n| parse_cidr(n)).any(|(network, bits)| within(peer, network, bits))
    }

    /// Do browsers reach us over TLS?
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Name of the login cookie. The `__Host-` prefix needs TLS; plain HTTP exists on loopback only.
    pub fn session_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-keiin" } else { "keiin" }
    }
}

fn explained(error: &figment::Error) -> String {
    use figment::error::Kind;
    match &error.kind {
        Kind::UnknownField(found, known) => {
            let nearest = known.iter().min_by_key(|k| distance(found, k)).copied().unwrap_or("listen");
            format!("unknown setting `{found}`: did you mean `{nearest}`?\n")
        }
        _ => format!("{error}\n"),
    }
}

/// Edits from one word to another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.chars().count()]
}

fn parse_cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u32 = bits.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, bits))
}

fn within(peer: IpAddr, network: IpAddr, bits: u32) -> bool {
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 4),
        IpAddr::V6(v6) => (v6.to_bits(), 6),
    };
    let ((a, a_kind), (b, b_kind)) = (number(peer.to_canonical()), number(network));
    a_kind == b_kind && (bits == 0 || (a ^ b) >> (128 - bits) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, BadConfig> {
        let file = std::env::temp_dir().join(format!("keiin-config-{}.toml", crate::random::digits(12)));
        std::fs::write(&file, text).unwrap();
        let config = Config::read(&file);
        std::fs::remove_file(&file).unwrap();
        config
    }

    #[test]
    fn a_mistyped_key_is_refused_with_the_likely_one() {
        let error = read("lissten = \"127.0.0.1:1\"").unwrap_err().to_string();
        assert!(error.contains("did you mean `listen`"), "{error}");
        let error = read("[limits]\nbodi = 3").unwrap_err().to_string();
        assert!(error.contains("did you mean `body`"), "{error}");
        assert_eq!(read("[limits]\nbody = 3").unwrap().limits.body, 3);
    }

    #[test]
    fn plain_http_stays_at_home() {
        assert!(read("listen = \"0.0.0.0:8080\"").unwrap().check_listen().is_err());
        let behind = read("listen = \"0.0.0.0:8080\"\n[proxy]\ntrusted = [\"10.0.0.0/8\"]").unwrap();
        assert!(behind.check_listen().is_ok());
        assert!(behind.trusts_proxy("10.9.9.9".parse().unwrap()));
        assert!(!behind.trusts_proxy("11.0.0.1".parse().unwrap()));
        assert!(!behind.trusts_proxy("::1".parse().unwrap()));
        assert!(read("[proxy]\ntrusted = [\"10.0.0.0\"]").is_err());
    }
}
