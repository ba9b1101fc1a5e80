//! Mails leave by SMTP: over TLS whose certificate is checked, once or again with the same Message-ID, and what became of
//! each is in the trail (EL-15, ML-39; outbox under kill -9).

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use keiin_tests::authority::{Authority, Kind, put};
use keiin_tests::company::text;
use keiin_tests::server::command;
use keiin_tests::smtp::{PASSWORD, Smtp, USER};
use keiin_tests::{Call, Company, Deployment, Server, keiin, root};
use serde_json::{Value, json};

/// A company whose mails so far went to the outbox.
fn company(slug: &str) -> (Deployment, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    assert_eq!(server.stop(), 0);
    (deployment, company)
}

/// Invites somebody, which asks for a mail; their id.
fn invite(company: &Company, name: &str, email: &str) -> String {
    let body = json!({ "name": name, "email": email, "role": "viewer" });
    let key = format!("invite {}", company.next());
    text(&company.ok(Call::new("POST", "/v1/members").key(&key).json(&body)), "id")
}

/// The mail about somebody, once it has this status.
#[track_caller]
fn mail_that_is(company: &Company, status: &str, member: &str) -> Value {
    for _ in 0..3_000 {
        let mails = company.get("/v1/mails?limit=200");
        let mail = mails["items"].as_array().and_then(|mails| mails.iter().find(|m| m["object"]["id"] == member));
        if let Some(mail) = mail.filter(|mail| mail["status"] == status) {
            return mail.clone();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no mail about {member} became {status}: {}", company.get("/v1/mails?limit=5"));
}

/// `keiin serve` with this file of authorities in place of the system's.
fn serve_trusting(deployment: &Deployment, roots: &Path) -> Server {
    let env = format!("SSL_CERT_FILE={}", roots.display());
    Server::serve_under(&["env", &env], &deployment.data())
}

#[test]
fn ml_39_a_mail_arrives_with_its_link_and_in_japanese() {
    let smtp = Smtp::plain(0);
    let (deployment, company) = company("arrives");
    deployment.mail_to(smtp.port, "none", "");
    let server = deployment.serve();
    let company = company.at(&server);
    let member = invite(&company, "髙橋 﨑 𠮷", "yoshida@example.jp");
    let mail = smtp.next_to("yoshida@example.jp");
    assert_eq!(mail["sender"], "noreply@keiin.example");
    assert_eq!(mail["recipients"], json!(["yoshida@example.jp"]));
    assert_eq!(mail["ascii"], true, "encoded for servers that know nothing else");
    let shown = mail_that_is(&company, "sent", &member);
    assert_eq!(mail["headers"]["subject"], shown["subject"]);
    assert!(text(&mail["headers"], "subject").contains("から招待が届いています"), "{mail}");
    assert_eq!(mail["headers"]["from"], "契印 <noreply@keiin.example>");
    assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
    let body = text(&mail, "body").replace("\r\n", "\n");
    assert_eq!(body.trim_end(), text(&shown, "body").trim_end());
    assert!(body.contains("髙橋 﨑 𠮷 様") && body.contains(&text(&shown, "link")));

    // A name cannot become a header or a second recipient (ASVS V1.3.11).
    for (name, email) in
        [("A\r\nBcc: evil@example.jp", "a@example.jp"), ("A", "a@example.jp\r\nRCPT TO:<evil@example.jp>")]
    {
        let body = json!({ "name": name, "email": email, "role": "viewer" });
        company.send(Call::new("POST", "/v1/members").key("injected").json(&body)).expect(422);
    }
}

#[test]
fn what_the_server_refuses_or_puts_off_is_recorded_or_tried_again() {
    let smtp = Smtp::plain(0);
    let (deployment, company) = company("outcomes");
    deployment.mail_to(smtp.port, "none", "");
    let server = deployment.serve();
    let company = company.at(&server);

    let refused = invite(&company, "Nobody", "refuse@example.jp");
    let busy = invite(&company, "Somebody busy", "busy@example.jp");
    let unicode = invite(&company, "Non-ASCII", "吉田@example.jp");
    let failed = mail_that_is(&company, "failed", &refused);
    assert_eq!(failed["code"], 550);
    assert_eq!(failed["diagnostic"], "5.1.1 <address> is nobody here");
    let failed = mail_that_is(&company, "failed", &unicode);
    assert_eq!(failed["code"], 553, "{failed}");
    smtp.next_to("busy@example.jp");
    assert_eq!(mail_that_is(&company, "sent", &busy)["attempts"], 2);
    company.mark();
    let events = company.get("/v1/events?kind=mail.failed");
    assert_eq!(events["items"].as_array().map(Vec::len), Some(2), "{events}");
}

#[test]
fn mails_wait_for_a_server_that_is_down() {
    let port = Smtp::plain(0).port;
    let (deployment, company) = company("patient");
    deployment.mail_to(port, "none", "");
    let server = deployment.serve();
    let company = company.at(&server);
    let members: Vec<_> = (0..3).map(|n| invite(&company, "Later", &format!("later{n}@example.jp"))).collect();
    std::thread::sleep(Duration::from_millis(1_500));
    for member in &members {
        mail_that_is(&company, "queued", member);
    }
    let smtp = Smtp::plain(port);
    for member in &members {
        mail_that_is(&company, "sent", member);
    }
    let mut seen = std::collections::BTreeMap::new();
    while let Some(mail) = smtp.within(Duration::from_millis(1_500)) {
        seen.entry(text(&mail["headers"], "message-id")).or_insert_with(Vec::new).push(mail["recipients"][0].clone());
    }
    let later = seen.values().filter(|to| to[0].as_str().is_some_and(|to| to.starts_with("later")));
    assert_eq!(later.map(Vec::len).collect::<Vec<_>>(), [1, 1, 1], "each once: {seen:?}");
}

#[test]
fn starttls_and_tls_with_a_name_and_a_password() {
    let authority = Authority::new();
    let [certificate, key] = authority.issue("smtp", Kind::Ecdsa, 2040);
    for mode in ["starttls", "tls"] {
        let smtp = Smtp::guarded(mode, [&certificate, &key]);
        let (deployment, company) = company(mode);
        let password = authority.path("password");
        put(&password, format!("{PASSWORD}\n").as_bytes());
        deployment.mail_to(smtp.port, mode, &format!("user = \"{USER}\"\npassword_file = \"{}\"", password.display()));
        let server = serve_trusting(&deployment, &authority.root());
        let company = company.at(&server);
        let member = invite(&company, "Guarded", "guarded@example.jp");
        let mail = smtp.next_to("guarded@example.jp");
        assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!(USER)), "{mode}");
        mail_that_is(&company, "sent", &member);
        let log = std::fs::read_to_string(&server.log).expect("the log");
        assert!(!log.contains(PASSWORD), "{mode}: the password is in the log");

        let doctor = command(&["doctor", "--data", deployment.data_arg(), "--format", "json"])
            .env("SSL_CERT_FILE", authority.root())
            .output()
            .expect("doctor runs");
        let found = finding(&doctor.stdout);
        assert_eq!(found["ok"], true, "{found}");
    }
}

