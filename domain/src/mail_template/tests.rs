use super::*;
use crate::testing::*;

const KIND: MailKind = MailKind::Delivery;
const LANGUAGE: VisitorLanguage = VisitorLanguage::Ja;
const SUBJECT: &str = "{company}より「{title}」";
const TEXT: &str = "{to} 様\n\n{message}\n\n{link}\n";

fn set() -> SetMailTemplate {
    SetMailTemplate { kind: KIND, language: LANGUAGE, subject: SUBJECT.into(), text: TEXT.into() }
}

fn clear() -> ClearMailTemplate {
    ClearMailTemplate { kind: KIND, language: LANGUAGE }
}

#[test]
fn a_company_writes_its_own_words_and_takes_them_back() {
    let mut scene = scene();
    let id = scene.world.subject_of("mail_template", "delivery/ja");
    let (subject_line, text) = (SUBJECT.to_owned(), TEXT.trim().to_owned());
    let written = Set { kind: KIND, language: LANGUAGE, subject_line, text };
    let s = scene.when(FRESH, clear()).then([]);
    let s = s.when(FRESH, set()).then([emit::<MailTemplate>(id, written)]);
    let s = s.when(FRESH, set()).then([]);
    let english = SetMailTemplate { language: VisitorLanguage::En, ..set() };
    let s = s.when(FRESH, english).accepted();
    let other = s.world.clone().subject_of("mail_template", "delivery/en");
    assert!(s.now::<MailTemplate>(other).wording.is_some() && other != id, "each language has its own");
    let s = s.when(FRESH, clear()).then([emit::<MailTemplate>(id, Cleared { kind: KIND, language: LANGUAGE })]);
    s.when(FRESH, clear()).then([]);
    covered::<ClearMailTemplate>();
}

#[test]
fn every_refusal() {
    let s = scene();
    let with_text = |text: String| SetMailTemplate { text, ..set() };
    let with_subject = |subject: String| SetMailTemplate { subject, ..set() };
    let s = refuses_bad_text(s, FRESH, "/subject", true, SUBJECT_MAX, with_subject);
    let mut s = refuses_bad_text(s, FRESH, "/text", true, TEXT_MAX, with_text);
    for broken in ["Bcc: a@example.jp\r\n{company}", "a\nb", "a\rb"] {
        s = s.when(FRESH, with_subject(broken.into())).refused_at("text.control_character", "/subject");
    }
    for broken in ["{link", "link}", "{li{nk}", "{a\nb}", "｛link｝ {link}", "{link} }", "{", "{{{link}}"] {
        s = s.when(FRESH, with_text(broken.into())).refused_at("mail_template.bad_brace", "/text");
    }
    let all = "{to}, {company}, {number}, {title}, {message}, {expires}, {link}";
    for unknown in ["{link} {passcode}", "{link} {}", "{link} { to }", "{link} {to.name}", "{link} {LINK}", "{% raw %}"]
    {
        s = s.when(FRESH, with_text(unknown.into())).refused_expecting("mail_template.unknown_variable", "/text", all);
    }
    // A subject is shown on locked screens: no secrets, nothing of several lines.
    let few = "{to}, {company}, {number}, {title}, {expires}";
    for secret in ["{link}", "{message}"] {
        let refused = s.when(FRESH, with_subject(secret.into()));
        s = refused.refused_expecting("mail_template.unknown_variable", "/subject", few);
    }
    for without in ["Hello", "{{link}}"] {
        let refused = s.when(FRESH, with_text(without.into()));
        s = refused.refused_expecting("mail_template.variable_missing", "/text", "{link}");
    }
    let long = format!("{{link}}{}", "\nx".repeat(LINES_MAX));
    s.when(FRESH, with_text(long)).refused_at("mail_template.too_many_lines", "/text");
    covered::<SetMailTemplate>();
}

#[test]
fn values_are_put_in_once_and_stay_what_they_are() {
    let wording =
        Wording::check(KIND, "{title} {{", "{to}\n\n{number}\n\n{message}\n{{{title}}} {link}").expect("fine");
    let value = |name: &str| match name {
        "title" => "{link} }}".to_owned(),
        "message" => "one\ntwo".to_owned(),
        "number" => String::new(),
        name => name.to_uppercase(),
    };
    let (subject, text) = wording.fill(value);
    assert_eq!(subject, "{link} }} {");
    assert_eq!(text, "TO\n\none\ntwo\n{{link} }}} LINK");
}

#[test]
fn a_line_of_nothing_but_empty_values_is_left_out() {
    let wording = Wording { subject: "x".into(), text: "{a}\n\nHead\n\n{a}{b}\n\nNo: {a}\n{a}\nEnd {c}".into() };
    let (_, text) = wording.fill(|name| if name == "c" { "c".into() } else { String::new() });
    assert_eq!(text, "Head\n\nNo: \nEnd c");
}

#[test]
fn every_mail_can_be_written_with_all_that_it_knows() {
    for kind in MailKind::ALL {
        let all: Vec<String> = kind.variables().iter().map(|variable| format!("{{{}}}", variable.name)).collect();
        let subject: Vec<&Variable> = kind.variables().iter().filter(|variable| variable.in_subject).collect();
        assert!(Wording::check(*kind, &listed(subject.into_iter()), &all.join("\n")).is_ok(), "{}", kind.name());
        assert_eq!(all.contains(&"{link}".to_owned()), *kind != MailKind::VisitCancelled, "{}", kind.name());
    }
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<MailTemplateEvent> {
    let (subject_line, text) = ("{company}より".to_owned(), "{to} 様\n\n{link}".to_owned());
    vec![
        Set { kind: KIND, language: LANGUAGE, subject_line, text }.into(),
        Cleared { kind: KIND, language: LANGUAGE }.into(),
    ]
}
