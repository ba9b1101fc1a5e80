//! The deployment's key files: who signs, and what opens the vault.
//!
//! A directory, 0700, of files that only their owner may read (0600):
//! * `signing.pem`: the current signing key, PKCS#8; `signing-<8 hex>.pem`: earlier ones, which still sign the hand-over
//!   of ledgers that have not rotated yet;
//! * `kek`: the key-encryption key of the vault, 64 hex digits; `kek.next` exists only while a rotation is under way.
//!
//! Architecture invariant: none of these bytes is ever in a database, a log or an export.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use zeroize::Zeroizing;

use crate::seal::{self, Key, KeyName, SealError};
use crate::sign::{Ed25519Signer, PublicKey, Signer, Signers};

const SIGNING: &str = "signing.pem";
const KEK: &str = "kek";
const KEK_NEXT: &str = "kek.next";

/// Why key files cannot be used. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others on the machine could read it.
    #[error("{path} can be read by others (mode {mode:o}); run: chmod {fix} {path}")]
    TooOpen {
        /// The file or directory.
        path: String,
        /// Its permission bits.
        mode: u32,
        /// `600` or `700`.
        fix: &'static str,
    },
    /// Not what a key file holds.
    #[error("{path}: {reason}; put the file back from your key backup")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// There are keys already: nothing was changed.
    #[error("{0} holds keys already; keys are never overwritten")]
    Exists(String),
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Wraps tenant root keys: a key file here, a key service elsewhere.
pub trait KeyProvider: Send + Sync {
    /// Wraps `key` under its name.
    fn wrap(&self, name: KeyName, key: &Key) -> Result<Vec<u8>, SealError>;
    /// Unwraps what `wrap` made, under the same name only.
    fn unwrap(&self, name: KeyName, wrapped: &[u8]) -> Result<Key, SealError>;
}

/// The key-encryption key of a file. While it is being rotated, the old one still unwraps.
pub struct FileKek {
    current: Key,
    previous: Option<Key>,
}

impl FileKek {
    /// A provider for this key alone.
    pub fn new(key: Key) -> FileKek {
        FileKek { current: key, previous: None }
    }
}

impl KeyProvider for FileKek {
    fn wrap(&self, name: KeyName, key: &Key) -> Result<Vec<u8>, SealError> {
        Ok(seal::wrap_key(&self.current, name, &seal::fresh_nonce(), key).to_vec())
    }

    fn unwrap(&self, name: KeyName, wrapped: &[u8]) -> Result<Key, SealError> {
        let current = seal::unwrap_key(&self.current, name, wrapped);
        match &self.previous {
            Some(previous) if current.is_err() => seal::unwrap_key(previous, name, wrapped),
            _ => current,
        }
    }
}

/// The opened key directory.
pub struct Keyring {
    dir: PathBuf,
    // The current signer first.
    signers: RwLock<Vec<Arc<Ed25519Signer>>>,
}

impl Keyring {
    /// Are there keys? The key-encryption key is made last.
    pub fn exists(dir: &Path) -> bool {
        dir.join(KEK).exists()
    }

    /// Makes the directory and fresh keys. Refused where there are keys already; a creation that was cut off is finished.
    pub fn create(dir: &Path) -> Result<Keyring, KeyError> {
        if Keyring::exists(dir) {
            return Err(KeyError::Exists(dir.display().to_string()));
        }
        fs::create_dir_all(dir).map_err(io_at(dir))?;
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(io_at(dir))?;
        if !dir.join(SIGNING).exists() {
            write_secret(dir, SIGNING, fresh_signer().to_pem().as_bytes())?;
        }
        write_secret(dir, KEK, &hex_line(&seal::fresh_key()))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
        Keyring::open(dir)
    }

    /// Opens an existing directory; refuses files that others can read.
    pub fn open(dir: &Path) -> Result<Keyring, KeyError> {
        check_mode(dir, 0o700)?;
        let mut signers = vec![Arc::new(read_signer(&dir.join(SIGNING))?)];
        let mut names: Vec<String> = vec![];
        for entry in fs::read_dir(dir).map_err(io_at(dir))? {
            names.push(entry.map_err(io_at(dir))?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        for name in names.iter().filter(|n| n.starts_with("signing-") && n.ends_with(".pem")) {
            let signer = read_signer(&dir.join(name))?;
            if signers.iter().all(|known| known.public() != signer.public()) {
                signers.push(Arc::new(signer));
            }
        }
        read_kek(&dir.join(KEK))?;
        Ok(Keyring { dir: dir.to_owned(), signers: RwLock::new(signers) })
    }

    /// Signs new ledgers and checkpoints.
    pub fn current(&self) -> Arc<dyn Signer> {
        self.all()[0].clone()
    }

    /// Public keys, the current one first.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.all().iter().map(|signer| signer.public()).collect()
    }

    /// Makes a new current signing key and keeps the old one beside it. Ledgers change over one by one, each with a
    /// `ledger.key_rotated` record that the old key signs.
    pub fn rotate_signing(&self) -> Result<Arc<dyn Signer>, KeyError> {
        let mut signers = self.signers.write().unwrap_or_else(|e| e.into_inner());
        let old = hex::encode(&signers[0].public()[..4]);
        let fresh = Arc::new(fresh_signer());
        let (current, kept) = (self.dir.join(SIGNING), self.dir.join(format!("signing-{old}.pem")));
        // The old key has its second name before the new one takes the first: no crash leaves the ring without either.
        match fs::hard_link(&current, &kept) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(io_at(&kept))?,
        }
        sync_dir(&self.dir)?;
        write_secret(&self.dir, SIGNING, fresh.to_pem().as_bytes())?;
        signers.insert(0, fresh.clone());
        Ok(fresh)
    }

