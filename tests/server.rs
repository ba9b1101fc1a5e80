//! The real binary: one-shot commands, servers on free ports, and the demonstration company to work on.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Call, Client};

/// Longest wait for a server to print its address or to be ready. Debug builds on a busy machine are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// The binary under test: `KEIIN_TEST_BIN`, else the one that was built beside this test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("KEIIN_TEST_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows its own file");
    let binary = test.ancestors().skip(1).map(|folder| folder.join("keiin")).find(|file| file.is_file());
    binary.expect("keiin is not built: cargo build --package keiin, or tests/run")
}

/// `keiin` with a clean environment: no settings of the caller, no terminal, admin port free.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KEIIN_")) {
        command.env_remove(name);
    }
    command.env("KEIIN__ADMIN_LISTEN", "127.0.0.1:0").env("LANG", "C.UTF-8").args(args).stdin(Stdio::null());
    command
}

/// The same under another program, such as `["strace", "-f", …]`.
pub fn under(wrapper: &[&str], args: &[&str]) -> Command {
    let plain = command(args);
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(plain.get_program()).args(plain.get_args()).stdin(Stdio::null());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

/// What a finished command said.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; 128 + signal if it was killed.
    pub code: i32,
    /// Results.
    pub stdout: String,
    /// Progress, log, errors.
    pub stderr: String,
}

impl Ran {
    /// Itself if the exit code is this one; fails with both outputs otherwise.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The last line of stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{line:?} is no JSON: {e}\n{}", self.stderr))
    }
}

