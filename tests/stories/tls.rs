//! What goes over the wire: TLS 1.2 and 1.3 with AES-GCM or ChaCha20-Poly1305 and nothing else, never plain HTTP off this
//! machine, and no more open ports than were asked for.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keiin_tests::authority::{Authority, Kind, put};
use keiin_tests::server::Ran;
use keiin_tests::{Call, Client, Company, Deployment, Server, keiin, report, root, tool};
use serde_json::json;

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

fn serve(deployment: &Deployment, authority: &Authority, kind: Kind, more: &[&str]) -> Server {
    let [cert, key] = authority.issue("server", kind, 2099);
    let args = [&["--tls-cert", text(&cert), "--tls-key", text(&key)], more].concat();
    Server::serve_tls(&deployment.data(), &authority.root(), &args, &[])
}

/// What `openssl s_client` says when it is held to these options.
fn s_client(server: &Server, options: &[&str]) -> String {
    let client = server.client();
    let mut command = Command::new(tool("openssl", "openssl"));
    command.args(["s_client", "-connect", client.address()]).args(options).stdin(Stdio::null());
    let out = command.output().expect("openssl runs");
    String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()
}

/// What the documentation says is offered, one `TLSv1.3 TLS_…` a line.
fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("docs/OPERATING.md")).expect("the documentation is there");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| TLS ")?.strip_suffix('|').map(str::to_owned));
    rows.flat_map(|row| {
        let (version, suites) = row.split_once('|').expect("a version and its suites");
        let suites: Vec<_> = suites.split(',').map(|suite| suite.trim().trim_matches('`').to_owned()).collect();
        suites.into_iter().map(|suite| format!("TLSv{} {suite}", version.trim())).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn ml05_rn11_rn_c42_el25_fm05_mn16_only_tls_1_2_and_1_3_with_authenticated_encryption() {
    let sslscan = tool("sslscan", "sslscan");
    let mut offered = BTreeSet::new();
    for kind in [Kind::Ecdsa, Kind::Rsa] {
        let (deployment, authority) = (Deployment::new(), Authority::new());
        let server = serve(&deployment, &authority, kind, &[]);
        // ML-05, RN-11: the refusal comes from the server, not from the settings of the client.
        for version in ["-tls1", "-tls1_1"] {
            let said = s_client(&server, &[version, "-cipher", "ALL:@SECLEVEL=0"]);
            assert!(said.contains("SSL alert number") && said.contains("Cipher is (NONE)"), "{version}: {said}");
        }
        let auth = if kind == Kind::Ecdsa { "ECDSA" } else { "RSA" };
        for (options, suite) in [
            (["-tls1_2", "-cipher", "ALL"], format!("ECDHE-{auth}-AES256-GCM-SHA384")),
            (["-tls1_2", "-cipher", "AES128+AESGCM"], format!("ECDHE-{auth}-AES128-GCM-SHA256")),
            (["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"], "TLS_AES_256_GCM_SHA384".to_owned()),
            (["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"], "TLS_AES_128_GCM_SHA256".to_owned()),
        ] {
            let said = s_client(&server, &options);
            assert!(said.contains(&format!("Cipher is {suite}")), "{options:?}: {said}");
        }
        for weak in ["AES128-SHA:AES256-SHA256:ECDHE+SHA:ECDHE+SHA384", "AES128-GCM-SHA256", "eNULL:aNULL:@SECLEVEL=0"]
        {
            let said = s_client(&server, &["-tls1_2", "-cipher", weak]);
            assert!(said.contains("alert handshake failure") && said.contains("Cipher is (NONE)"), "{weak}: {said}");
        }
        // Sessions are resumed by tickets, and nothing may be sent before the handshake ends.
        let said = s_client(&server, &["-tls1_2", "-reconnect"]);
        assert_eq!(said.matches("Reused, TLSv1.2").count(), 5, "{said}");
        // MN-16: what a scanner finds is the list that we publish.
        let scan = Command::new(&sslscan).args(["--no-colour", server.client().address()]).output().expect("it runs");
        let scan = String::from_utf8_lossy(&scan.stdout).into_owned();
        for version in ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"] {
            let off = scan.lines().any(|line| line.starts_with(version) && line.ends_with("disabled"));
            assert!(off, "{version}: {scan}");
        }
        let found = scan.lines().filter(|line| line.starts_with("Accepted") || line.starts_with("Preferred"));
        for line in found {
            let words: Vec<_> = line.split_whitespace().collect();
            offered.insert(format!("{} {}", words[1], words[4]));
        }
    }
    report!("ML-05 suites_offered={} tls1_1=refused", offered.len());
    assert_eq!(offered, documented(), "docs/OPERATING.md lists what is offered");
}

#[test]
fn ml05_plain_http_is_refused_off_loopback() {
    let deployment = Deployment::new();
    let start = |args: &[&str]| keiin(&[&["serve", "--data", deployment.data_arg()], args].concat()).expect(2).stderr;
    let said = start(&["--listen", "0.0.0.0:0"]);
    assert!(said.contains("--tls-cert") && said.contains("--behind-proxy") && said.contains("in the clear"), "{said}");
    // Operators' requests pass no proxy.
    for more in [&[][..], &["--behind-proxy", "10.0.0.0/8"]] {
        let said = start(&[&["--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"], more].concat());
        assert!(said.contains("admin_listen to 127.0.0.1"), "{said}");
    }
    let said = start(&["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
    assert!(said.contains("only leads to https"), "{said}");
}

#[test]
fn what_cannot_be_used_is_refused_with_what_to_do() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let [cert, key] = authority.issue("good", Kind::Ecdsa, 2099);
    let [_, other] = authority.issue("other", Kind::Rsa, 2099);
    let (empty, open) = (authority.path("empty"), authority.path("open"));
    put(&empty, b"nothing\n");
    put(&open, &std::fs::read(&key).expect("a key"));
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o644)).expect("its mode can be set");
    let broken = authority.path("broken");
    put(&broken, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let missing = authority.path("missing");
    let start = |cert: &Path, key: &Path, more: &[&str]| -> Ran {
        let fixed = ["serve", "--data", deployment.data_arg(), "--listen", "127.0.0.1:0"];
        let files = ["--tls-cert", text(cert), "--tls-key", text(key)];
        keiin(&[&fixed[..], &files, more].concat()).expect(2)
    };
    for (cert, key, sentence) in [
        (&missing, &key, "is the path right"),
        (&cert, &missing, "is the path right"),
        (&empty, &key, "holds no certificate"),
        (&broken, &key, "get it again"),
        (&cert, &empty, "holds no private key"),
        (&key, &cert, "holds no certificate"),
        (&cert, &other, "does not belong to the certificate"),
        (&cert, &open, "can be read by others (mode 644): run chmod 600"),
    ] {
        let said = start(cert, key, &[]).stderr;
        assert!(said.starts_with("keiin: ") && said.contains(sentence) && said.lines().count() == 1, "{said}");
    }
    let lone = ["serve", "--data", deployment.data_arg(), "--listen", "127.0.0.1:0", "--tls-cert", text(&cert)];
    assert!(keiin(&lone).expect(2).stderr.contains("--tls-cert needs --tls-key"));
    let mut http = keiin_tests::server::command(&lone);
    http.args(["--tls-key", text(&key)]).env("KEIIN__PUBLIC_URL", "http://keiin.example");
    let said = keiin_tests::server::finish(&mut http).expect(2).stderr;
    assert!(said.contains("begin it with https://"), "{said}");

    // The doctor says what will stop, and what is about to.
    let doctor = |[cert, key]: &[PathBuf; 2], url: &str| {
        let mut command = keiin_tests::server::command(&["doctor", "--data", deployment.data_arg()]);
        command.env("KEIIN__TLS__CERT", cert).env("KEIIN__TLS__KEY", key).env("KEIIN__PUBLIC_URL", url);
        let said = keiin_tests::server::finish(&mut command).stdout;
        let mut lines = said.lines().skip_while(|line| !line.contains(" tls ")).take(2);
        format!("{}\n{}", lines.next().expect("a finding on TLS"), lines.next().unwrap_or_default())
    };
    let good = [cert.clone(), key.clone()];
    let said = doctor(&good, "https://localhost");
    assert!(said.starts_with("ok ") && said.contains("valid until 2099-01-01T00:00:00"), "{said}");
    let said = doctor(&good, "https://keiin.example");
    assert!(said.starts_with("FAIL") && said.contains("is not for keiin.example"), "{said}");
    let said = doctor(&authority.issue("old", Kind::Ecdsa, 2020), "");
    assert!(
        said.starts_with("FAIL") && said.contains("has expired (2020-01-01") && said.contains("renew it"),
        "{said}"
    );
    let said = doctor(&[cert, other], "");
    assert!(said.starts_with("FAIL") && said.contains("does not belong"), "{said}");
    let open = keiin(&["doctor", "--data", deployment.data_arg(), "--listen", "0.0.0.0:443", "--tls", "self-signed"]);
    assert!(open.expect(1).stdout.contains("public_url is not set"));
    let proxied = keiin(&["doctor", "--data", deployment.data_arg(), "--behind-proxy", "10.0.0.0/8"]);
    assert!(proxied.expect(1).stdout.contains("cookies lack Secure"));
}

#[test]
fn mn14_https_everywhere_and_http_leads_there() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, Kind::Ecdsa, &["--http-listen", "127.0.0.1:0"]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);

    // The login cookie belongs to this host alone and never travels in the clear.
    let company = Company::sign_up(&server, "secure");
    let body = json!({ "email": "owner@secure.example", "password": keiin_tests::company::PASSWORD });
    let answer = company.client.post("/v1/sessions", &body).expect(201);
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-keiin="), "{cookie}");
    for part in ["; Secure", "; HttpOnly", "; Path=/", "; SameSite="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let hsts = |answer: &keiin_tests::Answer| answer.header("strict-transport-security").map(str::to_owned);
    assert_eq!(hsts(&answer).as_deref(), Some("max-age=63072000; includeSubDomains"));
    let said = company.client.get("/login?lang=en");
    assert!(said.header("set-cookie").is_some_and(|cookie| cookie.contains("; Secure")));
    // Operators too.
    let admin = server.admin();
    assert!(admin.url.starts_with("https://"));
    assert!(hsts(&admin.get("/metrics").expect(200)).is_some());
    // Links in mails.
    let (invited, _) = company.invite("viewer");
    assert!(company.mailed_link(&invited).starts_with(&server.url), "{}", company.mailed_link(&invited));

    // http -> 308, for every method, to our own host and the same path.
    let plain = Client::new(server.printed["http_url"].as_str().expect("serve prints it"));
    for call in [
        Call::new("GET", "/documents?x=1"),
        Call::new("HEAD", "/documents?x=1"),
        Call::new("POST", "/documents?x=1").json(&json!({ "a": "b" })),
        Call::new("GET", "/documents?x=1")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "evil.example"),
    ] {
        let answer = plain.send(&call).expect(308);
        assert_eq!(answer.header("location"), Some(format!("{}/documents?x=1", server.url).as_str()));
        assert_eq!((hsts(&answer), answer.body.len()), (None, 0), "no HSTS over plain HTTP");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    // No body is read, and no connection is kept.
    let head = b"POST /v1/sign_ups HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000000\r\n\r\n";
    let (answer, took) = plain.raw(head, Duration::from_secs(30));
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 308") && answer.contains("connection: close"), "{answer}");
    assert!(!answer.contains("evil.example") && took < Duration::from_secs(5), "{answer}");
    // A head without an end is not waited for.
    let started = Instant::now();
    let (answer, _) = plain.raw(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", Duration::from_secs(60));
    assert!(answer.is_empty() && started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    // And one that is too long is not read.
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "a".repeat(100 << 10));
    let mut stream = TcpStream::connect(plain.address()).expect("connects");
    let _ = stream.write_all(long.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.starts_with("HTTP/1.1 308"), "{answer}");
    // The https port does not take plain HTTP.
    let (answer, _) = company.client.raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", Duration::from_secs(20));
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn ml27_mn12_only_configured_ports_are_open() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, Kind::Ecdsa, &["--http-listen", "127.0.0.1:0"]);
    let out = Command::new(tool("ss", "iproute2")).args(["-ltnpH"]).output().expect("ss runs");
    let listed = String::from_utf8_lossy(&out.stdout).into_owned();
    let mine = format!("pid={},", server.pid());
    let open: BTreeSet<SocketAddr> = listed
        .lines()
        .filter(|line| line.contains(&mine))
        .map(|line| line.split_whitespace().nth(3).expect("an address").parse().expect("an address"))
        .collect();
    let asked = ["url", "admin_url", "http_url"].map(|name| server.printed[name].as_str().expect("printed").to_owned());
    let asked = asked.map(|url| url.split_once("://").expect("a URL").1.parse().expect("an address"));
    assert_eq!(open, BTreeSet::from(asked), "{listed}");
    // What is for operators is not on the public port.
    let client = server.client();
    for path in ["/metrics", "/scrub", "/rebuild"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
}

#[test]
fn a_certificate_of_our_own_making_is_kept_and_named() {
    let deployment = Deployment::new();
    let keys = deployment.data().join("keys");
    let (cert, key) = (keys.join("tls-self-signed.crt.pem"), keys.join("tls-self-signed.key.pem"));
    let mut prints = Vec::new();
    for _ in 0..2 {
        let server = Server::serve_tls(&deployment.data(), &cert, &["--tls", "self-signed"], &[]);
        server.client().get("/livez").expect(200);
        prints.push(server.printed["certificate_sha256"].as_str().expect("serve prints it").to_owned());
        assert!(std::fs::read_to_string(&server.log).expect("a log").contains("certificate of our own making"));
        assert_eq!(server.stop(), 0);
    }
    assert_eq!(prints[0], prints[1], "made once");
    let openssl = tool("openssl", "openssl");
    let said = Command::new(openssl).args(["x509", "-noout", "-fingerprint", "-sha256", "-in", text(&cert)]).output();
    let said = String::from_utf8_lossy(&said.expect("openssl runs").stdout).into_owned();
    assert!(said.trim().ends_with(&prints[0]), "{said} {}", prints[0]);
    for path in [&cert, &key] {
        assert_eq!(std::fs::metadata(path).expect("made").permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    // A key that others can read is refused, not replaced.
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("its mode can be set");
    let args = ["serve", "--data", deployment.data_arg(), "--listen", "127.0.0.1:0", "--tls", "self-signed"];
    assert!(keiin(&args).expect(2).stderr.contains("chmod 600"));
    // For another name another certificate.
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
    let before = std::fs::read(&cert).expect("a certificate");
    let settings = [("KEIIN__ADMIN_LISTEN", "127.0.0.2:0")];
    let server = Server::serve_tls(&deployment.data(), &cert, &["--tls", "self-signed"], &settings);
    assert_ne!(std::fs::read(&cert).expect("a certificate"), before);
    server.admin().get("/livez").expect(200);
}
