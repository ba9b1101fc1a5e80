//! Who sends SMS for us: [`Sms`]. What they took over counts as sent; whether it arrives, nobody tells us.

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde_json::json;
use zeroize::Zeroizing;

use crate::config::{BadConfig, Config};
use crate::datadir::DataDir;
use crate::smtp;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where [`Development`] writes to, in the data directory.
pub const OUTBOX: &str = "sms-outbox.jsonl";

/// Why a message was not taken over. For the operator's log; names no number and no code.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(String);

/// An answer, which may take its time.
pub type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send + 'a>>;

/// Somebody who sends SMS.
pub trait Sms: Send + Sync {
    /// Hands a message over, to a number in E.164.
    fn send<'a>(&'a self, to: &'a str, text: &'a str) -> Sent<'a>;
}

/// The provider of the settings; `None` = there is none.
pub fn of(config: &Config, data: &DataDir) -> Result<Option<Arc<dyn Sms>>, BadConfig> {
    let sms = &config.sms;
    sms.check()?;
    if sms.development {
        if !config.is_private() {
            return Err(BadConfig::new(
                "sms.development: it shows everybody's codes to whoever runs this: 127.0.0.1 only",
            ));
        }
        return Ok(Some(Arc::new(Development { file: data.root().join(OUTBOX) })));
    }
    if sms.url.is_empty() {
        return Ok(None);
    }
    let bad = |name: &str, why: &dyn std::fmt::Display| BadConfig::new(format!("sms.{name}: {why}"));
    let url = Url::parse(&sms.url).map_err(|why| bad("url", &why))?;
    let token = smtp::password(&sms.token_file).map_err(|why| bad("token_file", &why))?;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
    let http = http.build().map_err(|why| bad("url", &why))?;
    Ok(Some(Arc::new(Web { http, url, token, from: sms.from.clone() })))
}

/// Nothing leaves the machine: one line of JSON a message, which whoever owns the data directory reads.
struct Development {
    file: PathBuf,
}

impl Sms for Development {
    fn send<'a>(&'a self, to: &'a str, text: &'a str) -> Sent<'a> {
        Box::pin(async move {
            let line = json!({ "to": to, "text": text }).to_string() + "\n";
            let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.file);
            let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
            written.map_err(|error| Trouble(format!("{}: {error}", self.file.display())))
        })
    }
}

/// Whoever takes a POST of `{"to", "text", "from"}` with a bearer token and answers 2xx.
struct Web {
    http: reqwest::Client,
    url: Url,
    token: Zeroizing<String>,
    from: String,
}

impl Sms for Web {
    fn send<'a>(&'a self, to: &'a str, text: &'a str) -> Sent<'a> {
        Box::pin(async move {
            let mut message = json!({ "to": to, "text": text });
            if !self.from.is_empty() {
                message["from"] = json!(self.from);
            }
            let request = self.http.post(self.url.clone()).bearer_auth(&*self.token);
            let request = request.header("content-type", "application/json").body(message.to_string());
            // Its error would name the address, which may hold a secret of the provider's.
            let answer = request.send().await.map_err(|error| Trouble(error.without_url().to_string()))?;
            match answer.status() {
                status if status.is_success() => Ok(()),
                status => Err(Trouble(format!("answered {status}"))),
            }
        })
    }
}
