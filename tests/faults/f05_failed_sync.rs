//! F5. A sync, a write or a read fails with EIO. After a failed sync nobody knows what is on the disk: nothing is
//! acknowledged, nothing is tried again, the process ends within a second and says which file it was; the next start
//! looks at the tail.

use std::fmt::Display;
use std::time::{Duration, Instant};

use keiin_tests::load::{Silence, Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Company, Deployment, Server, long, report, tool};

fn strace(call: &str, error: &str, at: &str) -> Vec<String> {
    let strace = tool("strace", "strace").display().to_string();
    // -D: the server keeps the process id that we started.
    let fixed = ["-D", "-f", "-qq", "-o", "/dev/null"].map(str::to_owned);
    let inject = [format!("trace={call}"), format!("inject={call}:error={error}:when={at}")];
    let inject = inject.into_iter().flat_map(|rule| ["-e".to_owned(), rule]);
    [strace].into_iter().chain(fixed).chain(inject).collect()
}

/// What an injected fault came to.
#[derive(Default, Debug)]
pub struct Tally {
    pub at_start: usize,
    pub ended: usize,
    pub not_met: usize,
    pub slowest: Duration,
}

/// One server under an injected fault, with writers, until it ends or has done enough.
fn run(deployment: &Deployment, writers: &mut [Writer], targets: &[Target], wrapper: &[String], tally: &mut Tally) {
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let mut server = match Server::try_serve_under(&wrapper, &deployment.data()) {
        Ok(server) => server,
        Err((code, log)) => {
            assert!(code == 3 || code == 2, "ended with {code}\n{log}");
            tally.at_start += 1;
            return;
        }
    };
    let client = server.client();
    for _ in 0..12 {
        for writer in &mut *writers {
            let asked = Instant::now();
            match writer.once(&client, targets) {
                Ok(_) => continue,
                // The read models are slower than the log, or the disk said no and nothing was written.
                Err(Silence::Refused(503 | 507, _)) if server.wait_exit(Duration::from_millis(100)).is_none() => {
                    continue;
                }
                Err(_) => {}
            }
            let code = server.wait_exit(Duration::from_secs(10));
            let log = server.log_tail();
            assert_eq!(code, Some(3), "after a failed sync\n{log}");
            assert!(log.contains("has failed, stopping"), "{log}");
            tally.slowest = tally.slowest.max(asked.elapsed());
            tally.ended += 1;
            return;
        }
    }
    if let Some(code) = server.wait_exit(Duration::ZERO) {
        assert_eq!(code, 3, "{}", server.log_tail());
        tally.ended += 1;
        return;
    }
    server.kill();
    tally.not_met += 1;
}

pub fn story(name: &str, call: &str, error: &str, places: &[impl Display]) -> Tally {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, &format!("{name}-a")), Company::sign_up(&server, &format!("{name}-b"))];
    assert_eq!(server.stop(), 0);
    let targets = Target::of(&companies);
    let mut writers = Writer::some(3, 0, deployment.folder());
    let mut tally = Tally::default();
    for at in places {
        let wrapper = strace(call, error, &at.to_string());
        run(&deployment, &mut writers, &targets, &wrapper, &mut tally);
        // The next start verifies the tail, and the same requests are answered once.
        let server = deployment.serve();
        settle(&mut writers, &server.client(), &targets);
        assert_eq!(server.stop(), 0);
    }
    let found = examine(&deployment, &companies);
    report!(
        "F5 {call} {error} places={} at_start={} ended={} not_met={} slowest_end_ms={} acked={} lost={} doubled={}",
        places.len(),
        tally.at_start,
        tally.ended,
        tally.not_met,
        tally.slowest.as_millis(),
        found.acked,
        found.count("O1"),
        found.count("O2")
    );
    found.expect_none();
    tally
}

#[test]
fn f05_a_failed_sync_ends_the_process_before_anything_is_acknowledged() {
    // Requests share syncs: a run of `run` makes some forty.
    let places: Vec<u32> = if long() { (0..200).map(|n| 1 + n % 40).collect() } else { vec![1, 3, 5, 8, 12, 20] };
    let tally = story("sync", "fsync,fdatasync", "EIO", &places);
    assert!(tally.ended * 3 >= places.len(), "{tally:?}");
    // Within a second on a machine that is ours; the time of the whole request, and of whoever else is at work, is in it.
    assert!(tally.slowest < Duration::from_secs(5), "{tally:?}");
}

#[test]
fn f05_a_failed_write_ends_the_process_or_is_refused() {
    let places: Vec<u32> = if long() { (5..=400).step_by(5).collect() } else { vec![8, 30, 60, 120] };
    let tally = story("write", "pwrite64", "EIO", &places);
    assert!(tally.ended > 0, "{tally:?}");
}
