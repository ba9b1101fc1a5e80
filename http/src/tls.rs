//! TLS on our own ports: the certificate, its renewal while we run, and what we agree to speak.
//!
//! Invariants:
//! * TLS 1.2 and 1.3 with authenticated encryption only (ML-05, MN-16): what rustls offers and nothing beside.
//! * The provider is handed to each configuration and never installed as the process' default: the EventStoreDB client
//!   installs its own and cannot bear another.
//! * A certificate that cannot be used never replaces one that can.
//! * No early data: a request that can be replayed by whoever recorded it would be.

pub mod files;
mod listener;
mod redirect;
mod self_signed;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

pub use self::files::{Files, Validity, is_for};
pub use self::listener::{Caller, TlsListener, certificate};
pub use self::redirect::redirect;

use crate::clock;
use crate::config::{BadConfig, Config, Operators};
use crate::datadir::DataDir;

/// What we speak. TLS 1.0 and 1.1 are not even compiled in.
const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A certificate in use, for every port.
pub struct Tls {
    files: Files,
    /// Who vouches for operators.
    operators: Option<Arc<dyn ClientCertVerifier>>,
    current: Arc<Current>,
    hangup: Mutex<Option<Signal>>,
    /// What the files held when they were last tried.
    tried: Mutex<[u8; 32]>,
}

/// The certificate that the next connection is shown.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl Current {
    fn get(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The one set of algorithms.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// One of the suites that we agree to.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Suite {
    version: &'static str,
    name: String,
}

/// What we agree to, best first.
pub fn suites() -> Vec<Suite> {
    let provider = provider();
    let suites = provider.cipher_suites.iter().map(|suite| {
        let version = if suite.tls13().is_some() { "1.3" } else { "1.2" };
        Suite { version, name: suite.suite().as_str().unwrap_or_default().to_owned() }
    });
    suites.collect()
}

/// Whose port it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Port {
    /// The customers'.
    Public,
    /// The operators'.
    Operators,
}

