//! A company that asks for as much as it can get (RN-C44, FM-03): what others wait, beside what they wait without it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keiin_tests::{Call, Company, Deployment, Server, long, report};
use serde_json::json;

/// Connections of the noisy company.
const NOISE: usize = 64;

/// Medians and 99th percentiles of requests, one after the other: a read and a write in turn.
fn waits(company: &Company, pairs: usize) -> [Duration; 2] {
    let mut taken: Vec<Duration> = vec![];
    for n in 0..pairs {
        let body = json!({ "name": format!("取引先 {n} {}", company.next()), "honorific": "onchu" });
        for call in [Call::new("GET", "/v1/clients?limit=20"), Call::new("POST", "/v1/clients").json(&body)] {
            let started = Instant::now();
            let answer = company.send(call.key(&format!("pair {}", company.next())));
            assert!((200..300).contains(&answer.status), "{}", answer.text());
            taken.push(started.elapsed());
        }
    }
    taken.sort();
    [taken[taken.len() / 2], taken[taken.len() * 99 / 100]]
}

/// What the quiet company waits while the other one is at it, and how much that one got done in a second.
fn beside(server: &Server, noisy: &Company, quiet: &Company, pairs: usize) -> ([Duration; 2], u64) {
    let (done, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let (token, started) = (noisy.token.clone(), Instant::now());
    std::thread::scope(|scope| {
        for n in 0..NOISE {
            let (client, token, done, enough) = (server.client(), token.clone(), &done, &enough);
            scope.spawn(move || {
                // As if it came from another machine: on this one it would take the cores that the others wait for.
                rustix::process::setpriority_process(None, 19).expect("a thread may step back");
                for i in 0.. {
                    let body = json!({ "name": format!("騒がしい取引先 {n} {i}"), "honorific": "onchu" });
                    let call = Call::new("POST", "/v1/clients").json(&body).key(&format!("noise {n} {i}"));
                    let read = Call::new("GET", "/v1/clients?limit=200");
                    for call in [call, read.clone(), read] {
                        if enough.load(Ordering::Relaxed) {
                            return;
                        }
                        client.send(&token.on(call));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        let waited = waits(quiet, pairs);
        enough.store(true, Ordering::Relaxed);
        (waited, done.load(Ordering::Relaxed) * 1_000 / started.elapsed().as_millis().max(1) as u64)
    })
}

fn measure(limits: &str, pairs: usize) -> ([Duration; 2], [Duration; 2], u64) {
    let deployment = Deployment::limited();
    let settings = deployment.data().join("keiin.toml");
    let text = std::fs::read_to_string(&settings).expect("init wrote the settings");
    let text = format!("{text}\n[limits]\nrequests_a_minute = 10000000\nlogins_a_minute = 10000000\n{limits}");
    std::fs::write(&settings, text).expect("the settings can be written");
    let server = deployment.serve();
    let (noisy, quiet) = (Company::sign_up(&server, "noisy"), Company::sign_up(&server, "quiet"));
    waits(&quiet, 5);
    let alone = waits(&quiet, pairs);
    let (busy, noise) = beside(&server, &noisy, &quiet, pairs);
    (alone, busy, noise)
}

#[test]
fn rn_c44_fm_03_a_noisy_company_does_not_keep_others_waiting() {
    let pairs = if long() { 500 } else { 50 };
    let unlimited =
        "requests_a_minute_company = 100000000\ncommands_at_once_a_company = 100000\ncores_a_company = 100000\n";
    let mut medians = vec![];
    let limits: &[(&str, &str)] = if long() { &[("off", unlimited), ("on", "")] } else { &[("on", "")] };
    for (name, limits) in limits {
        let (alone, busy, noise) = measure(limits, pairs);
        let times = |at: usize| busy[at].as_secs_f64() / alone[at].as_secs_f64();
        report!(
            "noisy limits={name} connections={NOISE} noise={noise}/s alone p50={:?} p99={:?} beside p50={:?} p99={:?} times \
             p50={:.1} p99={:.1}",
            alone[0],
            alone[1],
            busy[0],
            busy[1],
            times(0),
            times(1)
        );
        assert!(noise > 50, "{noise} requests a second are no noise");
        assert!(*name == "off" || busy[1] < Duration::from_secs(2), "one in a hundred waits {:?}", busy[1]);
        medians.push(busy[0]);
    }
    if let [off, on] = medians[..] {
        assert!(on * 2 < off, "with limits {on:?}, without {off:?}");
    }
}
