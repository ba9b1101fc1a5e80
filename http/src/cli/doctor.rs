//! `keiin doctor`: what would go wrong, each with its fix. Reads only.

use std::os::unix::fs::PermissionsExt;

use clap::Args;
use keiin_eventlog::keys::Keyring;
use keiin_eventlog::log::Log;
use keiin_eventlog::vault::Vault;
use serde_json::json;

use super::{DONE, DataArg, FAILED, Format, ListenArgs, Unusable};
use crate::app::ROOT;
use crate::attachment::scan;
use crate::clock;
use crate::config::Config;
use crate::datadir::DataDir;
use crate::smtp::Smtp;
use crate::stores::Stores;
use crate::tls::{Files, Validity, is_for};

/// Check keys, databases, clock, disk and mail.
#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    data: DataArg,
    #[command(flatten)]
    listen: ListenArgs,
    #[arg(long, default_value = "text")]
    format: Format,
}

/// One check: its name, what was found, and what to do if it is wrong.
struct Finding {
    name: &'static str,
    found: String,
    fix: Option<String>,
}

fn good(name: &'static str, found: impl Into<String>) -> Finding {
    Finding { name, found: found.into(), fix: None }
}

fn bad(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { name, found: found.into(), fix: Some(fix.into()) }
}

impl Doctor {
    pub async fn run(self) -> anyhow::Result<u8> {
        let data = self.data.dir();
        data.must_be_ours().map_err(|error| Unusable(format!("{error:#}")))?;
        let config = Config::read(&data.config()).map(|config| self.listen.over(self.data.stores.over(config)));
        let mut findings = vec![directory(&data)];
        match &config {
            Ok(_) => findings.push(good("settings", data.config().display().to_string())),
            Err(error) => findings.push(bad("settings", error.to_string(), "correct keiin.toml or the environment")),
        }
        let config = config.unwrap_or_default();
        findings.extend(keys_and_stores(&data, &config).await);
        findings.push(tls(&data, &config));
        findings.push(scrub(&data, &config));
        findings.push(clock_finding());
        findings.push(disk(&data));
        findings.push(mail(&config).await);
        findings.push(scanner(&config));
        findings.push(good("font", "pages use the reader's fonts; none is needed here"));
        let failed = findings.iter().any(|finding| finding.fix.is_some());
        for finding in &findings {
            match self.format {
                Format::Json => println!(
                    "{}",
                    json!({ "check": finding.name, "ok": finding.fix.is_none(), "found": finding.found, "fix": finding.fix })
                ),
                Format::Text => match &finding.fix {
                    None => println!("ok    {:9} {}", finding.name, finding.found),
                    Some(fix) => println!("FAIL  {:9} {}\n      fix: {fix}", finding.name, finding.found),
                },
            }
        }
        Ok(if failed { FAILED } else { DONE })
    }
}

/// Is the program there that looks at attachments?
fn scanner(config: &Config) -> Finding {
    match (scan::trouble(&config.attachments), config.attachments.scan_command.first()) {
        (Some(trouble), _) => bad("scanner", trouble, "install it, or correct [attachments] in keiin.toml"),
        (None, Some(program)) => good("scanner", format!("{program} looks at each attachment")),
        (None, None) => good("scanner", "none is set: attachments are looked into, and not scanned"),
    }
}

/// Connects and logs in, and sends nothing.
async fn mail(config: &Config) -> Finding {
    let smtp = match Smtp::of(config) {
        Ok(Some(smtp)) => smtp,
        Ok(None) => return good("mail", "no mail server is set: mails stay in the outbox of the console"),
        Err(error) => return bad("mail", error.to_string(), "correct [mail] in keiin.toml"),
    };
    match smtp.connect().await {
        Ok(line) => {
            line.close().await;
            good("mail", format!("{} answers and lets us in", config.mail.server))
        }
        Err(trouble) => {
            let found = format!("{}: {trouble}", config.mail.server);
            bad(
                "mail",
                found,
                "correct [mail] in keiin.toml, or the server's certificate or password; mails wait meanwhile",
            )
        }
    }
}

fn directory(data: &DataDir) -> Finding {
    let path = data.root().display().to_string();
    match std::fs::metadata(data.root()) {
        Ok(meta) if meta.permissions().mode() & 0o077 == 0 => good("directory", path),
        Ok(_) => bad("directory", format!("{path} can be read by others"), format!("chmod 700 {path}")),
        Err(error) => bad("directory", format!("{path}: {error}"), "make it readable for this user"),
    }
}

