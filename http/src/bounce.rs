//! Mails that come back (RFC 3464) and complaints about mails (RFC 5965), out of a maildir that the mail server fills.
//!
//! Invariants:
//! * Whose mail it is says the address that it came back to, and only that: `bounces+TOKEN@…`, the envelope's sender of that
//!   one mail. The token ends with a MAC of the company's, so nobody can say that of a mail which they did not get.
//! * What could be read is removed: it holds addresses and what was sent. What could not stays in `cur`, for people.
//! * A file is read up to [`READ_MAX`]; nothing in it is ever sent, shown or kept but a status and a diagnosis without
//!   addresses.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use keiin_domain::mail::{RecordBounce, RecordComplaint};
use keiin_eventlog::vault::Vault;
use keiin_projections::mail::template_of;
use mail_parser::{MessageParser, MimeHeaders};
use uuid::Uuid;

use crate::app::App;
use crate::clock;
use crate::execute::{Call, by_server};
use crate::principal::Principal;
use crate::problem::Problem;

/// Most of a file that is read, bytes.
const READ_MAX: u64 = 256 << 10;
/// Files of one round.
const ROUND: usize = 200;
/// How often it is looked for new ones.
const QUIET: Duration = Duration::from_secs(5);
/// Bytes of a token: company, position, number, MAC.
const TOKEN: usize = 16 + 5 + 2 + 8;
/// Letters of a token.
pub const TOKEN_LETTERS: usize = 50;

/// Which mail it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Which {
    /// Of which company.
    pub ledger: Uuid,
    /// Of the record that asked for it.
    pub position: u64,
    /// Which of that record's mails.
    pub n: u16,
}

impl Which {
    /// What stands in the address to which it comes back; `None` for what no ledger reaches.
    pub fn token(&self, vault: &Vault) -> Option<String> {
        let position = self.position.to_be_bytes();
        let mac = self.mac(vault)?;
        let bytes = [&self.ledger.as_bytes()[..], &position[3..], &self.n.to_be_bytes(), &mac].concat();
        (self.position < 1 << 40).then(|| base32(&bytes))
    }

    /// The mail that an address of ours names.
    fn of_token(vault: &Vault, token: &str) -> Option<Which> {
        let bytes = from_base32(token)?;
        let (ledger, rest) = bytes.split_first_chunk::<16>()?;
        let (position, rest) = rest.split_first_chunk::<5>()?;
        let (n, mac) = rest.split_first_chunk::<2>()?;
        let position = position.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let which = Which { ledger: Uuid::from_bytes(*ledger), position, n: u16::from_be_bytes(*n) };
        (which.mac(vault)? == mac).then_some(which)
    }

    fn mac(&self, vault: &Vault) -> Option<[u8; 8]> {
        let keyed = vault.fingerprint(self.ledger, "bounce", &format!("{}/{}", self.position, self.n)).ok()?;
        keyed.as_bytes()[..8].try_into().ok()
    }
}

/// RFC 4648 in lower case, without padding: an address' letters may change their case on the way.
fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

fn from_base32(text: &str) -> Option<[u8; TOKEN]> {
    BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?.try_into().ok()
}

/// What a report says of a mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// It did not arrive and will not.
    Failed {
        /// RFC 3463, such as `5.1.1`.
        status: String,
        /// What a server said.
        diagnostic: String,
    },
    /// Whoever got it calls it abuse; how (RFC 5965, 7.3).
    Complaint(String),
    /// It is on its way, or arrived: nothing to note.
    Nothing,
}

/// Reads a report; `None` for what is none.
pub fn report(bytes: &[u8]) -> Option<Report> {
    let mail = MessageParser::default().parse(bytes)?;
    let root = mail.content_type()?;
    if !(root.ctype().eq_ignore_ascii_case("multipart") && root.subtype()?.eq_ignore_ascii_case("report")) {
        return None;
    }
    let part = |subtype: &str| {
        mail.parts.iter().find(|part| {
            let kind = part.content_type();
            kind.is_some_and(|kind| {
                kind.ctype().eq_ignore_ascii_case("message")
                    && kind.subtype().is_some_and(|known| known.eq_ignore_ascii_case(subtype))
            })
        })
    };
    if let Some(part) = part("delivery-status").or_else(|| part("global-delivery-status")) {
        return delivery(&String::from_utf8_lossy(part.contents()));
    }
    let part = part("feedback-report")?;
    let fields = fields(&String::from_utf8_lossy(part.contents()));
    let kind = value(&fields, "feedback-type")?.to_ascii_lowercase();
    let known = ["abuse", "fraud", "virus", "other"].contains(&kind.as_str());
    Some(if known { Report::Complaint(kind) } else { Report::Nothing })
}

