//! Mails: their texts, and the loop that hands them over. Without a mail server (`[mail]`) they go no further than the
//! outbox, which the console shows; addresses at `bounce.invalid` are refused there with 550, so that a failure can be
//! seen, too.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keiin_domain::mail::{MailFailure, RecordMail, without_addresses};
use keiin_domain::mail_template::{MailKind, Wording};
use keiin_domain::visit::VisitorLanguage;
use keiin_eventlog::anchor::Anchorer;
use keiin_eventlog::vault::Vault;
use keiin_projections::mail::{Attachment, Due, Letter, Rendered, done, due, give_back, hold, retry_later};
use keiin_projections::query::Beside;
use uuid::Uuid;

use crate::app::App;
use crate::bounce::Which;
use crate::clock;
use crate::device::Kept;
use crate::execute::{Call, by_server};
use crate::locale::{Lang, Texts};
use crate::page::format::{self, Style};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::signup::CODE;
use crate::smtp::{Line, Smtp, Trouble};
use crate::world::PASSCODE;

/// Mails handed over in one round.
const ROUND: usize = 100;
/// A mail is given up after this many tries.
const TRIES: u32 = 38;
/// Longest wait between two tries.
const LONGEST_WAIT_S: i64 = 4 * 3_600;

/// What queries ask of this process: texts of mails, and how far ledgers are anchored.
pub struct Desk {
    /// For links in mails.
    pub vault: Arc<Vault>,
    /// For "is this record covered by a checkpoint".
    pub anchorer: Arc<Anchorer>,
    /// Texts.
    pub texts: Arc<Texts>,
    /// What links begin with.
    pub public_url: String,
    /// Where customers ask.
    pub contact: String,
    /// Which address mails come from.
    pub mail_from: String,
}

impl Beside for Desk {
    fn anchored(&self, ledger: Uuid) -> u64 {
        self.anchorer.latest(ledger).map_or(0, |anchored| anchored.size)
    }

    /// In both languages, where it is not known which of them its reader has.
    fn render(&self, letter: &Letter) -> Rendered {
        let link = self.link(letter);
        let attachments = self.attachments(letter, link.as_deref());
        if let Some(lang) = letter.language.as_deref().and_then(Lang::parse) {
            let (subject, body) = self.text(letter, &link, lang);
            return Rendered { subject, body, link, attachments };
        }
        let (subject, ja) = self.text(letter, &link, Lang::Ja);
        let (subject_en, en) = self.text(letter, &link, Lang::En);
        let (subject, body) = (format!("{subject} / {subject_en}"), format!("{ja}\n\n――――\n\n{en}"));
        Rendered { subject, body, link, attachments }
    }

    fn standard(&self, kind: MailKind, language: VisitorLanguage) -> Wording {
        standard(&self.texts, kind, lang_of(language))
    }

    fn word(&self, key: &str, language: VisitorLanguage) -> String {
        self.texts.get(lang_of(language), key, &[])
    }
}

/// The language of pages and mails that a reader outside has.
pub fn lang_of(language: VisitorLanguage) -> Lang {
    match language {
        VisitorLanguage::Ja => Lang::Ja,
        VisitorLanguage::En => Lang::En,
    }
}

/// Prefix of the keys of a mail's texts.
fn key(template: &str) -> String {
    format!("mail-{}", template.replace('_', "-"))
}

/// The standard words with each name standing for itself: what a company begins from.
fn standard(texts: &Texts, kind: MailKind, lang: Lang) -> Wording {
    let named: Vec<_> = kind.variables().iter().map(|v| (v.name, format!("{{{}}}", v.name))).collect();
    let named: Vec<(&str, &str)> = named.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let part = |part: &str| texts.get(lang, &format!("{}-{part}", key(kind.name())), &named);
    Wording { subject: part("subject"), text: part("body") }
}

/// Is it to a visitor, about their visit?
fn is_to_visitor(template: &str) -> bool {
    matches!(template, "visit_pass" | "visit_changed" | "visit_reminder" | "visit_cancelled")
}

