//! What a company writes instead of the standard words in the mails that go to its outsiders: subject and text, for each mail
//! and language. Mails of accounts and of security are never among them: nobody in a company may make those say something else.
//!
//! What is written is text and stays text. All that means more in it is a name in braces (`{link}`), out of a list for each mail;
//! `{{` and `}}` are braces. What a name stands for is put in in one pass: a value that looks like a name stays what it is.
//!
//! A mail has the words that were in force when the record that asked for it was written, so that a second try, and whoever
//! looks at it later, has the same.
//!
//! What makes it unique: one stream for each mail and language, the fingerprint of both names.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::role::Permission;
use crate::visit::VisitorLanguage;
use crate::{codes, events, text};

/// Longest subject, in characters: more is cut off by most programs.
pub const SUBJECT_MAX: usize = 150;
/// Longest text, in characters.
pub const TEXT_MAX: usize = 4_000;
/// Most lines of a text.
pub const LINES_MAX: usize = 120;

codes! {
    /// Mails that a company can put in its own words.
    MailKind {
        /// With a secure link.
        Delivery = 1 "delivery",
        /// With a new link instead of an earlier one.
        DeliveryAgain = 2 "delivery_again",
        /// That something is in the recipient's inbox.
        Inbox = 3 "inbox",
        /// To a visitor who is expected.
        VisitPass = 4 "visit_pass",
        /// To a visitor whose visit was changed.
        VisitChanged = 5 "visit_changed",
        /// To a visitor, the day before.
        VisitReminder = 6 "visit_reminder",
        /// To a visitor who is not expected any more.
        VisitCancelled = 7 "visit_cancelled",
    }
}

/// A name that may stand in braces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variable {
    /// As it is written between the braces.
    pub name: &'static str,
    /// Without it the mail would be of no use: it must stand in the text.
    pub is_required: bool,
    /// May it stand in the subject, too? Secrets may not: a locked screen shows subjects.
    pub in_subject: bool,
}

const fn anywhere(name: &'static str) -> Variable {
    Variable { name, is_required: false, in_subject: true }
}

const fn in_text(name: &'static str) -> Variable {
    Variable { name, is_required: false, in_subject: false }
}

const LINK: Variable = Variable { name: "link", is_required: true, in_subject: false };

const OF_LINKS: &[Variable] = &[
    anywhere("to"),
    anywhere("company"),
    anywhere("number"),
    anywhere("title"),
    in_text("message"),
    anywhere("expires"),
    LINK,
];
/// What was sent is for whoever logs in: the mail names none of it (ML-38).
const OF_INBOXES: &[Variable] = &[anywhere("to"), anywhere("company"), LINK];
const OF_VISITS: &[Variable] = &[
    anywhere("to"),
    anywhere("company"),
    anywhere("starts"),
    anywhere("when"),
    anywhere("location"),
    anywhere("host"),
    in_text("passcode"),
    LINK,
];
const OF_CANCELLED: &[Variable] = &[
    anywhere("to"),
    anywhere("company"),
    anywhere("starts"),
    anywhere("when"),
    anywhere("location"),
    anywhere("host"),
];

impl MailKind {
    /// What may stand in braces in it.
    pub fn variables(self) -> &'static [Variable] {
        match self {
            MailKind::Delivery | MailKind::DeliveryAgain => OF_LINKS,
            MailKind::Inbox => OF_INBOXES,
            MailKind::VisitPass | MailKind::VisitChanged | MailKind::VisitReminder => OF_VISITS,
            MailKind::VisitCancelled => OF_CANCELLED,
        }
    }

    /// The names in a text, each of which must be one of those that are `allowed` there.
    fn names<'a>(
        self,
        text: &'a str,
        pointer: &str,
        allowed: impl Fn(&Variable) -> bool,
    ) -> Result<Vec<&'a str>, Rejection> {
        let pieces = pieces(text).ok_or(Rejection::at("mail_template.bad_brace", pointer))?;
        let names: Vec<&str> = pieces.iter().filter_map(Piece::name).collect();
        let known = || self.variables().iter().filter(|variable| allowed(variable));
        if names.iter().any(|name| !known().any(|variable| variable.name == *name)) {
            return Err(Rejection::expected("mail_template.unknown_variable", pointer, listed(known())));
        }
        Ok(names)
    }
}

