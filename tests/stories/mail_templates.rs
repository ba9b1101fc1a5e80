//! A company's own words in mails to its outsiders: what is refused, what goes over the wire, and that a second try is the
//! first one again (ML-39).

use keiin_tests::company::text;
use keiin_tests::smtp::Smtp;
use keiin_tests::{Answer, Call, Company, Deployment, Server};
use serde_json::{Value, json};

/// A company whose mails go to this server, by SMTP from the start of what it is given back with.
fn company(slug: &str, smtp: &Smtp) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    assert_eq!(server.stop(), 0);
    deployment.mail_to(smtp.port, "none", "");
    let server = deployment.serve();
    let company = company.at(&server);
    (deployment, server, company)
}

fn words(kind: &str, language: &str, subject: &str, text: &str) -> Value {
    json!({ "kind": kind, "language": language, "subject": subject, "text": text })
}

fn set(company: &Company, words: &Value) -> Value {
    company.ok(Call::new("POST", "/v1/mail-templates").json(words))
}

fn try_set(company: &Company, words: &Value) -> Answer {
    company.send(Call::new("POST", "/v1/mail-templates").json(words))
}

/// Registers a visitor who reads this language; the visit.
fn visitor(company: &Company, email: &str, language: &str) -> Value {
    let mut body = company.visit_body();
    body["visitor_email"] = json!(email);
    body["visitor_language"] = json!(language);
    body["visitor_name"] = json!("𠮷田 {link} 一郎");
    company.ok(Call::new("POST", "/v1/visits").json(&body))
}

fn body(mail: &Value) -> String {
    text(mail, "body").replace("\r\n", "\n").trim_end().to_owned()
}

#[test]
fn each_language_says_the_companys_words_and_a_second_try_is_the_first_again() {
    let smtp = Smtp::plain(0);
    let (_deployment, _server, company) = company("words", &smtp);
    let japanese = "{{ {host} }}\n\n{location}\n番号 {passcode}\n<b>{link}</b>";
    set(&company, &words("visit_pass", "ja", "{to} 様、{company}でお待ちします", japanese));
    let english = "Hello {to},\r\n\r\n{{% include x %}} {link}";
    set(&company, &words("visit_pass", "en", "See you at {company}", english));
    for (language, to) in [("ja", "twice.ja@example.jp"), ("en", "twice.en@example.jp")] {
        let visit = visitor(&company, to, language);
        let pass = text(&visit, "link");
        let first = smtp.next_to(to);
        // What is written now is for mails that are asked for from now on.
        set(&company, &words("visit_pass", language, "Later", "{link}"));
        let second = smtp.next_to(to);
        assert_eq!(first["raw"], second["raw"], "the same bytes, Message-ID and date among them");
        let (subject, said) = (text(&first["headers"], "subject"), body(&first));
        let number = company.mailed(&text(&visit, "id"), "visit_pass");
        assert_eq!(text(&number, "body").trim_end(), said, "the console shows what went out");
        let location = text(&visit, "location");
        match language {
            "ja" => {
                // One pass: what a visitor is called is no name of ours.
                assert_eq!(subject, "𠮷田 {link} 一郎 様、words KKでお待ちします");
                let lines: Vec<&str> = said.lines().collect();
                assert_eq!(lines[0], "{ Owner of words }");
                assert_eq!((lines[1], lines[2]), ("", location.as_str()));
                assert!(lines[3].starts_with("番号 ") && lines[3].len() > "番号 ".len(), "{said}");
                assert_eq!(lines[4], format!("<b>{pass}</b>"), "text, whatever it looks like");
                assert!(
                    text(&first["headers"], "content-type").contains("multipart/mixed"),
                    "pass and calendar go along"
                );
            }
            _ => {
                assert_eq!(subject, "See you at words KK");
                assert_eq!(said, format!("Hello 𠮷田 {{link}} 一郎,\n\n{{% include x %}} {pass}"));
            }
        }
        visitor(&company, &format!("next.{to}"), language);
        assert_eq!(smtp.next_to(&format!("next.{to}"))["headers"]["subject"], "Later");
    }

    // Back to the standard words, for those who come after.
    for language in ["ja", "en"] {
        let clear = json!({ "kind": "visit_pass", "language": language });
        let back = company.ok(Call::new("POST", "/v1/mail-templates/clear").json(&clear));
        assert_eq!((&back["is_own"], &back["text"]), (&json!(false), &back["standard"]["text"]), "{back}");
    }
    visitor(&company, "plain@example.jp", "en");
    let plain = smtp.next_to("plain@example.jp");
    assert!(body(&plain).contains("We look forward to your visit to words KK."), "{plain}");
}

