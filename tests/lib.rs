//! What the stories share: the repository, the report and the switches of `tests/run` here; the real binary in
//! [`server`], certificates for it in [`authority`], a mail server beside it in [`smtp`], a client for its API in [`client`],
//! PDF files that are brought in [`attachments`], sign-ups in [`sign_up`], companies in [`company`], what it fills documents in from in [`presets`], what an
//! owner does about others' rights in [`access`], an app that shows codes in [`authenticator`], its event feed in
//! [`follow`], a request for every operation in [`operation`], a real browser in [`browser`], one that is a
//! kiosk in [`tablet`], programs that act through
//! OAuth 2.0 in [`oauth`], who is told by webhooks in [`webhook`], a search through files in [`canary`]; writers that keep what they were told in [`load`], and what holds a store against it in [`oracle`]; every
//! decoder in [`decoders`]; a deployment with operators in [`plane`].

pub mod access;
pub mod attachments;
pub mod authenticator;
pub mod authority;
pub mod browser;
pub mod canary;
pub mod client;
pub mod company;
pub mod decoders;
pub mod film;
pub mod follow;
pub mod load;
pub mod mailbox;
pub mod oauth;
pub mod operation;
pub mod oracle;
pub mod passkey;
pub mod plane;
pub mod poppler;
pub mod presets;
pub mod provider;
pub mod server;
pub mod sign_up;
pub mod sms;
pub mod smtp;
pub mod tablet;
pub mod webhook;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use browser::Browser;
pub use client::{Answer, Call, Client};
pub use company::{Company, Credential, Deployment};
pub use follow::Follow;
pub use plane::Plane;
pub use server::{Demo, Server, keiin};
pub use sign_up::SignUp;

/// The repository's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// All files of the repository, as paths with `/` from its root: tracked ones and new ones that are not ignored.
pub fn repository_files() -> Vec<String> {
    let out = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs (apt-get install git)");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let listed = String::from_utf8(out.stdout).expect("file names are text");
    let mut files: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
    files.retain(|path| root().join(path).is_file());
    files.sort();
    files
}

/// `cargo metadata` for the platform we run on: every package that a build can take, with its resolved features.
pub fn cargo_metadata() -> serde_json::Value {
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
    let rustc = String::from_utf8(rustc).expect("text");
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", host])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON")
}

/// Whether the long form of a story was asked for (`tests/run --long`).
pub fn long() -> bool {
    std::env::var("KEIIN_TEST_LONG").is_ok_and(|v| v == "1")
}

/// Adds one line of figures to the report that `tests/run` prints before the sum. Use it through [`report!`].
pub fn report_line(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os("KEIIN_TEST_REPORT") {
        let path = PathBuf::from(path);
        let mut file =
            std::fs::File::options().append(true).create(true).open(&path).expect("the report can be written");
        file.write_all(format!("{line}\n").as_bytes()).expect("the report can be written");
    }
}

/// `report!("kills={} lost={}", kills, lost)`: one line of figures in the report of `tests/run`.
#[macro_export]
macro_rules! report {
    ($($part:tt)*) => { $crate::report_line(&format!($($part)*)) };
}

/// Full path of a program that a test needs; a missing one fails the test and names the Debian package.
pub fn tool(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{program} is not installed: apt-get install {package}"))
}

/// A Python that has the package `cryptography`.
pub fn python() -> PathBuf {
    let candidates =
        std::env::var_os("KEIIN_TEST_PYTHON").into_iter().chain(["python3".into(), "/usr/bin/python3".into()]);
    candidates
        .map(PathBuf::from)
        .find(|python| {
            let probe = Command::new(python).args(["-c", "import cryptography"]).output();
            probe.is_ok_and(|out| out.status.success())
        })
        .expect("no python3 with `cryptography`: apt-get install python3-cryptography")
}

/// A Python that has Authlib and icalendar, an OAuth 2.0 client and a reader of calendars that others wrote: the one that
/// `tests/run` makes.
pub fn authlib() -> PathBuf {
    let made = root().join("target/authlib/bin/python");
    let python = std::env::var_os("KEIIN_TEST_AUTHLIB").map_or(made, PathBuf::from);
    let probe = Command::new(&python).args(["-c", "import authlib, icalendar, requests, standardwebhooks"]).output();
    let install = "python3 -m venv target/authlib && target/authlib/bin/pip install -r tests/authlib/requirements.txt";
    assert!(probe.is_ok_and(|out| out.status.success()), "no Python with Authlib and icalendar: {install}");
    python
}

/// Numbers that look random and are the same for the same seed: SplitMix64. Stories print their seed.
pub struct Seeded(pub u64);

impl Seeded {
    /// The seed from `KEIIN_TEST_SEED`, or this one.
    pub fn from_env_or(seed: u64) -> Seeded {
        let given = std::env::var("KEIIN_TEST_SEED").ok();
        Seeded(given.map_or(seed, |text| text.parse().expect("KEIIN_TEST_SEED is a number")))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.bits() % (to - from + 1)
    }
}
