//! Calendar feeds: a secret address under which a member's calendar reads their visits (RFC 5545). Whoever has the address
//! has the feed, so it can be replaced and ended, and only the hash of its secret is kept. The stream's id is the member's.
//!
//! What makes a create unique: the member; a new address takes the place of the one before.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::events;
use crate::role::Permission;

events! {
    /// What happens to a feed.
    CalendarFeedEvent {
        Issued = "calendar_feed.issued" v 1;
        Ended = "calendar_feed.ended" v 1;
    }
}

/// A new address; the one before leads nowhere any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// SHA-256 of the secret in it.
    #[serde(with = "crate::event::hex32")]
    pub secret_hash: [u8; 32],
}

/// No address leads to it any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ended {}

/// State of a feed.
#[derive(Debug, Default)]
pub struct CalendarFeed {
    /// SHA-256 of the secret that leads to it; `None` when none does.
    pub secret_hash: Option<[u8; 32]>,
}

impl Aggregate for CalendarFeed {
    type Event = CalendarFeedEvent;
    const STREAM: &'static str = "calendar_feed";
    fn apply(&mut self, event: CalendarFeedEvent) {
        self.secret_hash = match event {
            CalendarFeedEvent::Issued(e) => Some(e.secret_hash),
            CalendarFeedEvent::Ended(_) => None,
        };
    }
    #[cfg(test)]
    fn samples() -> Vec<CalendarFeedEvent> {
        vec![Issued { secret_hash: [0xab; 32] }.into(), Ended {}.into()]
    }
}

/// The feed is that of whoever acts.
fn own(ctx: &Context) -> Result<Vec<Uuid>, Rejection> {
    Ok(vec![ctx.member.ok_or(Rejection::new("calendar_feed.not_a_member"))?])
}

/// Makes a secret address for one's own feed; it is shown once. The one before leads nowhere any more.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueCalendarFeed {}

impl Command for IssueCalendarFeed {
    type On = On<CalendarFeed>;
    const NAME: &'static str = "issue_calendar_feed";
    const ROUTE: Route = Route::post("/v1/me/calendar_feed");
    const PERMISSION: Permission = Permission("me.subscribe");
    const REJECTS: &'static [&'static str] = &["calendar_feed.not_a_member"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, feed: &On<CalendarFeed>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Ok(vec![feed.emit(Issued { secret_hash: ctx.world.secret("cal", feed.id) })])
    }
}

/// Ends one's own feed: its address leads nowhere any more.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndCalendarFeed {}

impl Command for EndCalendarFeed {
    type On = On<CalendarFeed>;
    const NAME: &'static str = "end_calendar_feed";
    const ROUTE: Route = Route::post("/v1/me/calendar_feed/end");
    const PERMISSION: Permission = Permission("me.subscribe");
    const REJECTS: &'static [&'static str] = &["calendar_feed.not_a_member", "calendar_feed.none"];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        own(ctx)
    }
    fn decide(self, feed: &On<CalendarFeed>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if feed.secret_hash.is_none() {
            return Err(Rejection::new("calendar_feed.none"));
        }
        Ok(vec![feed.emit(Ended {})])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;
    use crate::testing::*;

    #[test]
    fn a_new_address_takes_the_place_of_the_one_before() {
        let s = scene().by(Role::Member).when(BEN, IssueCalendarFeed {});
        let s = s.then([emit::<CalendarFeed>(ME, Issued { secret_hash: hash("keiin_cal_1") })]);
        let s = s.when(BEN, IssueCalendarFeed {}).accepted();
        assert_eq!(s.now::<CalendarFeed>(ME).secret_hash, Some(hash("keiin_cal_2")));
        let s = s.when(BEN, EndCalendarFeed {}).then([emit::<CalendarFeed>(ME, Ended {})]);
        assert_eq!(s.now::<CalendarFeed>(ME).secret_hash, None);
    }

    #[test]
    fn every_refusal() {
        let s = scene().when(BEN, EndCalendarFeed {}).refused("calendar_feed.none");
        let s = s.by_kiosk(BEN).when(BEN, IssueCalendarFeed {}).refused("calendar_feed.not_a_member");
        s.when(BEN, EndCalendarFeed {}).refused("calendar_feed.not_a_member");
        covered::<IssueCalendarFeed>();
        covered::<EndCalendarFeed>();
    }
}
