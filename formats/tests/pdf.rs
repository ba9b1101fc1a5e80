//! Papers as PDF, read back by poppler: texts, pages, fonts, bytes, and that nothing lies over anything else.

mod papers;
mod poppler;

use std::collections::BTreeSet;

use keiin_domain::document::DocumentType;
use keiin_domain::money::{Decimal, Money};
use keiin_domain::tax::TaxRate;
use keiin_formats::pdf::{Error, Missing, missing, render};
use keiin_formats::{Correction, Paper};
use poppler::Word;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// Points in a millimetre.
const MM: f32 = 72.0 / 25.4;

fn file(paper: &Paper) -> Vec<u8> {
    render(paper).expect("a paper that can be printed")
}

/// Without any space: long texts are broken into lines.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Everything in the order in which it was drawn, so that a text's lines follow each other.
fn drawn(pdf: &[u8]) -> String {
    squeezed(&poppler::run("pdftotext", &["-raw", "FILE", "-"], pdf))
}

/// What stands between spaces.
fn tokens(pdf: &[u8]) -> BTreeSet<String> {
    poppler::text(pdf).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_text_can_be_copied_out() {
    for (name, paper) in papers::all() {
        let text = drawn(&file(&paper));
        let (from, to) = (&paper.sender, &paper.recipient);
        let mut wanted = vec![
            &paper.number, &paper.title, &paper.note, &paper.proviso, &paper.verify_url, &to.name, &to.region,
            &to.locality, &to.street_address, &to.extended_address, &from.name, &from.address,
            &from.registration_number,
        ];
        if paper.document_type == DocumentType::Invoice {
            wanted.push(&from.bank_details);
        }
        wanted.extend(paper.correction.iter().flat_map(|c| [&c.reason, &c.replaces_number]));
        wanted.extend(paper.lines.iter().flat_map(|line| [&line.description, &line.unit]));
        for wanted in wanted {
            assert!(text.contains(&squeezed(wanted)), "{name}: {wanted} is not in {text}");
        }
    }
}

#[test]
fn the_layout_reads_as_the_paper_does() {
    let text = poppler::text(&file(&papers::one_line()));
    for wanted in [
        "請 求 書",
        "INV-2026-0042",
        "2026年11月22日",
        "〒105-8445",
        "国立印刷局 御中",
        "登録番号 T7000012050002",
        "¥110,000-",
        "2026年12月31日",
        "システム保守費用(㈱ミナト 髙橋担当 ①期)",
        "この書類の発行を確認 / Verify",
        "お振込先",
        "カ)ミナトセイサクショ",
        "10%対象",
        "1/1",
        "印",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }

    let text = poppler::text(&file(&papers::three_rates()));
    for wanted in ["対象外", "8%対象 ※", "10%対象", "※は軽減税率対象", "ふじ) ※", "▲1,500", "12.5", "612.4"]
    {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }

    let text = poppler::text(&file(&papers::receipt()));
    for wanted in
        ["領 収 書", "髙橋 一郎", "様", "但し", "飲食代 として", "上記正に領収いたしました。", "内消費税額", "¥76,600-"]
    {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    assert!(text.contains("収入") && text.contains("印紙"), "the stamp's frame: {text}");

    let text = poppler::text(&file(&papers::correction()));
    for wanted in ["訂正版", "第2版(INV-2026-0042 第1版 を訂正)", "訂正理由: 数量の誤り。"] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }

    let text = poppler::text(&file(&papers::long_names()));
    for wanted in ["¥1,197,480-", "源泉徴収税額", "▲122,520", "差引ご請求金額", "1,320,000"] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
}

#[test]
fn what_is_empty_leaves_no_label() {
    let mut paper = papers::one_line();
    paper.sender.registration_number.clear();
    paper.sender.bank_details.clear();
    paper.recipient.postal_code.clear();
    let bare = Paper {
        title: String::new(),
        note: String::new(),
        date_due: None,
        has_hanko: false,
        verify_url: String::new(),
        ..paper
    };
    let text = poppler::text(&file(&bare));
    for label in ["登録番号", "お振込先", "〒", "件名", "備考", "お支払期限", "印", "Verify", "訂正", "※", "源泉"]
    {
        assert!(!text.replace("国立印刷局", "").contains(label), "{label} in\n{text}");
    }
    // A receipt without frames says nothing of them; an invoice has none.
    let receipt = Paper { has_tax_stamp: false, proviso: String::new(), ..papers::receipt() };
    let text = poppler::text(&file(&receipt));
    assert!(!text.contains("収入") && !text.contains("但し") && text.contains("上記正に"), "{text}");
}

#[test]
fn every_type_has_its_own_words() {
    let mut seen = BTreeSet::new();
    for document_type in DocumentType::ALL {
        let text = poppler::text(&file(&Paper { document_type: *document_type, ..papers::one_line() }));
        assert!(seen.insert(text), "{document_type:?} looks like another type");
    }
}

#[test]
fn forty_lines_take_three_pages_with_a_head_on_each() {
    let pdf = file(&papers::forty_lines());
    let info = poppler::run("pdfinfo", &["FILE"], &pdf);
    assert!(info.contains("Pages:           3\n"), "{info}");
    let words = poppler::words(&pdf);
    for page in 0..3 {
        let count = |text: &str| words.iter().filter(|w| w.page == page && w.text == text).count();
        assert_eq!((count("品名"), count("金額")), (1, 1), "the table's head on page {page}");
        assert!(words.iter().any(|w| w.page == page && w.text.starts_with("QUO-2026-0007")), "{page}");
    }
    assert!(poppler::text(&pdf).contains("3/3") || poppler::text(&pdf).contains("3 / 3"));
    for (_, paper) in papers::all().into_iter().filter(|(name, _)| *name != "forty-lines") {
        assert!(poppler::run("pdfinfo", &["FILE"], &file(&paper)).contains("Pages:           1\n"));
    }
}

#[test]
fn all_fonts_are_embedded_and_the_file_says_pdf_a() {
    for (name, paper) in papers::all() {
        let pdf = file(&paper);
        let fonts = poppler::run("pdffonts", &["FILE"], &pdf);
        let fonts: Vec<&str> = fonts.lines().skip(2).collect();
        assert_eq!(fonts.len(), 2, "{name}: {fonts:?}");
        // Embedded, a subset, with a way back to Unicode.
        assert!(fonts.iter().all(|font| font.contains("BIZUDPGothic") && font.contains("yes yes yes")), "{fonts:?}");
        let about = poppler::run("pdfinfo", &["-meta", "FILE"], &pdf);
        assert!(about.contains("<pdfaid:part>2</pdfaid:part>"), "{about}");
        assert!(about.contains("<pdfaid:conformance>U</pdfaid:conformance>"), "{about}");
    }
}

/// The bytes are what is hashed: the same paper gives them again, in any process. `UPDATE=1` writes the list.
#[test]
fn the_same_paper_gives_the_same_bytes() {
    let hash = |paper: &Paper| hex::encode(Sha256::digest(file(paper)));
    let list = papers::all().map(|(name, paper)| {
        let first = hash(&paper);
        assert_eq!(first, hash(&paper.clone()), "{name}");
        format!("{first}  {name}.pdf\n")
    });
    let held = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/papers/sha256");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&held, list.concat()).expect("written");
    }
    let held = std::fs::read_to_string(held).expect("tests/papers/sha256");
    assert_eq!(list.concat(), held, "look at the papers, then: UPDATE=1 cargo test -p keiin-formats");
}