impl Desk {
    /// Subject and body in one language.
    fn text(&self, letter: &Letter, link: &Option<String>, lang: Lang) -> (String, String) {
        let time = |at: &Option<keiin_projections::view::Time>| {
            let text = at.as_ref().and_then(|at| serde_json::to_value(at).ok());
            text.and_then(|t| t.as_str().map(|t| format::when(t, Style::DateTime, lang))).unwrap_or_default()
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let (expires, starts) = (time(&letter.expires_at), time(&letter.starts_at));
        let (arrived, link_text) = (time(&letter.arrived_at), text(link));
        let asked = time(&Some(letter.queued_at));
        let when = crate::visit::when_of(&self.texts, lang, letter);
        let (ip, agent) = self.device(letter).map(|kept| (kept.ip, kept.user_agent)).unwrap_or_default();
        let args = [
            ("to", letter.to.name.clone().unwrap_or_default()),
            ("company", text(&letter.company)),
            ("number", text(&letter.document_number)),
            ("title", text(&letter.document_title)),
            ("message", text(&letter.message)),
            ("visitor", text(&letter.visitor_name)),
            ("visitor_company", text(&letter.visitor_company)),
            ("host", text(&letter.host_name)),
            ("location", text(&letter.location)),
            ("expires", expires),
            ("starts", starts),
            ("when", when),
            ("passcode", self.passcode(letter).unwrap_or_default()),
            ("arrived", arrived),
            ("link", link_text),
            ("time", asked),
            ("ip", ip),
            ("agent", agent),
            ("code", self.code(letter).unwrap_or_default()),
            ("slug", text(&letter.slug)),
            ("email", text(&letter.to.email)),
            ("url", self.public_url.clone()),
            ("contact", self.contact.clone()),
            ("why", text(&letter.why)),
            ("named", if letter.visitor_name.is_some() { "yes" } else { "no" }.to_owned()),
        ];
        let own = match lang {
            Lang::Ja => letter.own_ja.clone(),
            Lang::En => letter.own_en.clone(),
        };
        // Mails to outsiders are filled in one way, whoever wrote the words: no line stands empty where there is nothing to say.
        let standard = || MailKind::from_name(&letter.template).map(|kind| standard(&self.texts, kind, lang));
        if let Some(words) = own.or_else(standard) {
            let value = |name: &str| args.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            return words.fill(|name| value(name).unwrap_or_default());
        }
        let args: Vec<(&str, &str)> = args.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let part = |part: &str| self.texts.get(lang, &format!("{}-{part}", key(&letter.template)), &args);
        (part("subject"), part("body"))
    }

    /// The device that a mail is about.
    fn device(&self, letter: &Letter) -> Option<Kept> {
        let found = crate::device::find(&self.vault, letter.ledger, letter.member_id?, letter.object_id);
        found.ok()?.map(|(_, kept)| kept)
    }

    /// The code that whoever signs up is to type.
    fn code(&self, letter: &Letter) -> Option<String> {
        if letter.template != "email_code" {
            return None;
        }
        let entry = self.vault.get(CODE, letter.object_id.as_bytes()).ok()??;
        String::from_utf8(entry.value).ok()
    }

    /// The number that a visitor types where no QR code can be read: the newest of their visit.
    fn passcode(&self, letter: &Letter) -> Option<String> {
        if !is_to_visitor(&letter.template) || letter.template == "visit_cancelled" {
            return None;
        }
        let entries = self.vault.list(PASSCODE, letter.ledger, Some(letter.object_id)).ok()?;
        entries.into_iter().filter_map(|entry| String::from_utf8(entry.value).ok()).next_back()
    }

    /// The files of a visitor's mail: the visit for their calendar, and the pass as a picture.
    fn attachments(&self, letter: &Letter, link: Option<&str>) -> Vec<Attachment> {
        if !is_to_visitor(&letter.template) {
            return vec![];
        }
        let lang = letter.language.as_deref().and_then(Lang::parse).unwrap_or(Lang::Ja);
        let calendar = crate::visit::attachment(&self.texts, letter, lang, link, &self.mail_from);
        let secret = link.and_then(|link| link.rsplit_once('/')).map(|(_, secret)| secret);
        let picture = secret.and_then(|secret| keiin_formats::png::qr(secret).ok());
        let picture = picture.map(|bytes| Attachment { name: "pass.png", media_type: "image/png".to_owned(), bytes });
        calendar.into_iter().chain(picture).collect()
    }

    /// The link by which whoever is told of an arrival answers. Each has one of their own.
    fn answer_link(&self, letter: &Letter) -> Option<String> {
        let entry = self.vault.get("ans", &letter.answer_hash?).ok()??;
        Some(format!("{}/answer/{}", self.public_url, String::from_utf8(entry.value).ok()?))
    }

    /// The newest secret that leads to the mail's object, as a link.
    fn link(&self, letter: &Letter) -> Option<String> {
        let (kind, page) = match letter.template.as_str() {
            "invitation" => ("inv", "invite"),
            "delivery" | "delivery_again" => ("lnk", "l"),
            "visit_pass" | "visit_changed" | "visit_reminder" => ("pas", "pass"),
            "password_reset" | "password_required" => ("rst", "reset"),
            "new_device" => ("nme", "alert"),
            "inbox" => return Some(format!("{}/inbox/{}", self.public_url, letter.object_id)),
            "reply" | "acceptance" => return Some(format!("{}/deliveries/{}", self.public_url, letter.object_id)),
            "support_access" => return Some(format!("{}/grants", self.public_url)),
            "webhook_disabled" => return Some(format!("{}/webhooks", self.public_url)),
            "arrival" | "visit_waiting" => return self.answer_link(letter),
            "secretary_confirm" => ("sec", "secretary/confirm"),
            "secretary_confirmed" => ("srv", "secretary/refuse"),
            _ => return None,
        };
        let entries = self.vault.list(kind, letter.ledger, Some(letter.object_id)).ok()?;
        let mut texts = entries.into_iter().filter_map(|entry| String::from_utf8(entry.value).ok());
        let secret = texts.rfind(|text| text.starts_with("keiin_"))?;
        Some(format!("{}/{page}/{secret}", self.public_url))
    }
}

/// Hands mails over until the server stops.
pub async fn run(app: Arc<App>) {
    let mut changed = app.log.changed();
    let mut taken = VecDeque::new();
    let quiet = Duration::from_secs(u64::from(app.config.mail.retry_s.min(60)));
    while !*app.stopping.borrow() {
        match round_with(&app, &mut taken, clock::now_us()).await {
            Ok(ROUND) => continue,
            Ok(_) => {}
            Err(problem) => tracing::warn!(code = problem.code, "mails could not be handed over"),
        }
        // A new record may ask for a mail; a little later something may be due again.
        app.rest(&mut changed, quiet).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for mail in &taken {
        if let Err(problem) = give_back(&app.read, mail, clock::now_us()) {
            tracing::warn!(%problem, "a mail waits until it is nobody's any more");
        }
    }
}

/// One round at this time; returns how many mails it took up. Those that it has not begun when the server stops wait for the
/// next start.
pub async fn round(app: &App, now_us: i64) -> Result<usize, Problem> {
    round_with(app, &mut VecDeque::new(), now_us).await
}

/// The same. What was taken up and not begun because the database went away stays in `taken`, for the next round: it is ours
/// for as long as nobody else takes it.
async fn round_with(app: &App, taken: &mut VecDeque<Due>, now_us: i64) -> Result<usize, Problem> {
    if taken.len() < ROUND && app.sends() {
        taken.extend(due(&app.read, now_us, ROUND - taken.len())?);
    }
    let count = taken.len();
    let mut carrier = Carrier { smtp: app.smtp.as_ref(), line: Line::default(), away: false };
    while let Some(mail) = taken.front() {
        if *app.stopping.borrow() || !app.sends() {
            give_back(&app.read, mail, now_us)?;
            taken.pop_front();
            continue;
        }
        let held = hold(&app.read, mail, clock::now_us())?;
        taken.pop_front();
        let Some(mail) = held else { continue };
        let handed_over = match carrier.carry(app, &mail).await {
            Some(outcome) => record(app, &mail.letter, outcome, now_us).await,
            None => Err(Problem::new("service.unavailable")),
        };
        match handed_over {
            Ok(()) => done(&app.read, &mail)?,
            Err(problem) => {
                tracing::warn!(code = problem.code, attempts = mail.attempts, "a mail waits for another try");
                retry_later(&app.read, &mail, now_us + wait_us(app.config.mail.retry_s, mail.attempts))?;
            }
        }
    }
    carrier.line.close().await;
    Ok(count)
}

/// How long after which try the next one comes: twice as long each time, until it is hours.
fn wait_us(retry_s: u32, tries: u32) -> i64 {
    (i64::from(retry_s) << tries.saturating_sub(1).min(20)).min(LONGEST_WAIT_S) * 1_000_000
}

/// How mails leave in one round.
struct Carrier<'a> {
    smtp: Option<&'a Smtp>,
    line: Line,
    /// The server was not there: the other mails of the round need not knock as well.
    away: bool,
}

impl Carrier<'_> {
    /// What became of a mail: taken over, or refused for good; `None` if it must be tried again.
    async fn carry(&mut self, app: &App, mail: &Due) -> Option<Result<(), MailFailure>> {
        let letter = &mail.letter;
        if mail.attempts > TRIES {
            return Some(Err(MailFailure { code: 0, diagnostic: "given up".to_owned() }));
        }
        let Some(smtp) = self.smtp else {
            let refuses = letter.to.email.as_deref().is_some_and(|to| to.ends_with("@bounce.invalid"));
            let refusal = MailFailure { code: 550, diagnostic: "5.1.1 no such mailbox".to_owned() };
            return Some(if refuses { Err(refusal) } else { Ok(()) });
        };
        if self.away {
            return None;
        }
        let which = Which { ledger: letter.ledger, position: letter.position, n: letter.n };
        let back = which.token(&app.vault).and_then(|token| app.config.mail.back_to(&token));
        match smtp.send(&mut self.line, letter, app.desk.render(letter), back).await {
            Ok(()) => Some(Ok(())),
            Err(Trouble::Refused(failure)) => Some(Err(failure)),
            Err(Trouble::Later(why)) => {
                tracing::warn!(server = app.config.mail.server, why = without_addresses(&why), "a mail was put off");
                None
            }
            Err(Trouble::Away(why)) => {
                tracing::error!(server = app.config.mail.server, why, "the mail server cannot be used");
                self.away = true;
                None
            }
        }
    }
}

