//! The targets: what is compared with what, and whether it is met.

use super::{Figures, median, short};

/// A row: `ours` against `other`, as a ratio.
struct Row {
    number: &'static str,
    what: &'static str,
    ours: Option<f64>,
    against: &'static str,
    other: Option<f64>,
    /// At least this ratio, or at most.
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// The table's rows.
pub fn rows(figures: &Figures) -> Vec<String> {
    use Target::{AtLeast, AtMost};
    let get = |cell: &str, key: &str| median(figures, cell, key);
    let rate = |cell: &str| get(cell, "events_per_s");
    let best = |cells: &[&str]| cells.iter().filter_map(|cell| rate(cell)).max_by(f64::total_cmp);
    let absolute = Some(1.0);
    let row = |number, what, ours, against, other, target| Row { number, what, ours, against, other, target };
    let umadb = rate("UmaDB, 32 clients");
    let rows = [
        row(
            "P1",
            "1 writer, p50 µs",
            get("SQLite, 1 writer", "p50_us"),
            "raw SQLite commit, p50 µs",
            get("raw SQLite, 1", "p50_us"),
            AtMost(2.0),
        ),
        row("P1", "32 writers", rate("SQLite, 32 writers"), "UmaDB, 32 clients", umadb, AtLeast(3.0)),
        row(
            "P1",
            "32 writers",
            rate("SQLite, 32 writers"),
            "raw SQLite, same mean group",
            rate("raw SQLite, our mean group"),
            AtLeast(0.6),
        ),
        row(
            "P1",
            "32 writers",
            rate("SQLite, 32 writers"),
            "the same with two unique indexes",
            rate("unique SQLite, our mean group"),
            AtLeast(0.6),
        ),
        row("P1", "512 writers", rate("SQLite, 512 writers"), "UmaDB, 32 clients", umadb, AtLeast(5.0)),
        row(
            "P2",
            "32 writers",
            rate("PostgreSQL, 32 writers"),
            "message-db, its best",
            best(&["message-db, 1", "message-db, 8", "message-db, 32"]),
            AtLeast(4.0),
        ),
        row(
            "P2",
            "32 writers",
            rate("PostgreSQL, 32 writers"),
            "INSERT, 32 connections",
            rate("PostgreSQL INSERT, 32"),
            AtLeast(1.5),
        ),
        row(
            "P3",
            "1000 a command, SQLite",
            rate("SQLite, 1000 a command"),
            "raw SQLite, 1000",
            rate("raw SQLite, 1000"),
            AtLeast(0.7),
        ),
        row(
            "P3",
            "1000 a command, SQLite",
            rate("SQLite, 1000 a command"),
            "the same with two unique indexes",
            rate("unique SQLite, 1000"),
            AtLeast(0.7),
        ),
        row(
            "P3",
            "1000 a command, PostgreSQL",
            rate("PostgreSQL, 1000 a command"),
            "UNNEST 1000, its best",
            best(&["PostgreSQL UNNEST 1000 × 1", "PostgreSQL UNNEST 1000 × 8"]),
            AtLeast(0.6),
        ),
        row("P4", "HTTP, 32 connections", rate("HTTP, 32 connections"), "UmaDB, 32 clients", umadb, AtLeast(1.0)),
        row(
            "P4",
            "HTTP, p99 µs",
            get("HTTP, 32 connections", "p99_us"),
            "UmaDB, 32 clients, p99 µs",
            get("UmaDB, 32 clients", "p99_us"),
            AtMost(2.0),
        ),
        row("P5", "verify", rate("verify"), "events/s", absolute, AtLeast(800_000.0)),
        row(
            "P5",
            "verify --deep, signatures/s",
            get("verify --deep", "signatures_per_s"),
            "batch verification, all cores",
            rate("batch verification"),
            AtLeast(0.7),
        ),
        row("P6", "replay", rate("replay"), "events/s", absolute, AtLeast(300_000.0)),
        row("P6", "replay", rate("replay"), "UmaDB, read all", rate("UmaDB, read all"), AtLeast(1.0)),
        row("P7", "rebuild", rate("rebuild"), "events/s", absolute, AtLeast(100_000.0)),
        row("P8", "alone, bytes", get("SQLite, 1 writer", "bytes_per_event"), "bytes", absolute, AtMost(1_000.0)),
        row(
            "P8",
            "in groups of 1000, bytes",
            get("SQLite, 1000 a command", "bytes_per_event"),
            "bytes",
            absolute,
            AtMost(900.0),
        ),
        row(
            "P9",
            "32 writers, 10 ledgers",
            rate("SQLite, 32 writers, 10 ledgers"),
            "1 ledger",
            rate("SQLite, 32 writers"),
            AtLeast(1.0 / 1.5),
        ),
        row(
            "P9",
            "32 writers, 10,000 ledgers",
            rate("SQLite, 32 writers, 10,000 ledgers"),
            "1 ledger",
            rate("SQLite, 32 writers"),
            AtLeast(1.0 / 1.5),
        ),
    ];
    rows.iter().map(Row::line).collect()
}

impl Row {
    fn line(&self) -> String {
        let Row { number, what, against, target, .. } = self;
        let number_of = |value: Option<f64>| value.map_or("not measured".to_owned(), |value| short(value as u64));
        let alone = self.other == Some(1.0);
        let other = if alone { (*against).to_owned() } else { format!("{against}: {}", number_of(self.other)) };
        let bound = |value: f64| if alone { short(value as u64) } else { format!("{value:.2}") };
        let wanted = match target {
            Target::AtLeast(least) => format!("≥ {}", bound(*least)),
            Target::AtMost(most) => format!("≤ {}", bound(*most)),
        };
        let ratio = self.ours.zip(self.other).map(|(ours, other)| ours / other);
        let met = ratio.map(|ratio| match target {
            Target::AtLeast(least) => ratio >= *least,
            Target::AtMost(most) => ratio <= *most,
        });
        let verdict = met.map_or("–", |met| if met { "met" } else { "**not met**" });
        let ratio = ratio.filter(|_| !alone).map_or(String::new(), |ratio| format!("{ratio:.2}"));
        format!("| {number} | {what} | {} | {other} | {ratio} | {wanted} | {verdict} |", number_of(self.ours))
    }
}
