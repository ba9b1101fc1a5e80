//! What people do with documents.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Body, Cancelled, Changed, Document, DocumentType, Drafted, Head, Line, LinesSet, MAX_LINES, PaymentRecorded,
};
use crate::client::Client;
use crate::command::{Command, Emit, On, Rejection, Route, present};
use crate::context::Context;
use crate::date::Date;
use crate::money::{Decimal, Money, Rounding, yen};
use crate::role::Permission;
use crate::tax::{self, ClaimedTotals, TaxRate};
use crate::tenant::Tenant;
use crate::text;
use crate::withholding::withheld;

/// One line as sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineInput {
    /// What; at most 120 characters.
    pub description: String,
    /// How many: a decimal with at most four places.
    pub quantity: String,
    /// Of what; at most 16 characters.
    #[serde(default)]
    pub unit: String,
    /// For one: a decimal with at most four places; negative for a discount.
    pub unit_price: String,
    /// Percent of tax.
    pub tax_rate: TaxRate,
    /// Does the price contain the tax? The same in all lines.
    #[serde(default)]
    pub tax_inclusive: bool,
    /// Is it a fee of which the payer keeps income tax back (10.21 %)?
    #[serde(default)]
    pub has_jp_withholding_tax: bool,
}

/// Checks lines and adds them up; what the caller computed must agree.
pub fn compute(lines: &[LineInput], claimed: Option<&ClaimedTotals>, rounding: Rounding) -> Result<Body, Rejection> {
    if lines.len() > MAX_LINES {
        return Err(Rejection::at("document.too_many_lines", "/lines"));
    }
    let inclusive = lines.first().is_some_and(|l| l.tax_inclusive);
    let mut held = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        if line.tax_inclusive != inclusive {
            return Err(Rejection::at("tax.mixed_inclusion", format!("/lines/{i}/tax_inclusive")));
        }
        let quantity = Decimal::field(&line.quantity, format!("/lines/{i}/quantity"))?;
        let unit_price = Decimal::field(&line.unit_price, format!("/lines/{i}/unit_price"))?;
        held.push(Line {
            description: text::line(&line.description, &format!("/lines/{i}/description"), 120)?,
            quantity,
            unit: text::optional_line(&line.unit, &format!("/lines/{i}/unit"), 16)?,
            unit_price,
            tax_rate: line.tax_rate,
            tax_inclusive: inclusive,
            amount: quantity
                .times(unit_price, rounding)
                .map_err(|r| Rejection::at(r.code, format!("/lines/{i}/unit_price")))?,
            has_jp_withholding_tax: line.has_jp_withholding_tax,
        });
    }
    let amounts: Vec<_> = held.iter().map(|l| (l.tax_rate, l.amount)).collect();
    let totals = tax::totals(&amounts, inclusive, rounding)?;
    if totals.total.amount < 0 {
        return Err(Rejection::at("document.negative_total", "/lines"));
    }
    claimed.map_or(Ok(()), |c| c.check(&totals))?;
    let fees = held.iter().filter(|line| line.has_jp_withholding_tax).map(|line| i128::from(line.amount.amount));
    let jp_withholding_tax = withheld(yen(fees.sum())?);
    if jp_withholding_tax.amount > totals.total.amount {
        return Err(Rejection::at("document.negative_total", "/lines"));
    }
    Ok(Body { lines: held, totals, jp_withholding_tax })
}

pub(super) fn due(date: Date, date_due: Option<Date>) -> Result<Option<Date>, Rejection> {
    if date_due.is_some_and(|d| d < date) {
        Err(Rejection::at("document.due_before_date", "/date_due"))
    } else {
        Ok(date_due)
    }
}

/// Drafts a document.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftDocument {
    /// Never changes.
    pub document_type: DocumentType,
    /// To whom.
    pub client_id: Uuid,
    /// Subject line, at most 80 characters.
    pub title: String,
    /// Date of the transaction, as printed.
    pub date: Date,
    /// When to pay or until when it holds; not before `date`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub date_due: Option<Date>,
    /// As printed, at most 400 characters.
    #[serde(default)]
    pub note: String,
    /// On a receipt, for what; at most 80 characters.
    #[serde(default)]
    pub proviso: String,
    /// A receipt's frame for the revenue stamp.
    #[serde(default)]
    pub has_tax_stamp: bool,
    /// The frame for the seal.
    #[serde(default)]
    pub has_hanko: bool,
    /// Of tax and of lines; the company's own if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub tax_rounding: Option<Rounding>,
    /// At most 100.
    pub lines: Vec<LineInput>,
    /// What the caller computed; must agree with what we compute.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub totals: Option<ClaimedTotals>,
}

impl Command for DraftDocument {
    type On = (On<Document>, On<Client>, On<Tenant>);
    const NAME: &'static str = "draft_document";
    const ROUTE: Route = Route::create("/v1/documents");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown_client", "document.client_archived", "document.due_before_date", "document.too_many_lines",
        "document.negative_total", "money.bad_decimal", "money.overflow", "tax.mixed_inclusion", "tax.totals_differ",
        "text.required", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, self.client_id, ctx.tenant])
    }
    fn decide(self, (document, client, tenant): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        client.addressable()?;
        let tax_rounding = self.tax_rounding.unwrap_or(tenant.tax_rounding);
        let body = compute(&self.lines, self.totals.as_ref(), tax_rounding)?;
        let head = Head {
            client_id: self.client_id,
            title: text::line(&self.title, "/title", 80)?,
            date: self.date,
            date_due: due(self.date, self.date_due)?,
            note: text::prose(&self.note, "/note", 400)?,
            proviso: text::optional_line(&self.proviso, "/proviso", 80)?,
            has_tax_stamp: self.has_tax_stamp,
            has_hanko: self.has_hanko,
        };
        let document_type = self.document_type;
        Ok(vec![document.emit(Drafted { document_type, origin: None, head, tax_rounding, body })])
    }
}

