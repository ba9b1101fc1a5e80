//! Japanese consumption tax: computed once per rate and document, never per line (invoice Q&A 46 of the National Tax Agency
//! leaves the rounding free, the "once" not). Prices are all without tax or all with it within one document: mixed, "once
//! per rate" would have two readings.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes;
use crate::command::{Fault, Rejection};
use crate::money::{Money, Rounding, yen};

codes! {
    /// Percent of tax. The code is the percentage.
    TaxRate {
        /// Not taxed, or exempt.
        Zero = 0 "0",
        /// Reduced: food, newspapers. Lines at this rate carry a mark (※) on the paper.
        Reduced = 8 "8",
        /// Standard.
        Standard = 10 "10",
    }
}

/// One rate's share of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RateTotal {
    /// Which rate.
    pub tax_rate: TaxRate,
    /// Without tax.
    pub subtotal: Money,
    /// Tax on it.
    pub tax: Money,
}

/// What a document comes to. `total` = `subtotal` + `tax`; both are the sums over the rates.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Rates that occur, the lowest first.
    pub by_rate: Vec<RateTotal>,
    /// Without tax.
    pub subtotal: Money,
    /// Tax.
    pub tax: Money,
    /// To be paid.
    pub total: Money,
}

/// Adds the amounts of lines up: per rate the sum, then one rounding.
pub fn totals(lines: &[(TaxRate, Money)], inclusive: bool, rounding: Rounding) -> Result<Totals, Rejection> {
    let mut totals = Totals::default();
    let (mut subtotal, mut tax) = (0i128, 0i128);
    for rate in TaxRate::ALL {
        let mut amounts = lines.iter().filter(|(r, _)| r == rate).map(|(_, m)| i128::from(m.amount)).peekable();
        if amounts.peek().is_none() {
            continue;
        }
        let sum: i128 = amounts.sum();
        let percent = i128::from(rate.code());
        let part =
            if inclusive { rounding.divide(sum * percent, 100 + percent) } else { rounding.divide(sum * percent, 100) };
        let base = if inclusive { sum - part } else { sum };
        totals.by_rate.push(RateTotal { tax_rate: *rate, subtotal: yen(base)?, tax: yen(part)? });
        (subtotal, tax) = (subtotal + base, tax + part);
    }
    (totals.subtotal, totals.tax, totals.total) = (yen(subtotal)?, yen(tax)?, yen(subtotal + tax)?);
    Ok(totals)
}

/// JP PINT rule 051: floor ≤ tax ≤ ceil of base × rate. Prices with tax that are rounded down break it now and then (¥10 at
/// 10 %); rounding half up never does.
pub fn fits_jp_pint_051(part: &RateTotal) -> bool {
    let exact = i128::from(part.subtotal.amount) * i128::from(part.tax_rate.code());
    (exact.div_euclid(100)..=-(-exact).div_euclid(100)).contains(&i128::from(part.tax.amount))
}

/// An amount that the caller computed. Anything that can be read is accepted here, so that a wrong one is answered with the
/// right one.
#[derive(Clone, PartialEq, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Claim {
    /// As we write it.
    Money(Money),
    /// Yen.
    Yen(i64),
    /// A fraction of a yen: never right.
    Fraction(f64),
    /// Yen in decimal digits.
    Text(String),
}

impl Claim {
    fn is(&self, right: Money) -> bool {
        match self {
            Claim::Money(money) => *money == right,
            Claim::Yen(amount) => *amount == right.amount,
            Claim::Fraction(_) => false,
            Claim::Text(text) => *text == right.amount.to_string(),
        }
    }
}

/// Totals that the caller computed; whatever is said must be right.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimedTotals {
    /// Per rate, in any order.
    #[serde(default)]
    pub by_rate: Vec<ClaimedRate>,
    /// Without tax.
    #[serde(default, deserialize_with = "crate::command::present")]
    #[schema(nullable = false)]
    pub subtotal: Option<Claim>,
    /// Tax.
    #[serde(default, deserialize_with = "crate::command::present")]
    #[schema(nullable = false)]
    pub tax: Option<Claim>,
    /// To be paid.
    #[serde(default, deserialize_with = "crate::command::present")]
    #[schema(nullable = false)]
    pub total: Option<Claim>,
}

