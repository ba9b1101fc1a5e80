//! Who has seen what. Looking changes nothing, and for data about people it is an event all the same: one for each actor,
//! object, way and hour. The stream's id is that of the thing looked at, so a search for it finds who saw it.
//!
//! What makes it unique: the server names the append after actor, object, way and hour (`http/src/look.rs`), so the log
//! itself takes it once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Aggregate, Command, Emit, Rejection, Route, To};
use crate::context::Context;
use crate::grant::Purpose;
use crate::role::Permission;
use crate::{codes, events};

codes! {
    /// How far data may go (ML-49). Every query says the class of what it shows; looks at the last two are events.
    DataClass {
        /// Anybody may see it.
        Public = 1 "public",
        /// Of the company, about nobody in person.
        Internal = 2 "internal",
        /// About persons.
        Personal = 3 "personal",
        /// What a profession must keep to itself.
        Privileged = 4 "privileged",
    }
}

impl DataClass {
    /// Is each look at it an event?
    pub fn is_recorded(self) -> bool {
        self >= DataClass::Personal
    }
}

codes! {
    /// What somebody did to see it.
    Look {
        /// It was on a screen, or in the answer to a program.
        Shown = 1 "shown",
        /// It left as a file.
        Downloaded = 2 "downloaded",
    }
}

events! {
    /// Who has seen what.
    DataEvent {
        Viewed = "data.viewed" v 1;
        TenantDataViewed = "tenant_data.viewed" v 1;
    }
}

/// Somebody has seen it, once or often within an hour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Viewed {
    /// What it is: the kind of its own stream; `log` for the trail as a whole.
    pub kind: String,
    /// How far it may go.
    pub class: DataClass,
    /// How they saw it.
    pub how: Look,
}

/// An operator looked, under a grant of the company's (ML-23). Every look is one, also at a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantDataViewed {
    /// By which they could.
    pub grant: Uuid,
    /// What for.
    pub purpose: Purpose,
    /// Name of the query.
    pub operation: String,
    /// How far it may go.
    pub class: DataClass,
}

/// Nothing is decided from looks.
#[derive(Debug, Default)]
pub struct Data {}

impl Aggregate for Data {
    type Event = DataEvent;
    const STREAM: &'static str = "data";
    fn apply(&mut self, _: DataEvent) {}
    #[cfg(test)]
    fn samples() -> Vec<DataEvent> {
        tests::samples()
    }
}

/// Writes down that somebody looked.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordView {
    /// What it is.
    pub kind: String,
    /// Which one.
    pub id: Uuid,
    /// How far it may go.
    pub class: DataClass,
    /// How they saw it.
    pub how: Look,
}

impl Command for RecordView {
    type On = To<Data>;
    const NAME: &'static str = "record_view";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("access.record");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![self.id])
    }
    fn decide(self, data: &To<Data>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        Ok(vec![data.emit(Viewed { kind: self.kind, class: self.class, how: self.how })])
    }
}

/// Writes down that an operator looked.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordVendorView {
    /// What they looked at; for a list the company itself.
    pub id: Uuid,
    /// By which they could.
    pub grant: Uuid,
    /// What for.
    pub purpose: Purpose,
    /// Name of the query.
    pub operation: String,
    /// How far it may go.
    pub class: DataClass,
}

impl Command for RecordVendorView {
    type On = To<Data>;
    const NAME: &'static str = "record_vendor_view";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("access.record");
    const REJECTS: &'static [&'static str] = &[];
    fn streams(&self, _: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![self.id])
    }
    fn decide(self, data: &To<Data>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let RecordVendorView { grant, purpose, operation, class, .. } = self;
        Ok(vec![data.emit(TenantDataViewed { grant, purpose, operation, class })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn looks_stand_beside_the_thing_and_leave_its_version_alone() {
        let look = RecordView { kind: "member".into(), id: ANNA, class: DataClass::Personal, how: Look::Shown };
        let viewed = Viewed { kind: "member".into(), class: DataClass::Personal, how: Look::Shown };
        let scene = scene().when(FRESH, look).then([emit::<Data>(ANNA, viewed)]);
        assert!(!scene.now::<crate::member::Member>(ANNA).exists());
        covered::<RecordView>();
    }

    #[test]
    fn an_operators_look_names_the_grant_and_what_for() {
        let (purpose, class) = (Purpose::Inquiry, DataClass::Internal);
        let operation = || "get_document".to_owned();
        let look = RecordVendorView { id: ANNA, grant: BEN, purpose, operation: operation(), class };
        let viewed = TenantDataViewed { grant: BEN, purpose, operation: operation(), class };
        scene().when(FRESH, look).then([emit::<Data>(ANNA, viewed)]);
        covered::<RecordVendorView>();
    }

    #[test]
    fn classes_have_an_order() {
        let recorded: Vec<_> = DataClass::ALL.iter().filter(|class| class.is_recorded()).collect();
        assert_eq!(recorded, [&DataClass::Personal, &DataClass::Privileged]);
    }

    /// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
    pub fn samples() -> Vec<DataEvent> {
        vec![
            Viewed { kind: "member".into(), class: DataClass::Personal, how: Look::Shown }.into(),
            TenantDataViewed {
                grant: SAMPLE_ID,
                purpose: Purpose::Inquiry,
                operation: "get_document".into(),
                class: DataClass::Internal,
            }
            .into(),
        ]
    }
}
