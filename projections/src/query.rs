//! Queries: what can be asked of the read models. Policy is constant on the type, as with commands; SQL stands here and
//! nowhere above.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use keiin_domain::context::Actor;
use keiin_domain::date::Date;
use keiin_domain::role::Permission;
use keiin_eventlog::log::Log;
use keiin_eventlog::vault::Vault;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::runner;

/// Most items on a page.
pub const MAX_LIMIT: usize = 200;
const DEFAULT_LIMIT: usize = 50;

/// Who asks. The permission was checked before a query runs.
#[derive(Clone, Debug)]
pub struct Who {
    /// The company.
    pub ledger: Uuid,
    /// The actor.
    pub actor: Actor,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing in this company; a stranger's thing looks the same.
    #[error("not found")]
    NotFound,
    /// A parameter cannot be read.
    #[error("parameter {0}")]
    BadParameter(&'static str),
    /// The read model or the log failed.
    #[error(transparent)]
    Failed(#[from] runner::ReadModelError),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::QueryReturnedNoRows => Refusal::NotFound,
            other => Refusal::Failed(other.into()),
        }
    }
}

impl From<keiin_eventlog::store::StoreError> for Refusal {
    fn from(error: keiin_eventlog::store::StoreError) -> Self {
        Refusal::Failed(error.into())
    }
}

/// What a parameter may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A UUID.
    Id,
    /// Any text up to 200 characters.
    Text,
    /// `YYYY-MM-DD`, a day in Japan.
    Day,
    /// A whole number from 0.
    Number,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// A parameter of a query: in the path if the path names it, else in the query string.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it may hold.
    pub kind: Kind,
}

/// Parameters of every list.
pub const PAGING: [Param; 2] =
    [Param { name: "limit", kind: Kind::Number }, Param { name: "cursor", kind: Kind::Text }];

/// The parameters of one call, each already checked against its [`Kind`].
#[derive(Clone, Debug, Default)]
pub struct Params(pub BTreeMap<String, String>);

impl Params {
    /// Reads and checks; unknown names are refused. Empty values count as absent. The error names the parameter.
    pub fn read(given: BTreeMap<String, String>, known: &[&[Param]]) -> Result<Params, String> {
        let mut params = BTreeMap::new();
        for (name, value) in given {
            let param = known.iter().copied().flatten().find(|p| p.name == name).ok_or(name.clone())?;
            let good = match param.kind {
                Kind::Id => Uuid::parse_str(&value).is_ok_and(|id| id.to_string() == value),
                Kind::Text => value.chars().count() <= 200 && !value.contains('\0'),
                Kind::Day => Date::parse(&value).is_some(),
                Kind::Number => !value.starts_with('+') && value.parse::<u64>().is_ok_and(|n| n < 1 << 53),
                Kind::OneOf(words) => words.contains(&value.as_str()),
            };
            if !good && !value.is_empty() {
                return Err(name);
            }
            if !value.is_empty() {
                params.insert(name, value);
            }
        }
        Ok(Params(params))
    }

    /// A text, a word or a cursor.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The id in the path.
    pub fn id(&self, name: &str) -> Option<Uuid> {
        self.text(name).and_then(|text| Uuid::parse_str(text).ok())
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    /// The first microsecond of a day in Japan (UTC+9, no summer time).
    pub fn day_start_us(&self, name: &str) -> Option<i64> {
        let day = Date::parse(self.text(name)?)?;
        Some((i64::from(day.0) * 86_400 - 32_400) * 1_000_000)
    }

    /// Items wanted.
    pub fn limit(&self) -> usize {
        self.number("limit").map_or(DEFAULT_LIMIT, |n| (n as usize).clamp(1, MAX_LIMIT))
    }
}

/// Something that can be asked.
pub trait Query: 'static {
    /// Snake case; the operationId.
    const NAME: &'static str;
    /// GET path, `{id}` or `{position}` where the object stands.
    const PATH: &'static str;
    /// Who may.
    const PERMISSION: Permission;
    /// Beside those in the path, which are listed too.
    const PARAMS: &'static [Param];
    /// A list: [`PAGING`] is added.
    const LIST: bool = false;
    /// What comes back.
    type Answer: Serialize + ToSchema + Send;
    /// Answers.
    fn run(read: &Read, who: &Who, params: &Params) -> impl Future<Output = Result<Self::Answer, Refusal>> + Send;
}

