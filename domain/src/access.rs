//! Denials: who asked for what they may not. Counted per principal and minute by the server; the first is written, then one
//! per minute with its count. The stream is the principal's, the ledger the caller's own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::events;
use crate::role::Permission;

events! {
    /// What happens at the door.
    AccessEvent {
        Denied = "access.denied" v 1;
    }
}

/// Somebody asked for what they may not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Denied {
    /// Name of the command or query.
    pub operation: String,
    /// How often since the last such record.
    pub count: u32,
}

/// Nothing is decided from denials.
#[derive(Debug, Default)]
pub struct Access {}

impl Aggregate for Access {
    type Event = AccessEvent;
    const STREAM: &'static str = "access";
    fn apply(&mut self, _: AccessEvent) {}
    #[cfg(test)]
    fn samples() -> Vec<AccessEvent> {
        tests::samples()
    }
}

/// Writes denials down.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordDenial {
    /// Name of the command or query.
    pub operation: String,
    /// How often since the last such record.
    pub count: u32,
}

impl Command for RecordDenial {
    type On = On<Access>;
    const NAME: &'static str = "record_denial";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("access.record");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![ctx.actor.id])
    }
    fn decide(self, access: &On<Access>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Ok(vec![access.emit(Denied { operation: self.operation, count: self.count })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn denials_of_one_principal_are_one_stream() {
        let command = RecordDenial { operation: "remove_member".into(), count: 3 };
        let denied = Denied { operation: "remove_member".into(), count: 3 };
        let scene = scene().when(FRESH, command.clone()).then([emit::<Access>(ME, denied)]);
        assert_eq!(scene.when(FRESH, command).accepted().now::<Access>(ME).version, Some(1));
        covered::<RecordDenial>();
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<AccessEvent> {
        vec![Denied { operation: "remove_member".into(), count: 7 }.into()]
    }
}
