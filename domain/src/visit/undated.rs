//! Events of the door as they were written before they said on which day. Frozen.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{MatchMoment, Matched, WalkedIn};
use crate::reception::{Agreed, Answers};
use crate::sealed::{Person, Sealed};

/// See [`WalkedIn`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WalkedInV2 {
    visitor: Sealed<Person>,
    location: String,
    passcode: String,
    host_id: Option<Uuid>,
    people: u32,
    answers: Option<Sealed<Answers>>,
    consent: Option<Agreed>,
}

impl From<WalkedInV2> for WalkedIn {
    fn from(v2: WalkedInV2) -> WalkedIn {
        let WalkedInV2 { visitor, location, passcode, host_id, people, answers, consent } = v2;
        WalkedIn { visitor, location, passcode, host_id, people, answers, consent, day: None }
    }
}

/// See [`Matched`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MatchedV1 {
    moment: MatchMoment,
    entries: Vec<Uuid>,
    visitor: Option<Sealed<Person>>,
    location: String,
}

impl From<MatchedV1> for Matched {
    fn from(MatchedV1 { moment, entries, visitor, location }: MatchedV1) -> Matched {
        Matched { moment, entries, visitor, location, day: None }
    }
}
