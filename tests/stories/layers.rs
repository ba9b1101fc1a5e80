//! The direction of the workspace: who may know whom, and what the pure parts must not reach at all.

use std::collections::BTreeSet;
use std::process::Command;

use keiin_tests::{cargo_metadata, root};

/// Allowed edges between our packages. `keiin-tests` and `keiin-benches` may use all.
const EDGES: &[(&str, &[&str])] = &[
    ("keiin-domain", &[]),
    ("keiin-eventlog", &[]),
    ("keiin-formats", &["keiin-domain"]),
    ("keiin-projections", &["keiin-domain", "keiin-eventlog"]),
    ("keiin", &["keiin-domain", "keiin-eventlog", "keiin-formats", "keiin-projections"]),
];
const USE_ALL: &[&str] = &["keiin-tests", "keiin-benches"];
/// Servers that tests talk to. Nobody ships them.
const FOR_TESTS: &[&str] = &["keiin-test-eventstore", "keiin-test-postgres"];

/// What the rules must not be able to reach: IO, SQL, clocks, chance, and the hashes that the ledger takes.
const NOT_IN_DOMAIN: &[&str] = &[
    "tokio", "rusqlite", "libsqlite3-sys", "sqlx", "axum", "hyper", "reqwest", "sha2", "rand", "rand_core",
    "getrandom", "chrono", "time", "jiff",
];
/// What an auditor's verifier must not need: an async runtime, SQL, a C compiler, chance.
const NOT_IN_VERIFIER: &[&str] =
    &["tokio", "rusqlite", "libsqlite3-sys", "sqlx", "axum", "hyper", "cc", "cmake", "pkg-config"];

#[test]
fn our_packages_know_only_those_below_them() {
    let metadata = cargo_metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> =
        packages.iter().filter(|p| p["source"].is_null()).map(|p| p["name"].as_str().expect("name")).collect();
    let mut known: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    known.extend(USE_ALL);
    known.extend(FOR_TESTS);
    assert_eq!(ours, known, "a package of the workspace is new or gone: say here what it may use");

    for package in packages.iter().filter(|p| p["source"].is_null()) {
        let from = package["name"].as_str().expect("name");
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == from) else { continue };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("name");
            let itself = from == to; // a package may name itself to switch a feature on for its own tests
            let in_tests = dependency["kind"] == "dev" && FOR_TESTS.contains(&to);
            assert!(
                itself || in_tests || !ours.contains(to) || allowed.contains(&to),
                "{from} must not depend on {to}"
            );
        }
    }
}

#[test]
fn the_domain_reaches_nothing_impure() {
    assert_reaches_none("keiin-domain", &[], NOT_IN_DOMAIN);
}

#[test]
fn the_verifier_needs_no_runtime_no_sql_no_c() {
    assert_reaches_none("keiin-eventlog", &["--no-default-features"], NOT_IN_VERIFIER);
    // The same question finds them where they are, or it would prove nothing.
    let with_store = closure("keiin-eventlog", &[]);
    assert!(with_store.contains("libsqlite3-sys") && with_store.contains("cc"), "{with_store:?}");
}

fn assert_reaches_none(package: &str, flags: &[&str], forbidden: &[&str]) {
    let reached = closure(package, flags);
    assert!(reached.contains("serde_core") || reached.contains("sha2"), "no dependencies found at all: {reached:?}");
    let found: Vec<_> = forbidden.iter().filter(|name| reached.contains(**name)).collect();
    assert!(found.is_empty(), "{package} {flags:?} reaches {found:?}; `cargo tree -p {package} -i NAME` shows how");
}

/// Names of all packages that building `package` alone takes. (`cargo metadata` would mix in the features that other
/// packages of the workspace switch on.)
fn closure(package: &str, flags: &[&str]) -> BTreeSet<String> {
    let out = Command::new(env!("CARGO"))
        .args([
            "tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--package", package,
        ])
        .args(flags)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("names are text");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
