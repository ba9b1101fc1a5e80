//! Throw-away PostgreSQL servers: initdb in a temporary directory, trust authentication, a free loopback port, as an
//! ordinary user. A server ends with the process that started it, also when that process is killed.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster in a temporary directory. Dropping it stops the server and removes the directory.
pub struct Server {
    dir: tempfile::TempDir,
    port: u16,
    running: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl Server {
    /// One server for all tests of this process.
    pub fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Server::start)
    }

    /// A new cluster, started. Panics with what to install if there is no PostgreSQL.
    pub fn start() -> Server {
        let server = Server::bare();
        let data = server.data();
        run(server
            .command("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N", "-D"])
            .arg(data));
        server.resume();
        server
    }

    /// A hot standby of `primary`, started; `name` is its application_name there.
    pub fn standby(primary: &Server, name: &str) -> Server {
        let server = Server::bare();
        let to = format!("host=127.0.0.1 port={} user=postgres application_name={name}", primary.port);
        run(server
            .command("pg_basebackup")
            .args(["-R", "-X", "stream", "-c", "fast", "-d", &to, "-D"])
            .arg(server.data()));
        server.resume();
        server
    }

    fn bare() -> Server {
        let dir = tempfile::Builder::new().prefix("keiin-pg-").tempdir().expect("a temporary directory");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(dir.path()));
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        Server { dir, port, running: Mutex::new(None), databases: AtomicU32::new(0) }
    }

    /// Where its files are.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Its loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds lines to its settings; they hold from the next start on.
    pub fn configure(&self, lines: &str) {
        let file = self.data().join("postgresql.auto.conf");
        let mut file = std::fs::OpenOptions::new().append(true).open(file).expect("its settings");
        writeln!(file, "{lines}").expect("its settings");
    }

    /// Speaks TLS from the next start on, with this certificate and key (PEM).
    pub fn speak_tls(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            std::fs::write(&path, text).expect("its files");
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its files");
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&path));
            }
        }
        self.configure("ssl = on");
    }

    /// Starts it (again) and waits until it answers.
    pub fn resume(&self) {
        let mut running = self.running.lock().expect("nobody panics here");
        if running.is_some() {
            return;
        }
        let socket = self.dir.path().display();
        // The shell waits for its input to end, which happens with this process at the latest, and then stops the server.
        let script = format!(
            "\"$0\" -D \"$1\" -p {0} -c listen_addresses=127.0.0.1 -c unix_socket_directories={socket} \
             -c max_connections=200 -c shared_buffers=64MB </dev/null >>\"$1/../log\" 2>&1 & pid=$!; \
             echo $pid > \"$1/../pid\"; read _; kill -QUIT $pid 2>/dev/null; kill -CONT $pid 2>/dev/null; wait $pid",
            self.port
        );
        let mut command = self.user(Path::new("sh"));
        command.args(["-c", &script]).arg(self.binary("postgres")).arg(self.data());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        *running = Some(child.expect("sh starts"));
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            assert!(Instant::now() < deadline, "PostgreSQL has not started:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && self
                .command("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p"])
                .arg(self.port.to_string())
                .status()
                .is_ok_and(|s| s.success())
    }

    /// Stops it at once, without a checkpoint, as a power cut of the process would; [`Server::resume`] recovers it.
    pub fn stop(&self) {
        if let Some(mut child) = self.running.lock().expect("nobody panics here").take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }

    /// Pauses (`STOP`) or continues (`CONT`) every process of it: connections stay open and nobody answers.
    pub fn signal(&self, signal: &str) {
        let Ok(pid) = std::fs::read_to_string(self.dir.path().join("pid")) else { return };
        let pid = pid.trim();
        let children = Command::new("pgrep").args(["-P", pid]).output().map(|o| o.stdout).unwrap_or_default();
        let children = String::from_utf8_lossy(&children).into_owned();
        let _ = Command::new("kill").arg(format!("-{signal}")).arg(pid).args(children.split_whitespace()).status();
    }

    /// From here on a commit waits for this standby. A restart, because a reload takes effect at some later time.
    pub fn wait_for_standby(&self, name: &str) {
        self.configure(&format!("synchronous_standby_names = '{name}'"));
        self.stop();
        self.resume();
        let deadline = Instant::now() + PATIENCE;
        let state = format!("SELECT sync_state FROM pg_stat_replication WHERE application_name = '{name}'");
        while self.sql("postgres", &state) != "sync" {
            assert!(Instant::now() < deadline, "{name} does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes a standby the primary and waits until it takes writes.
    pub fn promote(&self) {
        self.sql("postgres", "SELECT pg_promote(true, 30)");
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Runs SQL with psql as superuser and answers what it printed, unaligned, without headings. Panics if it fails.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self
            .command("psql")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-p"])
            .arg(self.port.to_string())
            .args(["-d", database, "-c", sql])
            .output()
            .expect("psql starts");
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Makes an empty database and answers its URL, as superuser.
    pub fn database(&self) -> String {
        let name = format!("t{}_{}", std::process::id(), self.databases.fetch_add(1, Ordering::SeqCst));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database, as superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A program of PostgreSQL, run as an ordinary user.
    pub fn command(&self, program: &str) -> Command {
        self.user(&self.binary(program))
    }

    fn binary(&self, program: &str) -> PathBuf {
        binaries().join(program)
    }

    fn user(&self, program: &Path) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.dir.path()).env("LC_ALL", "C");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if is_root() {
            let _ = Command::new("rm").arg("-rf").arg(self.dir.path()).status();
        }
    }
}

/// `KEIIN_TEST_PG_BIN`, else the newest that Debian has installed.
fn binaries() -> PathBuf {
    if let Some(dir) = std::env::var_os("KEIIN_TEST_PG_BIN") {
        return dir.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|v| v.path().join("bin")).filter(|bin| bin.join("postgres").exists()).max();
    newest.expect("PostgreSQL is not installed; as root: apt-get install postgresql")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_starts_pauses_stops_and_comes_back_with_what_was_committed() {
        let server = Server::start();
        let database = server.database();
        let name = database.rsplit('/').next().expect("a name").to_owned();
        server.sql(&name, "CREATE TABLE t (n INT); INSERT INTO t VALUES (42)");
        server.stop();
        server.resume();
        assert_eq!(server.sql(&name, "SELECT n FROM t"), "42");
        let dir = server.dir.path().to_owned();
        drop(server);
        assert!(!dir.exists());
    }
}
