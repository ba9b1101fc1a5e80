//! A new noun touches at most four hand-written files: the documented sample is applied to a copy of the repository, and
//! its tests pass there, generated pages and golden bytes included.

use std::path::Path;
use std::process::Command;

use keiin_tests::root;

const PATCH: &str = "tests/sample_aggregate.patch";

/// Files that a patch changes.
fn files(patch: &str) -> Vec<&str> {
    patch.lines().filter_map(|line| line.strip_prefix("+++ b/")).collect()
}

/// Written by a test, or printed by one to be kept for ever.
fn is_generated(path: &str) -> bool {
    path.starts_with("docs/") || path.starts_with("domain/golden/")
}

#[test]
fn the_documented_sample_is_four_files_and_its_tests_pass() {
    let patch = std::fs::read_to_string(root().join(PATCH)).expect("the patch is there");
    let by_hand: Vec<&str> = files(&patch).into_iter().filter(|path| !is_generated(path)).collect();
    assert!((1..=4).contains(&by_hand.len()), "{by_hand:?}");

    let dir = tempfile::tempdir().expect("a temporary folder");
    let copy = dir.path().join("keiin");
    run(root(), "git", &["worktree", "add", "--detach", &copy.display().to_string(), "HEAD"]);
    let outcome = std::panic::catch_unwind(|| {
        run(&copy, "git", &["apply", &root().join(PATCH).display().to_string()]);
        run(&copy, env!("CARGO"), &["test", "--locked", "-p", "keiin-domain", "--lib"]);
        run(&copy, env!("CARGO"), &["test", "--locked", "-p", "keiin-projections", "--lib"]);
    });
    run(root(), "git", &["worktree", "remove", "--force", &copy.display().to_string()]);
    outcome.unwrap_or_else(|failure| std::panic::resume_unwind(failure));
}

/// Dependencies that were built for this test run serve here too.
fn run(folder: &Path, program: &str, args: &[&str]) {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), Into::into);
    let out = Command::new(program).args(args).current_dir(folder).env("CARGO_TARGET_DIR", target).output();
    let out = out.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = [out.stdout, out.stderr].concat();
    assert!(out.status.success(), "{program} {args:?}\n{}", String::from_utf8_lossy(&text));
}