async fn keys_and_stores(data: &DataDir, config: &Config) -> Vec<Finding> {
    let dir = data.keys(&config.keys);
    let keyring = match Keyring::open(&dir) {
        Ok(keyring) => keyring,
        Err(error) => return vec![bad("keys", error.to_string(), "restore the key directory from its own backup")],
    };
    let mut findings =
        vec![good("keys", format!("{} signing key(s) in {}", keyring.public_keys().len(), dir.display()))];
    let stores = match Stores::of(config, data) {
        Ok(stores) => stores,
        Err(error) => return vec![bad("databases", error.to_string(), "correct keiin.toml or the command line")],
    };
    if !stores.log_exists() {
        findings.push(good("log", "empty; the first start makes it"));
        return findings;
    }
    match stores.open_log_reader().await {
        Ok(store) => match Log::open(store).heads(None, 10_000).await {
            Ok(heads) => {
                let events: u64 = heads.iter().map(|head| head.size).sum();
                findings.push(good("log", format!("{} ledger(s), {events} events", heads.len())));
            }
            Err(error) => {
                findings.push(bad("log", error.to_string(), "is its server up? Else restore the log from a backup"))
            }
        },
        Err(error) => {
            findings.push(bad("log", error.to_string(), "is its server up? Else restore the log from a backup"))
        }
    }
    let vault = keyring.kek().map_err(|e| e.to_string());
    let vault = vault.and_then(|kek| Vault::open_reader(&stores.vault, kek).map_err(|e| e.to_string()));
    match vault.and_then(|vault| vault.current_body_key(ROOT).map_err(|e| e.to_string())) {
        Ok(key) => findings.push(good("vault", format!("opens; data key {}", key.epoch()))),
        Err(error) => findings.push(bad("vault", error, "is this the vault that belongs to these keys? Put it back")),
    }
    findings
}

/// The certificate: there, whole, private, for our host, and not at its end (ML-05).
fn tls(data: &DataDir, config: &Config) -> Finding {
    if let Err(error) = config.check_listen() {
        return bad("tls", error.to_string(), "correct keiin.toml or the environment");
    }
    if config.is_proxied_in_the_clear() {
        let fix = "set public_url to the https:// address that people type";
        return bad(
            "tls",
            "a proxy is in front, but cookies lack Secure: public_url does not begin with https://",
            fix,
        );
    }
    if !config.tls.is_on() {
        return good("tls", if config.is_https() { "a proxy speaks it for us" } else { "off: this machine only" });
    }
    if config.public_url.is_empty() && config.listen.ip().is_unspecified() {
        let found = format!("public_url is not set: links in mails would lead to {}", config.url());
        return bad("tls", found, "set public_url to https:// and the host's name");
    }
    let files = Files::of(config, data);
    if config.tls.self_signed && !files.cert.exists() {
        return good("tls", "the first start makes a certificate of our own");
    }
    let judged = files.read().and_then(|read| read.usable()).and_then(|_| files.leaf());
    let leaf = match judged {
        Ok(leaf) => leaf,
        Err(error) => return bad("tls", error.to_string(), "then start again, or send SIGHUP to a server that runs"),
    };
    let path = files.cert.display();
    let validity = Validity::of(&leaf);
    if let Some(trouble) = validity.trouble(clock::now_us()) {
        let fix = if config.tls.self_signed { "start again: it is made anew" } else { "renew it with its authority" };
        return bad("tls", format!("{path}: {trouble}"), fix);
    }
    match config.public_host() {
        Some(host) if !is_for(&leaf, host) => {
            bad("tls", format!("{path} is not for {host}, the host in public_url"), "get one with this name in it")
        }
        _ => good("tls", format!("{path}, {validity}")),
    }
}

fn scrub(data: &DataDir, config: &Config) -> Finding {
    let behind = || crate::scrub::trouble(data, &config.scrub, clock::now_us());
    let Some(last) = crate::scrub::last(&data.scrub()) else {
        let not_yet = || good("scrub", "not yet; a server reads its records again twice a day");
        return behind().map_or_else(not_yet, |(found, fix)| bad("scrub", found, fix));
    };
    let when = keiin_domain::date::instant(last.began_us);
    let text = format!("{} events of {} ledger(s) read again at {when}", last.events, last.ledgers);
    match last.damage.first() {
        None => match behind() {
            None => good("scrub", text),
            Some((found, fix)) => bad("scrub", format!("{text}; {found}"), fix),
        },
        Some(damage) => {
            let place = damage.position.map_or(String::new(), |position| format!(", position {position}"));
            let text = format!("{text}; ledger {}{place}: {}", damage.ledger, damage.reason);
            bad("scrub", text, "restore log.db from a backup, and have the disk looked at")
        }
    }
}

fn clock_finding() -> Finding {
    // 2026-11-01: no record of this program can be older.
    const BUILT_US: i64 = 1_793_491_200_000_000;
    let now_us = clock::now_us();
    let text = keiin_domain::date::instant(now_us);
    if now_us > BUILT_US { good("clock", text) } else { bad("clock", text, "set the clock, for instance with NTP") }
}

/// Room is found out by taking it: a file of 64 MiB, synced and removed.
fn disk(data: &DataDir) -> Finding {
    let path = data.root().join("tmp").join("doctor");
    let take = || -> std::io::Result<()> {
        let file = std::fs::File::create(&path)?;
        let block = vec![0xa5u8; 1 << 20];
        for _ in 0..64 {
            std::io::Write::write_all(&mut &file, &block)?;
        }
        file.sync_all()
    };
    let taken = take();
    let _ = std::fs::remove_file(&path);
    match taken {
        Ok(()) => good("disk", "64 MiB could be written and synced"),
        Err(error) => bad("disk", error.to_string(), "free space, or move the data directory to a larger disk"),
    }
}
