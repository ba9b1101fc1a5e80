//! When a code works: a visit that takes place once, from half an hour before its start to the end of its last day; a
//! period pass on its days of the week, each day from half an hour before its time to the end of it.
//!
//! Days and times of day are Japan's, which has no summer time.

use std::ops::Range;

use super::{Visit, Weekday};
use crate::command::Rejection;
use crate::context::Context;
use crate::date::{DAY_US, Date, ZONE_S, instant};

impl Weekday {
    /// Which one a day is.
    pub fn of(day: Date) -> Weekday {
        // 0 is Sunday, the last of ours.
        Weekday::ALL[(day.weekday() as usize + 6) % 7]
    }
}

/// When a day begins in Japan, microseconds UTC.
fn begins_us(day: Date) -> i64 {
    i64::from(day.0) * DAY_US - ZONE_S * 1_000_000
}

impl Visit {
    /// The first civil day on which the code works.
    pub fn first_day(&self) -> Date {
        Date::at(self.starts_at_us, ZONE_S)
    }

    /// The last civil day on which the code works. Midnight ends a day, it does not begin another.
    pub fn last_day(&self) -> Date {
        Date::at(self.ends_at_us - 1, ZONE_S)
    }

    /// Of a period pass: from when to when it is for on this day, microseconds UTC; `None` on other days.
    pub fn hours(&self, day: Date) -> Option<Range<i64>> {
        let is_on = (self.first_day()..=self.last_day()).contains(&day) && self.weekdays.contains(&Weekday::of(day));
        let from = self.starts_at_us - begins_us(self.first_day());
        let to = self.ends_at_us - begins_us(self.last_day());
        is_on.then(|| begins_us(day) + from..begins_us(day) + to)
    }

    /// Of a period pass: the first time from this day on.
    pub fn next_hours(&self, from: Date) -> Option<Range<i64>> {
        let first = from.max(self.first_day());
        // After a week the days of the week repeat.
        (0..7).map(|days| first.plus(days)).take_while(|day| *day <= self.last_day()).find_map(|day| self.hours(day))
    }

    /// Of a period pass: every time, the first one first.
    pub fn all_hours(&self) -> impl Iterator<Item = Range<i64>> {
        let days = (self.first_day().0..=self.last_day().0).map(Date);
        days.filter_map(|day| self.hours(day))
    }

    /// Refuses a code while it does not work, and says from when it does. `early` is how long before the start it works.
    pub(super) fn must_be_open(&self, early: i64, ctx: &Context) -> Result<(), Rejection> {
        let from = |code, starts_at_us: i64| Err(Rejection::expected(code, "/code", instant(starts_at_us - early)));
        if self.weekdays.is_empty() {
            let is_early = ctx.now_us < self.starts_at_us - early;
            return if is_early { from("visit.too_early", self.starts_at_us) } else { Ok(()) };
        }
        match self.hours(ctx.today) {
            Some(today) if ctx.now_us < today.start - early => from("visit.too_early", today.start),
            Some(today) if ctx.now_us <= today.end => Ok(()),
            _ => match self.next_hours(ctx.today.plus(1)) {
                Some(next) if ctx.today < self.first_day() => from("visit.too_early", next.start),
                Some(next) => from("visit.not_now", next.start),
                None => Err(Rejection::new("visit.expired")),
            },
        }
    }
}
