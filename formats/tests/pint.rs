//! Invoices as JP PINT: one test for each rule that the specification's readers know us by, each looked at by libxml2 with
//! the rule's published test as XPath, on files that keep it and on files that break it.

#[expect(dead_code, reason = "the tests of PDF use the rest")]
mod papers;
mod ubl;
mod xmllint;

use keiin_domain::document::DocumentType;
use keiin_domain::money::{Decimal, Money, Rounding};
use keiin_domain::tax::{self, TaxRate};
use keiin_formats::pint::{Edition, Parties, Violation, invoice};
use keiin_formats::{Correction, Paper};
use papers::{line, totalled};
use xmllint::{holds, value, well_formed};

/// A table of consumption tax that has been rounded as the document says.
fn inclusive(price: &str, rounding: Rounding) -> Paper {
    let mut paper = papers::one_line();
    paper.lines = vec![line("品目", "1", "個", price, TaxRate::Standard)];
    paper.lines[0].tax_inclusive = true;
    paper.totals = tax::totals(&[(TaxRate::Standard, paper.lines[0].amount)], true, rounding).unwrap();
    paper
}

fn three_rates() -> Paper {
    Paper { document_type: DocumentType::Invoice, number: "INV-2026-0311".into(), ..papers::three_rates() }
}

/// Prices with tax, of both rates, one of them a part of a yen.
fn with_tax() -> Paper {
    let receipt = papers::receipt();
    let mut lines = receipt.lines;
    lines.push(line("端数", "3", "本", "33.3333", TaxRate::Standard));
    lines.push(line("値引き", "1", "式", "-500", TaxRate::Standard));
    lines.iter_mut().for_each(|line| line.tax_inclusive = true);
    let amounts: Vec<_> = lines.iter().map(|line| (line.tax_rate, line.amount)).collect();
    let totals = tax::totals(&amounts, true, Rounding::HalfUp).unwrap();
    Paper { lines, totals, ..papers::one_line() }
}

fn written(paper: &Paper) -> String {
    invoice(paper, &Parties::default(), Edition::default()).expect("an invoice that keeps the rules")
}

fn all() -> Vec<String> {
    let papers = [papers::one_line(), three_rates(), papers::long_names(), papers::correction(), with_tax()];
    papers.iter().map(written).collect()
}

fn refused(paper: &Paper) -> Vec<Violation> {
    invoice(paper, &Parties::default(), Edition::default()).expect_err("a rule is broken")
}

fn rules(violations: &[Violation]) -> Vec<(&str, &str)> {
    violations.iter().map(|v| (v.rule, v.field.as_str())).collect()
}

/// Every file keeps the rule, and the rule's test fails on a file from which `breaking` replaced something.
fn kept(rule: &str, test: &str, breaking: (&str, &str)) {
    for xml in all() {
        assert!(holds(&xml, test), "{rule}: {xml}");
    }
    let xml = written(&three_rates());
    let broken = xml.replace(breaking.0, breaking.1);
    assert_ne!(xml, broken, "{rule}");
    assert!(!holds(&broken, test), "{rule} cannot fail");
}

#[test]
fn rule_001_jp_customization_id() {
    let id = "starts-with(/*/cbc:CustomizationID, 'urn:fdc:peppol:jp:billing:3.0')";
    kept("aligned-ibrp-001-jp", id, ("urn:fdc:peppol:jp:", "urn:fdc:peppol.eu:"));
    let profile = "contains(/*/cbc:ProfileID, 'urn:fdc:peppol.eu:2017:poacc:billing:01:1.0')";
    kept("aligned-ibrp-002-jp", profile, (":01:1.0", ":02:1.0"));
    let first = invoice(&papers::one_line(), &Parties::default(), Edition::Pint1).unwrap();
    assert_eq!(value(&first, "/*/cbc:CustomizationID"), "urn:peppol:pint:billing-1@jp-1");
    assert_eq!(value(&first, "/*/cbc:ProfileID"), "urn:peppol:bis:billing");
}

