//! An invoice as JP PINT: UBL 2.1 XML for the Peppol network, by the Japanese specialisation of the Peppol International model.
//!
//! Sources: UBL 2.1 (OASIS) for names and order; the shared PINT rules (`ibr-…`) and the Japanese ones (`aligned-ibrp-…`,
//! `aligned-ibr-jp-…`) as published with edition 0.1.2. An invoice that would break a rule that is looked at here is not
//! written; docs/JP-PINT.md lists these rules, what is written for what, and the rules that are not looked at.
//!
//! Invariants: amounts of money are whole yen; the net amounts of the lines add up to the subtotals of the document, and no
//! total is computed here.

mod amounts;
mod rules;
mod unit;
mod xml;

use keiin_domain::client::Profile;
use keiin_domain::date::Date;
use keiin_domain::money::Money;
use keiin_domain::tax::TaxRate;

use self::amounts::Priced;
use self::xml::Xml;
use crate::Paper;

/// Which edition of the specification the file names. Nothing else differs: the rules are those of edition 0.1.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Edition {
    /// `urn:fdc:peppol:jp:billing:3.0`: what rule aligned-ibrp-001-jp of edition 0.1.2 asks for.
    #[default]
    Billing3,
    /// `urn:peppol:pint:billing-1@jp-1`: edition 1, by which access points of the network route.
    Pint1,
}

impl Edition {
    /// ibt-024.
    pub fn customization_id(self) -> &'static str {
        match self {
            Edition::Billing3 => "urn:fdc:peppol:jp:billing:3.0",
            Edition::Pint1 => "urn:peppol:pint:billing-1@jp-1",
        }
    }

    /// ibt-023.
    pub fn profile_id(self) -> &'static str {
        match self {
            Edition::Billing3 => "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0",
            Edition::Pint1 => "urn:peppol:bis:billing",
        }
    }
}

/// What a paper does not say about who deals with whom.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parties {
    /// 法人番号 of who issues it, 13 digits; empty for those who are no corporation. It is not read off the registration
    /// number: that of a person has no corporate number in it.
    pub seller_corporate_number: String,
    /// The same of the recipient.
    pub buyer_corporate_number: String,
}

/// A rule that the invoice would break.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// As published; ours begin with `keiin-`.
    pub rule: &'static str,
    /// What is wrong and what helps.
    pub message: String,
    /// JSON pointer into the paper, or into the parties (`/parties/…`).
    pub field: String,
}

/// InvoiceTypeCode of what is issued here. JP PINT knows 480 (out of scope of tax) and 389 (self-billed) as well; neither
/// kind is issued: what is not taxed stands in the table as exempt, and who sells issues the invoice.
const TYPE_CODE: &str = "380";
const SCHEME_CORPORATE: &str = "0188";
const SCHEME_REGISTRATION: &str = "0221";

/// The file, or every rule that it would break.
pub fn invoice(paper: &Paper, parties: &Parties, edition: Edition) -> Result<String, Vec<Violation>> {
    let mut violations = rules::broken(paper, parties);
    match amounts::priced(paper) {
        Ok(priced) if violations.is_empty() => Ok(write(paper, parties, edition, &priced)),
        Ok(_) => Err(violations),
        Err(violation) => {
            violations.push(violation);
            Err(violations)
        }
    }
}