/// A page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// At most `limit`.
    pub items: Vec<T>,
    /// Cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many there are by status, where the list has statuses; not narrowed by the filters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<BTreeMap<String, u64>>,
}

/// Conditions of one list, in SQL and values.
#[derive(Debug)]
pub struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    /// Rows of one company.
    pub fn of(who: &Who) -> Filter {
        Filter { sql: "ledger = ?".into(), values: vec![crate::table::id(who.ledger)] }
    }

    /// Narrows by a condition with one `?`, if there is a value.
    pub fn and(mut self, condition: &'static str, value: Option<impl Into<Value>>) -> Filter {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.values.push(value.into());
        }
        self
    }

    /// Narrows to rows that have the text in one of some columns (`a || ' ' || b LIKE ?`).
    pub fn like(self, condition: &'static str, text: Option<&str>) -> Filter {
        let pattern = |text: &str| format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        self.and(condition, text.map(|text| Value::Text(pattern(text))))
    }
}

/// The read models of this process, and what a query may use beside them.
pub struct Read {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// For event details.
    pub log: Log,
    /// For opening bodies.
    pub vault: Arc<Vault>,
    cursor_key: [u8; 32],
}

impl Read {
    /// Reads from the `read.db` of a runner. `cursor_key` must be the same for all nodes behind one address.
    pub fn new(path: PathBuf, log: Log, vault: Arc<Vault>, cursor_key: [u8; 32]) -> Read {
        Read { path, idle: Mutex::new(vec![]), log, vault, cursor_key }
    }

    /// Runs SQL on a pooled connection.
    pub fn sql<T>(&self, run: impl FnOnce(&Connection) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let pooled = self.idle.lock().expect("the pool is only pushed to and popped from").pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => runner::connect(&self.path)?,
        };
        let answer = run(&connection);
        let mut idle = self.idle.lock().expect("the pool is only pushed to and popped from");
        if idle.len() < 8 {
            idle.push(connection);
        }
        answer
    }

    /// One row of one company by its key.
    pub fn one<T>(
        &self,
        who: &Who,
        sql: &str,
        key: Value,
        read: impl FnOnce(&Row) -> rusqlite::Result<T>,
    ) -> Result<T, Refusal> {
        self.sql(|c| Ok(c.prepare_cached(sql)?.query_row([crate::table::id(who.ledger), key], read)?))
    }

    /// A page of a list. `select` ends before WHERE; its first column is the sort number, its second the id; the list is
    /// sorted by both, largest first.
    pub fn list<T>(
        &self,
        select: &str,
        sort: (&'static str, &'static str),
        filter: Filter,
        params: &Params,
        mut read: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Listing<T>, Refusal> {
        let limit = params.limit();
        let mut filter = filter;
        if let Some(cursor) = params.text("cursor") {
            let (number, id) = self.open_cursor(cursor).ok_or(Refusal::BadParameter("cursor"))?;
            filter.sql.push_str(&format!(" AND ({}, {}) < (?, ?)", sort.0, sort.1));
            filter.values.extend([Value::Integer(number), Value::Blob(id)]);
        }
        let sql =
            format!("{select} WHERE {} ORDER BY {} DESC, {} DESC LIMIT {}", filter.sql, sort.0, sort.1, limit + 1);
        self.sql(|c| {
            let mut statement = c.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(filter.values))?;
            let (mut items, mut last, mut next) = (vec![], None, None);
            while let Some(row) = rows.next()? {
                if items.len() == limit {
                    next = last.map(|(number, id): (i64, Vec<u8>)| self.cursor(number, &id));
                    break;
                }
                last = Some((row.get(0)?, row.get(1)?));
                items.push(read(row)?);
            }
            Ok(Listing { items, next, counts: None })
        })
    }

    /// How many rows there are by a column.
    pub fn counts(&self, who: &Who, sql: &str) -> Result<BTreeMap<String, u64>, Refusal> {
        self.sql(|c| {
            let mut statement = c.prepare_cached(sql)?;
            let rows = statement.query_map([crate::table::id(who.ledger)], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Opaque to the caller, and only ours are accepted.
    fn cursor(&self, number: i64, id: &[u8]) -> String {
        let body = [&number.to_be_bytes()[..], id].concat();
        URL_SAFE_NO_PAD.encode([&body[..], &self.mac(&body)[..]].concat())
    }

    fn open_cursor(&self, cursor: &str) -> Option<(i64, Vec<u8>)> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (body, mac) = bytes.split_at_checked(bytes.len().checked_sub(16)?)?;
        let (number, id) = body.split_at_checked(8)?;
        (self.mac(body) == mac).then(|| (i64::from_be_bytes(number.try_into().unwrap_or_default()), id.to_vec()))
    }

    fn mac(&self, body: &[u8]) -> [u8; 16] {
        let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&self.cursor_key).expect("any length is a key");
        mac.update(body);
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        full[..16].try_into().expect("16 of 32")
    }
}

/// An id column.
pub fn uuid_at(row: &Row, column: &str) -> rusqlite::Result<Uuid> {
    row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes)
}

