//! Qualified-invoice registration numbers (適格請求書発行事業者登録番号): `T` and 13 digits.
//!
//! For corporations the digits are the corporate number, whose first digit checks the other twelve (Ministry of Finance
//! ordinance on corporate numbers): 9 − ((Σ Pn·Qn) mod 9), n counted from the right, Qn 1 for odd n and 2 for even n.

use unicode_normalization::UnicodeNormalization;

use crate::command::Rejection;

/// The stored form: `T` and 13 digits, the first 1 to 9. Any width and case is accepted.
pub fn normalise(text: &str) -> Option<String> {
    let text: String = text.trim().nfkc().collect::<String>().to_uppercase();
    let digits = text.strip_prefix('T')?;
    let shaped = digits.len() == 13 && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    shaped.then_some(text)
}

/// Does the first of the 13 digits check the others?
pub fn checks(normalised: &str) -> bool {
    let digits: Vec<u32> = normalised.bytes().skip(1).map(|b| u32::from(b.wrapping_sub(b'0'))).collect();
    let Some((check, base)) = digits.split_first() else { return false };
    let sum: u32 = base.iter().rev().enumerate().map(|(i, d)| d * if i % 2 == 0 { 1 } else { 2 }).sum();
    *check == 9 - sum % 9
}

/// A corporation's number in the stored form, or why not.
pub fn corporate(text: &str, pointer: &str) -> Result<String, Rejection> {
    let number = normalise(text).ok_or_else(|| Rejection::at("registration_number.bad_format", pointer))?;
    if checks(&number) { Ok(number) } else { Err(Rejection::at("registration_number.wrong_check_digit", pointer)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_pass_and_slips_do_not() {
        for good in [
            "T7000012050002", "T4011001098993", "t７０００012050002", "T7123456789012", "T7010705000725",
            "T9000000000000",
        ] {
            assert!(corporate(good, "").is_ok(), "{good}");
        }
        assert_eq!(corporate("T8000012050002", "").unwrap_err().code, "registration_number.wrong_check_digit");
        for bad in ["T0000012050002", "T700001205000", "T70000120500020", "7000012050002", ""] {
            assert_eq!(corporate(bad, "").unwrap_err().code, "registration_number.bad_format", "{bad}");
        }
    }
}
