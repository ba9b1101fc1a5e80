//! The command line. Results go to stdout, progress and log to stderr; `--format json` is one object a line.
//! Exit codes: 0 done, 1 refuted or a check failed, 2 usage or unusable input, 3 server or store trouble.

mod bench;
mod demo;
mod doctor;
mod export;
pub(crate) mod keys;
mod migrate;
mod operator;
mod restore;
mod serve;
mod verify;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::app::App;
use crate::attachment;
use crate::config::{Config, Tls};
use crate::datadir::{DataDir, InUse};

/// Done.
pub const DONE: u8 = 0;
/// Refuted, or a check failed.
pub const FAILED: u8 = 1;
/// Usage, or input that cannot be used.
pub const UNUSABLE: u8 = 2;
/// Server or store trouble.
pub const TROUBLE: u8 = 3;

/// A back office whose audit trail is the system of record.
#[derive(Parser)]
#[command(name = "keiin", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make and serve a demonstration company.
    Demo(demo::Demo),
    /// Make an empty data directory with its keys.
    Init(serve::Init),
    /// Serve a data directory.
    Serve(serve::Serve),
    /// Write a company's ledger, or a range of it, as a bundle that anybody can verify.
    Export(export::Export),
    /// Check a bundle offline. Exit code 0 verified, 1 refuted, 2 unusable.
    Verify(verify::Verify),
    /// Flip one byte of a record, to see the refusal.
    DemoTamper(verify::Tamper),
    /// Fold all read models again from the ledgers.
    Rebuild(serve::Rebuild),
    /// Move a company or a whole deployment to another data directory and other databases.
    Migrate(migrate::Migrate),
    /// Make a data directory fit to serve after backups were put back.
    Restore(restore::Restore),
    /// Check keys, databases, clock, disk and mail; each failure says its fix.
    Doctor(doctor::Doctor),
    /// Show or rotate the keys.
    Keys(keys::Keys),
    /// Destroy a person's keys: their personal fields become unreadable everywhere, the chain still verifies.
    EraseSubject(keys::EraseSubject),
    /// Accounts of the people who run the deployment: the first ones, or when nobody can log in.
    Operator(operator::OperatorArgs),
    /// Measure one load alone, on a temporary deployment.
    Bench(bench::Bench),
    /// Looks into a PDF on stdin; the server starts it for each file that is brought.
    #[command(name = attachment::inspect::COMMAND, hide = true)]
    InspectPdf,
}

/// How results are written.
#[derive(Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The data directory, for every command that uses one.
#[derive(Args)]
pub struct DataArg {
    /// Data directory.
    #[arg(long, env = "KEIIN_DATA", default_value = "keiin-data")]
    data: PathBuf,
    #[command(flatten)]
    stores: StoreArgs,
}

impl DataArg {
    fn dir(&self) -> DataDir {
        DataDir::new(&self.data)
    }

    /// The directory and its settings, which must be there.
    fn open(&self) -> anyhow::Result<(Config, DataDir)> {
        let data = self.dir();
        data.must_be_ours().map_err(|error| Unusable(format!("{error:#}")))?;
        Ok((self.stores.over(Config::read(&data.config())?), data))
    }
}

/// Databases that a command line can lay over the settings' ones.
#[derive(Args, Clone, Default)]
pub struct StoreArgs {
    /// Ledgers and read models: postgres://user@host/database. Default: files in the data directory.
    #[arg(long)]
    database: Option<String>,
    /// Keys and secrets: a database of its own.
    #[arg(long)]
    vault: Option<String>,
    /// Remembered checkpoints: a database of its own; several nodes share it.
    #[arg(long)]
    anchor: Option<String>,
}

impl StoreArgs {
    /// What was given, as settings.
    fn given(&self) -> Vec<(&'static str, &str)> {
        let all = [("database", &self.database), ("vault", &self.vault), ("anchor", &self.anchor)];
        all.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?))).collect()
    }

    fn over(&self, mut config: Config) -> Config {
        let lay = |given: &Option<String>, setting: &mut String| {
            if let Some(given) = given {
                setting.clone_from(given);
            }
        };
        lay(&self.database, &mut config.database);
        lay(&self.vault, &mut config.vault);
        lay(&self.anchor, &mut config.anchor);
        config
    }
}

