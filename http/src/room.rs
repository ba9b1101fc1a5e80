//! Room on the disks (MN-21): how much there is, as a figure, and a line in the log when writes begin to be refused with 507
//! and when they go on again. Each refusal is answered to its caller; the log has one line for all of them.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::datadir::DataDir;

/// A write that fits between two that do not is not the end of it.
const QUIET: Duration = Duration::from_secs(5);

/// What runs full by itself, because it may be on a disk of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    /// The ledgers.
    Ledgers,
    /// The vault, or the read models.
    Beside,
}

/// When a write was last refused for want of room; `None` = none since the last one that fitted.
struct Fullness(Mutex<Option<Instant>>);

static LEDGERS: Fullness = Fullness(Mutex::new(None));
static BESIDE: Fullness = Fullness(Mutex::new(None));

impl Fullness {
    /// True at the first refusal.
    fn refused(&self, now: Instant) -> bool {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).replace(now).is_none()
    }

    /// True when this is the end of it: something fitted, and nothing was refused for a while.
    fn fitted(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(|e| e.into_inner());
        last.take_if(|last| now.saturating_duration_since(*last) >= QUIET).is_some()
    }

    fn is_full(&self) -> bool {
        self.0.lock().unwrap_or_else(|e| e.into_inner()).is_some()
    }
}

impl Store {
    fn state(self) -> &'static Fullness {
        match self {
            Store::Ledgers => &LEDGERS,
            Store::Beside => &BESIDE,
        }
    }

    /// A write was refused because there is no room for it.
    pub fn refused(self, cause: &dyn std::fmt::Display) {
        if self.state().refused(Instant::now()) {
            tracing::error!(store = ?self, %cause, "the disk is full: writes are refused (507) until there is room");
        }
    }

    /// A write fitted.
    pub fn fitted(self) {
        if self.state().fitted(Instant::now()) {
            tracing::warn!(store = ?self, "there is room on the disk again: writes go on");
        }
    }
}

/// Are writes refused at present?
pub fn is_full() -> bool {
    LEDGERS.is_full() || BESIDE.is_full()
}

/// Bytes that can still be written, for each of our files: they may be on disks of their own.
pub fn free(data: &DataDir) -> Vec<(&'static str, u64)> {
    let files: [(&str, PathBuf); 5] = [
        ("data", data.root().to_owned()),
        ("ledgers", data.log()),
        ("vault", data.vault()),
        ("anchor", data.anchor()),
        ("read_models", data.read()),
    ];
    let free = |path: &PathBuf| rustix::fs::statvfs(path).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    files.iter().filter_map(|(name, path)| Some((*name, free(path)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_once_and_its_end_once() {
        let (disk, start) = (Fullness(Mutex::new(None)), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        assert!(!disk.fitted(at(0)) && !disk.is_full());
        assert!(disk.refused(at(0)) && disk.is_full());
        assert!(!disk.refused(at(1)) && !disk.refused(at(2)));
        // Something small fits although the disk is full.
        assert!(!disk.fitted(at(3)));
        assert!(!disk.refused(at(4)) && !disk.fitted(at(8)) && disk.is_full());
        assert!(disk.fitted(at(9)) && !disk.fitted(at(10)) && !disk.is_full());
        assert!(disk.refused(at(11)));
    }

    #[test]
    fn free_bytes_are_those_of_files_that_are_there() {
        let folder = std::env::temp_dir().join(format!("keiin-room-{}", crate::random::digits(12)));
        let data = DataDir::new(&folder);
        data.create("localhost", &[]).unwrap();
        let free = free(&data);
        assert!(matches!(free[..], [("data", bytes)] if bytes > 0), "{free:?}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
