//! The table of lines: columns as wide as their figures need, the rest for the descriptions; a row is never split, and every
//! page begins with the head again.

use keiin_domain::document::Line;
use keiin_domain::tax::TaxRate;

use super::face::Style;
use super::sheet::{ACCENT, Align, HAIR, INK, LEFT, RIGHT, Sheet, TINT, baseline};
use super::words;

/// Largest first: a table takes the first at which the descriptions have room.
const SIZES: [f32; 7] = [9.0, 8.5, 8.0, 7.5, 7.0, 6.5, 6.0];
/// The descriptions' share of the width.
const SHARE: f32 = 0.36;
/// Left and right in a cell.
const PAD: f32 = 5.0;
/// Above and below a row's text.
const AIR: f32 = 4.5;
const HEAD: f32 = 20.0;
const LABELS: [&str; 6] = ["品名", "数量", "単位", "単価", "税率", "金額"];
const ALIGN: [Align; 6] = [Align::Left, Align::Right, Align::Centre, Align::Right, Align::Centre, Align::Right];

/// Draws all lines, over as many pages as it takes.
pub fn draw(sheet: &mut Sheet, lines: &[Line]) {
    let table = Table::fit(lines);
    // The head never stands alone.
    let first = table.rows.first().map_or(0.0, |row| table.height(row));
    sheet.need(HEAD + first);
    table.head(sheet);
    for row in &table.rows {
        let height = table.height(row);
        if sheet.need(height) {
            table.head(sheet);
        }
        table.row(sheet, row, height);
    }
    sheet.rule(LEFT, RIGHT, sheet.y, 0.8, ACCENT);
}

/// Cells of one row, each in lines.
type Row = [Vec<String>; 6];

struct Table {
    style: Style,
    /// Left edges of the columns, and the right edge of the last.
    edges: [f32; 7],
    rows: Vec<Row>,
}

impl Table {
    fn fit(lines: &[Line]) -> Table {
        let mut fitted = None;
        for size in SIZES {
            let widths = figures(lines, size);
            let rest = RIGHT - LEFT - widths.iter().sum::<f32>();
            fitted = Some((size, widths, rest));
            if rest >= SHARE * (RIGHT - LEFT) {
                break;
            }
        }
        let (size, widths, rest) = fitted.expect("there are sizes");
        let mut edges = [LEFT; 7];
        let all = std::iter::once(rest).chain(widths);
        for (at, width) in all.enumerate() {
            edges[at + 1] = edges[at] + width;
        }
        let style = Style::regular(size);
        let rows = lines.iter().map(|line| cells(line, style, rest - 2.0 * PAD)).collect();
        Table { style, edges, rows }
    }

    fn leading(&self) -> f32 {
        self.style.size * 1.42
    }

    fn height(&self, row: &Row) -> f32 {
        let lines = row.iter().map(Vec::len).max().unwrap_or(1);
        lines as f32 * self.leading() + 2.0 * AIR
    }

    fn head(&self, sheet: &mut Sheet) {
        let top = sheet.y;
        sheet.rect([LEFT, top, RIGHT - LEFT, HEAD], Some(TINT), None);
        sheet.rule(LEFT, RIGHT, top, 0.8, ACCENT);
        for (at, label) in LABELS.iter().enumerate() {
            let style = Style::bold(8.0);
            sheet.text(self.anchor(at), baseline(top, HEAD, 8.0), ALIGN[at], label, style, ACCENT);
        }
        sheet.y = top + HEAD;
        sheet.rule(LEFT, RIGHT, sheet.y, 0.5, ACCENT);
    }

    fn row(&self, sheet: &mut Sheet, row: &Row, height: f32) {
        for (at, cell) in row.iter().enumerate() {
            for (nth, text) in cell.iter().enumerate() {
                let top = sheet.y + AIR + nth as f32 * self.leading();
                let line = baseline(top, self.leading(), self.style.size);
                sheet.text(self.anchor(at), line, ALIGN[at], text, self.style, INK);
            }
        }
        sheet.y += height;
        sheet.rule(LEFT, RIGHT, sheet.y, 0.4, HAIR);
    }

    /// Where a column's text is held.
    fn anchor(&self, column: usize) -> f32 {
        let (left, right) = (self.edges[column], self.edges[column + 1]);
        match ALIGN[column] {
            Align::Left => left + PAD,
            Align::Centre => (left + right) / 2.0,
            Align::Right => right - PAD,
        }
    }
}

/// Widths of all columns but the first, at this size.
fn figures(lines: &[Line], size: f32) -> [f32; 5] {
    let style = Style::regular(size);
    let widest = |label: &str, least: f32, text: &dyn Fn(&Line) -> String| {
        let label = Style::bold(8.0).width(label).max(least);
        lines.iter().map(|line| style.width(&text(line))).fold(label, f32::max) + 2.0 * PAD
    };
    let unit = widest("単位", 18.0, &|line| line.unit.clone()).min(unit_width(size) + 2.0 * PAD);
    [
        widest("数量", 26.0, &|line| words::decimal(line.quantity)),
        unit,
        widest("単価", 44.0, &|line| words::decimal(line.unit_price)),
        widest("税率", 22.0, &|line| words::rate(line.tax_rate).to_owned()),
        widest("金額", 56.0, &|line| words::figure(line.amount)),
    ]
}

/// Longer units are wrapped.
fn unit_width(size: f32) -> f32 {
    size * 5.0
}

fn cells(line: &Line, style: Style, width: f32) -> Row {
    let mark = if line.tax_rate == TaxRate::Reduced { words::REDUCED_MARK } else { "" };
    let description = format!("{} {mark}", line.description);
    [
        style.wrap(description.trim_end(), width),
        vec![words::decimal(line.quantity)],
        style.wrap(&line.unit, unit_width(style.size)),
        vec![words::decimal(line.unit_price)],
        vec![words::rate(line.tax_rate).to_owned()],
        vec![words::figure(line.amount)],
    ]
}