/// Words of a mail, with names in braces.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Wording {
    /// Subject line.
    pub subject: String,
    /// Plain text, LF between lines.
    pub text: String,
}

/// A piece of what was written.
enum Piece<'a> {
    Plain(&'a str),
    Name(&'a str),
}

impl<'a> Piece<'a> {
    fn name(&self) -> Option<&'a str> {
        match self {
            Piece::Name(name) => Some(name),
            Piece::Plain(_) => None,
        }
    }
}

/// The pieces of a text; `None` where a brace stands alone or is a full-width one, which nobody would notice.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut found = vec![];
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}', '｛', '｝']) {
        let (before, from) = rest.split_at(at);
        found.push(Piece::Plain(before));
        if from.starts_with("{{") || from.starts_with("}}") {
            found.push(Piece::Plain(&from[..1]));
            rest = &from[2..];
            continue;
        }
        let (name, after) = from.strip_prefix('{')?.split_once('}')?;
        if name.contains(['{', '\n']) {
            return None;
        }
        found.push(Piece::Name(name));
        rest = after;
    }
    found.push(Piece::Plain(rest));
    Some(found)
}

/// `{to}, {link}`: how names are said to people.
fn listed<'a>(names: impl Iterator<Item = &'a Variable>) -> String {
    names.map(|variable| format!("{{{}}}", variable.name)).collect::<Vec<_>>().join(", ")
}

impl Wording {
    /// Checks what somebody wrote for a mail; pointers are `/subject` and `/text`.
    pub fn check(kind: MailKind, subject: &str, text: &str) -> Result<Wording, Rejection> {
        let subject = text::line(subject, "/subject", SUBJECT_MAX)?;
        let text = text::prose(text, "/text", TEXT_MAX)?;
        if text.is_empty() {
            return Err(Rejection::at("text.required", "/text"));
        }
        if text.lines().count() > LINES_MAX {
            return Err(Rejection::at("mail_template.too_many_lines", "/text"));
        }
        kind.names(&subject, "/subject", |variable| variable.in_subject)?;
        let used = kind.names(&text, "/text", |_| true)?;
        let is_missing = |variable: &Variable| variable.is_required && !used.contains(&variable.name);
        let missing = listed(kind.variables().iter().filter(|variable| is_missing(variable)));
        if !missing.is_empty() {
            return Err(Rejection::expected("mail_template.variable_missing", "/text", missing));
        }
        Ok(Wording { subject, text })
    }

    /// Subject and text with what the names stand for. A line in which nothing but empty values would stand is left out, with
    /// the blank line after it.
    pub fn fill(&self, value: impl Fn(&str) -> String) -> (String, String) {
        let mut lines: Vec<String> = vec![];
        let mut is_gap = false;
        for line in self.text.lines() {
            let (filled, has_names) = fill(line, &value);
            let is_blank = filled.trim().is_empty();
            if is_blank && has_names {
                is_gap = lines.last().is_none_or(|last| last.is_empty());
                continue;
            }
            if !(is_blank && is_gap) {
                lines.push(filled);
            }
            is_gap = false;
        }
        (fill(&self.subject, &value).0, lines.join("\n"))
    }
}

/// A text with what its names stand for, and whether there were any.
fn fill(text: &str, value: &impl Fn(&str) -> String) -> (String, bool) {
    let pieces = pieces(text).unwrap_or_else(|| vec![Piece::Plain(text)]);
    let has_names = pieces.iter().any(|piece| piece.name().is_some());
    let filled = pieces.iter().map(|piece| match piece {
        Piece::Plain(text) => (*text).to_owned(),
        Piece::Name(name) => value(name),
    });
    (filled.collect(), has_names)
}

