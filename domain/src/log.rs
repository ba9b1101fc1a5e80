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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn exports_are_written_down() {
        let exported = Exported { from: 0, size: 400 };
        scene().when(FRESH, RecordExport { from: 0, size: 400 }).then([emit::<Log>(TENANT, exported)]);
        covered::<RecordExport>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<LogEvent> {
        vec![Exported { from: 0, size: 400 }.into()]
    }
}
