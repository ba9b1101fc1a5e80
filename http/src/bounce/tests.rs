use super::*;

/// A report as a mail server would send it: what people read, the groups of fields, the mail that came back.
fn dsn(groups: &str) -> String {
    format!(
        "Return-Path: <>\r\nTo: bounces+abc@keiin.example\r\nMIME-Version: 1.0\r\nSubject: Undelivered Mail\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"B=_1/x\"\r\n\r\n\
         This is a MIME-encapsulated message.\r\n\r\n--B=_1/x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         Action: failed\r\nStatus: 9.9.9\r\n\r\n--B=_1/x\r\nContent-Type: message/delivery-status\r\n\r\n{groups}\r\n\
         --B=_1/x\r\nContent-Type: message/rfc822\r\n\r\nSubject: hello\r\n\r\nbody\r\n--B=_1/x--\r\n"
    )
}

fn failed(status: &str, diagnostic: &str) -> Option<Report> {
    Some(Report::Failed { status: status.into(), diagnostic: diagnostic.into() })
}

#[test]
fn reports_of_many_servers_are_read() {
    let postfix = "Reporting-MTA: dns; mx.example.jp\r\nX-Postfix-Queue-ID: 4F1\r\n\r\n\
        Final-Recipient: rfc822; nobody@example.jp\r\nOriginal-Recipient: rfc822;nobody@example.jp\r\nAction: failed\r\n\
        Status: 5.1.1\r\nRemote-MTA: dns; mail.example.jp\r\n\
        Diagnostic-Code: smtp; 550 5.1.1 <nobody@example.jp>: Recipient address\r\n    rejected: User unknown\r\n";
    let said = "550 5.1.1 <nobody@example.jp>: Recipient address rejected: User unknown";
    assert_eq!(report(dsn(postfix).as_bytes()), failed("5.1.1", said));
    let exim = "Reporting-MTA: dns; exim.example\r\n\r\nAction: failed\r\nFinal-Recipient: rfc822;x@example.jp\r\n\
        Status: 5.0.0\r\nRemote-MTA: dns; mx\r\nDiagnostic-Code: smtp; 550 No such user here\r\n";
    assert_eq!(report(dsn(exim).as_bytes()), failed("5.0.0", "550 No such user here"));
    let exchange = "Reporting-MTA: dns;TY1PR01.prod.outlook.com\r\nReceived-From-MTA: dns;gw\r\n\r\n\
        Final-Recipient: rfc822;x@contoso.jp\r\nAction: failed\r\nStatus: 5.1.10\r\n\
        Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found\r\n";
    let said = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found";
    assert_eq!(report(dsn(exchange).as_bytes()), failed("5.1.10", said));
    let gmail = "Reporting-MTA: dns; googlemail.com\r\nArrival-Date: Sun, 22 Nov 2026 01:02:03 -0800 (PST)\r\n\r\n\
        Final-Recipient: rfc822; x@gmail.com\r\nAction: failed\r\nStatus: 5.2.2 (mailbox full)\r\n\
        Diagnostic-Code: smtp; 552-5.2.2 The recipient's inbox is out of storage space.\r\n";
    assert!(matches!(report(dsn(gmail).as_bytes()), Some(Report::Failed { status, .. }) if status == "5.2.2"));
    // A queue that gave up after days.
    let expired = "Reporting-MTA: dns; mx\r\n\r\nAction: FAILED\r\nStatus: 4.4.7\r\n";
    assert_eq!(report(dsn(expired).as_bytes()), failed("4.4.7", ""));
    // With bare line ends, as a maildir may hold it.
    assert_eq!(report(dsn(exim).replace("\r\n", "\n").as_bytes()), failed("5.0.0", "550 No such user here"));
}

#[test]
fn what_is_late_or_arrived_is_no_bounce_and_what_is_no_report_is_none() {
    for action in ["delayed", "delivered", "relayed", "expanded"] {
        let text = format!("Reporting-MTA: dns; mx\r\n\r\nAction: {action}\r\nStatus: 4.2.2\r\n");
        assert_eq!(report(dsn(&text).as_bytes()), Some(Report::Nothing), "{action}");
    }
    assert_eq!(report(dsn("nonsense").as_bytes()), None);
    assert_eq!(report(dsn("X: y\r\n\r\nAction: failed\r\nStatus: lots\r\n").as_bytes()), failed("5.0.0", ""));
    for odd in ["", "\0", "Subject: hello\r\n\r\nAction: failed\r\n", "Content-Type: multipart/report\r\n\r\n"] {
        assert_eq!(report(odd.as_bytes()), None, "{odd}");
    }
    let plain = dsn("Action: failed\r\n").replace("multipart/report", "multipart/mixed");
    assert_eq!(report(plain.as_bytes()), None);
    assert_eq!(report(&[0xff; 4_096]), None);
    let whole = dsn("A: b\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n");
    for length in 0..whole.len() {
        report(&whole.as_bytes()[..length]);
    }
}

#[test]
fn a_complaint_is_one_whatever_comes_with_it() {
    let arf = |kind: &str| {
        dsn(&format!("Feedback-Type: {kind}\r\nUser-Agent: Gmx/1\r\nVersion: 1\r\n"))
            .replace("message/delivery-status", "message/feedback-report")
            .replace("report-type=delivery-status", "report-type=feedback-report")
    };
    assert_eq!(report(arf("abuse").as_bytes()), Some(Report::Complaint("abuse".into())));
    assert_eq!(report(arf("Fraud").as_bytes()), Some(Report::Complaint("fraud".into())));
    assert_eq!(report(arf("not-spam").as_bytes()), Some(Report::Nothing));
    assert_eq!(report(arf("").replace("Feedback-Type", "X").as_bytes()), None);
}

#[test]
fn a_token_comes_back_as_it_went_in_whatever_case() {
    let bytes: [u8; TOKEN] = std::array::from_fn(|at| (at * 37) as u8);
    let text = base32(&bytes);
    assert_eq!((text.len(), from_base32(&text)), (TOKEN_LETTERS, Some(bytes)));
    assert_eq!(from_base32(&text.to_uppercase()), Some(bytes));
    // RFC 4648, section 10.
    assert_eq!((base32(b"fooba").as_str(), base32(b"f").as_str()), ("mzxw6ytb", "my"));
    for odd in ["", &text[1..], &format!("{}1", &text[1..]), &format!("{text}a")] {
        assert_eq!(from_base32(odd), None, "{odd}");
    }
}
