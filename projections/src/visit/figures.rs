//! How many came: by day, by hour, by month. Counts only; nobody is named.

use keiin_domain::data::DataClass;
use keiin_domain::date::{DAY_US, Date, ZONE_S};
use keiin_domain::role::Permission;
use serde::Serialize;
use utoipa::ToSchema;

use super::history::right;
use super::own_only;
use crate::query::{Kind, Param, Params, Query, Read, Refusal, Who, day_start_us};
use crate::table::cell;
use crate::view::col;

/// Figures of one month in Japan.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FiguresView {
    /// First day of the month.
    pub month: Date,
    /// First day of the month before.
    pub before: Date,
    /// First day of the month after.
    pub after: Date,
    /// Arrivals of the whole month.
    pub arrivals: u64,
    /// Of those, without an appointment.
    pub walk_ins: u64,
    /// Visits that were to end in this month, have ended, and were neither called off nor turned away.
    pub appointments: u64,
    /// Of those, to which nobody came.
    pub no_shows: u64,
    /// Of a hundred appointments, rounded; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_show_percent: Option<u64>,
    /// Every day of the month.
    pub days: Vec<DayView>,
    /// 24 hours of the day, of the whole month.
    pub hours: Vec<u64>,
    /// The last twelve months, this one last.
    pub months: Vec<DayView>,
}

/// Arrivals of a day, or of the month that begins with it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayView {
    /// Which.
    pub day: Date,
    /// All.
    pub arrivals: u64,
    /// Of those, without an appointment.
    pub walk_ins: u64,
}

/// First day of the month that is so many months away.
fn month(of: Date, away: i32) -> Date {
    let (year, month, _) = of.ymd();
    let months = year * 12 + month as i32 - 1 + away;
    Date::of(months.div_euclid(12), months.rem_euclid(12) as u32 + 1, 1)
}

/// Arrivals and no-shows of the month that holds `day`; this month, if nothing is said.
pub struct GetVisitFigures;

impl Query for GetVisitFigures {
    const NAME: &'static str = "get_visit_figures";
    const PATH: &'static str = "/v1/visit_figures";
    const PERMISSION: Permission = Permission("visit.read");
    const CLASS: DataClass = DataClass::Internal;
    const PARAMS: &'static [Param] = &[Param { name: "day", kind: Kind::Day }];
    type Answer = FiguresView;
    async fn run(read: &Read, who: &Who, params: &Params) -> Result<Self::Answer, Refusal> {
        if own_only(who).is_some() {
            return Err(Refusal::Forbidden("access.forbidden"));
        }
        let today = Date::at(who.now_us, ZONE_S);
        let this = month(params.text("day").and_then(Date::parse).unwrap_or(today), 0);
        let (before, after, first) = (month(this, -1), month(this, 1), month(this, -11));
        let (from, to) = (day_start_us(this), day_start_us(after));

        let sql = format!(
            "SELECT t.at, t.walk_in FROM (SELECT coalesce({}, i.at) AS at, v.walk_in FROM visit_moves i
               JOIN visits v ON v.ledger = i.ledger AND v.id = i.visit_id
               WHERE i.ledger = :ledger AND i.entered = 1) t WHERE t.at >= ? AND t.at < ?",
            right("arrived_at")
        );
        let came: Vec<(i64, bool)> = read.rows(who, &sql, vec![cell(day_start_us(first)), cell(to)], |row| {
            Ok((col(row, "at")?, col(row, "walk_in")?))
        })?;
        let empty = |day| DayView { day, arrivals: 0, walk_ins: 0 };
        let mut days: Vec<DayView> = (this.0..after.0).map(|day| empty(Date(day))).collect();
        let mut months: Vec<DayView> = (0..12).map(|away| empty(month(first, away))).collect();
        let mut hours = vec![0; 24];
        for (at, walk_in) in came {
            let day = Date::at(at, ZONE_S);
            let mut count = |view: &mut DayView| {
                view.arrivals += 1;
                view.walk_ins += u64::from(walk_in);
            };
            months.iter_mut().filter(|of| of.day == month(day, 0)).for_each(&mut count);
            if (from..to).contains(&at) {
                days.iter_mut().filter(|of| of.day == day).for_each(&mut count);
                hours[((at - day_start_us(day)) / (DAY_US / 24)) as usize] += 1;
            }
        }
        let sql = "SELECT count(*) AS n, sum(CASE WHEN t.arrived_at IS NULL THEN 1 ELSE 0 END) AS missed FROM visits t
                   WHERE t.ledger = :ledger AND t.walk_in = 0 AND t.state NOT IN ('cancelled', 'turned_away') AND t.over_at > ? AND t.over_at <= ?
                     AND t.over_at <= :now";
        let over = read.rows(who, sql, vec![cell(from), cell(to)], |row| {
            Ok((col(row, "n")?, col::<Option<u64>>(row, "missed")?.unwrap_or(0)))
        })?;
        let (appointments, no_shows): (u64, u64) = over.into_iter().next().unwrap_or_default();
        Ok(FiguresView {
            month: this,
            before,
            after,
            arrivals: days.iter().map(|day| day.arrivals).sum(),
            walk_ins: days.iter().map(|day| day.walk_ins).sum(),
            appointments,
            no_shows,
            no_show_percent: (no_shows * 100 + appointments / 2).checked_div(appointments),
            days,
            hours,
            months,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_over_the_year() {
        let day = |y, m, d| Date::of(y, m, d);
        assert_eq!(month(day(2026, 1, 31), -1), day(2025, 12, 1));
        assert_eq!(month(day(2026, 12, 5), 1), day(2027, 1, 1));
        assert_eq!(month(day(2026, 11, 30), -11), day(2025, 12, 1));
    }
}
