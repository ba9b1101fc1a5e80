//! Text that people type: normalised to NFC, trimmed, free of control characters, bounded in characters.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use crate::command::Rejection;

/// Codes that [`line`], [`optional_line`] and [`prose`] reject with.
pub const REJECTS: [&str; 3] = ["text.required", "text.too_long", "text.control_character"];

/// One line that must not be empty, at most `max` characters.
pub fn line(text: &str, pointer: &str, max: usize) -> Result<String, Rejection> {
    let text = optional_line(text, pointer, max)?;
    if text.is_empty() { Err(Rejection::at("text.required", pointer)) } else { Ok(text) }
}

/// One line that may be empty.
pub fn optional_line(text: &str, pointer: &str, max: usize) -> Result<String, Rejection> {
    checked(text, pointer, max, |c| c.is_control())
}

/// Several lines (LF; CRLF becomes LF), may be empty.
pub fn prose(text: &str, pointer: &str, max: usize) -> Result<String, Rejection> {
    checked(&text.replace("\r\n", "\n"), pointer, max, |c| c.is_control() && c != '\n' && c != '\t')
}

fn checked(text: &str, pointer: &str, max: usize, refused: fn(char) -> bool) -> Result<String, Rejection> {
    let text: String = text.trim().nfc().collect();
    if text.chars().any(|c| refused(c) || is_direction_override(c)) {
        return Err(Rejection::at("text.control_character", pointer));
    }
    if text.chars().count() > max { Err(Rejection::at("text.too_long", pointer)) } else { Ok(text) }
}

/// Characters that make text read in another order than it is stored (Unicode TR 36, bidirectional spoofing).
pub fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The same letters in one width (NFKC): half-width kana become kana, full-width digits become digits.
pub fn compatible(text: &str) -> String {
    let text = text.trim();
    let is_so = is_nfkc_quick(text.chars()) == IsNormalized::Yes;
    if is_so { text.to_owned() } else { text.nfkc().collect() }
}

/// Text as it is compared and searched: in one width, case, kind of kana and form of kanji, without spaces.
pub fn folded(text: &str) -> String {
    let lower = compatible(text).to_lowercase();
    lower.chars().filter(|c| !c.is_whitespace() && !c.is_control()).map(common).collect()
}

/// Hiragana as katakana, and of a kanji's forms that names are written with the common one.
fn common(c: char) -> char {
    match c {
        // Both kana stand in the same order, 96 places apart.
        'ぁ'..='ゖ' | 'ゝ' | 'ゞ' => char::from_u32(c as u32 + 0x60).unwrap_or(c),
        '髙' => '高',
        '﨑' | '嵜' => '崎',
        '邊' | '邉' => '辺',
        '齊' | '斎' | '齋' => '斉',
        '澤' => '沢',
        '濱' | '濵' => '浜',
        '嶋' | '嶌' => '島',
        '德' => '徳',
        '瀨' => '瀬',
        '廣' => '広',
        '國' => '国',
        '眞' => '真',
        '櫻' => '桜',
        '榮' => '栄',
        '條' => '条',
        '𠮷' => '吉',
        '冨' => '富',
        c => c,
    }
}

/// A mail address as we store and compare it: NFKC, trimmed, lower case. `None` if it has no shape of one: exactly one
/// `@`, a local part of 1 to 64, a host of dot-separated labels, no spaces or control characters, 254 bytes at most
/// (RFC 5321 section 4.5.3.1).
pub fn email(text: &str) -> Option<String> {
    let text: String = text.trim().nfkc().collect::<String>().to_lowercase();
    let (local, host) = text.split_once('@')?;
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let host_ok = host.contains('.') && host.split('.').all(label);
    let local_ok = (1..=64).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
    (text.len() <= 254 && host_ok && local_ok).then_some(text)
}

/// A Japanese postal code as we store it: seven digits. `Some("")` for nothing, `None` for anything else; a hyphen, 〒 and
/// digits of any width are accepted.
pub fn postal_code(text: &str) -> Option<String> {
    let text: String = text
        .trim()
        .nfkc()
        .filter(|c| !matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | 'ー' | '〒' | ' '))
        .collect();
    let shaped = text.is_empty() || (text.len() == 7 && text.bytes().all(|b| b.is_ascii_digit()));
    shaped.then_some(text)
}

/// How something is read: kana of any width and kind, kept in full-width katakana; may be empty. Beside kana only the long
/// mark, the middle dot and spaces.
pub fn reading(text: &str, pointer: &str, max: usize) -> Result<String, Rejection> {
    let text = optional_line(&compatible(text), pointer, max)?;
    let katakana: String = text
        .chars()
        .map(|c| match c {
            // Hiragana and katakana stand in the same order, 96 places apart.
            'ぁ'..='ゖ' | 'ゝ' | 'ゞ' => char::from_u32(c as u32 + 0x60).unwrap_or(c),
            other => other,
        })
        .collect();
    let is_kana = katakana.chars().all(|c| matches!(c, 'ァ'..='ヺ' | '・'..='ヾ' | ' '));
    if is_kana { Ok(katakana) } else { Err(Rejection::at("text.not_kana", pointer)) }
}

