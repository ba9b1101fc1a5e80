//! What follows an arrival: whom it was told to and whether the mail went, what they answered, what the blocklist said, and what
//! the server still has to do about it. Nothing here is personal.

use keiin_domain::command::Aggregate;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::data::DataClass;
use keiin_domain::role::{Permission, Role};
use keiin_domain::visit::{EscalationReason, MatchMoment, Notice, Visit, VisitEvent};
use keiin_eventlog::sql::{Scope, ToValue};
use keiin_eventlog::values;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::history::{self, CORRECTIONS};
use super::{VisitView, from, own_only, view};
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Columns, Table, Value, Writes, blob, cell, int, text};
use crate::view::{Json, Named, Row, Seen, SqlError, Time, col, json};

/// One row a visit: where it stands since the last arrival. `present` = in the house; `held` = the reception decides.
pub static AFTER: Table = Table {
    name: "visit_after",
    key: &[blob("id")],
    columns: &[
        int("present"),
        int("arrived_at"),
        int("announced_at"),
        int("escalated_at"),
        text("why"),
        text("answer"),
        blob("answered_by"),
        int("answered_at"),
        int("held"),
        int("held_at"),
        text("held_why"),
        text("entries"),
        int("erasure"),
        int("by_policy"),
    ],
    indexes: &["present, announced_at", "held, escalated_at", "erasure"],
    only_grows: false,
};

/// One row a mail to somebody about an arrival: the record that asked for it, and which of its mails.
pub static NOTICES: Table = Table {
    name: "visit_notices",
    key: &[int("position"), int("n")],
    columns: &[blob("visit_id"), blob("member_id"), blob("secret_hash"), text("why"), int("at")],
    indexes: &["visit_id", "member_id"],
    only_grows: true,
};

/// One row each time that somebody came in or left: a visit over several days has many.
pub static MOVES: Table = Table {
    name: "visit_moves",
    key: &[int("position")],
    columns: &[blob("visit_id"), int("entered"), int("at"), int("late")],
    indexes: &["visit_id, position", "at"],
    only_grows: true,
};

