//! What follows the lines: tax by rate, the sums, where to pay, notes; and what stands at every page's lower edge.

use keiin_domain::document::DocumentType;
use keiin_domain::money::Money;
use keiin_domain::tax::TaxRate;

use super::face::Style;
use super::sheet::{ACCENT, Align, HAIR, HEIGHT, INK, LEFT, MM, RIGHT, SOFT, Sheet, TINT, TOP, baseline};
use super::{qr, words};
use crate::Paper;

/// Right edge of the table of rates.
const RATES: f32 = 106.0 * MM;
/// Left edge of the sums.
const SUMS: f32 = 122.0 * MM;
const ROW: f32 = 17.0;
/// The QR code is a square.
const CODE: f32 = 17.0 * MM;
/// How much of the first page the QR code takes above the other pages' foot.
pub const CODE_ROOM: f32 = 12.0 * MM;

/// Draws everything under the table.
pub fn draw(sheet: &mut Sheet, paper: &Paper) {
    let reduced = paper.lines.iter().any(|line| line.tax_rate == TaxRate::Reduced);
    let rates = ROW * (paper.totals.by_rate.len() + 1) as f32 + if reduced { 14.0 } else { 0.0 };
    let sums = sums(paper);
    let height = rates.max(ROW * sums.len() as f32 + 8.0);
    sheet.y += 5.0 * MM;
    if sheet.need(height) {
        sheet.y += 2.0 * MM;
    }
    let top = sheet.y;
    draw_rates(sheet, paper, top, reduced);
    draw_sums(sheet, &sums, top);
    sheet.y = top + height + 6.0 * MM;
    if paper.document_type == DocumentType::Invoice {
        prose(sheet, words::BANK, &paper.sender.bank_details);
    }
    prose(sheet, words::NOTE, &paper.note);
}

/// Tax by rate: what a qualified invoice must say. It shrinks until the largest figures fit.
fn draw_rates(sheet: &mut Sheet, paper: &Paper, top: f32, reduced: bool) {
    let tax = if paper.is_tax_inclusive() { "内消費税額" } else { "消費税額" };
    let head = ["区分", "税抜金額", tax, "税込金額"];
    let rows: Vec<[String; 4]> = paper
        .totals
        .by_rate
        .iter()
        .map(|part| {
            let sum = Money::yen(part.subtotal.amount.saturating_add(part.tax.amount));
            let figures = [part.subtotal, part.tax, sum].map(words::figure);
            let [subtotal, tax, sum] = figures;
            [words::rate_total(part.tax_rate).to_owned(), subtotal, tax, sum]
        })
        .collect();
    let widest = |size: f32, column: usize| {
        let style = Style::regular(size);
        rows.iter().map(|row| style.width(&row[column])).fold(0.0, f32::max)
    };
    let room = RATES - LEFT - 10.0;
    let wide = |size: f32| (0..4).map(|column| widest(size, column)).sum::<f32>() + 3.0 * 8.0;
    let size = if wide(8.5) <= room { 8.5 } else { 8.5 * (room - 24.0) / (wide(8.5) - 24.0) };
    let first = widest(size, 0).max(40.0);
    // Three columns of figures share the rest as they need it.
    let needs = [1, 2, 3].map(|column| widest(size, column));
    let spare = (room - first - needs.iter().sum::<f32>()) / 3.0;
    let mut right = LEFT + 5.0 + first;
    let anchors = needs.map(|need| {
        right += need + spare;
        right
    });

    sheet.rect([LEFT, top, RATES - LEFT, ROW], Some(TINT), None);
    sheet.rule(LEFT, RATES, top, 0.5, ACCENT);
    let line = baseline(top, ROW, 7.5);
    sheet.text(LEFT + 5.0, line, Align::Left, head[0], Style::bold(7.5), ACCENT);
    for (anchor, label) in anchors.iter().zip(&head[1..]) {
        sheet.text(*anchor, line, Align::Right, label, Style::bold(7.5), ACCENT);
    }
    let mut y = top + ROW;
    for row in &rows {
        let line = baseline(y, ROW, size);
        sheet.text(LEFT + 5.0, line, Align::Left, &row[0], Style::regular(size), INK);
        for (anchor, figure) in anchors.iter().zip(&row[1..]) {
            sheet.text(*anchor, line, Align::Right, figure, Style::regular(size), INK);
        }
        y += ROW;
        sheet.rule(LEFT, RATES, y, 0.4, HAIR);
    }
    if reduced {
        sheet.text(
            LEFT + 5.0,
            baseline(y + 3.0, 11.0, 7.5),
            Align::Left,
            words::REDUCED_LEGEND,
            Style::regular(7.5),
            SOFT,
        );
    }
}

