//! Handing a mail to the server of `[mail]` (RFC 5321).
//!
//! Invariants:
//! * A mail counts as handed over when the server has said so, never before: it may come twice and is not lost. The
//!   second copy has the first one's Message-ID, date and parts. What somebody sends once more after it had failed is
//!   another version of it and has an id of its own (RFC 5322, 3.6.4).
//! * What goes wrong before the mail's own commands (no connection, wrong certificate, wrong password) says nothing of the
//!   mail and makes it wait; a 5xx to the mail itself is final.
//! * The password and the signing key are in memory only, and in no setting, message or log.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use keiin_domain::mail::MailFailure;
use keiin_projections::mail::{Letter, Rendered};
use lettre::address::Envelope;
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, authentication};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, LineEnding};
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::PublicKeyParts;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::config::{BadConfig, Config, MailTls};

/// Longest wait for a connection and for one mail.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server that takes mails over.
pub struct Smtp {
    host: String,
    port: u16,
    guard: MailTls,
    tls: TlsParameters,
    credentials: Option<Credentials>,
    hello: ClientId,
    from: Mailbox,
    dkim: Option<DkimConfig>,
}

/// Why a mail was not taken.
#[derive(Debug)]
pub enum Trouble {
    /// For good.
    Refused(MailFailure),
    /// For now, this mail.
    Later(String),
    /// For now, every mail: the server was not reached, or does not know us.
    Away(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Refused(failure) => write!(f, "{} {}", failure.code, failure.diagnostic),
            Trouble::Later(why) | Trouble::Away(why) => f.write_str(why),
        }
    }
}

/// One connection, opened when the first mail is there.
#[derive(Default)]
pub struct Line(Option<AsyncSmtpConnection>);

impl Smtp {
    /// The server of the settings, if one is named. Its password is read here.
    pub fn of(config: &Config) -> Result<Option<Smtp>, BadConfig> {
        let mail = &config.mail;
        mail.check()?;
        let Some((host, port)) = mail.host_and_port() else { return Ok(None) };
        let bad = |name: &str, why: &dyn std::fmt::Display| BadConfig::new(format!("mail.{name}: {why}"));
        let address: lettre::Address =
            mail.from.parse().map_err(|why: lettre::address::AddressError| bad("from", &why))?;
        let dkim = match mail.dkim_selector.as_str() {
            "" => None,
            selector => {
                let key = signing_key(&mail.dkim_key_file).map_err(|why| bad("dkim_key_file", &why))?;
                let headers = SIGNED.iter().map(|name| HeaderName::new_from_ascii_str(name)).collect();
                let relaxed = DkimCanonicalizationType::Relaxed;
                let canonicalization = DkimCanonicalization { header: relaxed, body: relaxed };
                Some(DkimConfig::new(selector.into(), address.domain().into(), key, headers, canonicalization))
            }
        };
        let credentials = match mail.user.as_str() {
            "" => None,
            user => {
                let password = password(&mail.password_file).map_err(|why| bad("password_file", &why))?;
                Some(Credentials::new(user.to_owned(), password.to_string()))
            }
        };
        Ok(Some(Smtp {
            host: host.to_owned(),
            port,
            guard: mail.tls,
            tls: TlsParameters::new_rustls(host.to_owned()).map_err(|why| bad("tls", &why))?,
            credentials,
            hello: config.public_host().map_or_else(ClientId::default, |host| ClientId::Domain(host.to_owned())),
            from: Mailbox::new(Some(mail.from_name.clone()).filter(|name| !name.is_empty()), address),
            dkim,
        }))
    }

    /// Opens a connection and logs in.
    pub async fn connect(&self) -> Result<Line, Trouble> {
        let tls = (self.guard == MailTls::Tls).then(|| self.tls.clone());
        let opened = tokio::time::timeout(PATIENCE, async {
            let server = (self.host.as_str(), self.port);
            let mut connection =
                AsyncSmtpConnection::connect_tokio1(server, Some(PATIENCE), &self.hello, tls, None).await?;
            if self.guard == MailTls::StartTls {
                // A server that offers none is an error here: nothing is said in the clear instead.
                connection.starttls(self.tls.clone(), &self.hello).await?;
            }
            if let Some(credentials) = &self.credentials {
                connection.auth(MECHANISMS, credentials).await?;
            }
            Ok::<_, Error>(connection)
        });
        match opened.await {
            Ok(Ok(connection)) => Ok(Line(Some(connection))),
            Ok(Err(error)) => Err(Trouble::Away(said(&error))),
            Err(_) => Err(Trouble::Away("no answer".into())),
        }
    }

    /// Hands one mail over. Whatever goes wrong, the connection is not used again.
    /// `back` says where it comes back to, where that is not the address that it comes from.
    pub async fn send(
        &self,
        line: &mut Line,
        letter: &Letter,
        text: Rendered,
        back: Option<String>,
    ) -> Result<(), Trouble> {
        let message = self.message(letter, text)?;
        let from = back.and_then(|back| back.parse().ok()).or_else(|| message.envelope().from().cloned());
        let envelope = Envelope::new(from, message.envelope().to().to_vec());
        let envelope = envelope.map_err(|error| undeliverable("5.1.3", &error.to_string()))?;
        if line.0.as_ref().is_none_or(AsyncSmtpConnection::has_broken) {
            *line = self.connect().await?;
        }
        let Some(connection) = &mut line.0 else { return Err(Trouble::Away("no connection".into())) };
        let sent = tokio::time::timeout(PATIENCE, connection.send(&envelope, &message.formatted())).await;
        let error = match sent {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => {
                line.0 = None;
                return Err(Trouble::Later("no answer".into()));
            }
        };
        line.0 = None;
        match error.status() {
            Some(code) if error.is_permanent() => Err(Trouble::Refused(MailFailure {
                code: code.to_string().parse().unwrap_or(500),
                diagnostic: said(&error),
            })),
            None if error.is_client() => Err(undeliverable("5.6.7", &said(&error))),
            _ => Err(Trouble::Later(said(&error))),
        }
    }