/// What `keiin doctor` says of mail.
fn finding(stdout: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stdout);
    let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|finding| finding["check"] == "mail").expect("it speaks of mail")
}

#[test]
fn a_server_whose_certificate_is_wrong_is_told_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let [ours, ours_key] = stranger.issue("smtp", Kind::Ecdsa, 2040);
    let [old, old_key] = authority.issue("old", Kind::Ecdsa, 2020);
    for (mode, certificate) in [("starttls", [&ours, &ours_key]), ("tls", [&old, &old_key])] {
        let smtp = Smtp::guarded(mode, certificate.map(|path| path.as_path()));
        let (deployment, company) = company(&format!("wrong-{mode}"));
        let password = authority.path("password");
        put(&password, PASSWORD.as_bytes());
        deployment.mail_to(smtp.port, mode, &format!("user = \"{USER}\"\npassword_file = \"{}\"", password.display()));
        let server = serve_trusting(&deployment, &authority.root());
        let company = company.at(&server);
        let member = invite(&company, "Guarded", "guarded@example.jp");
        assert_eq!(smtp.within(Duration::from_millis(2_500)), None);
        let mail = mail_that_is(&company, "queued", &member);
        assert!(mail["attempts"].as_u64() >= Some(1), "it was tried: {mail}");
        let log = std::fs::read_to_string(&server.log).expect("the log");
        assert!(log.contains("the mail server cannot be used"), "{log}");
        assert!(!log.contains(PASSWORD));
        let doctor = keiin(&["doctor", "--data", deployment.data_arg(), "--format", "json"]);
        assert_eq!(finding(doctor.stdout.as_bytes())["ok"], false);
    }
}