/// A time column as RFC 3339 with `Z`.
pub fn time_at(row: &Row, column: &str) -> rusqlite::Result<String> {
    row.get::<_, i64>(column).map(rfc3339)
}

/// Microseconds since 1970 as RFC 3339 in UTC, whole seconds unless there is a fraction.
pub fn rfc3339(time_us: i64) -> String {
    let day = Date::at(time_us, 0);
    let within = time_us.rem_euclid(86_400_000_000);
    let (seconds, fraction) = (within / 1_000_000, within % 1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { format!("{day}T{clock}Z") } else { format!("{day}T{clock}.{fraction:06}Z") }
}

/// Who acted, as lists show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ActorView {
    /// `member`, `system`, `device`, `link_holder`, `api_client`, `operator` or `anonymous`.
    pub kind: &'static str,
    /// Absent for the system and for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Absent where the person was erased or has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl ActorView {
    /// From a leaf's codes and the name that a join found.
    pub fn of(kind: u8, id: Uuid, name: Option<String>) -> ActorView {
        use keiin_domain::context::actor_kind::*;
        let kind = match kind {
            SYSTEM => "system",
            MEMBER => "member",
            API_CLIENT => "api_client",
            DEVICE => "device",
            LINK_HOLDER => "link_holder",
            OPERATOR => "operator",
            _ => "anonymous",
        };
        ActorView { kind, id: (!id.is_nil()).then_some(id), name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
    }

    #[test]
    fn parameters_are_known_and_of_their_kind() {
        let known: &[&[Param]] =
            &[&PAGING, &[Param { name: "from", kind: Kind::Day }, Param { name: "id", kind: Kind::Id }]];
        let read = |pairs: &[(&str, &str)]| {
            Params::read(pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect(), known)
        };
        assert_eq!(read(&[("limit", "7"), ("from", "")]).map(|p| p.limit()), Ok(7));
        assert_eq!(read(&[("from", "2026-11-21")]).unwrap().day_start_us("from"), Some(1_795_186_800_000_000));
        for bad in [("offset", "1"), ("limit", "-1"), ("limit", "+1"), ("from", "2026-02-30"), ("id", "x")] {
            assert_eq!(read(&[bad]).unwrap_err(), bad.0);
        }
    }
}
