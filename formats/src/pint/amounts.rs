//! What the lines are worth without tax. The paper's totals are what holds; the lines are made to add up to them.
//!
//! Prices without tax are written as they are. Prices with tax are not: each line's net amount is its amount × 100 ÷ (100 +
//! rate), rounded down, and the yen that are then missing to the rate's subtotal go to the lines that lost the largest
//! fractions, the first of equals first. Nobody's net amount is off by a yen or more.

use keiin_domain::document::Line;
use keiin_domain::money::Decimal;
use keiin_domain::tax::{RateTotal, TaxRate};

use super::Violation;
use crate::Paper;

/// A line as JP PINT states it: quantity × price ÷ base = net.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Priced {
    /// Yen without tax (ibt-131).
    pub net: i64,
    /// Below zero where the line is (ibt-129).
    pub quantity: Decimal,
    /// Without tax, for `base` of them; never below zero (ibt-146, rule ibr-27).
    pub price: String,
    /// Where not one (ibt-149); above zero.
    pub base: Option<Decimal>,
}

/// Each line, or why the lines and the totals do not fit.
pub fn priced(paper: &Paper) -> Result<Vec<Priced>, Violation> {
    let differ = |field: &str| Violation {
        rule: "ibr-co-10",
        message: "the lines do not add up to the totals: issue the document again".to_owned(),
        field: field.to_owned(),
    };
    let (totals, inclusive) = (&paper.totals, paper.is_tax_inclusive());
    if paper.lines.iter().any(|line| line.tax_inclusive != inclusive) {
        let message = "prices with tax and prices without tax do not mix: draft two documents".to_owned();
        return Err(Violation { rule: "keiin-mixed-prices", message, field: "/lines".to_owned() });
    }
    let sum = |of: fn(&RateTotal) -> i64| totals.by_rate.iter().map(|part| i128::from(of(part))).sum::<i128>();
    let (subtotal, tax) = (i128::from(totals.subtotal.amount), i128::from(totals.tax.amount));
    if sum(|part| part.subtotal.amount) != subtotal
        || sum(|part| part.tax.amount) != tax
        || subtotal + tax != i128::from(totals.total.amount)
    {
        return Err(differ("/totals"));
    }
    let mut nets = vec![None; paper.lines.len()];
    for (at, part) in totals.by_rate.iter().enumerate() {
        let of_rate: Vec<usize> = (0..nets.len()).filter(|n| paper.lines[*n].tax_rate == part.tax_rate).collect();
        let amounts: Vec<i64> = of_rate.iter().map(|n| paper.lines[*n].amount.amount).collect();
        let shares = if inclusive { without_tax(&amounts, part) } else { as_they_are(&amounts, part) };
        let shares = shares.ok_or_else(|| differ(&format!("/totals/by_rate/{at}/subtotal")))?;
        of_rate.into_iter().zip(shares).for_each(|(n, share)| nets[n] = Some(share));
    }
    let priced = paper.lines.iter().zip(nets).map(|(line, net)| net.map(|net| price(line, net)));
    priced.collect::<Option<Vec<Priced>>>().ok_or_else(|| differ("/totals/by_rate"))
}

fn as_they_are(amounts: &[i64], part: &RateTotal) -> Option<Vec<i64>> {
    let sum: i128 = amounts.iter().map(|amount| i128::from(*amount)).sum();
    (sum == i128::from(part.subtotal.amount)).then(|| amounts.to_vec())
}

/// `None`: the amounts are not the subtotal and its tax.
fn without_tax(amounts: &[i64], part: &RateTotal) -> Option<Vec<i64>> {
    let (base, tax) = (i128::from(part.subtotal.amount), i128::from(part.tax.amount));
    if amounts.iter().map(|amount| i128::from(*amount)).sum::<i128>() != base + tax {
        return None;
    }
    let whole = 100 + i128::from(part.tax_rate.code());
    let exact: Vec<i128> = amounts.iter().map(|amount| i128::from(*amount) * 100).collect();
    let mut nets: Vec<i64> = exact.iter().map(|n| i64::try_from(n.div_euclid(whole)).ok()).collect::<Option<_>>()?;
    let lost = |n: &usize| exact[*n].rem_euclid(whole);
    let mut order: Vec<usize> = (0..nets.len()).filter(|n| lost(n) > 0).collect();
    order.sort_by_key(|n| std::cmp::Reverse(lost(n)));
    let missing = usize::try_from(base - nets.iter().map(|net| i128::from(*net)).sum::<i128>()).ok()?;
    order.get(..missing)?.iter().for_each(|n| nets[*n] += 1);
    Some(nets)
}

fn price(line: &Line, net: i64) -> Priced {
    let (quantity, unit_price) = (line.quantity.0, line.unit_price.0);
    let magnitude = Decimal(quantity.saturating_abs());
    let below_zero = (quantity < 0) != (unit_price < 0);
    let quantity = Decimal(if below_zero { -magnitude.0 } else { magnitude.0 });
    let one = i128::from(Decimal::ONE);
    let exact = i128::from(line.quantity.0) * i128::from(unit_price) == i128::from(net) * one * one;
    let has_tax = line.tax_inclusive && line.tax_rate != TaxRate::Zero;
    if exact && !has_tax {
        let price = Decimal(unit_price.saturating_abs()).to_string();
        return Priced { net, quantity, price, base: None };
    }
    // The price of all of them, because that of one has no end or was rounded.
    let base = (magnitude.0 != 0 && magnitude.0 != Decimal::ONE).then_some(magnitude);
    Priced { net, quantity, price: net.unsigned_abs().to_string(), base }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keiin_domain::money::{Money, Rounding};
    use keiin_domain::tax::totals;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the amounts with tax and however the tax was rounded: the nets add up to the subtotal, and each is less
        /// than a yen from its exact value.
        #[test]
        fn nets_add_up(
            amounts in prop::collection::vec(-99_999_999i64..99_999_999, 1..60),
            rate in prop::sample::select(TaxRate::ALL),
            rounding in prop::sample::select(Rounding::ALL),
        ) {
            let lines: Vec<_> = amounts.iter().map(|amount| (rate, Money::yen(*amount))).collect();
            let part = totals(&lines, true, rounding).unwrap().by_rate[0];
            let nets = without_tax(&amounts, &part).unwrap();
            prop_assert_eq!(nets.iter().sum::<i64>(), part.subtotal.amount);
            let whole = 100 + i64::from(rate.code());
            for (net, amount) in nets.iter().zip(&amounts) {
                prop_assert!((net * whole - amount * 100).abs() < whole);
            }
        }
    }

    #[test]
    fn the_largest_fraction_gets_the_yen() {
        let part = |subtotal, tax| RateTotal {
            tax_rate: TaxRate::Standard,
            subtotal: Money::yen(subtotal),
            tax: Money::yen(tax),
        };
        // 90.909…, 181.818…, 10: floors 90 + 181 + 10, one is missing to 282, two to 283.
        assert_eq!(without_tax(&[100, 200, 11], &part(282, 29)), Some(vec![91, 181, 10]));
        assert_eq!(without_tax(&[100, 200, 11], &part(283, 28)), Some(vec![91, 182, 10]));
        assert_eq!(without_tax(&[100, 200, 11], &part(284, 27)), None, "nobody is left to give it to");
        assert_eq!(without_tax(&[100, 200, 11], &part(280, 31)), None);
        assert_eq!(without_tax(&[100, 200, 11], &part(282, 28)), None);
    }
}
