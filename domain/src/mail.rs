//! Mails: what became of them. A mail is an effect of a record; its stream is the fingerprint of that record's position and
//! the mail's number there, so one mail is sent once in the history, however often it was tried.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::events;
use crate::role::Permission;

events! {
    /// What happens to a mail.
    MailEvent {
        Sent = "mail.sent" v 1;
        Failed = "mail.failed" v 1;
        Bounced = "mail.bounced" v 1;
        Complained = "mail.complained" v 1;
        Requeued = "mail.requeued" v 1;
    }
}

/// The next server took it over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// Position of the record that asked for it.
    pub effect_position: u64,
    /// Which of that record's mails, from 0.
    pub n: u16,
    /// Name of its text.
    pub template: String,
}

/// It was refused for good, or given up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// Position of the record that asked for it.
    pub effect_position: u64,
    /// Which of that record's mails, from 0.
    pub n: u16,
    /// Name of its text.
    pub template: String,
    /// SMTP reply code (RFC 5321), 0 where there was none.
    pub code: u16,
    /// What the server said, without addresses.
    pub diagnostic: String,
}

/// It went out and came back (RFC 3464).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bounced {
    /// Position of the record that asked for it.
    pub effect_position: u64,
    /// Which of that record's mails, from 0.
    pub n: u16,
    /// Name of its text.
    pub template: String,
    /// RFC 3463, such as `5.1.1`.
    pub status: String,
    /// What a server said, without addresses.
    pub diagnostic: String,
}

/// Whoever got it calls it abuse (RFC 5965).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Complained {
    /// Position of the record that asked for it.
    pub effect_position: u64,
    /// Which of that record's mails, from 0.
    pub n: u16,
    /// Name of its text.
    pub template: String,
    /// `abuse`, `fraud`, `virus` or `other`.
    pub feedback: String,
}

/// Somebody wants it sent once more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Requeued {
    /// Position of the record that asked for it.
    pub effect_position: u64,
    /// Which of that record's mails, from 0.
    pub n: u16,
}

/// State of a mail.
#[derive(Debug, Default)]
pub struct Mail {
    /// Went out.
    pub sent: bool,
    /// Was refused, given up, or came back.
    pub failed: bool,
    /// Came back.
    pub bounced: bool,
    /// Was called abuse.
    pub complained: bool,
}

impl Aggregate for Mail {
    type Event = MailEvent;
    const STREAM: &'static str = "mail";
    fn apply(&mut self, event: MailEvent) {
        match event {
            MailEvent::Sent(_) => (self.sent, self.failed) = (true, false),
            MailEvent::Failed(_) => self.failed = true,
            MailEvent::Bounced(_) => (self.failed, self.bounced) = (true, true),
            MailEvent::Complained(_) => self.complained = true,
            MailEvent::Requeued(_) => (self.sent, self.failed, self.bounced) = (false, false, false),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<MailEvent> {
        tests::samples()
    }
}

/// Writes down what became of a mail. A mail that went out stays so: later reports change nothing.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordMail {
    /// Position of the record that asked for it.
    pub effect_position: u64,
    /// Which of that record's mails, from 0.
    pub n: u16,
    /// Name of its text.
    pub template: String,
    /// Absent = it went out.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub failure: Option<MailFailure>,
}

/// Why a mail did not go out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailFailure {
    /// SMTP reply code (RFC 5321), 0 where there was none.
    pub code: u16,
    /// What the server said; addresses in it are left out of the record.
    pub diagnostic: String,
}

impl Command for RecordMail {
    type On = On<Mail>;
    const NAME: &'static str = "record_mail";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("mail.record");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![stream(self.effect_position, self.n, ctx)])
    }
    fn decide(self, mail: &On<Mail>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if mail.sent {
            return Ok(vec![]);
        }
        let RecordMail { effect_position, n, template, failure } = self;
        Ok(vec![match failure {
            None => mail.emit(Sent { effect_position, n, template }),
            Some(MailFailure { code, diagnostic }) => {
                let diagnostic = without_addresses(&diagnostic);
                mail.emit(Failed { effect_position, n, template, code, diagnostic })
            }
        }])
    }
}

