//! Who owns the company: the boundary `owners/<tenant>`. Every command that gives or takes the owner's role, or shuts an owner
//! out, reads and writes this one stream: of two removals at once one is decided again and meets the rule that the last
//! owner cannot go.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::command::{Aggregate, Emit, On, Rejection};
use crate::events;

events! {
    /// Who owns the company.
    OwnersEvent {
        OwnerAdded = "owners.added" v 1;
        OwnerLeft = "owners.left" v 1;
    }
}

/// One more owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OwnerAdded {
    /// Who.
    pub member: Uuid,
}

/// One owner fewer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OwnerLeft {
    /// Who.
    pub member: Uuid,
}

/// The boundary `owners/<tenant>`.
#[derive(Debug, Default)]
pub struct Owners {
    members: Vec<Uuid>,
}

impl Aggregate for Owners {
    type Event = OwnersEvent;
    const STREAM: &'static str = "owners";
    fn apply(&mut self, event: OwnersEvent) {
        match event {
            OwnersEvent::OwnerAdded(e) => self.members.push(e.member),
            OwnersEvent::OwnerLeft(e) => self.members.retain(|m| *m != e.member),
        }
    }
    #[cfg(test)]
    fn samples() -> Vec<OwnersEvent> {
        tests::samples()
    }
}

impl Owners {
    /// The company's owners, sorted.
    pub fn members(&self) -> Vec<Uuid> {
        let mut members = self.members.clone();
        members.sort();
        members
    }
}

impl On<Owners> {
    /// The event that this change needs on the boundary, or the refusal to lose the last owner.
    pub fn moved(&self, member: Uuid, was: bool, is: bool) -> Result<Option<Emit>, Rejection> {
        match (was, is) {
            (true, false) if self.members == [member] => Err(Rejection::new("member.last_owner")),
            (true, false) => Ok(Some(self.emit(OwnerLeft { member }))),
            (false, true) => Ok(Some(self.emit(OwnerAdded { member }))),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<OwnersEvent> {
        vec![OwnerAdded { member: SAMPLE_ID }.into(), OwnerLeft { member: SAMPLE_ID }.into()]
    }
}