/// Runs `keiin ARGS` to its end.
pub fn keiin(args: &[&str]) -> Ran {
    finish(&mut command(args))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let out = command.output().expect("keiin runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: code(out.status), stdout: text(out.stdout), stderr: text(out.stderr) }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A running server. Dropping it kills it.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`, the real one.
    pub url: String,
    /// The JSON line that it printed when it was up, if it printed one.
    pub printed: Value,
    /// Where its stderr goes.
    pub log: PathBuf,
    /// What its certificate is checked against (PEM).
    roots: Option<Vec<u8>>,
    _stdout: Receiver<String>,
}

impl Server {
    /// `keiin serve` on a data directory, and waits until it is ready.
    pub fn serve(data: &Path) -> Server {
        Server::start(data, &["serve"])
    }

    /// `keiin ARGS --data DATA --listen 127.0.0.1:0 --format json`, and waits until it is ready. Its log is appended to
    /// `DATA.log`, beside the data directory.
    pub fn start(data: &Path, args: &[&str]) -> Server {
        let server = Server::start_unready(data, args);
        server.wait_ready();
        server
    }

    /// `keiin serve` where another one was before: at the same address.
    pub fn serve_again(data: &Path, url: &str) -> Server {
        let address = url.strip_prefix("http://").expect("plain on loopback");
        Server::start(data, &["serve", "--listen", address])
    }

    /// `keiin serve` that logs all it can.
    pub fn serve_talkative(data: &Path) -> Server {
        let mut command = command(&["serve"]);
        command.env("KEIIN_LOG", "trace");
        let server = Server::spawn(data, command);
        server.wait_ready();
        server
    }

    /// `keiin serve` that speaks TLS, with more arguments and settings in the environment; its certificate is checked
    /// against those in the file `roots`, which may be made by the start.
    pub fn serve_tls(data: &Path, roots: &Path, args: &[&str], settings: &[(&str, &str)]) -> Server {
        let mut command = command(&[&["serve"], args].concat());
        command.env("KEIIN_LOG", "info").envs(settings.iter().copied());
        let mut server = Server::spawn(data, command);
        server.roots = Some(fs::read(roots).expect("certificates"));
        server.wait_ready();
        server
    }

    /// Like [`Server::start`], but only waits for the address.
    pub fn start_unready(data: &Path, args: &[&str]) -> Server {
        Server::spawn(data, command(args))
    }

    /// `keiin serve` under another program (a tracer, a false clock), which must become it or keep its process id.
    /// Waits until it is ready.
    pub fn serve_under(wrapper: &[&str], data: &Path) -> Server {
        let server = Server::spawn(data, under(wrapper, &["serve"]));
        server.wait_ready();
        server
    }

    /// `keiin serve` with a clock that is off by so much (`-1h`), or starts at an instant in UTC (`@2026-11-23 10:20:00`); the
    /// monotonic clock is left alone.
    pub fn serve_at(clock: &str, data: &Path) -> Server {
        let library = ["x86_64", "aarch64"].map(|cpu| format!("/usr/lib/{cpu}-linux-gnu/faketime/libfaketime.so.1"));
        let library = library.iter().find(|path| Path::new(path).exists());
        let library =
            format!("LD_PRELOAD={}", library.expect("libfaketime is not installed: apt-get install faketime"));
        let clock = format!("FAKETIME={clock}");
        let settings = ["TZ=UTC", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1"];
        Server::serve_under(&[&["/usr/bin/env", &library, &clock], &settings[..]].concat(), data)
    }

    /// The same where the start itself may fail: then its exit code, and the last lines of its log.
    pub fn try_serve_under(wrapper: &[&str], data: &Path) -> Result<Server, (i32, String)> {
        let mut server = Server::try_spawn(data, under(wrapper, &["serve"]))?;
        let (client, deadline) = (server.client(), Instant::now() + PATIENCE);
        while !client.try_send(&Call::new("GET", "/readyz")).is_ok_and(|answer| answer.status == 200) {
            if let Some(code) = server.wait_exit(Duration::from_millis(20)) {
                return Err((code, server.log_tail()));
            }
            assert!(Instant::now() < deadline, "{} is not ready after {PATIENCE:?}\n{}", server.url, server.log_tail());
        }
        Ok(server)
    }

    fn spawn(data: &Path, command: Command) -> Server {
        let args = format!("{command:?}");
        let ended = |(code, log)| panic!("{args} ended with {code} and printed no address\n{log}");
        Server::try_spawn(data, command).unwrap_or_else(ended)
    }

    fn try_spawn(data: &Path, mut command: Command) -> Result<Server, (i32, String)> {
        let log = data.with_extension("log");
        let listens = command.get_args().any(|arg| arg == "--listen");
        let stderr = File::options().append(true).create(true).open(&log).expect("the log can be written");
        let data_arg = data.to_str().expect("temporary paths are text");
        let mut child = command
            .args(["--data", data_arg, "--format", "json"])
            .args(if listens { &[][..] } else { &["--listen", "127.0.0.1:0"] })
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("keiin starts");
        let stdout = lines_of(child.stdout.take().expect("piped"));
        let mut server = Server { child, url: String::new(), printed: Value::Null, log, roots: None, _stdout: stdout };
        let deadline = Instant::now() + PATIENCE;
        while server.url.is_empty() {
            match server._stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    server.printed = serde_json::from_str(&line).unwrap_or(Value::Null);
                    let url = server.printed["url"].as_str().map(str::to_owned).or_else(|| url_in(&line));
                    server.url = url.unwrap_or_default().trim_end_matches('/').to_owned();
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("keiin printed no address in {PATIENCE:?}\n{}", server.log_tail())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = server.child.wait().expect("it ended");
                    return Err((code(status), server.log_tail()));
                }
            }
        }
        Ok(server)
    }

    /// Waits until `/readyz` answers 200.
    pub fn wait_ready(&self) {
        let (client, deadline) = (self.client(), Instant::now() + PATIENCE);
        while !client.try_send(&Call::new("GET", "/readyz")).is_ok_and(|answer| answer.status == 200) {
            assert!(Instant::now() < deadline, "{} is not ready after {PATIENCE:?}\n{}", self.url, self.log_tail());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A client without a credential.
    pub fn client(&self) -> Client {
        self.client_of(&self.url)
    }

    /// A client for another of its ports.
    pub fn client_of(&self, url: &str) -> Client {
        match &self.roots {
            Some(roots) => Client::trusting(url, roots),
            None => Client::new(url),
        }
    }

    /// A client for the operators' port.
    pub fn admin(&self) -> Client {
        self.client_of(self.printed["admin_url"].as_str().expect("serve prints it"))
    }

    /// The exit code once the process has ended by itself; `None` when it is still there after `patience`.
    pub fn wait_exit(&mut self, patience: Duration) -> Option<i32> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                return Some(code(status));
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A link that was printed for another address, on this server.
    pub fn rebase(&self, link: &str) -> String {
        let path = link.split_once("://").map_or(link, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
        format!("{}{path}", self.url)
    }

    /// SIGSTOP: the process stands still, whatever it was doing; the kernel keeps its connections open.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "the server had ended before\n{}", self.log_tail());
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// SIGTERM, and waits for the orderly end; the exit code.
    pub fn stop(mut self) -> i32 {
        self.signal("-TERM");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                return code(status);
            }
            assert!(Instant::now() < deadline, "the server did not stop after SIGTERM\n{}", self.log_tail());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The last lines of the log, for messages.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of a pipe, read by a thread of their own so that the writer never blocks.
pub(crate) fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody may be listening any more; the pipe must still be emptied.
            let _ = send.send(line);
        }
    });
    receive
}

