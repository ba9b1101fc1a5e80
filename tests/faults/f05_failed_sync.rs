//! F5. A sync, a write or a read fails with EIO. After a failed sync nobody knows what is on the disk: nothing is
//! acknowledged, nothing is tried again, the process ends within a second and says which file it was; the next start
//! looks at the tail. A read that fails is an error for whoever asked: never an answer that is wrong, never "there is no
//! such thing".

use std::fmt::Display;
use std::time::{Duration, Instant};

use keiin_tests::load::{Ack, Silence, Target, Writer, settle};
use keiin_tests::oracle::{examine, read_journals};
use keiin_tests::{Call, Company, Deployment, Server, long, report, tool};

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

/// What reads under failing reads came to.
#[derive(Default, Debug)]
struct Reads {
    right: usize,
    refused: usize,
    ended: usize,
    at_start: usize,
}

/// One server whose reads fail, asked for what is known and for more, until it ends or has done enough.
fn read_on(
    deployment: &Deployment,
    company: &Company,
    known: &[Ack],
    writer: &mut Writer,
    targets: &[Target],
    (file, at): (&str, &str),
    reads: &mut Reads,
) {
    let mut wrapper = strace("pread64", "EIO", at);
    wrapper.extend(["-P".to_owned(), deployment.data().join(file).display().to_string()]);
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let mut server = match Server::try_serve_under(&wrapper, &deployment.data()) {
        Ok(server) => server,
        Err((code, log)) => {
            assert!(code == 3 || code == 2, "ended with {code}\n{log}");
            reads.at_start += 1;
            return;
        }
    };
    let client = server.client();
    for round in 0..10 {
        let ack = &known[round % known.len()];
        let paths = [
            format!("/v1/clients/{}", ack.id),
            format!("/v1/events/{}", ack.position),
            "/v1/clients?limit=200".to_owned(),
        ];
        for (n, path) in paths.iter().enumerate() {
            // No answer at all: the process has ended, or is about to.
            let Ok(answer) = client.try_send(&company.token.on(Call::new("GET", path))) else { continue };
            match answer.status {
                200 if n == 0 => assert_eq!(answer.json()["name"], ack.key.as_str(), "{path}"),
                200 if n == 1 => {
                    let hash = answer.json()["hash"].as_str().map(str::to_owned);
                    assert!(ack.hash.is_none() || hash == ack.hash, "{path}: {hash:?}, {ack:?}");
                }
                200 => {
                    let listed = answer.json()["items"].as_array().map(Vec::len);
                    assert_eq!(listed, Some(known.len().min(200)), "{path}");
                }
                500 | 503 => reads.refused += 1,
                status => panic!("read {at} of {file}: {path} is answered with {status}: {}", answer.text()),
            }
            reads.right += usize::from(answer.status == 200);
        }
        // A writer panics at an answer that is neither a success nor "not now". It comes last: what it did is not known.
        if round == 9 {
            let _ = writer.once(&client, targets);
        }
    }
    match server.wait_exit(Duration::ZERO) {
        Some(code) => {
            assert_eq!(code, 3, "{}", server.log_tail());
            reads.ended += 1;
        }
        None => server.kill(),
    }
}

#[test]
fn f05_a_failed_read_is_an_error_and_never_an_answer() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "read-a")];
    let targets = Target::of(&companies);
    let mut writers = Writer::some(2, 0, deployment.folder());
    for _ in 0..6 {
        writers[0].once(&server.client(), &targets).expect("answered");
    }
    assert_eq!(server.stop(), 0);
    let mut reads = Reads::default();
    // Calls are counted for each thread: one that fails, some, or all from there on. Each request opens the read models.
    let several = if long() { (1..=60).map(|n| n * 20).collect() } else { vec![30, 60, 100, 160, 240] };
    let several = several.iter().flat_map(|n| [("read.db", format!("{n}")), ("read.db", format!("{n}+"))]);
    let kept = [("log.db", 5), ("log.db", 15), ("log.db-wal", 4), ("vault.db", 20), ("vault.db", 60)];
    let broken = kept.iter().flat_map(|(file, n)| [(*file, format!("{n}")), (*file, format!("{n}+"))]);
    let planned: Vec<_> = several.chain(broken).collect();
    // Which thread reads how often is the machine's to say: where all failures fell beside the requests, more are tried.
    let more = (1..=24).map(|n| ("read.db", format!("{}+", n * 13)));
    let count = planned.len();
    for (n, (file, at)) in planned.into_iter().chain(more).enumerate() {
        if n >= count && reads.refused > 0 {
            break;
        }
        // What was written is known with its hash, and all there is in the list.
        let told = read_journals(deployment.folder()).remove(&companies[0].id).expect("the journal is there");
        let known: Vec<Ack> = told.acked.into_values().collect();
        read_on(&deployment, &companies[0], &known, &mut writers[1], &targets, (file, &at), &mut reads);
        let server = deployment.serve();
        settle(&mut writers, &server.client(), &targets);
        assert_eq!(server.stop(), 0);
    }
    let found = examine(&deployment, &companies);
    report!("F5 pread64 EIO {reads:?} acked={} lost={} doubled={}", found.acked, found.count("O1"), found.count("O2"));
    found.expect_none();
    assert!(reads.refused > 0 && reads.right > 0, "{reads:?}");
}