#[test]
fn a_character_that_the_font_lacks_is_reported_with_its_field() {
    let mut paper = papers::correction();
    paper.recipient.name = "𠮷田 𠮷子".into();
    paper.lines[0].description = "寿司🍣(特上)".into();
    paper.correction = paper.correction.map(|c| Correction { reason: "ا".into(), ..c });
    let wanted = [("/recipient/name", '𠮷'), ("/correction/reason", 'ا'), ("/lines/0/description", '🍣')]
        .map(|(field, character)| Missing { field: field.to_owned(), character });
    assert_eq!(missing(&paper), wanted, "once a field");
    match render(&paper) {
        Err(Error::Missing(found)) => assert_eq!(found, wanted),
        other => panic!("{other:?}"),
    }
    for (name, paper) in papers::all() {
        assert_eq!(missing(&paper), [], "{name}");
    }
}

#[test]
fn a_link_that_no_code_can_hold_is_refused() {
    for times in [20, 200] {
        let paper = Paper { verify_url: "https://keiin.example.jp/".repeat(times), ..papers::one_line() };
        assert!(matches!(render(&paper), Err(Error::VerifyUrl)), "{times}");
    }
}

/// Otherwise somebody's name would make a file that breaks the standard, or one in which nobody finds it.
#[test]
fn every_character_of_the_font_can_be_printed_and_copied_out() {
    // Some have no shape of their own: they join, break or choose a variant.
    let shapeless =
        |c: char| matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}');
    let all: String = (' '..='\u{2FFFF}').filter(|c| !c.is_control() && !shapeless(*c)).collect();
    let lacking: BTreeSet<char> =
        missing(&Paper { note: all.clone(), ..papers::one_line() }).into_iter().map(|m| m.character).collect();
    let note: String = all.chars().filter(|c| !lacking.contains(c)).collect();
    assert!(note.chars().count() > 11_700, "{}", note.chars().count());
    let found: BTreeSet<char> = drawn(&file(&Paper { note: note.clone(), ..papers::one_line() })).chars().collect();
    let lost: String = note.chars().filter(|c| !c.is_whitespace() && !found.contains(c)).collect();
    assert_eq!(lost, "", "{:?}", lost.chars().collect::<Vec<_>>());
}

