//! The security headers, on every answer: each operation, each page, each form, whatever is asked in an odd way, and on
//! the operators' port. What cannot be had from outside, a panic and a time limit, is tested beside the layers themselves
//! (`http/src/serve.rs`).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use keiin_tests::authority::{Authority, Kind, agree};
use keiin_tests::operation::{example, operations};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server, report};
use serde_json::Value;

/// What each answer must bear.
const EXACT: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
];

/// Pages that no table lists: reached without a login.
const PUBLIC: &[&str] = &[
    "/login", "/login/keiin_log_x", "/signup", "/trust", "/signup/pay/x", "/terms", "/privacy", "/terms.txt",
    "/invite/keiin_inv_x", "/l/keiin_lnk_x", "/pass/keiin_pas_x", "/kiosk", "/kiosk/pair/keiin_kio_x",
    "/problems/request.not_found", "/problems/none", "/docs", "/openapi.json", "/livez", "/readyz",
];

/// Statuses that were seen, and how often.
#[derive(Default)]
struct Seen(BTreeMap<u16, u32>);

impl Seen {
    #[track_caller]
    fn check(&mut self, answer: &Answer) {
        for (name, value) in EXACT {
            let all: Vec<_> = answer.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
            assert_eq!(all, [*value], "{} {}: {name}", answer.status, answer.asked);
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        // The kiosk's page alone compiles WebAssembly.
        let is_kiosk = answer.asked.split('?').next().is_some_and(|asked| asked.ends_with(" /kiosk"));
        let policy = if is_kiosk { policy.replace(" 'wasm-unsafe-eval'", "") } else { policy.to_owned() };
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
            assert!(policy.contains(part), "{} {}: {policy}", answer.status, answer.asked);
        }
        for hole in ["unsafe", "*", "http:", "https:", "blob:"] {
            assert!(!policy.contains(hole), "{} {}: {policy}", answer.status, answer.asked);
        }
        assert!(answer.header("cache-control").is_some(), "{} {}: no Cache-Control", answer.status, answer.asked);
        *self.0.entry(answer.status).or_default() += 1;
    }
}

fn serve(deployment: &Deployment, authority: &Authority, settings: &[(&str, &str)]) -> Server {
    let [cert, key] = authority.issue("server", Kind::Ecdsa, 2099);
    let [cert, key] = [&cert, &key].map(|path| path.to_str().expect("temporary paths are text"));
    Server::serve_tls(&deployment.data(), &authority.root(), &["--tls-cert", cert, "--tls-key", key], settings)
}

