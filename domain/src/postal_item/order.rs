//! Ordering a postal item: the command, and what other commands use to order one.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AddressInput, MAX_DOCUMENTS, PostalAddress, PostalItem, PostedFile, Queued};
use crate::attachment::Attached;
use crate::client::Client;
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::Date;
use crate::document::{Document, DocumentStatus};
use crate::money::Money;
use crate::paper::Paper;
use crate::postage::{self, Envelope, Extra, FOLDED_MAX, Service, postage};
use crate::role::Permission;
use crate::text;

/// Most that a postage may be, in yen.
pub(super) const POSTAGE_MAX: i64 = 100_000;

/// Orders documents by post: prints them, puts them into an envelope and hands it over. The address is the client's, unless
/// another one is given.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuePostalItem {
    /// What, in this order: 1 to 20 documents, each issued, printed and not cancelled.
    pub document_ids: Vec<Uuid>,
    /// Whose address is taken; the documents must be this client's. Absent only where `to` says all.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub client_id: Option<Uuid>,
    /// Where it goes instead of the client's address.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub to: Option<AddressInput>,
    /// Where in the company, at most 80 characters.
    #[serde(default)]
    pub department: String,
    /// Whose hands in the company, without 様; at most 80 characters.
    #[serde(default)]
    pub attention: String,
    /// A letter if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub service: Option<Service>,
    /// Of a letter, each once; not both `simple_registered` and `specific_record`.
    #[serde(default)]
    pub extras: Vec<Extra>,
    /// By the number of sheets if absent: `long_3` up to 8, else `kaku_2`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub envelope: Option<Envelope>,
    /// Leaves the cover sheet out: then the window shows the address printed on the first document, or a label is used.
    #[serde(default)]
    pub without_cover: bool,
    /// On the cover sheet, at most 600 characters.
    #[serde(default)]
    pub message: String,
    /// Instead of the table's: what the company has agreed with the post office, 1 to 100,000 yen.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub postage: Option<Money>,
}

impl QueuePostalItem {
    /// All but the documents, the address being the client's where none is given; `at` is the pointer to where the address
    /// stands. Refuses with `postal_item.unknown_client`, `no_recipient`, `no_address`, `bad_postal_code`, and for bad text.
    pub fn check(&self, client: &On<Client>, at: &str) -> Result<Order, Rejection> {
        let at = |name: &str| format!("{at}/{name}");
        let department = text::optional_line(&self.department, &at("department"), 80)?;
        let attention = text::optional_line(&self.attention, &at("attention"), 80)?;
        let message = text::prose(&self.message, "/message", 600)?;
        let given = self.to.as_ref().map(|to| to.check(&at("to"))).transpose()?;
        let of_client = match (self.client_id, &client.profile) {
            (None, _) => None,
            (Some(_), None) => return Err(Rejection::at("postal_item.unknown_client", "/client_id")),
            (Some(_), Some(profile)) => Some(PostalAddress::of_client(profile)),
        };
        let address = match (given, of_client) {
            (Some(given), _) => given,
            (None, Some(known)) => known.ok_or(Rejection::at("postal_item.no_address", "/client_id"))?,
            (None, None) => return Err(Rejection::at("postal_item.no_recipient", "/client_id")),
        };
        Ok(Order {
            attachments: vec![],
            client_id: self.client_id,
            to: PostalAddress { department, attention, message, ..address },
            service: self.service.unwrap_or(Service::Letter),
            extras: self.extras.clone(),
            envelope: self.envelope,
            has_cover: !self.without_cover,
            postage: self.postage,
        })
    }
}

/// What is ordered, checked but for the documents.
#[derive(Clone, Debug)]
pub struct Order {
    /// Own files behind the documents, each printable.
    pub attachments: Vec<Attached>,
    /// Whose documents they must be.
    pub client_id: Option<Uuid>,
    /// To whom.
    pub to: PostalAddress,
    /// How.
    pub service: Service,
    /// With what beside.
    pub extras: Vec<Extra>,
    /// In what; by the number of sheets if `None`.
    pub envelope: Option<Envelope>,
    /// With a cover sheet?
    pub has_cover: bool,
    /// Instead of the table's.
    pub postage: Option<Money>,
}