#[test]
fn what_has_no_number_yet_says_that_it_is_a_draft() {
    let paper = Paper { number: String::new(), verify_url: String::new(), ..papers::forty_lines() };
    let text = poppler::text(&file(&paper));
    assert!(text.contains("下書き  発行前の確認用です。") || text.contains("下書き 発行前の確認用です。"), "{text}");
    assert_eq!(text.matches("下書き").count(), 3, "on every page");
    assert_in_its_place("draft", &paper);
}

/// No word lies over another one, over the edge of what is printed, or over the code.
fn assert_in_its_place(name: &str, paper: &Paper) {
    let words = poppler::words(&file(paper));
    let code = [20.0 * MM, 269.0 * MM, 37.0 * MM, 286.0 * MM];
    for word in &words {
        let [left, top, right, bottom] = word.at;
        let inside = left >= 20.0 * MM - 0.5 && right <= 192.0 * MM + 1.5 && top >= 15.0 * MM && bottom <= 288.0 * MM;
        assert!(inside, "{name}: {word:?} is off the paper");
        let free = paper.verify_url.is_empty() || word.page > 0 || !overlap(word.at, code);
        assert!(free, "{name}: {word:?} lies over the code");
    }
    for (at, word) in words.iter().enumerate() {
        let under = words[at + 1..].iter().take_while(|other| other.page == word.page);
        let found: Vec<&Word> = under.filter(|other| overlap(word.at, other.at)).collect();
        assert!(found.is_empty(), "{name}: {word:?} lies over {found:?}");
    }
}

/// More than a hair's breadth.
fn overlap(a: [f32; 4], b: [f32; 4]) -> bool {
    const HAIR: f32 = 0.3;
    a[0] + HAIR < b[2] && b[0] + HAIR < a[2] && a[1] + HAIR < b[3] && b[1] + HAIR < a[3]
}

#[test]
fn nothing_lies_over_anything_else() {
    for (name, paper) in papers::all() {
        assert_in_its_place(name, &paper);
    }
}

#[test]
fn a_hundred_lines_as_long_as_they_may_be_find_their_place() {
    for document_type in DocumentType::ALL {
        let paper = papers::longest(*document_type);
        assert_in_its_place(&format!("{document_type:?}"), &paper);
    }
    let text = drawn(&file(&papers::longest(DocumentType::Invoice)));
    let marked = format!("{}※", squeezed(&papers::longest(DocumentType::Invoice).lines[0].description));
    assert_eq!(text.matches(&marked).count(), 98, "all but two are at the reduced rate");
    assert_eq!(text.matches("▲81,111,111,111,111").count(), 100 + 2 + 1, "and in the table of rates");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_figure_stands_on_the_paper(
        lines in proptest::collection::vec((-999_999_999i64..99_999_999_999, 0usize..3, 1i64..9_999), 1..12),
        inclusive in any::<bool>(),
        withheld in proptest::option::of(0i64..99_999_999),
        document_type in 0usize..7,
    ) {
        let lines = lines.into_iter().map(|(amount, rate, count)| keiin_domain::document::Line {
            amount: Money::yen(amount),
            tax_inclusive: inclusive,
            quantity: Decimal(count),
            unit_price: Decimal(amount),
            ..papers::line("保守", "1", "式", "1", TaxRate::ALL[rate])
        });
        let document_type = DocumentType::ALL[document_type];
        let withholding = withheld.map(Money::yen);
        let paper = Paper { lines: lines.collect(), withholding, document_type, ..papers::one_line() };
        let paper = papers::totalled(paper);
        let found = tokens(&file(&paper));
        let mut wanted: Vec<i64> = paper.lines.iter().map(|line| line.amount.amount).collect();
        let totals = &paper.totals;
        wanted.extend([totals.subtotal, totals.tax, totals.total].map(|money| money.amount));
        wanted.extend(totals.by_rate.iter().flat_map(|part| {
            [part.subtotal.amount, part.tax.amount, part.subtotal.amount + part.tax.amount]
        }));
        wanted.extend(withheld.iter().flat_map(|withheld| [-withheld, totals.total.amount - withheld]));
        for amount in wanted {
            prop_assert!(found.contains(&written(amount)), "{} is not in {found:?}", written(amount));
        }
        let payable = written(totals.total.amount - withheld.unwrap_or(0));
        let sum = payable.strip_prefix('▲').map_or(format!("¥{payable}-"), |digits| format!("▲¥{digits}-"));
        prop_assert!(found.contains(&sum), "{sum} is not in {found:?}");
    }
}

/// An amount as it must stand there, written by other means than the crate's.
fn written(amount: i64) -> String {
    let (mut rest, mut groups) = (amount.unsigned_abs(), Vec::new());
    while rest >= 1000 {
        groups.insert(0, format!("{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.insert(0, rest.to_string());
    format!("{}{}", if amount < 0 { "▲" } else { "" }, groups.join(","))
}
