//! F25. Keys are rotated between loads, and the rotation is killed at every sync and every rename that it makes. What was
//! half done is taken up again; each event verifies under exactly one key, and none is unsigned or unreadable.

use keiin_tests::load::{Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::server::{finish, under};
use keiin_tests::{Company, Deployment, keiin, long, report, tool};

/// Rotates under strace, killed at the `at`-th of these calls; whether it came to its end.
fn rotate(deployment: &Deployment, which: &[&str], calls: &str, at: u32) -> bool {
    let strace = tool("strace", "strace").display().to_string();
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:signal=KILL:when={at}"));
    let wrapper = [&strace, "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let args = [&["keys", "rotate", "--data", deployment.data_arg()], which].concat();
    let ran = finish(&mut under(&wrapper, &args));
    assert!(matches!(ran.code, 0 | 137), "{which:?}, {calls} {at}: {ran:?}");
    ran.code == 0
}

#[test]
fn f25_a_rotation_killed_in_every_step_leaves_no_event_without_its_key() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "rotated-a"), Company::sign_up(&server, "rotated-b")];
    let (first_key, targets) = (companies[0].key(), Target::of(&companies));
    let mut writers = Writer::some(2, 0, deployment.folder());
    assert_eq!(server.stop(), 0);
    let (mut killed, mut finished) = (0, 0);
    let kinds: [&[&str]; 3] =
        [&["--which", "signing"], &["--which", "kek"], &["--which", "data", "--tenant", "rotated-a"]];
    for which in kinds {
        for calls in ["fsync,fdatasync", "rename,renameat,renameat2,link,linkat"] {
            let step = if long() { 1 } else { 3 };
            // A thread's calls are counted for themselves; well beyond the last one nothing is killed any more.
            for at in (1..).step_by(step) {
                let is_whole = rotate(&deployment, which, calls, at);
                killed += usize::from(!is_whole);
                finished += usize::from(is_whole);
                let server = deployment.serve();
                settle(&mut writers, &server.client(), &targets);
                for writer in &mut writers {
                    writer.once(&server.client(), &targets).expect("answered after a rotation that was killed");
                }
                assert_eq!(server.stop(), 0);
                if is_whole {
                    break;
                }
            }
        }
        keiin(&[&["keys", "rotate", "--data", deployment.data_arg()], which].concat()).expect(0);
    }
    let found = examine(&deployment, &companies);
    report!(
        "F25 killed={killed} finished={finished} acked={} lost={} refuted={}",
        found.acked,
        found.count("O1"),
        found.count("O3")
    );
    found.expect_none();
    assert!(killed >= 6, "only {killed} rotations were killed");

    // Every key is known by what the one before it signed; the first alone does not vouch for the newest.
    let path = deployment.folder().join("oracle-rotated-a.keiin");
    let path = path.to_str().expect("text");
    keiin(&["verify", path, "--deep", "--key", &first_key]).expect(0);
    let pinned = ["verify", path, "--deep", "--key", &first_key, "--require", "newest_key_pinned"];
    keiin(&pinned).expect(1);
}
