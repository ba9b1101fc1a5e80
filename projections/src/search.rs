//! Text as it is searched: what people type finds what others have written, whatever the width, case, kind of kana or form of a
//! kanji. Tables hold it folded (a column `search`, personal where what it was made of is), what is typed is folded the same
//! way, and a row is found where the one stands in the other. So 'ﾀｶﾊｼ' and 'たかはし' find タカハシ, and 高橋 finds 髙橋.

pub use keiin_domain::text::folded;

/// Several texts, each on a line of its own: nothing that is typed stands in two of them.
pub fn lines(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| folded(text)).collect();
    texts.join("\n")
}

/// Most bytes of a text in an index with others: PostgreSQL takes 2,704 an entry.
const MOST: usize = 1_200;

/// The beginning of folded text, as far as it may stand in an index: all of it, unless folding made many letters of one.
pub fn indexed(mut folded: String) -> String {
    folded.truncate(folded.floor_char_boundary(MOST));
    folded
}

/// What is typed, as a pattern for [`has`].
pub fn pattern(typed: &str) -> String {
    format!("%{}%", folded(typed).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// The condition that a pattern stands in a column of folded text.
pub fn has(column: &str) -> String {
    format!("{column} LIKE ? ESCAPE '\\'")
}

/// The condition that a pattern stands in one of these columns.
pub fn in_any(columns: &[&str]) -> String {
    columns.iter().map(|column| has(column)).collect::<Vec<_>>().join(" OR ")
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
        assert_eq!(indexed("高".repeat(401)), "高".repeat(400));
        assert_eq!(pattern(" 50%_\\ "), "%50\\%\\_\\\\%");
    }
}
