//! Tables as CSV and back: encodings, what spreadsheets would run, names that CP932 lacks.

use keiin_domain::date::Date;
use keiin_domain::document::{DocumentStatus, DocumentType};
use keiin_domain::money::{Money, Rounding};
use keiin_domain::tax::{self, TaxRate};
use keiin_formats::csv::{
    Cell, Encoding, Error, HEADERS_EN, HEADERS_JA, Language, Row, Table, Unmappable, documents, open, read,
};
use proptest::prelude::*;

fn table(rows: &[&[&str]]) -> Table {
    let row = |row: &&[&str]| row.iter().map(|text| Cell::Text((*text).to_owned())).collect();
    Table { columns: vec!["名前".into(), "備考".into()], rows: rows.iter().map(row).collect() }
}

fn texts(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|text| (*text).to_owned()).collect()).collect()
}

fn lost(row: usize, column: usize, character: char, written: char) -> Unmappable {
    Unmappable { row, column, character, written }
}

/// Fixtures of names and notes: characters that CP932 has beyond JIS X 0208, one that it lacks, half-width kana, CRLF, quotes.
const PEOPLE: &[&[&str]] =
    &[&["髙橋 一郎", "㈱ミナト、①番"], &["山﨑 花子", "ﾔﾏｻﾞｷ ﾊﾅｺ"], &["𠮷田 太郎", "一行目\r\n二行目 \"至急\", 済"]];

#[test]
fn bytes_are_those_of_rfc_4180_with_a_mark_for_excel() {
    let table = table(&[&["a,b", "c\"d"], &["", "x"]]);
    let body = "名前,備考\r\n\"a,b\",\"c\"\"d\"\r\n,x\r\n";
    assert_eq!(table.write(Encoding::Utf8).bytes, body.as_bytes());
    assert_eq!(table.write(Encoding::Utf8Bom).bytes, [b"\xEF\xBB\xBF", body.as_bytes()].concat());
    let cp932 = table.write(Encoding::Cp932);
    assert_eq!(&cp932.bytes[..11], b"\x96\xBC\x91\x4F,\x94\xF5\x8D\x6C\r\n");
    assert!(cp932.unmappable.is_empty());
}

#[test]
fn names_beyond_shift_jis_survive_and_what_is_lost_is_reported() {
    let file = table(PEOPLE).write(Encoding::Cp932);
    assert_eq!(file.unmappable, [lost(4, 1, '𠮷', '〓')]);
    let (encoding, rows) = read(&file.bytes).unwrap();
    assert_eq!(encoding, Encoding::Cp932);
    let mut expected = texts(&[&["名前", "備考"]]);
    expected.extend(texts(PEOPLE));
    expected[3][0] = "〓田 太郎".into();
    assert_eq!(rows, expected);

    let file = table(&[&["¥1,000〜", "−5 \\"], &["é", "😀😀"]]).write(Encoding::Cp932);
    let expected = [
        lost(2, 1, '¥', '￥'),
        lost(2, 1, '〜', '～'),
        lost(2, 2, '−', '－'),
        lost(3, 1, 'é', '〓'),
        lost(3, 2, '😀', '〓'),
        lost(3, 2, '😀', '〓'),
    ];
    assert_eq!(file.unmappable, expected);
    let rows = read(&file.bytes).unwrap().1;
    assert_eq!(rows[1..], texts(&[&["￥1,000～", "'－5 \\"], &["〓", "〓〓"]]));
    for encoding in [Encoding::Utf8, Encoding::Utf8Bom] {
        assert!(table(PEOPLE).write(encoding).unmappable.is_empty());
    }
}

#[test]
fn what_looks_like_a_formula_is_text_in_a_spreadsheet() {
    let formulas = [
        "=HYPERLINK(\"http://evil.example\",\"開く\")",
        "+81-3-0000-0000",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "＋1",
        "－1",
        "＠1",
        "−1",
    ];
    let mut table = Table { columns: vec!["=A1".into()], rows: Vec::new() };
    table.rows = formulas.iter().map(|text| vec![Cell::Text((*text).to_owned())]).collect();
    for encoding in [Encoding::Utf8Bom, Encoding::Cp932] {
        for (row, cells) in read(&table.write(encoding).bytes).unwrap().1.iter().enumerate() {
            assert!(cells[0].starts_with('\''), "{encoding:?} {row}: {cells:?}");
        }
    }
    let rows = read(&table.write(Encoding::Utf8).bytes).unwrap().1;
    assert_eq!(rows[0], ["=A1"], "nothing is changed for programs");
    assert_eq!(rows[1..].iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), formulas);

    let numbers = vec![Cell::Number(-1_500), Cell::Date(Date::of(2026, 11, 22)), Cell::Text("a=b".into())];
    let table = Table { columns: vec![], rows: vec![numbers] };
    let rows = read(&table.write(Encoding::Utf8Bom).bytes).unwrap().1;
    assert_eq!(rows.last().unwrap(), &["-1500", "2026-11-22", "a=b"]);
}

