//! Events as they were written while a client had one contact and no reading. Frozen.

use serde::{Deserialize, Serialize};

use super::{Changed, Profile, Registered, contact};
use crate::sealed::{Person, Sealed};

/// See [`Registered`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RegisteredV1 {
    profile: Profile,
    contact: Option<Sealed<Person>>,
}

impl From<RegisteredV1> for Registered {
    fn from(RegisteredV1 { profile, contact }: RegisteredV1) -> Registered {
        let contacts = contact.map(contact::reread).into_iter().collect();
        Registered { profile, reading: String::new(), person: None, contacts }
    }
}

/// See [`Changed`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedV1 {
    profile: Profile,
    contact: Option<Sealed<Person>>,
}

impl From<ChangedV1> for Changed {
    fn from(ChangedV1 { profile, contact }: ChangedV1) -> Changed {
        let contacts = contact.map(contact::reread).into_iter().collect();
        Changed { profile, reading: String::new(), person: None, contacts }
    }
}
