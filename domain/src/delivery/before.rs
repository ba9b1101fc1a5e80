//! Frozen: as links and looks were written down before.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Enclosed, LinkIssued, Opened};
use crate::event::hex32;
use crate::sealed::{Person, Sealed};

/// Before it said who sent it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkIssuedV1 {
    document_id: Uuid,
    revision: u32,
    recipient: Sealed<Person>,
    #[serde(with = "hex32")]
    secret_hash: [u8; 32],
    expires_at_us: i64,
    view_limit: Option<u32>,
}

/// Of one document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkIssuedV2 {
    document_id: Uuid,
    revision: u32,
    recipient: Sealed<Person>,
    #[serde(with = "hex32")]
    secret_hash: [u8; 32],
    expires_at_us: i64,
    view_limit: Option<u32>,
    sent_by: Option<Uuid>,
}

impl From<LinkIssuedV1> for LinkIssued {
    fn from(old: LinkIssuedV1) -> LinkIssued {
        let LinkIssuedV1 { document_id, revision, recipient, secret_hash, expires_at_us, view_limit } = old;
        LinkIssuedV2 { document_id, revision, recipient, secret_hash, expires_at_us, view_limit, sent_by: None }.into()
    }
}

impl From<LinkIssuedV2> for LinkIssued {
    fn from(old: LinkIssuedV2) -> LinkIssued {
        let LinkIssuedV2 { document_id, revision, recipient, secret_hash, expires_at_us, view_limit, sent_by } = old;
        let documents = vec![Enclosed { document_id, revision }];
        LinkIssued { documents, recipient, secret_hash, expires_at_us, view_limit, has_passcode: false, sent_by }
    }
}

/// Each time that the page was shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenedV1 {
    view: u32,
}

impl From<OpenedV1> for Opened {
    fn from(OpenedV1 { view }: OpenedV1) -> Opened {
        Opened { view, day: None }
    }
}
