//! Dates, times, money and numbers as people of each language write them. Times arrive in UTC and are shown in Japan's.
//!
//! Invariant: text that is not what a filter expects comes out unchanged; it may be what somebody typed into an address.

use keiin_domain::date::Date;
use minijinja::Value;
use minijinja::value::ValueKind;

use crate::locale::Lang;

/// Japan: nine hours east of Greenwich, no summer time.
const JST_S: i64 = 9 * 3_600;
const WEEKDAYS_JA: [&str; 7] = ["日", "月", "火", "水", "木", "金", "土"];
const WEEKDAYS_EN: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS_EN: [&str; 12] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
];

/// A civil day and, for an instant, the seconds since its midnight in Japan.
#[derive(Clone, Copy)]
struct When {
    date: Date,
    second: Option<i64>,
}

impl When {
    /// Reads `YYYY-MM-DD` or RFC 3339.
    fn parse(text: &str) -> Option<When> {
        if let Some(date) = Date::parse(text) {
            return Some(When { date, second: None });
        }
        let date = Date::parse(text.get(..10)?)?;
        let number = |from: usize| text.get(from..from + 2)?.parse::<i64>().ok();
        let (hour, minute, second) = (number(11)?, number(14)?, number(17)?);
        let rest = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        let offset = match (rest.get(..1)?, rest.get(1..3), rest.get(4..6)) {
            ("Z", None, None) => 0,
            (sign, Some(h), Some(m)) => {
                let east = h.parse::<i64>().ok()? * 3_600 + m.parse::<i64>().ok()? * 60;
                if sign == "-" { -east } else { east }
            }
            _ => return None,
        };
        let seconds = i64::from(date.0) * 86_400 + hour * 3_600 + minute * 60 + second - offset + JST_S;
        Some(When { date: Date(seconds.div_euclid(86_400) as i32), second: Some(seconds.rem_euclid(86_400)) })
    }

    fn weekday(self) -> usize {
        // 1970-01-01 was a Thursday.
        (self.date.0 + 4).rem_euclid(7) as usize
    }

    fn clock(self) -> Option<String> {
        self.second.map(|s| format!("{}:{:02}", s / 3_600, s / 60 % 60))
    }
}

fn month(number: u32) -> &'static str {
    MONTHS_EN[number as usize - 1]
}

/// How a moment is written.
#[derive(Clone, Copy)]
pub enum Style {
    /// 2026年11月20日 / 20 November 2026.
    Date,
    /// 2026/11/20 / 20 Nov 2026: columns.
    DateShort,
    /// 11月20日（金） / Friday, 20 November: headings of a list by day.
    Day,
    /// 2026年11月20日（金）10:42 / 20 November 2026, 10:42 JST.
    DateTime,
    /// 11月20日 10:42 / 20 Nov, 10:42.
    DateTimeShort,
    /// 10:42.
    Clock,
    /// 10:42:08.
    ClockSeconds,
    /// 26.11.20: on a stamp.
    Stamp,
    /// 2026-11-20: groups and form fields.
    Iso,
    /// 2026-11-20T10:42: a form field.
    IsoMinute,
}

/// Writes a day or an instant; the day of an instant is Japan's.
pub fn when(text: &str, style: Style, lang: Lang) -> String {
    let Some(when) = When::parse(text) else { return text.to_owned() };
    let (y, m, d) = when.date.ymd();
    let clock = when.clock().unwrap_or_default();
    match (style, lang) {
        (Style::Date, Lang::Ja) => format!("{y}年{m}月{d}日"),
        (Style::Date, Lang::En) => format!("{d} {} {y}", month(m)),
        (Style::DateShort, Lang::Ja) => format!("{y}/{m:02}/{d:02}"),
        (Style::DateShort, Lang::En) => format!("{d} {} {y}", &month(m)[..3]),
        (Style::Day, Lang::Ja) => format!("{m}月{d}日（{}）", WEEKDAYS_JA[when.weekday()]),
        (Style::Day, Lang::En) => format!("{}, {d} {}", WEEKDAYS_EN[when.weekday()], month(m)),
        (Style::DateTime, Lang::Ja) => format!("{y}年{m}月{d}日（{}）{clock}", WEEKDAYS_JA[when.weekday()]),
        (Style::DateTime, Lang::En) => format!("{d} {} {y}, {clock} JST", month(m)),
        (Style::DateTimeShort, Lang::Ja) => format!("{m}月{d}日 {clock}"),
        (Style::DateTimeShort, Lang::En) => format!("{d} {}, {clock}", &month(m)[..3]),
        (Style::Clock, _) => clock,
        (Style::ClockSeconds, _) => format!("{clock}:{:02}", when.second.unwrap_or_default() % 60),
        (Style::Stamp, _) => format!("{:02}.{m}.{d}", y.rem_euclid(100)),
        (Style::Iso, _) => when.date.to_string(),
        (Style::IsoMinute, _) => format!("{}T{clock:0>5}", when.date),
    }
}

