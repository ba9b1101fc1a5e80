//! Which hosts are this machine: what goes to any other one is encrypted, and its certificate checked (ML-28).

use std::net::IpAddr;

/// Is this host, as a URL names it without its port, certainly this machine? A loopback address, `localhost` or a unix
/// socket's folder. Whole names only: `127.0.0.1.example.com` is somebody else's.
pub(crate) fn is_near(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    host.starts_with('/') || host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Address;

    const NEAR: &[&str] = &["127.0.0.1", "127.9.9.9", "[::1]", "localhost"];
    const FAR: &[&str] = &[
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "evil.com",
        "10.0.0.1",
        "[2001:db8::1]",
        "127.0.0.1,evil.com",
        "evil.com,localhost",
        "localhost,127.0.0.1,127.0.0.1.evil.com",
    ];

    #[test]
    fn only_whole_names_are_near() {
        for host in NEAR.iter().chain(&["::1", "/run/postgresql"]) {
            assert!(is_near(host), "{host}");
        }
        for host in FAR.iter().chain(&["", "0.0.0.0", "[::]", "run/postgresql", "@localhost", "localhost:80", "1"]) {
            assert!(!is_near(host), "{host}");
        }
    }

    #[test]
    fn a_database_is_reached_in_the_clear_only_here() {
        let open = |url: String| Address::parse(&url);
        for host in NEAR.iter().chain(&["%2Frun%2Fpostgresql", "localhost,127.0.0.1"]) {
            open(format!("postgres://u@{host}/k?sslmode=disable")).unwrap_or_else(|e| panic!("{host}: {e}"));
        }
        open("postgres:///k?host=/run/postgresql&sslmode=disable".into()).unwrap();
        for host in FAR {
            let refused = open(format!("postgres://u@{host}/k?sslmode=disable")).unwrap_err();
            assert!(refused.reason.contains("verify-full"), "{host}: {refused}");
        }
        // What the URL says at its end counts.
        for end in ["host=evil.com", "hostaddr=10.0.0.1", "host=127.0.0.1.evil.com"] {
            assert!(open(format!("postgres://u@localhost/k?sslmode=disable&{end}")).is_err(), "{end}");
        }
    }

    #[cfg(feature = "eventstore")]
    #[test]
    fn a_cluster_is_reached_in_the_clear_only_here() {
        use crate::store::eventstore::{OpenError, check_url};
        let plain = ["tls=false", "tlsVerifyCert=false", "TLS=false", "tls=%66alse", "%74ls=false&tlsVerifyCert=true"];
        for setting in plain {
            for host in NEAR.iter().chain(&["localhost:2113,127.0.0.1:2114", "u:p@127.0.0.1:2113"]) {
                check_url(&format!("esdb://{host}?{setting}")).unwrap_or_else(|e| panic!("{host}: {e}"));
            }
            for host in
                FAR.iter().chain(&["127.0.0.1:2113,evil.com:2113", "localhost@evil.com", "u:127.0.0.1@evil.com"])
            {
                let refused = check_url(&format!("esdb://{host}?{setting}"));
                assert!(matches!(refused, Err(OpenError::InClear(_))), "{host}?{setting}: {refused:?}");
            }
        }
        for host in FAR {
            check_url(&format!("esdb://{host}")).unwrap_or_else(|e| panic!("{host}: {e}"));
            check_url(&format!("esdb://{host}?tls=true&tlsVerifyCert=true")).unwrap_or_else(|e| panic!("{host}: {e}"));
        }
    }
}
