//! Japan's public holidays: the Act on National Holidays (昭和23年法律第178号) as it stands since 2022.
//!
//! The law fixes a day for each, except the two equinoxes: the National Astronomical Observatory names them in February of
//! the year before. The formula used here gives the same days for every year from 1980 to 2099 in which they were named.

use crate::date::Date;

/// The first year that these rules are for.
const SINCE: i32 = 2022;
/// The equinoxes' formula holds up to this year.
const UNTIL: i32 = 2099;

/// Which holiday.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holiday {
    /// 元日.
    NewYear,
    /// 成人の日.
    ComingOfAge,
    /// 建国記念の日.
    Foundation,
    /// 天皇誕生日.
    EmperorsBirthday,
    /// 春分の日.
    VernalEquinox,
    /// 昭和の日.
    Showa,
    /// 憲法記念日.
    Constitution,
    /// みどりの日.
    Greenery,
    /// こどもの日.
    Children,
    /// 海の日.
    Marine,
    /// 山の日.
    Mountain,
    /// 敬老の日.
    RespectForTheAged,
    /// 秋分の日.
    AutumnalEquinox,
    /// スポーツの日.
    Sports,
    /// 文化の日.
    Culture,
    /// 勤労感謝の日.
    Labour,
    /// 振替休日: the next free day after a holiday on a Sunday (article 3, 2).
    Substitute,
    /// 国民の休日: a day between two holidays (article 3, 3).
    Between,
}

impl Holiday {
    /// The holiday of a day; `None` also outside the years 2022 to 2099.
    pub fn of(date: Date) -> Option<Holiday> {
        let year = date.ymd().0;
        if !(SINCE..=UNTIL).contains(&year) {
            return None;
        }
        if let Some(named) = named(date) {
            return Some(named);
        }
        // Back over the holidays right before: if one of them is a Sunday, this is the day that makes up for it.
        let run = (1..).map(|back| date.plus(-back)).take_while(|day| named(*day).is_some());
        if run.into_iter().any(|day| day.weekday() == 0) {
            return Some(Holiday::Substitute);
        }
        (named(date.plus(-1)).is_some() && named(date.plus(1)).is_some()).then_some(Holiday::Between)
    }

    /// For texts.
    pub fn name(self) -> &'static str {
        match self {
            Holiday::NewYear => "new-year",
            Holiday::ComingOfAge => "coming-of-age",
            Holiday::Foundation => "foundation",
            Holiday::EmperorsBirthday => "emperors-birthday",
            Holiday::VernalEquinox => "vernal-equinox",
            Holiday::Showa => "showa",
            Holiday::Constitution => "constitution",
            Holiday::Greenery => "greenery",
            Holiday::Children => "children",
            Holiday::Marine => "marine",
            Holiday::Mountain => "mountain",
            Holiday::RespectForTheAged => "respect-for-the-aged",
            Holiday::AutumnalEquinox => "autumnal-equinox",
            Holiday::Sports => "sports",
            Holiday::Culture => "culture",
            Holiday::Labour => "labour",
            Holiday::Substitute => "substitute",
            Holiday::Between => "between",
        }
    }
}

/// The holiday that article 2 names for a day.
fn named(date: Date) -> Option<Holiday> {
    let (year, month, day) = date.ymd();
    // Which Monday of its month, if it is one.
    let monday = (date.weekday() == 1).then_some(day.div_ceil(7));
    Some(match (month, day, monday) {
        (1, 1, _) => Holiday::NewYear,
        (1, _, Some(2)) => Holiday::ComingOfAge,
        (2, 11, _) => Holiday::Foundation,
        (2, 23, _) => Holiday::EmperorsBirthday,
        (3, day, _) if day == equinox(year, 20_843_100) => Holiday::VernalEquinox,
        (4, 29, _) => Holiday::Showa,
        (5, 3, _) => Holiday::Constitution,
        (5, 4, _) => Holiday::Greenery,
        (5, 5, _) => Holiday::Children,
        (7, _, Some(3)) => Holiday::Marine,
        (8, 11, _) => Holiday::Mountain,
        (9, _, Some(3)) => Holiday::RespectForTheAged,
        (9, day, _) if day == equinox(year, 23_248_800) => Holiday::AutumnalEquinox,
        (10, _, Some(2)) => Holiday::Sports,
        (11, 3, _) => Holiday::Culture,
        (11, 23, _) => Holiday::Labour,
        _ => return None,
    })
}

/// Day of March or September, from what it was in 1980, in millionths of a day.
fn equinox(year: i32, in_1980: i32) -> u32 {
    let years = year - 1980;
    ((in_1980 + 242_194 * years) / 1_000_000 - years / 4) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Month and day of every holiday, as the Cabinet Office lists them up to 2027 and the law gives them after that.
    const KNOWN: &[(i32, &str)] = &[
        (2022, "0101 0110 0211 0223 0321 0429 0503 0504 0505 0718 0811 0919 0923 1010 1103 1123"),
        (2023, "0101 0102 0109 0211 0223 0321 0429 0503 0504 0505 0717 0811 0918 0923 1009 1103 1123"),
        (
            2024,
            "0101 0108 0211 0212 0223 0320 0429 0503 0504 0505 0506 0715 0811 0812 0916 0922 0923 1014 1103 1104 1123",
        ),
        (2025, "0101 0113 0211 0223 0224 0320 0429 0503 0504 0505 0506 0721 0811 0915 0923 1013 1103 1123 1124"),
        (2026, "0101 0112 0211 0223 0320 0429 0503 0504 0505 0506 0720 0811 0921 0922 0923 1012 1103 1123"),
        (2027, "0101 0111 0211 0223 0321 0322 0429 0503 0504 0505 0719 0811 0920 0923 1011 1103 1123"),
        (2028, "0101 0110 0211 0223 0320 0429 0503 0504 0505 0717 0811 0918 0922 1009 1103 1123"),
        (2029, "0101 0108 0211 0212 0223 0320 0429 0430 0503 0504 0505 0716 0811 0917 0923 0924 1008 1103 1123"),
        (2030, "0101 0114 0211 0223 0320 0429 0503 0504 0505 0506 0715 0811 0812 0916 0923 1014 1103 1104 1123"),
    ];

    #[test]
    fn every_day_of_nine_years_is_what_the_calendar_says() {
        for (year, known) in KNOWN {
            let days = (Date::of(*year, 1, 1).0..Date::of(year + 1, 1, 1).0).map(Date);
            let found: Vec<String> = days
                .filter(|day| Holiday::of(*day).is_some())
                .map(|day| format!("{:02}{:02}", day.ymd().1, day.ymd().2))
                .collect();
            assert_eq!(found.join(" "), *known, "{year}");
        }
    }

    #[test]
    fn what_the_two_rules_of_article_3_give() {
        // Constitution Day 2026 is a Sunday, the two days after it are holidays: Wednesday makes up for it.
        assert_eq!(Holiday::of(Date::of(2026, 5, 6)), Some(Holiday::Substitute));
        assert_eq!(Holiday::of(Date::of(2026, 9, 22)), Some(Holiday::Between));
        assert_eq!(Holiday::of(Date::of(2026, 11, 23)), Some(Holiday::Labour));
        assert_eq!((Holiday::of(Date::of(2021, 1, 1)), Holiday::of(Date::of(2100, 1, 1))), (None, None));
    }
}