#[test]
fn what_is_sent_and_sent_again_is_said_in_both_languages_and_the_inbox_names_nothing() {
    let smtp = Smtp::plain(0);
    let (_deployment, _server, company) = company("sent", &smtp);
    set(
        &company,
        &words("delivery", "ja", "【{company}】{title}", "{to} 様\n\n{message}\n\n{number}（{expires}まで）\n{link}"),
    );
    set(&company, &words("delivery_again", "en", "Once more: {title}", "A new link: {link}"));
    let documents = json!([company.new_document()]);
    let send = |to: &str, message: &str| {
        let body = json!({ "document_ids": documents, "to_name": "経理 花子", "to_email": to, "message": message });
        company.ok(Call::new("POST", "/v1/deliveries").key(to).json(&body))
    };
    let delivery = send("keiri@example.jp", "一行目\n{link}");
    let mail = smtp.next_to("keiri@example.jp");
    let said = body(&mail);
    let (ja, en) = said.split_once("\n\n――――\n\n").expect("Japanese, then English");
    let link = text(&company.mailed(&text(&delivery, "id"), "delivery"), "link");
    let title = text(&delivery["documents"][0], "title");
    assert!(text(&mail["headers"], "subject").starts_with(&format!("【sent KK】{title} / ")), "{mail}");
    assert!(ja.starts_with("経理 花子 様\n\n一行目\n{link}\n\nINV-"), "{ja}");
    assert!(ja.ends_with(&link) && ja.matches(&link).count() == 1, "{ja}");
    assert!(en.contains("sent you a document") && en.contains(&link), "the standard words: {en}");

    // A line of empty values disappears, and with it the blank one after it.
    send("quiet@example.jp", "");
    assert!(body(&smtp.next_to("quiet@example.jp")).starts_with("経理 花子 様\n\nINV-"));

    let path = format!("/v1/deliveries/{}", text(&delivery, "id"));
    let again = Call::new("POST", &format!("{path}/resend")).key("again").if_match(&company.etag(&path));
    company.ok(again.json(&json!({})));
    let mail = smtp.next_to("keiri@example.jp");
    assert!(text(&mail["headers"], "subject").ends_with(&format!(" / Once more: {title}")), "{mail}");
    let (ja, en) = (body(&mail), text(&company.mailed(&text(&delivery, "id"), "delivery_again"), "link"));
    assert!(ja.contains("以前のリンクは使えません") && ja.ends_with(&format!("A new link: {en}")), "{ja}");
    assert_ne!(en, link);

    // Who has an account is told that something is there, not what (ML-38).
    let refused = try_set(&company, &words("inbox", "ja", "{title}", "{link}")).expect(422).json();
    let at = json!([{ "pointer": "/subject", "expected": "{to}, {company}", "detail": refused["detail"] }]);
    assert_eq!((&refused["code"], &refused["errors"]), (&json!("mail_template.unknown_variable"), &at));
    set(&company, &words("inbox", "ja", "{company}より", "受信箱へ: {link}"));
    let (email, _) = company.new_recipient();
    let there = company.send_to(&email, documents[0].as_str().expect("an id"));
    let mail = loop {
        let mail = smtp.next_to(&email);
        if text(&mail["headers"], "subject").starts_with("sent KKより") {
            break mail;
        }
    };
    assert!(body(&mail).starts_with("受信箱へ: http") && body(&mail).contains(&there), "{mail}");

    // What a sending order shows before it goes out are the same words.
    let by_mail = json!([{ "to_name": "経理 太郎", "to_email": "taro@example.jp" }]);
    let order = json!({ "document_ids": documents, "by_mail": by_mail, "message": "よろしく" });
    let order = company.ok(Call::new("POST", "/v1/sending-orders").key("order").json(&order));
    let shown = company.get(&format!("/v1/sending-orders/{}", text(&order, "id")));
    let preview = &shown["recipients"][0]["mail"];
    assert!(text(preview, "subject").starts_with(&format!("【sent KK】{title}")), "{preview}");
    assert!(text(preview, "body").starts_with("経理 太郎 様\n\nよろしく\n\nINV-"), "{preview}");
}

