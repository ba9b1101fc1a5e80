//! The papers of postal items, made when they are asked for: cover sheet and documents as one print job, labels, the list of a
//! hand-over.

use keiin_domain::attachment::Attached;
use keiin_domain::command::Fault;
use keiin_domain::date::{Date, ZONE_S};
use keiin_domain::document::Printed;
use keiin_domain::postal_item::{AccessPostalItem, PostalItem, PostalPurpose, PostedFile, reference};
use keiin_domain::tenant::Tenant;
use keiin_formats::pdf::post::{Cover, Enclosed, From, Item, Layout, Manifest, cover, labels as label_sheet};
use keiin_formats::pdf::{self, Error};
use keiin_projections::fact::Opener;
use uuid::Uuid;

use crate::app::App;
use crate::attachment;
use crate::execute::{Call, execute};
use crate::paper;
use crate::principal::{self, Principal};
use crate::problem::Problem;

/// An item as its papers need it.
pub struct Posted {
    /// As it is printed.
    pub item: Item,
    files: Vec<PostedFile>,
    attachments: Vec<Attached>,
    has_cover: bool,
    ordered_on: Date,
}

/// An item, after the record that somebody looks at it.
pub async fn open(
    app: &App,
    principal: &Principal,
    call: &Call,
    id: Uuid,
    purpose: PostalPurpose,
) -> Result<Posted, Problem> {
    let call = Call { key: None, if_match: None, ..call.clone() }.on(id);
    execute(app, &principal.allow::<AccessPostalItem>()?, AccessPostalItem { purpose }, &call).await?;
    let state = principal::load::<PostalItem>(app, principal.ledger, id).await?.state;
    let (queued, recipient) = state.queued.zip(state.recipient).ok_or_else(Problem::not_found)?;
    let keys = Opener { vault: &app.vault, ledger: principal.ledger };
    let item = Item {
        reference: reference(id),
        to: recipient.open(&keys),
        service: queued.service,
        extras: queued.extras,
        weight_g: queued.weight_g,
        postage: queued.postage,
    };
    let ordered_on = queued.ordered_on;
    let attachments = queued.attachments;
    Ok(Posted { item, files: queued.files, attachments, has_cover: queued.has_cover, ordered_on })
}

async fn sender(app: &App, ledger: Uuid) -> Result<From, Problem> {
    let Tenant { name, address, .. } = principal::load::<Tenant>(app, ledger, ledger).await?.state;
    Ok(From { name, address })
}

/// Cover sheets and documents, item by item, as one file: each document is the very file whose hash the order names.
pub async fn print_job(app: &App, ledger: Uuid, items: Vec<Posted>) -> Result<Vec<u8>, Problem> {
    let from = sender(app, ledger).await?;
    let (mut covers, mut files) = (vec![], vec![]);
    for posted in items {
        let Posted { item, files: papers, attachments, has_cover, ordered_on } = posted;
        let (mut enclosed, mut own) = (vec![], vec![]);
        for file in &papers {
            own.push(paper::kept(app, &file.sha256)?);
            enclosed.push(describe(app, ledger, file).await?);
        }
        for file in &attachments {
            let (name, bytes) = attachment::of(app, ledger, file.attachment_id).await?;
            own.push(bytes);
            let title = pdf::described(name.trim_end_matches(".pdf"));
            enclosed.push(Enclosed { document_type: None, number: String::new(), title, pages: file.pages });
        }
        covers.push(has_cover.then(|| Cover { item, from: from.clone(), date: ordered_on, enclosed }));
        files.push(own);
    }
    made(move || {
        let mut all = vec![];
        for (sheet, own) in covers.iter().zip(files) {
            all.extend(sheet.as_ref().map(cover).transpose()?);
            all.extend(own);
        }
        pdf::merge(all)
    })
    .await
}

async fn describe(app: &App, ledger: Uuid, file: &PostedFile) -> Result<Enclosed, Problem> {
    let printed = principal::load::<Printed>(app, ledger, file.document_id).await?.state;
    let (draft, issued) = printed.draft.zip(printed.issued).ok_or_else(Problem::not_found)?;
    let (document_type, title) = (draft.document_type, draft.head.title);
    Ok(Enclosed { document_type: Some(document_type), number: issued.number, title, pages: file.pages })
}

/// Labels, beginning at a place of the first sheet.
pub async fn labels(items: Vec<Posted>, layout: Layout, first: usize, now_us: i64) -> Result<Vec<u8>, Problem> {
    let items: Vec<Item> = items.into_iter().map(|posted| posted.item).collect();
    made(move || label_sheet(&items, layout, first, Date::at(now_us, ZONE_S))).await
}

/// The list of a hand-over.
pub async fn manifest(app: &App, ledger: Uuid, items: Vec<Posted>, now_us: i64) -> Result<Vec<u8>, Problem> {
    let (from, date) = (sender(app, ledger).await?, Date::at(now_us, ZONE_S));
    let list = Manifest { from, date, items: items.into_iter().map(|posted| posted.item).collect() };
    made(move || pdf::post::manifest(&list)).await
}

/// Lays out beside the requests that are under way.
async fn made(make: impl FnOnce() -> Result<Vec<u8>, Error> + Send + 'static) -> Result<Vec<u8>, Problem> {
    match tokio::task::spawn_blocking(make).await.map_err(Problem::failed)? {
        Ok(bytes) => Ok(bytes),
        Err(Error::Missing(missing)) => {
            let at = |one: &pdf::Missing| Fault { pointer: one.field.clone(), expected: None };
            let errors = missing.iter().map(at).collect();
            Err(Problem { errors, ..Problem::new("document.unprintable") })
        }
        Err(other) => Err(Problem::failed(other)),
    }
}
