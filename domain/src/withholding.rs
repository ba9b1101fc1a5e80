//! Income tax that a payer keeps back from the fees of lawyers, designers and the like and pays for them (源泉徴収, Income Tax
//! Act 204 and 205, with the special income tax for reconstruction): 10.21 % of a payment, 20.42 % of what exceeds a million
//! yen; fractions of a yen are dropped.

use crate::money::Money;

/// What of one payment is taxed at the lower rate.
const LOWER_YEN: i64 = 1_000_000;

/// What the payer keeps back of a fee. The fee is taken without consumption tax where that is stated apart, with it where it
/// is not; nothing is kept back of what is not positive.
pub fn withheld(fee: Money) -> Money {
    let lower = i128::from(fee.amount.clamp(0, LOWER_YEN));
    let upper = i128::from((fee.amount - LOWER_YEN).max(0));
    let tax = (lower * 1_021 + upper * 2_042) / 10_000;
    Money::yen(i64::try_from(tax).expect("a part of an amount is an amount"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_and_its_supplement_and_twice_that_above_a_million() {
        let cases = [
            (0, 0),
            (9, 0),
            (10, 1),
            (100_000, 10_210),
            (110_000, 11_231),
            (1_000_000, 102_100),
            (1_000_004, 102_100),
            (1_000_005, 102_101),
            (1_500_000, 204_200),
            (-5_000, 0),
        ];
        for (fee, tax) in cases {
            assert_eq!(withheld(Money::yen(fee)), Money::yen(tax), "{fee}");
        }
        assert!(withheld(Money::yen(crate::money::MAX_AMOUNT)).amount > 0);
    }
}
