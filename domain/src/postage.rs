//! What a letter costs: Japan Post's services within Japan, as data with the day from which it holds. Sources: Japan Post,
//! 国内の料金表 (手紙・はがき, レターパック, オプションサービス), rates from 2024-10-01.
//!
//! It is an estimate for the order: what was really paid stands in `postal_item.dispatched`.

use crate::codes;
use crate::date::Date;
use crate::money::Money;

codes! {
    /// How something goes by post.
    Service {
        /// 定形 or 定形外 (規格内), by envelope and weight.
        Letter = 1 "letter",
        /// レターパックライト: into the letter box, tracked.
        LetterPackLight = 2 "letter_pack_light",
        /// レターパックプラス: handed over against a signature, tracked.
        LetterPackPlus = 3 "letter_pack_plus",
    }
}

codes! {
    /// What a letter has beside.
    Extra {
        /// 速達.
        Express = 1 "express",
        /// 簡易書留: handed over against a signature, tracked, insured up to 50,000 yen.
        SimpleRegistered = 2 "simple_registered",
        /// 特定記録: into the letter box, tracked.
        SpecificRecord = 3 "specific_record",
    }
}

codes! {
    /// What the papers are put into.
    Envelope {
        /// 長形3号, 120 × 235 mm with a window: A4 folded in three.
        Long3 = 1 "long_3",
        /// 角形2号, 240 × 332 mm: A4 as it is.
        Kaku2 = 2 "kaku_2",
    }
}

/// Weight of an A4 sheet of 68 g/m² with its toner, in tenths of a gram: the heavier of the usual papers, so that an estimate is
/// rather too high.
const SHEET_DG: u32 = 43;
/// Most sheets that are folded in three: more do not stay within the 1 cm of a standard letter.
pub const FOLDED_MAX: u32 = 8;
/// Heaviest letter, in grams.
pub const LETTER_MAX_G: u32 = 1_000;

impl Envelope {
    /// With its window and a label, in tenths of a gram.
    fn weight_dg(self) -> u32 {
        match self {
            Envelope::Long3 => 60,
            Envelope::Kaku2 => 200,
        }
    }

    /// What that many sheets go into, where nobody chose.
    pub fn usual(sheets: u32) -> Envelope {
        if sheets <= FOLDED_MAX { Envelope::Long3 } else { Envelope::Kaku2 }
    }

    /// What that many A4 sheets weigh in it, in grams, rounded up.
    pub fn weight_g(self, sheets: u32) -> u32 {
        (sheets.saturating_mul(SHEET_DG).saturating_add(self.weight_dg())).div_ceil(10)
    }
}

/// Prices up to a weight: (grams, yen).
type ByWeight = &'static [(u32, i64)];

/// What holds from a day on.
struct Rates {
    /// Days since 1970-01-01.
    since: Date,
    standard: ByWeight,
    other: ByWeight,
    express: ByWeight,
    simple_registered: i64,
    specific_record: i64,
    letter_pack_light: i64,
    letter_pack_plus: i64,
}

/// The oldest first.
const TABLE: &[Rates] = &[Rates {
    since: Date(19_997),
    standard: &[(50, 110)],
    other: &[(50, 140), (100, 180), (150, 270), (250, 320), (500, 510), (1_000, 750)],
    express: &[(250, 300), (1_000, 400)],
    simple_registered: 350,
    specific_record: 210,
    letter_pack_light: 430,
    letter_pack_plus: 600,
}];

fn price(table: ByWeight, weight_g: u32) -> Option<i64> {
    table.iter().find(|(most, _)| weight_g <= *most).map(|(_, yen)| *yen)
}

/// What it costs on a day, or `None` for a letter that is too heavy. Before the first table, the first one is taken.
pub fn postage(service: Service, extras: &[Extra], envelope: Envelope, weight_g: u32, on: Date) -> Option<Money> {
    let rates = TABLE.iter().rev().find(|rates| rates.since <= on).unwrap_or(&TABLE[0]);
    let base = match service {
        Service::LetterPackLight => rates.letter_pack_light,
        Service::LetterPackPlus => rates.letter_pack_plus,
        Service::Letter => {
            let standard = (envelope == Envelope::Long3).then(|| price(rates.standard, weight_g)).flatten();
            standard.or_else(|| price(rates.other, weight_g))?
        }
    };
    let extra = |extra: &Extra| match extra {
        Extra::Express => price(rates.express, weight_g),
        Extra::SimpleRegistered => Some(rates.simple_registered),
        Extra::SpecificRecord => Some(rates.specific_record),
    };
    let extras = extras.iter().map(extra).sum::<Option<i64>>()?;
    Some(Money::yen(base + extras))
}

/// Does the post office give it a number to track it by?
pub fn is_tracked(service: Service, extras: &[Extra]) -> bool {
    service != Service::Letter || extras.iter().any(|extra| *extra != Extra::Express)
}

