//! The blocklist: people, companies and addresses that the reception wants to be warned of. What is listed is sealed under a
//! subject of its own; visitors are compared with it by fingerprints that the vault keeps, so that nothing in the ledger says
//! who is meant once an entry is erased.
//!
//! What makes an entry unique: the fact, which the vault maps to the entry's id. The boundary `blocklist/<tenant>` knows all that
//! hold: whoever lets somebody in reads it, so that nobody passes an entry that is there already.

mod commands;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::commands::*;
use crate::command::{Aggregate, On};
use crate::context::{Context, Unavailable};
use crate::sealed::{Person, Personal, Sealed};
use crate::text::{compatible, folded};
use crate::{codes, events};

/// Most entries of a company.
pub const ENTRIES_MAX: usize = 500;

events! {
    /// What happens to an entry.
    BlocklistEntryEvent {
        Added = "blocklist_entry.added" v 1;
        Removed = "blocklist_entry.removed" v 1;
    }
}

codes! {
    /// What an entry names.
    BlockKind {
        /// A person, by name or reading.
        Name = 1 "name",
        /// A company, whatever its legal form.
        Company = 2 "company",
        /// A mail address, or all of a host (`@example.com`).
        Email = 3 "email",
    }
}

/// What is listed and why.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Blocked {
    /// As it was typed.
    pub value: String,
    /// For the reception; may be empty.
    pub reason: String,
}

impl Personal for Blocked {
    const CLASS: &'static str = "blocked";
}

/// The reception wants to be warned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Added {
    /// What it names.
    pub kind: BlockKind,
    /// Sealed under the entry's own id.
    pub entry: Sealed<Blocked>,
}

/// No longer. The entry's subject is erased then.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removed {}

/// State of an entry.
#[derive(Debug, Default)]
pub struct BlocklistEntry {
    /// It holds.
    pub is_listed: bool,
}

impl Aggregate for BlocklistEntry {
    type Event = BlocklistEntryEvent;
    const STREAM: &'static str = "blocklist_entry";
    fn apply(&mut self, event: BlocklistEntryEvent) {
        self.is_listed = matches!(event, BlocklistEntryEvent::Added(_));
    }
    #[cfg(test)]
    fn samples() -> Vec<BlocklistEntryEvent> {
        tests::samples()
    }
}

events! {
    /// Which entries hold.
    BlocklistEvent {
        Grown = "blocklist.grown" v 1;
        Shrunk = "blocklist.shrunk" v 1;
    }
}

/// One more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grown {
    /// Which.
    pub entry: Uuid,
}

/// One fewer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shrunk {
    /// Which.
    pub entry: Uuid,
}

/// The boundary `blocklist/<tenant>`.
#[derive(Debug, Default)]
pub struct Blocklist {
    /// Entries that hold.
    pub entries: Vec<Uuid>,
}

impl Aggregate for Blocklist {
    type Event = BlocklistEvent;
    const STREAM: &'static str = "blocklist";
    fn apply(&mut self, event: BlocklistEvent) {
        match event {
            BlocklistEvent::Grown(e) => self.entries.push(e.entry),
            BlocklistEvent::Shrunk(e) => self.entries.retain(|entry| *entry != e.entry),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<BlocklistEvent> {
        tests::boundary_samples()
    }
}

impl BlockKind {
    /// Name of the vault's facts of this kind.
    fn namespace(self) -> &'static str {
        match self {
            BlockKind::Name => "blocked_name",
            BlockKind::Company => "blocked_company",
            BlockKind::Email => "blocked_email",
        }
    }

    /// The one form under which what reads the same is the same.
    fn form(self, value: &str) -> String {
        match self {
            BlockKind::Name => folded(value),
            BlockKind::Company => without_legal_form(&folded(value)),
            BlockKind::Email => compatible(value).to_lowercase(),
        }
    }
}

/// 株式会社ミナト, ミナト(株) and ミナト Co., Ltd. are one company.
fn without_legal_form(company: &str) -> String {
    const FORMS: [&str; 15] = [
        "株式会社", "有限会社", "合同会社", "合資会社", "合名会社", "(株)", "(有)", "(同)", "co.,ltd.", "co.,ltd",
        "co.ltd.", "ltd.", "inc.", "k.k.", "llc",
    ];
    let mut name = company;
    for form in FORMS {
        name = name.strip_prefix(form).or(name.strip_suffix(form)).unwrap_or(name);
    }
    let name = name.trim_matches(',');
    if name.is_empty() { company.to_owned() } else { name.to_owned() }
}

impl On<Blocklist> {
    /// Entries that name this visitor; an error where the vault cannot be asked: nobody knows then, and that is no "none".
    pub fn matches(&self, visitor: &Person, ctx: &mut Context) -> Result<Vec<Uuid>, Unavailable> {
        if self.entries.is_empty() {
            return Ok(vec![]);
        }
        let host = visitor.email.split_once('@').map_or(String::new(), |(_, host)| format!("@{host}"));
        let facts = [
            (BlockKind::Name, visitor.name.as_str()),
            (BlockKind::Name, visitor.kana.as_str()),
            (BlockKind::Company, visitor.company.as_str()),
            (BlockKind::Email, visitor.email.as_str()),
            (BlockKind::Email, host.as_str()),
        ];
        let mut found = vec![];
        for (kind, value) in facts {
            let form = kind.form(value);
            if form.is_empty() {
                continue;
            }
            let entry = ctx.world.try_known_subject(kind.namespace(), &form)?;
            found.extend(entry.filter(|entry| self.entries.contains(entry) && !found.contains(entry)));
        }
        Ok(found)
    }
}
