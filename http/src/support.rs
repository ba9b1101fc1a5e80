//! Where customers ask, and whether somebody answers now (ML-50).

use keiin_domain::date::Date;
use keiin_domain::holiday::Holiday;
use serde_json::{Value, json};

use crate::clock::JAPAN_S;
use crate::config::Config;

/// What every page says of it: contact, hours, and why nobody answers now if nobody does; null where no contact is set.
pub fn now(config: &Config, now_us: i64) -> Value {
    let support = &config.support;
    if support.contact.is_empty() {
        return Value::Null;
    }
    let mut shown =
        json!({ "contact": support.contact, "opens": support.opens, "closes": support.closes, "closed": null });
    let day = Date::at(now_us, JAPAN_S);
    let minute = (now_us.div_euclid(60_000_000) + JAPAN_S / 60).rem_euclid(24 * 60);
    if let Some(holiday) = Holiday::of(day) {
        shown["closed"] = json!("holiday");
        shown["holiday"] = json!(holiday.name());
    } else if support.closed.contains(&day.to_string()) {
        shown["closed"] = json!("day");
    } else if matches!(day.weekday(), 0 | 6) {
        shown["closed"] = json!("weekend");
    } else if !support.minutes().contains(&minute) {
        shown["closed"] = json!("hours");
    }
    shown
}

#[cfg(test)]
mod tests {
    use keiin_domain::date::parse_instant;

    use super::*;

    #[test]
    fn ml_50_closed_at_night_at_weekends_on_holidays_and_on_days_of_ones_own() {
        let mut config = Config::default();
        assert_eq!(now(&config, 0), Value::Null);
        config.support.contact = "03-0000-0000".into();
        config.support.closed = vec!["2026-12-29".into()];
        let closed = |time: &str| {
            let shown = now(&config, parse_instant(time).expect("an instant"));
            assert_eq!(shown["contact"], "03-0000-0000");
            (shown["closed"].as_str().unwrap_or("").to_owned(), shown["holiday"].as_str().unwrap_or("").to_owned())
        };
        let says = |closed: &str, holiday: &str| (closed.to_owned(), holiday.to_owned());
        assert_eq!(closed("2026-11-24T10:00:00+09:00"), says("", ""));
        assert_eq!(closed("2026-11-24T17:59:59+09:00"), says("", ""));
        assert_eq!(closed("2026-11-24T09:59:59+09:00"), says("hours", ""));
        assert_eq!(closed("2026-11-24T18:00:00+09:00"), says("hours", ""));
        assert_eq!(closed("2026-11-22T12:00:00+09:00"), says("weekend", ""));
        assert_eq!(closed("2026-11-23T12:00:00+09:00"), says("holiday", "labour"));
        // 23 November has begun in Japan.
        assert_eq!(closed("2026-11-22T15:00:00Z"), says("holiday", "labour"));
        assert_eq!(closed("2026-12-29T12:00:00+09:00"), says("day", ""));
    }
}