#[test]
fn any_separator_is_known_and_every_row_says_its_line() {
    let file = "name;note\r\n\r\nA;\"two\r\nlines; one cell\"\r\n;\r\nB;=1+1\r\n";
    let sheet = open(file.as_bytes()).unwrap();
    let found: Vec<_> = sheet.rows.iter().map(|row| (row.line, row.cells.join("|"))).collect();
    let expected = [(1, "name|note"), (3, "A|two\r\nlines; one cell"), (6, "B|=1+1")];
    assert_eq!(found, expected.map(|(line, cells)| (line, cells.to_owned())));
    assert_eq!((sheet.separator, sheet.encoding), (';', Encoding::Utf8));
    assert_eq!(open(b"a\tb;c\td\n").unwrap().separator, '\t');
    assert_eq!(open(b"\"a;b;c\",d\n").unwrap().separator, ',');
    assert_eq!(open(b"").unwrap().rows, []);
    assert_eq!(open(b"a,b\n\nc,\xFF\n").unwrap_err(), Error::Bytes { row: 3, column: 2 });
}

#[test]
fn files_of_other_programs_are_read() {
    let expected = texts(&[&["名前", "電話"], &["髙橋", "03-0000-0000"], &["a\nb", ""]]);
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("名前,電話{end}髙橋,03-0000-0000{end}{end}\"a\nb\",{end}");
        assert_eq!(read(text.as_bytes()), Ok((Encoding::Utf8, expected.clone())), "{end:?}");
        assert_eq!(read(format!("\u{FEFF}{text}").as_bytes()), Ok((Encoding::Utf8Bom, expected.clone())));
        let unended = text.trim_end_matches(['\r', '\n']);
        assert_eq!(read(unended.as_bytes()), Ok((Encoding::Utf8, expected.clone())));
        let (cp932, _, _) = encoding_rs::SHIFT_JIS.encode(&text);
        assert_eq!(read(&cp932), Ok((Encoding::Cp932, expected.clone())));
    }
    assert_eq!(read(b""), Ok((Encoding::Utf8, Vec::new())));
    assert_eq!(read(b"\xEF\xBB\xBF"), Ok((Encoding::Utf8Bom, Vec::new())));
    assert_eq!(read(b"a\nb,c,d\n").unwrap().1, texts(&[&["a"], &["b", "c", "d"]]), "lengths differ");
    let (kana, _, _) = encoding_rs::SHIFT_JIS.encode("髙橋,ﾐｷ\n");
    assert_eq!(read(&kana), Ok((Encoding::Cp932, texts(&[&["髙橋", "ﾐｷ"]]))));
    // 表, ソ and 能 end in a byte that is a backslash elsewhere.
    assert_eq!(read(b"\x95\x5C,\x83\x5C\x94\x5C\r\n").unwrap().1, texts(&[&["表", "ソ能"]]));
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let cases: [(&[u8], usize, usize); 6] = [
        (b"a,b\r\nc,\xFF\r\n", 2, 2),
        (b"\xEF\xBB\xBFa\r\n\x96\xBC\r\n", 2, 1),
        (b"\x96\xBC\n\x94,1\n", 2, 1),
        (b"\xFF\xFEa\0,\0b\0\r\0\n\0", 1, 1),
        (b"a\0b\n", 1, 1),
        (b"\x80\n", 1, 1),
    ];
    for (bytes, row, column) in cases {
        assert_eq!(read(bytes), Err(Error::Bytes { row, column }), "{bytes:?}");
    }
    // One bad character in UTF-8, of which CP932 could make something: 縺 and the like.
    let broken = ["名前,メモ\n山田,メモ\n鈴木,".as_bytes(), b"\xE3\x81\n"].concat();
    assert_eq!(read(&broken), Err(Error::Bytes { row: 3, column: 2 }));
    assert_eq!(read(b"a,b\n\"c,d\ne,f\n"), Err(Error::Quote { row: 2 }));
    let message = read(b"a\n\xFF").unwrap_err().to_string();
    assert!(message.starts_with("row 2, column 1 is neither UTF-8 nor Shift_JIS (CP932): save"), "{message}");
}