#[test]
fn rule_jp_01_and_04_the_sellers_registration_number() {
    let id = "/*/cac:AccountingSupplierParty/cac:Party/cac:PartyTaxScheme[cac:TaxScheme/cbc:ID='VAT']/cbc:CompanyID";
    kept("aligned-ibr-jp-04", id, ("cac:PartyTaxScheme", "cac:Party"));
    let shaped = format!("starts-with({id}, 'T') and string-length({id}) = 14 and number(substring({id}, 2)) > 0");
    kept("aligned-ibr-jp-01", &shaped, ("T7000012050002", "T700001205000"));
    kept(
        "aligned-ibrp-009",
        &format!("count({id}) <= 1"),
        (
            "<cac:PartyLegalEntity>",
            "<cac:PartyTaxScheme><cbc:CompanyID>1</cbc:CompanyID><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme><cac:PartyLegalEntity>",
        ),
    );

    let mut paper = papers::one_line();
    for (number, rule) in
        [("", "aligned-ibr-jp-04"), ("7000012050002", "aligned-ibr-jp-01"), ("T70", "aligned-ibr-jp-01")]
    {
        paper.sender.registration_number = number.into();
        assert_eq!(rules(&refused(&paper)), [(rule, "/sender/registration_number")], "{number}");
    }
}

#[test]
fn rule_052_invoice_period() {
    kept("aligned-ibrp-052", "//cac:InvoicePeriod", ("InvoicePeriod", "Period"));
    for (day, first, last) in [
        ((2026, 11, 20), "2026-11-01", "2026-11-30"),
        ((2028, 2, 29), "2028-02-01", "2028-02-29"),
        ((2026, 12, 31), "2026-12-01", "2026-12-31"),
    ] {
        let date = keiin_domain::date::Date::of(day.0, day.1, day.2);
        let xml = written(&Paper { date, ..papers::one_line() });
        assert_eq!(value(&xml, "//cac:InvoicePeriod/cbc:StartDate"), first);
        assert_eq!(value(&xml, "//cac:InvoicePeriod/cbc:EndDate"), last);
    }
}

#[test]
fn rule_cl_01_jp_categories_and_jp_03_scheme() {
    let category = "not(//cac:TaxCategory/cbc:ID[not(contains(' AA E S G O ', concat(' ', ., ' ')))])
        and not(//cac:ClassifiedTaxCategory/cbc:ID[not(contains(' AA E S G O ', concat(' ', ., ' ')))])";
    kept("aligned-ibrp-cl-01-jp", category, (">AA<", ">Z<"));
    let scheme = "not(//cac:TaxScheme/cbc:ID[. != 'VAT']) and count(//cac:ClassifiedTaxCategory/cac:TaxScheme) = count(//cac:InvoiceLine)";
    kept("aligned-ibr-jp-03", scheme, (">VAT<", ">GST<"));
    let exempt = "not(//cac:TaxCategory[cbc:ID='E']) or count(//cac:TaxSubtotal[cac:TaxCategory/cbc:ID='E'][cbc:TaxAmount=0]) = 1";
    kept(
        "aligned-ibrp-e-01, e-09",
        exempt,
        ("<cbc:TaxAmount currencyID=\"JPY\">0<", "<cbc:TaxAmount currencyID=\"JPY\">1<"),
    );
    kept(
        "aligned-ibrp-048, 050-jp",
        "not(//cac:TaxCategory[not(cbc:Percent)]) and not(//cac:ClassifiedTaxCategory[not(cbc:Percent)])",
        ("cbc:Percent", "cbc:Rate"),
    );

    let xml = written(&three_rates());
    for (category, percent, taxable, tax) in
        [("S", "10", "11000", "1100"), ("AA", "8", "19175", "1534"), ("E", "0", "5500", "0")]
    {
        let part = format!("//cac:TaxSubtotal[cac:TaxCategory/cbc:ID='{category}']");
        assert_eq!(value(&xml, &format!("{part}/cac:TaxCategory/cbc:Percent")), percent);
        assert_eq!(value(&xml, &format!("{part}/cbc:TaxableAmount")), taxable);
        assert_eq!(value(&xml, &format!("{part}/cbc:TaxAmount")), tax);
    }
}

#[test]
fn rule_jp_06_yen_have_no_decimals() {
    let yen = "not(//*[@currencyID='JPY'][contains(., '.')][local-name() != 'PriceAmount']) and //cac:TaxSubtotal/cbc:TaxAmount[@currencyID='JPY']";
    kept("aligned-ibr-jp-06", yen, (">1534<", ">1534.0<"));
    for xml in all() {
        assert!(holds(&xml, "not(//*[@currencyID][@currencyID != 'JPY']) and /*/cbc:DocumentCurrencyCode = 'JPY'"));
    }
}

/// Floor ≤ tax ≤ ceiling of base × rate.
const RULE_051: &str = "not(//cac:TaxSubtotal[
    cbc:TaxAmount < floor(cbc:TaxableAmount * cac:TaxCategory/cbc:Percent div 100)
    or cbc:TaxAmount > ceiling(cbc:TaxableAmount * cac:TaxCategory/cbc:Percent div 100)])";

