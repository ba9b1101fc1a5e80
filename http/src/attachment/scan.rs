//! The deployment's own scanner, if it has one: a program that gets each file on its stdin.
//!
//! It fails closed: a file is taken when the scanner says that it is clean, and not when it says nothing, cannot be started or
//! takes too long.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;

use super::process;
use crate::config::Attachments;
use crate::problem::Problem;

/// Most characters of what a scanner says that are logged.
const LOGGED: usize = 500;

/// Whether a scanner has looked at the file and found nothing; `false` = there is no scanner.
pub async fn scanned(settings: &Attachments, file: &Bytes) -> Result<bool, Problem> {
    let Some((program, args)) = settings.scan_command.split_first() else { return Ok(false) };
    let patience = Duration::from_secs(settings.scan_timeout_s);
    let ran = match process::run(program, args, file.clone(), patience).await {
        Ok(Some(ran)) => ran,
        Ok(None) => {
            tracing::error!(program, seconds = settings.scan_timeout_s, "the scanner took too long: no file is taken");
            return Err(Problem::new("attachment.not_scanned"));
        }
        Err(error) => {
            tracing::error!(program, %error, "the scanner cannot be started: no file is taken");
            return Err(Problem::new("attachment.not_scanned"));
        }
    };
    let said = [String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)].concat();
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LOGGED).collect();
    match ran.code {
        Some(0) => Ok(true),
        Some(1) => {
            tracing::warn!(program, said, "the scanner found something in a file, which was not taken");
            Err(Problem::new("attachment.infected"))
        }
        code => {
            tracing::error!(program, ?code, said, "the scanner did not answer: no file is taken");
            Err(Problem::new("attachment.not_scanned"))
        }
    }
}

/// Why the configured scanner cannot be started, as far as that can be seen without a file.
pub fn trouble(settings: &Attachments) -> Option<String> {
    let program = settings.scan_command.first()?;
    let is_program =
        |path: &Path| path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = match program.contains('/') {
        true => program.starts_with('/') && is_program(Path::new(program)),
        false => std::env::split_paths(&path).any(|folder| is_program(&folder.join(program))),
    };
    (!is_there).then(|| format!("attachments.scan_command: there is no program {program}; no attachment is taken"))
}