    fn message(&self, letter: &Letter, text: Rendered) -> Result<Message, Trouble> {
        let to = letter.to.email.as_deref().unwrap_or("");
        let to = to.parse().map_err(|_| undeliverable("5.1.3", "no address that a mail can go to"))?;
        let id = Smtp::id(letter);
        // When it was ready to go out, however long the way there takes (RFC 5322, 3.6.1).
        let date_us = letter.requeued_at.unwrap_or(letter.queued_at).0;
        // Who is written to is in the text; a name beside the address would only be one more thing to forge.
        let builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(one_line(&text.subject))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .date(UNIX_EPOCH + Duration::from_micros(u64::try_from(date_us).unwrap_or(0)));
        let made = if text.attachments.is_empty() {
            builder.header(ContentType::TEXT_PLAIN).body(text.body)
        } else {
            let mut parts = MultiPart::mixed().boundary(format!("part-{id}")).singlepart(SinglePart::plain(text.body));
            for file in text.attachments {
                let kind = ContentType::parse(&file.media_type);
                let kind = kind.map_err(|error| undeliverable("5.6.0", &error.to_string()))?;
                parts = parts.singlepart(Attachment::new(file.name.to_owned()).body(file.bytes, kind));
            }
            builder.multipart(parts)
        };
        let mut message = made.map_err(|error| undeliverable("5.6.0", &error.to_string()))?;
        // So that no holiday notice answers it (RFC 3834).
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".into()));
        if let Some(dkim) = &self.dkim {
            message.sign(dkim);
        }
        Ok(message)
    }

    /// What names a mail: the same however often it is tried, another once somebody sends it again, and of no meaning to
    /// anybody else.
    fn id(letter: &Letter) -> String {
        let mut hash = Sha256::new();
        hash.update(letter.ledger);
        hash.update(letter.position.to_be_bytes());
        hash.update(letter.n.to_be_bytes());
        if letter.requeued > 0 {
            hash.update(letter.requeued.to_be_bytes());
        }
        hex::encode(&hash.finalize()[..16])
    }
}

impl Line {
    /// Says goodbye, if a connection was opened.
    pub async fn close(self) {
        if let Line(Some(mut connection)) = self {
            // All mails are handed over already: nobody needs the answer.
            let _ = tokio::time::timeout(Duration::from_secs(5), connection.quit()).await;
        }
    }
}

/// Over TLS both are as good.
const MECHANISMS: &[Mechanism] = &[authentication::Mechanism::Plain, authentication::Mechanism::Login];

/// A mail that no server could take; with an enhanced status code (RFC 3463).
fn undeliverable(status: &str, why: &str) -> Trouble {
    Trouble::Refused(MailFailure { code: 553, diagnostic: format!("{status} {why}") })
}

/// What the server said, or what went wrong on our side.
fn said(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a mail's signature covers (RFC 6376, 5.4.1).
const SIGNED: &[&str] = &[
    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    "Auto-Submitted",
];
/// Shorter keys are refused by receivers (RFC 8301, 3.2).
const KEY_BITS: usize = 2_048;

/// The RSA key of a PEM file, as OpenSSL writes it in either form.
fn signing_key(path: &Path) -> Result<DkimSigningKey, String> {
    let text = private(path)?;
    let wrong =
        |why: String| format!("{}: no RSA key as PEM, such as `openssl genrsa 2048` makes: {why}", path.display());
    let key = if text.contains("BEGIN RSA PRIVATE KEY") {
        RsaPrivateKey::from_pkcs1_pem(&text).map_err(|error| wrong(error.to_string()))?
    } else {
        RsaPrivateKey::from_pkcs8_pem(&text).map_err(|error| wrong(error.to_string()))?
    };
    if key.n().bits() < KEY_BITS {
        return Err(format!("{}: a key of {} bits; receivers want {KEY_BITS} or more", path.display(), key.n().bits()));
    }
    let pem = key.to_pkcs1_pem(LineEnding::LF).map_err(|error| wrong(error.to_string()))?;
    DkimSigningKey::new(&pem, DkimSigningAlgorithm::Rsa).map_err(|error| wrong(error.to_string()))
}

/// A file that nobody else can read.
fn private(path: &Path) -> Result<Zeroizing<String>, String> {
    let mut file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("{0} can be read by others: chmod 600 {0}", path.display()));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text)
}

/// The first line of a file that nobody else can read.
pub fn password(path: &Path) -> Result<Zeroizing<String>, String> {
    let text = private(path)?;
    let line = text.lines().next().unwrap_or("");
    if line.is_empty() {
        return Err(format!("{} is empty: its first line is the secret", path.display()));
    }
    Ok(Zeroizing::new(line.to_owned()))
}
