//! Events as they were written while a visit had one host, one visitor, and took place once. Frozen.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Changed, Code, Registered};
use crate::sealed::{Person, Sealed};

/// See [`Registered`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RegisteredV1 {
    visitor: Sealed<Person>,
    host_id: Uuid,
    location: String,
    starts_at_us: i64,
    ends_at_us: i64,
    code: Code,
}

impl From<RegisteredV1> for Registered {
    fn from(v1: RegisteredV1) -> Registered {
        let RegisteredV1 { visitor, host_id, location, starts_at_us, ends_at_us, code } = v1;
        let (appointment, language, co_hosts, registered_by, weekdays) = Default::default();
        Registered {
            appointment,
            visitor,
            language,
            host_id,
            co_hosts,
            registered_by,
            location,
            starts_at_us,
            ends_at_us,
            weekdays,
            code,
        }
    }
}

/// See [`Changed`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedV1 {
    visitor: Sealed<Person>,
    host_id: Uuid,
    location: String,
    starts_at_us: i64,
    ends_at_us: i64,
    code: Option<Code>,
}

impl From<ChangedV1> for Changed {
    fn from(v1: ChangedV1) -> Changed {
        let ChangedV1 { visitor, host_id, location, starts_at_us, ends_at_us, code } = v1;
        let (language, co_hosts, weekdays) = Default::default();
        Changed { visitor, language, host_id, co_hosts, location, starts_at_us, ends_at_us, weekdays, code }
    }
}
