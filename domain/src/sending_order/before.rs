//! Frozen: as orders were written down before.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ByMail, ByPost, Placed};
use crate::delivery::Enclosed;

/// Without attachments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlacedV1 {
    documents: Vec<Enclosed>,
    client_id: Option<Uuid>,
    by_mail: Vec<ByMail>,
    by_post: Vec<ByPost>,
    expires_in_days: u32,
    view_limit: Option<u32>,
    asks_approval: bool,
    placed_by: Option<Uuid>,
}

impl From<PlacedV1> for Placed {
    fn from(old: PlacedV1) -> Placed {
        let PlacedV1 { documents, client_id, by_mail, by_post, expires_in_days, view_limit, asks_approval, placed_by } =
            old;
        let attachments = vec![];
        Placed {
            documents,
            attachments,
            client_id,
            by_mail,
            by_post,
            expires_in_days,
            view_limit,
            asks_approval,
            placed_by,
        }
    }
}
