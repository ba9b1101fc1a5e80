//! F6. System calls are interrupted, write only a part, or find no file descriptor left. Nothing panics, nothing is lost,
//! and what ran out comes back.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use keiin_tests::load::{Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Call, Company, Deployment, Seeded, Server, long, report, tool};

use crate::f05_failed_sync::story;

#[test]
fn f06_an_interrupted_call_is_made_again() {
    // The first calls are the program loader's, which does not ask again; and a call that is always interrupted never ends.
    let rules: &[&str] = if long() { &["5+3", "9+7", "6+2", "30+2"] } else { &["5+3"] };
    for rule in rules {
        let tally = story("interrupted", "pwrite64,pread64", "EINTR", &[rule]);
        assert_eq!((tally.ended, tally.at_start), (0, 0), "{rule}: nothing had failed: {tally:?}");
    }
}

/// The kernel writes what fits below the limit for the size of a file, and ends the process at the next write.
#[test]
fn f06_a_write_cut_short_leaves_nothing_half_done() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "short-a"), Company::sign_up(&server, "short-b")];
    assert_eq!(server.stop(), 0);
    let targets = Target::of(&companies);
    let mut writers = Writer::some(3, 0, deployment.folder());
    let mut chance = Seeded::from_env_or(6);
    let prlimit = tool("prlimit", "util-linux").display().to_string();
    let rounds = if long() { 60 } else { 5 };
    let mut cut = 0;
    for _ in 0..rounds {
        let size = |name: &str| deployment.data().join(name).metadata().map_or(0, |file| file.len());
        let largest = size("log.db").max(size("read.db")).max(size("vault.db")).max(size("anchor.db"));
        let limit = format!("--fsize={}", largest + 120_000 + chance.between(0, 60_000));
        match Server::try_serve_under(&[&prlimit, &limit], &deployment.data()) {
            Err(_) => cut += 1,
            Ok(mut server) => {
                let client = server.client();
                'load: for _ in 0..60 {
                    for writer in &mut writers {
                        if writer.once(&client, &targets).is_err() {
                            break 'load;
                        }
                    }
                }
                cut += usize::from(server.wait_exit(Duration::from_millis(500)).is_some());
                server.kill();
            }
        }
        let server = deployment.serve();
        settle(&mut writers, &server.client(), &targets);
        assert_eq!(server.stop(), 0);
    }
    let found = examine(&deployment, &companies);
    report!(
        "F6 short_writes rounds={rounds} ended={cut} acked={} lost={} doubled={}",
        found.acked,
        found.count("O1"),
        found.count("O2")
    );
    found.expect_none();
    assert!(cut > 0, "no write was cut short");
}

#[test]
fn f06_without_file_descriptors_requests_wait_or_are_refused_and_it_recovers() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "descriptors")];
    let targets = Target::of(&companies);
    let mut writers = Writer::some(2, 0, deployment.folder());
    writers[0].once(&server.client(), &targets).expect("answered");
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("our own child").count();
    let prlimit = tool("prlimit", "util-linux");
    let limit = |most: usize| {
        let (pid, most) = (server.pid().to_string(), format!("--nofile={most}:"));
        assert!(Command::new(&prlimit).args(["--pid", &pid, &most]).status().expect("prlimit runs").success());
    };
    limit(open + 8);
    let address = server.client().address().to_owned();
    let idle: Vec<TcpStream> = (0..32).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    assert!(idle.len() > 16, "the backlog takes them");
    // Whatever is answered now is right or says "not now"; whatever is not answered is asked again below.
    let call = companies[0].token.on(Call::new("GET", "/v1/clients?limit=1"));
    let hurried = std::thread::spawn({
        let client = server.client();
        move || client.try_send(&call).map(|answer| answer.status)
    });
    std::thread::sleep(Duration::from_millis(1_500));
    drop(idle);
    limit(1_024);
    let status = hurried.join().expect("it ends");
    assert!(matches!(status, Ok(200 | 503) | Err(_)), "{status:?}");
    let healed = Instant::now();
    let client = server.client();
    settle(&mut writers, &client, &targets);
    writers[1].once(&client, &targets).expect("answered");
    assert!(healed.elapsed() < Duration::from_secs(5), "{:?}", healed.elapsed());
    assert!(!server.log_tail().contains("panicked"), "{}", server.log_tail());
    assert_eq!(server.stop(), 0);
    examine(&deployment, &companies).expect_none();
    report!("F6 descriptors spare=8 idle=32 answered={status:?} healed_ms={}", healed.elapsed().as_millis());
}
