//! What was acknowledged survives: the process killed at any instant, and the power cut at any instant.
//!
//! This test binary runs itself as the writer. `KEIIN_TEST_LONG=1` makes the runs longer, `KEIIN_TEST_SEED` repeats one.
#![cfg(feature = "sqlite")]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keiin_eventlog::log::Log;
use keiin_eventlog::record::{Leaf, Stream};
use keiin_eventlog::store::sqlite::SqliteStore;
use keiin_eventlog::store::{Append, Outcome};
use support::*;
use uuid::Uuid;

const WRITERS: u128 = 8;
const LEDGERS: u128 = 4;

/// An append that is the same bytes for the same id, so that a retry is a retry.
fn numbered(id: u128) -> Append {
    let writer = id >> 64;
    let stream = Stream::new("thing", Uuid::from_u128(writer + 1));
    let mut append = append(ledger((writer % LEDGERS) as u64), &vec![&stream; 1 + (id % 3) as usize]);
    append.append_id = Uuid::from_u128(id);
    append
}

/// Appends from 8 tasks until it is killed, or as often as it was told. Says `try <id>` before and `ack <id>` after.
#[test]
fn child_that_writes() {
    let Ok(dir) = std::env::var("KEIIN_CRASH_DIR") else { return };
    let var = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u128>().ok());
    let (run, most) = (var("KEIIN_CRASH_RUN").unwrap(), var("KEIIN_CRASH_APPENDS").unwrap_or(u128::MAX));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&Path::new(&dir).join("log.db"), signer(1)).unwrap();
        let log = Log::open(Arc::new(store));
        for n in 0..LEDGERS as u64 {
            let mut append = opened(ledger(n), &*signer(1));
            append.append_id = Uuid::from_u128(1);
            log.append(append).await;
        }
        say("ready");
        let tasks = (1..=WRITERS).map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                for n in 0..most {
                    let id = (writer << 64) | (run << 32) | (n + 1);
                    say(&format!("try {id}"));
                    if matches!(log.append(numbered(id)).await, Outcome::Committed(_)) {
                        say(&format!("ack {id}"));
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    say("done");
}

/// One write to the pipe for each line, so that lines of different threads do not mix.
fn say(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes());
    let _ = std::io::stdout().lock().flush();
}

