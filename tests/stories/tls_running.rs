//! TLS while the server runs: certificates are renewed under load, stalled and slow peers hold nobody up, and the end is
//! as orderly as over plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keiin_tests::authority::{Authority, Kind, Stream, agree, put, shown};
use keiin_tests::{Call, Company, Deployment, Server, report, tool};

/// Longest wait for what should happen within seconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn serve(deployment: &Deployment, authority: &Authority, settings: &[(&str, &str)]) -> Server {
    let [cert, key] = authority.issue("server", Kind::Ecdsa, 2099);
    let [cert, key] = [&cert, &key].map(|path| path.to_str().expect("temporary paths are text"));
    Server::serve_tls(&deployment.data(), &authority.root(), &["--tls-cert", cert, "--tls-key", key], settings)
}

fn address(server: &Server) -> SocketAddr {
    server.client().address().parse().expect("an address")
}

fn connect(server: &Server, authority: &Authority) -> Stream {
    agree(TcpStream::connect(address(server)).expect("the server accepts connections"), &authority.root())
}

/// One request over a connection that stays; the status.
fn ask(stream: &mut Stream) -> std::io::Result<u16> {
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"alive\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&answer)[9..12].parse().expect("a status"))
}

fn signal(server: &Server, name: &str) {
    let done = Command::new("kill").args([name, &server.pid().to_string()]).status().expect("kill runs");
    assert!(done.success());
}

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    started.elapsed()
}

/// A pair in place of that in use; both files whole at any time, the key a moment after the certificate.
fn replace(authority: &Authority, [cert, key]: &[PathBuf; 2]) {
    for (from, to) in [(cert, "server.crt"), (key, "server.key")] {
        put(&authority.path(to), &std::fs::read(from).expect("issued"));
    }
}

#[test]
fn a_certificate_is_renewed_under_load_without_a_failed_request() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let in_use = || shown(&connect(&server, &authority));
    let log = || std::fs::read_to_string(&server.log).expect("a log");
    assert_eq!(in_use(), server.printed["certificate_sha256"]);
    std::thread::scope(|scope| {
        let (client, stop, answered) = (server.client(), &stop, &answered);
        // Each request has a handshake of its own.
        for _ in 0..3 {
            let client = client.clone();
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.try_send(&Call::new("GET", "/livez")).expect("no request fails");
                    assert_eq!(answer.status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // And one connection stays throughout.
        let mut standing = connect(&server, &authority);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(ask(&mut standing).expect("the connection stays"), 200);
                answered.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let renewed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut before = in_use();
            let mut changed = |how: &str| {
                let took = until(how, || in_use() != before);
                before = in_use();
                took
            };
            for _ in 0..3 {
                replace(&authority, &authority.issue("next", Kind::Ecdsa, 2099));
                signal(&server, "-HUP");
                changed("SIGHUP takes the new certificate");
            }
            replace(&authority, &authority.issue("next", Kind::Rsa, 2099));
            let noticed = changed("a change of the files is noticed");

            // What cannot be used is not used, and the log says so.
            let good = ["server.crt", "server.key"].map(|name| std::fs::read(authority.path(name)).expect("a file"));
            let [stranger, _] = authority.issue("stranger", Kind::Ecdsa, 2099);
            for (name, bytes, reason) in [
                ("server.crt", std::fs::read(&stranger).expect("issued"), "does not belong to the certificate"),
                ("server.key", b"half a k".to_vec(), "holds no private key"),
            ] {
                let known = log().len();
                put(&authority.path(name), &bytes);
                signal(&server, "-HUP");
                until("the log says so", || {
                    let new = log()[known..].to_owned();
                    new.contains("ERROR") && new.contains("CANNOT BE USED") && new.contains(reason)
                });
                assert_eq!(in_use(), before, "the old certificate stays in use");
            }
            std::fs::remove_file(authority.path("server.key")).expect("removed");
            signal(&server, "-HUP");
            until("the log says so", || log().contains("is the path right"));
            // Put right, it is as before; then a new one is taken again.
            for (name, bytes) in ["server.crt", "server.key"].iter().zip(&good) {
                put(&authority.path(name), bytes);
            }
            replace(&authority, &authority.issue("next", Kind::Ecdsa, 2099));
            signal(&server, "-HUP");
            until("the certificate is taken again", || in_use() != before);
            noticed
        }));
        stop.store(true, Ordering::Relaxed);
        let noticed = renewed.unwrap_or_else(|why| std::panic::resume_unwind(why));
        report!("tls_renewals=5 noticed_ms={} failed=0", noticed.as_millis());
    });
    assert!(answered.into_inner() > 100);
    assert_eq!(server.stop(), 0);
}

