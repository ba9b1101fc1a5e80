//! Requests to addresses that somebody else chose (ASVS V1.3.6, V13.2.4; OWASP API7).
//!
//! Invariants:
//! * A connection goes only to an address that the whole internet knows. Names are resolved here, what is not public is
//!   dropped, and the connection is made to what is left: there is no second look-up that could say something else.
//! * Redirects are not followed, proxies of the environment not asked, certificates always checked.
//! * An answer is read up to [`ANSWER_MAX`]; the rest is not waited for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::{Config, Webhooks};

/// Longest wait for a whole answer.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Most of an answer that is read, bytes.
const ANSWER_MAX: usize = 8 << 10;

/// Sends to addresses that somebody else chose.
pub struct Outbound {
    http: reqwest::Client,
    settings: Webhooks,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Seconds of `Retry-After`, where it is a number.
    pub retry_after_s: Option<u32>,
    /// The beginning of the body.
    pub body: Vec<u8>,
}

/// What became of a request.
pub struct Sent {
    /// The answer, or why there is none.
    pub answer: Result<Answer, String>,
    /// How long it took.
    pub took: Duration,
}

impl Outbound {
    /// With the settings of a deployment.
    pub fn of(config: &Config) -> anyhow::Result<Outbound> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(std::sync::Arc::new(PublicOnly))
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(4)
            .user_agent(concat!("Keiin/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Outbound { http, settings: config.webhooks.clone() })
    }

    /// Are messages sent at all?
    pub fn is_on(&self) -> bool {
        self.settings.send
    }

    /// May a company have us send there, as far as the address itself says? Names are looked up when something is sent.
    pub fn permits(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.check(&url).is_ok())
    }

    /// Is it an address of Slack's?
    pub fn is_slack(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let Some(host) = url.host_str() else { return false };
        let named = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        self.settings.slack_hosts.contains(&named)
    }

    fn check(&self, url: &Url) -> Result<(), &'static str> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address names a user");
        }
        let port = url.port_or_known_default().ok_or("the address has no port")?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the address has no host")?;
        // The parser has brought every way of writing an IPv4 address into one.
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if literal.is_some_and(|ip| self.settings.allow_private.contains(&SocketAddr::new(ip, port))) {
            return Ok(());
        }
        match literal {
            _ if url.scheme() != "https" => Err("the address does not begin with https"),
            _ if port != 443 && port <= 1024 => Err("the port is neither 443 nor above 1024"),
            Some(ip) if !is_public(ip) => Err(NOT_PUBLIC),
            _ => Ok(()),
        }
    }

    /// Posts JSON. Never fails otherwise than by an answer that says why there is none.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: String) -> Sent {
        let began = Instant::now();
        let answer = match tokio::time::timeout(PATIENCE, self.ask(url, headers, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
        };
        Sent { answer, took: began.elapsed() }
    }

    async fn ask(&self, url: &str, headers: &[(&'static str, String)], body: String) -> Result<Answer, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        self.check(&url)?;
        let request = self.http.post(url).header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let mut response = request.body(body).send().await.map_err(|error| why(&error))?;
        let retry_after_s =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let (status, mut body) = (response.status().as_u16(), vec![]);
        // What is said after the limit, or breaks off before, changes nothing of the status.
        while body.len() < ANSWER_MAX
            && let Ok(Some(part)) = response.chunk().await
        {
            body.extend_from_slice(&part[..part.len().min(ANSWER_MAX - body.len())]);
        }
        Ok(Answer { status, retry_after_s, body })
    }
}

const NOT_PUBLIC: &str = "the address is not public";

/// The innermost cause without the address that was asked: it may be a secret.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    if text.contains("://") { "the connection failed".to_owned() } else { text }
}

/// Looks names up and says only what is public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NOT_PUBLIC.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Is it an address of one machine that the whole internet knows (IANA's registries of special addresses, RFC 6890)?
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// Only what is given out (2000::/3), without what stands for an IPv4 address or is for protocols and books.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let given_out = s[0] & 0xe000 == 0x2000;
    let special = match s[0] {
        0x2001 => s[1] < 0x0200 || s[1] == 0x0db8,
        0x3fff => s[1] < 0x1000,
        first => first == 0x2002,
    };
    given_out && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(allow_private: &[&str]) -> Outbound {
        let allow_private = allow_private.iter().map(|text| text.parse().expect("an address")).collect();
        let webhooks = Webhooks { allow_private, ..Webhooks::default() };
        Outbound::of(&Config { webhooks, ..Config::default() }).expect("a client")
    }

    #[test]
    fn only_what_the_internet_knows_is_reached() {
        for public in [
            "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1",
            "198.20.0.1", "223.255.255.254", "2606:4700:4700::1111", "2400:cb00::1", "2001:200::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "127.0.0.1", "127.255.255.254", "100.64.0.1", "100.127.255.255",
            "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192",
            "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7",
            "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
            "::ffff:1.1.1.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::101:101", "64:ff9b:1::a00:1", "100::1",
            "2001::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::", "3fff::1", "fc00::1",
            "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "5f00::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn an_address_is_judged_as_a_browser_reads_it() {
        let outbound = outbound(&[]);
        for good in
            ["https://app.example/hook", "https://app.example:8443/", "https://1.1.1.1/", "https://[2606:4700::1]/x"]
        {
            assert!(outbound.permits(good), "{good}");
        }
        for bad in [
            "http://app.example/",
            "https://app.example:25/",
            "https://app.example:80/",
            "https://app.example:1024/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://0/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://me:pw@app.example/",
            "ftp://app.example/",
            "https://",
            "https://１２７.０.０.１/",
            "https://10.0.0.1:8443/",
            "nonsense",
        ] {
            assert!(!outbound.permits(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_named_in_the_settings_and_nothing_beside_it_is_reached_too() {
        let outbound = outbound(&["127.0.0.1:9000"]);
        assert!(outbound.permits("http://127.0.0.1:9000/hook") && outbound.permits("https://127.0.0.1:9000/hook"));
        for bad in
            ["http://127.0.0.1:9001/", "http://127.0.0.2:9000/", "http://localhost:9000/", "http://app.example:9000/"]
        {
            assert!(!outbound.permits(bad), "{bad}");
        }
        assert!(outbound.is_slack("https://hooks.slack.com/services/T0/B0/x"));
        for bad in ["https://hooks.slack.com.evil.example/", "https://hooks.slack.com:8443/", "https://evil.example/"] {
            assert!(!outbound.is_slack(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_followed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = outbound(&[]).post(&format!("https://localhost:{port}/"), &[], "{}".into()).await;
        assert_eq!(sent.answer.unwrap_err(), NOT_PUBLIC);
        let knocked = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(knocked.is_err(), "nobody knocked");
    }
}