fn child(dir: &Path, run: u128) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_that_writes", "--nocapture", "--test-threads=1"]);
    command.env("KEIIN_CRASH_DIR", dir).env("KEIIN_CRASH_RUN", run.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn seed() -> u64 {
    let given = std::env::var("KEIIN_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1)
}

fn is_long() -> bool {
    std::env::var("KEIIN_TEST_LONG").is_ok_and(|v| v == "1")
}

/// Every append in the store with the number of times it is there. Reads check the whole chain on the way.
async fn appends_in(path: &Path) -> HashMap<u128, usize> {
    let store = SqliteStore::open(path, signer(1)).unwrap();
    let log = Log::open(Arc::new(store));
    let mut found = HashMap::new();
    for n in 0..LEDGERS as u64 {
        let mut at = 0;
        loop {
            let page = log.read(ledger(n), at, 1_000).await.unwrap();
            if page.is_empty() {
                break;
            }
            at += page.len() as u64;
            for leaf in page.iter().map(|record| Leaf::decode(&record.leaf).unwrap()).filter(|leaf| leaf.index == 0) {
                *found.entry(leaf.append_id.as_u128()).or_default() += usize::from(leaf.append_id.as_u128() > 1);
            }
        }
    }
    found.retain(|_, times| *times > 0);
    found
}

#[tokio::test]
async fn f01_a_killed_writer_loses_nothing_and_doubles_nothing() {
    let (kills, seed) = (if is_long() { 200 } else { 15 }, seed());
    println!("seed {seed}");
    let (mut random, dir) = (Random(seed), TempDir::new("kill"));
    let path = dir.path().join("log.db");
    let mut acks = std::fs::File::create(dir.path().join("acks")).unwrap();
    let (mut acked, mut tried): (Vec<u128>, Vec<u128>) = (vec![], vec![]);
    let mut in_flight_kills = 0;
    for run in 0..kills {
        let mut writer = child(dir.path(), run).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        for line in lines.by_ref() {
            if line.unwrap() == "ready" {
                break;
            }
        }
        let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<String>>());
        std::thread::sleep(Duration::from_millis(5 + random.below(if is_long() { 496 } else { 150 })));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let lines = reader.join().unwrap();
        let ids = |what: &str| -> Vec<u128> {
            lines.iter().filter_map(|line| line.strip_prefix(what)?.parse().ok()).collect()
        };
        let (tried_now, acked_now) = (ids("try "), ids("ack "));
        in_flight_kills += usize::from(tried_now.len() > acked_now.len());
        for id in &acked_now {
            writeln!(acks, "{id}").unwrap();
        }
        acks.sync_data().unwrap();
        // What was on its way is sent again: once only, whether it had arrived or not.
        let log = Log::open(Arc::new(SqliteStore::open(&path, signer(1)).unwrap()));
        for id in tried_now.iter().filter(|id| !acked_now.contains(id)) {
            let outcome = log.append(numbered(*id)).await;
            assert!(matches!(outcome, Outcome::Committed(_) | Outcome::Known(_)), "{outcome:?}");
        }
        acked.extend(acked_now);
        tried.extend(tried_now);
    }
    let found = appends_in(&path).await;
    let lost = acked.iter().filter(|id| !found.contains_key(id)).count();
    let doubled = found.values().filter(|times| **times > 1).count();
    println!("kills={kills} acked={} in_flight_kills={in_flight_kills} lost={lost} doubled={doubled}", acked.len());
    assert_eq!((lost, doubled, found.len()), (0, 0, tried.len()), "seed {seed}");
    assert!(acked.len() > 100 && in_flight_kills * 10 >= kills as usize * 8, "the writer was hardly disturbed");
}

// ---- Power cuts: the writer's system calls are recorded, and files are rebuilt as a disk would have them that has
// forgotten some of what was not synced.

/// What the trace shows, in order.
enum Step {
    Write { path: PathBuf, at: usize, bytes: Vec<u8> },
    Cut { path: PathBuf, len: usize },
    Sync { path: PathBuf },
    Remove { path: PathBuf },
    Ack(u128),
}

/// Records a writer of `appends` × 8 appends. `lying`: the disk says "synced" and does nothing, which is what
/// `synchronous=OFF` amounts to.
fn record(dir: &TempDir, appends: u32, lying: bool) -> Vec<Step> {
    let trace = dir.path().join("trace");
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-xx", "-s", "70000", "-e", "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink"]);
    if lying {
        command.args(["-e", "inject=fsync,fdatasync:retval=0"]);
    }
    command.arg("-o").arg(&trace).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "child_that_writes", "--nocapture", "--test-threads=1"]);
    command.env("KEIIN_CRASH_DIR", &data).env("KEIIN_CRASH_RUN", "1").env("KEIIN_CRASH_APPENDS", appends.to_string());
    let run = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(run.expect("strace is needed: apt-get install strace").success());
    let text = std::fs::read_to_string(trace).unwrap();
    steps(&text, &data)
}

/// A call that another thread interrupted stands on two lines; they are joined at the place where it ended.
fn steps(trace: &str, data: &Path) -> Vec<Step> {
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut all = vec![];
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        let call = call.trim_start();
        let call = if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, start);
            continue;
        } else if let Some((_, end)) = call.split_once(" resumed>").filter(|_| call.starts_with("<... ")) {
            format!("{}{end}", begun.remove(thread).unwrap_or_default())
        } else {
            call.to_owned()
        };
        all.extend(step(&call, data));
    }
    all
}

fn step(call: &str, data: &Path) -> Option<Step> {
    let (name, rest) = call.split_once('(')?;
    // The result of a call that was interrupted stands in a column of its own.
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    if result.starts_with('-') {
        return None;
    }
    if name == "unlink" {
        let path = PathBuf::from(String::from_utf8(unhex(arguments)).ok()?);
        return path.starts_with(data).then_some(Step::Remove { path });
    }
    let (_, rest) = arguments.split_once('<')?;
    let (path, rest) = rest.split_once('>')?;
    let path = PathBuf::from(String::from_utf8(unhex(path)).ok().filter(|p| !p.is_empty()).unwrap_or(path.to_owned()));
    if name == "write" {
        let text = String::from_utf8(unhex(rest.split('"').nth(1)?)).ok()?;
        return text.trim().strip_prefix("ack ").and_then(|id| id.parse().ok()).map(Step::Ack);
    }
    if path.parent() != Some(data) || path.to_string_lossy().ends_with("-shm") {
        return None;
    }
    match name {
        "pwrite64" => {
            let bytes = unhex(rest.split('"').nth(1).expect("a write has bytes"));
            let at = rest.rsplit(", ").next().and_then(|at| at.parse().ok()).expect("a write has a place");
            assert_eq!(result.split(' ').next(), Some(&*bytes.len().to_string()), "the whole write is in the trace");
            Some(Step::Write { path, at, bytes })
        }
        "ftruncate" => Some(Step::Cut { path, len: rest.rsplit(", ").next()?.parse().ok()? }),
        "fsync" | "fdatasync" if result.contains("INJECTED") => None,
        "fsync" | "fdatasync" => Some(Step::Sync { path }),
        _ => None,
    }
}

