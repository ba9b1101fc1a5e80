//! Mails: what must go out because of a record, and what became of it. A row holds references only: addresses are looked
//! up and texts rendered when a mail is sent or shown, so the fold never depends on what is personal.
//!
//! An outcome is a record of its own, so even the outbox comes back by a rebuild. Only leases and attempts without an
//! outcome are kept beside, in `effect_attempts`, which a rebuild leaves alone.

use keiin_domain::command::Aggregate;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::data::DataClass;
use keiin_domain::delivery::{Delivery, DeliveryEvent};
use keiin_domain::device::{Device, DeviceEvent};
use keiin_domain::grant::{Grant, GrantEvent};
use keiin_domain::mail::{Mail, MailEvent};
use keiin_domain::member::{Member, MemberEvent};
use keiin_domain::role::{Permission, Role};
use keiin_domain::secretary::{Secretary, SecretaryEvent};
use keiin_domain::sign_up::{SignUp, SignUpEvent};
use keiin_domain::visit::{Visit, VisitEvent};
use keiin_eventlog::sql::{Scope, Tx};
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::client::Recipient;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, OURS, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Value, Writes, blob, cell, int, text};
use crate::view::{Row, Seen, SqlError, Time, col, filled};

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
        int("sent_at"),
        int("code"),
        text("diagnostic"),
    ],
    indexes: &["state, position"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "mail", revision: 5, tables: &[&EFFECTS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() == Grant::STREAM {
        // To each owner of the company: their account is what the mail's address and name are found by.
        if let GrantEvent::Approved(e) = fact.read()? {
            for (n, owner) in (0u16..).zip(e.mail_to) {
                queue(fact, n, "support_access", Member::STREAM, cell(owner), out);
            }
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
            DeliveryEvent::LinkIssued(_) | DeliveryEvent::LinkReissued(_) => Some("delivery"),
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
            VisitEvent::Registered(_) | VisitEvent::Changed(_) => Some("visit_pass"),
            VisitEvent::CheckedIn(_) => Some("arrival"),
            VisitEvent::Cancelled(_) | VisitEvent::CheckedOut(_) | VisitEvent::WalkedIn(_) => None,
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
    ];
    out.put(&EFFECTS, [cell(fact.leaf.position), cell(n)], columns);
}

/// A refusal (5xx, RFC 5321) is final; with any other code the server gave up.
fn outcome(fact: &Fact, out: &mut Writes) -> Result<(), String> {
    match fact.read()? {
        MailEvent::Sent(e) => {
            let columns = [("state", cell("sent")), ("sent_at", cell(fact.time_us()))];
            out.set(&EFFECTS, [cell(e.effect_position), cell(e.n)], columns);
        }
        MailEvent::Failed(e) => {
            let state = if e.code >= 500 { "failed" } else { "dead" };
            let columns = [("state", cell(state)), ("code", cell(e.code)), ("diagnostic", cell(e.diagnostic))];
            out.set(&EFFECTS, [cell(e.effect_position), cell(e.n)], columns);
        }
    }
    Ok(())
}

/// Texts of mails.
pub const TEMPLATES: &[&str] = &[
    "invitation", "delivery", "visit_pass", "arrival", "password_changed", "password_required", "password_reset",
    "new_device", "email_code", "welcome", "support_access", "secretary_confirm", "secretary_confirmed",
];

/// Is the link in it for its reader's eyes alone, whoever may read mails?
fn is_private(template: &str) -> bool {
    ["password_", "secretary_"].iter().any(|kind| template.starts_with(kind)) || template == "new_device"
}

/// Everything that a mail's text may need; which fields are there depends on the template.
#[derive(Clone, Debug, Serialize)]
pub struct Letter {
    /// Whose mail.
    pub ledger: Uuid,
    /// The record that asked for it.
    pub position: u64,
    /// Which of that record's mails.
    pub n: u16,
    /// One of [`TEMPLATES`].
    pub template: String,
    /// When it was asked for.
    pub queued_at: Time,
    /// `member`, `delivery`, `visit`, `device`, `sign_up` or `secretary`.
    pub object_kind: String,
    /// The invited member, the delivery, the visit, the device, the sign-up: whose secret a link needs.
    pub object_id: Uuid,
    /// To whom.
    pub to: Recipient,
    /// Who writes.
    pub company: Option<String>,
    /// Short name of a company that has just signed up.
    pub slug: Option<String>,
    /// Role of an invited member.
    pub role: Option<String>,
    /// Of a delivered document.
    pub document_number: Option<String>,
    /// Of a delivered document.
    pub document_title: Option<String>,
    /// Written by the sender of a delivery.
    pub message: Option<String>,
    /// Of an invitation or a link.
    pub expires_at: Option<Time>,
    /// Who comes or came.
    pub visitor_name: Option<String>,
    /// From where.
    pub visitor_company: Option<String>,
    /// Who is visited.
    pub host_name: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// From when.
    pub starts_at: Option<Time>,
    /// Until when.
    pub ends_at: Option<Time>,
    /// When they came.
    pub arrived_at: Option<Time>,
    /// Who logged in by a device.
    pub member_id: Option<Uuid>,
}

/// A mail's text in one language.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Subject line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// The link in it.
    pub link: Option<String>,
}

/// Mails with everything that [`Letter`] needs. A pass for a visitor without an address is no mail. What cannot be sent any
/// more (withdrawn, cancelled, erased) is dead.
pub const FROM: &str = "(SELECT f.*, f.position AS since, f.n AS id,
        CASE WHEN f.state = 'queued' AND f.live = 0 THEN 'dead' ELSE f.state END AS status
      FROM (SELECT e.*, coalesce(a.attempts, 0) AS attempts, coalesce(a.next_at, 0) AS next_at, c.name AS company,
          s.slug, m.role, (SELECT string_agg(o.number, ', ' ORDER BY x.n) FROM delivery_documents x JOIN documents o ON o.ledger = x.ledger
            AND o.id = x.document_id WHERE x.ledger = d.ledger AND x.delivery_id = d.id) AS document_number,
          o.title AS document_title, d.message,
          CASE e.template WHEN 'invitation' THEN m.expires_at WHEN 'delivery' THEN d.expires_at
            WHEN 'email_code' THEN s.code_expires_at WHEN 'secretary_confirm' THEN y.expires_at
            ELSE m.reset_expires_at END AS expires_at,
          coalesce(v.visitor_name, ys.name) AS visitor_name, v.visitor_company, coalesce(h.name, yl.name) AS host_name,
          v.location, v.starts_at, v.ends_at, v.arrived_at,
          g.member_id, CASE e.object_kind WHEN 'member' THEN m.name WHEN 'delivery' THEN d.to_name
            WHEN 'device' THEN gm.name WHEN 'sign_up' THEN substr(s.email, 1, 0)
            WHEN 'secretary' THEN CASE e.template WHEN 'secretary_confirm' THEN ys.name ELSE yl.name END
            ELSE CASE e.template WHEN 'visit_pass' THEN v.visitor_name ELSE h.name END END AS to_name,
          CASE e.object_kind WHEN 'member' THEN m.email WHEN 'delivery' THEN d.to_email
            WHEN 'device' THEN gm.email WHEN 'sign_up' THEN s.email
            WHEN 'secretary' THEN CASE e.template WHEN 'secretary_confirm' THEN ys.email ELSE yl.email END
            ELSE CASE e.template WHEN 'visit_pass' THEN v.visitor_email ELSE h.email END END AS to_email,
          CASE WHEN CASE e.template WHEN 'invitation' THEN m.status = 'invited' AND m.email IS NOT NULL
            WHEN 'password_changed' THEN m.email IS NOT NULL
            WHEN 'support_access' THEN m.status = 'active' AND m.email IS NOT NULL
            WHEN 'new_device' THEN gm.email IS NOT NULL
            WHEN 'secretary_confirm' THEN y.ended = 0 AND y.expires_at > :now AND ys.email IS NOT NULL
            WHEN 'secretary_confirmed' THEN yl.email IS NOT NULL
            WHEN 'password_reset' THEN m.status = 'active' AND m.reset_expires_at > :now AND m.email IS NOT NULL
            WHEN 'password_required' THEN m.status = 'active' AND m.reset_expires_at > :now AND m.email IS NOT NULL
            WHEN 'delivery' THEN d.mailed = e.position AND d.revoked = 0 AND d.expires_at > :now
              AND d.to_email IS NOT NULL
            WHEN 'visit_pass' THEN v.state = 'expected' AND v.visitor_email IS NOT NULL
            WHEN 'email_code' THEN s.verified = 0 AND s.code_expires_at > :now AND s.email IS NOT NULL
            WHEN 'welcome' THEN s.email IS NOT NULL
            ELSE h.email IS NOT NULL END THEN 1 ELSE 0 END AS live,
          CASE WHEN EXISTS (SELECT 1 FROM delivery_documents x JOIN documents u ON u.ledger = x.ledger
            AND u.id = x.document_id AND u.unprinted = 1 WHERE x.ledger = d.ledger AND x.delivery_id = d.id)
            THEN 0 ELSE 1 END AS printed
        FROM effects e
        LEFT JOIN effect_attempts a ON a.ledger = e.ledger AND a.position = e.position AND a.n = e.n
        LEFT JOIN tenants c ON c.ledger = e.ledger AND c.id = e.ledger
        LEFT JOIN members m ON m.ledger = e.ledger AND m.id = e.object_id
        LEFT JOIN deliveries d ON d.ledger = e.ledger AND d.id = e.object_id
        LEFT JOIN documents o ON o.ledger = d.ledger AND o.id = d.document_id
        LEFT JOIN visits v ON v.ledger = e.ledger AND v.id = e.object_id
        LEFT JOIN sign_ups s ON s.ledger = e.ledger AND s.id = e.object_id
        LEFT JOIN members h ON h.ledger = v.ledger AND h.id = v.host_id
        LEFT JOIN secretaries y ON y.ledger = e.ledger AND y.id = e.object_id
        LEFT JOIN members ys ON ys.ledger = y.ledger AND ys.id = y.secretary
        LEFT JOIN members yl ON yl.ledger = y.ledger AND yl.id = y.lawyer
        LEFT JOIN devices g ON g.ledger = e.ledger AND g.id = e.object_id
        LEFT JOIN members gm ON gm.ledger = g.ledger AND gm.id = g.member_id) f
      WHERE f.to_email IS NULL OR f.to_email <> '')";

