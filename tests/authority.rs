//! A certificate authority that nobody else trusts, for servers that speak TLS.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Signs certificates for `localhost` and `127.0.0.1`.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

/// Which kind of key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// P-256.
    Ecdsa,
    /// 2048 bits.
    Rsa,
}

impl Authority {
    /// A new one, in a folder of its own.
    pub fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Authority of the tests");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = params.self_signed(&key).expect("signed");
        fs::write(folder.path().join("root.pem"), root.pem()).expect("written");
        Authority { issuer: Issuer::new(params, key), folder }
    }

    /// Its own certificate.
    pub fn root(&self) -> PathBuf {
        self.path("root.pem")
    }

    /// A file beside the certificates.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Certificate and key in `NAME.crt` and `NAME.key`, over whatever is there. Holds from 1975 to this year.
    pub fn issue(&self, name: &str, kind: Kind, until_year: i32) -> [PathBuf; 2] {
        let key = match kind {
            Kind::Ecdsa => KeyPair::generate(),
            Kind::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        let key = key.expect("a key");
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("names");
        params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
        let cert = params.signed_by(&key, &self.issuer).expect("signed").pem();
        let paths = [self.path(&format!("{name}.crt")), self.path(&format!("{name}.key"))];
        put(&paths[0], cert.as_bytes());
        put(&paths[1], key.serialize_pem().as_bytes());
        paths
    }
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

/// A connection that stays, over which a test says what it likes.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Agrees on TLS over this connection; the server's certificate is checked against those in `roots` (PEM).
pub fn agree(stream: TcpStream, roots: &Path) -> Stream {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_file(roots).expect("a certificate")).expect("it can be trusted");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(store).with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = stream;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).expect("TLS is agreed on");
    }
    StreamOwned::new(tls, stream)
}

/// SHA-256 of the certificate that the other side showed, as `keiin serve` prints it.
pub fn shown(stream: &Stream) -> String {
    let leaf = &stream.conn.peer_certificates().expect("it showed one")[0];
    Sha256::digest(leaf).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// In place, in one step, for its owner only; as a careful operator renews a file.
pub fn put(path: &Path, bytes: &[u8]) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, bytes).expect("written");
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
    fs::rename(&fresh, path).expect("moved");
}
