//! Another program that is given a file: no shell, no settings of ours, bounded in time and in what it may say.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use axum::body::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// What is kept of what it says, bytes of each stream.
const SAYS: u64 = 4 << 10;

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it said first on stdout.
    pub stdout: Vec<u8>,
    /// And on stderr.
    pub stderr: Vec<u8>,
}

/// Runs a program with the file on its stdin; `None` if it took longer than this. It and what it started end with this call.
pub async fn run(program: &str, args: &[String], file: Bytes, patience: Duration) -> io::Result<Option<Ran>> {
    let mut command = Command::new(program);
    command.args(args).current_dir("/").env_clear().env("LANG", "C.UTF-8");
    // Secrets of ours may stand in the environment.
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talk = async {
        let give = async {
            if let Some(mut stdin) = stdin {
                // It may know enough before the end.
                let _ = stdin.write_all(&file).await;
            }
        };
        let (_, stdout, stderr, status) = tokio::join!(give, said(stdout), said(stderr), child.wait());
        Ok(Ran { code: status?.code(), stdout, stderr })
    };
    match tokio::time::timeout(patience, talk).await {
        Ok(ran) => ran.map(Some),
        Err(_) => {
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            Ok(None)
        }
    }
}

/// The beginning of what it says; the rest is taken and forgotten, so that it does not wait for us.
async fn said(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = vec![];
    if let Some(mut stream) = stream {
        let _ = (&mut stream).take(SAYS).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    kept
}