/// One rate of [`ClaimedTotals`].
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimedRate {
    /// Which rate.
    pub tax_rate: TaxRate,
    /// Without tax.
    #[serde(default, deserialize_with = "crate::command::present")]
    #[schema(nullable = false)]
    pub subtotal: Option<Claim>,
    /// Tax on it.
    #[serde(default, deserialize_with = "crate::command::present")]
    #[schema(nullable = false)]
    pub tax: Option<Claim>,
}

impl ClaimedTotals {
    /// Refuses with `tax.totals_differ`, one fault for each wrong amount, with the right one.
    pub fn check(&self, right: &Totals) -> Result<(), Rejection> {
        let mut at = Vec::new();
        let mut compare = |claim: &Option<Claim>, right: Money, pointer: String| {
            if claim.as_ref().is_some_and(|c| !c.is(right)) {
                at.push(Fault { pointer, expected: Some(right.amount.to_string()) });
            }
        };
        for (i, claimed) in self.by_rate.iter().enumerate() {
            let part = right.by_rate.iter().find(|r| r.tax_rate == claimed.tax_rate);
            compare(
                &claimed.subtotal,
                part.map_or_else(Money::default, |p| p.subtotal),
                format!("/totals/by_rate/{i}/subtotal"),
            );
            compare(&claimed.tax, part.map_or_else(Money::default, |p| p.tax), format!("/totals/by_rate/{i}/tax"));
        }
        compare(&self.subtotal, right.subtotal, "/totals/subtotal".into());
        compare(&self.tax, right.tax, "/totals/tax".into());
        compare(&self.total, right.total, "/totals/total".into());
        if at.is_empty() { Ok(()) } else { Err(Rejection { code: "tax.totals_differ", at }) }
    }
}

#[cfg(test)]
mod tests {
    use super::TaxRate::{Reduced, Standard, Zero};
    use super::*;
    use crate::money::MAX_AMOUNT;
    use proptest::prelude::*;

    fn lines(amounts: &[(TaxRate, i64)]) -> Vec<(TaxRate, Money)> {
        amounts.iter().map(|(rate, amount)| (*rate, Money::yen(*amount))).collect()
    }

    fn of(amounts: &[(TaxRate, i64)], inclusive: bool, rounding: Rounding) -> Totals {
        totals(&lines(amounts), inclusive, rounding).unwrap()
    }

    #[test]
    fn tax_is_rounded_once_per_rate() {
        assert_eq!(of(&[(Standard, 35); 3], false, Rounding::Floor).tax, Money::yen(10), "never 3 + 3 + 3");
        assert_eq!(of(&[(Standard, 35); 3], false, Rounding::HalfUp).tax, Money::yen(11));
        let two_rates = of(&[(Reduced, 999), (Standard, 1_001)], false, Rounding::Floor);
        assert_eq!(two_rates.by_rate.iter().map(|r| r.tax.amount).collect::<Vec<_>>(), [79, 100]);
        assert_eq!(two_rates.total, Money::yen(2_179));
        assert_eq!(of(&[(Zero, 500)], false, Rounding::Ceil).total, Money::yen(500));
        assert_eq!(of(&[], false, Rounding::Floor), Totals::default());
    }

    #[test]
    fn prices_with_tax_contain_it() {
        for (amount, rounding, tax, fits) in
            [(10, Rounding::Floor, 0, false), (1_000, Rounding::Floor, 90, false), (1_000, Rounding::HalfUp, 91, true)]
        {
            let totals = of(&[(Standard, amount)], true, rounding);
            assert_eq!((totals.tax.amount, totals.total.amount), (tax, amount), "{amount} {rounding:?}");
            assert_eq!(fits_jp_pint_051(&totals.by_rate[0]), fits, "{amount} {rounding:?}");
        }
    }

