//! A visit in each row of a table, in columns of any order with names in Japanese or English.

use keiin_domain::date::Date;
use keiin_domain::visit::{RegisterVisit, VisitorLanguage, Weekday};
use keiin_formats::csv::Record;
use keiin_projections::member::Colleague;
use uuid::Uuid;

use crate::import::{Column, Rows, column};
use crate::problem::Problem;

/// Every column that is read.
pub const COLUMNS: &[Column] = &[
    column("visitor_name", "来訪者", "Visitor", &["氏名", "来訪者名", "name", "visitor name"]),
    column("visitor_kana", "ふりがな", "Reading", &["フリガナ", "よみがな", "kana"]),
    column("visitor_company", "会社名", "Company", &["会社"]),
    column("visitor_email", "メールアドレス", "Email", &["メール", "email address", "e-mail"]),
    column("visitor_language", "言語", "Language", &[]),
    column("host_id", "担当者", "Host", &["訪問先", "担当"]),
    column("co_hosts", "同席者", "Co-hosts", &["応対者"]),
    column("location", "場所", "Place", &["location"]),
    column("starts_at", "開始", "Starts", &["開始日時", "start"]),
    column("ends_at", "終了", "Ends", &["終了日時", "end"]),
    column("weekdays", "曜日", "Weekdays", &[]),
    column("note", "備考", "Note", &[]),
];

/// A file's rows, if they say who comes, where and when.
pub fn read(bytes: &[u8]) -> Result<Rows, Problem> {
    Rows::read(bytes, COLUMNS, &["visitor_name", "location", "starts_at", "ends_at"], "import.no_column")
}

/// The company's members, by whom a row names.
pub struct Directory {
    members: Vec<Colleague>,
    /// The host where a row names none.
    me: Option<Uuid>,
}

impl Directory {
    /// All of them.
    pub fn new(members: Vec<Colleague>, me: Option<Uuid>) -> Directory {
        Directory { members, me }
    }

    /// Whose name or address this is; nobody's, where it is two persons'.
    fn find(&self, text: &str) -> Option<Uuid> {
        let plain = |text: &str| text.split_whitespace().collect::<String>().to_lowercase();
        let wanted = plain(text);
        let is = |one: &&Colleague| plain(&one.name) == wanted || one.email.eq_ignore_ascii_case(text.trim());
        let mut found = self.members.iter().filter(is);
        found.next().filter(|_| found.next().is_none()).map(|one| one.id)
    }
}