/// The first `http://HOST:PORT` in a line.
fn url_in(line: &str) -> Option<String> {
    let from = &line[line.find("http://")?..];
    let end = from.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(from.len());
    let path = from["http://".len()..end].find('/').map_or(end, |at| at + "http://".len());
    Some(from[..path].to_owned())
}

/// The demonstration company in a directory of its own: made once per test run, copied for each story.
pub struct Demo {
    /// The line that `demo --no-serve --format json` printed; `data` and the port are those of the original.
    pub info: Value,
    folder: TempDir,
}

impl Demo {
    /// A fresh copy.
    pub fn copy() -> Demo {
        let (template, info) = template();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let copied =
            Command::new("cp").arg("-a").arg(&template).arg(folder.path().join("data")).status().expect("cp runs");
        assert!(copied.success(), "{} cannot be copied", template.display());
        Demo { info, folder }
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder around the data directory: exports and logs go here.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A field of the printed line: `slug`, `api_token`, `vkey`, …
    #[track_caller]
    pub fn text(&self, field: &str) -> &str {
        self.info[field].as_str().unwrap_or_else(|| panic!("demo printed no {field}: {}", self.info))
    }

    /// A server on this copy, and a client with the owner's token.
    pub fn serve(&self) -> (Server, Client) {
        let server = Server::serve(&self.data());
        let client = server.client().with_token(self.text("api_token"));
        (server, client)
    }
}

/// The original: made by whichever story comes first, in a folder that names our process, so that a later run can
/// clear away what dead ones left.
fn template() -> (PathBuf, Value) {
    static MADE: OnceLock<Mutex<Option<(PathBuf, Value)>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(made) = &*made {
        return made.clone();
    }
    const NAME: &str = "keiin-test-demo-";
    for entry in fs::read_dir(std::env::temp_dir()).expect("the temporary folder can be listed").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_prefix(NAME).is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = std::env::temp_dir().join(format!("{NAME}{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    let data = folder.join("data");
    let ran = keiin(&["demo", "--no-serve", "--format", "json", "--data", data.to_str().expect("text")]).expect(0);
    *made = Some((data, ran.json()));
    made.clone().expect("just made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_printed_lines() {
        assert_eq!(
            url_in("listening on http://127.0.0.1:4711/ (Ctrl-C ends)").as_deref(),
            Some("http://127.0.0.1:4711")
        );
        assert_eq!(url_in("open http://127.0.0.1:4711/login?t=x").as_deref(), Some("http://127.0.0.1:4711"));
        assert_eq!(url_in("no address"), None);
    }
}