/// The outcome is an event, caused by the record that asked for the mail.
async fn record(app: &App, letter: &Letter, outcome: Result<(), MailFailure>, now_us: i64) -> Result<(), Problem> {
    let command = RecordMail {
        effect_position: letter.position,
        n: letter.n,
        template: letter.template.clone(),
        failure: outcome.err(),
    };
    let call = Call { cause: Some(letter.position), ..Call::internal(now_us) };
    by_server(app, &Principal::system(letter.ledger), command, &call).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_can_begin_from_the_standard_words() {
        let texts = Texts::new().expect("the texts are read");
        for kind in MailKind::ALL {
            for lang in Lang::ALL {
                let Wording { subject, text } = standard(&texts, *kind, lang);
                let kept = Wording::check(*kind, &subject, &text);
                assert!(kept.is_ok(), "{} {lang:?}: {kept:?}\n{subject}\n{text}", kind.name());
                for variable in kind.variables() {
                    for key in [format!("mail-variable-{}", variable.name), format!("mail-example-{}", variable.name)] {
                        assert!(texts.has(&key), "{key}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_mail_is_tried_for_days_and_seldom_in_the_end() {
        assert_eq!([1, 2, 3].map(|tries| wait_us(60, tries) / 1_000_000), [60, 120, 240]);
        assert_eq!(wait_us(60, TRIES) / 1_000_000, LONGEST_WAIT_S);
        let days = (1..=TRIES).map(|tries| wait_us(60, tries)).sum::<i64>() / 86_400_000_000;
        // RFC 5321, 4.5.4.1: at least four to five days.
        assert!((4..=6).contains(&days), "{days}");
    }
}
