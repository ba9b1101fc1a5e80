//! The rules that a paper can break. Those that a file keeps by the way in which it is written are not here.

use keiin_domain::document::DocumentType;
use keiin_domain::registration_number;
use keiin_domain::tax::fits_jp_pint_051;

use super::{Parties, Violation, xml};
use crate::Paper;

/// Every broken rule but those of the amounts, in the order of the paper.
pub fn broken(paper: &Paper, parties: &Parties) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |rule, field: String, message: &str| {
        found.push(Violation { rule, field, message: message.to_owned() });
    };
    if paper.document_type != DocumentType::Invoice {
        wrong("ibr-04", "/document_type".into(), "only invoices have an invoice type code: convert it to an invoice");
    }
    for (text, rule, field) in [
        (&paper.number, "ibr-02", "/number"),
        (&paper.sender.name, "ibr-06", "/sender/name"),
        (&paper.recipient.name, "ibr-07", "/recipient/name"),
    ] {
        if text.trim().is_empty() {
            wrong(rule, field.into(), "it is missing: issue the document with it");
        }
    }
    let normal = |number: &str| registration_number::normalise(number).as_deref() == Some(number);
    match paper.sender.registration_number.as_str() {
        "" => wrong(
            "aligned-ibr-jp-04",
            "/sender/registration_number".into(),
            "the seller's tax identifier (ibt-031) is missing: enter the company's registration number",
        ),
        number if !normal(number) => wrong(
            "aligned-ibr-jp-01",
            "/sender/registration_number".into(),
            "the seller's tax identifier (ibt-031) is T and 13 digits: correct the company's registration number",
        ),
        _ => {}
    }
    let number = paper.recipient.registration_number.as_str();
    if !number.is_empty() && !normal(number) {
        wrong(
            "keiin-registration-number",
            "/recipient/registration_number".into(),
            "a registration number is T and 13 digits: correct the client's",
        );
    }
    for (number, field) in [
        (&parties.seller_corporate_number, "/parties/seller_corporate_number"),
        (&parties.buyer_corporate_number, "/parties/buyer_corporate_number"),
    ] {
        let with_t = format!("T{number}");
        let right = normal(&with_t) && registration_number::checks(&with_t);
        if !number.is_empty() && !right {
            let message = "a corporate number is 13 digits, the first of which checks the others";
            wrong("keiin-corporate-number", field.into(), message);
        }
    }
    if paper.lines.is_empty() {
        wrong("ibr-16", "/lines".into(), "an invoice has at least one line");
    }
    for (at, line) in paper.lines.iter().enumerate() {
        if line.description.trim().is_empty() {
            wrong("ibr-25", format!("/lines/{at}/description"), "each line says what it is for");
        }
    }
    if paper.totals.total.amount < 0 {
        wrong(
            "keiin-negative",
            "/totals/total".into(),
            "what is below zero is a credit note, which is not written here",
        );
    }
    if paper.totals.total.amount > 0 && paper.date_due.is_none() && paper.sender.bank_details.trim().is_empty() {
        wrong(
            "ibr-co-25",
            "/date_due".into(),
            "what is to be paid has a due date or payment terms: give it a due date",
        );
    }
    for (at, part) in paper.totals.by_rate.iter().enumerate() {
        if !fits_jp_pint_051(part) {
            let message = format!(
                "{} yen of tax is not {} yen × {} %, rounded: prices with tax that are not rounded half up break this; \
                 set the document's tax rounding to half up",
                part.tax.amount,
                part.subtotal.amount,
                part.tax_rate.name()
            );
            wrong("aligned-ibrp-051-jp", format!("/totals/by_rate/{at}/tax"), &message);
        }
    }
    for (field, text) in crate::pdf::texts(paper) {
        if let Some(c) = text.chars().find(|c| !xml::allows(*c)) {
            wrong(
                "keiin-character",
                field,
                &format!("the character U+{:04X} cannot stand in XML: remove it", u32::from(c)),
            );
        }
    }
    found
}