/// Writes down that a mail came back. Once: servers may say it several times.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordBounce {
    /// Position of the record that asked for it.
    pub effect_position: u64,
    /// Which of that record's mails, from 0.
    pub n: u16,
    /// Name of its text.
    pub template: String,
    /// RFC 3463, such as `5.1.1`.
    pub status: String,
    /// What a server said; addresses in it are left out of the record.
    pub diagnostic: String,
}

impl Command for RecordBounce {
    type On = On<Mail>;
    const NAME: &'static str = "record_bounce";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("mail.record");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![stream(self.effect_position, self.n, ctx)])
    }
    fn decide(self, mail: &On<Mail>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let RecordBounce { effect_position, n, template, status, diagnostic } = self;
        let (status, diagnostic) = (without_addresses(&status), without_addresses(&diagnostic));
        let bounced = Bounced { effect_position, n, template, status, diagnostic };
        Ok(if mail.bounced { vec![] } else { vec![mail.emit(bounced)] })
    }
}

/// Writes down that whoever got a mail calls it abuse. Once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordComplaint {
    /// Position of the record that asked for it.
    pub effect_position: u64,
    /// Which of that record's mails, from 0.
    pub n: u16,
    /// Name of its text.
    pub template: String,
    /// `abuse`, `fraud`, `virus` or `other`.
    pub feedback: String,
}

impl Command for RecordComplaint {
    type On = On<Mail>;
    const NAME: &'static str = "record_complaint";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("mail.record");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![stream(self.effect_position, self.n, ctx)])
    }
    fn decide(self, mail: &On<Mail>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let RecordComplaint { effect_position, n, template, feedback } = self;
        let complained = Complained { effect_position, n, template, feedback };
        Ok(if mail.complained { vec![] } else { vec![mail.emit(complained)] })
    }
}

/// Sends a mail once more that was refused, given up, or came back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMailAgain {
    /// The first number of its id: position of the record that asked for it.
    pub effect_position: u64,
    /// The second number of its id.
    pub n: u16,
}

impl Command for SendMailAgain {
    type On = On<Mail>;
    const NAME: &'static str = "send_mail_again";
    const ROUTE: Route = Route::post("/v1/mails/send_again");
    const PERMISSION: Permission = Permission("mail.send");
    const REJECTS: &'static [&'static str] = &["mail.not_failed"];
    const NEEDS_KEY: bool = true;
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![stream(self.effect_position, self.n, ctx)])
    }
    fn decide(self, mail: &On<Mail>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let SendMailAgain { effect_position, n } = self;
        if !mail.failed {
            return Err(Rejection::new("mail.not_failed"));
        }
        Ok(vec![mail.emit(Requeued { effect_position, n })])
    }
}

/// The stream of a record's mail.
fn stream(effect_position: u64, n: u16, ctx: &mut Context) -> Uuid {
    ctx.world.fingerprint("mail", &format!("{effect_position}/{n}"))
}