/// The projection.
pub const AFTER_PROJECTION: Projection =
    Projection { name: "visit_after", revision: 2, tables: &[&AFTER, &NOTICES, &MOVES, &CORRECTIONS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Visit::STREAM {
        return Ok(());
    }
    // A kiosk that was cut off says later when a visitor came.
    let (id, now) = ([fact.id()], cell(fact.happened_us()));
    match fact.read()? {
        VisitEvent::Registered(_) => out.put(&AFTER, id, [("present", cell(false)), ("held", cell(false))]),
        VisitEvent::WalkedIn(_) => {
            moved(fact, Some(false), out);
            let here = [("present", cell(true)), ("arrived_at", now), ("held", cell(false))];
            out.put(&AFTER, id, here);
        }
        VisitEvent::CheckedIn(e) => {
            moved(fact, Some(e.late), out);
            let mut anew = vec![("present", cell(true)), ("arrived_at", now), ("held", cell(false))];
            let empty = ["announced_at", "escalated_at", "why", "answer", "answered_by", "answered_at"];
            anew.extend(empty.map(|column| (column, Value::Null)));
            out.set(&AFTER, id, anew);
        }
        VisitEvent::CheckedOut(_) => {
            moved(fact, None, out);
            out.set(&AFTER, id, [("present", cell(false))]);
        }
        VisitEvent::Announced(e) => {
            told(fact, e.to, None, out);
            out.set(&AFTER, id, [("announced_at", now)]);
        }
        VisitEvent::Escalated(e) => {
            told(fact, e.to, Some(e.why.name()), out);
            out.set(&AFTER, id, [("escalated_at", now), ("why", cell(e.why.name()))]);
        }
        VisitEvent::Acknowledged(e) => {
            let answer = [("answer", cell(e.answer.name())), ("answered_by", cell(e.member_id)), ("answered_at", now)];
            out.set(&AFTER, id, answer);
        }
        VisitEvent::Matched(e) => {
            let mut columns = vec![("entries", cell(json(&e.entries)))];
            if e.moment == MatchMoment::Arrived {
                columns.extend(held(now, EscalationReason::Blocklist));
            }
            stopped(fact, columns, e.visitor.is_some(), out);
        }
        VisitEvent::ScreeningFailed(e) => {
            stopped(fact, held(now, EscalationReason::NotScreened), e.visitor.is_some(), out);
        }
        VisitEvent::Corrected(e) => history::corrected(fact, e, out),
        VisitEvent::TurnedAway(_) | VisitEvent::Cancelled(_) => out.set(&AFTER, id, [("held", cell(false))]),
        VisitEvent::ErasureOrdered(e) => {
            out.set(&AFTER, id, [("erasure", cell(true)), ("by_policy", cell(e.by_policy))]);
        }
        VisitEvent::Overridden(_)
        | VisitEvent::Changed(_)
        | VisitEvent::Rescheduled(_)
        | VisitEvent::VisitorAdded(_)
        | VisitEvent::Reminded(_) => {}
    }
    Ok(())
}

/// The reception decides about somebody at the door.
fn held(since: Value, why: EscalationReason) -> Columns {
    let why = ("held_why", cell(why.name()));
    vec![("held", cell(true)), ("held_at", since), why, ("escalated_at", Value::Null)]
}

/// Somebody was stopped at the door; `is_new`: who came without an appointment, and has no row yet.
fn stopped(fact: &Fact, mut columns: Columns, is_new: bool, out: &mut Writes) {
    if is_new {
        columns.push(("present", cell(false)));
        out.put(&AFTER, [fact.id()], columns);
    } else {
        out.set(&AFTER, [fact.id()], columns);
    }
}

/// Somebody came in, late or not, or left.
fn moved(fact: &Fact, entered: Option<bool>, out: &mut Writes) {
    let columns = [
        ("visit_id", fact.id()),
        ("entered", cell(entered.is_some())),
        ("at", cell(fact.happened_us())),
        ("late", cell(entered.unwrap_or(false))),
    ];
    out.put(&MOVES, [cell(fact.leaf.position)], columns);
}

fn told(fact: &Fact, to: Vec<Notice>, why: Option<&str>, out: &mut Writes) {
    for (n, notice) in (0u16..).zip(to) {
        let columns = [
            ("visit_id", fact.id()),
            ("member_id", cell(notice.member_id)),
            ("secret_hash", cell(notice.secret_hash)),
            ("why", why.to_value()),
            ("at", cell(fact.time_us())),
        ];
        out.put(&NOTICES, [cell(fact.leaf.position), cell(n)], columns);
    }
}

/// How long after an arrival somebody is still told of it, microseconds: after a longer stop it would be of no use.
const FRESH_US: i64 = 24 * 3_600 * 1_000_000;

/// A visit for which the server has something to do: its company and its id.
pub type Due = (Uuid, Uuid);

fn due(read: &Read, sql: &str, values: &[Value]) -> Result<Vec<Due>, Refusal> {
    let rows = read.sql(|connection| Ok(connection.query(Scope::All, sql, values)?))?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Seen<_>>()?)
}

/// Arrivals of which the hosts were not told yet.
pub fn unannounced(read: &Read, now_us: i64, limit: usize) -> Result<Vec<Due>, Refusal> {
    let sql = "SELECT a.ledger, a.id FROM visit_after a JOIN visits v ON v.ledger = a.ledger AND v.id = a.id
               WHERE a.present = 1 AND a.announced_at IS NULL AND a.arrived_at > $1 AND v.host_id IS NOT NULL
               ORDER BY a.arrived_at LIMIT $2";
    due(read, sql, &values![now_us - FRESH_US, limit as u64])
}

/// Arrivals of which the reception is to be told: nobody answered in the company's time, nobody is visited, or the reception
/// decides about the visitor.
pub fn unanswered(read: &Read, now_us: i64, limit: usize) -> Result<Vec<Due>, Refusal> {
    let sql = "SELECT a.ledger, a.id FROM visit_after a JOIN visits v ON v.ledger = a.ledger AND v.id = a.id
               LEFT JOIN visit_policies p ON p.ledger = a.ledger AND p.id = a.ledger
               WHERE a.escalated_at IS NULL AND ((a.held = 1 AND a.held_at > $1)
                 OR (a.present = 1 AND a.arrived_at > $1 AND a.answer IS NULL AND (v.host_id IS NULL
                   OR a.announced_at + 60000000 * coalesce(p.escalate_after_min, 5) <= $2)))
               ORDER BY a.arrived_at LIMIT $3";
    due(read, sql, &values![now_us - FRESH_US, now_us, limit as u64])
}

