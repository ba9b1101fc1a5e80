//! The list of a hand-over: every item with its price, how many of each kind, and what it comes to.

use std::collections::BTreeMap;

use super::{Item, Manifest, finish, missing, postal_code, service, texts};
use crate::pdf::face::Style;
use crate::pdf::sheet::{ACCENT, Align, Frame, HAIR, HEIGHT, INK, LEFT, MM, RIGHT, SOFT, Sheet, TINT, TOP, baseline};
use crate::pdf::{Error, words};
use keiin_domain::money::Money;

const TITLE: &str = "郵便物差出票";
const ROW: f32 = 17.0;
/// Left edges of the columns; the last two are held at their right edge.
const COLUMNS: [f32; 4] = [LEFT + 4.0, LEFT + 12.0 * MM, LEFT + 34.0 * MM, LEFT + 96.0 * MM];
const WEIGHT: f32 = RIGHT - 22.0 * MM;

/// The file.
pub fn manifest(manifest: &Manifest) -> Result<Vec<u8>, Error> {
    let all = manifest.items.iter().enumerate();
    let of = |(at, item): (usize, &'_ Item)| {
        let texts = item.to.iter().flat_map(|to| texts(&format!("/items/{at}"), to));
        texts.map(|(field, text)| (field, text.to_owned())).collect::<Vec<_>>()
    };
    let all: Vec<(String, String)> = all.flat_map(of).collect();
    missing(all.iter().map(|(field, text)| (field.clone(), text.as_str())))?;
    missing([("/from/name".to_owned(), manifest.from.name.as_str())])?;
    let mut sheet = Sheet::new(0.0);
    sheet.running(|sheet| {
        let line = baseline(TOP, 12.0, 9.0);
        sheet.text(LEFT, line, Align::Left, TITLE, Style::regular(9.5), ACCENT);
        sheet.text(RIGHT, line, Align::Right, &words::date(manifest.date), Style::regular(8.5), SOFT);
        sheet.rule(LEFT, RIGHT, TOP + 16.0, 0.6, ACCENT);
    });
    head(&mut sheet, manifest);
    table(&mut sheet, &manifest.items);
    sums(&mut sheet, &manifest.items);
    stamps(&mut sheet);
    for page in 0..sheet.pages() {
        sheet.go_to(page);
        let of = format!("{} / {}", page + 1, sheet.pages());
        sheet.text(RIGHT, HEIGHT - 11.0 * MM, Align::Right, &of, Style::regular(8.0), SOFT);
    }
    let id = manifest.items.iter().map(|item| item.reference.as_str()).collect::<Vec<_>>().join(" ");
    finish(sheet, TITLE, &id, &manifest.from.name, manifest.date)
}

fn head(sheet: &mut Sheet, manifest: &Manifest) {
    let title = Style::regular(18.0).tracked(0.3);
    sheet.text(LEFT, baseline(TOP, 24.0, 18.0), Align::Left, TITLE, title, ACCENT);
    sheet.text(RIGHT, baseline(TOP, 24.0, 9.0), Align::Right, &words::date(manifest.date), Style::regular(9.0), INK);
    let mut y = TOP + 12.0 * MM;
    let name = Style::regular(11.0).within(&manifest.from.name, RIGHT - LEFT);
    sheet.text(LEFT, baseline(y, 15.0, 11.0), Align::Left, &manifest.from.name, name, INK);
    y += 15.5;
    let address = Style::regular(8.5).within(&manifest.from.address, RIGHT - LEFT);
    sheet.text(LEFT, baseline(y, 13.0, 8.5), Align::Left, &manifest.from.address, address, SOFT);
    sheet.y = y + 13.0 + 6.0 * MM;
}

fn table(sheet: &mut Sheet, items: &[Item]) {
    labels(sheet);
    for (at, item) in items.iter().enumerate() {
        if sheet.need(ROW) {
            sheet.y += 4.0;
            labels(sheet);
        }
        let line = baseline(sheet.y, ROW, 8.5);
        let style = Style::regular(8.5);
        let name = item.to.as_ref().map_or("―", |to| to.name.as_str());
        let code = item.to.as_ref().map_or(String::new(), |to| postal_code(&to.postal_code));
        sheet.text(COLUMNS[0], line, Align::Left, &(at + 1).to_string(), style, SOFT);
        sheet.text(COLUMNS[1], line, Align::Left, &item.reference, style, INK);
        let wide = sheet.text(COLUMNS[2], line, Align::Left, &code, Style::regular(8.0), SOFT) + 6.0;
        let room = COLUMNS[3] - COLUMNS[2] - wide - 4.0;
        fitted(sheet, COLUMNS[2] + wide, room, name);
        let how = service(item);
        let room = WEIGHT - COLUMNS[3] - 34.0;
        sheet.text(COLUMNS[3], line, Align::Left, &how, style.within(&how, room), INK);
        sheet.text(WEIGHT, line, Align::Right, &format!("{} g", item.weight_g), style, INK);
        sheet.text(RIGHT - 4.0, line, Align::Right, &words::figure(item.postage), style, INK);
        sheet.y += ROW;
        sheet.rule(LEFT, RIGHT, sheet.y, 0.4, HAIR);
    }
}

