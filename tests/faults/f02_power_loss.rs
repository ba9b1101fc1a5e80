//! F2. The power goes while keys are rotated: the one operation that changes key files, vault, ledgers and anchor together.
//! Every write, new name and removed name that was not synced may be kept, lost or torn, in any combination; nothing that
//! was there may be gone, and every ledger can be written and signed afterwards.
//!
//! (Power cuts under load, with a disk that lies as the negative control: `eventlog/tests/crash.rs`.)

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use keiin_tests::server::{finish, under};
use keiin_tests::{Seeded, long, report, tool};

use crate::damage::{Subject, block_on, goes_on};

/// What the trace shows, in order. Directories are synced like files.
#[derive(Debug)]
enum Step {
    Create { path: PathBuf },
    Write { path: PathBuf, at: Option<usize>, bytes: Vec<u8> },
    Cut { path: PathBuf, len: usize },
    Sync { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
    Link { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
}

const CALLS: &str =
    "openat,pwrite64,write,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat";

fn trace(data: &Path, which: &str, to: &Path) -> Vec<Step> {
    let (strace, calls) = (tool("strace", "strace").display().to_string(), format!("trace={CALLS}"));
    let to = to.to_str().expect("text");
    let wrapper = [strace.as_str(), "-f", "-y", "-xx", "-s", "70000", "-e", &calls, "-o", to];
    let data_arg = data.to_str().expect("text");
    let ran = finish(&mut under(&wrapper, &["keys", "rotate", "--which", which, "--data", data_arg]));
    ran.expect(0);
    let text = std::fs::read_to_string(to).expect("the trace is there");
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut all = vec![];
    for line in text.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        let call = call.trim_start();
        // A call that another thread interrupted stands on two lines.
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

/// Bytes of `\x12\x34…`.
fn unhex(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).filter_map(|two| u8::from_str_radix(two.get(..2)?, 16).ok()).collect()
}

fn path(text: &str) -> PathBuf {
    PathBuf::from(String::from_utf8(unhex(text)).ok().filter(|path| !path.is_empty()).unwrap_or(text.to_owned()))
}

fn step(call: &str, data: &Path) -> Option<Step> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    if result.starts_with('-') {
        return None;
    }
    let texts: Vec<&str> = arguments.split('"').skip(1).step_by(2).collect();
    // The file behind the descriptor that is the first argument.
    let open = || Some(path(arguments.split_once('<')?.1.split_once('>')?.0));
    let ours = |path: &PathBuf| path.starts_with(data) && !path.to_string_lossy().ends_with("-shm");
    let last_number = || arguments.rsplit(", ").next()?.parse().ok();
    let step = match name {
        "openat" if arguments.contains("O_CREAT") => Step::Create { path: path(texts.first()?) },
        "pwrite64" => Step::Write { path: open()?, at: Some(last_number()?), bytes: unhex(texts.first()?) },
        "write" => Step::Write { path: open()?, at: None, bytes: unhex(texts.first()?) },
        "ftruncate" => Step::Cut { path: open()?, len: last_number()? },
        "fsync" | "fdatasync" => Step::Sync { path: open()? },
        "rename" | "renameat" | "renameat2" => Step::Rename { from: path(texts.first()?), to: path(texts.get(1)?) },
        "link" | "linkat" => Step::Link { from: path(texts.first()?), to: path(texts.get(1)?) },
        "unlink" | "unlinkat" => Step::Remove { path: path(texts.first()?) },
        _ => return None,
    };
    let within = match &step {
        Step::Create { path } | Step::Write { path, .. } | Step::Cut { path, .. } => ours(path),
        Step::Sync { path } | Step::Remove { path } => ours(path),
        Step::Rename { from, to } | Step::Link { from, to } => ours(from) && ours(to),
    };
    within.then_some(step)
}

/// A file system that has forgotten nothing yet: names lead to files, and what was not synced waits.
#[derive(Default, Clone)]
struct Disk {
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    files: Vec<File>,
    /// Changes of names that wait for a sync of their directory.
    waiting: Vec<(PathBuf, Option<usize>)>,
}

#[derive(Default, Clone)]
struct File {
    durable: Vec<u8>,
    waiting: Vec<(usize, Option<Vec<u8>>)>,
    len: usize,
}

fn apply(bytes: &mut Vec<u8>, (at, what): &(usize, Option<Vec<u8>>), most: usize) {
    match what {
        None => bytes.resize(*at, 0),
        Some(new) => {
            let new = &new[..new.len().min(most)];
            bytes.resize(bytes.len().max(at + new.len()), 0);
            bytes[*at..at + new.len()].copy_from_slice(new);
        }
    }
}

impl Disk {
    fn load(data: &Path) -> Disk {
        let mut disk = Disk::default();
        for path in keiin_tests::canary::files(data) {
            let durable = std::fs::read(&path).expect("read");
            disk.names.insert(path, disk.files.len());
            disk.files.push(File { len: durable.len(), durable, waiting: vec![] });
        }
        disk.durable_names = disk.names.clone();
        disk
    }

