//! What views are made of: columns read as what JSON shows, times, money, actors, names that a join found.

use keiin_domain::context::actor_kind;
use keiin_domain::date::{self, Date};
use keiin_domain::money::Money;
use keiin_eventlog::sql::{FromValue, Value};
pub use keiin_eventlog::sql::{Row, SqlError};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// Something read from a row.
pub type Seen<T> = Result<T, SqlError>;

/// What a view can read from a column; the other direction of [`crate::table::Cell`].
pub trait Column: Sized {
    /// From the column's value; `None` if it holds something else.
    fn read(value: &Value) -> Option<Self>;
}

/// A column by its name, as the view's field wants it.
pub fn col<T: Column>(row: &Row, name: &str) -> Seen<T> {
    T::read(row.value(name)?).ok_or_else(|| SqlError::Failed(format!("column {name} holds something else")))
}

macro_rules! columns {
    ($($to:ty)+) => { $(impl Column for $to { fn read(value: &Value) -> Option<Self> { Self::from_value(value) } })+ };
}

columns! { String bool i64 u64 u32 u16 u8 Uuid [u8; 32] }

impl Column for Date {
    fn read(value: &Value) -> Option<Date> {
        i32::from_value(value).map(Date)
    }
}

impl Column for Money {
    fn read(value: &Value) -> Option<Money> {
        i64::from_value(value).map(Money::yen)
    }
}

impl Column for Time {
    fn read(value: &Value) -> Option<Time> {
        i64::from_value(value).map(Time)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::read(value).map(Some) }
    }
}

/// A column that holds JSON.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> Column for Json<T> {
    fn read(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        serde_json::from_str(text).ok().map(Json)
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
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
        let id = Uuid::from_u128(7);
        assert_eq!((Uuid::read(&cell(id)), Date::read(&cell(Date(20_000)))), (Some(id), Some(Date(20_000))));
        assert_eq!((bool::read(&cell(true)), String::read(&cell("田"))), (Some(true), Some("田".to_owned())));
        assert_eq!((Option::<u32>::read(&cell(None::<u32>)), u32::read(&cell(None::<u32>))), (Some(None), None));
        assert_eq!((u64::read(&cell(u64::MAX >> 1)), u32::read(&cell(u64::MAX >> 1))), (Some(u64::MAX >> 1), None));
        assert_eq!(Uuid::read(&cell("田")), None);
        assert_eq!(serde_json::to_string(&Time(1_700_000_000_000_001)).unwrap(), "\"2023-11-14T22:13:20.000001Z\"");
    }
}
