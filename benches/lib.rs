//! Measurements: programs in `benches/bin`, run by hand; figures with date, machine and command go into `docs/`.

use std::time::Duration;

/// The value below which this share of the samples lies; sorts them.
pub fn percentile(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    let at = ((samples.len() as f64 * share) as usize).min(samples.len().saturating_sub(1));
    samples.get(at).copied().unwrap_or_default()
}

/// A line of `/proc/PROCESS/status` in KiB (`VmRSS`: resident now, `VmHWM`: the most ever); `self` is this process.
pub fn memory_kib(process: &str, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let found = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
    found.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
