//! Amounts, tax and withholding of many documents, against an oracle that shares no line with us: Python's `decimal`.

use std::io::Write;
use std::process::{Command, Stdio};

use keiin_domain::document::{LineInput, compute};
use keiin_domain::money::{Decimal, Rounding};
use keiin_domain::tax::TaxRate;
use keiin_tests::{Seeded, long, python, report, root};
use serde_json::{Value, json};

fn line(numbers: &mut Seeded, inclusive: bool) -> LineInput {
    let places = 10_i64.pow(numbers.between(0, 4) as u32);
    let quantity = (numbers.between(1, 200_000) as i64) * places % 5_000_000;
    let price = (numbers.between(0, 29_999_999_999) as i64 - 2_000_000_000) / places * places;
    LineInput {
        description: "Work".into(),
        quantity: Decimal(quantity.max(1)).to_string(),
        unit: String::new(),
        unit_price: Decimal(price).to_string(),
        tax_rate: TaxRate::ALL[numbers.between(0, 2) as usize],
        tax_inclusive: inclusive,
        has_jp_withholding_tax: numbers.between(0, 3) == 0,
    }
}

/// What we say, in the oracle's words.
fn ours(lines: &[LineInput], rounding: Rounding) -> Value {
    let Ok(body) = compute(lines, None, rounding) else { return Value::Null };
    let amounts: Vec<i64> = body.lines.iter().map(|line| line.amount.amount).collect();
    let rates = body.totals.by_rate.iter();
    let rates: Vec<Value> =
        rates.map(|part| json!([part.tax_rate.code(), part.subtotal.amount, part.tax.amount])).collect();
    let totals = &body.totals;
    json!([
        amounts, rates, totals.subtotal.amount, totals.tax.amount, totals.total.amount, body.jp_withholding_tax.amount
    ])
}

#[test]
fn every_document_comes_to_what_pythons_decimal_says() {
    let count = if long() { 100_000 } else { 5_000 };
    let mut numbers = Seeded::from_env_or(0x6b65_6969_6e00);
    let documents: Vec<(Vec<LineInput>, Rounding)> = (0..count)
        .map(|_| {
            let (inclusive, rounding) = (numbers.between(0, 1) == 0, Rounding::ALL[numbers.between(0, 2) as usize]);
            ((0..numbers.between(1, 20)).map(|_| line(&mut numbers, inclusive)).collect(), rounding)
        })
        .collect();
    let asked: String = documents
        .iter()
        .map(|(lines, rounding)| {
            let inclusive = lines[0].tax_inclusive;
            let lines = lines.iter().map(|line| {
                json!({
                    "quantity": line.quantity, "unit_price": line.unit_price, "rate": line.tax_rate.code(),
                    "fee": line.has_jp_withholding_tax,
                })
            });
            let lines: Vec<Value> = lines.collect();
            json!({ "rounding": rounding.name(), "inclusive": inclusive, "lines": lines }).to_string() + "\n"
        })
        .collect();
    let mut oracle = Command::new(python());
    let oracle = oracle.arg(root().join("tests/tax/oracle.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut oracle = oracle.spawn().expect("the oracle starts");
    let mut stdin = oracle.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(asked.as_bytes()).expect("the oracle listens"));
    let out = oracle.wait_with_output().expect("the oracle answers");
    writer.join().expect("written");
    assert!(out.status.success());
    let answers: Vec<Value> = String::from_utf8(out.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), count);
    let (mut compared, mut apart) = (0, 0);
    for ((lines, rounding), answer) in documents.iter().zip(&answers) {
        assert_eq!(&ours(lines, *rounding), answer, "{rounding:?} {lines:?}");
        compared += usize::from(!answer.is_null());
        // Rounding each line would say something else: what the rule is there for.
        if !answer.is_null() && !lines[0].tax_inclusive {
            let by_line: i64 = compute(lines, None, *rounding).map_or(0, |body| {
                let taxes = body.lines.iter().map(|line| {
                    rounding.divide(i128::from(line.amount.amount) * i128::from(line.tax_rate.code()), 100) as i64
                });
                taxes.sum()
            });
            apart += usize::from(Some(by_line) != answer[3].as_i64());
        }
    }
    report!("tax documents={count} compared={compared} rounding_by_line_differs={apart}");
    assert!(compared > count / 2 && apart > count / 10, "{compared} {apart}");
}