/// Visits whose visitor the company does not want to know any longer.
pub fn kept_too_long(read: &Read, now_us: i64, limit: usize) -> Result<Vec<Due>, Refusal> {
    let sql = "SELECT v.ledger, v.id FROM visit_policies p JOIN visits v ON v.ledger = p.ledger
               JOIN visit_after a ON a.ledger = v.ledger AND a.id = v.id
               WHERE p.keep_days IS NOT NULL AND a.erasure IS NULL
                 AND CASE WHEN v.over_at IS NULL OR a.arrived_at > v.over_at THEN coalesce(v.left_at, a.arrived_at, a.held_at)
                   ELSE v.over_at END + 86400000000 * p.keep_days <= $1
               ORDER BY v.since LIMIT $2";
    due(read, sql, &values![now_us, limit as u64])
}

/// Persons whose erasure was ordered and not carried out: company and subject.
pub fn unerased(read: &Read, limit: usize) -> Result<Vec<Due>, Refusal> {
    let sql = "SELECT v.ledger, v.subject FROM visit_after a JOIN visits v ON v.ledger = a.ledger AND v.id = a.id
               WHERE a.erasure = 1 AND v.visitor_name IS NOT NULL LIMIT $1";
    due(read, sql, &values![limit as u64])
}

/// The person behind a visit, and whether they were erased.
pub fn visitor_of(read: &Read, ledger: Uuid, visit: Uuid) -> Result<Option<Uuid>, Refusal> {
    let sql = "SELECT subject FROM visits WHERE ledger = $1 AND id = $2 AND visitor_name IS NOT NULL";
    let row = read.sql(|connection| Ok(connection.row(Scope::Ledger(ledger), sql, &values![ledger, visit])?))?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Who is told when nobody answers: whom the company chose, else whoever has the role of the reception, else the owners.
/// Only who may still act.
pub fn reception(read: &Read, ledger: Uuid) -> Result<Vec<Uuid>, Refusal> {
    const SYSTEM: Actor = Actor::new(actor_kind::SYSTEM, Uuid::nil(), Role::System);
    let who = Who { ledger, actor: SYSTEM, member: None, acts_for: vec![], now_us: 0 };
    let sql = "SELECT tell FROM visit_policies t WHERE t.ledger = :ledger AND t.id = :ledger";
    let chosen = read.rows(&who, sql, vec![], |row| Ok(col::<Json<Vec<Uuid>>>(row, "tell")?.0))?;
    let chosen = chosen.into_iter().next().unwrap_or_default();
    let sql = "SELECT t.id, t.role FROM members t WHERE t.ledger = :ledger AND t.status = 'active' ORDER BY t.id";
    let all: Vec<(Uuid, String)> = read.rows(&who, sql, vec![], |row| Ok((col(row, "id")?, col(row, "role")?)))?;
    let some = |wanted: &dyn Fn(&(Uuid, String)) -> bool| -> Vec<Uuid> {
        all.iter()
            .filter(|member| wanted(member))
            .map(|(id, _)| *id)
            .take(keiin_domain::visit_policy::TELL_MAX)
            .collect()
    };
    let receptionists = || some(&|(_, role)| role == Role::Receptionist.name());
    let owners = || some(&|(_, role)| role == Role::Owner.name());
    let ways = [some(&|(id, _)| chosen.contains(id)), receptionists(), owners()];
    Ok(ways.into_iter().find(|way| !way.is_empty()).unwrap_or_default())
}

/// What has followed the last arrival, as shown.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct AfterView {
    /// `coming`, `wait` or `someone_else`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<Named>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Time>,
    /// Who was told, the newest first.
    pub notices: Vec<NoticeView>,
    /// What became of messages to Slack and to programs, the newest first.
    pub messages: Vec<MessageView>,
    /// The reception decides whether they come in.
    pub held: bool,
    /// Because nobody could say whether the blocklist names them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_screened: bool,
    /// Entries of the blocklist that name the visitor; only for who may read it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<EntryOf>,
    /// What was known of the visitor was erased, or is about to be.
    pub erased: bool,
    /// Because the company's time for keeping it was up.
    pub by_policy: bool,
}

