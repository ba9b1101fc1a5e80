//! One event of every kind.

use super::*;
use crate::tax::RateTotal;
use crate::testing::*;

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<DocumentEvent> {
    vec![
        Drafted {
            document_type: DocumentType::Invoice,
            origin: Some(SAMPLE_ID),
            head: sample_head("11月分"),
            tax_rounding: Rounding::HalfUp,
            body: sample_body(),
        }
        .into(),
        LinesSet { body: sample_body() }.into(),
        Changed { head: sample_head("12月分") }.into(),
        ApprovalRequested { by: SAMPLE_ID }.into(),
        Approved {}.into(),
        Rejected { reason: "単価が違います".into() }.into(),
        Issued {
            number: "INV-2026-0001".into(),
            issued_on: SAMPLE_DAY,
            sender: Sender {
                name: "株式会社ミナト製作所".into(),
                registration_number: "T7000012050002".into(),
                address: "東京都港区".into(),
                bank_details: "みなと銀行".into(),
            },
            recipient: sample_profile(),
            totals: sample_totals(),
            secret_hash: [7; 32],
        }
        .into(),
        Corrected { revision: 2, reason: "数量の誤り".into(), body: sample_body() }.into(),
        Converted { to: SAMPLE_ID, document_type: DocumentType::Receipt }.into(),
        Cancelled { reason: "重複".into() }.into(),
        PaymentRecorded { amount: Money::yen(109_978), date: SAMPLE_DAY }.into(),
        Accepted { revision: 2, delivery_id: SAMPLE_ID }.into(),
    ]
}

fn sample_head(title: &str) -> Head {
    Head {
        client_id: SAMPLE_ID,
        title: title.into(),
        date: SAMPLE_DAY,
        date_due: Some(SAMPLE_DAY.plus(28)),
        note: "お振込みください。".into(),
        proviso: "お品代として".into(),
        has_tax_stamp: true,
        has_hanko: true,
    }
}

fn sample_body() -> Body {
    Body { lines: sample_lines(), totals: sample_totals(), jp_withholding_tax: Money::yen(18) }
}

fn sample_lines() -> Vec<Line> {
    vec![Line {
        description: "紙".into(),
        quantity: Decimal(15_000),
        unit: "箱".into(),
        unit_price: Decimal(-1_234_567),
        tax_rate: TaxRate::Reduced,
        tax_inclusive: true,
        amount: Money::yen(-185),
        has_jp_withholding_tax: true,
    }]
}

fn sample_totals() -> Totals {
    let part = RateTotal { tax_rate: TaxRate::Reduced, subtotal: Money::yen(-172), tax: Money::yen(-13) };
    Totals { by_rate: vec![part], subtotal: Money::yen(-172), tax: Money::yen(-13), total: Money::yen(-185) }
}