#[test]
fn mails_wait_while_the_servers_password_is_another() {
    let authority = Authority::new();
    let [certificate, key] = authority.issue("smtp", Kind::Ecdsa, 2040);
    let smtp = Smtp::with_password("starttls", [&certificate, &key], "changed-yesterday");
    let (deployment, company) = company("unknown-there");
    let password = authority.path("password");
    put(&password, PASSWORD.as_bytes());
    deployment.mail_to(
        smtp.port,
        "starttls",
        &format!("user = \"{USER}\"\npassword_file = \"{}\"", password.display()),
    );
    let server = serve_trusting(&deployment, &authority.root());
    let company = company.at(&server);
    let member = invite(&company, "Guarded", "guarded@example.jp");
    assert_eq!(smtp.within(Duration::from_millis(2_500)), None);
    assert!(mail_that_is(&company, "queued", &member)["attempts"].as_u64() >= Some(1));
    let log = std::fs::read_to_string(&server.log).expect("the log");
    assert!(log.contains("the mail server cannot be used") && log.contains("5.7.8"), "{log}");
    assert!(!log.contains(PASSWORD));
    server.stop();
    // Set right, it goes out.
    let again = Smtp::guarded("starttls", [&certificate, &key]);
    deployment.mail_to(
        again.port,
        "starttls",
        &format!("user = \"{USER}\"\npassword_file = \"{}\"", password.display()),
    );
    let _server = serve_trusting(&deployment, &authority.root());
    again.next_to("guarded@example.jp");
}

#[test]
fn a_plain_server_gets_nothing_where_tls_was_asked_for() {
    let smtp = Smtp::plain(0);
    let (deployment, company) = company("downgrade");
    deployment.mail_to(smtp.port, "starttls", "");
    let server = deployment.serve();
    let company = company.at(&server);
    let member = invite(&company, "Guarded", "guarded@example.jp");
    assert_eq!(smtp.within(Duration::from_millis(1_500)), None);
    mail_that_is(&company, "queued", &member);
}

#[test]
fn a_password_file_that_others_can_read_stops_the_start() {
    let (deployment, _) = company("open-file");
    let password = deployment.folder().join("password");
    std::fs::write(&password, PASSWORD).expect("written");
    let done = Command::new("chmod").arg("644").arg(&password).status().expect("chmod runs");
    assert!(done.success());
    deployment.mail_to(2525, "starttls", &format!("user = \"{USER}\"\npassword_file = \"{}\"", password.display()));
    let (code, log) = Server::try_serve_under(&["env"], &deployment.data()).err().expect("it does not start");
    assert_ne!(code, 0);
    assert!(log.contains("mail.password_file") && log.contains("chmod 600"), "{log}");
    assert!(!log.contains(PASSWORD));
}

