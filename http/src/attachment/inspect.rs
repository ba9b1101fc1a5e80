//! Looking into a PDF, in a process of its own: a file that takes all memory, never ends or breaks its reader does so there.

use std::io::{Read, Write};
use std::time::Duration;

use axum::body::Bytes;
use keiin_domain::attachment::MAX_TOTAL_BYTES;
use keiin_formats::pdf::{Inspected, Unfit, inspect};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::process;
use crate::problem::Problem;

/// Most pages of a file.
const MAX_PAGES: u32 = 200;
/// Memory that reading may take, bytes.
const MEMORY: u64 = 1 << 30;
/// Seconds of a core that it may take.
const CORE_S: u64 = 10;
/// How long it is waited for, on a machine that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(25);
/// Files that are looked at at once, over all companies.
static TURNS: Semaphore = Semaphore::const_new(2);
/// The subcommand that looks.
pub const COMMAND: &str = "inspect-pdf";

/// What the process answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Fit { pages: u32, is_printable: bool },
    Unfit(String),
}

/// What the file is like. Whatever happens to who looks, other than an answer, is the file's fault.
pub async fn inspected(file: &Bytes) -> Result<Inspected, Problem> {
    let _turn = TURNS.acquire().await.map_err(Problem::failed)?;
    // The very program that runs now, also where another version was put in its place meanwhile.
    let ran = process::run("/proc/self/exe", &[COMMAND.to_owned()], file.clone(), PATIENCE).await;
    let ran = ran.map_err(Problem::failed)?;
    let answered = ran.as_ref().filter(|ran| ran.code == Some(0));
    match answered.and_then(|ran| serde_json::from_slice(&ran.stdout).ok()) {
        Some(Verdict::Fit { pages, is_printable }) => Ok(Inspected { pages, is_printable }),
        Some(Verdict::Unfit(code)) => Err(Problem::new(known(&code))),
        None => {
            let code = ran.as_ref().and_then(|ran| ran.code);
            tracing::info!(?code, too_long = ran.is_none(), "a file broke what reads it, and was not taken");
            Err(Problem::new("attachment.broken"))
        }
    }
}

const UNFIT: &[(Unfit, &str)] = &[
    (Unfit::NotPdf, "attachment.not_pdf"),
    (Unfit::Broken, "attachment.broken"),
    (Unfit::Encrypted, "attachment.encrypted"),
    (Unfit::TooManyPages, "attachment.too_many_pages"),
    (Unfit::Active, "attachment.active_content"),
    (Unfit::Embedded, "attachment.embedded_file"),
    (Unfit::Dynamic, "attachment.dynamic_form"),
];

fn known(code: &str) -> &'static str {
    UNFIT.iter().find(|(_, known)| *known == code).map_or("attachment.broken", |(_, known)| *known)
}

/// The process: takes its limits, reads stdin, answers on stdout.
pub fn answer() -> anyhow::Result<u8> {
    let core_s = Rlimit { current: Some(CORE_S), maximum: Some(CORE_S) };
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Data, Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) })?;
    setrlimit(Resource::Cpu, core_s)?;
    setrlimit(Resource::Fsize, nothing)?;
    setrlimit(Resource::Core, nothing)?;
    let mut file = vec![];
    std::io::stdin().take(u64::from(MAX_TOTAL_BYTES)).read_to_end(&mut file)?;
    let verdict = match inspect(file, MAX_PAGES) {
        Ok(Inspected { pages, is_printable }) => Verdict::Fit { pages, is_printable },
        Err(unfit) => {
            let code = UNFIT.iter().find(|(known, _)| *known == unfit).map_or("", |(_, code)| *code);
            Verdict::Unfit(code.to_owned())
        }
    };
    std::io::stdout().write_all(&serde_json::to_vec(&verdict)?)?;
    Ok(0)
}
