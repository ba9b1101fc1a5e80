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

/// State of a mail.
#[derive(Debug, Default)]
pub struct Mail {
    /// Went out.
    pub sent: bool,
}

impl Aggregate for Mail {
    type Event = MailEvent;
    const STREAM: &'static str = "mail";
    fn apply(&mut self, event: MailEvent) {
        match event {
            MailEvent::Sent(_) => self.sent = true,
            MailEvent::Failed(_) => {}
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
        Ok(vec![ctx.world.fingerprint("mail", &format!("{}/{}", self.effect_position, self.n))])
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
        ]
    }
}
