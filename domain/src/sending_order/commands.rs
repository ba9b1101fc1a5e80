//! What people do with a sending order.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Approved, ByMail, ByPost, Cancelled, MAX_RECIPIENTS, Placed, Rejected, Released, SendingOrder, Stage};
use crate::attachment::{self, Attachment, EnclosedIn, MAX_ATTACHMENTS};
use crate::client::Client;
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::delivery::{self, Link};
use crate::document::Document;
use crate::money::Money;
use crate::paper::Paper;
use crate::postage::{Envelope, Extra, Service};
use crate::postal_item::{self, AddressInput, QueuePostalItem};
use crate::role::Permission;
use crate::sealed::Person;
use crate::text;

/// Orders documents to be sent to several recipients. Nothing goes out before the order is released.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceSendingOrder {
    /// What, in this order: 1 to 20 documents, each issued and not cancelled.
    pub document_ids: Vec<Uuid>,
    /// Own files with them, in this order: at most 10 attachments, 20 MiB together. By post only such as are A4.
    #[serde(default)]
    pub attachments: Vec<Uuid>,
    /// Into the inbox of who has an account with this company; to the others by a link that is mailed to them. With those by
    /// post 1 to 50.
    #[serde(default)]
    pub by_mail: Vec<MailRecipient>,
    /// On paper.
    #[serde(default)]
    pub by_post: Vec<PostRecipient>,
    /// Whose documents they are. Absent only where nothing goes by post, or where each `to` says all.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub client_id: Option<Uuid>,
    /// In mails and on cover sheets, at most 1,000 characters; 600 where something goes by post.
    #[serde(default)]
    pub message: String,
    /// Of links, from when they are mailed: 1 to 90; 14 if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub expires_in_days: Option<u32>,
    /// Of links: 1 to 1,000; no limit if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub view_limit: Option<u32>,
    /// Must a second person approve before it can be released?
    #[serde(default)]
    pub asks_approval: bool,
}

/// Who gets a mail.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailRecipient {
    /// At most 80 characters.
    pub to_name: String,
    /// Where the mail goes.
    pub to_email: String,
    /// What the recipient must type beside the link, 4 to 40 characters; none if absent or empty.
    #[serde(default)]
    pub passcode: String,
}

/// Who gets an envelope.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostRecipient {
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
    /// By the number of sheets if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub envelope: Option<Envelope>,
    /// Leaves the cover sheet out.
    #[serde(default)]
    pub without_cover: bool,
    /// Instead of the table's, 1 to 100,000 yen.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub postage: Option<Money>,
}

impl Command for PlaceSendingOrder {
    type On = (On<SendingOrder>, On<Client>, [On<Attachment>; MAX_ATTACHMENTS], Vec<(On<Document>, On<Paper>)>);
    const NAME: &'static str = "place_sending_order";
    const ROUTE: Route = Route::create("/v1/sending-orders");
    const PERMISSION: Permission = Permission("sending_order.place");
    const REJECTS: &'static [&'static str] = &[
        "sending_order.no_recipient",
        "sending_order.too_many_recipients",
        "sending_order.recipient_twice",
        "sending_order.too_many_attachments",
        "sending_order.attachment_twice",
        "sending_order.unknown_attachment",
        "sending_order.attachment_erased",
        "sending_order.attachment_not_printable",
        "sending_order.attachments_too_large",
        "delivery.no_document",
        "delivery.too_many_documents",
        "delivery.document_twice",
        "delivery.unknown_document",
        "delivery.not_issued",
        "delivery.unprintable",
        "delivery.bad_email",
        "delivery.bad_expiry",
        "delivery.bad_view_limit",
        "delivery.bad_passcode",
        "postal_item.other_client",
        "postal_item.unknown_client",
        "postal_item.no_recipient",
        "postal_item.no_address",
        "postal_item.bad_postal_code",
        "postal_item.bad_extra",
        "postal_item.too_thick",
        "postal_item.too_heavy",
        "postal_item.bad_postage",
        "text.required",
        "text.too_long",
        "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn streams(&self, target: Uuid, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let papers = delivery::papers(&self.document_ids)?;
        let files = attachment::places(&self.attachments)?;
        Ok([target, self.client_id.unwrap_or_default()].into_iter().chain(files).chain(papers).collect())
    }
    fn decide(self, (order, client, files, papers): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let documents = delivery::enclose(papers)?;
        let files = &files[..self.attachments.len()];
        let attachments = attachment::attach(files, !self.by_post.is_empty(), ctx)?;
        let Link { expires_in_days, view_limit } = Link::check(self.expires_in_days, self.view_limit)?;
        match self.by_mail.len() + self.by_post.len() {
            0 => return Err(Rejection::at("sending_order.no_recipient", "/by_mail")),
            1..=MAX_RECIPIENTS => {}
            _ => {
                let longer = if self.by_post.len() > self.by_mail.len() { "/by_post" } else { "/by_mail" };
                return Err(Rejection::at("sending_order.too_many_recipients", longer));
            }
        }
        let mut addressees: Vec<(Person, Option<String>)> = vec![];
        for (n, one) in self.by_mail.iter().enumerate() {
            let at = format!("/by_mail/{n}");
            let addressee = delivery::addressee(&one.to_name, &one.to_email, &self.message, &at)?;
            if addressees.iter().any(|(before, _)| before.email == addressee.email) {
                return Err(Rejection::at("sending_order.recipient_twice", format!("{at}/to_email")));
            }
            addressees.push((addressee, delivery::passcode(&one.passcode, &at)?));
        }
        let mut envelopes = vec![];
        for (n, one) in self.by_post.into_iter().enumerate() {
            let at = format!("/by_post/{n}");
            let item = one.item(self.client_id, self.message.clone()).check(client, &at)?;
            let item = postal_item::Order { attachments: attachments.clone(), ..item };
            match item.measure(papers, &at, ctx) {
                // What is not printed yet is weighed when its turn comes.
                Err(rejection) if rejection.code != "postal_item.no_file" => return Err(rejection),
                _ => envelopes.push(item),
            }
        }
        let by_mail = addressees.into_iter().map(|(addressee, passcode)| {
            let (delivery_id, subject) = (ctx.fresh_id(), ctx.fresh_id());
            if let Some(passcode) = &passcode {
                ctx.world.set_password(delivery_id, delivery_id, passcode);
            }
            ByMail { delivery_id, recipient: ctx.seal(subject, &addressee), has_passcode: passcode.is_some() }
        });
        let by_mail = by_mail.collect();
        let by_post = envelopes.into_iter().map(|item| {
            let (postal_item_id, subject) = (ctx.fresh_id(), ctx.fresh_id());
            let recipient = ctx.seal(subject, &item.to);
            let (service, extras, envelope) = (item.service, item.extras, item.envelope);
            let (has_cover, postage) = (item.has_cover, item.postage);
            ByPost { postal_item_id, recipient, service, extras, envelope, has_cover, postage }
        });
        let by_post = by_post.collect();
        let (client_id, asks_approval, placed_by) = (self.client_id, self.asks_approval, ctx.member);
        let enclosed = files.iter().map(|file| file.emit(EnclosedIn { order_id: order.id }));
        let enclosed: Vec<Emit> = enclosed.collect();
        let placed = order.emit(Placed {
            documents,
            attachments,
            client_id,
            by_mail,
            by_post,
            expires_in_days,
            view_limit,
            asks_approval,
            placed_by,
        });
        Ok([placed].into_iter().chain(enclosed).collect())
    }
}