#[test]
fn rule_051_jp_tax_between_floor_and_ceiling() {
    kept("aligned-ibrp-051-jp", RULE_051, (">1534<", ">1535<"));
    for (price, base, tax) in [("10", 10, 0), ("1000", 910, 90)] {
        let paper = inclusive(price, Rounding::Floor);
        let part = &paper.totals.by_rate[0];
        assert_eq!((part.subtotal.amount, part.tax.amount), (base, tax));
        let violations = refused(&paper);
        assert_eq!(rules(&violations), [("aligned-ibrp-051-jp", "/totals/by_rate/0/tax")]);
        assert!(violations[0].message.contains("set the document's tax rounding to half up"), "{violations:?}");
    }
    for (price, net, tax) in [("10", "9", "1"), ("1000", "909", "91")] {
        let xml = written(&inclusive(price, Rounding::HalfUp));
        assert!(holds(&xml, RULE_051));
        assert_eq!(value(&xml, "//cac:InvoiceLine/cbc:LineExtensionAmount"), net);
        assert_eq!(value(&xml, "//cac:TaxSubtotal/cbc:TaxAmount"), tax);
        assert_eq!(value(&xml, "//cac:LegalMonetaryTotal/cbc:PayableAmount"), price);
    }
}

#[test]
fn rule_types_380_480_389() {
    kept("ibt-003", "contains(' 380 480 389 ', concat(' ', /*/cbc:InvoiceTypeCode, ' '))", (">380<", ">381<"));
    for xml in all() {
        assert_eq!(value(&xml, "/*/cbc:InvoiceTypeCode"), "380");
    }
    for document_type in DocumentType::ALL.iter().filter(|t| **t != DocumentType::Invoice) {
        let paper = Paper { document_type: *document_type, ..papers::one_line() };
        assert_eq!(rules(&refused(&paper)), [("ibr-04", "/document_type")]);
    }
}

