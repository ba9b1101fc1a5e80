//! Calendar feeds: who has one, since when. Its address is in no read model.

use keiin_domain::calendar_feed::{CalendarFeed, CalendarFeedEvent};
use keiin_domain::command::Aggregate;
use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fact::{Fact, Opener};
use crate::query::{Filter, Listing, Param, Params, Query, Read, Refusal, Who};
use crate::runner::Projection;
use crate::table::{Table, Writes, blob, cell, int};
use crate::view::{Row, Seen, Time, col};

/// One row a member who has one.
pub static FEEDS: Table = Table {
    name: "calendar_feeds",
    key: &[blob("id")],
    columns: &[int("issued_at"), int("since"), int("position")],
    indexes: &[],
    only_grows: false,
};

/// The projection.
pub const PROJECTION: Projection = Projection { name: "calendar_feed", revision: 1, tables: &[&FEEDS], fold };

fn fold(fact: &Fact, _: &Opener, out: &mut Writes) -> Result<(), String> {
    if fact.stream() != CalendarFeed::STREAM {
        return Ok(());
    }
    match fact.read()? {
        CalendarFeedEvent::Issued(_) => {
            let position = cell(fact.leaf.position);
            let columns = [("issued_at", cell(fact.time_us())), ("since", position.clone()), ("position", position)];
            out.put(&FEEDS, [fact.id()], columns);
        }
        CalendarFeedEvent::Ended(_) => out.delete(&FEEDS, [fact.id()]),
    }
    Ok(())
}

/// A feed, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CalendarFeedView {
    /// Its member.
    pub id: Uuid,
    /// Last record about it.
    pub position: u64,
    /// When its address was made.
    pub issued_at: Time,
}

/// Feeds as they are kept.
pub const FROM: &str = "calendar_feeds";

fn view(row: &Row) -> Seen<CalendarFeedView> {
    Ok(CalendarFeedView { id: col(row, "id")?, position: col(row, "position")?, issued_at: col(row, "issued_at")? })
}

/// One's own feed, if there is one.
pub struct ListCalendarFeeds;

impl Query for ListCalendarFeeds {
    const NAME: &'static str = "list_calendar_feeds";
    const PATH: &'static str = "/v1/me/calendar_feeds";
    const PERMISSION: Permission = Permission("me.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[];
    const LIST: bool = true;
    type Answer = Listing<CalendarFeedView>;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        read.list(who, FROM, Filter::new().and("t.id = ?", Some(who.person())), params, view)
    }
}
