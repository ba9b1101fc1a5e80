//! The paper's own words, and how it writes dates and figures. Bold words take their characters from
//! `fonts/bold.txt`; a test holds them against the font.

use keiin_domain::client::Honorific;
use keiin_domain::date::Date;
use keiin_domain::document::DocumentType;
use keiin_domain::money::{Decimal, Money};
use keiin_domain::tax::TaxRate;

/// What a type calls itself and its parts.
pub struct Words {
    /// 請求書.
    pub title: &'static str,
    /// 請求書番号.
    pub number: &'static str,
    /// Of `Paper::date`.
    pub date: &'static str,
    /// Of `Paper::date_due`.
    pub due: &'static str,
    /// Over the total.
    pub greeting: &'static str,
    /// Beside the total.
    pub total: &'static str,
}

/// By type.
pub fn of(document_type: DocumentType) -> Words {
    let [title, number, date, due, greeting, total] = match document_type {
        DocumentType::Quote => {
            ["見積書", "見積番号", "見積日", "有効期限", "下記のとおりお見積り申し上げます。", "お見積金額"]
        }
        DocumentType::OrderSlip => ["発注書", "発注番号", "発注日", "納期", "下記のとおり発注いたします。", "発注金額"],
        DocumentType::OrderConfirmation => {
            ["注文請書", "注文請書番号", "受注日", "納期", "下記のとおりご注文をお請けいたします。", "ご注文金額"]
        }
        DocumentType::DeliverySlip => {
            ["納品書", "納品番号", "納品日", "お支払期限", "下記のとおり納品いたします。", "納品金額"]
        }
        DocumentType::Acceptance => {
            ["検収書", "検収番号", "検収日", "お支払予定日", "下記のとおり検収いたしました。", "検収金額"]
        }
        DocumentType::Invoice => {
            ["請求書", "請求書番号", "取引日", "お支払期限", "下記のとおりご請求申し上げます。", "ご請求金額"]
        }
        DocumentType::Receipt => ["領収書", "領収書番号", "領収日", "有効期限", "", "領収金額"],
    };
    Words { title, number, date, due, greeting, total }
}

/// Everything that is set in bold, for the test of the font.
#[cfg(test)]
pub const BOLD: &[&str] = &[
    "0123456789,.-¥▲", CORRECTION, DRAFT, BANK, NOTE, LESS, TOTAL, "品名", "数量", "単位", "単価", "税率", "金額",
    "区分", "税抜金額", "消費税額", "内消費税額", "税込金額",
];

/// Head of the band on a correction.
pub const CORRECTION: &str = "訂正版";
/// Head of the band on what is not issued yet.
pub const DRAFT: &str = "下書き";
/// What that means.
pub const DRAFT_MEANS: &str = "発行前の確認用です。番号は発行のときに付きます。";
/// Where to transfer to.
pub const BANK: &str = "お振込先";
/// Notes.
pub const NOTE: &str = "備考";
/// What is left to pay after what is withheld, together with the type's own word for its total.
pub const LESS: &str = "差引";
/// The total.
pub const TOTAL: &str = "合計(税込)";
/// What is printed beside lines with the reduced rate.
pub const REDUCED_MARK: &str = "※";
/// What the mark means.
pub const REDUCED_LEGEND: &str = "※は軽減税率対象";

/// After the name.
pub fn honorific(honorific: Honorific) -> &'static str {
    match honorific {
        Honorific::Onchu => "御中",
        Honorific::Sama => "様",
    }
}

/// In the table of lines.
pub fn rate(rate: TaxRate) -> &'static str {
    match rate {
        TaxRate::Zero => "対象外",
        TaxRate::Reduced => "8%",
        TaxRate::Standard => "10%",
    }
}

/// In the table of rates.
pub fn rate_total(rate: TaxRate) -> &'static str {
    match rate {
        TaxRate::Zero => "対象外",
        TaxRate::Reduced => "8%対象 ※",
        TaxRate::Standard => "10%対象",
    }
}

/// `2026年11月22日`.
pub fn date(date: Date) -> String {
    let (year, month, day) = date.ymd();
    format!("{year}年{month}月{day}日")
}

/// `第2版`.
pub fn revision(revision: u32) -> String {
    format!("第{revision}版")
}

/// `1,234`, `▲1,234`.
pub fn figure(money: Money) -> String {
    let sign = if money.amount < 0 { "▲" } else { "" };
    format!("{sign}{}", grouped(&money.amount.unsigned_abs().to_string()))
}

/// `¥110,000-`: closed on both sides, so that nothing can be added in front or behind.
pub fn sum(money: Money) -> String {
    let sign = if money.amount < 0 { "▲" } else { "" };
    format!("{sign}¥{}-", grouped(&money.amount.unsigned_abs().to_string()))
}

/// A quantity or a price: `1,234.5`, `▲0.5`.
pub fn decimal(decimal: Decimal) -> String {
    let text = decimal.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("▲", digits));
    match digits.split_once('.') {
        None => format!("{sign}{}", grouped(digits)),
        Some((whole, places)) => format!("{sign}{}.{places}", grouped(whole)),
    }
}

/// A comma before every third digit from the right.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdf::face::{Weight, has};

    #[test]
    fn the_bold_face_has_every_word_that_is_set_in_it() {
        let own = DocumentType::ALL.iter().flat_map(|t| [of(*t).title, of(*t).total]);
        for word in own.chain(BOLD.iter().copied()) {
            assert!(word.chars().all(|c| has(Weight::Bold, c)), "{word}: add it to fonts/bold.txt, run fonts/make.py");
        }
        assert!(!has(Weight::Bold, '鷗'), "it has only those");
    }

    #[test]
    fn figures_are_grouped_and_negative_ones_marked() {
        for (amount, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "▲1,234,567")] {
            assert_eq!(figure(Money::yen(amount)), text);
        }
        assert_eq!(sum(Money::yen(110_000)), "¥110,000-");
        assert_eq!(sum(Money::yen(-185)), "▲¥185-");
        for (held, text) in [(15_000, "1.5"), (-12_345_600, "▲1,234.56"), (i64::MAX, "922,337,203,685,477.5807")] {
            assert_eq!(decimal(Decimal(held)), text);
        }
    }

    #[test]
    fn dates_are_written_without_zeros_in_front() {
        assert_eq!(date(Date::of(2026, 1, 2)), "2026年1月2日");
    }
}
