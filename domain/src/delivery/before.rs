//! Frozen: as links and looks were written down before.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Downloaded, Enclosed, InboxDelivered, LinkIssued, Opened};
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
        let has_passcode = false;
        LinkIssuedV3 { documents, recipient, secret_hash, expires_at_us, view_limit, has_passcode, sent_by }.into()
    }
}

/// Without attachments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkIssuedV3 {
    documents: Vec<Enclosed>,
    recipient: Sealed<Person>,
    #[serde(with = "hex32")]
    secret_hash: [u8; 32],
    expires_at_us: i64,
    view_limit: Option<u32>,
    has_passcode: bool,
    sent_by: Option<Uuid>,
}

impl From<LinkIssuedV3> for LinkIssued {
    fn from(old: LinkIssuedV3) -> LinkIssued {
        let LinkIssuedV3 { documents, recipient, secret_hash, expires_at_us, view_limit, has_passcode, sent_by } = old;
        let attachments = vec![];
        LinkIssued { documents, attachments, recipient, secret_hash, expires_at_us, view_limit, has_passcode, sent_by }
    }
}

/// Without attachments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InboxDeliveredV1 {
    documents: Vec<Enclosed>,
    recipient: Sealed<Person>,
    member_id: Uuid,
    sent_by: Option<Uuid>,
}

impl From<InboxDeliveredV1> for InboxDelivered {
    fn from(old: InboxDeliveredV1) -> InboxDelivered {
        let InboxDeliveredV1 { documents, recipient, member_id, sent_by } = old;
        InboxDelivered { documents, attachments: vec![], recipient, member_id, sent_by }
    }
}

/// Of a document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DownloadedV1 {
    document_id: Uuid,
    revision: u32,
    #[serde(with = "hex32")]
    sha256: [u8; 32],
}

impl From<DownloadedV1> for Downloaded {
    fn from(old: DownloadedV1) -> Downloaded {
        let DownloadedV1 { document_id, revision, sha256 } = old;
        Downloaded { document_id: Some(document_id), revision: Some(revision), attachment_id: None, sha256 }
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