/// Believes certificates of this authority, and lets in who shows none.
fn operators(ca: &Path) -> Result<Arc<dyn ClientCertVerifier>, BadConfig> {
    let bad = |why: String| BadConfig::new(format!("operators.ca {}: {why}", ca.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| bad(format!("cannot be read ({e})")))? {
        let certificate = certificate.map_err(|e| bad(format!("is not PEM ({e})")))?;
        roots.add(certificate).map_err(|e| bad(format!("is no authority's certificate ({e})")))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).allow_unauthenticated();
    verifier.build().map_err(|e| bad(format!("holds no authority's certificate ({e}): give its PEM file")))
}

impl Tls {
    /// Reads the certificate that the settings name, or makes one; `None` when TLS is off. Whatever cannot be used is
    /// refused with what to do.
    pub fn open(config: &Config, data: &DataDir) -> Result<Option<Tls>, BadConfig> {
        if !config.tls.is_on() {
            return Ok(None);
        }
        if config.tls.self_signed {
            if !data.is_ours() {
                let advice = "make it first with keiin init (or keiin demo --no-serve): the certificate is kept in it";
                return Err(BadConfig::new(format!("{} is no data directory yet; {advice}", data.root().display())));
            }
            tracing::warn!("TLS with a certificate of our own making: browsers warn of it, use it for trials only");
            self_signed::keep(config, data)?;
        }
        Tls::with(Files::of(config, data), config).map(Some)
    }

    /// The operators' port's own certificate, where the settings name one.
    pub fn of_operators(config: &Config) -> Result<Option<Tls>, BadConfig> {
        let Operators { cert, key, .. } = config.operators.clone();
        config.operators.has_own_certificate().then(|| Tls::with(Files { cert, key }, config)).transpose()
    }

    fn with(files: Files, config: &Config) -> Result<Tls, BadConfig> {
        let read = files.read()?;
        let tried = read.digest();
        let current = Arc::new(Current(RwLock::new(Arc::new(read.usable()?))));
        // Taken before anybody is told that we are up: without it, SIGHUP ends the process.
        let hangup = signal(SignalKind::hangup()).map_err(|e| BadConfig::new(format!("no signals: {e}")))?;
        let operators = config.operators.is_on().then(|| operators(&config.operators.ca)).transpose()?;
        let tls = Tls { files, operators, current, hangup: Mutex::new(Some(hangup)), tried: Mutex::new(tried) };
        tls.complain();
        Ok(tls)
    }

    /// SHA-256 of the certificate in use, as `openssl x509 -fingerprint -sha256` writes it.
    pub fn fingerprint(&self) -> String {
        self.current.get().cert.first().map(files::fingerprint).unwrap_or_default()
    }

    /// How a port answers. Each has a configuration of its own; that of the operators' port asks for their certificates and
    /// goes on without one, for what needs none (the figures).
    pub fn acceptor(&self, port: Port) -> anyhow::Result<TlsAcceptor> {
        let config = ServerConfig::builder_with_provider(provider()).with_protocol_versions(VERSIONS)?;
        let config = match self.operators.clone().filter(|_| port == Port::Operators) {
            Some(verifier) => config.with_client_cert_verifier(verifier),
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Keys live in memory only, change every six hours, and open tickets for at most twice that.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Takes a new certificate when the files change or SIGHUP comes, for ever. Connections that stand are not touched.
    pub async fn keep_fresh(self: Arc<Tls>) {
        let hangup = self.hangup.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut hangup) = hangup else { return };
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let mut complained = tokio::time::interval(Duration::from_secs(24 * 3_600));
        complained.tick().await;
        loop {
            let asked = tokio::select! {
                _ = hangup.recv() => true,
                _ = tick.tick() => false,
                _ = complained.tick() => {
                    self.complain();
                    false
                }
            };
            let tls = self.clone();
            // It reads files; a disk that hangs must not hang the requests.
            if let Err(error) = tokio::task::spawn_blocking(move || tls.look(asked)).await {
                tracing::error!(%error, "the certificate could not be looked at");
            }
        }
    }

    /// Reads the files; uses what they hold if it is new, or if somebody asked, and if it can be used.
    fn look(&self, asked: bool) {
        let read = self.files.read();
        let now = read.as_ref().map_or_else(|error| files::digest(&[error.to_string().as_bytes()]), |r| r.digest());
        let before = std::mem::replace(&mut *self.tried.lock().unwrap_or_else(PoisonError::into_inner), now);
        if before == now && !asked {
            return;
        }
        match read.and_then(|read| read.usable()) {
            Ok(new) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                tracing::info!(fingerprint = self.fingerprint(), "a new certificate is in use");
                self.complain();
            }
            Err(error) => tracing::error!(
                %error,
                "THE NEW CERTIFICATE CANNOT BE USED, the old one stays in use: put it right, it is tried again when \
                 the files change or on SIGHUP"
            ),
        }
    }

    /// Says when the certificate in use ends soon.
    fn complain(&self) {
        let current = self.current.get();
        let trouble = current.cert.first().and_then(|leaf| Validity::of(leaf).trouble(clock::now_us()));
        if let Some(trouble) = trouble {
            tracing::error!("{}: {trouble}", self.files.cert.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_process_default_provider_stays_unset() {
        let folder = std::env::temp_dir().join(format!("keiin-tls-{}", crate::random::digits(12)));
        let data = DataDir::new(&folder);
        let mut config = Config::default();
        config.tls.self_signed = true;
        let Err(error) = Tls::open(&config, &data) else { panic!("there is no directory yet") };
        assert!(error.to_string().contains("keiin init"), "{error}");
        data.create("localhost", &[]).unwrap();
        let tls = Tls::open(&config, &data).unwrap().unwrap();
        tls.acceptor(Port::Public).unwrap();
        assert_eq!(tls.fingerprint().len(), 32 * 3 - 1);
        assert!(CryptoProvider::get_default().is_none(), "the EventStoreDB client cannot bear one");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