/// What goes into the envelope.
#[derive(Debug)]
pub struct Measured {
    files: Vec<PostedFile>,
    envelope: Envelope,
    sheets: u32,
    weight_g: u32,
    postage: Money,
}

impl Order {
    /// Weighs what would go out now; `at` is the pointer to where the order stands. Refuses with `postal_item.` and
    /// `unknown_document`, `not_issued`, `unprintable`, `no_file`, `other_client`, `bad_extra`, `too_thick`, `too_heavy`,
    /// `bad_postage`.
    pub fn measure(
        &self,
        papers: &[(On<Document>, On<Paper>)],
        at: &str,
        ctx: &mut Context,
    ) -> Result<Measured, Rejection> {
        check_extras(self.service, &self.extras, at)?;
        if self.postage.is_some_and(|money| !(1..=POSTAGE_MAX).contains(&money.amount)) {
            return Err(Rejection::at("postal_item.bad_postage", format!("{at}/postage")));
        }
        let mut files = vec![];
        for (i, (document, paper)) in papers.iter().enumerate() {
            let posted = posted(document, paper, self.client_id, ctx);
            files.push(posted.map_err(|code| Rejection::at(code, format!("/document_ids/{i}")))?);
        }
        let documents: u32 = files.iter().map(|file| file.pages).sum();
        let pages = self.attachments.iter().fold(documents, |sum, file| sum.saturating_add(file.pages));
        let sheets = pages.saturating_add(u32::from(self.has_cover));
        let Weighed { envelope, weight_g, postage } =
            weigh(self.service, &self.extras, self.envelope, sheets, at, ctx.today)?;
        Ok(Measured { files, envelope, sheets, weight_g, postage: self.postage.unwrap_or(postage) })
    }
}

/// What so many sheets are as a letter.
#[derive(Clone, Copy, Debug)]
pub struct Weighed {
    /// In what they go out.
    pub envelope: Envelope,
    /// Of envelope and sheets, grams.
    pub weight_g: u32,
    /// By the table.
    pub postage: Money,
}

/// Weighs sheets in the envelope that is wanted, or else the usual one. Refuses with `postal_item.` and `too_thick`, `too_heavy`;
/// `at` is the pointer to where the order stands.
pub fn weigh(
    service: Service,
    extras: &[Extra],
    wanted: Option<Envelope>,
    sheets: u32,
    at: &str,
    today: Date,
) -> Result<Weighed, Rejection> {
    // A letter pack is an envelope of its own, as wide as A4.
    let is_letter = service == Service::Letter;
    let usual = if is_letter { Envelope::usual(sheets) } else { Envelope::Kaku2 };
    let envelope = wanted.unwrap_or(usual);
    if envelope == Envelope::Long3 && (sheets > FOLDED_MAX || !is_letter) {
        return Err(Rejection::at("postal_item.too_thick", format!("{at}/envelope")));
    }
    let weight_g = envelope.weight_g(sheets);
    let postage = postage(service, extras, envelope, weight_g, today);
    let postage = postage.ok_or(Rejection::at("postal_item.too_heavy", "/document_ids"))?;
    Ok(Weighed { envelope, weight_g, postage })
}

/// Orders an item from within a command that has read the documents; the address is sealed under this subject. Refuses as
/// [`Order::measure`] does.
pub fn queue(
    item: &On<PostalItem>,
    papers: &[(On<Document>, On<Paper>)],
    order: Order,
    subject: Uuid,
    ctx: &mut Context,
) -> Result<Emit, Rejection> {
    let Measured { files, envelope, sheets, weight_g, postage } = order.measure(papers, "", ctx)?;
    let Order { attachments, client_id, to, service, extras, has_cover, .. } = order;
    Ok(item.emit(Queued {
        files,
        attachments,
        client_id,
        recipient: ctx.seal(subject, &to),
        service,
        extras,
        envelope,
        has_cover,
        sheets,
        weight_g,
        postage,
        ordered_on: ctx.today,
        ordered_by: ctx.member,
    }))
}

