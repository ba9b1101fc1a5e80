//! Frozen: as postal items were written down before.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PostalAddress, PostedFile, Printed, Queued};
use crate::date::Date;
use crate::money::Money;
use crate::postage::{Envelope, Extra, Service};
use crate::sealed::Sealed;

/// Without attachments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueuedV1 {
    files: Vec<PostedFile>,
    client_id: Option<Uuid>,
    recipient: Sealed<PostalAddress>,
    service: Service,
    extras: Vec<Extra>,
    envelope: Envelope,
    has_cover: bool,
    sheets: u32,
    weight_g: u32,
    postage: Money,
    ordered_on: Date,
    ordered_by: Option<Uuid>,
}

impl From<QueuedV1> for Queued {
    fn from(old: QueuedV1) -> Queued {
        let QueuedV1 { files, client_id, recipient, service, extras, envelope, has_cover, .. } = old;
        let QueuedV1 { sheets, weight_g, postage, ordered_on, ordered_by, .. } = old;
        let attachments = vec![];
        Queued {
            files,
            attachments,
            client_id,
            recipient,
            service,
            extras,
            envelope,
            has_cover,
            sheets,
            weight_g,
            postage,
            ordered_on,
            ordered_by,
        }
    }
}

/// Without attachments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PrintedV1 {
    files: Vec<PostedFile>,
    has_cover: bool,
    has_label: bool,
}

impl From<PrintedV1> for Printed {
    fn from(old: PrintedV1) -> Printed {
        let PrintedV1 { files, has_cover, has_label } = old;
        Printed { files, attachments: vec![], has_cover, has_label }
    }
}
