//! `[support]`: where customers ask, and when somebody answers.

use keiin_domain::date::Date;
use serde::{Deserialize, Serialize};

use super::BadConfig;

/// Where and when customers ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Support {
    /// An address, a page or a telephone number, as it stands on every page and in the welcome mail.
    pub contact: String,
    /// From when on somebody answers, Japanese time, `HH:MM`.
    pub opens: String,
    /// Until when.
    pub closes: String,
    /// Days on which nobody does, beside weekends and public holidays: `YYYY-MM-DD`.
    pub closed: Vec<String>,
}

impl Default for Support {
    fn default() -> Self {
        Support { contact: String::new(), opens: "10:00".into(), closes: "18:00".into(), closed: vec![] }
    }
}

impl Support {
    /// Do the settings fit together?
    pub fn check(&self) -> Result<(), BadConfig> {
        if self.contact.chars().any(char::is_control) {
            return Err(BadConfig::new("support.contact: one line"));
        }
        if !matches!((minute(&self.opens), minute(&self.closes)), (Some(opens), Some(closes)) if opens < closes) {
            return Err(BadConfig::new("support.opens and support.closes: times of one day, such as 10:00 and 18:00"));
        }
        if let Some(day) = self.closed.iter().find(|day| Date::parse(day).is_none()) {
            return Err(BadConfig::new(format!("support.closed: {day} is no day, such as 2026-12-29")));
        }
        Ok(())
    }

    /// Minutes of the day between which somebody answers.
    pub fn minutes(&self) -> std::ops::Range<i64> {
        minute(&self.opens).unwrap_or(0)..minute(&self.closes).unwrap_or(0)
    }
}

/// Minutes since midnight of `HH:MM`.
fn minute(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':').filter(|_| text.len() == 5 && text.is_ascii())?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_days_that_are_none_are_refused_by_name() {
        let with = |opens: &str, closes: &str, closed: &str| Support {
            opens: opens.into(),
            closes: closes.into(),
            closed: vec![closed.into()],
            ..Support::default()
        };
        assert!(with("09:30", "17:45", "2026-12-29").check().is_ok());
        for (opens, closes) in
            [("18:00", "10:00"), ("10:00", "10:00"), ("9:30", "17:00"), ("10:00", "24:00"), ("", "1")]
        {
            assert!(with(opens, closes, "2026-12-29").check().is_err_and(|e| e.to_string().contains("support.opens")));
        }
        assert!(with("10:00", "18:00", "2026-02-30").check().is_err_and(|e| e.to_string().contains("support.closed")));
    }
}
