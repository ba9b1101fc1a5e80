//! A real mail server (aiosmtpd) on loopback, and what it took.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde_json::Value;

use crate::company::{Deployment, text};
use crate::root;
use crate::server::lines_of;

/// Longest wait for a mail.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who may send, where the server asks.
pub const USER: &str = "keiin";
/// Their password.
pub const PASSWORD: &str = "Petrichor-gudgeon-19-vellum";

/// A running mail server. Dropping it ends it.
pub struct Smtp {
    child: Child,
    /// Where it listens.
    pub port: u16,
    lines: Receiver<String>,
}

impl Smtp {
    /// One that speaks plainly and takes mails of everybody.
    pub fn plain(port: u16) -> Smtp {
        Smtp::start(port, "none", [Path::new("-"), Path::new("-")], None)
    }

    /// One with a certificate, which wants [`USER`] and [`PASSWORD`]. `mode` is as in `[mail] tls`.
    pub fn guarded(mode: &str, certificate: [&Path; 2]) -> Smtp {
        Smtp::with_password(mode, certificate, PASSWORD)
    }

    /// The same, where [`USER`] has another password.
    pub fn with_password(mode: &str, certificate: [&Path; 2], password: &str) -> Smtp {
        Smtp::start(0, mode, certificate, Some(password))
    }

    fn start(port: u16, mode: &str, certificate: [&Path; 2], password: Option<&str>) -> Smtp {
        let (user, password) = password.map_or(("-", "-"), |password| (USER, password));
        // Debian's packages are for Debian's own Python.
        let mut child = Command::new("/usr/bin/python3")
            .arg(root().join("tests/smtp/server.py"))
            .args([&port.to_string(), mode])
            .args(certificate)
            .args([user, password])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let lines = lines_of(child.stdout.take().expect("piped"));
        let first = lines.recv_timeout(PATIENCE).expect("it starts: apt-get install python3-aiosmtpd");
        let first: Value = serde_json::from_str(&first).expect("JSON");
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        Smtp { child, port, lines }
    }

    /// The next mail, whoever it is for.
    #[track_caller]
    pub fn next(&self) -> Value {
        self.within(PATIENCE).expect("a mail comes")
    }

    /// The next mail to this address; others are passed over.
    #[track_caller]
    pub fn next_to(&self, address: &str) -> Value {
        loop {
            let mail = self.next();
            if mail["recipients"][0] == address {
                return mail;
            }
        }
    }

    /// The six digits in the next mail to this address.
    #[track_caller]
    pub fn code_to(&self, address: &str) -> String {
        code_in(&self.next_to(address))
    }

    /// A mail that comes within this time.
    pub fn within(&self, patience: Duration) -> Option<Value> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Some(serde_json::from_str(&line).expect("JSON")),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the mail server has ended"),
        }
    }
}

/// The six digits in a mail.
#[track_caller]
pub fn code_in(mail: &Value) -> String {
    let body = text(mail, "body");
    let words = body.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6);
    words.unwrap_or_else(|| panic!("no code: {body}")).to_owned()
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Deployment {
    /// From the next start on mails go to a server at this port of this machine; `more` are further lines of `[mail]`.
    pub fn mail_to(&self, port: u16, tls: &str, more: &str) {
        let settings = self.data().join("keiin.toml");
        let text = std::fs::read_to_string(&settings).expect("init wrote the settings");
        let before = text.split("\n[mail]").next().unwrap_or(&text);
        let text = format!(
            "{before}\n[mail]\nserver = \"localhost:{port}\"\ntls = \"{tls}\"\nfrom = \"noreply@keiin.example\"\n\
             from_name = \"契印\"\nretry_s = 1\n{more}\n"
        );
        std::fs::write(&settings, text).expect("the settings can be written");
    }
}
