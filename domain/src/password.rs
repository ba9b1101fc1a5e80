//! What a password must be (RN-35; NIST SP 800-63B-4, section 3.1.1): long enough, and not one that is tried first. Any
//! character is welcome and none is asked for.
//!
//! Invariant: length, comparison and hash are of the same text, the password in NFKC: the same keys typed on another device
//! log in.

use unicode_normalization::UnicodeNormalization;

use crate::command::Rejection;

/// Shortest password, in Unicode code points: 15 where it may be the only factor.
pub const MIN: usize = 15;
/// Longest password, in Unicode code points.
pub const MAX: usize = 128;
/// Codes that [`check`] rejects with.
pub const REJECTS: [&str; 5] = [
    "member.password_too_short", "member.password_too_long", "member.password_common", "member.password_personal",
    "member.password_pattern",
];

/// Words of common passwords, one a line; where they come from is at its beginning.
const COMMON: &str = include_str!("../data/common_passwords.txt");
/// What this service is called.
const SERVICE: [&str; 3] = ["keiin", "ケイイン", "契印"];
/// Fewer letters than this beside a name are no password of their own.
const OWN_LETTERS: usize = 5;
/// So many characters at least must not follow from the one before.
const SURPRISES: usize = 6;

/// The text that is measured, compared and hashed.
pub fn normalised(password: &str) -> String {
    password.nfkc().collect()
}

/// Refuses what is too short, too long or tried first. `about` is what everybody knows of the person and the company: names,
/// short names, addresses.
pub fn check(password: &str, about: &[&str]) -> Result<(), Rejection> {
    let refuse = |code| Err(Rejection::at(code, "/password"));
    let password = normalised(password);
    let length = password.chars().count();
    if length < MIN {
        return refuse("member.password_too_short");
    }
    if length > MAX {
        return refuse("member.password_too_long");
    }
    let password = password.to_lowercase();
    if is_personal(&password, about) {
        return refuse("member.password_personal");
    }
    if is_common(&password) {
        return refuse("member.password_common");
    }
    if is_pattern(&password) {
        return refuse("member.password_pattern");
    }
    Ok(())
}

/// A word of the list, repeated or not, with digits and punctuation around and between, or in place of letters.
fn is_common(password: &str) -> bool {
    let other = |c: char| !c.is_alphabetic();
    let spellings = [
        letters(password),
        letters(&without_substitutes(password.trim_matches(other))),
        letters(&without_substitutes(password.trim_end_matches(other))),
    ];
    spellings.iter().any(|word| !word.is_empty() && (listed(word) || listed(&unit(word))))
}

/// Words that are refused however they are stretched.
pub fn common() -> impl Iterator<Item = &'static str> {
    COMMON.lines().filter(|line| !line.starts_with('#'))
}

