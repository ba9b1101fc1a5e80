//! Queries: what can be asked of the read models. Policy is constant on the type, as with commands; SQL stands here and
//! nowhere above.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use keiin_domain::context::Actor;
use keiin_domain::data::DataClass;
use keiin_domain::date::{DAY_US, Date, ZONE_S};
use keiin_domain::mail_template::{MailKind, Wording};
use keiin_domain::money::Money;
use keiin_domain::role::Permission;
use keiin_domain::visit::VisitorLanguage;
use keiin_eventlog::log::Log;
use keiin_eventlog::sql::{Connection, Row, Scope, SqlError};
use keiin_eventlog::vault::Vault;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use keiin_domain::date::instant as rfc3339;

use crate::database::Database;
use crate::mail::{Letter, Rendered};
use crate::runner;
use crate::table::{Table, Value, cell};
pub use crate::view::ActorView;

mod filter;
mod page;
pub use filter::Filter;
pub use page::Source;
#[cfg(test)]
pub(crate) use page::first;

/// Most items on a page.
pub const MAX_LIMIT: usize = 200;
const DEFAULT_LIMIT: usize = 50;

/// Who asks, and when. The permission was checked before a query runs.
#[derive(Clone, Debug)]
pub struct Who {
    /// The company.
    pub ledger: Uuid,
    /// The actor.
    pub actor: Actor,
    /// The member who acts, also behind a token.
    pub member: Option<Uuid>,
    /// For whom else they act: a secretary's lawyers.
    pub acts_for: Vec<Uuid>,
    /// The server's clock, microseconds UTC: what is overdue or expired depends on it.
    pub now_us: i64,
}

