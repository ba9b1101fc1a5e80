//! F27. Memory runs out: the address space of a server under load is limited to little more than it has, and then large
//! requests come. It refuses them or ends; either way F1's criteria hold, and nothing is half written.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use keiin_tests::attachments::{content_type, form, pdf_of};
use keiin_tests::load::{Target, Writer, settle};
use keiin_tests::oracle::examine;
use keiin_tests::{Call, Company, Credential, Deployment, Seeded, Server, long, report, tool};
use serde_json::json;

/// Largest body that the API reads, and the largest file of clients.
const BODY: usize = 1 << 20;
const SHEET: usize = 5 << 20;

/// What somebody sends who means no good, or has a lot: each within what a request may weigh, or far beyond it.
fn large(slug: &str) -> Vec<Call> {
    let deep = |times: usize| format!("{}1{}", "[".repeat(times), "]".repeat(times));
    let long_text = |bytes: usize| json!({ "name": "x".repeat(bytes), "honorific": "onchu" }).to_string();
    let many = |count: usize| {
        let lines: Vec<_> =
            (0..count).map(|n| json!({ "name": format!("{slug} {n}"), "email": "a@b.example" })).collect();
        json!({ "name": "Many", "honorific": "onchu", "contacts": lines }).to_string()
    };
    let mut sheet = String::from("name,honorific,note\n");
    while sheet.len() < SHEET - 2_000 {
        sheet.push_str(&format!("{},御中,{}\n", "長い名前".repeat(10), "備考".repeat(170)));
    }
    // A page whose picture is said to be far larger than it is, and one that is large.
    let picture = |width: usize, bytes: usize| {
        let data = "A".repeat(bytes);
        pdf_of(&[
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>".to_owned(),
            format!("<< /Width {width} /Height {width} /Length {} >>\nstream\n{data}\nendstream", data.len()),
        ])
    };
    let client = |body: String| Call::new("POST", "/v1/clients").bytes("application/json", body);
    let file =
        |bytes: &[u8]| Call::new("POST", "/v1/attachments").bytes(&content_type(), form(&[], &[("large.pdf", bytes)]));
    vec![
        client(deep(500_000)),
        client(format!("{{\"name\":{}}}", deep(500_000 - 8))),
        client(long_text(BODY - 64)),
        client(many(15_000)),
        client("\"\\u0041".repeat(BODY / 7)),
        client(long_text(3 * BODY)),
        Call::new("POST", "/v1/clients/imports?check=true").key("large").bytes("text/csv", sheet.into_bytes()),
        file(&picture(30_000, 1_000)),
        file(&picture(10, 4 << 20)),
        Call::new("GET", "/v1/events?limit=200"),
        Call::new("GET", "/v1/clients?limit=200&q=長い"),
    ]
}

/// A request that says it is a gibibyte, and sends of that what is taken. The status that came back.
fn gibibyte(server: &Server, token: &Credential) -> Option<u16> {
    let mut stream = TcpStream::connect(server.client().address()).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let head =
        "POST /v1/clients HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1073741824";
    write!(stream, "{head}\r\n{}\r\n", token.lines()).ok()?;
    // It may stop reading at any time.
    (0..1_024).try_for_each(|_| stream.write_all(&[b' '; 1 << 20])).ok();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer[9..]).ok()?.parse().ok()
}

/// A figure of `/proc/PID/status`, KiB.
fn kib(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn f27_short_of_memory_it_refuses_or_ends_and_nothing_is_half_written() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let companies = [Company::sign_up(&server, "memory-a"), Company::sign_up(&server, "memory-b")];
    let targets = Target::of(&companies);
    let calls = large("memory-a");
    // With enough memory: refused, each for what it is, and memory is not held on to.
    let before = kib(&server, "VmRSS");
    let mut cut = 0;
    for call in &calls {
        match companies[0].client.try_send(&companies[0].token.on(call.clone())) {
            Ok(answer) => {
                let status = answer.status;
                assert!(matches!(status, 200 | 201 | 400 | 413 | 415 | 422), "{} {status}", call.path());
            }
            // Refused while it was still being sent.
            Err(_) => cut += 1,
        }
    }
    assert!(cut <= 3, "most are small enough to be read whole");
    assert!(matches!(gibibyte(&server, &companies[0].token), None | Some(413)));
    let peak = kib(&server, "VmHWM").saturating_sub(before);
    assert!(peak < 256 << 10, "{peak} KiB more");
    assert_eq!(server.stop(), 0);

    let prlimit = tool("prlimit", "util-linux");
    let mut writers = Writer::some(6, 0, deployment.folder());
    let mut chance = Seeded::from_env_or(27);
    let seed = chance.0;
    let rounds = if long() { 60 } else { 6 };
    let (mut ended, refused, answered) = (0, AtomicUsize::new(0), AtomicUsize::new(0));
    for round in 0..rounds {
        let mut server = deployment.serve();
        settle(&mut writers, &server.client(), &targets);
        // From nothing to spare to nearly enough.
        let spare = chance.between(0, 3 << round.min(4) << 10);
        let (pid, limit) = (server.pid().to_string(), format!("--as={}", (kib(&server, "VmSize") + spare) << 10));
        assert!(Command::new(&prlimit).args(["--pid", &pid, &limit]).status().expect("prlimit runs").success());
        let client = server.client().hurried(Duration::from_secs(5));
        let (stop, here) = (AtomicBool::new(false), companies[0].at(&server));
        scope(|scope| {
            for writer in &mut writers {
                let (client, targets, stop) = (&client, &targets, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        // Refused and lost requests are sent again when there is memory again.
                        if writer.once(client, targets).is_err() {
                            sleep(Duration::from_millis(20));
                        }
                    }
                });
            }
            for lane in 0..4 {
                let (client, token, calls, stop) = (&client, &here.token, &calls, &stop);
                let (refused, answered) = (&refused, &answered);
                scope.spawn(move || {
                    for call in calls.iter().cycle().skip(lane * 3) {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let Ok(answer) = client.try_send(&token.on(call.clone())) else { continue };
                        answered.fetch_add(1, Ordering::Relaxed);
                        refused.fetch_add(usize::from(answer.status >= 500), Ordering::Relaxed);
                    }
                });
            }
            let until = Instant::now() + Duration::from_secs(4);
            while Instant::now() < until && server.wait_exit(Duration::from_millis(50)).is_none() {}
            stop.store(true, Ordering::Relaxed);
        });
        match server.wait_exit(Duration::ZERO) {
            Some(_) => ended += 1,
            None => server.kill(),
        }
    }
    let server = deployment.serve();
    settle(&mut writers, &server.client(), &targets);
    assert_eq!(server.stop(), 0);
    let found = examine(&deployment, &companies);
    report!(
        "F27 rounds={rounds} ended={ended} large_answered={} of_these_5xx={} acked={} lost={} doubled={} peak_kib={peak} seed={seed}",
        answered.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed),
        found.acked,
        found.count("O1"),
        found.count("O2")
    );
    found.expect_none();
    assert!(ended > 0 || refused.load(Ordering::Relaxed) > 0, "memory was never short");
}