/// Bytes of `\x12\x34…`.
fn unhex(text: &str) -> Vec<u8> {
    text.trim_matches('"').split("\\x").skip(1).filter_map(|two| u8::from_str_radix(two.get(..2)?, 16).ok()).collect()
}

/// Writes into `to` what a disk may hold when the power goes after the first `cut` steps: everything that was synced,
/// and each later write kept, lost or torn by the dice. Returns what had been acknowledged by then.
fn after_power_cut(steps: &[Step], cut: usize, random: &mut Random, to: &Path) -> Vec<u128> {
    let mut synced: HashMap<&Path, Vec<u8>> = HashMap::new();
    let mut waiting: HashMap<&Path, Vec<&Step>> = HashMap::new();
    let mut acked = vec![];
    for step in &steps[..cut] {
        match step {
            Step::Ack(id) => acked.push(*id),
            Step::Sync { path } => {
                let file = synced.entry(path).or_default();
                waiting.remove(path.as_path()).into_iter().flatten().for_each(|step| apply(file, step, usize::MAX));
            }
            Step::Remove { path } => {
                synced.remove(path.as_path());
                waiting.remove(path.as_path());
            }
            Step::Write { path, .. } | Step::Cut { path, .. } => waiting.entry(path).or_default().push(step),
        }
    }
    for (path, steps) in waiting {
        let file = synced.entry(path).or_default();
        let mood = random.below(3);
        for step in steps {
            match (mood, random.below(4)) {
                (0, _) => {}
                (1, 0) => apply(file, step, 512 * random.below(8) as usize),
                (1, 1) => {}
                _ => apply(file, step, usize::MAX),
            }
        }
    }
    for (path, bytes) in synced {
        std::fs::write(to.join(path.file_name().unwrap()), bytes).unwrap();
    }
    acked
}

fn apply(file: &mut Vec<u8>, step: &Step, most: usize) {
    match step {
        Step::Write { at, bytes, .. } => {
            let bytes = &bytes[..bytes.len().min(most)];
            file.resize(file.len().max(at + bytes.len()), 0);
            file[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        Step::Cut { len, .. } => file.resize(*len, 0),
        Step::Sync { .. } | Step::Remove { .. } | Step::Ack(_) => {}
    }
}

/// How many of `images` power cuts lost an acknowledged append, or left a file that does not open.
async fn losing_images(steps: &[Step], images: u64, random: &mut Random) -> u64 {
    let first_ack = steps.iter().position(|step| matches!(step, Step::Ack(_))).expect("acknowledgements in the trace");
    let mut losing = 0;
    for _ in 0..images {
        let cut = first_ack + 1 + random.below((steps.len() - first_ack) as u64) as usize;
        let dir = TempDir::new("image");
        let acked = after_power_cut(steps, cut, random, dir.path());
        let path = dir.path().join("log.db");
        let opened = SqliteStore::open(&path, signer(1)).is_ok();
        let there = match opened {
            true => tokio::spawn(async move { appends_in(&path).await }).await.ok(),
            false => None,
        };
        let whole = there.is_some_and(|there| acked.iter().all(|id| there.get(id) == Some(&1)));
        losing += u64::from(!whole);
    }
    losing
}

#[tokio::test]
async fn f02_a_power_cut_loses_nothing_unless_the_disk_lies() {
    let (appends, images, seed) = if is_long() { (150, 1_000, seed()) } else { (25, 40, seed()) };
    println!("seed {seed}");
    let mut random = Random(seed);
    let (honest, lying) = (TempDir::new("honest"), TempDir::new("lying"));
    let lost = losing_images(&record(&honest, appends, false), images, &mut random).await;
    // The same oracle must find losses where syncs do nothing, or it finds nothing at all.
    let control = losing_images(&record(&lying, appends, true), images, &mut random).await;
    println!("images={images} lost={lost} control_lost={control}");
    assert_eq!(lost, 0, "seed {seed}");
    assert!(control * 2 > images, "the oracle saw only {control} losses of {images} on a disk that lies");
}