/// A tracking number as it is kept: digits alone (11 to 13 of them), or two letters, nine digits, two letters (UPU S10). Spaces
/// and hyphens of any width are left out. `None` for anything else.
pub fn tracking_number(text: &str) -> Option<String> {
    let text: String =
        crate::text::compatible(text).chars().filter(|c| !matches!(c, '-' | ' ' | 'ー' | '‐' | '−')).collect();
    let text = text.to_ascii_uppercase();
    let digits = (11..=13).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let is_s10 = text.len() == 13
        && text.bytes().enumerate().all(|(at, b)| match at {
            2..=10 => b.is_ascii_digit(),
            _ => b.is_ascii_uppercase(),
        });
    (digits || is_s10).then_some(text)
}

/// Does the check digit of a kept number fit? 11 digits (registered, specific record) and 12 (letter packs, parcels, Sagawa): the
/// remainder of what is before it by 7. UPU S10: the weighted sum by 11. Of 13 digits no rule is known: they are taken.
pub fn has_right_digit(number: &str) -> bool {
    const WEIGHTS: [u32; 8] = [8, 6, 4, 2, 3, 5, 9, 7];
    let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
    let Some((last, before)) = digits.split_last() else { return false };
    match (number.len(), digits.len()) {
        (11 | 12, 11 | 12) => before.iter().fold(0, |rest, digit| (rest * 10 + digit) % 7) == *last,
        (13, 9) => {
            let sum: u32 = before.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
            [5, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1][sum as usize % 11] == *last
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Date = Date(20_759);

    fn letter(extras: &[Extra], envelope: Envelope, weight_g: u32) -> Option<i64> {
        postage(Service::Letter, extras, envelope, weight_g, DAY).map(|money| money.amount)
    }

    #[test]
    fn ml_32_letters_cost_what_japan_post_says() {
        assert_eq!(TABLE[0].since, Date::of(2024, 10, 1));
        assert!(TABLE.is_sorted_by_key(|rates| rates.since));
        for (envelope, weight, yen) in [
            (Envelope::Long3, 25, Some(110)),
            (Envelope::Long3, 50, Some(110)),
            (Envelope::Long3, 51, Some(180)),
            (Envelope::Kaku2, 50, Some(140)),
            (Envelope::Kaku2, 100, Some(180)),
            (Envelope::Kaku2, 150, Some(270)),
            (Envelope::Kaku2, 250, Some(320)),
            (Envelope::Kaku2, 500, Some(510)),
            (Envelope::Kaku2, 1_000, Some(750)),
            (Envelope::Kaku2, 1_001, None),
        ] {
            assert_eq!(letter(&[], envelope, weight), yen, "{envelope:?} {weight} g");
        }
        assert_eq!(letter(&[Extra::Express], Envelope::Long3, 20), Some(410));
        assert_eq!(letter(&[Extra::Express, Extra::SimpleRegistered], Envelope::Kaku2, 251), Some(510 + 400 + 350));
        assert_eq!(letter(&[Extra::SpecificRecord], Envelope::Long3, 20), Some(320));
        let pack = |service| postage(service, &[], Envelope::Kaku2, 3_000, DAY).map(|money| money.amount);
        assert_eq!((pack(Service::LetterPackLight), pack(Service::LetterPackPlus)), (Some(430), Some(600)));
        assert_eq!(postage(Service::Letter, &[], Envelope::Long3, 20, Date::of(2000, 1, 1)), Some(Money::yen(110)));
    }

    #[test]
    fn sheets_weigh_rather_too_much_than_too_little() {
        assert_eq!((Envelope::Long3.weight_g(1), Envelope::Long3.weight_g(8)), (11, 41));
        assert_eq!((Envelope::Kaku2.weight_g(9), Envelope::Kaku2.weight_g(u32::MAX)), (59, u32::MAX.div_ceil(10)));
        assert_eq!((Envelope::usual(8), Envelope::usual(9)), (Envelope::Long3, Envelope::Kaku2));
    }

    #[test]
    fn a_tracking_number_is_kept_in_one_shape() {
        for (typed, kept) in [
            ("1234-5678-9012", Some("123456789012")),
            ("１２３-４５-６７８９０-１", Some("12345678901")),
            ("ab123456789jp", Some("AB123456789JP")),
            ("123", None),
            ("12345678901234", None),
            ("AB12345678XJP", None),
            ("", None),
        ] {
            assert_eq!(tracking_number(typed).as_deref(), kept, "{typed}");
        }
        // As they stand on receipts and in what others wrote of them.
        for right in ["13112383852", "405548424886", "512547514334", "AB123456785JP", "RB123456785GB", "1234567890123"]
        {
            assert!(has_right_digit(right), "{right}");
        }
        for wrong in ["13112383853", "31112383852", "405548424868", "AB123456789JP", ""] {
            assert!(!has_right_digit(wrong), "{wrong}");
        }
        assert!(is_tracked(Service::LetterPackLight, &[]) && is_tracked(Service::Letter, &[Extra::SpecificRecord]));
        assert!(!is_tracked(Service::Letter, &[]) && !is_tracked(Service::Letter, &[Extra::Express]));
    }
}
