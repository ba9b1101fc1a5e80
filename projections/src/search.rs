//! Text as it is searched: what people type finds what others have written, whatever the width, case, kind of kana or form of a
//! kanji. Tables hold it folded (a column `search`, personal where what it was made of is), what is typed is folded the same
//! way, and a row is found where the one stands in the other. So 'ﾀｶﾊｼ' and 'たかはし' find タカハシ, and 高橋 finds 髙橋.

use keiin_domain::text::compatible;

/// Forms of one kanji that names are written with, each behind the common one.
const KANJI: [&str; 17] = [
    "高髙", "崎﨑嵜", "辺邊邉", "斉齊斎齋", "沢澤", "浜濱濵", "島嶋嶌", "徳德", "瀬瀨", "広廣", "国國", "真眞", "桜櫻",
    "栄榮", "条條", "吉𠮷", "富冨",
];

/// In one width, case, kind of kana and form of kanji, without spaces.
pub fn folded(text: &str) -> String {
    let lower = compatible(text).to_lowercase();
    lower.chars().filter(|c| !c.is_whitespace() && !c.is_control()).map(common).collect()
}

/// Several texts, each on a line of its own: nothing that is typed stands in two of them.
pub fn lines(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| folded(text)).collect();
    texts.join("\n")
}

/// What is typed, as a pattern for [`has`].
pub fn pattern(typed: &str) -> String {
    format!("%{}%", folded(typed).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// The condition that a pattern stands in a column of folded text.
pub fn has(column: &str) -> String {
    format!("{column} LIKE ? ESCAPE '\\'")
}

fn common(c: char) -> char {
    match c {
        // Hiragana and katakana stand in the same order, 96 places apart.
        'ぁ'..='ゖ' | 'ゝ' | 'ゞ' => char::from_u32(c as u32 + 0x60).unwrap_or(c),
        c if c < '\u{3000}' => c,
        c => KANJI.iter().find(|forms| forms.contains(c)).and_then(|forms| forms.chars().next()).unwrap_or(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_the_same_is_the_same() {
        for (typed, written) in [
            ("ﾀｶﾊｼ", "タカハシ"),
            ("たかはし", "タカハシ"),
            ("ｶﾞｽ", "ガス"),
            ("か\u{3099}す", "ガス"),
            ("高橋", "髙橋 誠"),
            ("みなと", "ミナト製作所"),
            ("株式会社ミナト", "株式会社　ミナト"),
            ("ＩＮＶ－２０２６", "INV-2026-0001"),
            ("emily clark", "Emily  CLARK"),
            ("㈱", "(株)"),
        ] {
            assert!(folded(written).contains(&folded(typed)), "{typed} in {written}");
        }
        assert_ne!(folded("田中"), folded("山中"));
        assert_eq!(lines(&["A b", "Ｃ\n"]), "ab\nc");
        assert_eq!(pattern(" 50%_\\ "), "%50\\%\\_\\\\%");
    }

    #[test]
    fn every_form_has_one_common_one() {
        let mut seen: Vec<char> = KANJI.iter().flat_map(|forms| forms.chars()).collect();
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        assert_eq!(all, seen.len());
    }
}