#[test]
fn a_changed_and_a_cancelled_visit_have_words_of_their_own() {
    let smtp = Smtp::plain(0);
    let (_deployment, _server, company) = company("moved", &smtp);
    set(&company, &words("visit_changed", "en", "Moved: {starts}", "Now {when} at {location}. {link}"));
    set(&company, &words("visit_cancelled", "en", "Off: {when}", "Sorry, {to}."));
    let visit = visitor(&company, "guest@example.jp", "en");
    smtp.next_to("guest@example.jp");
    let path = format!("/v1/visits/{}", text(&visit, "id"));
    let mut later = company.visit_body();
    later["visitor_email"] = json!("guest@example.jp");
    later["visitor_language"] = json!("en");
    later["location"] = json!("Annex");
    company.ok(Call::new("PUT", &path).if_match(&company.etag(&path)).json(&later));
    let mail = smtp.next_to("guest@example.jp");
    assert!(text(&mail["headers"], "subject").starts_with("Moved: "), "{mail}");
    assert!(body(&mail).contains(" at Annex. http"), "{mail}");
    company.ok(Call::new("POST", &format!("{path}/cancel")).if_match(&company.etag(&path)).json(&json!({})));
    let mail = smtp.next_to("guest@example.jp");
    assert!(text(&mail["headers"], "subject").starts_with("Off: "), "{mail}");
    assert!(body(&mail).starts_with("Sorry, Visitor"), "{mail}");
}

