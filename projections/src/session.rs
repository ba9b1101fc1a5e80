//! Sessions: where somebody is logged in, so that they can end what they do not know.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::{Permission, Role};
use keiin_domain::session::{Session, SessionEvent};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event;
use crate::fact::{Fact, Opener};
use crate::query::{Filter, Kind, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, text};
use crate::view::{Row, Seen, Time, col};

/// A session ends this long after its start, used or not: what is older is over, whatever else is known of it.
const LONGEST_US: i64 = 12 * 3_600 * 1_000_000;

/// One row a session.
pub static SESSIONS: Table = Table {
    name: "sessions",
    key: &[blob("id")],
    columns: &[
        blob("member_id"),
        text("method"),
        int("second_factor"),
        int("started_at"),
        int("started_position"),
        int("ended"),
        int("since"),
        int("version"),
        int("position"),
    ],
    indexes: &["since"],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "session", revision: 1, tables: &[&SESSIONS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Session::STREAM {
        return Ok(());
    }
    match fact.read()? {
        SessionEvent::Started(e) => {
            let columns = [
                ("member_id", cell(e.member_id)),
                ("method", cell(e.method.name())),
                ("second_factor", cell(false)),
                ("started_at", cell(fact.time_us())),
                ("started_position", cell(fact.leaf.position as i64)),
                ("ended", cell(false)),
            ];
            out.born(&SESSIONS, fact, columns);
        }
        SessionEvent::Confirmed(e) => {
            let password = e.by == keiin_domain::session::Proof::Password;
            let factor = Some(("second_factor", cell(true))).filter(|_| !password);
            out.changed(&SESSIONS, fact, factor.into_iter().collect::<Vec<_>>());
        }
        SessionEvent::GlassBroken(_) => out.changed(&SESSIONS, fact, []),
        SessionEvent::Ended(_) => out.changed(&SESSIONS, fact, [("ended", cell(true))]),
        SessionEvent::Refused(_) => {}
    }
    Ok(())
}

/// A session, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// Its id; the caller's own is `session_id` of `/v1/me`.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// `password`, `login_link` or `joining`.
    pub method: String,
    /// A second factor came with it, or later.
    pub second_factor: bool,
    /// Where from; absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Which browser or program; absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Since when.
    pub started_at: Time,
}

/// Sessions as they are kept.
pub const FROM: &str = "sessions";

/// A row, and where the record stands whose context says where from: that is sealed, and read models have no copy of it.
fn view(row: &Row) -> Seen<(SessionView, u64)> {
    let started = col(row, "started_position")?;
    let view = SessionView {
        id: col(row, "id")?,
        version: col(row, "version")?,
        position: col(row, "position")?,
        method: col(row, "method")?,
        second_factor: col(row, "second_factor")?,
        ip: None,
        user_agent: None,
        started_at: col(row, "started_at")?,
    };
    Ok((view, started))
}

async fn with_origin(read: &Read, who: &Who, found: (SessionView, u64)) -> Result<SessionView, Refusal> {
    let (view, started) = found;
    let origin = event::origin_at(read, who, started).await?;
    let (ip, user_agent) = origin.map(|origin| (origin.ip, origin.user_agent)).unzip();
    Ok(SessionView { ip, user_agent, ..view })
}

/// One's own sessions that have not ended, newest first.
pub struct ListSessions;

impl Query for ListSessions {
    const NAME: &'static str = "list_sessions";
    const PATH: &'static str = "/v1/sessions";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<SessionView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let live = Filter::new()
            .and("t.member_id = ?", Some(who.person()))
            .and("t.ended = ?", Some(false))
            .and("t.started_at > ?", Some(who.now_us - LONGEST_US));
        let Listing { items, next, counts, figures } = read.list(who, FROM, live, params, view)?;
        let mut sessions = vec![];
        for found in items {
            sessions.push(with_origin(read, who, found).await?);
        }
        Ok(Listing { items: sessions, next, counts, figures })
    }
}

/// One session: one's own, or as owner or admin anybody's.
pub struct GetSession;

impl Query for GetSession {
    const NAME: &'static str = "get_session";
    const PATH: &'static str = "/v1/sessions/{id}";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[Param { name: "id", kind: Kind::Id }];
    type Answer = SessionView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        let found = read.one(who, FROM, params.id("id"), |row| Ok((col::<Uuid>(row, "member_id")?, view(row)?)))?;
        let anybodys = matches!(who.actor.role, Role::Owner | Role::Admin | Role::System);
        if anybodys || found.0 == who.person() { with_origin(read, who, found.1).await } else { Err(Refusal::NotFound) }
    }
}