#[test]
fn the_list_for_an_inspection() {
    let lines =
        [(TaxRate::Reduced, Money::yen(999)), (TaxRate::Standard, Money::yen(1_001)), (TaxRate::Zero, Money::yen(-50))];
    let row = Row {
        document_type: DocumentType::Invoice,
        number: "INV-2026-0042".into(),
        revision: 2,
        issued_on: Some(Date::of(2026, 11, 22)),
        date: Date::of(2026, 11, 20),
        date_due: None,
        counterparty: "=髙﨑商店".into(),
        counterparty_registration_number: "T4011001098993".into(),
        title: "十一月分".into(),
        totals: tax::totals(&lines, false, Rounding::Floor).unwrap(),
        withholding: Money::yen(0),
        paid: Money::yen(2_129),
        status: DocumentStatus::Paid,
        pdf_sha256: Some([0xab; 32]),
        position: 77,
    };
    let unprinted = Row { document_type: DocumentType::Receipt, pdf_sha256: None, ..row.clone() };
    let rows = [row, unprinted];
    let japanese = documents(&rows, Language::Ja);
    assert!(japanese.rows.iter().all(|row| row.len() == HEADERS_JA.len()));
    let (_, read_back) = read(&japanese.write(Encoding::Cp932).bytes).unwrap();
    let hash = "ab".repeat(32);
    let expected = [
        "請求書",
        "INV-2026-0042",
        "2",
        "2026-11-22",
        "2026-11-20",
        "",
        "'=髙﨑商店",
        "T4011001098993",
        "十一月分",
        "1001",
        "100",
        "999",
        "79",
        "-50",
        "2129",
        "0",
        "2129",
        "入金済み",
        hash.as_str(),
        "77",
    ];
    assert_eq!(read_back[0], HEADERS_JA);
    assert_eq!(read_back[1], expected);
    let (_, read_back) = read(&documents(&rows, Language::En).write(Encoding::Utf8).bytes).unwrap();
    assert_eq!(read_back[0], HEADERS_EN);
    assert_eq!(
        (read_back[2][0].as_str(), read_back[2][17].as_str(), read_back[2][18].as_str()),
        ("Receipt", "Paid", "")
    );
}

/// Cells of all sorts, but neither zero bytes nor a byte order mark, which say that a file is something else.
fn cells() -> impl Strategy<Value = Vec<Vec<String>>> {
    let cell = prop_oneof!["[^\0\u{FEFF}]{0,12}", "[,\"\r\n' =a表]{0,8}", "[ぁ-んァ-ヶ亜-腕ｱ-ﾝ髙﨑]{0,8}"];
    prop::collection::vec(prop::collection::vec(cell, 1..5), 1..8)
}

fn of(rows: &[Vec<String>]) -> Table {
    let body = rows[1..].iter().map(|row| row.iter().cloned().map(Cell::Text).collect());
    Table { columns: rows[0].clone(), rows: body.collect() }
}

proptest! {
    #[test]
    fn utf8_reads_as_it_was_written(rows in cells()) {
        prop_assert_eq!(read(&of(&rows).write(Encoding::Utf8).bytes), Ok((Encoding::Utf8, rows)));
    }

    /// With the mark, and in CP932 where nothing is lost: the same but for the sign that makes formulas harmless.
    #[test]
    fn excels_files_read_as_they_were_written(rows in cells()) {
        let table = of(&rows);
        let formulas = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '−'];
        let mut expected = rows;
        for cell in expected.iter_mut().flatten().filter(|cell| cell.starts_with(formulas)) {
            cell.insert(0, '\'');
        }
        prop_assert_eq!(read(&table.write(Encoding::Utf8Bom).bytes), Ok((Encoding::Utf8Bom, expected.clone())));
        let file = table.write(Encoding::Cp932);
        for found in &file.unmappable {
            let cell = &mut expected[found.row - 1][found.column - 1];
            prop_assert!(cell.contains(found.character));
            *cell = cell.replacen(found.character, &found.written.to_string(), 1);
        }
        // Of a few cells half may make sense as Japanese in UTF-8, too: then the reader asks and does not guess.
        let opened = read(&file.bytes);
        prop_assume!(!matches!(opened, Err(Error::Bytes { .. })));
        let (encoding, read_back) = opened.unwrap();
        // A file of two half-width kana, ﾂｱ, is ± in UTF-8: no reader can know.
        if encoding == Encoding::Cp932 || expected.iter().flatten().all(|cell| cell.is_ascii()) {
            prop_assert_eq!(read_back, expected);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }
}