#[test]
fn stalled_handshakes_keep_nobody_out_and_are_cut_off() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    let started = Instant::now();
    let stalled: Vec<_> = (0..300)
        .map(|at| {
            let mut stream = TcpStream::connect(address(&server)).expect("the server accepts connections");
            if at % 2 == 0 {
                // The beginning of a hello, which promises 200 bytes.
                stream.write_all(&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]).expect("written");
            }
            stream
        })
        .collect();
    let asked = Instant::now();
    for _ in 0..20 {
        server.client().get("/livez").expect(200);
    }
    let beside = asked.elapsed() / 20;
    assert!(started.elapsed() < Duration::from_secs(9), "too slow to tell: {:?}", started.elapsed());
    for mut stream in stalled {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        let mut rest = Vec::new();
        // An alert or nothing, then the end; a reset is an end too.
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
    let cut_after = started.elapsed();
    assert!((9.0..20.0).contains(&cut_after.as_secs_f64()), "{cut_after:?}");
    report!("tls_stalled=300 request_beside_us={} cut_after_ms={}", beside.as_micros(), cut_after.as_millis());
}

#[test]
fn who_does_not_read_is_cut_off_over_tls_too() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[("KEIIN__LIMITS__STALLED_S", "3")]);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect(&address(&server).into()).expect("the server accepts connections");
    let stream = TcpStream::from(socket);
    let port = stream.local_addr().expect("an address").port();
    let mut stream = agree(stream, &authority.root());
    for _ in 0..50 {
        stream.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    }
    let ss = tool("ss", "iproute2");
    let mine = format!("pid={},", server.pid());
    let is_there = || {
        let out = Command::new(&ss).args(["-tnpH"]).output().expect("ss runs").stdout;
        let listed = String::from_utf8_lossy(&out).into_owned();
        listed.lines().any(|line| line.contains(&format!(":{port} ")) && line.contains(&mine))
    };
    assert!(is_there(), "it is being served");
    let cut_after = until("who does not read is still served", || !is_there());
    server.client().get("/livez").expect(200);
    report!("tls_slow_reader cut_after_ms={} stalled_s=3", cut_after.as_millis());
}

#[test]
fn requests_under_way_are_finished_and_the_peer_is_known() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let mut server = serve(&deployment, &authority, &[]);
    let company = Company::sign_up(&server, "orderly");
    // Where a request comes from is known as over plain HTTP.
    let refused = serde_json::json!({ "email": "owner@orderly.example", "password": "a wrong password" });
    company.client.post("/v1/sessions", &refused).expect(401);
    company.mark();
    let event = &company.get("/v1/events?kind=session.refused")["items"][0];
    let event = company.get(&format!("/v1/events/{}", event["position"]));
    assert!(event.to_string().contains("127.0.0.1"), "{event}");

    // A feed, half a request, and a handshake that stalls.
    let mut feed = connect(&server, &authority);
    let head = format!("GET /v1/events/stream HTTP/1.1\r\nHost: a\r\n{}\r\n", company.token.lines());
    feed.write_all(head.as_bytes()).expect("written");
    let mut feed = BufReader::new(feed);
    let mut line = String::new();
    feed.read_line(&mut line).expect("an answer");
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    let _stalled = TcpStream::connect(address(&server)).expect("the server accepts connections");
    let body = r#"{"name":"Late KK","honorific":"onchu"}"#;
    let mut half = connect(&server, &authority);
    let head = format!(
        "POST /v1/clients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}",
        body.len(),
        company.token.lines(),
        &body[..10]
    );
    half.write_all(head.as_bytes()).expect("written");
    let stopping = Instant::now();
    let address = address(&server);
    signal(&server, "-TERM");
    until("no new connection is taken", || TcpStream::connect(address).is_err());
    half.write_all(&body.as_bytes()[10..]).expect("written");
    let mut answer = String::new();
    half.read_to_string(&mut answer).expect("an answer and an orderly end (close_notify)");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let mut rest = String::new();
    feed.read_to_string(&mut rest).expect("the feed ends with an orderly end");
    assert_eq!(server.wait_exit(PATIENCE), Some(0));
    assert!(stopping.elapsed() < Duration::from_secs(9), "{:?}", stopping.elapsed());
}