events! {
    /// What happens to it.
    MailTemplateEvent {
        Set = "mail_template.set" v 1;
        Cleared = "mail_template.cleared" v 1;
    }
}

/// From now on the mail says this.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Set {
    /// Which mail.
    pub kind: MailKind,
    /// In which language.
    pub language: VisitorLanguage,
    /// With names in braces.
    pub subject_line: String,
    /// With names in braces.
    pub text: String,
}

/// From now on the mail says what it says where a company wrote nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cleared {
    /// Which mail.
    pub kind: MailKind,
    /// In which language.
    pub language: VisitorLanguage,
}

/// State.
#[derive(Debug, Default)]
pub struct MailTemplate {
    /// The company's own words; `None` = the standard ones.
    pub wording: Option<Wording>,
}

impl Aggregate for MailTemplate {
    type Event = MailTemplateEvent;
    const STREAM: &'static str = "mail_template";
    fn apply(&mut self, event: MailTemplateEvent) {
        self.wording = match event {
            MailTemplateEvent::Set(Set { subject_line, text, .. }) => Some(Wording { subject: subject_line, text }),
            MailTemplateEvent::Cleared(_) => None,
        };
    }
    #[cfg(test)]
    fn samples() -> Vec<MailTemplateEvent> {
        tests::samples()
    }
}

/// The stream of a mail in a language.
fn stream(kind: MailKind, language: VisitorLanguage, ctx: &mut Context) -> Uuid {
    ctx.world.fingerprint("mail_template", &format!("{}/{}", kind.name(), language.name()))
}

/// Puts a mail in the company's own words. Mails that were asked for before keep theirs.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMailTemplate {
    /// Which mail.
    pub kind: MailKind,
    /// In which language.
    pub language: VisitorLanguage,
    /// One line of 1 to 150 characters. Names in braces stand for what differs from mail to mail, `{company}`; which there are, the
    /// query says. `{{` is a brace.
    pub subject: String,
    /// Plain text of 1 to 4,000 characters on at most 120 lines, with names in braces as well. Where the mail has a link, `{link}` must
    /// be among them.
    pub text: String,
}

impl Command for SetMailTemplate {
    type On = On<MailTemplate>;
    const NAME: &'static str = "set_mail_template";
    const ROUTE: Route = Route::post("/v1/mail-templates");
    const PERMISSION: Permission = Permission("mail_template.set");
    const REJECTS: &'static [&'static str] = &[
        "mail_template.bad_brace", "mail_template.unknown_variable", "mail_template.variable_missing",
        "mail_template.too_many_lines", "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![stream(self.kind, self.language, ctx)])
    }
    fn decide(self, template: &On<MailTemplate>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let SetMailTemplate { kind, language, subject, text } = self;
        let wording = Wording::check(kind, &subject, &text)?;
        if template.wording.as_ref() == Some(&wording) {
            return Ok(vec![]);
        }
        let Wording { subject: subject_line, text } = wording;
        Ok(vec![template.emit(Set { kind, language, subject_line, text })])
    }
}

/// Goes back to the standard words of a mail.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearMailTemplate {
    /// Which mail.
    pub kind: MailKind,
    /// In which language.
    pub language: VisitorLanguage,
}

impl Command for ClearMailTemplate {
    type On = On<MailTemplate>;
    const NAME: &'static str = "clear_mail_template";
    const ROUTE: Route = Route::post("/v1/mail-templates/clear");
    const PERMISSION: Permission = Permission("mail_template.set");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![stream(self.kind, self.language, ctx)])
    }
    fn decide(self, template: &On<MailTemplate>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let ClearMailTemplate { kind, language } = self;
        let is_own = template.wording.is_some();
        Ok(if is_own { vec![template.emit(Cleared { kind, language })] } else { vec![] })
    }
}