    #[test]
    fn totals_of_the_published_tutorial_are_refused_with_the_right_ones() {
        let right = of(&[(Reduced, 1_000), (Standard, 98_999)], false, Rounding::Floor);
        assert_eq!((right.tax.amount, right.total.amount), (9_979, 109_978));
        let claimed: ClaimedTotals = serde_json::from_str(
            r#"{"by_rate": [{"tax_rate": "8", "subtotal": 10000}, {"tax_rate": "10", "subtotal": "98999"}],
                "tax": "10699.9", "total": {"amount": 99999, "currency": "JPY"}}"#,
        )
        .unwrap();
        let rejection = claimed.check(&right).unwrap_err();
        let at: Vec<_> = rejection.at.iter().map(|f| (f.pointer.as_str(), f.expected.as_deref().unwrap())).collect();
        let expected = [("/totals/by_rate/0/subtotal", "1000"), ("/totals/tax", "9979"), ("/totals/total", "109978")];
        assert_eq!((rejection.code, at.as_slice()), ("tax.totals_differ", expected.as_slice()));

        let claimed: ClaimedTotals = serde_json::from_str(
            r#"{"by_rate": [{"tax_rate": "10", "tax": 9899}, {"tax_rate": "0", "subtotal": 0}],
                "subtotal": 99999, "tax": 9979, "total": "109978"}"#,
        )
        .unwrap();
        assert_eq!(claimed.check(&right), Ok(()));
        let fraction: ClaimedTotals = serde_json::from_str(r#"{"tax": 9979.5}"#).unwrap();
        assert_eq!(fraction.check(&right).unwrap_err().at[0].pointer, "/totals/tax");
        assert!(serde_json::from_str::<ClaimedTotals>(r#"{"tax": null}"#).is_err());
    }

    /// The rule again, in fractions: no shared code, no division that rounds.
    fn oracle(amounts: &[(TaxRate, i64)], inclusive: bool, rounding: Rounding) -> (i128, i128) {
        let (mut tax, mut total) = (0, 0);
        for percent in [0i128, 8, 10] {
            let sum: i128 =
                amounts.iter().filter(|(r, _)| r.name() == percent.to_string()).map(|(_, a)| i128::from(*a)).sum();
            // tax = p/q exactly
            let (p, q) = (sum * percent, if inclusive { 100 + percent } else { 100 });
            let (mut low, sign) = (0i128, if p < 0 { -1 } else { 1 });
            let p = p * sign;
            for bit in (0..100).rev() {
                if (low + (1 << bit)) * q <= p {
                    low += 1 << bit;
                }
            }
            let rounded = match rounding {
                Rounding::Floor => low,
                Rounding::Ceil => low + i128::from(low * q != p),
                Rounding::HalfUp => low + i128::from(2 * (p - low * q) >= q),
            } * sign;
            tax += rounded;
            total += if inclusive { sum } else { sum + rounded };
        }
        (tax, total)
    }

    proptest! {
        #[test]
        fn totals_agree_with_exact_fractions(
            amounts in prop::collection::vec((prop::sample::select(TaxRate::ALL), -9_999_999_999i64..99_999_999_999), 0..30),
            inclusive: bool,
            rounding in prop::sample::select(Rounding::ALL),
        ) {
            let totals = of(&amounts, inclusive, rounding);
            let (tax, total) = oracle(&amounts, inclusive, rounding);
            prop_assert_eq!((i128::from(totals.tax.amount), i128::from(totals.total.amount)), (tax, total));
            prop_assert_eq!(totals.subtotal.amount + totals.tax.amount, totals.total.amount);
            let reversed: Vec<_> = amounts.iter().map(|(rate, amount)| (*rate, -amount)).collect();
            prop_assert_eq!(of(&reversed, inclusive, rounding).total.amount, -totals.total.amount);
            if rounding == Rounding::HalfUp || !inclusive {
                prop_assert!(totals.by_rate.iter().all(fits_jp_pint_051));
            }
        }

        #[test]
        fn no_amounts_panic(
            amounts in prop::collection::vec((prop::sample::select(TaxRate::ALL), -MAX_AMOUNT..=MAX_AMOUNT), 0..100),
            inclusive: bool,
            rounding in prop::sample::select(Rounding::ALL),
        ) {
            if let Err(rejection) = totals(&lines(&amounts), inclusive, rounding) {
                prop_assert_eq!(rejection.code, "money.overflow");
            }
        }
    }
}