/// Shared PINT rules on sums, and each line's own.
#[test]
fn rules_co_10_to_16_the_sums() {
    let total = "/*/cac:LegalMonetaryTotal";
    kept(
        "ibr-co-10",
        &format!("{total}/cbc:LineExtensionAmount = sum(//cac:InvoiceLine/cbc:LineExtensionAmount)"),
        (">12500<", ">12501<"),
    );
    kept(
        "ibr-co-13",
        &format!("{total}/cbc:TaxExclusiveAmount = {total}/cbc:LineExtensionAmount"),
        ("<cbc:TaxExclusiveAmount currencyID=\"JPY\">", "<cbc:TaxExclusiveAmount currencyID=\"JPY\">1"),
    );
    kept(
        "ibr-co-15",
        &format!("{total}/cbc:TaxInclusiveAmount = {total}/cbc:TaxExclusiveAmount + /*/cac:TaxTotal/cbc:TaxAmount"),
        ("<cbc:TaxInclusiveAmount currencyID=\"JPY\">", "<cbc:TaxInclusiveAmount currencyID=\"JPY\">1"),
    );
    kept(
        "ibr-co-16",
        &format!("{total}/cbc:PayableAmount = {total}/cbc:TaxInclusiveAmount"),
        ("<cbc:PayableAmount currencyID=\"JPY\">", "<cbc:PayableAmount currencyID=\"JPY\">1"),
    );
    kept("ibr-27", "not(//cbc:PriceAmount[. < 0]) and not(//cbc:BaseQuantity[. <= 0])", (">1500<", ">-1500<"));
    for category in ["S", "AA", "E"] {
        let taxable = format!(
            "number(concat('0', //cac:TaxSubtotal[cac:TaxCategory/cbc:ID='{category}']/cbc:TaxableAmount))
            = sum(//cac:InvoiceLine[cac:Item/cac:ClassifiedTaxCategory/cbc:ID='{category}']/cbc:LineExtensionAmount)"
        );
        kept(
            "ibt-116",
            &taxable,
            ("<cbc:TaxableAmount currencyID=\"JPY\">", "<cbc:TaxableAmount currencyID=\"JPY\">1"),
        );
    }
    for xml in all() {
        let lines: usize = value(&xml, "count(//cac:InvoiceLine)").parse().unwrap();
        for n in 1..=lines {
            let term =
                |name: &str| value(&xml, &format!("/*/cac:InvoiceLine[{n}]{name}")).parse::<f64>().unwrap_or(1.0);
            let price = term("/cac:Price/cbc:PriceAmount") / term("/cac:Price/cbc:BaseQuantity");
            let difference = term("/cbc:InvoicedQuantity") * price - term("/cbc:LineExtensionAmount");
            assert!(difference.abs() < 1e-6, "line {n}: {xml}");
        }
    }
    let mut paper = papers::one_line();
    paper.totals.by_rate[0].subtotal = Money::yen(100_001);
    assert!(rules(&refused(&paper)).contains(&("ibr-co-10", "/totals")));
    let mut paper = papers::one_line();
    paper.lines[0].amount = Money::yen(99_999);
    assert_eq!(rules(&refused(&paper)), [("ibr-co-10", "/totals/by_rate/0/subtotal")]);
    let mut paper = three_rates();
    paper.lines[1].tax_inclusive = true;
    assert_eq!(rules(&refused(&paper)), [("keiin-mixed-prices", "/lines")]);
}

#[test]
fn lines_say_unit_price_and_discount() {
    let xml = written(&three_rates());
    let line = |n: usize, path: &str| value(&xml, &format!("/*/cac:InvoiceLine[{n}]{path}"));
    assert_eq!(line(1, "/cbc:Note"), "単位: 本");
    assert_eq!(line(1, "/cbc:InvoicedQuantity/@unitCode"), "C62");
    assert_eq!(
        (line(2, "/cbc:InvoicedQuantity"), line(2, "/cbc:InvoicedQuantity/@unitCode")),
        ("12.5".into(), "KGM".into())
    );
    assert_eq!((line(2, "/cac:Price/cbc:PriceAmount"), line(2, "/cbc:Note")), ("612.4".into(), String::new()));
    let discount =
        (line(5, "/cbc:InvoicedQuantity"), line(5, "/cac:Price/cbc:PriceAmount"), line(5, "/cbc:LineExtensionAmount"));
    assert_eq!(discount, ("-1".into(), "1500".into(), "-1500".into()));

    let xml = written(&with_tax());
    let line = |n: usize, path: &str| value(&xml, &format!("/*/cac:InvoiceLine[{n}]{path}"));
    assert_eq!(
        (line(1, "/cac:Price/cbc:PriceAmount"), line(1, "/cac:Price/cbc:BaseQuantity")),
        ("50000".into(), "4".into())
    );
    assert_eq!(line(1, "/cac:Price/cbc:BaseQuantity/@unitCode"), "HUR");
}

#[test]
fn parties_payment_notes_and_corrections() {
    let parties = Parties { seller_corporate_number: "7000012050002".into(), buyer_corporate_number: String::new() };
    let mut paper = papers::long_names();
    paper.recipient.registration_number = "T4011001098993".into();
    let xml = invoice(&paper, &parties, Edition::default()).unwrap();
    let (seller, buyer) = ("//cac:AccountingSupplierParty/cac:Party", "//cac:AccountingCustomerParty/cac:Party");
    for (path, expected) in [
        (format!("{seller}/cbc:EndpointID[@schemeID='0188']"), "7000012050002"),
        (format!("{seller}/cac:PartyLegalEntity/cbc:CompanyID[@schemeID='0188']"), "7000012050002"),
        (format!("{seller}/cac:PartyLegalEntity/cbc:RegistrationName"), paper.sender.name.as_str()),
        (format!("{seller}/cac:PostalAddress/cbc:StreetName"), paper.sender.address.as_str()),
        (format!("{buyer}/cbc:EndpointID[@schemeID='0221']"), "T4011001098993"),
        (format!("{buyer}/cac:PartyTaxScheme/cbc:CompanyID"), "T4011001098993"),
        (format!("count({buyer}/cac:PartyLegalEntity/cbc:CompanyID)"), "0"),
        (format!("{buyer}/cac:PostalAddress/cbc:PostalZone"), "1058445"),
        (format!("{buyer}/cac:PostalAddress/cac:Country/cbc:IdentificationCode"), "JP"),
        ("/*/cbc:DueDate".into(), "2026-12-31"),
        ("/*/cac:PaymentMeans/cbc:PaymentMeansCode".into(), "1"),
        ("count(/*/cac:BillingReference)".into(), "0"),
        ("count(/*/cac:WithholdingTaxTotal | //cbc:PrepaidAmount)".into(), "0"),
        ("/*/cac:LegalMonetaryTotal/cbc:PayableAmount".into(), "1320000"),
    ] {
        assert_eq!(value(&xml, &path), expected, "{path}");
    }
    assert!(value(&xml, "/*/cac:PaymentTerms/cbc:Note").contains("普通 1234567\nカ)ミナトセイサクショ"));
    assert!(value(&xml, "/*/cbc:Note").contains("源泉徴収税額: 122520円。差引ご請求金額: 1197480円"));
    assert_eq!(value(&written(&papers::one_line()), &format!("count({buyer}/cbc:EndpointID)")), "0");

    let xml = written(&papers::correction());
    assert_eq!(value(&xml, "/*/cbc:ID"), "INV-2026-0042-2");
    assert_eq!(value(&xml, "/*/cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID"), "INV-2026-0042");
    assert!(value(&xml, "/*/cbc:Note").contains("訂正理由: 数量の誤り。"));
    let third = Correction { reason: "宛名".into(), replaces_number: "INV-2026-0042".into(), replaces_revision: 2 };
    let xml = written(&Paper { revision: 3, correction: Some(third), ..papers::one_line() });
    assert_eq!(value(&xml, "/*/cbc:ID"), "INV-2026-0042-3");
    assert_eq!(value(&xml, "//cac:InvoiceDocumentReference/cbc:ID"), "INV-2026-0042-2");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut paper = papers::one_line();
    (paper.number, paper.date_due) = (String::new(), None);
    paper.recipient.name = " ".into();
    paper.recipient.registration_number = "T123".into();
    paper.sender.name = "\u{1}".into();
    paper.sender.bank_details.clear();
    paper.lines[0].description = "\u{FFFE}".into();
    let parties = Parties { seller_corporate_number: "8000012050002".into(), buyer_corporate_number: "1".into() };
    let violations = invoice(&paper, &parties, Edition::default()).unwrap_err();
    let expected = [
        ("ibr-02", "/number"),
        ("ibr-07", "/recipient/name"),
        ("keiin-registration-number", "/recipient/registration_number"),
        ("keiin-corporate-number", "/parties/seller_corporate_number"),
        ("keiin-corporate-number", "/parties/buyer_corporate_number"),
        ("ibr-co-25", "/date_due"),
        ("keiin-character", "/sender/name"),
        ("keiin-character", "/lines/0/description"),
    ];
    assert_eq!(rules(&violations), expected);
    let empty = Paper { lines: Vec::new(), totals: Default::default(), ..papers::one_line() };
    assert_eq!(rules(&refused(&empty)), [("ibr-16", "/lines")]);
    let mut negative = papers::one_line();
    negative.lines[0].quantity = Decimal::parse("-1").unwrap();
    negative.lines[0].amount = Money::yen(-100_000);
    assert_eq!(rules(&refused(&totalled(negative))), [("keiin-negative", "/totals/total")]);
}

#[test]
fn files_are_well_formed_and_in_the_order_of_the_schema() {
    let mut hostile = papers::one_line();
    hostile.title = "]]><script>&amp;'\"<!-- 𠮷 ﾖｼﾀﾞ".into();
    hostile.note = "一行目\r\n二行目\t<cbc:ID>".into();
    let xml = written(&hostile);
    assert_eq!(value(&xml, "/*/cbc:Note").lines().next(), Some("件名: ]]><script>&amp;'\"<!-- 𠮷 ﾖｼﾀﾞ"));
    assert_eq!(value(&xml, "count(//cbc:ID[ancestor::cbc:Note])"), "0");
    for xml in all().into_iter().chain([xml]) {
        well_formed(&xml);
        assert!(holds(&xml, "not(//*[not(node())])"), "empty elements: {xml}");
        ubl::in_order(&xml);
    }
    let xml = written(&papers::one_line());
    let swapped = xml
        .replace("cbc:IssueDate", "cbc:Swap")
        .replace("cbc:DueDate", "cbc:IssueDate")
        .replace("cbc:Swap", "cbc:DueDate");
    assert!(std::panic::catch_unwind(|| ubl::in_order(&swapped)).is_err(), "the order is looked at");
    assert!(std::panic::catch_unwind(|| well_formed(&xml.replace("</Invoice>", ""))).is_err());
}

/// Lengths and figures as the domain lets them be: every text arrives, nothing overflows.
#[test]
fn the_longest_paper_is_written() {
    let longest = papers::longest(DocumentType::Invoice);
    assert_eq!(rules(&refused(&longest)), [("keiin-negative", "/totals/total")]);
    let mut paper = longest;
    paper.lines.iter_mut().for_each(|line| line.amount = Money::yen(81_111_111_111_111));
    let paper = totalled(paper);
    let xml = written(&paper);
    well_formed(&xml);
    assert_eq!(value(&xml, "count(//cac:InvoiceLine)"), "100");
    assert_eq!(value(&xml, "/*/cac:InvoiceLine[100]/cac:Price/cbc:PriceAmount"), "81111111111111");
    assert_eq!(value(&xml, "/*/cac:LegalMonetaryTotal/cbc:PayableAmount"), paper.totals.total.amount.to_string());
}

#[test]
fn the_same_paper_gives_the_same_file() {
    assert_eq!(written(&three_rates()), written(&three_rates()));
}