/// Somebody who was told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NoticeView {
    /// Who.
    pub member: Named,
    /// Since when.
    pub at: Time,
    /// Why the reception: `no_answer`, `nobody_to_ask`, `blocklist` or `not_screened`; absent for hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What became of the mail: as in `list_mails`.
    pub mail: String,
}

/// A message to an endpoint about this visit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageView {
    /// Which endpoint.
    pub webhook: Named,
    /// Of what it was told.
    pub event: String,
    /// `queued`, `delivered` or `dead` (given up).
    pub status: String,
}

/// An entry of the blocklist.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryOf {
    /// Its id.
    pub id: Uuid,
    /// What it names; absent once it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the reception should know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

fn named(row: &Row, id: &str, name: &str) -> Seen<Option<Named>> {
    let id: Option<Uuid> = col(row, id)?;
    id.map(|id| Ok::<_, SqlError>(Named { id, name: col(row, name)? })).transpose()
}

/// What has followed a visit's last arrival.
pub(super) fn of(read: &Read, who: &Who, visit: Uuid) -> Result<AfterView, Refusal> {
    let sql = "SELECT a.*, m.name AS answered_name FROM visit_after a
               LEFT JOIN members m ON m.ledger = a.ledger AND m.id = a.answered_by
               WHERE a.ledger = :ledger AND a.id = ?";
    let row = |row: &Row| {
        let entries = col::<Option<Json<Vec<Uuid>>>>(row, "entries")?.map_or(vec![], |entries| entries.0);
        let held = col::<Option<bool>>(row, "held")?.unwrap_or(false);
        let why: Option<String> = col(row, "held_why")?;
        let after = AfterView {
            answer: col(row, "answer")?,
            answered_by: named(row, "answered_by", "answered_name")?,
            answered_at: col(row, "answered_at")?,
            held,
            not_screened: held && why.as_deref() == Some(EscalationReason::NotScreened.name()),
            erased: col::<Option<bool>>(row, "erasure")?.unwrap_or(false),
            by_policy: col::<Option<bool>>(row, "by_policy")?.unwrap_or(false),
            ..AfterView::default()
        };
        Ok((after, entries))
    };
    let (mut after, entries) = read.rows(who, sql, vec![cell(visit)], row)?.pop().unwrap_or_default();
    after.notices = notices(read, who, visit)?;
    after.messages = messages(read, who, visit)?;
    if who.actor.may(Permission("blocklist_entry.read")) {
        after.entries = named_by(read, who, &entries)?;
    } else {
        // Whether the blocklist names them, and that there is one, is for the reception to know.
        let of_list = [EscalationReason::Blocklist, EscalationReason::NotScreened].map(|why| Some(why.name()));
        after.notices.retain(|notice| !of_list.contains(&notice.why.as_deref()));
        after.not_screened = false;
    }
    Ok(after)
}

fn notices(read: &Read, who: &Who, visit: Uuid) -> Result<Vec<NoticeView>, Refusal> {
    let sql = "SELECT t.*, m.name AS member_name, f.state FROM visit_notices t
         LEFT JOIN members m ON m.ledger = t.ledger AND m.id = t.member_id
         LEFT JOIN effects f ON f.ledger = t.ledger AND f.position = t.position AND f.n = t.n
         WHERE t.ledger = :ledger AND t.visit_id = ? ORDER BY t.position DESC, t.n LIMIT 40";
    read.rows(who, sql, vec![cell(visit)], |row| {
        Ok(NoticeView {
            member: Named { id: col(row, "member_id")?, name: col(row, "member_name")? },
            at: col(row, "at")?,
            why: col(row, "why")?,
            mail: col::<Option<String>>(row, "state")?.unwrap_or_else(|| "dead".to_owned()),
        })
    })
}