impl Who {
    /// Whose own things "own" means.
    pub fn person(&self) -> Uuid {
        self.member.unwrap_or(self.actor.id)
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing in this company; a stranger's thing looks the same.
    #[error("not found")]
    NotFound,
    /// Not with this role any more; the code says why.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A parameter cannot be read.
    #[error("parameter {0}")]
    BadParameter(&'static str),
    /// The read model or the log failed.
    #[error(transparent)]
    Failed(#[from] runner::ReadModelError),
}

impl From<SqlError> for Refusal {
    fn from(error: SqlError) -> Self {
        Refusal::Failed(error.into())
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

    /// A day, as columns hold it.
    pub fn day(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(Date::parse).map(|day| i64::from(day.0))
    }

    /// The first microsecond of a day in Japan.
    pub fn day_start_us(&self, name: &str) -> Option<i64> {
        Some(day_start_us(Date::parse(self.text(name)?)?))
    }

    /// The first microsecond after a day in Japan.
    pub fn day_end_us(&self, name: &str) -> Option<i64> {
        Some(day_start_us(Date::parse(self.text(name)?)?.plus(1)))
    }

    /// Items wanted.
    pub fn limit(&self) -> usize {
        self.number("limit").map_or(DEFAULT_LIMIT, |n| (n as usize).clamp(1, MAX_LIMIT))
    }
}

/// When a day begins in Japan, microseconds UTC.
pub fn day_start_us(day: Date) -> i64 {
    i64::from(day.0) * DAY_US - ZONE_S * 1_000_000
}

/// Something that can be asked.
pub trait Query: 'static {
    /// Snake case; the operationId.
    const NAME: &'static str;
    /// GET path, `{id}` or `{position}` where the object stands.
    const PATH: &'static str;
    /// Who may.
    const PERMISSION: Permission;
    /// The most delicate data that it shows. A look at one thing of the last two classes is an event; a list shows little
    /// of many, and looking through lists is not recorded.
    const CLASS: DataClass;
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
    /// What some of them come to, where the list has amounts; not narrowed by the filters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<BTreeMap<String, Figure>>,
}

/// Some rows of a list and what they come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Figure {
    /// How many.
    pub count: u64,
    /// Together.
    pub amount: Money,
}

/// Whose rows `t` a query sees. The special build that tests row-level security leaves the companies apart to PostgreSQL.
pub(crate) const OURS: &str = if cfg!(keiin_unchecked) { "1 = 1" } else { "t.ledger = :ledger" };

/// Numbers the parameters of a composed statement: each `?` takes the next value, each name the same wherever it stands.
fn numbered(sql: &str, who: &Who, values: Vec<Value>) -> (String, Vec<Value>) {
    let names =
        [(":ledger", cell(who.ledger)), (":now", cell(who.now_us)), (":today", cell(Date::at(who.now_us, ZONE_S)))];
    let mut given = values.into_iter();
    let (mut text, mut bound, mut known) = (String::with_capacity(sql.len()), vec![], BTreeMap::new());
    let mut rest = sql;
    while let Some(at) = rest.find(['?', ':']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let named = names.iter().find(|(name, _)| rest.starts_with(name));
        let number = match named {
            Some((name, value)) => *known.entry(name).or_insert_with(|| {
                bound.push(value.clone());
                bound.len()
            }),
            None => {
                bound.push(given.next().unwrap_or(Value::Null));
                bound.len()
            }
        };
        text.push_str(&format!("${number}"));
        rest = &rest[named.map_or(1, |(name, _)| name.len())..];
    }
    (text + rest, bound)
}

/// What queries ask of the server around them.
pub trait Beside: Send + Sync {
    /// How many records of a ledger the last anchored checkpoint covers.
    fn anchored(&self, ledger: Uuid) -> u64;
    /// A mail's text.
    fn render(&self, letter: &Letter) -> Rendered;
    /// What a mail says where a company wrote nothing, with names in braces.
    fn standard(&self, kind: MailKind, language: VisitorLanguage) -> Wording;
    /// One of the server's texts.
    fn word(&self, key: &str, language: VisitorLanguage) -> String;
}

/// The read models of this process, and what a query may use beside them.
pub struct Read {
    database: Database,
    idle: Mutex<Vec<Connection>>,
    /// For event details.
    pub log: Log,
    /// For opening bodies.
    pub vault: Arc<Vault>,
    cursor_key: [u8; 32],
    pub(crate) beside: Option<Arc<dyn Beside>>,
}

impl Read {
    /// Reads what a runner folds into the same place. `cursor_key` must be the same for all nodes behind one address.
    pub fn new(database: Database, log: Log, vault: Arc<Vault>, cursor_key: [u8; 32]) -> Read {
        Read { database, idle: Mutex::new(vec![]), log, vault, cursor_key, beside: None }
    }

    /// With a server around it: without, mails have no text and no record is anchored.
    pub fn beside(self, server: Arc<dyn Beside>) -> Read {
        Read { beside: Some(server), ..self }
    }

    /// Runs SQL on a pooled connection.
    pub fn sql<T>(&self, run: impl FnOnce(&mut Connection) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let pooled = self.idle.lock().expect("the pool is only pushed to and popped from").pop();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => self.database.connect()?,
        };
        let answer = run(&mut connection);
        let mut idle = self.idle.lock().expect("the pool is only pushed to and popped from");
        if idle.len() < 8 {
            idle.push(connection);
        }
        answer
    }

    /// Rows of a statement, of the company only. `:ledger`, `:now` and `:today` in it are filled in; `values` are for its
    /// `?`, in their order.
    pub fn rows<T>(
        &self,
        who: &Who,
        sql: &str,
        values: Vec<Value>,
        read: impl FnMut(&Row) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, Refusal> {
        let (sql, values) = numbered(sql, who, values);
        let rows = self.sql(|connection| Ok(connection.query(Scope::Ledger(who.ledger), &sql, &values)?))?;
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }

    /// One object of the company. `from` is a table, or a select in parentheses; it has the columns `ledger` and `id`.
    pub fn one<T>(
        &self,
        who: &Who,
        from: &str,
        id: Option<Uuid>,
        read: impl FnMut(&Row) -> Result<T, SqlError>,
    ) -> Result<T, Refusal> {
        let sql = format!("SELECT * FROM {from} t WHERE {OURS} AND t.id = ?");
        self.rows(who, &sql, vec![cell(id)], read)?.pop().ok_or(Refusal::NotFound)
    }

    /// The first rows of a list, sorted by the columns `since` and `id` of `from`, largest first.
    pub fn some<T>(
        &self,
        who: &Who,
        from: &str,
        filter: Filter,
        most: usize,
        read: impl FnMut(&Row) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, Refusal> {
        self.first(who, from, filter, "t.since DESC, t.id DESC", most, read)
    }

    /// The first rows of a list, sorted by the column `since` of `from`, smallest first.
    pub fn oldest<T>(
        &self,
        who: &Who,
        from: &str,
        filter: Filter,
        most: usize,
        read: impl FnMut(&Row) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, Refusal> {
        self.first(who, from, filter, "t.since", most, read)
    }

    fn first<T>(
        &self,
        who: &Who,
        from: &str,
        Filter { sql, mut values }: Filter,
        order: &str,
        most: usize,
        read: impl FnMut(&Row) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, Refusal> {
        values.push(cell(most as u64));
        let sql = format!("SELECT * FROM {from} t WHERE {OURS}{sql} ORDER BY {order} LIMIT ?");
        self.rows(who, &sql, values, read)
    }

    /// How many rows of `from` there are by its column `status`.
    pub fn counts(&self, who: &Who, from: &str, filter: Filter) -> Result<Option<BTreeMap<String, u64>>, Refusal> {
        let narrowed = filter.sql;
        let sql = format!("SELECT t.status, count(*) AS n FROM {from} t WHERE {OURS}{narrowed} GROUP BY t.status");
        let rows = self.rows(who, &sql, filter.values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Some(rows.into_iter().collect()))
    }

    /// The same, where they are counted as they are written: see [`crate::table::counted`].
    pub fn counted(&self, who: &Who, counts: &Table) -> Result<Option<BTreeMap<String, u64>>, Refusal> {
        let sql = format!("SELECT t.value, t.n FROM {} t WHERE {OURS}", counts.name);
        let rows = self.rows(who, &sql, vec![], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Some(rows.into_iter().collect()))
    }

    /// What cursors are sealed with.
    pub fn cursor_key(&self) -> &[u8; 32] {
        &self.cursor_key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
