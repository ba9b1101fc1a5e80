//! Handing a recipient over.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ByMail, ByPost, Failed, HandedOver, Placed, SendingOrder, Stage};
use crate::attachment;
use crate::command::{Command, Emit, On, Rejection, Route};
use crate::context::Context;
use crate::delivery::{self, Delivery, Enclosed, Link, Sending};
use crate::document::Document;
use crate::member::Member;
use crate::paper::Paper;
use crate::postal_item::{self, PostalItem};
use crate::role::Permission;

/// Sends one recipient what a released order says, or notes why that cannot be. Nothing, where their turn came already or
/// the order was cancelled. The server sends it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// Which recipient.
    pub n: u32,
}

type Papers = [(On<Document>, On<Paper>)];

impl Command for HandOver {
    type On = (On<SendingOrder>, On<Delivery>, On<PostalItem>, On<Member>, Vec<(On<Document>, On<Paper>)>);
    const NAME: &'static str = "hand_over";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("sending_order.run");
    const REJECTS: &'static [&'static str] =
        &["sending_order.unknown", "sending_order.unknown_recipient", "sending_order.not_printed"];
    fn linked(&self, order: &On<SendingOrder>, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let (placed, _) = order.placed()?;
        let (delivery, item, member) = match placed.recipient(self.n)? {
            Recipient::ByMail(one) => {
                let member = ctx.open(&one.recipient).map(|to| delivery::account(&to.email, ctx));
                (one.delivery_id, Uuid::nil(), member.unwrap_or_default())
            }
            Recipient::ByPost(one) => (Uuid::nil(), one.postal_item_id, Uuid::nil()),
        };
        let papers = placed.documents.iter().flat_map(|one| [one.document_id, one.document_id]);
        Ok([delivery, item, member].into_iter().chain(papers).collect())
    }
    fn decide(self, on: &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let (order, delivery, item, member, papers) = on;
        let (placed, stage) = order.placed()?;
        if stage != Stage::Released || order.done.contains(&self.n) {
            return Ok(vec![]);
        }
        let unchanged = placed.unchanged(papers).and_then(|documents| placed.must_have_files(ctx).map(|()| documents));
        let sent = unchanged.and_then(|documents| match placed.recipient(self.n)? {
            Recipient::ByMail(one) => placed.mail(one, documents, (delivery, member), ctx),
            Recipient::ByPost(one) => placed.post(one, item, papers, ctx),
        });
        match sent {
            Ok(sent) => Ok(vec![sent, order.emit(HandedOver { n: self.n })]),
            // It is being printed; the server asks again.
            Err(Rejection { code: "postal_item.no_file", .. }) => Err(Rejection::new("sending_order.not_printed")),
            Err(Rejection { code, at }) => {
                let pointer = at.into_iter().next().map(|fault| fault.pointer).unwrap_or_default();
                Ok(vec![order.emit(Failed { n: self.n, code: code.into(), pointer })])
            }
        }
    }
}

enum Recipient<'a> {
    ByMail(&'a ByMail),
    ByPost(&'a ByPost),
}

impl Placed {
    fn recipient(&self, n: u32) -> Result<Recipient<'_>, Rejection> {
        let n = n as usize;
        let by_post = || self.by_post.get(n - self.by_mail.len()).map(Recipient::ByPost);
        let found = self.by_mail.get(n).map(Recipient::ByMail).or_else(by_post);
        found.ok_or(Rejection::new("sending_order.unknown_recipient"))
    }

    /// What was looked at, if that is what would go out now.
    fn unchanged(&self, papers: &Papers) -> Result<Vec<Enclosed>, Rejection> {
        let now = delivery::enclose(papers)?;
        match self.documents.iter().zip(&now).position(|(then, now)| then != now) {
            None => Ok(now),
            Some(i) => Err(Rejection::at("sending_order.document_changed", format!("/document_ids/{i}"))),
        }
    }

    /// Are all attachments still there?
    fn must_have_files(&self, ctx: &mut Context) -> Result<(), Rejection> {
        match attachment::erased(&self.attachments, ctx) {
            None => Ok(()),
            Some(i) => Err(Rejection::at("sending_order.attachment_erased", format!("/attachments/{i}"))),
        }
    }

    fn mail(
        &self,
        to: &ByMail,
        documents: Vec<Enclosed>,
        (delivery, member): (&On<Delivery>, &On<Member>),
        ctx: &mut Context,
    ) -> Result<Emit, Rejection> {
        let recipient = ctx.open(&to.recipient).ok_or(Rejection::new("sending_order.erased"))?;
        let link = Link { expires_in_days: self.expires_in_days, view_limit: self.view_limit };
        let (subject, has_passcode) = (to.recipient.subject, to.has_passcode);
        let attachments = self.attachments.clone();
        let sending = Sending { documents, attachments, recipient, subject, link, has_passcode };
        delivery::send(delivery, member, sending, ctx)
    }

    fn post(&self, to: &ByPost, item: &On<PostalItem>, papers: &Papers, ctx: &mut Context) -> Result<Emit, Rejection> {
        let order = postal_item::Order {
            attachments: self.attachments.clone(),
            client_id: self.client_id,
            to: ctx.open(&to.recipient).ok_or(Rejection::new("sending_order.erased"))?,
            service: to.service,
            extras: to.extras.clone(),
            envelope: to.envelope,
            has_cover: to.has_cover,
            postage: to.postage,
        };
        postal_item::queue(item, papers, order, to.recipient.subject, ctx)
    }
}
