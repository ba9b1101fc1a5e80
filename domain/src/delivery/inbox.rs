//! What recipients with an account do: they register by a link that was mailed to them, and from then on look, take,
//! answer and accept in their inbox (ML-38). Whoever is in several companies has an account with each and sees them apart.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::file::Wanted;
use super::{Closed, Delivery, Opened, RecipientRegistered, Replied};
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::document::{Accepted, Document, DocumentStatus, DocumentType};
use crate::member::{Member, MemberStatus, Registered, password};
use crate::paper::Paper;
use crate::role::{Permission, Role};
use crate::sealed::Person;
use crate::tenant::Tenant;
use crate::text;

#[cfg(test)]
mod tests;

/// Most characters of an answer.
const REPLY_LENGTH: usize = 2_000;

/// Makes an account for who holds the link, under the address that it was mailed to. The link must have been opened.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRecipient {
    /// As it will stand in the history, at most 80 characters.
    pub name: String,
    /// 15 to 128 characters.
    pub password: String,
    /// Where the link asks for one.
    #[serde(default)]
    pub passcode: String,
}

impl Command for RegisterRecipient {
    type On = (On<Delivery>, On<Member>, On<Member>, On<Tenant>);
    const NAME: &'static str = "register_recipient";
    const ROUTE: Route = Route::post("/v1/links/{token}/register");
    const PERMISSION: Permission = Permission("link.register");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown", "delivery.expired", "delivery.revoked", "delivery.on_hold", "delivery.locked",
        "delivery.replaced", "delivery.passcode_required", "delivery.not_opened", "member.already_invited",
        "member.already_member", "member.password_too_short", "member.password_too_long", "member.password_common",
        "member.password_personal", "member.password_pattern", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn linked(&self, delivery: &On<Delivery>, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let email = delivery.address(ctx).ok_or(Rejection::new("delivery.unknown"))?;
        let member = ctx.world.subject_for("member", &email);
        Ok(vec![delivery.sent_by.unwrap_or_default(), member, ctx.tenant])
    }
    fn decide(self, (delivery, sender, member, tenant): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_exist()?;
        match delivery.closed_to_recipient(sender, ctx.link, ctx.now_us) {
            Some(Closed::ViewLimit) | None => {}
            Some(closed) => return Err(closed.rejection()),
        }
        if delivery.views == delivery.views_before {
            return Err(Rejection::new("delivery.not_opened"));
        }
        let name = text::line(&self.name, "/name", 80)?;
        let email = delivery.address(ctx).ok_or(Rejection::new("delivery.unknown"))?;
        if let Some(wrong) = delivery.wrong_passcode(&self.passcode, ctx)? {
            return Ok(vec![wrong]);
        }
        match member.status {
            Some(MemberStatus::Invited) if ctx.now_us < member.expires_at_us => {
                return Err(Rejection::new("member.already_invited"));
            }
            Some(MemberStatus::Active | MemberStatus::Suspended) => {
                return Err(Rejection::new("member.already_member"));
            }
            _ => {}
        }
        password::check(&self.password, member, tenant, &[&name, &email], ctx)?;
        ctx.world.set_password(member.id, member.id, &self.password);
        let person = ctx.seal(member.id, &Person { name, email, ..Person::default() });
        Ok(vec![
            delivery.emit(RecipientRegistered { member_id: member.id }),
            member.emit(Registered { person, role: Role::Recipient }),
        ])
    }
}

impl On<Delivery> {
    /// Where it was mailed to; `None` once the recipient was erased.
    fn address(&self, ctx: &mut Context) -> Option<String> {
        ctx.open(self.recipient.as_ref()?).map(|recipient| recipient.email)
    }

    /// Refuses whoever it is not for, and everybody once it was withdrawn.
    fn must_be_open_to(&self, sender: &Member, ctx: &Context) -> Result<(), Rejection> {
        if self.member.is_none() || self.member != ctx.member {
            // What is not yours is as unknown to you as what does not exist.
            return Err(Rejection::new("delivery.unknown"));
        }
        match () {
            () if self.revoked => Err(Closed::Revoked.rejection()),
            () if sender.emergency => Err(Closed::OnHold.rejection()),
            () => Ok(()),
        }
    }
}

/// Opens a delivery in one's inbox: who sent what, and the documents themselves. The first look of a day is an event: whoever has
/// logged in is known, so that coming back to the page says nothing new; each file that is taken is one.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenDelivery {}

impl Command for OpenDelivery {
    type On = (On<Delivery>, On<Member>);
    const NAME: &'static str = "open_delivery";
    const ROUTE: Route = Route::anytime("/v1/inbox/{id}/open");
    const PERMISSION: Permission = Permission("inbox.open");
    const REJECTS: &'static [&'static str] = &["delivery.unknown", "delivery.revoked", "delivery.on_hold"];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default()])
    }
    fn decide(self, (delivery, sender): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_be_open_to(sender, ctx)?;
        let day = Some(ctx.today);
        Ok(if delivery.looked_on == day {
            vec![]
        } else {
            vec![delivery.emit(Opened { view: delivery.views + 1, day })]
        })
    }
}

