//! The programs that are measured: ours beside this one, the peers where they are installed (`benches/run`).

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use keiin_test_postgres::Server;

/// message-db's SQL, in the order of its own install scripts; users and privileges left out.
const MESSAGE_DB: [&str; 19] = [
    "schema/message-store",
    "extensions/pgcrypto",
    "tables/messages",
    "types/message",
    "functions/message-store-version",
    "functions/hash-64",
    "functions/acquire-lock",
    "functions/category",
    "functions/is-category",
    "functions/id",
    "functions/cardinal-id",
    "functions/stream-version",
    "functions/write-message",
    "functions/get-stream-messages",
    "functions/get-category-messages",
    "functions/get-last-stream-message",
    "indexes/messages-id",
    "indexes/messages-stream",
    "indexes/messages-category",
];

/// Everything that is running for the comparison; it ends with this.
pub struct Peers {
    here: PathBuf,
    postgres: Server,
    umadb: Result<(UmaDb, PathBuf), String>,
    message_db: Result<String, String>,
}

struct UmaDb {
    server: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Drop for UmaDb {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Peers {
    /// Starts what is there.
    pub fn start() -> anyhow::Result<Peers> {
        let here = std::env::current_exe()?.parent().context("a program lies in a directory")?.to_owned();
        let postgres = Server::start();
        let message_db = install_message_db(&postgres).map_err(|why| format!("{why:#}"));
        let umadb = start_umadb().map_err(|why| format!("{why:#}"));
        Ok(Peers { here, postgres, umadb, message_db })
    }

    /// `keiin bench …`.
    pub fn keiin(&self, args: &str) -> Command {
        let mut command = Command::new(self.here.join("keiin"));
        command.arg("bench").args(args.split(' ')).args(["--format", "json"]);
        command
    }

    /// `raw …`.
    pub fn raw(&self, args: &str) -> Command {
        let mut command = Command::new(self.here.join("raw"));
        command.args(args.split(' '));
        command
    }

    /// The driver of UmaDB.
    pub fn umadb(&self, args: &str) -> anyhow::Result<Command> {
        let (server, driver) = self.umadb.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
        let mut command = Command::new(driver);
        command.arg(&server.url).args(args.split(' '));
        Ok(command)
    }

    /// A new, empty database.
    pub fn database(&self) -> String {
        self.postgres.database()
    }

    /// The database that message-db is installed in.
    pub fn message_db(&self) -> anyhow::Result<&str> {
        self.message_db.as_deref().map_err(|why| anyhow::anyhow!("{why}"))
    }

    /// As the server says it.
    pub fn postgres_version(&self) -> String {
        let version = self.postgres.sql("postgres", "SELECT version()");
        version.split(" on ").next().unwrap_or("unknown").to_owned()
    }
}

fn install_message_db(server: &Server) -> anyhow::Result<String> {
    let dir = std::env::var("KEIIN_BENCH_MESSAGE_DB").context("message-db is not here: see benches/README.md")?;
    let url = server.database();
    let name = url.rsplit('/').next().unwrap_or_default();
    server.sql(name, &format!("ALTER DATABASE {name} SET search_path TO message_store, public"));
    for file in MESSAGE_DB {
        let path = Path::new(&dir).join(format!("{file}.sql"));
        let sql = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        server.sql(name, &sql);
    }
    Ok(url)
}

fn start_umadb() -> anyhow::Result<(UmaDb, PathBuf)> {
    let missing = "UmaDB is not here: see benches/README.md";
    let wheel = std::env::var("KEIIN_BENCH_UMADB").context(missing)?;
    let driver = PathBuf::from(std::env::var("KEIIN_BENCH_UMADB_DRIVER").context(missing)?);
    anyhow::ensure!(driver.is_file(), "the driver of UmaDB is not built: see benches/README.md");
    let dir = tempfile::tempdir()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let main = "from umadb.umadb_server_cli import main; main()";
    let mut command = Command::new("python3");
    command.args(["-c", main, "--listen", &address.to_string(), "--db-path"]).arg(dir.path().join("uma.db"));
    command.env("PYTHONPATH", wheel).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = UmaDb { server: command.spawn()?, url: format!("http://{address}"), _dir: dir };
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        anyhow::ensure!(Instant::now() < deadline, "UmaDB's server has not started");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((server, driver))
}
