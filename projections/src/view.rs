//! What views are made of: columns read as what JSON shows, times, money, actors, names that a join found.

use keiin_domain::context::actor_kind;
use keiin_domain::date::{self, Date};
use keiin_domain::money::Money;
use rusqlite::Row;
use rusqlite::types::{FromSqlError, FromSqlResult, ValueRef};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a view can read from a column; the other direction of [`crate::table::Cell`].
pub trait Column: Sized {
    /// From the column's value.
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

/// A column by its name, as the view's field wants it.
pub fn col<T: Column>(row: &Row, name: &str) -> rusqlite::Result<T> {
    let at = row.as_ref().column_index(name)?;
    let value = row.get_ref(at)?;
    T::read(value).map_err(|e| rusqlite::Error::FromSqlConversionFailure(at, value.data_type(), Box::new(e)))
}

macro_rules! columns {
    ($($to:ty => |$value:ident| $read:expr;)+) => {
        $(impl Column for $to { fn read($value: ValueRef<'_>) -> FromSqlResult<Self> { $read } })+
    };
}

columns! {
    String => |value| Ok(value.as_str()?.to_owned());
    bool => |value| Ok(value.as_i64()? != 0);
    i64 => |value| value.as_i64();
    u64 => |value| number(value);
    u32 => |value| number(value);
    u16 => |value| number(value);
    u8 => |value| number(value);
    Uuid => |value| Uuid::from_slice(value.as_blob()?).map_err(|_| FromSqlError::InvalidType);
    Date => |value| number(value).map(Date);
    Money => |value| value.as_i64().map(Money::yen);
    Time => |value| value.as_i64().map(Time);
    [u8; 32] => |value| value.as_blob()?.try_into().map_err(|_| FromSqlError::InvalidType);
}

fn number<T: TryFrom<i64>>(value: ValueRef<'_>) -> FromSqlResult<T> {
    let number = value.as_i64()?;
    T::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

impl<T: Column> Column for Option<T> {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        if value == ValueRef::Null { Ok(None) } else { T::read(value).map(Some) }
    }
}

/// A column that holds JSON.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> Column for Json<T> {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Json).map_err(FromSqlError::other)
    }
}

/// What a column of JSON holds.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("events hold nothing that JSON cannot write")
}

/// Text, or nothing where nothing was said.
pub fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Microseconds since 1970-01-01 UTC; RFC 3339 with `Z` in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time(pub i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&date::instant(self.0))
    }
}

impl utoipa::PartialSchema for Time {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Time {}

/// A thing and what people call it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Named {
    /// Its id.
    pub id: Uuid,
    /// Absent where the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
        let kind = match kind {
            actor_kind::SYSTEM => "system",
            actor_kind::MEMBER => "member",
            actor_kind::API_CLIENT => "api_client",
            actor_kind::DEVICE => "device",
            actor_kind::LINK_HOLDER => "link_holder",
            actor_kind::OPERATOR => "operator",
            _ => "anonymous",
        };
        ActorView { kind, id: (!id.is_nil()).then_some(id), name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::cell;

    #[test]
    fn a_column_reads_what_a_cell_wrote() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let id = Uuid::from_u128(7);
        let values = [cell(id), cell(Date(20_000)), cell(true), cell(None::<u32>), cell("田"), cell(u64::MAX >> 1)];
        let read = |row: &Row| -> rusqlite::Result<()> {
            assert_eq!((col(row, "a")?, col(row, "b")?, col(row, "c")?), (id, Date(20_000), true));
            assert_eq!((col(row, "d")?, col::<String>(row, "e")?), (None::<u32>, "田".to_owned()));
            assert_eq!(col::<u64>(row, "f")?, u64::MAX >> 1);
            assert!(col::<u32>(row, "f").is_err() && col::<Uuid>(row, "e").is_err() && col::<u32>(row, "d").is_err());
            Ok(())
        };
        let sql = "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f";
        connection.query_row(sql, rusqlite::params_from_iter(values), read).unwrap();
        assert_eq!(serde_json::to_string(&Time(1_700_000_000_000_001)).unwrap(), "\"2023-11-14T22:13:20.000001Z\"");
    }
}