/// F26: killed after the server had taken a mail and before that was recorded.
#[test]
fn killed_between_sending_and_recording_it_comes_again_as_the_same_mail() {
    let smtp = Smtp::plain(0);
    let (deployment, company) = company("killed");
    deployment.mail_to(smtp.port, "none", "");
    let mut server = deployment.serve();
    let held = company.at(&server);
    let member = invite(&held, "Held", "hold@example.jp");
    let first = smtp.next_to("hold@example.jp");
    server.kill();

    // Nobody else sends it while the lease of the dead process lasts.
    let server = Server::serve_at("+6m", &deployment.data());
    let company = company.at(&server);
    let second = smtp.next_to("hold@example.jp");
    assert_eq!(first["headers"]["message-id"], second["headers"]["message-id"]);
    assert_eq!(first["headers"]["subject"], second["headers"]["subject"]);
    mail_that_is(&company, "queued", &member);
}

/// What dkimpy says of a mail, the DNS holding the public half of this key as `keiin1`.
fn dkim(mail: &[u8], key: &Path) -> String {
    let public = Command::new("openssl").args(["rsa", "-pubout", "-outform", "DER", "-in"]).arg(key).output();
    let public = public.expect("openssl runs").stdout;
    let record = format!("v=DKIM1; k=rsa; p={}", BASE64.encode(public));
    let mut check = Command::new("/usr/bin/python3")
        .arg(root().join("tests/smtp/dkim_check.py"))
        .args(["keiin1._domainkey.keiin.example", &record])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    check.stdin.take().expect("it is piped").write_all(mail).expect("it reads");
    let out = check.wait_with_output().expect("it ends");
    assert!(out.status.success(), "apt-get install python3-dkim");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[test]
fn a_signed_mail_is_good_for_who_checks_it_and_a_changed_one_is_not() {
    let smtp = Smtp::plain(0);
    let (deployment, company) = company("signed");
    let key = deployment.data().join("dkim");
    let made = Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048").output().expect("openssl runs");
    assert!(made.status.success());
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("it can be closed to others");
    let more = format!("dkim_selector = \"keiin1\"\ndkim_key_file = \"{}\"", key.display());
    deployment.mail_to(smtp.port, "none", &more);
    let server = deployment.serve();
    let company = company.at(&server);
    invite(&company, "髙橋 𠮷", "signed@example.jp");
    let raw = text(&smtp.next_to("signed@example.jp"), "raw");
    let mail = BASE64.decode(raw).expect("it is base64");
    assert_eq!(dkim(&mail, &key), "good");
    let text = String::from_utf8(mail).expect("it is ASCII");
    for (from, to) in [("Subject: ", "Subject: x"), ("To: signed", "To: other"), ("\r\n\r\n", "\r\n\r\nAAAA")] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert_eq!(dkim(changed.as_bytes(), &key), "bad", "{from}");
    }
}

#[test]
fn a_signing_key_that_is_weak_open_to_others_or_none_is_refused_at_the_start() {
    let (deployment, _company) = company("weak");
    let key = deployment.data().join("dkim");
    let more = format!("dkim_selector = \"keiin1\"\ndkim_key_file = \"{}\"", key.display());
    deployment.mail_to(2525, "none", &more);
    let says = |mode: u32, bits: &str| {
        if bits.is_empty() {
            std::fs::write(&key, "no key").expect("written");
        } else {
            let made = Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg(bits).output();
            assert!(made.expect("openssl runs").status.success());
        }
        std::fs::set_permissions(&key, Permissions::from_mode(mode)).expect("its mode can be set");
        let ran = keiin(&["serve", "--data", deployment.data().to_str().expect("text")]);
        format!("{} {}", ran.code, ran.stderr)
    };
    assert!(says(0o644, "2048").contains("chmod 600"));
    assert!(says(0o600, "1024").contains("a key of 1024 bits"));
    assert!(says(0o600, "").contains("openssl genrsa 2048"));
}
