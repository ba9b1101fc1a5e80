//! Mails: what must go out because of a record, and what became of it. A row holds references only: addresses are looked
//! up and texts rendered when a mail is sent or shown, so the fold never depends on what is personal.
//!
//! An outcome is a record of its own, so even the outbox comes back by a rebuild. Only leases and attempts without an
//! outcome are kept beside, in `effect_attempts`, which a rebuild leaves alone.

mod letter;

use keiin_domain::command::Aggregate;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::data::DataClass;
use keiin_domain::delivery::{Delivery, DeliveryEvent};
use keiin_domain::device::{Device, DeviceEvent};
use keiin_domain::document::{Document, DocumentEvent};
use keiin_domain::grant::{Grant, GrantEvent};
use keiin_domain::mail::{Mail, MailEvent};
use keiin_domain::member::{Member, MemberEvent};
use keiin_domain::role::{Permission, Role};
use keiin_domain::secretary::{Secretary, SecretaryEvent};
use keiin_domain::sign_up::{SignUp, SignUpEvent};
use keiin_domain::visit::{Visit, VisitEvent};
use keiin_domain::webhook::{Webhook, WebhookEvent};
use keiin_eventlog::sql::{Scope, Tx};
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::letter::*;
use self::letter::{is_private, letter};
use crate::client::Recipient;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, OURS, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::search;
use crate::table::{Table, Value, Writes, blob, cell, int, text};
use crate::view::{Row, Seen, SqlError, Time, col};