fn write(paper: &Paper, parties: &Parties, edition: Edition, priced: &[Priced]) -> String {
    const NAMESPACES: [(&str, &str); 3] = [
        ("xmlns", "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"),
        ("xmlns:cac", "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"),
        ("xmlns:cbc", "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"),
    ];
    let mut xml = Xml::new();
    xml.node("Invoice", &NAMESPACES, |xml| {
        xml.leaf("cbc:CustomizationID", edition.customization_id());
        xml.leaf("cbc:ProfileID", edition.profile_id());
        xml.leaf("cbc:ID", &id(&paper.number, paper.revision));
        xml.leaf("cbc:IssueDate", &paper.issued_on.to_string());
        xml.leaf("cbc:DueDate", &paper.date_due.map(|date| date.to_string()).unwrap_or_default());
        xml.leaf("cbc:InvoiceTypeCode", TYPE_CODE);
        xml.leaf("cbc:Note", &note(paper));
        xml.leaf("cbc:DocumentCurrencyCode", "JPY");
        let (first, last) = month(paper.date);
        xml.group("cac:InvoicePeriod", |xml| {
            xml.leaf("cbc:StartDate", &first.to_string());
            xml.leaf("cbc:EndDate", &last.to_string());
        });
        if let Some(correction) = &paper.correction {
            xml.group("cac:BillingReference", |xml| {
                xml.group("cac:InvoiceDocumentReference", |xml| {
                    xml.leaf("cbc:ID", &id(&correction.replaces_number, correction.replaces_revision));
                });
            });
        }
        xml.group("cac:AccountingSupplierParty", |xml| seller(xml, paper, parties));
        xml.group("cac:AccountingCustomerParty", |xml| buyer(xml, &paper.recipient, parties));
        if !paper.sender.bank_details.trim().is_empty() {
            xml.group("cac:PaymentMeans", |xml| {
                // 1: the instrument is not defined. 30, credit transfer, needs the account number as a field of its own.
                xml.leaf_with("cbc:PaymentMeansCode", &[("name", "銀行振込")], "1");
            });
            xml.group("cac:PaymentTerms", |xml| {
                xml.leaf("cbc:Note", &format!("お振込先: {}", paper.sender.bank_details))
            });
        }
        taxes(xml, paper);
        xml.group("cac:LegalMonetaryTotal", |xml| {
            money(xml, "cbc:LineExtensionAmount", paper.totals.subtotal.amount);
            money(xml, "cbc:TaxExclusiveAmount", paper.totals.subtotal.amount);
            money(xml, "cbc:TaxInclusiveAmount", paper.totals.total.amount);
            money(xml, "cbc:PayableAmount", paper.totals.total.amount);
        });
        for (at, priced) in priced.iter().enumerate() {
            line(xml, paper, at, priced);
        }
    });
    xml.finish()
}

/// ibt-001: the number of the paper; of a correction with its revision, because no two invoices of a seller may have one.
fn id(number: &str, revision: u32) -> String {
    if revision < 2 { number.to_owned() } else { format!("{number}-{revision}") }
}

/// ibt-022, at most one: everything on the paper for which the model has no term.
fn note(paper: &Paper) -> String {
    let mut parts = Vec::new();
    if !paper.title.is_empty() {
        parts.push(format!("件名: {}", paper.title));
    }
    if let Some(correction) = &paper.correction {
        parts.push(format!(
            "訂正版: {} 第{}版 ({} 第{}版を訂正)。訂正理由: {}",
            paper.number, paper.revision, correction.replaces_number, correction.replaces_revision, correction.reason
        ));
    }
    if let Some(Money { amount, .. }) = paper.withholding {
        parts.push(format!("源泉徴収税額: {amount}円。差引ご請求金額: {}円", paper.payable().amount));
    }
    parts.push(paper.note.clone());
    if !paper.verify_url.is_empty() {
        parts.push(format!("この書類の発行を確認: {}", paper.verify_url));
    }
    parts.retain(|part| !part.trim().is_empty());
    parts.join("\n")
}

/// ibg-14: the calendar month of the transaction.
fn month(date: Date) -> (Date, Date) {
    let (year, month, _) = date.ymd();
    let next = if month == 12 { Date::of(year + 1, 1, 1) } else { Date::of(year, month + 1, 1) };
    (Date::of(year, month, 1), next.plus(-1))
}

/// ibt-034 and ibt-049: by the corporate number, else by the registration number, else none.
fn endpoint(xml: &mut Xml, corporate: &str, registration: &str) {
    match corporate {
        "" => xml.leaf_with("cbc:EndpointID", &[("schemeID", SCHEME_REGISTRATION)], registration),
        _ => xml.leaf_with("cbc:EndpointID", &[("schemeID", SCHEME_CORPORATE)], corporate),
    }
}

fn seller(xml: &mut Xml, paper: &Paper, parties: &Parties) {
    let (sender, corporate) = (&paper.sender, parties.seller_corporate_number.as_str());
    xml.group("cac:Party", |xml| {
        endpoint(xml, corporate, &sender.registration_number);
        xml.group("cac:PostalAddress", |xml| {
            xml.leaf("cbc:StreetName", &sender.address);
            country(xml);
        });
        legal(xml, &sender.registration_number, &sender.name, corporate);
    });
}

