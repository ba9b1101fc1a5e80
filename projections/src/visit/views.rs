//! Visits, as shown.

use keiin_domain::reception::Answer;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AfterView;
use crate::view::{Named, Time};

/// A visit, as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitView {
    /// Its id.
    pub id: Uuid,
    /// Stream version, for If-Match.
    pub version: u64,
    /// Last record about it.
    pub position: u64,
    /// Who comes.
    pub visitor: VisitorView,
    /// Who is visited; of a walk-in only where they said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Named>,
    /// Members who see it as the host does. Only in the detail, and only where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub co_hosts: Option<Vec<Named>>,
    /// Who registered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_by: Option<Named>,
    /// The appointment that it is part of, where several visitors come; the id of its first visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment_id: Option<Uuid>,
    /// Who else comes to the same appointment. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub companions: Option<Vec<CompanionView>>,
    /// Where.
    pub location: String,
    /// From when; for a walk-in, when they came.
    pub starts_at: Time,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// Of a period pass: the days of the week on which it lets in, `mon` to `sun`, from the start's time to the end's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<String>,
    /// In which language the visitor is written to, `ja` or `en`, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How often it was changed, as calendars count it.
    pub sequence: u32,
    /// `expected`, `arrived`, `left`, `cancelled`, `no_show`, `held` (at the door, for the reception to decide) or
    /// `turned_away`.
    pub status: String,
    /// When they came last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at: Option<Time>,
    /// When they left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Time>,
    /// What was recorded at first, where it was corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedView>,
    /// Was not expected.
    pub walk_in: bool,
    /// Came after the visit should have ended.
    pub late: bool,
    /// About the visitor; a walk-in's purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How many came with a walk-in, themselves included, where the reception asks for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
    /// What the visitor answered at the kiosk, last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// SHA-256 of the text that the visitor agreed to, last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// What has followed the last arrival. Only in the detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<AfterView>,
}

/// What the records of a corrected visit, or of one of its arrivals, said at first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordedView {
    /// When they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrived_at: Option<Time>,
    /// When they left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Time>,
    /// Why it was corrected last.
    pub reason: String,
}

/// Another visit of the same appointment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompanionView {
    /// The visit's id.
    pub id: Uuid,
    /// Who comes.
    pub visitor: VisitorView,
    /// As of a visit.
    pub status: String,
}

/// A visitor; only `erased` once the person was erased.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitorView {
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kana: Option<String>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Where the pass goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The person was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}
