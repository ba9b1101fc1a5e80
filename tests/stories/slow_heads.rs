//! Whoever sends the head of a request slowly or never holds nobody up and is cut off, on the customers' port, plain, and on
//! the operators', over TLS; and the end is orderly on both.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use keiin_tests::authority::agree;
use keiin_tests::{Company, Plane, report};

/// `limits.head_s` here.
const HEAD: Duration = Duration::from_secs(3);
/// Longest wait for what should happen within seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const BEGUN: &[u8] = b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ";

/// A connection, plain or over TLS.
trait Peer: Read + Write + Send {}
impl<T: Read + Write + Send> Peer for T {}

/// A deployment whose heads have [`HEAD`] seconds.
fn impatient() -> Plane {
    let mut plane = Plane::new();
    let settings = plane.deployment.data().join("keiin.toml");
    let config = std::fs::read_to_string(&settings).expect("there are settings");
    let line = format!("[limits]\nhead_s = {}\n", HEAD.as_secs());
    let config =
        if config.contains("[limits]\n") { config.replace("[limits]\n", &line) } else { config + "\n" + &line };
    std::fs::write(&settings, config).expect("the settings can be written");
    plane.server.kill();
    plane.server = plane.deployment.serve();
    plane
}

fn address(url: &str) -> SocketAddr {
    url.rsplit('/').next().and_then(|address| address.parse().ok()).expect("an address and a port")
}

/// A connection to this port; over TLS where there are roots.
fn connect(to: SocketAddr, roots: Option<&Path>) -> Box<dyn Peer> {
    let stream = TcpStream::connect(to).expect("the server accepts connections");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    match roots {
        None => Box::new(stream),
        Some(roots) => Box::new(agree(stream, roots)),
    }
}

/// Reads to the end, whatever it is; a reset is an end too.
fn until_the_end(peer: &mut dyn Peer) -> Vec<u8> {
    let mut rest = Vec::new();
    if let Err(error) = peer.read_to_end(&mut rest) {
        let cut =
            [std::io::ErrorKind::ConnectionReset, std::io::ErrorKind::UnexpectedEof, std::io::ErrorKind::BrokenPipe];
        assert!(cut.contains(&error.kind()), "{error}");
    }
    rest
}

#[test]
fn slow_heads_are_cut_off_and_keep_nobody_out() {
    let plane = impatient();
    let company = Company::sign_up(&plane.server, "beside");
    let (public, ca) = (address(&plane.server.url), plane.file("ca.pem"));
    let operators = address(plane.server.printed["admin_url"].as_str().expect("serve prints it"));
    for (port, to, roots) in [("plain", public, None), ("operators", operators, Some(ca.as_path()))] {
        let many = if roots.is_none() { 200 } else { 40 };
        // Of four one sends nothing, one the beginning, one goes on for ever, one has had an answer.
        let begun = Instant::now();
        let mut slow: Vec<Box<dyn Peer>> = (0..many).map(|_| connect(to, roots)).collect();
        for (i, peer) in slow.iter_mut().enumerate() {
            match i % 4 {
                0 => {}
                3 => {
                    peer.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
                    let mut head = [0; 12];
                    peer.read_exact(&mut head).expect("an answer");
                    assert_eq!(&head, b"HTTP/1.1 200");
                }
                _ => peer.write_all(BEGUN).expect("written"),
            }
        }
        let opened = Instant::now();
        let asked = Instant::now();
        for _ in 0..10 {
            company.client.get("/livez").expect(200);
            company.get("/v1/me");
            plane.operator("suzuki").get("/operator/v1/plane").expect(200);
        }
        let beside = asked.elapsed() / 30;
        // A byte now and then buys no time: the limit is the whole head's.
        while opened.elapsed() < HEAD {
            std::thread::sleep(Duration::from_millis(200));
            for peer in slow.iter_mut().skip(2).step_by(4) {
                let _ = peer.write_all(b"x");
            }
        }
        for (i, peer) in slow.iter_mut().enumerate() {
            let rest = until_the_end(peer.as_mut());
            let text = String::from_utf8_lossy(&rest).into_owned();
            assert!(i % 4 == 3 || text.is_empty() || text.starts_with("HTTP/1.1 4"), "{i}: {text}");
        }
        let cut_after = begun.elapsed();
        assert!(cut_after >= HEAD && cut_after < HEAD * 5, "{port}: {cut_after:?}");
        company.client.get("/livez").expect(200);
        let (many, beside, cut_after) = (many, beside.as_micros(), cut_after.as_millis());
        report!("slow_heads port={port} connections={many} request_beside_us={beside} cut_after_ms={cut_after}");
    }
}

#[test]
fn a_stop_finishes_what_is_under_way_and_waits_for_no_slow_head() {
    let mut plane = impatient();
    let company = Company::sign_up(&plane.server, "orderly-plain");
    let (to, ca) = (address(&plane.server.url), plane.file("ca.pem"));
    let operators = address(plane.server.printed["admin_url"].as_str().expect("serve prints it"));
    let body = r#"{"name":"Late KK","honorific":"onchu"}"#;
    let mut half = connect(to, None);
    let head = format!(
        "POST /v1/clients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}",
        body.len(),
        company.token.lines(),
        &body[..10]
    );
    half.write_all(head.as_bytes()).expect("written");
    let mut slow = [connect(to, None), connect(operators, Some(&ca))];
    slow.iter_mut().for_each(|peer| peer.write_all(BEGUN).expect("written"));
    // The server has read it before it is told to stop.
    company.client.get("/livez").expect(200);
    let stopping = Instant::now();
    let pid = plane.server.pid().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    while TcpStream::connect(to).is_ok() {
        assert!(stopping.elapsed() < PATIENCE, "new connections are still taken");
        std::thread::sleep(Duration::from_millis(20));
    }
    half.write_all(&body.as_bytes()[10..]).expect("written");
    let answer = String::from_utf8_lossy(&until_the_end(half.as_mut())).into_owned();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(plane.server.wait_exit(PATIENCE), Some(0));
    assert!(stopping.elapsed() < Duration::from_secs(9), "{:?}", stopping.elapsed());
    for peer in &mut slow {
        until_the_end(peer.as_mut());
    }
}