#[test]
fn every_answer_bears_the_security_headers() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    let (company, client) = (Company::sign_up(&server, "headers"), server.client());
    let mut seen = Seen::default();

    // Every operation: as a stranger, with an id that does not exist, with a body that is none, and as it should be.
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    for operation in operations(&document) {
        let stray = fill(&operation.path);
        let call = || Call::new(&operation.method, &stray);
        seen.check(&client.send(&call()));
        seen.check(&company.send(call().header("If-Match", "\"v1\"").key("stray")));
        if operation.method != "GET" {
            seen.check(&company.send(call().key("broken").bytes("application/json", "{")));
            seen.check(&client.send(&Call::new("POST", &format!("/do{stray}"))));
        }
        let right = example(&company, &operation);
        seen.check(&client.send(&right.sender.on(right.call())));
    }
    // Every page, with a login and without, whole and as a fragment.
    let pages = keiin::console::PAGES.iter().map(|page| fill(page.path)).chain(PUBLIC.iter().map(|p| (*p).to_owned()));
    let Credential::Cookie(cookie) = company.log_in("owner@headers.example") else { panic!("a login is a cookie") };
    for path in pages {
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            seen.check(&client.send(&Call::new(method, &path)));
        }
        seen.check(&client.send(&Call::new("GET", &path).header("Cookie", &cookie)));
        seen.check(&client.send(&Call::new("GET", &path).header("Cookie", &cookie).header("HX-Request", "true")));
        seen.check(&client.send(&Call::new("GET", &format!("{path}?lang=xx&limit=-1&cursor=%00"))));
    }
    // What is odd.
    let page = client.get("/login").text().replace("&#x2f;", "/");
    let asset = page.split('"').find(|text| text.starts_with("/assets/")).expect("a page has styles").to_owned();
    for call in [
        Call::new("GET", &asset),
        Call::new("GET", "/assets/none.css"),
        Call::new("GET", "/nowhere"),
        Call::new("GET", "/v1/nowhere"),
        Call::new("GET", "/v1/../../etc/passwd"),
        Call::new("GET", "/%ff%fe/%00"),
        Call::new("GET", &format!("/documents?q={}", "a".repeat(8_000))),
        Call::new("OPTIONS", "/v1/members"),
        Call::new("TRACE", "/login"),
        Call::new("POST", "/v1/sign_ups").key("text").bytes("text/plain", "x"),
        Call::new("POST", "/login").header("Sec-Fetch-Site", "cross-site"),
        Call::new("POST", "/logout").header("Origin", "https://evil.example"),
        Call::new("GET", "/v1/me").header("Authorization", "Bearer nonsense"),
        Call::new("GET", "/").header("Cookie", "__Host-keiin=nonsense"),
    ] {
        seen.check(&client.send(&call));
    }
    // Announced and not sent: whoever is still sending when the server closes may not see the answer.
    let huge = |path: &str, media: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nIdempotency-Key: huge\r\nContent-Type: {media}\r\n\
             Content-Length: 2097152\r\nConnection: close\r\n\r\n"
        )
    };
    for request in [
        huge("/v1/sign_ups", "application/json").as_str(),
        huge("/login", "application/x-www-form-urlencoded").as_str(),
        "GET /nowhere HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "BREW /v1/members HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        seen.check(&raw(&server, &authority, request));
    }
    // The operators' port.
    let admin = server.admin();
    for path in ["/metrics", "/livez", "/readyz", "/scrub", "/nowhere"] {
        for method in ["GET", "DELETE"] {
            seen.check(&admin.send(&Call::new(method, path)));
        }
    }
    let expected = [200, 201, 303, 400, 401, 403, 404, 405, 413, 415, 428];
    let missing: Vec<_> = expected.iter().filter(|status| !seen.0.contains_key(status)).collect();
    assert!(missing.is_empty(), "not met: {missing:?} among {:?}", seen.0);
    report!("headers answers={} statuses={:?}", seen.0.values().sum::<u32>(), seen.0.keys().collect::<Vec<_>>());
}

#[test]
fn whoever_asks_too_often_gets_them_too() {
    let (deployment, authority) = (Deployment::limited(), Authority::new());
    let limits = [("KEIIN__LIMITS__REQUESTS_A_MINUTE", "1"), ("KEIIN__LIMITS__LOGINS_A_MINUTE", "1")];
    let server = serve(&deployment, &authority, &limits);
    let (client, mut seen) = (server.client(), Seen::default());
    for _ in 0..3 {
        let body = serde_json::json!({ "email": "a@b.example", "password": "a wrong password" });
        seen.check(&client.post("/v1/sessions", &body));
        let form = "email=a%40b.example&password=wrong";
        seen.check(&client.send(&Call::new("POST", "/login").bytes("application/x-www-form-urlencoded", form)));
        seen.check(&client.get("/v1/me"));
    }
    assert!(seen.0.contains_key(&429), "{:?}", seen.0);
}

/// A path with something in place of its parameters.
fn fill(path: &str) -> String {
    let filled: Vec<_> = path
        .split('/')
        .map(|part| match part {
            "{position}" | "{level}" => "1",
            part if part.starts_with('{') => "01890000-0000-7000-8000-000000000000",
            part => part,
        })
        .collect();
    filled.join("/")
}

/// An answer to bytes that no well-behaved client sends.
fn raw(server: &Server, authority: &Authority, request: &str) -> Answer {
    let stream = TcpStream::connect(server.client().address()).expect("the server accepts connections");
    let mut stream = agree(stream, &authority.root());
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    Answer { asked: request.to_owned(), status, headers: headers.collect(), body: body.into() }
}
