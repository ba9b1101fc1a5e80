//! Settings: flag over environment over `keiin.toml` over default. An unknown key stops the start: a mistyped setting
//! that is silently ignored is a hole.

mod attachments;
mod mail;
pub mod oidc;
mod operators;
mod passwords;
mod scrub;
mod signup;
mod sms;
mod support;
mod webhooks;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::attachments::Attachments;
pub use self::mail::{Mail, MailTls};
pub use self::operators::Operators;
pub use self::passwords::Passwords;
pub use self::scrub::Scrub;
pub use self::signup::{PaymentKind, Signup};
pub use self::sms::Sms;
pub use self::support::Support;
pub use self::webhooks::Webhooks;

/// Everything that can be set. Durations in seconds, sizes in bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where people connect.
    pub listen: SocketAddr,
    /// Where operators connect: metrics and rebuild. Keep it off the public network.
    pub admin_listen: SocketAddr,
    /// With TLS on: a plain address that leads every request to the https one, such as `0.0.0.0:80`. Unset = none.
    pub http_listen: Option<SocketAddr>,
    /// What links in mails begin with; empty = `http://`, or `https://` with TLS on, and the listening address.
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
    /// The certificate. With it every port speaks TLS, but for `http_listen`.
    pub tls: Tls,
    /// What is in front of us.
    pub proxy: Proxy,
    /// Who runs the deployment.
    pub operators: Operators,
    /// By whose accounts people may log in.
    pub oidc: oidc::Oidc,
    /// What is too much.
    pub limits: Limits,
    /// What checking a password costs.
    pub passwords: Passwords,
    /// Who takes our mails over.
    pub mail: Mail,
    /// Where companies may have us send.
    pub webhooks: Webhooks,
    /// Who sends codes to phones.
    pub sms: Sms,
    /// How companies join.
    pub signup: Signup,
    /// Where customers ask.
    pub support: Support,
    /// Reading the stored records again.
    pub scrub: Scrub,
    /// Files that companies send along with documents.
    pub attachments: Attachments,
}

/// The certificate: files of an authority's, or one that we make ourselves.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The certificate and those between it and its authority, PEM; certbot's `fullchain.pem`.
    pub cert: PathBuf,
    /// Its private key, PEM, not encrypted; certbot's `privkey.pem`.
    pub key: PathBuf,
    /// Make one that no browser knows, kept beside the other keys.
    pub self_signed: bool,
}