/// Settings that a command line can lay over the file's.
#[derive(Args, Default)]
pub struct ListenArgs {
    /// Address for people; port 0 takes a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Address for operators.
    #[arg(long)]
    admin_listen: Option<SocketAddr>,
    /// Certificate and those between it and its authority, PEM (certbot: fullchain.pem). Read again when it changes.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM, readable by its owner only (certbot: privkey.pem).
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Authority (PEM) of the certificates by which operators log in on the operators' port. Needs TLS.
    #[arg(long, value_name = "FILE")]
    operator_ca: Option<PathBuf>,
    /// TLS with a certificate of our own making, which browsers warn of.
    #[arg(long, value_name = "HOW", conflicts_with_all = ["tls_cert", "tls_key"])]
    tls: Option<TlsHow>,
    /// With TLS on: a plain address that leads every request to the https one.
    #[arg(long, value_name = "ADDRESS")]
    http_listen: Option<SocketAddr>,
    /// A TLS proxy is in front; believe it when it connects from this network (CIDR).
    #[arg(long)]
    behind_proxy: Option<String>,
}

/// Where a certificate comes from, if not from files.
#[derive(Clone, Copy, ValueEnum)]
enum TlsHow {
    /// Made at the first start and kept beside the other keys.
    SelfSigned,
}

impl ListenArgs {
    fn over(&self, mut config: Config) -> Config {
        config.listen = self.listen.unwrap_or(config.listen);
        config.admin_listen = self.admin_listen.unwrap_or(config.admin_listen);
        config.http_listen = self.http_listen.or(config.http_listen);
        if self.tls_cert.is_some() || self.tls_key.is_some() {
            config.tls = Tls {
                cert: self.tls_cert.clone().unwrap_or(config.tls.cert),
                key: self.tls_key.clone().unwrap_or(config.tls.key),
                self_signed: false,
            };
        }
        if let Some(TlsHow::SelfSigned) = self.tls {
            config.tls = Tls { self_signed: true, ..Tls::default() };
        }
        config.proxy.trusted.extend(self.behind_proxy.clone());
        config.operators.ca = self.operator_ca.clone().unwrap_or(config.operators.ca);
        config
    }
}

/// Reads the arguments and runs the command.
pub fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { UNUSABLE } else { DONE };
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("KEIIN_LOG").unwrap_or_else(|_| "warn".into());
    // A log that cannot be written (a full disk, a closed pipe) must not bring the server down.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.log_internal_errors(false).init();
    let outcome = match cli.command {
        Command::Demo(command) => block_on(command.run()),
        Command::Init(command) => block_on(command.run()),
        Command::Serve(command) => block_on(command.run()),
        Command::Export(command) => block_on(command.run()),
        Command::Verify(command) => command.run(),
        Command::DemoTamper(command) => command.run(),
        Command::Rebuild(command) => block_on(command.run()),
        Command::Migrate(command) => block_on(command.run()),
        Command::Restore(command) => block_on(command.run()),
        Command::Doctor(command) => block_on(command.run()),
        Command::Keys(command) => block_on(command.run()),
        Command::EraseSubject(command) => block_on(command.run()),
        Command::Operator(command) => block_on(command.run()),
        Command::Bench(command) => command.run(),
        Command::InspectPdf => attachment::inspect::answer(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("keiin: {error:#}");
        let unusable = error.is::<InUse>() || error.is::<Unusable>() || error.is::<crate::config::BadConfig>();
        if unusable { UNUSABLE } else { TROUBLE }
    })
}

/// What was given cannot be used; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// Runs something on a runtime that ends with it.
pub fn block_on<T>(run: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run)
}

/// A company by its id or its short name, in an opened deployment.
async fn tenant_id(app: &App, tenant: &str) -> anyhow::Result<Uuid> {
    if let Ok(id) = Uuid::parse_str(tenant) {
        return Ok(id);
    }
    let found =
        app.tenant_by_slug(tenant).await.map_err(|p| anyhow::anyhow!("the companies cannot be read ({})", p.code))?;
    found.ok_or_else(|| unknown_tenant(tenant).into())
}

fn unknown_tenant(tenant: &str) -> Unusable {
    Unusable(format!("there is no company {tenant}; give its short name or its id"))
}
