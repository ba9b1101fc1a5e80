//! Civil dates: days since 1970-01-01, no zone, no clock. The proleptic Gregorian calendar of ISO 8601.

use serde::{Deserialize, Serialize};

/// A day in the company's zone. Binary: i32 days since 1970-01-01. JSON: `YYYY-MM-DD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Date(pub i32);

impl Date {
    /// 0001-01-01 and 9999-12-31: what four digits can say.
    const RANGE: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

    /// Reads `YYYY-MM-DD`; `None` for anything else, also for days that do not exist.
    pub fn parse(text: &str) -> Option<Date> {
        let b = text.as_bytes();
        let shaped = b.len() == 10
            && b.iter().enumerate().all(|(i, c)| if i == 4 || i == 7 { *c == b'-' } else { c.is_ascii_digit() });
        if !shaped {
            return None;
        }
        let date = Date::of(text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?);
        (Date::RANGE.contains(&date.0) && date.to_string() == text).then_some(date)
    }

    /// Days since 1970-01-01 of a year, month (1-12) and day; days past the month's end run on into the next.
    pub fn of(year: i32, month: u32, day: u32) -> Date {
        // Years that begin in March: the leap day is the last of its year (Hinnant, "chrono-compatible low-level date algorithms").
        let y = year - i32::from(month <= 2);
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let day_of_year = (153 * ((month as i32 + 9) % 12) + 2) / 5 + day as i32 - 1;
        Date(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
    }

    /// Year, month (1-12), day.
    pub fn ymd(self) -> (i32, u32, u32) {
        let z = self.0 + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let mp = (5 * day_of_year + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        (year_of_era + era * 400 + i32::from(month <= 2), month as u32, (day_of_year - (153 * mp + 2) / 5 + 1) as u32)
    }

    /// The day on which an instant falls, `offset_s` seconds east of Greenwich (Japan: 32,400, no summer time).
    pub fn at(time_us: i64, offset_s: i64) -> Date {
        Date(((time_us.div_euclid(1_000_000) + offset_s).div_euclid(86_400)) as i32)
    }

    /// This many days later.
    pub fn plus(self, days: i32) -> Date {
        Date(self.0 + days)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (y, m, d) = self.ymd();
        write!(f, "{y:04}-{m:02}-{d:02}")
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_i32(self.0) }
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if !d.is_human_readable() {
            return i32::deserialize(d).map(Date);
        }
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Date::parse(&text).ok_or_else(|| D::Error::custom("a date is written YYYY-MM-DD"))
    }
}

impl utoipa::PartialSchema for Date {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Date)))
            .into()
    }
}

impl utoipa::ToSchema for Date {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_digit_years_reads_as_it_writes() {
        let mut days = 0;
        for day in Date::RANGE {
            assert_eq!(Date::parse(&Date(day).to_string()), Some(Date(day)));
            days += 1;
        }
        assert_eq!(days, 3_652_059);
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in
            ["2026-02-29", "2026-13-01", "2026-00-10", "2026-1-01", "0000-01-01", "2026/01/01", "２０２６-01-01", ""]
        {
            assert_eq!(Date::parse(text), None, "{text}");
        }
        assert_eq!(Date::parse("2028-02-29").map(|d| d.plus(1).to_string()).as_deref(), Some("2028-03-01"));
    }

    #[test]
    fn an_evening_in_greenwich_is_tomorrow_in_tokyo() {
        let new_years_eve_15z = Date::of(2026, 12, 31).0 as i64 * 86_400_000_000 + 15 * 3_600_000_000;
        assert_eq!(Date::at(new_years_eve_15z, 32_400).to_string(), "2027-01-01");
    }
}
