//! `[mail]`: the server that takes our mails over.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::BadConfig;

/// The server that takes our mails over. Without one they go no further than the outbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// `host:port`; empty = no server.
    pub server: String,
    /// How the connection is guarded.
    pub tls: MailTls,
    /// Name for the server; empty = it wants none.
    pub user: String,
    /// File whose first line is the password. Only its owner may read it.
    pub password_file: PathBuf,
    /// Address that mails come from.
    pub from: String,
    /// Name beside it.
    pub from_name: String,
    /// Name of the key that signs mails (DKIM, RFC 6376): its public half stands in the DNS at
    /// `SELECTOR._domainkey.DOMAIN`, DOMAIN being that of `from`. Empty = mails are not signed.
    pub dkim_selector: String,
    /// File with the RSA key as PEM, of 2,048 bits or more. Only its owner may read it.
    pub dkim_key_file: PathBuf,
    /// Where mails come back to that could not be delivered, such as `bounces@example.jp`: mails leave as
    /// `bounces+TOKEN@example.jp`, whose mail server puts them into `bounce_maildir`. Empty = they come back to `from`.
    pub bounce_address: String,
    /// A maildir that the mail server fills with what comes back. We read and remove what is in its `new`.
    pub bounce_maildir: PathBuf,
    /// Seconds before the second try of a mail that the server did not take for now; each further wait is twice as long.
    pub retry_s: u32,
}

/// How the connection to the mail server is guarded. Its certificate is always checked against the system's authorities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// Begins plain and turns to TLS before anything is said (RFC 3207); usual on port 587.
    StartTls,
    /// TLS from the first byte (RFC 8314); usual on port 465.
    Tls,
    /// Plain: only to this machine.
    None,
}

impl Default for Mail {
    fn default() -> Self {
        Mail {
            server: String::new(),
            tls: MailTls::StartTls,
            user: String::new(),
            password_file: PathBuf::new(),
            from: String::new(),
            from_name: "Keiin".into(),
            dkim_selector: String::new(),
            dkim_key_file: PathBuf::new(),
            bounce_address: String::new(),
            bounce_maildir: PathBuf::new(),
            retry_s: 60,
        }
    }
}

impl Mail {
    /// Is there a server?
    pub fn is_on(&self) -> bool {
        !self.server.is_empty()
    }

    /// Host and port of the server.
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        let (host, port) = self.server.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some((host, port.parse().ok()?)).filter(|(host, port)| !host.is_empty() && *port > 0)
    }

    /// Where a mail with this token comes back to.
    pub fn back_to(&self, token: &str) -> Option<String> {
        let (local, domain) = self.bounce_address.split_once('@')?;
        Some(format!("{local}+{token}@{domain}"))
    }

    /// What can be said without opening a file or a connection.
    pub fn check(&self) -> Result<(), BadConfig> {
        let bad = |text: &str| Err(BadConfig::new(text));
        if !self.is_on() {
            let silent = self.user.is_empty() && self.from.is_empty() && self.password_file.as_os_str().is_empty();
            return if silent { Ok(()) } else { bad("mail.server: name it as host:port, such as smtp.example.jp:587") };
        }
        let Some((host, _)) = self.host_and_port() else {
            return bad("mail.server: name it as host:port, such as smtp.example.jp:587");
        };
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.tls == MailTls::None && !is_loopback {
            return bad("mail.tls: \"none\" would send mails in the clear: only to a server on this machine");
        }
        if self.from.parse::<lettre::Address>().is_err() {
            return bad("mail.from: the address that mails come from, such as noreply@example.jp");
        }
        if self.dkim_selector.is_empty() != self.dkim_key_file.as_os_str().is_empty() {
            return bad(
                "mail.dkim_selector and mail.dkim_key_file belong together: a name in the DNS, and a file with its key",
            );
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !self.dkim_selector.is_empty() && !self.dkim_selector.split('.').all(is_label) {
            return bad("mail.dkim_selector: a name in the DNS, such as keiin2026");
        }
        if self.bounce_address.is_empty() != self.bounce_maildir.as_os_str().is_empty() {
            return bad(
                "mail.bounce_address and mail.bounce_maildir belong together: where mails come back to, and the folder into \
                 which the mail server puts them",
            );
        }
        let back = self.back_to(&"a".repeat(crate::bounce::TOKEN_LETTERS));
        let is_address = |back: String| back.parse::<lettre::Address>().is_ok();
        let is_long = self.bounce_address.split('@').next().is_some_and(|local| local.len() > 13);
        if !self.bounce_address.is_empty() && (is_long || !back.is_some_and(is_address)) {
            return bad(
                "mail.bounce_address: an address with at most 13 letters before the @, such as bounces@example.jp",
            );
        }
        if self.user.is_empty() != self.password_file.as_os_str().is_empty() {
            return bad("mail.user and mail.password_file belong together: a name, and a file that holds its password");
        }
        if !(1..=3_600).contains(&self.retry_s) {
            return bad("mail.retry_s: 1 to 3600 seconds");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(mail: Mail) -> String {
        mail.check().expect_err("refused").to_string()
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let good = || Mail { server: "smtp.example.jp:587".into(), from: "a@example.jp".into(), ..Mail::default() };
        assert!(Mail::default().check().is_ok() && good().check().is_ok());
        assert!(refused(Mail { server: String::new(), ..good() }).contains("mail.server"));
        for server in ["smtp.example.jp", ":587", "smtp.example.jp:0", "smtp.example.jp:smtp"] {
            assert!(refused(Mail { server: server.into(), ..good() }).contains("mail.server"), "{server}");
        }
        assert!(refused(Mail { from: "nobody".into(), ..good() }).contains("mail.from"));
        assert!(refused(Mail { user: "keiin".into(), ..good() }).contains("password_file"));
        assert!(refused(Mail { retry_s: 0, ..good() }).contains("mail.retry_s"));
    }

    #[test]
    fn plain_mail_stays_on_the_machine() {
        let to =
            |server: &str| Mail { server: server.into(), from: "a@b.jp".into(), tls: MailTls::None, ..Mail::default() };
        for here in ["localhost:25", "127.0.0.1:2525", "[::1]:25"] {
            assert!(to(here).check().is_ok(), "{here}");
        }
        for away in ["smtp.example.jp:25", "192.0.2.7:25", "localhost.example.jp:25"] {
            assert!(refused(to(away)).contains("mail.tls"), "{away}");
        }
    }
}
