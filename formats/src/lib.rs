//! How documents leave as files.
//!
//! Architecture invariant: a file follows from its [`Paper`], or from its [`csv::Table`], alone. No clock, no randomness, no
//! IO, no ids: the same paper gives the same bytes, on every machine and in every process, so a file's hash can stand in the
//! ledger.

pub mod csv;
pub mod ics;
pub mod pdf;
pub mod pint;
pub mod png;

use keiin_domain::client::Profile;
use keiin_domain::date::Date;
use keiin_domain::document::{DocumentType, Line, Sender};
use keiin_domain::money::Money;
use keiin_domain::tax::Totals;

/// Everything that is printed of one issued document. What is empty or `None` leaves no trace on the paper, not even its
/// label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paper {
    /// Decides title, greeting and labels.
    pub document_type: DocumentType,
    /// As given at the issue; empty before it, and then the paper says that it is a draft.
    pub number: String,
    /// 1 for the original.
    pub revision: u32,
    /// What this revision corrects, from revision 2 on.
    pub correction: Option<Correction>,
    /// Subject line.
    pub title: String,
    /// Civil day of the issue; also the day that the file says it was made on.
    pub issued_on: Date,
    /// Of the transaction.
    pub date: Date,
    /// When to pay, to deliver, or until when it holds: by type. A receipt does not print it.
    pub date_due: Option<Date>,
    /// Who issues it.
    pub sender: Sender,
    /// To whom.
    pub recipient: Profile,
    /// In order. All of them contain the tax in their price or none does.
    pub lines: Vec<Line>,
    /// Of the lines.
    pub totals: Totals,
    /// Under the table; may have several lines.
    pub note: String,
    /// Income tax that the recipient keeps back (源泉徴収税額), positive; it lowers what is to be paid.
    pub withholding: Option<Money>,
    /// 但し書き, on a receipt: what it is for, without 但し and として.
    pub proviso: String,
    /// A frame for the revenue stamp (収入印紙), on a receipt.
    pub has_tax_stamp: bool,
    /// A frame for the company's seal (印).
    pub has_hanko: bool,
    /// Where it can be checked that the sender issued this; printed as a QR code and as text.
    pub verify_url: String,
}

/// What a correction says about the document that it replaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Correction {
    /// Why.
    pub reason: String,
    /// Number of the document that is replaced; usually the same.
    pub replaces_number: String,
    /// Its revision.
    pub replaces_revision: u32,
}

impl Paper {
    /// Do the prices contain the tax?
    pub fn is_tax_inclusive(&self) -> bool {
        self.lines.first().is_some_and(|line| line.tax_inclusive)
    }

    /// What the recipient pays: the total without what they keep back.
    pub fn payable(&self) -> Money {
        let withheld = self.withholding.map_or(0, |money| money.amount);
        Money::yen(self.totals.total.amount.saturating_sub(withheld))
    }
}
