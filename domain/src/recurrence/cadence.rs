//! Which days a recurrence names. Civil days; months are counted, never seconds.

use serde::{Deserialize, Serialize};

use crate::date::Date;

/// [`Cadence::day`]: the month's last, whichever that is.
pub const LAST_DAY: u8 = 31;
/// The last day that four digits of a year can say.
const END_OF_DAYS: Date = Date(2_932_896);

/// Every N months on a day. Part of events: frozen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cadence {
    /// Months from one date to the next, at least 1.
    pub every_months: u8,
    /// 1 to 28, or [`LAST_DAY`].
    pub day: u8,
    /// The first date is the first such day from here on.
    pub starts_on: Date,
    /// The last day that can be a date.
    pub ends_on: Option<Date>,
}

impl Cadence {
    /// The first date on or after a day; `None` when it is over.
    pub fn next(&self, from: Date) -> Option<Date> {
        let from = from.max(self.starts_on);
        let month = |date: Date| date.ymd().0 * 12 + date.ymd().1 as i32 - 1;
        let every = i32::from(self.every_months.max(1));
        let first = month(self.starts_on) + i32::from(self.in_month(month(self.starts_on)) < self.starts_on);
        let passed = (month(from) - first).max(0) / every;
        let mut dates = (passed..).map(|n| self.in_month(first + n * every));
        let found = dates.find(|date| *date >= from)?;
        (found <= self.ends_on.unwrap_or(END_OF_DAYS).min(END_OF_DAYS)).then_some(found)
    }

    /// The date in a month, counted from the year 0.
    fn in_month(&self, month: i32) -> Date {
        let first = |month: i32| Date::of(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1);
        match self.day {
            LAST_DAY => first(month + 1).plus(-1),
            day => first(month).plus(i32::from(day) - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cadence(every_months: u8, day: u8, starts_on: Date, ends_on: Option<Date>) -> Cadence {
        Cadence { every_months, day, starts_on, ends_on }
    }

    /// The first `most` dates from a day on.
    fn dates(cadence: &Cadence, from: Date, most: usize) -> Vec<String> {
        let all = std::iter::successors(cadence.next(from), |date| cadence.next(date.plus(1)));
        all.take(most).map(|date| date.to_string()).collect()
    }

    #[test]
    fn the_last_day_of_a_month_is_its_own() {
        let ends = cadence(1, LAST_DAY, Date::of(2027, 11, 30), None);
        let wanted = ["2027-11-30", "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"];
        assert_eq!(dates(&ends, ends.starts_on, 6), wanted);
        let leap = cadence(12, LAST_DAY, Date::of(2027, 2, 1), None);
        assert_eq!(dates(&leap, leap.starts_on, 3), ["2027-02-28", "2028-02-29", "2029-02-28"]);
        let century = cadence(12, LAST_DAY, Date::of(2099, 2, 1), None);
        assert_eq!(dates(&century, century.starts_on, 2), ["2099-02-28", "2100-02-28"]);
    }

    #[test]
    fn the_first_date_is_not_before_the_start_and_the_others_keep_its_months() {
        let quarterly = cadence(3, 10, Date::of(2026, 11, 15), Some(Date::of(2027, 6, 10)));
        assert_eq!(dates(&quarterly, Date::of(2020, 1, 1), 9), ["2026-12-10", "2027-03-10", "2027-06-10"]);
        assert_eq!(dates(&quarterly, Date::of(2027, 1, 1), 1), ["2027-03-10"]);
        let over = cadence(1, 28, Date::of(9999, 12, 1), None);
        assert_eq!(dates(&over, over.starts_on, 9), ["9999-12-28"]);
    }

    proptest! {
        /// Against the definition, day by day: the first day from the start on whose number fits, or whose morrow is a
        /// first, and then every such day in a month that is a multiple of N away.
        #[test]
        fn dates_are_those_that_counting_days_finds(
            every in 1u8..=25, day in prop_oneof![1u8..=28, Just(LAST_DAY)], start in 0i32..60_000,
            length in 0i32..2_500, from in -100i32..2_600,
        ) {
            let (starts_on, ends_on) = (Date(start), Date(start + length));
            let fits = |date: Date| match day {
                LAST_DAY => date.plus(1).ymd().2 == 1,
                day => date.ymd().2 == u32::from(day),
            };
            let (mut wanted, mut months, mut begun) = (vec![], 0, false);
            for date in (start..=start + length).map(Date) {
                if begun && date.ymd().2 == 1 {
                    months += 1;
                }
                if fits(date) && (!begun || months == i32::from(every)) {
                    (begun, months) = (true, 0);
                    wanted.push(date);
                }
            }
            wanted.retain(|date| date.0 >= start + from);
            let held = cadence(every, day, starts_on, Some(ends_on));
            let found = std::iter::successors(held.next(Date(start + from)), |date| held.next(date.plus(1)));
            prop_assert_eq!(found.collect::<Vec<_>>(), wanted);
        }
    }
}