fn buyer(xml: &mut Xml, client: &Profile, parties: &Parties) {
    let corporate = parties.buyer_corporate_number.as_str();
    xml.group("cac:Party", |xml| {
        endpoint(xml, corporate, &client.registration_number);
        xml.group("cac:PostalAddress", |xml| {
            xml.leaf("cbc:StreetName", &client.street_address);
            xml.leaf("cbc:AdditionalStreetName", &client.extended_address);
            xml.leaf("cbc:CityName", &client.locality);
            xml.leaf("cbc:PostalZone", &client.postal_code);
            xml.leaf("cbc:CountrySubentity", &client.region);
            country(xml);
        });
        legal(xml, &client.registration_number, &client.name, corporate);
    });
}

fn country(xml: &mut Xml) {
    xml.group("cac:Country", |xml| xml.leaf("cbc:IdentificationCode", "JP"));
}

/// Registration number (ibt-031, ibt-048), name and corporate number.
fn legal(xml: &mut Xml, registration: &str, name: &str, corporate: &str) {
    if !registration.is_empty() {
        xml.group("cac:PartyTaxScheme", |xml| {
            xml.leaf("cbc:CompanyID", registration);
            scheme(xml);
        });
    }
    xml.group("cac:PartyLegalEntity", |xml| {
        xml.leaf("cbc:RegistrationName", name);
        xml.leaf_with("cbc:CompanyID", &[("schemeID", SCHEME_CORPORATE)], corporate);
    });
}

/// VAT stands for consumption tax (aligned-ibr-jp-03).
fn scheme(xml: &mut Xml) {
    xml.group("cac:TaxScheme", |xml| xml.leaf("cbc:ID", "VAT"));
}

/// UNCL 5305: standard, reduced ("lower rate"), exempt.
fn category(rate: TaxRate) -> &'static str {
    match rate {
        TaxRate::Standard => "S",
        TaxRate::Reduced => "AA",
        TaxRate::Zero => "E",
    }
}

fn taxes(xml: &mut Xml, paper: &Paper) {
    xml.group("cac:TaxTotal", |xml| {
        money(xml, "cbc:TaxAmount", paper.totals.tax.amount);
        for part in &paper.totals.by_rate {
            xml.group("cac:TaxSubtotal", |xml| {
                money(xml, "cbc:TaxableAmount", part.subtotal.amount);
                money(xml, "cbc:TaxAmount", part.tax.amount);
                xml.group("cac:TaxCategory", |xml| {
                    xml.leaf("cbc:ID", category(part.tax_rate));
                    xml.leaf("cbc:Percent", part.tax_rate.name());
                    let reason = if part.tax_rate == TaxRate::Zero { "対象外" } else { "" };
                    xml.leaf("cbc:TaxExemptionReason", reason);
                    scheme(xml);
                });
            });
        }
    });
}

fn line(xml: &mut Xml, paper: &Paper, at: usize, priced: &Priced) {
    let line = &paper.lines[at];
    let known = unit::code(&line.unit);
    let code = [("unitCode", known.unwrap_or(unit::ONE))];
    xml.group("cac:InvoiceLine", |xml| {
        xml.leaf("cbc:ID", &(at + 1).to_string());
        if known.is_none() {
            xml.leaf("cbc:Note", &format!("単位: {}", line.unit));
        }
        xml.leaf_with("cbc:InvoicedQuantity", &code, &priced.quantity.to_string());
        money(xml, "cbc:LineExtensionAmount", priced.net);
        xml.group("cac:Item", |xml| {
            xml.leaf("cbc:Name", &line.description);
            xml.group("cac:ClassifiedTaxCategory", |xml| {
                xml.leaf("cbc:ID", category(line.tax_rate));
                xml.leaf("cbc:Percent", line.tax_rate.name());
                scheme(xml);
            });
        });
        xml.group("cac:Price", |xml| {
            xml.leaf_with("cbc:PriceAmount", &[("currencyID", "JPY")], &priced.price);
            if let Some(base) = priced.base {
                xml.leaf_with("cbc:BaseQuantity", &code, &base.to_string());
            }
        });
    });
}

/// Whole yen: no decimals, no grouping (aligned-ibr-jp-06).
fn money(xml: &mut Xml, name: &str, yen: i64) {
    xml.leaf_with(name, &[("currencyID", "JPY")], &yen.to_string());
}