/// A row as the API takes it, and what of it cannot be understood, with the field.
pub struct Row {
    /// Without what was not understood.
    pub visit: RegisterVisit,
    /// Codes and fields.
    pub faults: Vec<(&'static str, String)>,
}

/// Reads a row.
pub fn visit(rows: &Rows, row: &Record, members: &Directory) -> Row {
    let text = |field: &str| rows.text(row, field);
    let mut faults = vec![];
    let mut fault = |code, field: &str| faults.push((code, field.to_owned()));
    let host = match text("host_id") {
        none if none.is_empty() => members.me,
        named => members.find(&named),
    };
    if host.is_none() {
        fault("import.unknown_host", "host_id");
    }
    let beside = text("co_hosts");
    let named = beside.split([';', '、', ',', '；', '，', '\n']).filter(|name| !name.trim().is_empty());
    let co_hosts: Option<Vec<Uuid>> = named.map(|name| members.find(name)).collect();
    if co_hosts.is_none() {
        fault("import.unknown_host", "co_hosts");
    }
    let language = language(&text("visitor_language"));
    if language.is_none() {
        fault("import.bad_language", "visitor_language");
    }
    let weekdays = weekdays(&text("weekdays"));
    if weekdays.is_none() {
        fault("import.bad_weekday", "weekdays");
    }
    let visit = RegisterVisit {
        visitor_name: text("visitor_name"),
        visitor_kana: text("visitor_kana"),
        visitor_company: text("visitor_company"),
        visitor_email: text("visitor_email"),
        visitor_language: language.flatten(),
        // Whoever is not known is told already; the other rules are asked for somebody who is.
        host_id: host.or(members.me).unwrap_or_default(),
        co_hosts: co_hosts.unwrap_or_default(),
        location: text("location"),
        starts_at: instant(&text("starts_at")),
        ends_at: instant(&text("ends_at")),
        weekdays: weekdays.unwrap_or_default(),
        note: text("note"),
        ..RegisterVisit::default()
    };
    Row { visit, faults }
}

fn language(text: &str) -> Option<Option<VisitorLanguage>> {
    Some(match text.to_ascii_lowercase().as_str() {
        "" => None,
        "ja" | "日本語" | "japanese" => Some(VisitorLanguage::Ja),
        "en" | "英語" | "english" => Some(VisitorLanguage::En),
        _ => return None,
    })
}

/// `月水金`, `月・水・金`, `mon wed fri`.
fn weekdays(text: &str) -> Option<Vec<Weekday>> {
    let parted = text.split(|c: char| c.is_whitespace() || ",、・;/".contains(c)).filter(|part| !part.is_empty());
    let mut days = vec![];
    for part in parted {
        match Weekday::from_name(&part.to_ascii_lowercase()) {
            Some(day) => days.push(day),
            None => days.extend(part.chars().map(kanji).collect::<Option<Vec<_>>>()?),
        }
    }
    Some(days)
}

fn kanji(c: char) -> Option<Weekday> {
    "月火水木金土日".chars().position(|day| day == c).map(|at| Weekday::ALL[at])
}

/// RFC 3339 of `2026-11-02 9:00`, `2026/11/2 09:00` and their like in Japan; anything else as it is, for the rule to judge.
fn instant(text: &str) -> String {
    let read = || {
        let (day, clock) = text.trim().split_once([' ', 'T', '\u{3000}'])?;
        let day: Vec<u32> = day.split(['-', '/', '.']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let clock: Vec<u32> = clock.trim().split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let ([year, month, day], [hour, minute, ..]) = (&day[..], &clock[..]) else { return None };
        let date = Date::parse(&format!("{year:04}-{month:02}-{day:02}"))?;
        (*hour < 24 && *minute < 60 && clock.len() <= 3).then(|| format!("{date}T{hour:02}:{minute:02}:00+09:00"))
    };
    read().unwrap_or_else(|| text.to_owned())
}

/// Puts something that is right into a field, so that what else is wrong with the row shows. False if it is no column's.
pub fn mend(visit: &mut RegisterVisit, field: &str) -> bool {
    let (text, right) = match field {
        "visitor_name" => (&mut visit.visitor_name, "x"),
        "visitor_kana" => (&mut visit.visitor_kana, ""),
        "visitor_company" => (&mut visit.visitor_company, ""),
        "visitor_email" => (&mut visit.visitor_email, ""),
        "location" => (&mut visit.location, "x"),
        "starts_at" => (&mut visit.starts_at, "2000-01-01T00:00:00Z"),
        "ends_at" => {
            // Whatever was wrong with it: an hour after a start that can be read.
            let starts = keiin_domain::date::parse_instant(&visit.starts_at).unwrap_or(0);
            visit.ends_at = keiin_domain::date::instant(starts + 3_600 * 1_000_000);
            return true;
        }
        "weekdays" => {
            visit.weekdays = vec![];
            return true;
        }
        "note" => (&mut visit.note, ""),
        _ => return false,
    };
    *text = right.to_owned();
    true
}

/// The field that a rule's pointer names: `/co_hosts/0` is `co_hosts`.
pub fn field_of(pointer: &str) -> String {
    pointer.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use keiin_formats::csv::Encoding;

    use super::*;
    use crate::import::template;
    use crate::locale::Lang;

    fn members() -> Directory {
        let one =
            |n, name: &str, email: &str| Colleague { id: Uuid::from_u128(n), name: name.into(), email: email.into() };
        let all = vec![one(1, "佐藤 健", "ken@a.jp"), one(2, "田中 花子", "h1@a.jp"), one(3, "田中 花子", "h2@a.jp")];
        Directory::new(all, Some(Uuid::from_u128(9)))
    }

    #[test]
    fn a_row_is_read_in_the_words_of_people() {
        let file = "来訪者,場所,開始,終了,担当者,同席者,曜日,言語,番号\r\n\
            山本 さくら,本社,2026/11/2 9:00,2026-11-13T18:00,佐藤健,H1@a.jp；ken@a.jp,月・水金,英語,7\r\n\
            二,本社,2026-11-02T09:00:00+09:00,18時,田中 花子,,mon FRI,,\r\n\
            三,本社,2026/2/30 9:00,2026/11/2 24:00,,誰か,祝,仏語,\r\n";
        let rows = read(file.as_bytes()).unwrap();
        assert_eq!(rows.ignored(), ["番号"]);
        let row = visit(&rows, &rows.rows[0], &members());
        assert_eq!(row.faults, []);
        let v = row.visit;
        assert_eq!(
            (v.starts_at.as_str(), v.ends_at.as_str()),
            ("2026-11-02T09:00:00+09:00", "2026-11-13T18:00:00+09:00")
        );
        assert_eq!((v.host_id, v.co_hosts), (Uuid::from_u128(1), vec![Uuid::from_u128(2), Uuid::from_u128(1)]));
        assert_eq!(v.weekdays, [Weekday::Mon, Weekday::Wed, Weekday::Fri]);
        assert_eq!(v.visitor_language, Some(VisitorLanguage::En));

        let row = visit(&rows, &rows.rows[1], &members());
        assert_eq!(row.faults, [("import.unknown_host", "host_id".to_owned())], "two have this name");
        assert_eq!((row.visit.starts_at.as_str(), row.visit.ends_at.as_str()), ("2026-11-02T09:00:00+09:00", "18時"));
        assert_eq!(row.visit.weekdays, [Weekday::Mon, Weekday::Fri]);

        let row = visit(&rows, &rows.rows[2], &members());
        let told: Vec<&str> = row.faults.iter().map(|(_, field)| field.as_str()).collect();
        assert_eq!(told, ["co_hosts", "visitor_language", "weekdays"]);
        assert_eq!((row.visit.host_id, row.visit.starts_at.as_str()), (Uuid::from_u128(9), "2026/2/30 9:00"));
    }

    #[test]
    fn templates_are_understood_and_columns_mended() {
        for lang in Lang::ALL {
            let file = template(COLUMNS, lang).write(Encoding::Cp932).bytes;
            assert!(read(&file).unwrap().columns.iter().all(Option::is_some));
        }
        let told_before = ["visitor_language", "host_id", "co_hosts"];
        let mut visit = RegisterVisit::default();
        let mut columns = COLUMNS.iter().filter(|column| !told_before.contains(&column.field));
        assert!(columns.all(|column| mend(&mut visit, column.field)));
        assert_eq!(read(b"visitor_name,location,starts_at\n").map(|_| ()).unwrap_err().code, "import.no_column");
    }
}
