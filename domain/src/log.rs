//! The log as a thing that people handle: exports of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::events;
use crate::role::Permission;

events! {
    /// What happens to the log as a whole.
    LogEvent {
        Exported = "log.exported" v 1;
        AuditDownloaded = "log.audit_downloaded" v 1;
    }
}

/// A bundle left the server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exported {
    /// First position in it.
    pub from: u64,
    /// How many records.
    pub size: u64,
}

/// Documents with their files and the ledger left the server as one archive, for a tax inspection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditDownloaded {
    /// What was asked for: `from=2026-04-01`.
    pub filters: Vec<String>,
    /// How many documents are in it.
    pub documents: u64,
    /// How many printed files.
    pub files: u64,
    /// Of the archive.
    #[serde(with = "crate::event::hex32")]
    pub sha256: [u8; 32],
}

/// Nothing is decided from exports.
#[derive(Debug, Default)]
pub struct Log {}

impl Aggregate for Log {
    type Event = LogEvent;
    const STREAM: &'static str = "log";
    fn apply(&mut self, _: LogEvent) {}
    #[cfg(test)]
    fn samples() -> Vec<LogEvent> {
        tests::samples()
    }
}

/// Writes down that somebody took a bundle.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordExport {
    /// First position in it.
    pub from: u64,
    /// How many records.
    pub size: u64,
}

impl Command for RecordExport {
    type On = On<Log>;
    const NAME: &'static str = "record_export";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("log.export");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.tenant])
    }
    fn decide(self, log: &On<Log>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Ok(vec![log.emit(Exported { from: self.from, size: self.size })])
    }
}

/// Writes down that somebody took documents away for an inspection.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordAuditDownload {
    /// What was asked for.
    pub filters: Vec<String>,
    /// How many documents are in it.
    pub documents: u64,
    /// How many printed files.
    pub files: u64,
    /// Of the archive.
    #[schema(value_type = String)]
    pub sha256: [u8; 32],
}

impl Command for RecordAuditDownload {
    type On = On<Log>;
    const NAME: &'static str = "record_audit_download";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("log.export");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.tenant])
    }
    fn decide(self, log: &On<Log>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let RecordAuditDownload { filters, documents, files, sha256 } = self;
        Ok(vec![log.emit(AuditDownloaded { filters, documents, files, sha256 })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn exports_are_written_down() {
        let exported = Exported { from: 0, size: 400 };
        scene().when(FRESH, RecordExport { from: 0, size: 400 }).then([emit::<Log>(TENANT, exported)]);
        covered::<RecordExport>();

        let (filters, sha256) = (vec!["from=2026-04-01".to_owned()], [7; 32]);
        let took = RecordAuditDownload { filters: filters.clone(), documents: 2, files: 3, sha256 };
        let taken = AuditDownloaded { filters, documents: 2, files: 3, sha256 };
        scene().when(FRESH, took).then([emit::<Log>(TENANT, taken)]);
        covered::<RecordAuditDownload>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<LogEvent> {
        let filters = vec!["from=2026-04-01".to_owned()];
        let taken = AuditDownloaded { filters, documents: 2, files: 3, sha256: [7; 32] };
        vec![Exported { from: 0, size: 400 }.into(), taken.into()]
    }
}