fn letter(row: &Row) -> Seen<Letter> {
    Ok(Letter {
        ledger: col(row, "ledger")?,
        position: col(row, "position")?,
        n: col(row, "n")?,
        template: col(row, "template")?,
        queued_at: col(row, "queued_at")?,
        object_kind: col(row, "object_kind")?,
        object_id: col(row, "object_id")?,
        to: Recipient::read(row, "to_name", "to_email")?,
        company: col(row, "company")?,
        slug: col(row, "slug")?,
        role: col(row, "role")?,
        document_number: col(row, "document_number")?,
        document_title: col(row, "document_title")?,
        message: col::<Option<_>>(row, "message")?.and_then(filled),
        expires_at: col(row, "expires_at")?,
        visitor_name: col(row, "visitor_name")?,
        visitor_company: col::<Option<_>>(row, "visitor_company")?.and_then(filled),
        host_name: col(row, "host_name")?,
        location: col(row, "location")?,
        starts_at: col(row, "starts_at")?,
        ends_at: col(row, "ends_at")?,
        arrived_at: col(row, "arrived_at")?,
        member_id: col(row, "member_id")?,
    })
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
/// outcome must be recorded (`mail.sent`, `mail.failed`), or [`retry_later`] or [`give_back`] called.
pub fn due(read: &Read, now_us: i64, limit: usize) -> Result<Vec<Due>, Refusal> {
    let waiting = "SELECT p.ledger FROM positions p WHERE p.projection = 'mail' AND EXISTS
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

/// Puts a mail back that could not be handed over for now.
pub fn retry_later(read: &Read, due: &Due, next_at_us: i64) -> Result<(), Refusal> {
    let scope = Scope::Ledger(due.letter.ledger);
    read.sql(|connection| Ok(connection.write(scope, |tx| attempt(tx, due, next_at_us, None).map(|_| ()))?))
}

/// Puts a mail back that was not tried.
pub fn give_back(read: &Read, due: &Due, now_us: i64) -> Result<(), Refusal> {
    retry_later(read, &Due { attempts: due.attempts - 1, ..due.clone() }, now_us)
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
    /// `queued`, `sent`, `failed` (refused for good) or `dead` (given up, or nothing to send any more).
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
        Param { name: "status", kind: Kind::OneOf(&["queued", "sent", "failed", "dead"]) },
        Param { name: "template", kind: Kind::OneOf(TEMPLATES) },
        Param { name: "q", kind: Kind::Text },
    ];
    const LIST: bool = true;
    type Answer = Listing<MailView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let filter = Filter::new()
            .and("t.status = ?", params.text("status"))
            .and("t.template = ?", params.text("template"))
            .like(&["to_name", "to_email"], params.text("q"));
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