    fn name(&mut self, path: &Path, file: Option<usize>) {
        match file {
            Some(file) => drop(self.names.insert(path.to_owned(), file)),
            None => drop(self.names.remove(path)),
        }
        self.waiting.push((path.to_owned(), file));
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Create { path } => {
                if !self.names.contains_key(path) {
                    self.files.push(File::default());
                    self.name(path, Some(self.files.len() - 1));
                }
            }
            Step::Write { path, at, bytes } => {
                let Some(file) = self.names.get(path).copied() else { return };
                let file = &mut self.files[file];
                let at = at.unwrap_or(file.len);
                file.len = file.len.max(at + bytes.len());
                file.waiting.push((at, Some(bytes.clone())));
            }
            Step::Cut { path, len } => {
                let Some(file) = self.names.get(path).copied() else { return };
                self.files[file].len = *len;
                self.files[file].waiting.push((*len, None));
            }
            Step::Sync { path } => match self.names.get(path).copied() {
                Some(file) => {
                    let File { durable, waiting, .. } = &mut self.files[file];
                    waiting.drain(..).for_each(|write| apply(durable, &write, usize::MAX));
                }
                None => {
                    let (here, others) =
                        self.waiting.drain(..).partition(|(name, _): &(PathBuf, _)| name.parent() == Some(path));
                    self.waiting = others;
                    for (name, file) in here {
                        keep(&mut self.durable_names, name, file);
                    }
                }
            },
            Step::Rename { from, to } => {
                let file = self.names.get(from).copied();
                self.name(from, None);
                self.name(to, file);
            }
            Step::Link { from, to } => {
                let file = self.names.get(from).copied();
                self.name(to, file);
            }
            Step::Remove { path } => self.name(path, None),
        }
    }

    /// What may be there after the power went now. A rename is one change of two names.
    fn lose(&self, chance: &mut Seeded, data: &Path, to: &Path) {
        let (mut names, mood) = (self.durable_names.clone(), chance.between(0, 2));
        let mut waiting = self.waiting.iter().peekable();
        while let Some((name, file)) = waiting.next() {
            let pair = waiting.next_if(|_| file.is_none() && !self.names.contains_key(name));
            let is_kept = mood == 0 || (mood == 1 && chance.between(0, 1) == 0);
            if is_kept {
                for (name, file) in [Some(&(name.clone(), *file)), pair].into_iter().flatten() {
                    keep(&mut names, name.clone(), *file);
                }
            }
        }
        for (name, file) in names {
            let File { durable, waiting, .. } = &self.files[file];
            let mut bytes = durable.clone();
            for write in waiting {
                match chance.between(0, 3) {
                    0 => {}
                    1 => apply(&mut bytes, write, 512 * chance.between(0, 8) as usize),
                    _ => apply(&mut bytes, write, usize::MAX),
                }
            }
            let place = to.join(name.strip_prefix(data).expect("a file of the data directory"));
            std::fs::create_dir_all(place.parent().expect("a folder")).expect("made");
            std::fs::write(&place, bytes).expect("written");
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o600)).expect("closed to others");
        }
        use std::os::unix::fs::PermissionsExt;
        let keys = to.join("keys");
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o700)).expect("the key directory is there");
    }
}

fn keep(names: &mut BTreeMap<PathBuf, usize>, name: PathBuf, file: Option<usize>) {
    match file {
        Some(file) => drop(names.insert(name, file)),
        None => drop(names.remove(&name)),
    }
}

#[test]
fn f02_a_power_cut_while_keys_are_rotated_leaves_a_deployment_that_goes_on() {
    let mut chance = Seeded::from_env_or(2);
    println!("seed {}", chance.0);
    let (images, mut controls) = (if long() { 1_000 } else { 25 }, 0);
    for which in ["signing", "kek"] {
        let subject = Subject::new(&["power"]);
        let copy = subject.copy();
        let before = Disk::load(&copy.data);
        let steps = trace(&copy.data, which, &subject.deployment.folder().join("trace"));
        let count = |wanted: fn(&Step) -> bool| steps.iter().filter(|step| wanted(step)).count();
        let (syncs, renames) =
            (count(|step| matches!(step, Step::Sync { .. })), count(|step| matches!(step, Step::Rename { .. })));
        assert!(syncs > 4 && renames > 0, "{syncs} syncs, {renames} renames: the trace was not understood");
        let mut image = |lies: bool| {
            let cut = chance.between(0, steps.len() as u64) as usize;
            let mut disk = before.clone();
            let told = |step: &&Step| !lies || !matches!(step, Step::Sync { .. });
            steps[..cut].iter().filter(told).for_each(|step| disk.run(step));
            let folder = tempfile::tempdir().expect("a temporary folder");
            disk.lose(&mut chance, &copy.data, folder.path());
            let went_on = block_on(goes_on(folder.path(), &subject.ledgers));
            went_on.map_err(|why| format!("{which}, cut after {cut} of {} steps: {why}", steps.len()))
        };
        for _ in 0..images {
            assert_eq!(image(false), Ok(()));
        }
        // The same judge must find losses where syncs do nothing, or it finds nothing at all.
        let control = (0..images).filter(|_| image(true).is_err()).count();
        report!(
            "F2 keys_rotate={which} steps={} syncs={syncs} images={images} lost=0 control_lost={control}",
            steps.len()
        );
        controls += control;
    }
    assert!(controls * 10 > images, "the judge saw only {controls} losses on a disk that lies");
}