/// Each recipient has a group of fields; ours has one recipient. `failed` is final whatever the status: a server that gave up
/// after days says 4.4.7.
fn delivery(text: &str) -> Option<Report> {
    let text = text.replace("\r\n", "\n");
    let groups: Vec<_> = text.split("\n\n").map(fields).filter(|group| value(group, "action").is_some()).collect();
    let failed = groups.iter().find(|group| value(group, "action").is_some_and(|a| word(a) == "failed"));
    let Some(failed) = failed else { return (!groups.is_empty()).then_some(Report::Nothing) };
    let status = value(failed, "status").map(word).filter(|status| is_status(status));
    let said = value(failed, "diagnostic-code").unwrap_or("");
    let diagnostic = said.split_once(';').map_or(said, |(_, said)| said).trim().to_owned();
    Some(Report::Failed { status: status.unwrap_or_else(|| "5.0.0".to_owned()), diagnostic })
}

/// The first word, in lower case: comments may follow.
fn word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or("").to_ascii_lowercase()
}

/// Three numbers (RFC 3463).
fn is_status(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(number)
}

/// Fields of a group, names in lower case; a line that begins with a space goes on with the one before.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = vec![];
    for line in text.lines() {
        match (line.starts_with([' ', '\t']), all.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => value.extend([" ", line.trim()]),
            (false, _, Some((name, value))) => all.push((name.trim().to_ascii_lowercase(), value.trim().to_owned())),
            _ => {}
        }
    }
    all
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The mail that came back, by the first address of ours in its text: `+TOKEN@`.
fn which(vault: &Vault, bytes: &[u8]) -> Option<Which> {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'+') {
        rest = &rest[at + 1..];
        let token = rest.get(..TOKEN_LETTERS).filter(|_| rest.get(TOKEN_LETTERS) == Some(&b'@'));
        let found = token.and_then(|token| Which::of_token(vault, std::str::from_utf8(token).ok()?));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Notes what comes back until the server stops.
pub async fn run(app: Arc<App>) {
    let folder = app.config.mail.bounce_maildir.clone();
    if folder.as_os_str().is_empty() {
        return;
    }
    let mut stopping = app.stopping.subscribe();
    while !*app.stopping.borrow() {
        match round(&app, &folder).await {
            Ok(ROUND) => continue,
            Ok(_) => {}
            Err(why) => tracing::warn!(folder = %folder.display(), why, "mails that came back wait for another try"),
        }
        let _ = tokio::time::timeout(QUIET, stopping.wait_for(|stops| *stops)).await;
    }
}

/// One round; how many files it saw.
async fn round(app: &App, folder: &Path) -> Result<usize, String> {
    let new = std::fs::read_dir(folder.join("new")).map_err(|error| format!("new: {error}"))?;
    let mut seen = 0;
    for entry in new.flatten().take(ROUND) {
        let path = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        seen += 1;
        let mut bytes = vec![];
        let file = std::fs::File::open(&path).map_err(|error| error.to_string())?;
        file.take(READ_MAX).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let noted = note(app, &bytes).await.map_err(|problem| problem.code.to_owned())?;
        if noted {
            std::fs::remove_file(&path).map_err(|error| error.to_string())?;
        } else {
            let name = format!("{}:2,S", entry.file_name().to_string_lossy());
            tracing::warn!(name, "this is no report about a mail of ours: it lies in cur");
            std::fs::rename(&path, folder.join("cur").join(name)).map_err(|error| format!("cur: {error}"))?;
        }
    }
    Ok(seen)
}

/// Notes what a report says; false if it is none, or about no mail of ours.
async fn note(app: &App, bytes: &[u8]) -> Result<bool, Problem> {
    let Some((report, which)) = report(bytes).zip(which(&app.vault, bytes)) else { return Ok(false) };
    let Which { ledger, position: effect_position, n } = which;
    let Some(template) = template_of(&app.read, ledger, effect_position, n)? else { return Ok(false) };
    let server = Principal::system(ledger);
    let call = Call { cause: Some(effect_position), ..Call::internal(clock::now_us()) };
    match report {
        Report::Nothing => {}
        Report::Failed { status, diagnostic } => {
            let bounce = RecordBounce { effect_position, n, template, status, diagnostic };
            by_server(app, &server, bounce, &call).await?;
        }
        Report::Complaint(feedback) => {
            let complaint = RecordComplaint { effect_position, n, template, feedback };
            by_server(app, &server, complaint, &call).await?;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