/// At most 400 characters on one line, with `<address>` where an address was: addresses are personal and belong to sealed
/// fields.
pub fn without_addresses(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty());
    let safe: Vec<&str> = words.map(|w| if w.contains(['@', '＠']) { "<address>" } else { w }).collect();
    safe.join(" ").chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn report(failure: Option<(u16, &str)>) -> RecordMail {
        let failure = failure.map(|(code, diagnostic)| MailFailure { code, diagnostic: diagnostic.into() });
        RecordMail { effect_position: 41, n: 0, template: "delivery".into(), failure }
    }

    #[test]
    fn a_mail_is_sent_once_in_the_history_however_often_it_was_tried() {
        let mut scene = scene().by_system();
        let mail = scene.world.subject_of("mail", "41/0");
        let (template, diagnostic) = ("delivery".to_owned(), "mailbox unavailable".into());
        let failed = Failed { effect_position: 41, n: 0, template: template.clone(), code: 450, diagnostic };
        let scene = scene.when(FRESH, report(Some((450, "mailbox unavailable"))));
        let scene = scene.then([emit::<Mail>(mail, failed)]);
        scene.clone().race((FRESH, report(None)), (FRESH, report(None))).then([]);
        let sent = Sent { effect_position: 41, n: 0, template };
        let scene = scene.when(FRESH, report(None)).then([emit::<Mail>(mail, sent)]);
        scene.when(FRESH, report(Some((550, "late")))).then([]);
        covered::<RecordMail>();
    }

    #[test]
    fn a_mail_that_came_back_is_noted_once_and_can_be_sent_again() {
        let mut scene = scene().by_system();
        let mail = scene.world.subject_of("mail", "41/0");
        let again = || SendMailAgain { effect_position: 41, n: 0 };
        let (status, template) = ("5.1.1".to_owned(), "delivery".to_owned());
        let bounce = RecordBounce {
            effect_position: 41,
            n: 0,
            template: template.clone(),
            status: status.clone(),
            diagnostic: "550 <a@example.jp> unknown".into(),
        };
        let complaint =
            RecordComplaint { effect_position: 41, n: 0, template: template.clone(), feedback: "abuse".into() };
        let s = scene.when(FRESH, again()).refused("mail.not_failed").when(FRESH, report(None)).accepted();
        let s = s.when(FRESH, again()).refused("mail.not_failed");
        let diagnostic = "550 <address> unknown".to_owned();
        let bounced = Bounced { effect_position: 41, n: 0, template: template.clone(), status, diagnostic };
        let s = s.when(FRESH, bounce.clone()).then([emit::<Mail>(mail, bounced.clone())]);
        let s = s.when(FRESH, bounce.clone()).then([]);
        let complained = Complained { effect_position: 41, n: 0, template: template.clone(), feedback: "abuse".into() };
        let s = s.when(FRESH, complaint.clone()).then([emit::<Mail>(mail, complained)]);
        let s = s.when(FRESH, complaint).then([]);
        let s = s.when(FRESH, again()).then([emit::<Mail>(mail, Requeued { effect_position: 41, n: 0 })]);
        let s = s.when(FRESH, again()).refused("mail.not_failed");
        let s = s.when(FRESH, report(None)).then([emit::<Mail>(mail, Sent { effect_position: 41, n: 0, template })]);
        s.when(FRESH, bounce).then([emit::<Mail>(mail, bounced)]);
        covered::<RecordBounce>();
        covered::<RecordComplaint>();
        covered::<SendMailAgain>();
    }

    #[test]
    fn addresses_stay_out_of_the_record() {
        assert_eq!(
            without_addresses("550 5.1.1 <yoshida@example.jp>:\r\n Recipient address\trejected: 吉田＠例.jp"),
            "550 5.1.1 <address> Recipient address rejected: <address>"
        );
        assert_eq!(without_addresses(&"x".repeat(500)).len(), 400);
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<MailEvent> {
        vec![
            Sent { effect_position: 41, n: 0, template: "delivery".into() }.into(),
            Failed {
                effect_position: 41,
                n: 0,
                template: "delivery".into(),
                code: 550,
                diagnostic: "no such mailbox".into(),
            }
            .into(),
            Bounced {
                effect_position: 41,
                n: 0,
                template: "delivery".into(),
                status: "5.1.1".into(),
                diagnostic: "550 no such mailbox".into(),
            }
            .into(),
            Complained { effect_position: 41, n: 0, template: "delivery".into(), feedback: "abuse".into() }.into(),
            Requeued { effect_position: 41, n: 0 }.into(),
        ]
    }
}
