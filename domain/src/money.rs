//! Money and decimals. Integers inside: minor units for money, ten-thousandths for quantities and prices. No floats.
//!
//! Invariant: no amount leaves `-MAX_AMOUNT..=MAX_AMOUNT`, so sums in i128 cannot overflow and JSON readers that know only
//! doubles read every amount exactly. What is larger is refused with `money.overflow`.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::codes;
use crate::command::Rejection;

/// Largest amount in minor units: 2^53 − 1.
pub const MAX_AMOUNT: i64 = (1 << 53) - 1;

codes! {
    /// ISO 4217.
    Currency {
        /// Yen: no minor unit below it.
        Jpy = 1 "JPY",
    }
}

/// An amount in the currency's minor unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: yen.
    pub amount: i64,
    /// Of which currency.
    pub currency: Currency,
}

impl Money {
    /// Yen.
    pub const fn yen(amount: i64) -> Money {
        Money { amount, currency: Currency::Jpy }
    }
}

impl Default for Money {
    fn default() -> Money {
        Money::yen(0)
    }
}

/// An exact sum as yen, or `money.overflow`.
pub fn yen(amount: i128) -> Result<Money, Rejection> {
    match i64::try_from(amount) {
        Ok(amount) if amount.abs() <= MAX_AMOUNT => Ok(Money::yen(amount)),
        _ => Err(Rejection::new("money.overflow")),
    }
}

codes! {
    /// What becomes of a fraction of a yen. It is applied to the magnitude, so that the reversal of a document is its exact
    /// negative.
    #[derive(Default)]
    Rounding {
        /// 切捨て; the default.
        #[default]
        Floor = 1 "floor",
        /// 四捨五入.
        HalfUp = 2 "half_up",
        /// 切上げ.
        Ceil = 3 "ceil",
    }
}

impl Rounding {
    /// `numerator / denominator` as an integer; the denominator is positive.
    pub fn divide(self, numerator: i128, denominator: i128) -> i128 {
        let (magnitude, sign) = (numerator.abs(), numerator.signum());
        let (quotient, rest) = (magnitude / denominator, magnitude % denominator);
        let up = match self {
            Rounding::Floor => false,
            Rounding::HalfUp => rest >= denominator - rest,
            Rounding::Ceil => rest > 0,
        };
        sign * (quotient + i128::from(up))
    }
}

/// A quantity or a unit price: a number with at most four decimal places, held as ten-thousandths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Decimal(pub i64);

impl Decimal {
    /// Ten-thousandths in one.
    pub const ONE: i64 = 10_000;

    /// Reads `-12`, `0.5`, `1000.0000`, in digits of any width. `None` for exponents, signs of grouping, a fifth place, a
    /// leading zero or plus, and for what does not fit.
    pub fn parse(text: &str) -> Option<Decimal> {
        let text: String = text.trim().nfkc().collect();
        let (negative, digits) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
        let (whole, places) = digits.split_once('.').map_or((digits, None), |(whole, places)| (whole, Some(places)));
        let is_number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let shaped = is_number(whole)
            && (whole == "0" || !whole.starts_with('0'))
            && places.is_none_or(|p| is_number(p) && p.len() <= 4);
        if !shaped {
            return None;
        }
        let places: i64 = format!("{:0<4}", places.unwrap_or_default()).parse().ok()?;
        let value = whole.parse::<i64>().ok()?.checked_mul(Decimal::ONE)?.checked_add(places)?;
        Some(Decimal(if negative { -value } else { value }))
    }

    /// As [`Decimal::parse`], for a place in a request.
    pub fn field(text: &str, pointer: impl Into<String>) -> Result<Decimal, Rejection> {
        Decimal::parse(text).ok_or_else(|| Rejection::at("money.bad_decimal", pointer))
    }

    /// `self × price` in yen, rounded once.
    pub fn times(self, price: Decimal, rounding: Rounding) -> Result<Money, Rejection> {
        let square = i128::from(Decimal::ONE) * i128::from(Decimal::ONE);
        yen(rounding.divide(i128::from(self.0) * i128::from(price.0), square))
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (magnitude, one) = (self.0.unsigned_abs(), Decimal::ONE.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:04}", magnitude / one, magnitude % one);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { s.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if !d.is_human_readable() {
            return i64::deserialize(d).map(Decimal);
        }
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Decimal::parse(&text).ok_or_else(|| D::Error::custom("a decimal has at most four places"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_have_at_most_four_places() {
        for (text, held) in [("0", 0), ("1", 10_000), ("0.5", 5_000), ("-12.3456", -123_456), ("１．５０", 15_000)]
        {
            assert_eq!(Decimal::parse(text), Some(Decimal(held)), "{text}");
        }
        let bad = [
            "", "-", ".", "1.", ".5", "+1", "01", "1e3", "1,000", "0.00001", "0x1", "1 2", "--1", "NaN", "1.2.3",
            "99999999999999999999",
        ];
        for text in bad {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("922337203685477.5807"), Some(Decimal(i64::MAX)));
        assert_eq!(Decimal::parse("922337203685477.5808"), None);
        assert_eq!(Decimal::field("x", "/lines/0/quantity").unwrap_err().at[0].pointer, "/lines/0/quantity");
    }

    #[test]
    fn fractions_of_a_yen_are_rounded_by_magnitude() {
        for (rounding, half, third) in [(Rounding::Floor, 10, 3), (Rounding::HalfUp, 11, 3), (Rounding::Ceil, 11, 4)] {
            assert_eq!(rounding.divide(21, 2), half, "{rounding:?}");
            assert_eq!(rounding.divide(-21, 2), -half, "{rounding:?}");
            assert_eq!(rounding.divide(10, 3), third, "{rounding:?}");
            assert_eq!(rounding.divide(10, 2), 5, "{rounding:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert_eq!(yen(i128::from(MAX_AMOUNT)), Ok(Money::yen(MAX_AMOUNT)));
        assert_eq!(yen(i128::from(MAX_AMOUNT) + 1).unwrap_err().code, "money.overflow");
        assert_eq!(yen(i128::MIN).unwrap_err().code, "money.overflow");
        let huge = Decimal(i64::MAX);
        assert_eq!(huge.times(huge, Rounding::Ceil).unwrap_err().code, "money.overflow");
        assert_eq!(Decimal(i64::MIN).times(Decimal(i64::MIN), Rounding::Floor).unwrap_err().code, "money.overflow");
    }

    proptest! {
        #[test]
        fn every_decimal_reads_as_it_writes(held in (-i64::MAX)..) {
            prop_assert_eq!(Decimal::parse(&Decimal(held).to_string()), Some(Decimal(held)));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = Decimal::parse(&text);
        }
    }
}
