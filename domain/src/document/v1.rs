//! Events as they were written before drafts had withholding tax, seals and an origin, and paper a secret. Frozen.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Body, Changed, Corrected, DocumentType, Drafted, Head, Issued, Line, LinesSet, Sender};
use crate::client::Profile;
use crate::date::Date;
use crate::money::{Decimal, Money, Rounding};
use crate::tax::{TaxRate, Totals};

/// See [`Line`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LineV1 {
    description: String,
    quantity: Decimal,
    unit: String,
    unit_price: Decimal,
    tax_rate: TaxRate,
    tax_inclusive: bool,
    amount: Money,
}

impl From<LineV1> for Line {
    fn from(old: LineV1) -> Line {
        let LineV1 { description, quantity, unit, unit_price, tax_rate, tax_inclusive, amount } = old;
        let has_jp_withholding_tax = false;
        Line { description, quantity, unit, unit_price, tax_rate, tax_inclusive, amount, has_jp_withholding_tax }
    }
}

fn body(lines: Vec<LineV1>, totals: Totals) -> Body {
    Body { lines: lines.into_iter().map(Line::from).collect(), totals, jp_withholding_tax: Money::default() }
}

/// See [`Drafted`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DraftedV1 {
    document_type: DocumentType,
    head: HeadV1,
    tax_rounding: Rounding,
    lines: Vec<LineV1>,
    totals: Totals,
}

impl From<DraftedV1> for Drafted {
    fn from(old: DraftedV1) -> Drafted {
        let DraftedV1 { document_type, head, tax_rounding, lines, totals } = old;
        Drafted { document_type, origin: None, head: head.into(), tax_rounding, body: body(lines, totals) }
    }
}

/// See [`Head`]. Its fields stood in the events themselves: the same bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HeadV1 {
    client_id: Uuid,
    title: String,
    date: Date,
    date_due: Option<Date>,
    note: String,
}

impl From<HeadV1> for Head {
    fn from(old: HeadV1) -> Head {
        let HeadV1 { client_id, title, date, date_due, note } = old;
        let (proviso, has_tax_stamp, has_hanko) = (String::new(), false, false);
        Head { client_id, title, date, date_due, note, proviso, has_tax_stamp, has_hanko }
    }
}

/// See [`LinesSet`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinesSetV1 {
    lines: Vec<LineV1>,
    totals: Totals,
}

impl From<LinesSetV1> for LinesSet {
    fn from(old: LinesSetV1) -> LinesSet {
        LinesSet { body: body(old.lines, old.totals) }
    }
}

/// See [`Changed`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedV1 {
    head: HeadV1,
}

impl From<ChangedV1> for Changed {
    fn from(old: ChangedV1) -> Changed {
        Changed { head: old.head.into() }
    }
}

/// See [`Corrected`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CorrectedV1 {
    revision: u32,
    reason: String,
    lines: Vec<LineV1>,
    totals: Totals,
}

impl From<CorrectedV1> for Corrected {
    fn from(old: CorrectedV1) -> Corrected {
        let CorrectedV1 { revision, reason, lines, totals } = old;
        Corrected { revision, reason, body: body(lines, totals) }
    }
}

/// See [`Issued`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IssuedV1 {
    number: String,
    issued_on: Date,
    sender: Sender,
    recipient: Profile,
    totals: Totals,
}

impl From<IssuedV1> for Issued {
    fn from(old: IssuedV1) -> Issued {
        let IssuedV1 { number, issued_on, sender, recipient, totals } = old;
        Issued { number, issued_on, sender, recipient, totals, secret_hash: [0; 32] }
    }
}