impl PostRecipient {
    fn item(self, client_id: Option<Uuid>, message: String) -> QueuePostalItem {
        let PostRecipient { to, department, attention, service, extras, envelope, without_cover, postage } = self;
        QueuePostalItem {
            document_ids: vec![],
            client_id,
            to,
            department,
            attention,
            service,
            extras,
            envelope,
            without_cover,
            message,
            postage,
        }
    }
}

/// Approves an order as it stands. Not by whoever placed it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveSendingOrder {}

impl Command for ApproveSendingOrder {
    type On = On<SendingOrder>;
    const NAME: &'static str = "approve_sending_order";
    const ROUTE: Route = Route::post("/v1/sending-orders/{id}/approve");
    const PERMISSION: Permission = Permission("approval.give");
    const REJECTS: &'static [&'static str] =
        &["sending_order.unknown", "sending_order.not_asked", "sending_order.own_approval"];
    fn decide(self, order: &On<SendingOrder>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        order.must_be_asked_of(ctx.member)?;
        Ok(vec![order.emit(Approved {})])
    }
}

/// Says that an order shall not go out. Not by whoever placed it, who can cancel it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectSendingOrder {
    /// For whoever placed it, at most 400 characters.
    pub reason: String,
}

impl Command for RejectSendingOrder {
    type On = On<SendingOrder>;
    const NAME: &'static str = "reject_sending_order";
    const ROUTE: Route = Route::post("/v1/sending-orders/{id}/reject");
    const PERMISSION: Permission = Permission("approval.give");
    const REJECTS: &'static [&'static str] = &[
        "sending_order.unknown", "sending_order.not_asked", "sending_order.own_approval", "text.required",
        "text.too_long", "text.control_character",
    ];
    fn decide(self, order: &On<SendingOrder>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        order.must_be_asked_of(ctx.member)?;
        Ok(vec![order.emit(Rejected { reason: text::line(&self.reason, "/reason", 400)? })])
    }
}

/// Lets an order go out: each recipient is handed over as soon as the documents are printed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSendingOrder {}

impl Command for ReleaseSendingOrder {
    type On = On<SendingOrder>;
    const NAME: &'static str = "release_sending_order";
    const ROUTE: Route = Route::post("/v1/sending-orders/{id}/release");
    const PERMISSION: Permission = Permission("delivery.send");
    const REJECTS: &'static [&'static str] =
        &["sending_order.unknown", "sending_order.not_approved", "sending_order.wrong_state"];
    fn decide(self, order: &On<SendingOrder>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        match order.placed()?.1 {
            Stage::Ready => Ok(vec![order.emit(Released { by: ctx.member.unwrap_or(ctx.actor.id) })]),
            Stage::Asked => Err(Rejection::new("sending_order.not_approved")),
            _ => Err(Rejection::new("sending_order.wrong_state")),
        }
    }
}

/// Calls an order off: nothing of it goes out that was not handed over yet.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelSendingOrder {
    /// Shown in the trail, at most 400 characters.
    #[serde(default)]
    pub reason: String,
}

impl Command for CancelSendingOrder {
    type On = On<SendingOrder>;
    const NAME: &'static str = "cancel_sending_order";
    const ROUTE: Route = Route::anytime("/v1/sending-orders/{id}/cancel");
    const PERMISSION: Permission = Permission("sending_order.place");
    const REJECTS: &'static [&'static str] = &[
        "sending_order.unknown", "sending_order.wrong_state", "sending_order.handed_over", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, order: &On<SendingOrder>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let (placed, stage) = order.placed()?;
        match stage {
            Stage::Rejected | Stage::Cancelled => Err(Rejection::new("sending_order.wrong_state")),
            _ if order.done.len() == placed.recipients() => Err(Rejection::new("sending_order.handed_over")),
            _ => Ok(vec![order.emit(Cancelled { reason: text::optional_line(&self.reason, "/reason", 400)? })]),
        }
    }
}