/// Label and amount; `true` for those that count most.
fn sums(paper: &Paper) -> Vec<(String, Money, bool)> {
    let totals = &paper.totals;
    let [subtotal, tax] =
        if paper.is_tax_inclusive() { ["税抜金額", "内消費税額"] } else { ["小計(税抜)", "消費税額"] };
    let mut sums = vec![
        (subtotal.to_owned(), totals.subtotal, false),
        (tax.to_owned(), totals.tax, false),
        (words::TOTAL.to_owned(), totals.total, true),
    ];
    if let Some(withheld) = paper.withholding {
        sums.push(("源泉徴収税額".to_owned(), Money::yen(-withheld.amount), false));
        sums.push((format!("{}{}", words::LESS, words::of(paper.document_type).total), paper.payable(), true));
    }
    sums
}

fn draw_sums(sheet: &mut Sheet, sums: &[(String, Money, bool)], top: f32) {
    sheet.rule(SUMS, RIGHT, top, 0.5, ACCENT);
    let mut y = top;
    for (label, money, strong) in sums {
        let height = if *strong { ROW + 4.0 } else { ROW };
        let (style, size) = if *strong { (Style::bold(10.5), 10.5) } else { (Style::regular(9.0), 9.0) };
        let line = baseline(y, height, size);
        let (name, colour) = if *strong { (Style::bold(9.5), INK) } else { (Style::regular(8.5), SOFT) };
        if *strong {
            sheet.rect([SUMS, y, RIGHT - SUMS, height], Some(TINT), None);
        }
        let wide = sheet.text(SUMS + 5.0, line, Align::Left, label, name, colour) + 20.0;
        let figure = words::figure(*money);
        let style = style.within(&figure, RIGHT - SUMS - wide);
        sheet.text(RIGHT - 5.0, line, Align::Right, &figure, style, INK);
        y += height;
        let (width, colour) = if *strong { (0.8, ACCENT) } else { (0.4, HAIR) };
        sheet.rule(SUMS, RIGHT, y, width, colour);
    }
}

/// A label, and text beside it that may go on over several pages.
fn prose(sheet: &mut Sheet, label: &str, text: &str) {
    const LEADING: f32 = 13.5;
    if text.is_empty() {
        return;
    }
    let style = Style::regular(9.0);
    let x = LEFT + 24.0 * MM;
    let lines = style.wrap(text, RIGHT - x);
    // Short texts stay together.
    let whole = lines.len() as f32 * LEADING + 5.0;
    sheet.need(if lines.len() <= 15 { whole } else { 3.0 * LEADING });
    sheet.rule(LEFT, RIGHT, sheet.y, 0.4, HAIR);
    sheet.y += 5.0;
    sheet.text(LEFT + 5.0, baseline(sheet.y, LEADING, 9.0), Align::Left, label, Style::bold(8.5), ACCENT);
    for line in &lines {
        sheet.need(LEADING);
        sheet.text(x, baseline(sheet.y, LEADING, 9.0), Align::Left, line, style, INK);
        sheet.y += LEADING;
    }
    sheet.y += 3.0 * MM;
}

/// What the pages after the first begin with.
pub fn running(sheet: &mut Sheet, paper: &Paper) {
    let line = baseline(TOP, 12.0, 9.0);
    let title = words::of(paper.document_type).title;
    let wide = sheet.text(LEFT, line, Align::Left, title, Style::bold(9.5).tracked(0.15), ACCENT) + 20.0;
    let number = match paper.revision {
        _ if paper.number.is_empty() => words::DRAFT.to_owned(),
        0 | 1 => paper.number.clone(),
        revision => format!("{} {}", paper.number, words::revision(revision)),
    };
    let style = Style::regular(8.5).within(&number, RIGHT - LEFT - wide);
    sheet.text(RIGHT, line, Align::Right, &number, style, SOFT);
    sheet.rule(LEFT, RIGHT, TOP + 16.0, 0.6, ACCENT);
}

/// Page numbers on every page, and the code on the first.
pub fn edges(sheet: &mut Sheet, paper: &Paper) -> Result<(), qr::TooLong> {
    let line = HEIGHT - 11.0 * MM;
    for page in 0..sheet.pages() {
        sheet.go_to(page);
        let of = format!("{} / {}", page + 1, sheet.pages());
        sheet.text(RIGHT, line, Align::Right, &of, Style::regular(8.0), SOFT);
    }
    sheet.go_to(0);
    if paper.verify_url.is_empty() {
        return Ok(());
    }
    let rows = qr::rows(&paper.verify_url)?;
    let top = line - CODE;
    sheet.squares(LEFT, top, CODE / rows.len() as f32, rows);
    let x = LEFT + CODE + 4.0 * MM;
    let url = Style::regular(7.0).wrap(&paper.verify_url, RIGHT - x - 20.0 * MM);
    // More would grow into what stands above.
    if url.len() > 3 {
        return Err(qr::TooLong);
    }
    let caption = "この書類の発行を確認 / Verify".to_owned();
    let height = 12.0 + 9.5 * url.len() as f32;
    let y = sheet.lines(x, top + CODE - height, &[caption], Style::regular(8.0), 12.0, INK);
    sheet.lines(x, y, &url, Style::regular(7.0), 9.5, SOFT);
    Ok(())
}