/// A name in its row: a long one in two lines, smaller.
fn fitted(sheet: &mut Sheet, x: f32, room: f32, name: &str) {
    let mut size = 8.5;
    let (style, lines) = loop {
        let style = Style::regular(size);
        let lines = style.wrap_at_spaces(name, room);
        if lines.len() == 1 || (lines.len() == 2 && size <= 6.6) || size < 2.0 {
            break (style, lines);
        }
        size -= 0.25;
    };
    let leading = style.size * 1.15;
    let top = sheet.y + (ROW - leading * lines.len() as f32) / 2.0;
    sheet.lines(x, top, &lines, style, leading, INK);
}

fn labels(sheet: &mut Sheet) {
    let top = sheet.y;
    sheet.rect([LEFT, top, RIGHT - LEFT, ROW], Some(TINT), None);
    sheet.rule(LEFT, RIGHT, top, 0.8, ACCENT);
    let (line, style) = (baseline(top, ROW, 8.0), Style::regular(8.0));
    for (x, text) in COLUMNS.iter().zip(["No.", "整理番号", "宛先", "種類"]) {
        sheet.text(*x, line, Align::Left, text, style, ACCENT);
    }
    sheet.text(WEIGHT, line, Align::Right, "重さ(概算)", style, ACCENT);
    sheet.text(RIGHT - 4.0, line, Align::Right, "料金(円)", style, ACCENT);
    sheet.y = top + ROW;
    sheet.rule(LEFT, RIGHT, sheet.y, 0.5, ACCENT);
}

/// How many of each kind at each price, and all together.
fn sums(sheet: &mut Sheet, items: &[Item]) {
    let mut kinds: BTreeMap<(String, i64), i64> = BTreeMap::new();
    for item in items {
        *kinds.entry((service(item), item.postage.amount)).or_default() += 1;
    }
    let left = LEFT + 70.0 * MM;
    sheet.y += 6.0 * MM;
    sheet.need(ROW * (kinds.len() as f32 + 1.0));
    sheet.rule(left, RIGHT, sheet.y, 0.5, ACCENT);
    let style = Style::regular(9.0);
    let row = |sheet: &mut Sheet, label: &str, count: i64, yen: i64, size: f32| {
        let line = baseline(sheet.y, ROW, size);
        let style = Style::regular(size);
        sheet.text(left + 5.0, line, Align::Left, label, style.within(label, 62.0 * MM), INK);
        sheet.text(RIGHT - 26.0 * MM, line, Align::Right, &format!("{count}通"), style, INK);
        sheet.text(RIGHT - 4.0, line, Align::Right, &words::sum(Money::yen(yen)), style, INK);
        sheet.y += ROW;
        sheet.rule(left, RIGHT, sheet.y, 0.4, HAIR);
    };
    for ((kind, yen), count) in &kinds {
        row(sheet, &format!("{kind} ({}円)", words::figure(Money::yen(*yen))), *count, yen * count, style.size);
    }
    let count = i64::try_from(items.len()).unwrap_or_default();
    sheet.rect([left, sheet.y, RIGHT - left, ROW], Some(TINT), None);
    row(sheet, "合計", count, items.iter().map(|item| item.postage.amount).sum(), 10.0);
    sheet.rule(left, RIGHT, sheet.y, 0.8, ACCENT);
}

/// Who handed over, and where the post office stamps.
fn stamps(sheet: &mut Sheet) {
    const BOX: [f32; 2] = [34.0 * MM, 24.0 * MM];
    sheet.y += 8.0 * MM;
    sheet.need(BOX[1]);
    for (at, label) in ["差出担当", "受領印"].iter().enumerate() {
        let x = RIGHT - (2 - at) as f32 * BOX[0] - (1 - at) as f32 * 4.0 * MM;
        sheet.rect([x, sheet.y, BOX[0], BOX[1]], None, Some(Frame { width: 0.6, colour: HAIR, dashed: false }));
        sheet.text(x + 4.0, baseline(sheet.y + 1.0, 12.0, 7.5), Align::Left, label, Style::regular(7.5), SOFT);
    }
}
