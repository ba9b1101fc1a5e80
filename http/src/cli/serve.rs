//! `keiin init`, `serve`, `rebuild`.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use keiin_eventlog::keys::Keyring;
use serde_json::json;
use tokio::net::TcpListener;

use super::{DONE, DataArg, Format, ListenArgs, Unusable};
use crate::app::App;
use crate::attachment::scan;
use crate::config::Config;
use crate::datadir::DataDir;
use crate::serve::Sockets;
use crate::stores::Stores;
use crate::tls::Tls;
use crate::{demo, metrics, serve};

/// How long a stop waits for the mail that is being handed over.
const LAST_MAIL: Duration = Duration::from_secs(10);

/// Make an empty data directory with its keys.
#[derive(Args)]
pub struct Init {
    #[command(flatten)]
    data: DataArg,
    /// Host-like name in every proof, frozen from now on; it need not resolve and names no customer.
    #[arg(long, default_value = "localhost")]
    log_name: String,
    #[arg(long, default_value = "text")]
    format: Format,
}

impl Init {
    pub async fn run(self) -> anyhow::Result<u8> {
        let data = self.data.dir();
        let stores = &self.data.stores;
        if data.is_ours() {
            // The same again makes the tables that a new version needs, by a login that may.
            let (config, data) = self.data.open()?;
            if !Stores::of(&config, &data)?.is_on_servers() {
                return Err(Unusable(format!("{} is a data directory already", data.root().display())).into());
            }
            let app = App::open(config, data.clone()).await?;
            for schema in app.runner.drop_unused().await? {
                eprintln!("dropped {schema}: read models that no node uses any more");
            }
            return self.say(&data);
        }
        if !keiin_eventlog::checkpoint::is_log_name(&self.log_name) {
            let text = format!("{} is no log name: host-like, lower case, at most 64 characters", self.log_name);
            return Err(Unusable(text).into());
        }
        let config = stores.over(Config { log_name: self.log_name.clone(), ..Config::default() });
        let places = Stores::of(&config, &data)?;
        places.check_empty().await?;
        data.create(&self.log_name, &stores.given()).map_err(|error| Unusable(format!("{error:#}")))?;
        Keyring::create(&data.keys(std::path::Path::new("")))?;
        if places.is_on_servers() {
            App::open(config, data.clone()).await?;
        }
        self.say(&data)
    }

    fn say(&self, data: &DataDir) -> anyhow::Result<u8> {
        let path = data.root().display().to_string();
        match self.format {
            Format::Json => println!("{}", json!({ "data": path, "log_name": self.log_name })),
            Format::Text => println!(
                "Made {path}. Back its keys up apart from the rest: {path}/keys\nNext: keiin serve --data {path}"
            ),
        }
        Ok(DONE)
    }
}

/// Serve a data directory.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    data: DataArg,
    #[command(flatten)]
    listen: ListenArgs,
    #[arg(long, default_value = "text")]
    format: Format,
}

impl Serve {
    pub async fn run(self) -> anyhow::Result<u8> {
        let (config, data) = self.data.open()?;
        let config = self.listen.over(config);
        let (config, sockets) = bind(config, &data).await?;
        let app = App::open(config, data).await?;
        demo::check_private(&app)?;
        announce(&self.line(&app, &sockets))?;
        run(app, sockets).await?;
        Ok(DONE)
    }
}

impl Serve {
    fn line(&self, app: &App, sockets: &Sockets) -> String {
        let url = app.public_url();
        let fingerprint = sockets.tls.as_ref().map(|tls| tls.fingerprint());
        match self.format {
            Format::Json => {
                let mut line = json!({ "url": url, "admin_url": app.config.admin_url() });
                if let Some(fingerprint) = fingerprint {
                    line["certificate_sha256"] = json!(fingerprint);
                }
                if let Some(address) = app.config.http_listen {
                    line["http_url"] = json!(format!("http://{address}"));
                }
                line.to_string()
            }
            Format::Text => match fingerprint {
                None => format!("Serving {url}"),
                Some(fingerprint) => format!("Serving {url}\nCertificate SHA-256 {fingerprint}"),
            },
        }
    }
}

/// Reads the certificate and takes all addresses, so that the settings hold the real ports.
pub async fn bind(mut config: Config, data: &DataDir) -> anyhow::Result<(Config, Sockets)> {
    config.check_listen()?;
    if config.is_proxied_in_the_clear() {
        tracing::warn!("a proxy is in front but public_url does not begin with https://: cookies lack Secure, set it");
    }
    if let Some(trouble) = scan::trouble(&config.attachments) {
        tracing::warn!("{trouble}");
    }
    let tls = Tls::open(&config, data)?.map(Arc::new);
    let admin_tls = Tls::of_operators(&config)?.map(Arc::new).or_else(|| tls.clone());
    let listen = async |address: SocketAddr, flag: &str| {
        let socket = TcpListener::bind(address).await;
        socket.with_context(|| format!("cannot listen on {address} ({flag})"))
    };
    let public = listen(config.listen, "--listen").await?;
    let admin = listen(config.admin_listen, "--admin-listen").await?;
    (config.listen, config.admin_listen) = (public.local_addr()?, admin.local_addr()?);
    let mut redirect = None;
    if let Some(address) = &mut config.http_listen {
        let socket = listen(*address, "--http-listen").await?;
        *address = socket.local_addr()?;
        redirect = Some(socket);
    }
    Ok((config, Sockets { public, admin, redirect, tls, admin_tls }))
}

/// Serves until a signal says stop.
pub async fn run(app: Arc<App>, sockets: Sockets) -> anyhow::Result<()> {
    metrics::start()?;
    let mails = app.start();
    serve::run(app, sockets).await?;
    // What is being handed over is written down, the rest is given back for the next start.
    let _ = tokio::time::timeout(LAST_MAIL, mails).await;
    Ok(())
}

/// A line for whoever waits for it on a pipe.
pub fn announce(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// Fold all read models again from the ledgers.
#[derive(Args)]
pub struct Rebuild {
    #[command(flatten)]
    data: DataArg,
    #[arg(long, default_value = "text")]
    format: Format,
}

impl Rebuild {
    pub async fn run(self) -> anyhow::Result<u8> {
        let (config, data) = self.data.open()?;
        let app = App::open(config, data).await?;
        let started = std::time::Instant::now();
        let events = app.runner.rebuild().await?;
        let seconds = started.elapsed().as_secs_f64();
        match self.format {
            Format::Json => println!("{}", json!({ "events": events, "seconds": seconds })),
            Format::Text => println!("Folded {events} events in {seconds:.2} s"),
        }
        Ok(DONE)
    }
}