/// The file that would go out of a document now, or why there is none.
fn posted(
    document: &On<Document>,
    paper: &On<Paper>,
    client_id: Option<Uuid>,
    ctx: &mut Context,
) -> Result<PostedFile, &'static str> {
    match document.status() {
        None => return Err("postal_item.unknown_document"),
        Some(DocumentStatus::Issued | DocumentStatus::Paid) => {}
        Some(_) => return Err("postal_item.not_issued"),
    }
    let client = document.draft.as_ref().map(|draft| draft.head.client_id);
    if client_id.is_some() && client_id != client {
        return Err("postal_item.other_client");
    }
    let (document_id, revision) = (document.id, document.revision);
    match paper.files.last() {
        Some((of, file)) if *of == revision => {
            let sha256 = file.ok_or("postal_item.unprintable")?;
            let pages = ctx.world.pages(&sha256).ok_or("postal_item.no_file")?;
            Ok(PostedFile { document_id, revision, sha256, pages })
        }
        _ => Err("postal_item.no_file"),
    }
}

/// Are the files still what would go out of these documents now? Of a cancelled or corrected document nothing goes out.
pub(super) fn unchanged(files: &[PostedFile], papers: &[(On<Document>, On<Paper>)]) -> Result<(), Rejection> {
    let same = |(file, (document, _)): (&PostedFile, &(On<Document>, On<Paper>))| {
        let is_out = matches!(document.status(), Some(DocumentStatus::Issued | DocumentStatus::Paid));
        is_out && file.document_id == document.id && file.revision == document.revision
    };
    let all = files.len() == papers.len() && files.iter().zip(papers).all(same);
    if all { Ok(()) } else { Err(Rejection::new("postal_item.document_changed")) }
}

fn check_extras(service: Service, extras: &[Extra], at: &str) -> Result<(), Rejection> {
    let bad = |i: &usize| {
        let (one, before) = (extras[*i], &extras[..*i]);
        let is_second_record = one != Extra::Express && before.iter().any(|other| *other != Extra::Express);
        service != Service::Letter || before.contains(&one) || is_second_record
    };
    match (0..extras.len()).find(bad) {
        Some(i) => Err(Rejection::at("postal_item.bad_extra", format!("{at}/extras/{i}"))),
        None => Ok(()),
    }
}

impl Command for QueuePostalItem {
    type On = (On<PostalItem>, On<Client>, Vec<(On<Document>, On<Paper>)>);
    const NAME: &'static str = "queue_postal_item";
    const ROUTE: Route = Route::create("/v1/postal-items");
    const PERMISSION: Permission = Permission("postal_item.queue");
    const REJECTS: &'static [&'static str] = &[
        "postal_item.no_document", "postal_item.too_many_documents", "postal_item.document_twice",
        "postal_item.unknown_document", "postal_item.not_issued", "postal_item.unprintable", "postal_item.no_file",
        "postal_item.other_client", "postal_item.unknown_client", "postal_item.no_recipient", "postal_item.no_address",
        "postal_item.bad_postal_code", "postal_item.bad_extra", "postal_item.too_thick", "postal_item.too_heavy",
        "postal_item.bad_postage", "text.required", "text.too_long", "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let ids = &self.document_ids;
        if ids.is_empty() {
            return Err(Rejection::at("postal_item.no_document", "/document_ids"));
        }
        if ids.len() > MAX_DOCUMENTS {
            return Err(Rejection::at("postal_item.too_many_documents", "/document_ids"));
        }
        if let Some(twice) = (1..ids.len()).find(|i| ids[..*i].contains(&ids[*i])) {
            return Err(Rejection::at("postal_item.document_twice", format!("/document_ids/{twice}")));
        }
        let client = self.client_id.unwrap_or_default();
        Ok([target, client].into_iter().chain(ids.iter().flat_map(|id| [*id, *id])).collect())
    }
    fn decide(self, (item, client, papers): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let order = self.check(client, "")?;
        let subject = ctx.fresh_id();
        Ok(vec![queue(item, papers, order, subject, ctx)?])
    }
}

/// Does a tracking number belong to what was ordered?
pub(super) fn is_tracked(queued: &Queued) -> bool {
    postage::is_tracked(queued.service, &queued.extras)
}