/// A decimal number with its thousands separated: `1500000.5` → `1,500,000.5`.
pub fn grouped(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    if whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// `{"amount": 109978, "currency": "JPY"}` → `¥109,978`; other currencies by their code, with two places.
pub fn money(value: &Value) -> Result<String, minijinja::Error> {
    let invalid = |what| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, what);
    if value.kind() != ValueKind::Map {
        return Err(invalid("money needs {\"amount\", \"currency\"}"));
    }
    let amount: i64 = value.get_attr("amount")?.try_into()?;
    let currency = value.get_attr("currency")?;
    let sign = if amount < 0 { "−" } else { "" };
    let amount = amount.unsigned_abs();
    Ok(match currency.as_str() {
        Some("JPY") => format!("{sign}¥{}", grouped(&amount.to_string())),
        Some(code) => format!("{sign}{code} {}.{:02}", grouped(&(amount / 100).to_string()), amount % 100),
        None => return Err(invalid("money needs a currency")),
    })
}

#[cfg(test)]
mod tests {
    use minijinja::value::Serde;

    use super::*;

    #[test]
    fn moments_are_shown_in_japan_and_in_the_reader_s_style() {
        let new_year = "2026-12-31T15:04:05.250Z";
        let shown = |style, lang| when(new_year, style, lang);
        assert_eq!(shown(Style::DateTime, Lang::Ja), "2027年1月1日（金）0:04");
        assert_eq!(shown(Style::DateTime, Lang::En), "1 January 2027, 0:04 JST");
        assert_eq!(shown(Style::ClockSeconds, Lang::Ja), "0:04:05");
        assert_eq!(shown(Style::Day, Lang::En), "Friday, 1 January");
        assert_eq!(shown(Style::Stamp, Lang::Ja), "27.1.1");
        assert_eq!(shown(Style::IsoMinute, Lang::Ja), "2027-01-01T00:04");
        assert_eq!(when("2026-11-20", Style::DateShort, Lang::Ja), "2026/11/20");
        assert_eq!(when("2026-11-20", Style::DateShort, Lang::En), "20 Nov 2026");
        assert_eq!(when("2026-11-20T10:42:00+09:00", Style::DateTimeShort, Lang::Ja), "11月20日 10:42");
    }

    #[test]
    fn what_is_not_a_moment_comes_out_unchanged() {
        for text in
            ["", "soon", "2026-02-30", "2026-11-20T10:42", "2026-11-20T10:42:00", "２０２６年", "2026-11-20Taa:bb:ccZ"]
        {
            assert_eq!(when(text, Style::DateTime, Lang::Ja), text);
        }
    }

    #[test]
    fn money_and_numbers() {
        let yen = |amount: i64| money(&Value::from(Serde(serde_json::json!({"amount": amount, "currency": "JPY"}))));
        assert_eq!(yen(109_978).unwrap(), "¥109,978");
        assert_eq!(yen(-1_000).unwrap(), "−¥1,000");
        let usd = Value::from(Serde(serde_json::json!({"amount": 123_456, "currency": "USD"})));
        assert_eq!(money(&usd).unwrap(), "USD 1,234.56");
        assert!(money(&Value::from(3)).is_err());
        assert_eq!(grouped("1500000.5"), "1,500,000.5");
        assert_eq!(grouped("-12"), "-12");
        assert_eq!(grouped("abc"), "abc");
    }
}