impl Tls {
    /// Do our ports speak TLS?
    pub fn is_on(&self) -> bool {
        self.self_signed || !self.cert.as_os_str().is_empty() || !self.key.as_os_str().is_empty()
    }
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
    /// Requests a minute for one company, over all its people, programs and kiosks.
    pub requests_a_minute_company: u32,
    /// Commands of one company that are worked on at once; more of them wait for each other.
    pub commands_at_once_a_company: usize,
    /// Cores that one company takes at once, for finding out who calls, decisions and queries; 0 = as many as there are.
    pub cores_a_company: usize,
    /// Login attempts a minute for one address.
    pub logins_a_minute: u32,
    /// Mails with a code in an hour to the address of somebody who signs up.
    pub codes_an_hour: u32,
    /// Sign-ups that are begun in an hour from one source: an IPv4 address, or an IPv6 network of 64 bits.
    pub sign_ups_an_hour: u32,
    /// Event streams that one person has open at once, over all logins and tokens.
    pub streams_a_person: usize,
    /// Event streams that one company has open at once. Each takes a file descriptor: `ulimit -n` should allow for them.
    pub streams_a_company: usize,
    /// Seconds for the head of a request, from the connection's beginning or from the answer before; then it is closed.
    pub head_s: u64,
    /// Seconds that a connection may take nothing of what is sent to it; then it is cut off.
    pub stalled_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            http_listen: None,
            public_url: String::new(),
            log_name: "localhost".into(),
            database: String::new(),
            vault: String::new(),
            anchor: String::new(),
            keys: PathBuf::new(),
            tls: Tls::default(),
            proxy: Proxy::default(),
            operators: Operators::default(),
            oidc: oidc::Oidc::default(),
            limits: Limits::default(),
            passwords: Passwords::default(),
            mail: Mail::default(),
            webhooks: Webhooks::default(),
            sms: Sms::default(),
            signup: Signup::default(),
            support: Support::default(),
            scrub: Scrub::default(),
            attachments: Attachments::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 1 << 20,
            request_s: 30,
            requests_a_minute: 3_000,
            requests_a_minute_company: 30_000,
            commands_at_once_a_company: 32,
            cores_a_company: 0,
            logins_a_minute: 20,
            codes_an_hour: 6,
            sign_ups_an_hour: 30,
            streams_a_person: 20,
            streams_a_company: 200,
            head_s: 20,
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
        let mut config: Config = figment.extract().map_err(|error| {
            let mut text = String::new();
            for error in error {
                text.push_str(&explained(&error));
            }
            BadConfig(text.trim_end().to_owned())
        })?;
        config.passwords.check()?;
        config.attachments.check()?;
        config.operators.check()?;
        config.mail.check()?;
        config.webhooks.check()?;
        config.signup.check()?;
        config.support.check()?;
        config.oidc.load()?;
        config.sms.check()?;
        config.scrub.check()?;
        for network in &config.proxy.trusted {
            if parse_cidr(network).is_none() {
                return Err(BadConfig(format!(
                    "proxy.trusted: {network} is not a network such as 10.0.0.0/8 or ::1/128"
                )));
            }
        }
        Ok(config)
    }

    /// Plain HTTP leaves the machine only behind a proxy that was named (ML-05), and settings of TLS fit together.
    pub fn check_listen(&self) -> Result<(), BadConfig> {
        self.check_operators()?;
        if cfg!(keiin_unchecked) && !self.listen.ip().is_loopback() {
            return Err(BadConfig::new("this build keeps companies apart by row-level security alone: loopback only"));
        }
        if self.tls.is_on() {
            return self.check_tls();
        }
        if let Some(address) = self.http_listen {
            return Err(BadConfig(format!(
                "http_listen = {address} only leads to https: give a certificate too (--tls-cert and --tls-key), or \
                 leave it out"
            )));
        }
        if !self.admin_listen.ip().is_loopback() && !self.admin_speaks_tls() {
            return Err(BadConfig(format!(
                "plain HTTP for operators on {} would let everybody on the way read along: set admin_listen to \
                 127.0.0.1, or give a certificate with --tls-cert and --tls-key",
                self.admin_listen
            )));
        }
        if self.listen.ip().is_loopback() || !self.proxy.trusted.is_empty() {
            return Ok(());
        }
        Err(BadConfig(format!(
            "plain HTTP on {} would send passwords in the clear: give a certificate with --tls-cert and --tls-key (or \
             --tls self-signed), listen on 127.0.0.1, or put a TLS proxy in front and name its network with \
             --behind-proxy CIDR",
            self.listen
        )))
    }

    fn check_operators(&self) -> Result<(), BadConfig> {
        match self.operators.is_on() && !self.admin_speaks_tls() {
            true => Err(BadConfig::new(
                "operators.ca: operators log in by certificates, which need TLS on the operators' port: set operators.cert \
                 and operators.key, or --tls-cert and --tls-key (or --tls self-signed)",
            )),
            false => Ok(()),
        }
    }

    fn check_tls(&self) -> Result<(), BadConfig> {
        let has_cert = !self.tls.cert.as_os_str().is_empty();
        if has_cert == self.tls.key.as_os_str().is_empty() {
            let (given, missing) = if has_cert { ("--tls-cert", "--tls-key") } else { ("--tls-key", "--tls-cert") };
            return Err(BadConfig(format!("{given} needs {missing}: a certificate and its private key, both PEM")));
        }
        if has_cert && self.tls.self_signed {
            let text = "tls.self_signed makes a certificate, tls.cert names one: leave one of them out";
            return Err(BadConfig::new(text));
        }
        if !self.public_url.is_empty() && !self.is_https_url() {
            return Err(BadConfig(format!(
                "public_url = \"{}\" but TLS is on: begin it with https://, links in mails are made from it",
                self.public_url
            )));
        }
        match self.http_listen {
            Some(address) if self.public_url.is_empty() && self.listen.ip().is_unspecified() => {
                Err(BadConfig(format!(
                    "http_listen = {address} needs to know where to lead: set public_url to https:// and the host's name"
                )))
            }
            _ => Ok(()),
        }
    }

    fn is_https_url(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// What addresses that we print and send begin with.
    pub fn url(&self) -> String {
        match self.public_url.trim_end_matches('/') {
            "" => format!("{}://{}", self.scheme(), self.listen),
            url => url.to_owned(),
        }
    }

    /// Where customers ask.
    pub fn contact(&self) -> String {
        let known = [&self.support.contact, &self.mail.from].into_iter().find(|text| !text.is_empty());
        known.cloned().unwrap_or_else(|| self.url())
    }

    /// Where operators connect.
    pub fn admin_url(&self) -> String {
        format!("{}://{}", if self.admin_speaks_tls() { "https" } else { "http" }, self.admin_listen)
    }

    fn admin_speaks_tls(&self) -> bool {
        self.tls.is_on() || self.operators.has_own_certificate()
    }

    /// The host's name in `public_url`.
    pub fn public_host(&self) -> Option<&str> {
        let (_, rest) = self.public_url.split_once("://")?;
        let authority = rest.split(['/', '?']).next().unwrap_or(rest);
        let port = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|c| c.is_ascii_digit()));
        let host = authority[..port.unwrap_or(authority.len())].trim_matches(['[', ']']);
        Some(host).filter(|host| !host.is_empty())
    }

    fn scheme(&self) -> &'static str {
        if self.tls.is_on() { "https" } else { "http" }
    }

    /// Does nobody come from outside this machine?
    pub fn is_private(&self) -> bool {
        self.listen.ip().is_loopback() && self.proxy.trusted.is_empty()
    }

    /// Is this peer a proxy whose headers are believed?
    pub fn trusts_proxy(&self, peer: IpAddr) -> bool {
        self.proxy.trusted.iter().filter_map(|n| parse_cidr(n)).any(|(network, bits)| within(peer, network, bits))
    }

    /// Do browsers reach us over TLS?
    pub fn is_https(&self) -> bool {
        self.tls.is_on() || self.is_https_url()
    }

    /// A proxy speaks TLS for us, and nobody told us so: cookies would lack `Secure`.
    pub fn is_proxied_in_the_clear(&self) -> bool {
        !self.is_https() && !self.proxy.trusted.is_empty()
    }

    /// Name of the login cookie. The `__Host-` prefix needs TLS; plain HTTP exists on loopback only.
    pub fn session_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-keiin" } else { "keiin" }
    }

    /// Name of the cookie of a browser that is on its way to a provider of identities.
    pub fn browser_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-keiin-browser" } else { "keiin-browser" }
    }

    /// Name of the cookie by which a device is known again at its next login.
    pub fn device_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-keiin-device" } else { "keiin-device" }
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
        // Operators' requests pass no proxy.
        let admin = read("admin_listen = \"0.0.0.0:8081\"\n[proxy]\ntrusted = [\"10.0.0.0/8\"]").unwrap();
        assert!(admin.check_listen().unwrap_err().to_string().contains("admin_listen to 127.0.0.1"));
    }

    #[test]
    fn settings_of_tls_fit_together() {
        let tls = "admin_listen = \"0.0.0.0:8081\"\nlisten = \"0.0.0.0:443\"";
        let files = "[tls]\ncert = \"c\"\nkey = \"k\"";
        let good = read(&format!("{tls}\n{files}")).unwrap();
        good.check_listen().unwrap();
        assert!(good.is_https() && good.session_cookie().starts_with("__Host-"));
        assert_eq!((good.url().as_str(), good.admin_url().as_str()), ("https://0.0.0.0:443", "https://0.0.0.0:8081"));
        for (url, host) in [
            ("https://a.example", "a.example"),
            ("https://a.example:8443/x", "a.example"),
            ("https://[::1]:8443", "::1"),
            ("https://[::1]/", "::1"),
        ] {
            assert_eq!(read(&format!("public_url = \"{url}\"")).unwrap().public_host(), Some(host));
        }
        for (head, tail, advice) in [
            ("", "[tls]\ncert = \"c\"", "--tls-cert needs --tls-key"),
            ("", "[tls]\nkey = \"k\"", "--tls-key needs --tls-cert"),
            ("", "[tls]\ncert = \"c\"\nkey = \"k\"\nself_signed = true", "leave one of them out"),
            ("public_url = \"http://a.example\"", files, "begin it with https://"),
            ("http_listen = \"0.0.0.0:80\"", files, "set public_url"),
        ] {
            let error = read(&format!("{tls}\n{head}\n{tail}")).unwrap().check_listen().unwrap_err().to_string();
            assert!(error.contains(advice), "{error}");
        }
        let error = read("http_listen = \"127.0.0.1:80\"").unwrap().check_listen().unwrap_err().to_string();
        assert!(error.contains("only leads to https"), "{error}");
    }
}
