//! Mails that come back are shown where they were sent from, and can be sent again (EL-32 in part; dead letters with cause).

use std::time::{Duration, Instant};

use keiin_tests::company::text;
use keiin_tests::smtp::Smtp;
use keiin_tests::{Call, Company, Deployment};
use serde_json::{Value, json};

/// Invites somebody, which asks for a mail; their id.
fn invite(company: &Company, email: &str) -> String {
    let body = json!({ "name": "Somebody", "email": email, "role": "viewer" });
    text(&company.ok(Call::new("POST", "/v1/members").key(email).json(&body)), "id")
}

/// The mail about somebody, once it has this status.
#[track_caller]
fn mail_that_is(company: &Company, status: &str, member: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let mails = company.get("/v1/mails?limit=200");
        let mail = mails["items"].as_array().and_then(|mails| mails.iter().find(|m| m["object"]["id"] == member));
        if let Some(mail) = mail.filter(|mail| mail["status"] == status) {
            return mail.clone();
        }
        assert!(Instant::now() < until, "no mail about {member} became {status}: {mails:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a mail server writes when it gives a mail back to this address.
fn report(to: &str, kind: &str, fields: &str) -> String {
    let report = if kind == "feedback-report" { kind } else { "delivery-status" };
    format!(
        "Return-Path: <>\nDelivered-To: {to}\nFrom: MAILER-DAEMON@mx.example.jp\nTo: {to}\nMIME-Version: 1.0\n\
         Subject: Undelivered Mail Returned to Sender\n\
         Content-Type: multipart/report; report-type={report}; boundary=\"XX\"\n\n--XX\n\
         Content-Type: text/plain\n\nI'm sorry.\n\n--XX\nContent-Type: message/{kind}\n\n{fields}\n\n--XX\n\
         Content-Type: message/rfc822\n\nReturn-Path: <{to}>\nSubject: hello\n\nbody\n--XX--\n"
    )
}

#[test]
fn what_comes_back_is_shown_with_its_cause_and_can_be_sent_again() {
    let smtp = Smtp::plain(0);
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "returned");
    assert_eq!(server.stop(), 0);
    let maildir = deployment.folder().join("returned");
    for folder in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(maildir.join(folder)).expect("a folder");
    }
    let more = format!("bounce_address = \"bounces@keiin.example\"\nbounce_maildir = \"{}\"", maildir.display());
    deployment.mail_to(smtp.port, "none", &more);
    let server = deployment.serve();
    let company = company.at(&server);
    let put = |name: &str, bytes: &[u8]| std::fs::write(maildir.join("new").join(name), bytes).expect("written");
    let lies_in = |folder: &str| {
        let found = std::fs::read_dir(maildir.join(folder)).expect("a folder").flatten();
        found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };

    let (lost, angry) = (invite(&company, "lost@example.jp"), invite(&company, "angry@example.jp"));
    let first = smtp.next_to("lost@example.jp");
    let back = text(&first, "sender");
    let other = text(&smtp.next_to("angry@example.jp"), "sender");
    assert!(back.starts_with("bounces+") && back.ends_with("@keiin.example") && back != other, "{back}");
    let local = back.split('@').next().expect("a local part");
    assert!(local.len() <= 64, "RFC 5321, 4.5.3.1.1");
    mail_that_is(&company, "sent", &lost);
    mail_that_is(&company, "sent", &angry);

    // It is late; somebody else's report, a forged one, rubbish and something huge say nothing.
    let delayed = "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; lost@example.jp\nAction: delayed\nStatus: 4.2.2";
    put("1.late", report(&back, "delivery-status", delayed).as_bytes());
    let failed = "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; lost@example.jp\nAction: failed\nStatus: 5.1.1\n\
        Diagnostic-Code: smtp; 550 5.1.1 <lost@example.jp>: User unknown";
    let mut forged = local.to_owned().into_bytes();
    let last = forged.len() - 1;
    forged[last - 3] = if forged[last - 3] == b'a' { b'b' } else { b'a' };
    let forged = format!("{}@keiin.example", String::from_utf8_lossy(&forged));
    put("2.forged", report(&forged, "delivery-status", failed).as_bytes());
    put("3.rubbish", &[0xff; 3_000]);
    put("4.huge", &vec![b'+'; 3 << 20]);
    put("5.reply", format!("To: {back}\nSubject: Re: hello\n\nAction: failed\n").as_bytes());
    let until = Instant::now() + Duration::from_secs(60);
    while !lies_in("new").is_empty() {
        assert!(Instant::now() < until, "{:?}", lies_in("new"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut left = lies_in("cur");
    left.sort();
    assert_eq!(left, ["2.forged:2,S", "3.rubbish:2,S", "4.huge:2,S", "5.reply:2,S"]);
    mail_that_is(&company, "sent", &lost);

    put("6.failed", report(&back.to_uppercase(), "delivery-status", failed).as_bytes());
    let bounced = mail_that_is(&company, "bounced", &lost);
    assert_eq!(bounced["diagnostic"], "5.1.1 550 5.1.1 <address> User unknown");
    put("7.abuse", report(&other, "feedback-report", "Feedback-Type: abuse\nUser-Agent: x/1\nVersion: 1").as_bytes());
    assert_eq!(mail_that_is(&company, "complained", &angry)["diagnostic"], "abuse");
    put("8.twice", report(&back, "delivery-status", failed).as_bytes());
    while !lies_in("new").is_empty() {
        assert!(Instant::now() < until + Duration::from_secs(60), "{:?}", lies_in("new"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let events = company.get("/v1/events?kind=mail.bounced");
    assert_eq!(events["items"].as_array().map(Vec::len), Some(1), "{events}");

    let id = text(&bounced, "id");
    let (position, n) = id.split_once('-').expect("two numbers");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let again = json!({ "effect_position": number(position), "n": number(n) });
    company.ok(Call::new("POST", "/v1/mails/send_again").key("again").json(&again));
    let second = smtp.next_to("lost@example.jp");
    assert_eq!(second["sender"], json!(back), "under the same name");
    // Another version of it, not the same one on another way (RFC 5322, 3.6.4).
    let id = |mail: &Value| text(&mail["headers"], "message-id");
    assert!(id(&second) != id(&first) && id(&second).ends_with("@keiin.example>"), "{}", id(&second));
    assert_eq!(mail_that_is(&company, "sent", &lost)["attempts"], 1);
    let twice = Call::new("POST", "/v1/mails/send_again").key("twice").json(&again);
    assert_eq!(company.send(twice).expect(409).code(), "mail.not_failed");
}
