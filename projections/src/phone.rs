//! Phones to which codes by SMS go. What is kept of a number here is what is shown of it: its end.

use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::factor::phone::masked;
use keiin_domain::factor::{Factor, FactorEvent};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int, personal};
use crate::view::{Row, Seen, Time, col};

/// One row a member who has one.
pub static PHONES: Table = Table {
    name: "phones",
    key: &[blob("id")],
    columns: &[blob("subject"), personal("number"), int("enrolled_at"), int("since"), int("position")],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "phone", revision: 1, tables: &[&PHONES], fold };

fn fold(fact: &Fact, keys: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != Factor::STREAM {
        return Ok(());
    }
    match fact.read()? {
        FactorEvent::PhoneEnrolled(e) => {
            let columns = [
                ("subject", cell(e.number.subject)),
                ("number", cell(e.number.open(keys).map(|phone| masked(&phone.number)))),
                ("enrolled_at", cell(fact.time_us())),
                ("since", cell(fact.leaf.position)),
                ("position", cell(fact.leaf.position)),
            ];
            out.put(&PHONES, [fact.id()], columns);
        }
        FactorEvent::PhoneRemoved(_) => out.delete(&PHONES, [fact.id()]),
        _ => {}
    }
    Ok(())
}

/// A phone, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PhoneView {
    /// Its member.
    pub id: Uuid,
    /// Last record about it.
    pub position: u64,
    /// The end of its number, `••••5678`; absent once erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Since when.
    pub enrolled_at: Time,
}

/// Phones as they are kept.
pub const FROM: &str = "phones";

fn view(row: &Row) -> Seen<PhoneView> {
    let (id, position) = (col(row, "id")?, col(row, "position")?);
    Ok(PhoneView { id, position, number: col(row, "number")?, enrolled_at: col(row, "enrolled_at")? })
}

/// One's own phone, if there is one.
pub struct ListPhones;

impl Query for ListPhones {
    const NAME: &'static str = "list_phones";
    const PATH: &'static str = "/v1/me/phones";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Personal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<PhoneView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.list(who, FROM, Filter::new().and("t.id = ?", Some(who.person())), params, view)
    }
}
