//! The cover sheet: address, greeting, what is enclosed. A4, to be folded in three at the marks on its left edge.

use super::{Cover, ERASED, address, finish, missing, service, texts};
use crate::pdf::face::Style;
use crate::pdf::sheet::{
    ACCENT, Align, HAIR, HEIGHT, INK, LEFT, MM, RED, RIGHT, SOFT, Sheet, TINT, TOP, WIDTH, baseline,
};
use crate::pdf::{Error, words};

/// What the window shows: from the page's upper left corner 20 to 106 mm across, 16 to 57 mm down.
const WINDOW: [f32; 4] = [LEFT, TOP, 86.0 * MM, 41.0 * MM];
/// Left edge of date and sender.
const COLUMN: f32 = 122.0 * MM;
const GREETING: [&str; 3] = [
    "拝啓 時下ますますご清栄のこととお慶び申し上げます。平素は格別のお引き立てを賜り、厚く御礼申し上げます。",
    "下記の書類をお送りいたします。ご査収くださいますようお願い申し上げます。",
    "敬具",
];

/// The file, of one page.
pub fn cover(cover: &Cover) -> Result<Vec<u8>, Error> {
    let mut all: Vec<(String, &str)> = cover.item.to.iter().flat_map(|to| texts("/to", to)).collect();
    all.push(("/from/name".to_owned(), &cover.from.name));
    all.push(("/from/address".to_owned(), &cover.from.address));
    for (at, one) in cover.enclosed.iter().enumerate() {
        all.push((format!("/documents/{at}/title"), &one.title));
    }
    missing(all)?;
    let mut sheet = Sheet::new(0.0);
    match &cover.item.to {
        Some(to) => address(&mut sheet, WINDOW, to, 1.0),
        None => drop(sheet.text(LEFT, TOP + 14.0, Align::Left, ERASED, Style::regular(10.0), RED)),
    }
    sender(&mut sheet, cover);
    for fold in [99.0, 198.0] {
        sheet.rule(0.0, 5.0 * MM, fold * MM, 0.3, HAIR);
    }
    let mut y = 74.0 * MM;
    let title = Style::regular(18.0).tracked(0.35);
    sheet.text(WIDTH / 2.0, baseline(y, 24.0, 18.0), Align::Centre, "書類送付のご案内", title, ACCENT);
    y += 14.0 * MM;
    sheet.rule(LEFT, RIGHT, y, 0.8, ACCENT);
    y += 8.0 * MM;
    let plain = Style::regular(10.0);
    for line in &GREETING[..2] {
        y = sheet.lines(LEFT, y, &plain.wrap(line, RIGHT - LEFT), plain, 17.0, INK);
    }
    sheet.text(RIGHT, baseline(y, 17.0, 10.0), Align::Right, GREETING[2], plain, INK);
    y += 17.0 + 4.0 * MM;
    y = message(&mut sheet, cover, y);
    sheet.text(WIDTH / 2.0, baseline(y, 17.0, 10.0), Align::Centre, "記", plain, INK);
    y += 17.0 + 3.0 * MM;
    y = enclosed(&mut sheet, cover, y);
    sheet.text(RIGHT, baseline(y, 17.0, 10.0), Align::Right, "以上", plain, INK);
    let line = HEIGHT - 11.0 * MM;
    sheet.text(LEFT, line, Align::Left, &cover.item.reference, Style::regular(8.0), SOFT);
    sheet.text(RIGHT, line, Align::Right, &service(&cover.item), Style::regular(8.0), SOFT);
    finish(sheet, "書類送付のご案内", &cover.item.reference, &cover.from.name, cover.date)
}

/// Date and sender, on the right.
fn sender(sheet: &mut Sheet, cover: &Cover) {
    let width = RIGHT - COLUMN;
    let small = Style::regular(9.0);
    sheet.text(RIGHT, baseline(TOP, 14.0, 9.0), Align::Right, &words::date(cover.date), small, INK);
    let mut y = TOP + 12.0 * MM;
    let name = Style::regular(11.0);
    let lines = name.wrap_at_spaces(&cover.from.name, width);
    y = sheet.lines(COLUMN, y, &lines, name, 15.5, INK) + 2.0;
    if !cover.from.address.is_empty() {
        let style = Style::regular(8.5);
        sheet.lines(COLUMN, y, &style.wrap_at_spaces(&cover.from.address, width), style, 12.5, INK);
    }
}

/// What the sender wrote; smaller where it is long.
fn message(sheet: &mut Sheet, cover: &Cover, top: f32) -> f32 {
    let text = cover.item.to.as_ref().map_or("", |to| to.message.as_str());
    if text.is_empty() {
        return top;
    }
    let room = 62.0 * MM;
    let mut size = 10.0;
    let (style, lines) = loop {
        let style = Style::regular(size);
        let lines = style.wrap(text, RIGHT - LEFT);
        if lines.len() as f32 * size * 1.6 <= room || size < 3.0 {
            break (style, lines);
        }
        size -= 0.5;
    };
    sheet.lines(LEFT, top, &lines, style, style.size * 1.6, INK) + 6.0 * MM
}

/// The documents, a row each; at most twenty.
fn enclosed(sheet: &mut Sheet, cover: &Cover, top: f32) -> f32 {
    const HEAD: f32 = 18.0;
    let bottom = HEIGHT - 26.0 * MM;
    let row = ((bottom - top - HEAD) / cover.enclosed.len().max(1) as f32).clamp(8.0, 19.0);
    let size = (row * 0.5).min(9.5);
    let columns = [LEFT + 5.0, LEFT + 32.0 * MM, LEFT + 70.0 * MM];
    sheet.rect([LEFT, top, RIGHT - LEFT, HEAD], Some(TINT), None);
    sheet.rule(LEFT, RIGHT, top, 0.8, ACCENT);
    let label = Style::regular(8.0);
    for (x, text) in columns.iter().zip(["書類", "番号", "件名"]) {
        sheet.text(*x, baseline(top, HEAD, 8.0), Align::Left, text, label, ACCENT);
    }
    sheet.text(RIGHT - 5.0, baseline(top, HEAD, 8.0), Align::Right, "枚数", label, ACCENT);
    let mut y = top + HEAD;
    sheet.rule(LEFT, RIGHT, y, 0.5, ACCENT);
    for one in &cover.enclosed {
        let line = baseline(y, row, size);
        let style = Style::regular(size);
        let pages = format!("{}枚", one.pages);
        let room = RIGHT - 10.0 - style.width(&pages) - columns[2];
        sheet.text(
            columns[0],
            line,
            Align::Left,
            one.document_type.map_or("添付資料", |kind| words::of(kind).title),
            style,
            INK,
        );
        let number = style.within(&one.number, columns[2] - columns[1] - 6.0);
        sheet.text(columns[1], line, Align::Left, &one.number, number, INK);
        sheet.text(columns[2], line, Align::Left, &one.title, style.within(&one.title, room), INK);
        sheet.text(RIGHT - 5.0, line, Align::Right, &pages, style, INK);
        y += row;
        sheet.rule(LEFT, RIGHT, y, 0.4, HAIR);
    }
    y + 3.0 * MM
}
