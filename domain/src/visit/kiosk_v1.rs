//! Events of the kiosk as they were written before a reception had questions. Frozen.

use serde::{Deserialize, Serialize};

use super::{CheckedIn, WalkedIn};
use crate::date::Date;
use crate::sealed::{Person, Sealed};

/// See [`CheckedIn`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckedInV1 {
    late: bool,
    day: Date,
}

impl From<CheckedInV1> for CheckedIn {
    fn from(CheckedInV1 { late, day }: CheckedInV1) -> CheckedIn {
        CheckedIn { late, day, answers: None, consent: None }
    }
}

/// See [`WalkedIn`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WalkedInV1 {
    visitor: Sealed<Person>,
    location: String,
    passcode: String,
}

impl From<WalkedInV1> for WalkedIn {
    fn from(WalkedInV1 { visitor, location, passcode }: WalkedInV1) -> WalkedIn {
        WalkedIn { visitor, location, passcode, host_id: None, people: 0, answers: None, consent: None, day: None }
    }
}
