//! `keiin demo`: the demonstration company, made once, then served.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use keiin_eventlog::keys::Keyring;
use serde_json::Value;

use super::{DONE, Format, StoreArgs, Unusable, serve};
use crate::app::App;
use crate::config::Config;
use crate::datadir::DataDir;
use crate::locale::Lang;
use crate::stores::Stores;
use crate::{clock, demo};

/// Make and serve a demonstration company.
#[derive(Args)]
pub struct Demo {
    /// Data directory; made if it is not there.
    #[arg(long, env = "KEIIN_DATA", default_value = "keiin-demo")]
    data: PathBuf,
    #[command(flatten)]
    stores: StoreArgs,
    /// Address for people, on loopback; port 0 takes a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Address for operators.
    #[arg(long)]
    admin_listen: Option<SocketAddr>,
    /// Only make it.
    #[arg(long)]
    no_serve: bool,
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Name in every proof of a demonstration.
const LOG_NAME: &str = "demo.keiin.localhost";

impl Demo {
    pub async fn run(self) -> anyhow::Result<u8> {
        let data = DataDir::new(&self.data);
        refuse_foreign(&data)?;
        let config = self.config(&data)?;
        // The addresses first: whoever cannot be served need not wait.
        let (config, sockets) = if self.no_serve {
            (config, None)
        } else {
            let (config, sockets) = serve::bind(config, &data).await?;
            (config, Some(sockets))
        };
        if !data.is_ours() {
            // In a runtime of its own, whose end is the end of every thread that had the files open.
            let (place, stores) = (data.clone(), self.stores.clone());
            let make = move || tokio::runtime::Runtime::new()?.block_on(make(&place, &stores));
            tokio::task::spawn_blocking(make).await??;
        }
        let data = DataDir::new(data.root().canonicalize()?);
        let app = App::open(config, data).await?;
        let found = demo::find(&app).map_err(|p| anyhow::anyhow!("the demonstration cannot be read ({})", p.code))?;
        let mut found = found.ok_or_else(|| not_ours(&self.data))?;
        let links = found.links(&app).await;
        let links = links.map_err(|p| anyhow::anyhow!("the links cannot be made ({})", p.code))?;
        serve::announce(&match self.format {
            Format::Json => links.to_string(),
            Format::Text => text(&app, &links, sockets.is_some()),
        })?;
        if let Some(sockets) = sockets {
            serve::run(app, sockets).await?;
        }
        Ok(DONE)
    }

    fn config(&self, data: &DataDir) -> anyhow::Result<Config> {
        let mut config = self.stores.over(Config::read(&data.config())?);
        config.listen = self.listen.unwrap_or(config.listen);
        config.admin_listen = self.admin_listen.unwrap_or(config.admin_listen);
        if !config.listen.ip().is_loopback() {
            let text =
                format!("everybody knows the demonstration's password: not on {}, only on 127.0.0.1", config.listen);
            return Err(Unusable(text).into());
        }
        // So that codes by SMS can be tried out as well.
        config.sms.development = config.sms.url.is_empty() && config.is_private();
        if config.support.contact.is_empty() {
            config.support.contact = "support@keiin.example".into();
        }
        if !data.is_ours() {
            config.log_name = LOG_NAME.into();
        }
        Ok(config)
    }
}

fn not_ours(path: &Path) -> Unusable {
    Unusable(format!("{} holds something else than a demonstration; choose another with --data", path.display()))
}

fn refuse_foreign(data: &DataDir) -> Result<(), Unusable> {
    let empty = match std::fs::read_dir(data.root()) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if empty || data.is_ours() { Ok(()) } else { Err(not_ours(data.root())) }
}

/// Makes it beside its place and moves it there when it is whole, so that nobody ever finds half of it.
async fn make(data: &DataDir, stores: &StoreArgs) -> anyhow::Result<()> {
    let name = data.root().file_name().ok_or_else(|| not_ours(data.root()))?;
    let mut making = name.to_owned();
    making.push(".making");
    let making = DataDir::new(data.root().with_file_name(making));
    clear_away(&making)?;
    let config = stores.over(Config { log_name: LOG_NAME.into(), ..Config::default() });
    Stores::of(&config, &making)?.check_empty().await?;
    making.create(LOG_NAME, &stores.given())?;
    Keyring::create(&making.keys(Path::new("")))?;
    let now_us = clock::now_us();
    let app = App::open_at(config, making.clone(), demo::start_us(now_us)).await?;
    demo::make(&app, now_us).await?;
    drop(app);
    std::fs::rename(making.root(), data.root())
        .with_context(|| format!("{} cannot take its place at {}", making.root().display(), data.root().display()))?;
    let parent = data.root().parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(parent)?.sync_all()?;
    Ok(())
}

/// What an interrupted run left; not what another one is making, and nothing that is not ours.
fn clear_away(making: &DataDir) -> anyhow::Result<()> {
    if !making.root().exists() {
        return Ok(());
    }
    // Also a directory of ours may bear this name: only a demonstration is removed.
    if !making.is_ours() || Config::read(&making.config())?.log_name != LOG_NAME {
        let text = format!("{} is in the way; remove it and try again", making.root().display());
        return Err(Unusable(text).into());
    }
    let lock = making.lock()?;
    std::fs::remove_dir_all(making.root()).with_context(|| format!("cannot remove {}", making.root().display()))?;
    drop(lock);
    Ok(())
}

/// The terminal's language: what POSIX says messages are in, else English.
fn terminal() -> Lang {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
    locale.and_then(|locale| Lang::parse(&locale)).unwrap_or(Lang::En)
}

fn text(app: &App, links: &Value, serving: bool) -> String {
    let field = |name: &str| links[name].as_str().unwrap_or_default();
    let args = [
        ("url", field("url")),
        ("login", field("login_link")),
        ("kiosk", field("kiosk_link")),
        ("data", field("data")),
        ("slug", field("slug")),
        ("vkey", field("vkey")),
        ("password", demo::PASSWORD),
    ];
    let lang = terminal();
    let head = if serving { "demo-serving" } else { "demo-made" };
    [head, "demo-links", "demo-next"].map(|key| app.texts.get(lang, key, &args)).join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_everything() {
        let texts = crate::locale::Texts::new().expect("the texts are read");
        let args = ["url", "login", "kiosk", "data", "slug", "vkey", "password"].map(|name| (name, name));
        for lang in Lang::ALL {
            for key in ["demo-serving", "demo-made", "demo-links", "demo-next"] {
                assert_ne!(texts.get(lang, key, &args), key);
            }
        }
    }
}
