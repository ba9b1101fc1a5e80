//! The data directory: who may use it, what is where.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Name of the settings file, which also marks a directory as ours.
const CONFIG: &str = "keiin.toml";
/// The same while it is being written.
const UNFINISHED: &str = "keiin.toml.writing";
/// Folders that a new directory has.
const FOLDERS: [&str; 2] = ["blobs", "tmp"];

/// A data directory.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// Held while a process writes to the directory; gone with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Another process writes to the directory.
#[derive(Debug, thiserror::Error)]
#[error("{path} is in use by process {pid}; stop it first")]
pub struct InUse {
    path: String,
    pid: String,
}

impl DataDir {
    /// Only names it.
    pub fn new(root: impl Into<PathBuf>) -> DataDir {
        DataDir { root: root.into() }
    }

    /// Makes a new one, mode 0700, with its settings file. A directory that holds anything else is refused.
    /// `databases` are settings and URLs for those that are not files. The settings come last and whole: what was cut off
    /// before is no directory of ours, and is made again.
    pub fn create(&self, log_name: &str, databases: &[(&str, &str)]) -> anyhow::Result<()> {
        if self.root.exists() && !self.is_bare()? {
            bail!("{} is not empty and no data directory of ours; choose another with --data", self.root.display());
        }
        fs::create_dir_all(&self.root).with_context(|| format!("cannot make {}", self.root.display()))?;
        fs::set_permissions(&self.root, Permissions::from_mode(0o700))?;
        for dir in FOLDERS {
            fs::create_dir_all(self.root.join(dir))?;
        }
        let mut text = format!(
            "# Settings of this Keiin deployment; `keiin --help` and docs/OPERATING.md say more.\n\
             # The log name is part of every proof and cannot be changed.\n\
             log_name = {log_name:?}\n\n# public_url = \"https://keiin.example.jp\"\n# listen = \"127.0.0.1:8080\"\n"
        );
        for (name, url) in databases {
            text.push_str(&format!("{name} = {url:?}\n"));
        }
        let unfinished = self.root.join(UNFINISHED);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, self.config())?;
        File::open(&self.root)?.sync_all()?;
        Ok(())
    }

    /// Does it hold nothing, or nothing but what a creation that was cut off left?
    fn is_bare(&self) -> anyhow::Result<bool> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let ours = match entry.file_name().to_str() {
                Some(UNFINISHED) => true,
                Some(name) if FOLDERS.contains(&name) => {
                    entry.file_type()?.is_dir() && fs::read_dir(entry.path())?.next().is_none()
                }
                _ => false,
            };
            if !ours {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Was it made by [`DataDir::create`]?
    pub fn is_ours(&self) -> bool {
        self.config().is_file()
    }

    /// Says what to do where there is none.
    pub fn must_be_ours(&self) -> anyhow::Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        bail!("{} is no data directory; make one with: keiin init --data {0}", self.root.display())
    }

    /// Takes the directory for writing, until the process ends.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.root.join("lock");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid)?;
                return Err(InUse { path: self.root.display().to_string(), pid: pid.trim().to_owned() }.into());
            }
            Err(fs::TryLockError::Error(error)) => return Err(error).context("cannot lock the data directory"),
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Lock { _file: file })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// Settings.
    pub fn config(&self) -> PathBuf {
        self.root.join(CONFIG)
    }
    /// The ledgers: the one commit point is a transaction in this file.
    pub fn log(&self) -> PathBuf {
        self.root.join("log.db")
    }
    /// Keys and secrets.
    pub fn vault(&self) -> PathBuf {
        self.root.join("vault.db")
    }
    /// Read models; may be deleted.
    pub fn read(&self) -> PathBuf {
        self.root.join("read.db")
    }
    /// What each ledger's last checkpoint was. Keep it out of the backup of the rest.
    pub fn anchor(&self) -> PathBuf {
        self.root.join("anchor.db")
    }
    /// What the last scrub found.
    pub fn scrub(&self) -> PathBuf {
        self.root.join("scrub.json")
    }
    /// Since when a scrub is under way, if one is.
    pub fn scrub_round(&self) -> PathBuf {
        self.root.join("scrub-round.json")
    }
    /// What it found in each ledger, signed.
    pub fn verifications(&self) -> PathBuf {
        self.root.join("verifications.json")
    }
    /// Key files.
    pub fn keys(&self, configured: &Path) -> PathBuf {
        if configured.as_os_str().is_empty() { self.root.join("keys") } else { configured.to_owned() }
    }
}
