//! `[sms]`: who sends codes to phones.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::BadConfig;
use super::oidc::is_safe;

/// Who sends codes to phones. Without one there are none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sms {
    /// Where messages are posted to, as JSON; empty = nowhere.
    pub url: String,
    /// File whose first line is the token that is shown there (RFC 6750). Only its owner may read it.
    pub token_file: PathBuf,
    /// Sender's name or number; empty = whatever the provider chooses.
    pub from: String,
    /// Codes go no further than `sms-outbox.jsonl` in the data directory. On this machine only.
    pub development: bool,
    /// Codes of one company in 24 hours.
    pub a_day_company: u32,
}

impl Default for Sms {
    fn default() -> Self {
        let (url, token_file, from) = Default::default();
        Sms { url, token_file, from, development: false, a_day_company: 200 }
    }
}

impl Sms {
    /// What can be said without opening a file or a connection.
    pub fn check(&self) -> Result<(), BadConfig> {
        let bad = |text: &str| Err(BadConfig::new(text));
        let has_token = !self.token_file.as_os_str().is_empty();
        if self.a_day_company == 0 {
            return bad("sms.a_day_company: at least 1; to send none leave sms.url and sms.development out");
        }
        if self.from.chars().any(char::is_control) || self.from.chars().count() > 40 {
            return bad("sms.from: one line of at most 40 characters");
        }
        if self.url.is_empty() {
            let silent = !has_token && self.from.is_empty();
            return if silent { Ok(()) } else { bad("sms.url: where messages are posted to, https://…") };
        }
        if self.development {
            return bad("sms.development sends nothing, sms.url does: leave one of them out");
        }
        if !is_safe(&self.url) || reqwest::Url::parse(&self.url).is_err() {
            return bad("sms.url: begin it with https://; plain http goes to this machine only");
        }
        if !has_token {
            return bad("sms.token_file: the file that holds the token for sms.url");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let good = || Sms { url: "https://sms.example/send".into(), token_file: "t".into(), ..Sms::default() };
        let refused = |sms: Sms| sms.check().expect_err("refused").to_string();
        assert!(Sms::default().check().is_ok() && good().check().is_ok());
        assert!(Sms { development: true, ..Sms::default() }.check().is_ok());
        assert!(Sms { url: "http://127.0.0.1:9/send".into(), ..good() }.check().is_ok());
        for url in ["http://sms.example/send", "ftp://sms.example", "https://", "x", "https://me@sms.example"] {
            assert!(refused(Sms { url: url.into(), ..good() }).contains("begin it with https://"), "{url}");
        }
        assert!(refused(Sms { url: String::new(), ..good() }).contains("sms.url: where"));
        assert!(refused(Sms { token_file: PathBuf::new(), ..good() }).contains("sms.token_file"));
        assert!(refused(Sms { development: true, ..good() }).contains("leave one of them out"));
        assert!(refused(Sms { from: "a\nb".into(), ..good() }).contains("sms.from"));
        assert!(refused(Sms { a_day_company: 0, ..good() }).contains("a_day_company"));
    }
}
