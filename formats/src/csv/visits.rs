//! The history of a reception: a row for every arrival, and one for each visit to which nobody came.

use keiin_domain::date::{ZONE_S, instant};

use super::{Cell, Language, Table};

const HEADERS_JA: [&str; 16] = [
    "状態", "来訪者", "読み", "会社", "担当", "場所", "予定(開始)", "予定(終了)", "到着", "退出", "予約", "来訪ID",
    "台帳位置", "到着(訂正前)", "退出(訂正前)", "訂正の理由",
];
const HEADERS_EN: [&str; 16] = [
    "Status", "Visitor", "Reading", "Company", "Host", "Place", "Expected from", "Expected until", "Arrived", "Left",
    "Appointment", "Visit", "Ledger position", "Arrived (recorded)", "Left (recorded)", "Correction",
];

/// One row. What is `None` or empty is an empty cell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VisitRow {
    /// `expected`, `arrived`, `left`, `no_show`, `cancelled`, `held` or `turned_away`.
    pub status: String,
    /// As they were known for this visit; empty once they were erased.
    pub visitor: String,
    /// Reading.
    pub kana: String,
    /// From where.
    pub company: String,
    /// Who was visited.
    pub host: String,
    /// Where.
    pub location: String,
    /// From when they were expected, microseconds UTC.
    pub starts_at_us: Option<i64>,
    /// Until when, microseconds UTC.
    pub ends_at_us: Option<i64>,
    /// When they came, as it was corrected last, microseconds UTC.
    pub arrived_at_us: Option<i64>,
    /// When they left, microseconds UTC.
    pub left_at_us: Option<i64>,
    /// Was not expected.
    pub walk_in: bool,
    /// Id of the visit.
    pub id: String,
    /// Of the record of the arrival; of the visit's last where nobody came.
    pub position: u64,
    /// When the records said that they came, where that was corrected, microseconds UTC.
    pub recorded_arrived_at_us: Option<i64>,
    /// When the records said that they left, where that was corrected, microseconds UTC.
    pub recorded_left_at_us: Option<i64>,
    /// Why it was corrected; empty where it was not.
    pub correction: String,
}

/// The history, in the order given; times in Japan.
pub fn visits(rows: &[VisitRow], language: Language) -> Table {
    let columns = if language == Language::Ja { HEADERS_JA } else { HEADERS_EN };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.iter().map(|row| cells(row, language)).collect() }
}

fn cells(row: &VisitRow, language: Language) -> Vec<Cell> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let time = |us: Option<i64>| Cell::Text(us.map(japan).unwrap_or_default());
    let appointment = match (row.walk_in, language) {
        (true, Language::Ja) => "予約なし",
        (false, Language::Ja) => "予約",
        (true, Language::En) => "walk-in",
        (false, Language::En) => "appointment",
    };
    vec![
        text(status(&row.status, language)),
        text(&row.visitor),
        text(&row.kana),
        text(&row.company),
        text(&row.host),
        text(&row.location),
        time(row.starts_at_us),
        time(row.ends_at_us),
        time(row.arrived_at_us),
        time(row.left_at_us),
        text(appointment),
        text(&row.id),
        Cell::Number(i64::try_from(row.position).expect("a ledger has fewer than 2^63 records")),
        time(row.recorded_arrived_at_us),
        time(row.recorded_left_at_us),
        text(&row.correction),
    ]
}

/// An instant as the clocks in Japan show it.
fn japan(us: i64) -> String {
    instant(us + ZONE_S * 1_000_000).replace('Z', "+09:00")
}

fn status(status: &str, language: Language) -> &str {
    let all = [
        ("expected", "予定", "expected"),
        ("arrived", "来訪中", "here"),
        ("left", "退出", "left"),
        ("no_show", "来訪なし", "no-show"),
        ("cancelled", "取消", "cancelled"),
        ("held", "受付で確認中", "at the reception"),
        ("turned_away", "お断り", "turned away"),
    ];
    let found = all.iter().find(|(name, ..)| *name == status);
    found.map_or(status, |(_, ja, en)| if language == Language::Ja { ja } else { en })
}

#[cfg(test)]
mod tests {
    use super::super::Encoding;
    use super::*;

    #[test]
    fn a_row_says_who_came_when_and_harms_nobody() {
        let row = VisitRow {
            status: "left".into(),
            visitor: "=HYPERLINK(1)".into(),
            company: "𠮷野\"商店\"".into(),
            arrived_at_us: Some(1_793_577_600_000_000),
            walk_in: true,
            position: 7,
            ..VisitRow::default()
        };
        let table = visits(&[row], Language::Ja);
        let file = table.write(Encoding::Utf8Bom);
        let text = String::from_utf8(file.bytes).expect("UTF-8");
        let second = text.lines().nth(1).expect("a row");
        let wanted = "退出,'=HYPERLINK(1),,\"𠮷野\"\"商店\"\"\",,,,,2026-11-02T09:00:00+09:00,,予約なし,,7,,,";
        assert_eq!(second, wanted);
        let lost = table.write(Encoding::Cp932).unmappable;
        assert_eq!(lost.iter().map(|one| one.character).collect::<String>(), "𠮷");
    }
}
