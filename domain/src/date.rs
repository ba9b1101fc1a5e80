//! Civil dates and instants: no clock here. Dates are days since 1970-01-01 in the proleptic Gregorian calendar of
//! ISO 8601; instants are i64 microseconds UTC inside and RFC 3339 outside.

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

    /// 0 = Sunday to 6 = Saturday.
    pub fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday.
        (self.0 + 4).rem_euclid(7) as u32
    }

    /// This many days later.
    pub fn plus(self, days: i32) -> Date {
        Date(self.0 + days)
    }
}

/// Seconds that every company's civil time is ahead of UTC: Japan, which has no summer time.
pub const ZONE_S: i64 = 32_400;
/// One day.
pub const DAY_US: i64 = 86_400 * 1_000_000;

/// Reads an RFC 3339 instant (`2026-11-02T09:00:00+09:00`, `…Z`, up to 9 places of a second, of which 6 are kept) as
/// microseconds UTC. `None` for anything else, also for leap seconds.
pub fn parse_instant(text: &str) -> Option<i64> {
    let (day, rest) = (text.get(..10)?, text.get(10..)?);
    let clock = rest.strip_prefix(['T', 't'])?;
    let days = i64::from(Date::parse(day)?.0);
    let two = |at: usize, most: i64| -> Option<i64> {
        let digits = clock.get(at..at + 2).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok().filter(|n| *n <= most)
    };
    let colons = clock.get(2..3) == Some(":") && clock.get(5..6) == Some(":");
    let seconds = two(0, 23)? * 3_600 + two(3, 59)? * 60 + two(6, 59)?;
    let (micros, zone) = match clock.get(8..)?.strip_prefix('.') {
        None => (0, clock.get(8..)?),
        Some(rest) => {
            let places = rest.bytes().take_while(u8::is_ascii_digit).count();
            let digits = (1..=9).contains(&places).then(|| &rest[..places])?;
            (format!("{digits:0<6}")[..6].parse().ok()?, &rest[places..])
        }
    };
    let offset_s = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('+') { 1 } else { -1 };
            let shaped = zone.len() == 6
                && zone.bytes().enumerate().all(|(i, b)| match i {
                    0 => b == b'+' || b == b'-',
                    3 => b == b':',
                    _ => b.is_ascii_digit(),
                });
            let part = |from: usize, most: i64| zone.get(from..from + 2)?.parse().ok().filter(|n: &i64| *n <= most);
            if !shaped {
                return None;
            }
            sign * (part(1, 23)? * 3_600 + part(4, 59)? * 60)
        }
    };
    colons.then_some((days * 86_400 + seconds - offset_s) * 1_000_000 + micros)
}

/// Writes microseconds UTC as RFC 3339 with `Z`; places of a second only where there are some.
pub fn instant(time_us: i64) -> String {
    let date = Date::at(time_us, 0);
    let in_day_us = time_us.rem_euclid(DAY_US);
    let (seconds, micros) = (in_day_us / 1_000_000, in_day_us % 1_000_000);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("{date}T{:02}:{:02}:{:02}{fraction}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
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

    #[test]
    fn instants_are_read_in_any_zone_and_written_in_utc() {
        for (text, written) in [
            ("2026-11-02T09:00:00+09:00", "2026-11-02T00:00:00Z"),
            ("2026-12-31T15:00:00Z", "2026-12-31T15:00:00Z"),
            ("2027-01-01t00:00:00.5z", "2027-01-01T00:00:00.500000Z"),
            ("2026-11-02T09:00:00.123456789-00:30", "2026-11-02T09:30:00.123456Z"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(parse_instant(text).map(instant).as_deref(), Some(written), "{text}");
        }
        for text in [
            "", "2026-11-02", "2026-11-02T09:00:00", "2026-11-02 09:00:00Z", "2026-11-02T24:00:00Z",
            "2026-11-02T23:59:60Z", "2026-11-02T09:00Z", "2026-11-02T09:00:00+0900", "2026-11-02T09:00:00+9:00",
            "2026-11-02T09:00:00.Z", "2026-11-02T09:00:00Z ", "2026-02-29T09:00:00Z", "2026-11-02T0９:00:00Z",
            "2026-11-02T+9:00:00Z", "2026-11-02T09:00:00+24:00", "日本",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }
}