/// Takes a document's file, or an attachment, out of one's inbox: one of both.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeFile {
    /// Which of the delivery's documents.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub document_id: Option<Uuid>,
    /// Which of its attachments.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub attachment_id: Option<Uuid>,
}

impl Command for TakeFile {
    type On = (On<Delivery>, On<Member>, On<Paper>);
    const NAME: &'static str = "take_file";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("inbox.open");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown", "delivery.revoked", "delivery.on_hold", "delivery.one_file", "delivery.unknown_document",
        "delivery.unknown_attachment", "delivery.attachment_erased", "delivery.not_printed",
    ];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default(), self.document_id.unwrap_or_default()])
    }
    fn decide(self, (delivery, sender, paper): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_be_open_to(sender, ctx)?;
        let wanted = Wanted::of(self.document_id, self.attachment_id)?;
        delivery.must_hold_file(wanted)?;
        Ok(vec![delivery.file_taken(wanted, paper, ctx)?])
    }
}

/// Takes the files of all documents of a delivery, and its attachments, out of one's inbox.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeFiles {}

impl Command for TakeFiles {
    type On = (On<Delivery>, On<Member>, Vec<(On<Document>, On<Paper>)>);
    const NAME: &'static str = "take_files";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("inbox.open");
    const REJECTS: &'static [&'static str] =
        &["delivery.unknown", "delivery.revoked", "delivery.on_hold", "delivery.not_printed"];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        let pairs = delivery.documents.iter().flat_map(|one| [one.document_id, one.document_id]);
        Ok([delivery.sent_by.unwrap_or_default()].into_iter().chain(pairs).collect())
    }
    fn decide(self, (delivery, sender, papers): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_be_open_to(sender, ctx)?;
        let mut taken = papers.iter().map(|(_, paper)| delivery.taken(paper)).collect::<Result<Vec<_>, _>>()?;
        // What was erased is not there any more; the others are.
        let left = delivery.attachments.iter().filter(|file| !ctx.world.is_erased(file.attachment_id));
        taken.extend(left.map(|file| delivery.attachment_taken(file)));
        Ok(taken)
    }
}

/// Answers the sender.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyToDelivery {
    /// At most 2,000 characters.
    pub text: String,
}

impl Command for ReplyToDelivery {
    type On = (On<Delivery>, On<Member>);
    const NAME: &'static str = "reply_to_delivery";
    const ROUTE: Route = Route::anytime("/v1/inbox/{id}/replies");
    const PERMISSION: Permission = Permission("inbox.reply");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown", "delivery.revoked", "delivery.on_hold", "text.required", "text.too_long",
        "text.control_character",
    ];
    const NEEDS_KEY: bool = true;
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default()])
    }
    fn decide(self, (delivery, sender): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_be_open_to(sender, ctx)?;
        let note = text::prose(&self.text, "/text", REPLY_LENGTH)?;
        if note.is_empty() {
            return Err(Rejection::at("text.required", "/text"));
        }
        let member = delivery.member.unwrap_or_default();
        Ok(vec![delivery.emit(Replied { reply: ctx.seal(member, &Person { note, ..Person::default() }) })])
    }
}

/// Accepts a quote that is in one's inbox, as it stands now.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptQuote {
    /// Which of the delivery's.
    pub document_id: Uuid,
    /// The revision that was read.
    pub revision: u32,
}

impl Command for AcceptQuote {
    type On = (On<Delivery>, On<Member>, On<Document>);
    const NAME: &'static str = "accept_quote";
    const ROUTE: Route = Route::anytime("/v1/inbox/{id}/acceptances");
    const PERMISSION: Permission = Permission("inbox.accept");
    const REJECTS: &'static [&'static str] = &[
        "delivery.unknown", "delivery.revoked", "delivery.on_hold", "delivery.unknown_document", "document.no_quote",
        "document.cancelled", "document.other_revision", "document.already_accepted", "document.offer_over",
    ];
    fn linked(&self, delivery: &On<Delivery>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![delivery.sent_by.unwrap_or_default(), self.document_id])
    }
    fn decide(self, (delivery, sender, document): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        delivery.must_be_open_to(sender, ctx)?;
        delivery.must_hold(self.document_id)?;
        let draft = document.draft.as_ref().filter(|draft| draft.document_type == DocumentType::Quote);
        let draft = draft.ok_or(Rejection::at("document.no_quote", "/document_id"))?;
        match () {
            () if document.status() == Some(DocumentStatus::Cancelled) => Err(Rejection::new("document.cancelled")),
            () if self.revision != document.revision => Err(Rejection::at("document.other_revision", "/revision")),
            () if document.accepted == document.revision => Err(Rejection::new("document.already_accepted")),
            () if draft.head.date_due.is_some_and(|last| last < ctx.today) => {
                Err(Rejection::new("document.offer_over"))
            }
            () => Ok(vec![document.emit(Accepted { revision: document.revision, delivery_id: delivery.id })]),
        }
    }
}