fn messages(read: &Read, who: &Who, visit: Uuid) -> Result<Vec<MessageView>, Refusal> {
    let sql = "SELECT t.webhook_id, w.description, e.kind, t.status FROM events e
         JOIN webhook_deliveries t ON t.ledger = e.ledger AND t.position = e.position
         JOIN webhooks w ON w.ledger = t.ledger AND w.id = t.webhook_id
         WHERE e.ledger = :ledger AND e.stream_id = ? ORDER BY e.position DESC LIMIT 40";
    read.rows(who, sql, vec![cell(visit)], |row| {
        Ok(MessageView {
            webhook: Named { id: col(row, "webhook_id")?, name: col(row, "description")? },
            event: col(row, "kind")?,
            status: col(row, "status")?,
        })
    })
}

fn named_by(read: &Read, who: &Who, entries: &[Uuid]) -> Result<Vec<EntryOf>, Refusal> {
    let mut found = vec![];
    for id in entries {
        let sql = "SELECT t.value, t.reason FROM blocklist_entries t WHERE t.ledger = :ledger AND t.id = ?";
        let entry = |row: &Row| Ok(EntryOf { id: *id, value: col(row, "value")?, reason: col(row, "reason")? });
        found.extend(read.rows(who, sql, vec![cell(*id)], entry)?);
    }
    Ok(found)
}

/// Records `t` of visits that concern somebody: all, or where they see their own only, those of which they were told.
pub(crate) fn told_of(who: &Who) -> Filter {
    let told = "EXISTS (SELECT 1 FROM visit_notices n WHERE n.ledger = t.ledger AND n.visit_id = t.stream_id AND n.member_id = ?)";
    let me = own_only(who).map(|_| who.person());
    Filter::new().and("t.stream_kind = ?", Some(Visit::STREAM)).and(told, me)
}

/// Somebody at the door for whom something is to be done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WaitingView {
    /// The visit.
    #[serde(flatten)]
    pub visit: VisitView,
    /// Why the reception is concerned: `no_answer`, `nobody_to_ask`, `blocklist` or `not_screened`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Visitors at the door, once for each member whom they concern. `everybody`: also those who are the reception's; `decides`: also
/// those about whom the reception decides, which is for nobody else to know.
pub fn waiting_from(everybody: bool, decides: bool) -> String {
    let told = "EXISTS (SELECT 1 FROM visit_notices n WHERE n.ledger = v.ledger AND n.visit_id = v.id
                  AND n.at >= a.arrived_at AND n.member_id = m.id)";
    let here = format!("a.present = 1 AND a.answer IS NULL AND a.arrived_at > :now - {FRESH_US}");
    let mine = format!("({here} AND (v.host_id = m.id OR {told}))");
    let reception = format!("({here} AND (a.why IS NOT NULL OR v.host_id IS NULL))");
    let held = format!("(a.held = 1 AND a.held_at > :now - {FRESH_US})");
    let mut concerned = mine;
    if everybody {
        concerned = format!("({concerned} OR {reception})");
    }
    if decides {
        concerned = format!("({concerned} OR {held})");
    }
    format!(
        "(SELECT v.*, CASE WHEN a.held = 1 THEN a.held_why ELSE a.why END AS concern, m.id AS me
          FROM {} v JOIN visit_after a ON a.ledger = v.ledger AND a.id = v.id
          JOIN members m ON m.ledger = v.ledger WHERE {concerned})",
        from()
    )
}

/// Visitors at the door who wait for an answer of the caller: their own, and for the reception also those to whom nobody comes
/// and those whom the blocklist names. Who came more than a day ago is not among them.
pub struct ListWaitingVisits;

impl Query for ListWaitingVisits {
    const NAME: &'static str = "list_waiting_visits";
    const PATH: &'static str = "/v1/waiting_visits";
    const PERMISSION: Permission = Permission("visit.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<WaitingView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let (everybody, decides) = (own_only(who).is_none(), who.actor.may(Permission("blocklist_entry.read")));
        let source = waiting_from(everybody, decides);
        let filter = Filter::new().and("t.me = ?", Some(who.person()));
        read.list(who, &source, filter, params, |row| Ok(WaitingView { visit: view(row)?, why: col(row, "concern")? }))
    }
}
