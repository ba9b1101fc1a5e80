//! Mails: their texts, and the loop that hands them over. Without a mail server they go no further than the outbox, which
//! the console shows; addresses at `bounce.invalid` are refused there with 550, so that a failure can be seen, too.

use std::sync::Arc;
use std::time::Duration;

use keiin_domain::mail::{MailFailure, RecordMail};
use keiin_eventlog::anchor::Anchorer;
use keiin_eventlog::vault::Vault;
use keiin_projections::mail::{Due, Letter, Rendered, due, retry_later};
use keiin_projections::query::Beside;
use uuid::Uuid;

use crate::app::App;
use crate::clock;
use crate::device::Kept;
use crate::execute::{Call, execute};
use crate::locale::{Lang, Texts};
use crate::page::format::{self, Style};
use crate::principal::Principal;
use crate::problem::Problem;

/// Mails handed over in one round.
const ROUND: usize = 100;
/// A mail is given up after this many tries.
const TRIES: u32 = 8;

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
}

impl Beside for Desk {
    fn anchored(&self, ledger: Uuid) -> u64 {
        self.anchorer.latest(ledger).map_or(0, |anchored| anchored.size)
    }

    /// In both languages: whoever reads it first may know only one of them, and we do not know which.
    fn render(&self, letter: &Letter) -> Rendered {
        let link = self.link(letter);
        let (subject, ja) = self.text(letter, &link, Lang::Ja);
        let (subject_en, en) = self.text(letter, &link, Lang::En);
        Rendered { subject: format!("{subject} / {subject_en}"), body: format!("{ja}\n\n――――\n\n{en}"), link }
    }
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
            ("arrived", arrived),
            ("link", link_text),
            ("time", asked),
            ("ip", ip),
            ("agent", agent),
        ];
        let args: Vec<(&str, &str)> = args.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let key = format!("mail-{}", letter.template.replace('_', "-"));
        let part = |part: &str| self.texts.get(lang, &format!("{key}-{part}"), &args);
        (part("subject"), part("body"))
    }

    /// The device that a mail is about.
    fn device(&self, letter: &Letter) -> Option<Kept> {
        let found = crate::device::find(&self.vault, letter.ledger, letter.member_id?, letter.object_id);
        found.ok()?.map(|(_, kept)| kept)
    }

    /// The newest secret that leads to the mail's object, as a link.
    fn link(&self, letter: &Letter) -> Option<String> {
        let (kind, page) = match letter.template.as_str() {
            "invitation" => ("inv", "invite"),
            "delivery" => ("lnk", "l"),
            "visit_pass" => ("pas", "pass"),
            "password_reset" | "password_required" => ("rst", "reset"),
            "new_device" => ("nme", "alert"),
            _ => return None,
        };
        let entries = self.vault.list(kind, letter.ledger, Some(letter.object_id)).ok()?;
        let mut texts = entries.into_iter().filter_map(|entry| String::from_utf8(entry.value).ok());
        let secret = texts.rfind(|text| text.starts_with("keiin_"))?;
        Some(format!("{}/{page}/{secret}", self.public_url))
    }
}

/// Hands mails over until the process ends.
pub async fn run(app: Arc<App>) {
    let mut changed = app.log.changed();
    loop {
        match round(&app, clock::now_us()).await {
            Ok(ROUND) => continue,
            Ok(_) => {}
            Err(problem) => tracing::warn!(code = problem.code, "mails could not be handed over"),
        }
        // A new record may ask for a mail; a minute later something may be due again.
        let _ = tokio::time::timeout(Duration::from_secs(60), changed.changed()).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// One round at this time; returns how many were handed over.
pub async fn round(app: &App, now_us: i64) -> Result<usize, Problem> {
    let mails = due(&app.read, now_us, ROUND)?;
    let count = mails.len();
    for mail in mails {
        if let Err(problem) = hand_over(app, &mail, now_us).await {
            tracing::warn!(code = problem.code, attempts = mail.attempts, "a mail waits for another try");
            let wait_s = 30i64 << mail.attempts.min(TRIES);
            retry_later(&app.read, &mail, now_us + wait_s * 1_000_000)?;
        }
    }
    Ok(count)
}

/// The outcome is an event, caused by the record that asked for the mail.
async fn hand_over(app: &App, mail: &Due, now_us: i64) -> Result<(), Problem> {
    let letter = &mail.letter;
    let address = letter.to.email.as_deref().unwrap_or("");
    let refused = address
        .ends_with("@bounce.invalid")
        .then(|| MailFailure { code: 550, diagnostic: "5.1.1 no such mailbox".to_owned() });
    let given_up = (mail.attempts > TRIES).then(|| MailFailure { code: 0, diagnostic: "given up".to_owned() });
    let command = RecordMail {
        effect_position: letter.position,
        n: letter.n,
        template: letter.template.clone(),
        failure: refused.or(given_up),
    };
    let allowed = Principal::system(letter.ledger).allow::<RecordMail>()?;
    let call = Call { cause: Some(letter.position), ..Call::internal(now_us) };
    let done = execute(app, &allowed, command, &call).await?;
    if let Some(span) = done.span {
        app.wait(letter.ledger, span.last).await?;
    }
    Ok(())
}