    /// What opens the vault. While a rotation of the key-encryption key is under way it wraps with the next one.
    pub fn kek(&self) -> Result<Arc<dyn KeyProvider>, KeyError> {
        let now = read_kek(&self.dir.join(KEK))?;
        let next = self.dir.join(KEK_NEXT);
        if !next.exists() {
            return Ok(Arc::new(FileKek::new(now)));
        }
        Ok(Arc::new(FileKek { current: read_kek(&next)?, previous: Some(now) }))
    }

    /// Is a rotation of the key-encryption key unfinished? Then re-wrap the vault and call [`Keyring::finish_kek`].
    pub fn kek_rotation_pending(&self) -> bool {
        self.dir.join(KEK_NEXT).exists()
    }

    /// First step of rotating the key-encryption key: a new one beside the old one. Then re-wrap the vault under
    /// [`Keyring::kek`], then [`Keyring::finish_kek`]. Each step may be repeated after a crash.
    pub fn prepare_kek(&self) -> Result<(), KeyError> {
        if self.kek_rotation_pending() {
            Ok(())
        } else {
            write_secret(&self.dir, KEK_NEXT, &hex_line(&seal::fresh_key()))
        }
    }

    /// Last step: the new key takes the old one's place.
    pub fn finish_kek(&self) -> Result<(), KeyError> {
        let next = self.dir.join(KEK_NEXT);
        fs::rename(&next, self.dir.join(KEK)).map_err(io_at(&next))?;
        sync_dir(&self.dir)
    }

    /// The signer with this public key, if it is here.
    pub fn signer(&self, public: &PublicKey) -> Option<Arc<dyn Signer>> {
        let found = self.all().into_iter().find(|signer| signer.public() == *public)?;
        Some(found)
    }

    fn all(&self) -> Vec<Arc<Ed25519Signer>> {
        self.signers.read().unwrap_or_else(|e| e.into_inner()).clone()
    }
}

impl Signers for Keyring {
    fn sign_as(&self, public: &PublicKey, message: &[u8]) -> Option<[u8; 64]> {
        self.all().into_iter().find(|signer| signer.public() == *public).map(|signer| signer.sign(message))
    }
}

fn fresh_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(seal::fresh_key().expose())
}

fn hex_line(key: &Key) -> Zeroizing<Vec<u8>> {
    let mut line = Zeroizing::new(vec![0; 65]);
    hex::encode_to_slice(key.expose(), &mut line[..64]).expect("64 digits for 32 bytes");
    line[64] = b'\n';
    line
}

fn read_signer(path: &Path) -> Result<Ed25519Signer, KeyError> {
    let text = read_secret(path)?;
    Ed25519Signer::from_pem(&text).map_err(|e| unreadable(path, &e.to_string()))
}

fn read_kek(path: &Path) -> Result<Key, KeyError> {
    let text = read_secret(path)?;
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_end(), &mut *key).map_err(|_| unreadable(path, "not 64 hex digits"))?;
    Ok(Key::new(*key))
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    check_mode(path, 0o600)?;
    fs::read_to_string(path).map(Zeroizing::new).map_err(io_at(path))
}

/// Written beside, synced, then renamed: a crash leaves the old file or the new one, never a part.
fn write_secret(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), KeyError> {
    let (path, beside) = (dir.join(name), dir.join(format!("{name}.writing")));
    let at = io_at(&beside);
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    };
    write().map_err(at)?;
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> Result<(), KeyError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(io_at(dir))
}

fn check_mode(path: &Path, allowed: u32) -> Result<(), KeyError> {
    let mode = fs::metadata(path).map_err(io_at(path))?.permissions().mode() & 0o777;
    if mode & !allowed == 0 {
        return Ok(());
    }
    let fix = if allowed == 0o700 { "700" } else { "600" };
    Err(KeyError::TooOpen { path: path.display().to_string(), mode, fix })
}

fn unreadable(path: &Path, reason: &str) -> KeyError {
    KeyError::Unreadable { path: path.display().to_string(), reason: reason.to_owned() }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> KeyError + use<> {
    let path = path.display().to_string();
    move |source| KeyError::Io { path, source }
}