/// One row a mail: the record that asked for it, and which of that record's mails it is.
pub static EFFECTS: Table = Table {
    name: "effects",
    key: &[int("position"), int("n")],
    columns: &[
        text("template"),
        text("object_kind"),
        blob("object_id"),
        text("state"),
        int("queued_at"),
        int("requeued"),
        int("requeued_at"),
        int("sent_at"),
        int("code"),
        text("diagnostic"),
    ],
    indexes: &["state, position"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "mail", revision: 10, tables: &[&EFFECTS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() == Grant::STREAM {
        // To each owner of the company: their account is what the mail's address and name are found by.
        let GrantEvent::Approved(e) = fact.read()? else { return Ok(()) };
        for (n, owner) in (0u16..).zip(e.mail_to) {
            queue(fact, n, "support_access", Member::STREAM, cell(owner), out);
        }
        return Ok(());
    }
    if fact.stream() == Webhook::STREAM {
        let WebhookEvent::Disabled(e) = fact.read()? else { return Ok(()) };
        for (n, owner) in (0u16..).zip(e.mail_to) {
            queue(fact, n, "webhook_disabled", Member::STREAM, cell(owner), out);
        }
        return Ok(());
    }
    if fact.stream() == Document::STREAM {
        // To whoever sent it.
        if let DocumentEvent::Accepted(e) = fact.read()? {
            queue(fact, 0, "acceptance", Delivery::STREAM, cell(e.delivery_id), out);
        }
        return Ok(());
    }
    let template = match fact.stream() {
        Member::STREAM => match fact.read()? {
            MemberEvent::Invited(_) => Some("invitation"),
            MemberEvent::PasswordChanged(_) => Some("password_changed"),
            MemberEvent::PasswordResetRequired(_) => Some("password_required"),
            MemberEvent::PasswordResetRequested(_) => Some("password_reset"),
            _ => None,
        },
        Delivery::STREAM => match fact.read()? {
            DeliveryEvent::LinkIssued(_) => Some("delivery"),
            DeliveryEvent::LinkReissued(_) => Some("delivery_again"),
            DeliveryEvent::InboxDelivered(_) => Some("inbox"),
            DeliveryEvent::Replied(_) => Some("reply"),
            _ => None,
        },
        Device::STREAM => match fact.read()? {
            DeviceEvent::Seen(e) => e.alert.map(|_| "new_device"),
            _ => None,
        },
        Secretary::STREAM => match fact.read()? {
            SecretaryEvent::Assigned(_) => Some("secretary_confirm"),
            SecretaryEvent::Confirmed(_) => Some("secretary_confirmed"),
            SecretaryEvent::Revoked(_) => None,
        },
        Visit::STREAM => match fact.read()? {
            VisitEvent::Registered(_) => Some("visit_pass"),
            VisitEvent::Changed(_) | VisitEvent::Rescheduled(_) => Some("visit_changed"),
            VisitEvent::Reminded(_) => Some("visit_reminder"),
            VisitEvent::Cancelled(_) => Some("visit_cancelled"),
            VisitEvent::Announced(e) => {
                (0u16..).zip(e.to).for_each(|(n, _)| queue(fact, n, "arrival", Visit::STREAM, fact.id(), out));
                None
            }
            VisitEvent::Escalated(e) => {
                (0u16..).zip(e.to).for_each(|(n, _)| queue(fact, n, "visit_waiting", Visit::STREAM, fact.id(), out));
                None
            }
            _ => None,
        },
        SignUp::STREAM => match fact.read()? {
            SignUpEvent::CodeIssued(_) => Some("email_code"),
            SignUpEvent::Provisioned(_) => Some("welcome"),
            _ => None,
        },
        Mail::STREAM => return outcome(fact, out),
        _ => None,
    };
    if let Some(template) = template {
        queue(fact, 0, template, fact.stream(), fact.id(), out);
    }
    Ok(())
}

/// The record's mail number `n`.
fn queue(fact: &Fact, n: u16, template: &str, object_kind: &str, object_id: Value, out: &mut Writes) {
    let columns = [
        ("template", cell(template)),
        ("object_kind", cell(object_kind)),
        ("object_id", object_id),
        ("state", cell("queued")),
        ("queued_at", cell(fact.time_us())),
        ("requeued", cell(0u32)),
    ];
    out.put(&EFFECTS, [cell(fact.leaf.position), cell(n)], columns);
}

/// A refusal (5xx, RFC 5321) is final; with any other code the server gave up.
fn outcome(fact: &Fact, out: &mut Writes) -> Result<(), String> {
    let said = |state: &str, code: Option<u16>, text: Option<String>| {
        vec![("state", cell(state)), ("code", cell(code)), ("diagnostic", cell(text))]
    };
    let (position, n, columns) = match fact.read()? {
        MailEvent::Sent(e) => {
            (e.effect_position, e.n, vec![("state", cell("sent")), ("sent_at", cell(fact.time_us()))])
        }
        MailEvent::Failed(e) => {
            let state = if e.code >= 500 { "failed" } else { "dead" };
            (e.effect_position, e.n, said(state, Some(e.code), Some(e.diagnostic)))
        }
        MailEvent::Bounced(e) => {
            let text = format!("{} {}", e.status, e.diagnostic).trim().to_owned();
            (e.effect_position, e.n, said("bounced", None, Some(text)))
        }
        MailEvent::Complained(e) => (e.effect_position, e.n, said("complained", None, Some(e.feedback))),
        MailEvent::Requeued(e) => {
            out.add(&EFFECTS, [cell(e.effect_position), cell(e.n)], "requeued", 1);
            let again = said("queued", None, None).into_iter().chain([("requeued_at", cell(fact.time_us()))]);
            (e.effect_position, e.n, again.collect())
        }
    };
    out.set(&EFFECTS, [cell(position), cell(n)], columns);
    Ok(())
}

/// Name of a mail's text; `None` if there is no such mail.
pub fn template_of(read: &Read, ledger: Uuid, position: u64, n: u16) -> Result<Option<String>, Refusal> {
    let sql = "SELECT template FROM effects WHERE ledger = $1 AND position = $2 AND n = $3";
    let row =
        read.sql(|connection| Ok(connection.row(Scope::Ledger(ledger), sql, &values![ledger, position, n])?))?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// A mail that is sent once more is tried as often as a new one.
pub fn anew(read: &Read, ledger: Uuid, position: u64, n: u16) -> Result<(), Refusal> {
    let sql = "DELETE FROM effect_attempts WHERE ledger = $1 AND position = $2 AND n = $3";
    let forget = |tx: &mut Tx<'_>| tx.execute(sql, &values![ledger, position, n]).map(|_| ());
    read.sql(|connection| Ok(connection.write(Scope::Ledger(ledger), forget)?))
}

/// A mail to be sent now.
#[derive(Clone, Debug)]
pub struct Due {
    /// What and to whom.
    pub letter: Letter,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// How long a mail that was handed out is not handed out again unless [`retry_later`] says so, microseconds.
pub const LEASE_US: i64 = 5 * 60 * 1_000_000;

const SYSTEM: Actor = Actor::new(actor_kind::SYSTEM, Uuid::nil(), Role::System);

/// Hands out mails that must go out now, company after company, the oldest first. Each is leased for [`LEASE_US`]; its
/// outcome must be recorded (`mail.sent`, `mail.failed`) and [`done`] called, or [`retry_later`] or [`give_back`]; what is sent
/// is what [`hold`] shows right before. A node whose view of a company's mails stands still hands out
/// none of them.
pub fn due(read: &Read, now_us: i64, limit: usize) -> Result<Vec<Due>, Refusal> {
    let waiting = "SELECT p.ledger FROM positions p WHERE p.projection = 'mail' AND p.stopped IS NULL AND EXISTS
                     (SELECT 1 FROM effects e WHERE e.ledger = p.ledger AND e.state = 'queued') ORDER BY p.ledger";
    let mails = format!(
        "SELECT * FROM {FROM} t WHERE t.ledger = :ledger AND t.state = 'queued' AND t.status = 'queued'
           AND t.next_at <= :now AND t.printed = 1 ORDER BY t.position, t.n LIMIT ?"
    );
    let mut due = vec![];
    for row in read.sql(|connection| Ok(connection.query(Scope::All, waiting, &[])?))? {
        let Some(room) = limit.checked_sub(due.len()).filter(|room| *room > 0) else { break };
        let who = Who { ledger: row.get(0)?, actor: SYSTEM, member: None, acts_for: vec![], now_us };
        let found = read.rows(&who, &mails, vec![cell(room as u64)], |row| {
            Ok(Due { letter: letter(row)?, attempts: col::<u32>(row, "attempts")? + 1 })
        })?;
        let leased = read.sql(|connection| {
            let mut mine = vec![];
            connection.write(Scope::Ledger(who.ledger), |tx| {
                for due in found {
                    // Another node may have been faster.
                    if attempt(tx, &due, now_us + LEASE_US, Some(due.attempts - 1))? {
                        mine.push(due);
                    }
                }
                Ok::<_, SqlError>(())
            })?;
            Ok(mine)
        })?;
        due.extend(leased);
    }
    Ok(due)
}

/// A mail that was handed out, as it is now, if it is still ours and still to be sent; it is leased anew. Whoever was paused, or
/// was long at the mails before it, may find that another node has taken it meanwhile, or that it was withdrawn.
pub fn hold(read: &Read, due: &Due, now_us: i64) -> Result<Option<Due>, Refusal> {
    let Letter { ledger, position, n, .. } = due.letter;
    let who = Who { ledger, actor: SYSTEM, member: None, acts_for: vec![], now_us };
    let sql = format!("SELECT * FROM {FROM} t WHERE {OURS} AND t.status = 'queued' AND t.position = ? AND t.n = ?");
    let found = read.rows(&who, &sql, vec![cell(position), cell(n)], letter)?;
    let Some(letter) = found.into_iter().next() else { return Ok(None) };
    let due = Due { letter, ..due.clone() };
    Ok(write_attempt(read, &due, now_us + LEASE_US, Some(due.attempts))?.then_some(due))
}

/// Never hands a mail out again whose outcome is recorded, whoever is behind: another node may fold the outcome later than
/// the lease lasts, or not at all while it is of an older version.
pub fn done(read: &Read, due: &Due) -> Result<(), Refusal> {
    write_attempt(read, due, i64::MAX, None).map(|_| ())
}

/// Puts a mail back that could not be handed over for now, unless another node has taken it meanwhile.
pub fn retry_later(read: &Read, due: &Due, next_at_us: i64) -> Result<(), Refusal> {
    write_attempt(read, due, next_at_us, Some(due.attempts)).map(|_| ())
}

/// Puts a mail back that was not tried, unless another node has taken it meanwhile.
pub fn give_back(read: &Read, due: &Due, now_us: i64) -> Result<(), Refusal> {
    let untried = Due { attempts: due.attempts - 1, ..due.clone() };
    write_attempt(read, &untried, now_us, Some(due.attempts)).map(|_| ())
}

fn write_attempt(read: &Read, due: &Due, next_at_us: i64, before: Option<u32>) -> Result<bool, Refusal> {
    let scope = Scope::Ledger(due.letter.ledger);
    read.sql(|connection| Ok(connection.write(scope, |tx| attempt(tx, due, next_at_us, before))?))
}

/// Writes down an attempt; false if there were not as many before as `before` says.
fn attempt(tx: &mut Tx<'_>, Due { letter, attempts }: &Due, next_at_us: i64, before: Option<u32>) -> Seen<bool> {
    let sql = "INSERT INTO effect_attempts (ledger, position, n, attempts, next_at) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (ledger, position, n) DO UPDATE SET attempts = $4, next_at = $5
               WHERE effect_attempts.attempts = coalesce($6, effect_attempts.attempts)";
    let values = values![letter.ledger, letter.position, letter.n, *attempts, next_at_us, before];
    Ok(tx.execute(sql, &values)? > 0)
}

/// A mail, as the outbox shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MailView {
    /// Position of the record that asked for it, and which of its mails: `42-0`.
    pub id: String,
    /// One of [`TEMPLATES`].
    pub template: String,
    /// To whom.
    pub to: Recipient,
    /// Subject line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// The link in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// `queued`, `sent`, `failed` (refused for good), `dead` (given up, or nothing to send any more), `bounced` (came back) or
    /// `complained` (called abuse by whoever got it).
    pub status: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was asked for.
    pub queued_at: Time,
    /// When the next server took it over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Time>,
    /// SMTP reply code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// What the mail server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<String>,
    /// Names of the files that go with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
    /// What it is about.
    pub object: ObjectOf,
}

/// What a mail is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ObjectOf {
    /// `member`, `delivery`, `visit`, `device` or `sign_up`.
    pub kind: String,
    /// Its id.
    pub id: Uuid,
}

fn view(read: &Read, row: &Row) -> Seen<MailView> {
    let letter = letter(row)?;
    let render = |server: &std::sync::Arc<dyn crate::query::Beside>| server.render(&letter);
    // Nothing is written to or about an erased person.
    let mut text = read.beside.as_ref().filter(|_| !letter.to.erased).map(render).unwrap_or_default();
    // A link to somebody's own login is for their eyes alone, whoever may read mails.
    if let Some(link) = text.link.take_if(|_| is_private(&letter.template)) {
        text.body = text.body.replace(&link, "…");
    }
    Ok(MailView {
        id: format!("{}-{}", letter.position, letter.n),
        template: letter.template,
        to: letter.to,
        subject: text.subject,
        body: text.body,
        link: text.link,
        status: col(row, "status")?,
        attempts: col(row, "attempts")?,
        queued_at: col(row, "queued_at")?,
        sent_at: col(row, "sent_at")?,
        code: col(row, "code")?,
        diagnostic: col(row, "diagnostic")?,
        attachments: text.attachments.into_iter().map(|file| file.name.to_owned()).collect(),
        object: ObjectOf { kind: letter.object_kind, id: letter.object_id },
    })
}

/// The outbox, newest first.
pub struct ListMails;

impl Query for ListMails {
    const NAME: &'static str = "list_mails";
    const PATH: &'static str = "/v1/mails";
    const PERMISSION: Permission = Permission("mail.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[
        Param { name: "status", kind: Kind::OneOf(&["queued", "sent", "failed", "dead", "bounced", "complained"]) },
        Param { name: "template", kind: Kind::OneOf(TEMPLATES) },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<MailView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new()
            .and("t.status = ?", params.text("status"))
            .and("t.template = ?", params.text("template"))
            .search(&search::has("t.search"), params.text("q"));
        let page = read.list(who, FROM, filter, params, |row| view(read, row))?;
        Ok(Listing { counts: read.counts(who, FROM, Filter::new())?, ..page })
    }
}

/// One mail.
pub struct GetMail;

impl Query for GetMail {
    const NAME: &'static str = "get_mail";
    const PATH: &'static str = "/v1/mails/{id}";
    const PERMISSION: Permission = Permission("mail.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Text }];
    type Answer = MailView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let (position, n) = params.text("id").and_then(|id| id.split_once('-')).ok_or(Refusal::NotFound)?;
        let key = [position, n].map(|part| part.parse::<u32>().ok().map(cell));
        let [Some(position), Some(n)] = key else { return Err(Refusal::NotFound) };
        let sql = format!("SELECT * FROM {FROM} t WHERE {OURS} AND t.position = ? AND t.n = ?");
        read.rows(who, &sql, vec![position, n], |row| view(read, row))?.pop().ok_or(Refusal::NotFound)
    }
}
