//! Certificate and key as files: read, judged, and refused with what to do about it.

use std::fmt::Display;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keiin_domain::date;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};
use zeroize::Zeroizing;

use super::provider;
use crate::config::{BadConfig, Config};
use crate::datadir::DataDir;

/// A certificate that ends within this time deserves a word: renewal by ACME happens 30 days before.
const SOON_S: u64 = 14 * 86_400;

/// Where they are.
#[derive(Clone, Debug)]
pub struct Files {
    /// Certificate and those between it and its authority, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// What they held.
pub struct Read<'a> {
    files: &'a Files,
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Files {
    /// Those that the settings name; our own ones lie beside the other keys.
    pub fn of(config: &Config, data: &DataDir) -> Files {
        if !config.tls.self_signed {
            return Files { cert: config.tls.cert.clone(), key: config.tls.key.clone() };
        }
        let keys = data.keys(&config.keys);
        Files { cert: keys.join("tls-self-signed.crt.pem"), key: keys.join("tls-self-signed.key.pem") }
    }

    /// Reads both. The key is refused if others on the machine can read it.
    pub fn read(&self) -> Result<Read<'_>, BadConfig> {
        let cert = std::fs::read(&self.cert).map_err(|e| unreadable("certificate", &self.cert, &e))?;
        check_private(&self.key)?;
        let key = std::fs::read(&self.key).map_err(|e| unreadable("private key", &self.key, &e))?;
        Ok(Read { files: self, cert, key: Zeroizing::new(key) })
    }

    /// The certificate alone, which needs no right to the key.
    pub fn leaf(&self) -> Result<CertificateDer<'static>, BadConfig> {
        let cert = std::fs::read(&self.cert).map_err(|e| unreadable("certificate", &self.cert, &e))?;
        chain(&self.cert, &cert).map(|mut chain| chain.swap_remove(0))
    }
}

fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> BadConfig {
    let path = path.display();
    BadConfig::new(format!("the {what} {path} cannot be read ({error}): is the path right, and may this user read it?"))
}

/// For its owner only; a key of root's may be lent to a group, as Debian does with `ssl-cert`.
fn check_private(path: &Path) -> Result<(), BadConfig> {
    let meta = std::fs::metadata(path).map_err(|e| unreadable("private key", path, &e))?;
    let (mode, path) = (meta.permissions().mode() & 0o777, path.display());
    let others = if meta.uid() == 0 { mode & 0o037 } else { mode & 0o077 };
    if others == 0 {
        return Ok(());
    }
    Err(BadConfig::new(format!("the private key {path} can be read by others (mode {mode:o}): run chmod 600 {path}")))
}

fn chain(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadConfig> {
    let path = path.display();
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|e| BadConfig::new(format!("{path} is no certificate in PEM ({e}): get it again")))?;
    if chain.is_empty() {
        let advice = "give the PEM file that begins with -----BEGIN CERTIFICATE-----, certbot's is fullchain.pem";
        return Err(BadConfig::new(format!("{path} holds no certificate: {advice}")));
    }
    Ok(chain)
}

impl Read<'_> {
    /// Tells one content from another.
    pub fn digest(&self) -> [u8; 32] {
        digest(&[&self.cert, &self.key])
    }

    /// Certificate and key as TLS takes them, if they belong together.
    pub fn usable(&self) -> Result<CertifiedKey, BadConfig> {
        let (cert, key) = (self.files.cert.display(), self.files.key.display());
        let chain = chain(&self.files.cert, &self.cert)?;
        let found = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            let advice = "give the PEM file of the key itself, certbot's is privkey.pem; it must not be encrypted";
            BadConfig::new(format!("{key} holds no private key ({error}): {advice}"))
        })?;
        CertifiedKey::from_der(chain, found, &provider()).map_err(|error| {
            BadConfig::new(match error {
                Error::InconsistentKeys(_) => format!(
                    "the private key {key} does not belong to the certificate {cert}: give the pair that was made \
                     together, and the server's own certificate first in its file"
                ),
                Error::InvalidCertificate(why) => {
                    format!("the certificate {cert} cannot be used ({why}): get it again from its authority")
                }
                why => format!("the private key {key} cannot be used ({why}): make one with RSA 2048, or ECDSA P-256"),
            })
        })
    }
}

/// SHA-256 over parts whose borders count.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// As `openssl x509 -fingerprint -sha256` writes it.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let bytes = Sha256::digest(certificate);
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// From when to when a certificate holds; seconds since 1970, `None` where it sets no bound that we can read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// `notBefore`.
    pub from_s: Option<u64>,
    /// `notAfter`.
    pub until_s: Option<u64>,
}

impl Validity {
    /// Of this certificate. The library tells the bounds only to whom it refuses, so it is asked at both ends of time.
    pub fn of(certificate: &CertificateDer<'_>) -> Validity {
        const LAST_S: u64 = 253_402_300_800; // 10000-01-01, after everything that can be written in a certificate
        let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return Validity::default() };
        let algorithms = provider().signature_verification_algorithms.all;
        let ask = |at_s| {
            let at = UnixTime::since_unix_epoch(Duration::from_secs(at_s));
            verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], at, algorithms)
        };
        let from_s = match ask(0) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
                Some(not_before.as_secs())
            }
            _ => None,
        };
        let until_s = match ask(LAST_S) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                Some(not_after.as_secs())
            }
            _ => None,
        };
        Validity { from_s, until_s }
    }

    /// What is wrong at this time, and what to do.
    pub fn trouble(&self, now_us: i64) -> Option<String> {
        let now_s = u64::try_from(now_us / 1_000_000).unwrap_or(0);
        if self.from_s.is_some_and(|from_s| now_s < from_s) {
            let from = instant(self.from_s);
            return Some(format!("the certificate is valid from {from} only: is this machine's clock right?"));
        }
        let until_s = self.until_s?;
        let until = instant(self.until_s);
        if until_s < now_s {
            return Some(format!("the certificate has expired ({until}), browsers refuse it: renew it now"));
        }
        let days = (until_s - now_s) / 86_400;
        (until_s - now_s < SOON_S).then(|| format!("the certificate expires in {days} day(s) ({until}): renew it"))
    }
}

impl Display for Validity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.until_s {
            Some(_) => write!(f, "valid until {}", instant(self.until_s)),
            None => write!(f, "valid for ever"),
        }
    }
}

fn instant(at_s: Option<u64>) -> impl Display {
    date::instant(i64::try_from(at_s.unwrap_or(0)).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

/// Is the certificate made out to this host?
pub fn is_for(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
    let Ok(name) = ServerName::try_from(host.trim_matches(['[', ']'])) else { return false };
    tokio_rustls::rustls::client::verify_server_name(&parsed, &name).is_ok()
}