#[test]
fn what_a_mail_cannot_say_is_refused_where_it_stands() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "refused");
    let good = || words("delivery", "ja", "{company}", "{link}");
    let with = |field: &str, value: &str| {
        let mut words = good();
        words[field] = json!(value);
        try_set(&company, &words)
    };
    let known = json!("{to}, {company}, {number}, {title}, {message}, {expires}, {link}");
    let in_subject = json!("{to}, {company}, {number}, {title}, {expires}");
    let nothing = Value::Null;
    for (field, value, code, expected) in [
        ("text", "{link} {passwort}", "mail_template.unknown_variable", &known),
        ("text", "{link} { $company }", "mail_template.unknown_variable", &known),
        ("text", "{link} {visitor}", "mail_template.unknown_variable", &known),
        ("subject", "{link}", "mail_template.unknown_variable", &in_subject),
        ("subject", "{message}", "mail_template.unknown_variable", &in_subject),
        ("text", "Hello", "mail_template.variable_missing", &json!("{link}")),
        ("text", "{{link}}", "mail_template.variable_missing", &json!("{link}")),
        ("text", "｛link｝ {link}", "mail_template.bad_brace", &nothing),
        ("text", "{link", "mail_template.bad_brace", &nothing),
        ("subject", "a\r\nBcc: evil@example.jp", "text.control_character", &nothing),
        ("subject", "a\u{202E}b", "text.control_character", &nothing),
        ("text", "{link}\u{0}", "text.control_character", &nothing),
        ("subject", &"長".repeat(151), "text.too_long", &nothing),
        ("text", &format!("{{link}}{}", "長".repeat(4_000)), "text.too_long", &nothing),
        ("text", &format!("{{link}}{}", "\nx".repeat(120)), "mail_template.too_many_lines", &nothing),
        ("subject", " ", "text.required", &nothing),
        ("text", "", "text.required", &nothing),
    ] {
        let refused = with(field, value).expect(422).json();
        assert_eq!((text(&refused, "code").as_str(), &refused["errors"][0]["expected"]), (code, expected), "{value}");
        assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"), "{value}");
    }
    // Mails of accounts and of security are nobody's to write.
    for kind in ["invitation", "password_reset", "new_device", "email_code", "secretary_confirm", "arrival"] {
        assert_eq!(with("kind", kind).expect(400).code(), "request.bad_field", "{kind}");
    }
    assert_eq!(with("language", "fr").expect(400).code(), "request.bad_field");

    // Nothing of it was kept; who may not is told so, and a member's own words change nobody else's.
    let events = company.get("/v1/events?kind=mail_template.set");
    assert_eq!(events["items"], json!([]));
    let viewer = company.new_member("member").1;
    let call = Call::new("POST", "/v1/mail-templates").json(&good());
    assert_eq!(company.client.send(&viewer.on(call)).expect(403).code(), "access.forbidden");
    let other = Company::sign_up(&server, "elsewhere");
    set(&company, &good());
    assert_eq!(other.get("/v1/mail-templates/delivery-ja")["is_own"], false);
    assert_eq!(company.get("/v1/mail-templates/delivery-ja")["is_own"], true);
    for missing in ["delivery-fr", "invitation-ja", "delivery", "-"] {
        company.send(Call::new("GET", &format!("/v1/mail-templates/{missing}"))).expect(404);
    }
    // The same again changes nothing.
    let before = company.mark();
    set(&company, &good());
    assert_eq!(company.event_after(before), None);
}

#[test]
fn the_console_shows_an_example_before_it_is_kept_without_a_script() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "looks");
    let post = |path: &str, form: &str| {
        let call = Call::new("POST", path).bytes("application/x-www-form-urlencoded", form);
        company.client.send(&company.login.on(call))
    };
    let page = "/mail-templates/visit_pass-en";
    let form = "subject=Come+to+%7Bcompany%7D&text=%3Cscript%3E+%7Bto%7D%0D%0A%7Bpasscode%7D+%7Blink%7D";
    let shown = post(&format!("{page}/preview"), form).expect(200).text();
    assert!(shown.contains("Come to looks KK") && shown.contains("48215937"), "{shown}");
    assert!(shown.contains("&lt;script&gt;") && !shown.contains("<script> "), "it is text");
    assert_eq!(company.get("/v1/mail-templates/visit_pass-en")["is_own"], false, "nothing is kept");
    let refused = post(&format!("{page}/preview"), "subject=x&text=%7Bwhat%7D");
    assert_eq!(refused.status, 422);
    assert_eq!(post("/mail-templates/invitation-en/preview", form).status, 404);

    let kept = post("/do/v1/mail-templates", &format!("kind=visit_pass&language=en&{form}&_next={page}"));
    assert_eq!(kept.status, 303);
    company.settle();
    let view = company.get("/v1/mail-templates/visit_pass-en");
    assert_eq!((&view["is_own"], &view["subject"]), (&json!(true), &json!("Come to {company}")), "{view}");
    assert!(text(&view["example"], "subject").contains("looks KK"), "{view}");
    let all = company.get("/v1/mail-templates");
    let own = all["items"].as_array().expect("a list").iter().filter(|one| one["is_own"] == true).count();
    assert_eq!((own, all["items"].as_array().map(Vec::len)), (1, Some(14)));
    let viewer = company.new_member("viewer").1;
    let call = Call::new("POST", &format!("{page}/preview")).bytes("application/x-www-form-urlencoded", form);
    assert_eq!(company.client.send(&viewer.on(call)).status, 403);
}