/// A telephone number as people write it, at most 30 characters in one width: digits, one `+` in front, hyphens, brackets and
/// spaces. `Some("")` for nothing, `None` for anything else.
pub fn phone(text: &str) -> Option<String> {
    let text: String = compatible(text)
        .chars()
        .map(|c| if matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | 'ー') { '-' } else { c })
        .collect();
    let rest = text.strip_prefix('+').unwrap_or(&text);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    let shaped = rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '(' | ')' | ' '));
    (text.is_empty() || (shaped && (6..=15).contains(&digits) && text.len() <= 30)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_normalised_and_bounded() {
        assert_eq!(line(" か\u{3099}す ", "/name", 10).as_deref(), Ok("がす"));
        assert_eq!(line("\u{3000}", "/name", 10).unwrap_err().code, "text.required");
        assert_eq!(line("a\0b", "/name", 10).unwrap_err().code, "text.control_character");
        assert_eq!(line("a\nb", "/name", 10).unwrap_err().code, "text.control_character");
        assert_eq!(line("evil\u{202E}fdp.exe", "/name", 99).unwrap_err().code, "text.control_character");
        assert_eq!(line("長い長い", "/name", 3).unwrap_err().code, "text.too_long");
        assert_eq!(prose("a\r\nb", "/note", 10).as_deref(), Ok("a\nb"));
    }

    #[test]
    fn addresses_are_compared_in_one_form() {
        assert_eq!(email(" Ｔａｎａｋａ@Example.JP ").as_deref(), Some("tanaka@example.jp"));
        let longest = format!("{}@{}.{}.{}", "a".repeat(64), "b".repeat(63), "c".repeat(63), "d".repeat(61));
        assert_eq!((longest.len(), email(&longest)), (254, Some(longest.clone())));
        assert_eq!(email(&format!("{longest}d")), None);
        assert_eq!(email(&format!("a{}", "a@b.jp".replace('a', &"a".repeat(64)))), None);
        for bad in ["", "a", "a@b", "a@@b.jp", "a b@c.jp", "a@b.jp\r\nBcc: x@y.jp", ".a@b.jp", "a@-b.jp", "a@b..jp"] {
            assert_eq!(email(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_common_has_no_commoner_form() {
        for c in '\u{0}'..='\u{20FFF}' {
            assert_eq!(common(common(c)), common(c), "{c}");
        }
    }

    #[test]
    fn postal_codes_are_seven_digits() {
        for good in ["105-0011", "1050011", "〒１０５−００１１", "105‐0011"] {
            assert_eq!(postal_code(good).as_deref(), Some("1050011"), "{good}");
        }
        assert_eq!(postal_code(" ").as_deref(), Some(""));
        for bad in ["105-001", "105-00111", "abc-defg", "٠١٢٣٤٥٦"] {
            assert_eq!(postal_code(bad), None, "{bad}");
        }
    }

    #[test]
    fn readings_are_katakana_of_one_width() {
        for (given, kept) in [
            ("ﾔﾏｻﾞｷｾｲｷ", "ヤマザキセイキ"),
            (" やまざき　いちろう ", "ヤマザキ イチロウ"),
            ("ﾉｰｽｳｨﾝﾄﾞ･ﾄﾚｰﾃﾞｨﾝｸﾞ", "ノースウィンド・トレーディング"),
            ("ヴァ゛", ""),
            ("", ""),
        ] {
            let read = reading(given, "/reading", 80);
            if kept.is_empty() && !given.is_empty() {
                assert_eq!(read.unwrap_err().code, "text.not_kana", "{given}");
            } else {
                assert_eq!(read.as_deref(), Ok(kept), "{given}");
            }
        }
        for bad in ["山崎", "Yamazaki", "ヤマザキ2", "ヤマザキ-"] {
            assert_eq!(reading(bad, "/reading", 80).unwrap_err().code, "text.not_kana", "{bad}");
        }
        assert_eq!(reading("アアア", "/reading", 2).unwrap_err().code, "text.too_long");
    }

    #[test]
    fn telephone_numbers_are_digits() {
        for (given, kept) in
            [("０３－１２３４－５６７８", "03-1234-5678"), ("+81 (3) 1234 5678", "+81 (3) 1234 5678"), ("", "")]
        {
            assert_eq!(phone(given).as_deref(), Some(kept), "{given}");
        }
        for bad in ["12345", "03-1234-5678 ext", "03+1234", "1234567890123456"] {
            assert_eq!(phone(bad), None, "{bad}");
        }
    }
}