fn listed(word: &str) -> bool {
    common().any(|line| line == word)
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

/// Letters for the signs that are written in their place.
fn without_substitutes(text: &str) -> String {
    let letter = |c| match c {
        '@' | '4' => 'a',
        '8' => 'b',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '$' | '5' => 's',
        '7' | '+' => 't',
        other => other,
    };
    text.chars().map(letter).collect()
}

/// Names of the person, the company or the service, with too little beside them.
fn is_personal(password: &str, about: &[&str]) -> bool {
    let mut words: Vec<String> = about.iter().chain(&SERVICE).flat_map(|text| parts(text)).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    // Without what is between: `Han.ako` is `hanako`.
    let before: String = password.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut left = before.clone();
    for word in &words {
        left = left.replace(word.as_str(), "");
    }
    let own = letters(&left);
    left != before && (own.chars().count() < OWN_LETTERS || listed(&own))
}

/// The words in a name or an address that are long enough to be told from chance, and all of it written as one.
fn parts(text: &str) -> Vec<String> {
    let text = normalised(text).to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
    let legal_form =
        |word: String| ["株式会社", "有限会社", "合同会社"].iter().fold(word, |w, form| w.replace(form, ""));
    let whole = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let is_telling = |word: &String| word.chars().count() >= if word.is_ascii() { 3 } else { 2 };
    words.map(legal_form).chain([whole]).filter(is_telling).collect()
}

/// One thing repeated, counted up or down, or along the keyboard.
fn is_pattern(password: &str) -> bool {
    let unit: Vec<char> = unit(password).chars().collect();
    let surprises = unit.windows(2).filter(|pair| !follows(pair[0], pair[1])).count();
    surprises + 1 < SURPRISES
}

fn follows(a: char, b: char) -> bool {
    const ROWS: [&str; 4] = ["01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let near = if a.is_ascii() { 1 } else { 2 };
    let along = |row: &&str| row.contains(&format!("{a}{b}")) || row.contains(&format!("{b}{a}"));
    u32::from(a).abs_diff(u32::from(b)) <= near || ROWS.iter().any(along)
}

/// What a text repeats at least twice, the last time perhaps cut short; the text itself if it repeats nothing.
fn unit(text: &str) -> String {
    let all: Vec<char> = text.chars().collect();
    let period = (1..=all.len() / 2).find(|period| all[*period..] == all[..all.len() - period]);
    all[..period.unwrap_or(all.len())].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: &[&str] = &["株式会社ミナト製作所", "minato", "田中 花子", "hanako.tanaka@example.jp"];

    fn refusal(password: &str) -> Option<&'static str> {
        check(password, ABOUT).err().map(|rejection| rejection.code)
    }

    #[test]
    fn rn_35_any_character_counts_as_one_and_none_is_asked_for() {
        for good in [
            "correct horse battery staple",
            "夏は夜月のころはさらなり闇もなほ",
            "🦀 と 🦞 と 🦐 の 大行進 三回",
            "glurpwexandodfim",
            "839201748293017",
            "minato no yoake ga suki",
            "   spaces  count  too   ",
        ] {
            assert_eq!(refusal(good), None, "{good}");
        }
        let (longest, short) = ("月火水木金土日一二三四五六七八九".repeat(8), "月火水木金土日一二三四五六七");
        assert_eq!(refusal(&longest[..longest.len() - 3]), None);
        assert_eq!(refusal(&format!("{longest}月")), Some("member.password_too_long"));
        assert_eq!(refusal(short), Some("member.password_too_short"));
    }

    #[test]
    fn a_password_is_measured_and_compared_in_one_form() {
        assert_eq!(normalised("ｶﾞｷﾞ１２　Ａ"), "ガギ12 A");
        // Half-width kana with its mark is one character, typed as two.
        assert_eq!("ｶﾞ".repeat(14).chars().count(), 28);
        assert_eq!(refusal(&"ｶﾞ".repeat(14)), Some("member.password_too_short"));
    }

    #[test]
    fn rn_35_what_everybody_has_is_refused_however_it_is_stretched() {
        for common in [
            "password12345678",
            "qwertyqwertyqwerty",
            "Password-Password-1",
            "P@ssw0rd20261121!",
            "1111iloveyou1111!",
            "ＰＡＳＳＷＯＲＤ１２３４５６７８",
            "パスワードパスワードパスワード",
            "sakurasakurasakura",
            "yoroshikuonegaishimasu",
        ] {
            assert_eq!(refusal(common), Some("member.password_common"), "{common}");
        }
    }

    #[test]
    fn rn_35_names_with_nothing_beside_them_are_refused() {
        for personal in [
            "minato-2026-minato",
            "Hanako.Tanaka@Example.JP",
            "hanako19850412!!",
            "tanakahanako1234",
            "ミナト製作所ミナト製作所2026",
            "田中花子田中花子田中花子田中花子",
            "keiin-keiin-2026",
            "minato-password-1",
        ] {
            assert_eq!(refusal(personal), Some("member.password_personal"), "{personal}");
        }
    }

    #[test]
    fn rn_35_what_is_repeated_or_counted_is_refused() {
        for pattern in [
            "aaaaaaaaaaaaaaa",
            "123456789012345",
            "987654321098765",
            "abcdefghijklmnopq",
            "xkxkxkxkxkxkxkxkxk",
            "111111112222222333",
            "poiuytrewqlkjhgfdsa",
            "あいうえおかきくけこさしすせそ",
            "字字字字字字字字字字字字字字字",
            "               ",
        ] {
            assert_eq!(refusal(pattern), Some("member.password_pattern"), "{pattern}");
        }
    }

    #[test]
    fn the_list_holds_words_in_the_form_in_which_they_are_looked_up() {
        let words: Vec<&str> = common().collect();
        assert!(words.len() > 20_000 && words.is_sorted());
        let wrong: Vec<_> = words.iter().filter(|word| normalised(&letters(word)).to_lowercase() != **word).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
