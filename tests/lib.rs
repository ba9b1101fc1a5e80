//! What the stories share: the repository, the report, and the switches of `tests/run`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

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