/// Replaces the lines of a draft.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLines {
    /// At most 100.
    pub lines: Vec<LineInput>,
    /// What the caller computed; must agree with what we compute.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub totals: Option<ClaimedTotals>,
}

impl Command for SetLines {
    type On = On<Document>;
    const NAME: &'static str = "set_lines";
    const ROUTE: Route = Route::put("/v1/documents/{id}/lines");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.already_issued", "document.cancelled", "document.too_many_lines",
        "document.negative_total", "money.bad_decimal", "money.overflow", "tax.mixed_inclusion", "tax.totals_differ",
        "text.required", "text.too_long", "text.control_character",
    ];
    fn decide(self, document: &On<Document>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let draft = document.open()?;
        let body = compute(&self.lines, self.totals.as_ref(), draft.tax_rounding)?;
        Ok(vec![document.emit(LinesSet { body })])
    }
}

/// Changes the head of a draft. Absent = as it was.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeDocument {
    /// Subject line, at most 80 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub title: Option<String>,
    /// Date of the transaction, as printed.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub date: Option<Date>,
    /// When to pay or until when it holds; not before `date`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub date_due: Option<Date>,
    /// As printed, at most 400 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub note: Option<String>,
    /// On a receipt, for what; at most 80 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub proviso: Option<String>,
    /// A receipt's frame for the revenue stamp.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub has_tax_stamp: Option<bool>,
    /// The frame for the seal.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub has_hanko: Option<bool>,
    /// To whom.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub client_id: Option<Uuid>,
}

impl Command for ChangeDocument {
    type On = (On<Document>, On<Client>);
    const NAME: &'static str = "change_document";
    const ROUTE: Route = Route::patch("/v1/documents/{id}");
    const PERMISSION: Permission = Permission("document.draft");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.already_issued", "document.cancelled", "document.unknown_client",
        "document.client_archived", "document.due_before_date", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn linked(&self, document: &On<Document>, _: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![self.client_id.unwrap_or(document.open()?.head.client_id)])
    }
    fn decide(self, (document, client): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let before = &document.open()?.head;
        if self.client_id.is_some() {
            client.addressable()?;
        }
        let date = self.date.unwrap_or(before.date);
        let kept = |new: Option<String>, old: &String| new.unwrap_or_else(|| old.clone());
        let head = Head {
            client_id: client.id,
            title: text::line(&kept(self.title, &before.title), "/title", 80)?,
            date,
            date_due: due(date, self.date_due.or(before.date_due))?,
            note: text::prose(&kept(self.note, &before.note), "/note", 400)?,
            proviso: text::optional_line(&kept(self.proviso, &before.proviso), "/proviso", 80)?,
            has_tax_stamp: self.has_tax_stamp.unwrap_or(before.has_tax_stamp),
            has_hanko: self.has_hanko.unwrap_or(before.has_hanko),
        };
        Ok(if head == *before { vec![] } else { vec![document.emit(Changed { head })] })
    }
}

/// Makes a document void. It keeps its number; nothing can be sent or paid any more.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelDocument {
    /// Shown in the trail, at most 400 characters.
    pub reason: String,
}

impl Command for CancelDocument {
    type On = On<Document>;
    const NAME: &'static str = "cancel_document";
    const ROUTE: Route = Route::post("/v1/documents/{id}/cancel");
    const PERMISSION: Permission = Permission("document.issue");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.cancelled", "document.has_payments", "text.required", "text.too_long",
        "text.control_character",
    ];
    fn decide(self, document: &On<Document>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if !document.exists() {
            return Err(Rejection::new("document.unknown"));
        }
        if document.cancelled {
            return Err(Rejection::new("document.cancelled"));
        }
        if document.paid > 0 {
            return Err(Rejection::new("document.has_payments"));
        }
        Ok(vec![document.emit(Cancelled { reason: text::line(&self.reason, "/reason", 400)? })])
    }
}

/// Records money that came in for an invoice.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordPayment {
    /// How much: above 0, at most what is open.
    pub amount: Money,
    /// When it came.
    pub date: Date,
}

impl Command for RecordPayment {
    type On = On<Document>;
    const NAME: &'static str = "record_payment";
    const ROUTE: Route = Route::post("/v1/documents/{id}/payments");
    const PERMISSION: Permission = Permission("document.pay");
    const REJECTS: &'static [&'static str] = &[
        "document.unknown", "document.not_issued", "document.cancelled", "document.not_payable", "document.bad_amount",
        "document.overpaid",
    ];
    const NEEDS_KEY: bool = true;
    fn decide(self, document: &On<Document>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        let draft = document.out()?;
        if draft.document_type != DocumentType::Invoice {
            return Err(Rejection::new("document.not_payable"));
        }
        if self.amount.amount <= 0 {
            return Err(Rejection::at("document.bad_amount", "/amount/amount"));
        }
        let open = draft.body.payable() - document.paid;
        if self.amount.amount > open {
            return Err(Rejection::expected("document.overpaid", "/amount/amount", open.to_string()));
        }
        Ok(vec![document.emit(PaymentRecorded { amount: self.amount, date: self.date })])
    }
}
