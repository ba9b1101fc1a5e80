//! The upper part of the first page: who to whom, what it is, what it comes to.

use super::face::Style;
use super::sheet::{ACCENT, Align, Frame, HAIR, INK, LEFT, MM, RED, RED_TINT, RIGHT, SOFT, Sheet, TINT, TOP, baseline};
use super::words;
use crate::{Correction, Paper};
use keiin_domain::document::DocumentType;

/// Width of the left column: what the window of an envelope shows.
const ADDRESS: f32 = 86.0 * MM;
/// Left edge of the right column.
const COLUMN: f32 = 118.0 * MM;
/// Lower edge of an envelope's window; below it the left column may say something else.
const WINDOW: f32 = 57.0 * MM;
/// The seal's frame is a square.
const SEAL: f32 = 20.0 * MM;
/// The stamp's frame.
const STAMP: [f32; 2] = [21.0 * MM, 25.0 * MM];

/// Draws it all and leaves the sheet where the table begins.
pub fn draw(sheet: &mut Sheet, paper: &Paper) {
    let words = words::of(paper.document_type);
    let above = recipient(sheet, paper);
    let left = subject(sheet, paper, words.greeting, above);
    let above = particulars(sheet, paper, &words);
    let right = sender(sheet, paper, above);
    sheet.y = left.max(right) + 7.0 * MM;
    if let Some(correction) = &paper.correction {
        corrects(sheet, paper, correction);
    }
    if paper.number.is_empty() {
        band(sheet, SOFT, TINT, words::DRAFT, words::DRAFT_MEANS, "");
    }
    total(sheet, paper, &words);
    if paper.document_type == DocumentType::Receipt {
        received(sheet, paper);
    }
    sheet.y += 5.0 * MM;
}

/// The largest of some sizes at which a text takes at most this many lines.
fn fitted(text: &str, sizes: &[f32], width: f32, most: usize) -> (Style, Vec<String>) {
    let mut last = None;
    for style in sizes.iter().map(|size| Style::regular(*size)) {
        let lines = style.wrap_at_spaces(text, width);
        let fits = lines.len() <= most;
        last = Some((style, lines));
        if fits {
            break;
        }
    }
    last.expect("there are sizes")
}

/// Address from large to small, then the name; answers where it ends.
fn recipient(sheet: &mut Sheet, paper: &Paper) -> f32 {
    let to = &paper.recipient;
    let mut y = TOP;
    if let Some((area, block)) = to.postal_code.split_at_checked(3).filter(|(_, block)| !block.is_empty()) {
        y = sheet.lines(LEFT, y, &[format!("〒{area}-{block}")], Style::regular(9.0), 14.0, INK);
    }
    let place = format!("{}{}{}", to.region, to.locality, to.street_address);
    for part in [place, to.extended_address.clone()].iter().filter(|part| !part.is_empty()) {
        let (style, lines) = fitted(part, &[9.0, 8.0, 7.0], ADDRESS, 2);
        y = sheet.lines(LEFT, y, &lines, style, style.size + 4.5, INK);
    }
    y += 2.5 * MM;
    let honorific = words::honorific(to.honorific);
    let (style, mut lines) = fitted(&to.name, &[13.0, 12.0, 11.0, 10.0], ADDRESS, 2);
    let behind = Style::regular(style.size - 1.0);
    let last = style.width(lines.last().map_or("", String::as_str));
    let gap = 0.8 * style.size;
    if last + gap + behind.width(honorific) > ADDRESS {
        lines.push(String::new());
    }
    let leading = style.size * 1.4;
    let end = sheet.lines(LEFT, y, &lines, style, leading, INK);
    let x = if lines.last().is_some_and(String::is_empty) { LEFT + ADDRESS } else { 0.0 };
    let (x, align) = if x > 0.0 { (x, Align::Right) } else { (LEFT + last + gap, Align::Left) };
    sheet.text(x, baseline(end - leading, leading, style.size), align, honorific, behind, INK);
    sheet.rule(LEFT, LEFT + ADDRESS, end + 3.0, 0.6, INK);
    end + 3.0
}

/// Greeting and subject, below the window.
fn subject(sheet: &mut Sheet, paper: &Paper, greeting: &str, above: f32) -> f32 {
    let mut y = (above + 4.0 * MM).max(WINDOW);
    if !paper.title.is_empty() {
        let label = Style::regular(8.0);
        let x = LEFT + label.width("件名") + 10.0;
        let (style, lines) = fitted(&paper.title, &[10.5, 9.5, 8.5], LEFT + ADDRESS - x, 2);
        let leading = style.size * 1.4;
        sheet.text(LEFT, baseline(y, leading, style.size), Align::Left, "件名", label, SOFT);
        y = sheet.lines(x, y, &lines, style, leading, INK) + 3.0;
        sheet.rule(LEFT, LEFT + ADDRESS, y, 0.4, HAIR);
        y += 2.0 * MM;
    }
    if !greeting.is_empty() {
        y = sheet.lines(LEFT, y, &[greeting.to_owned()], Style::regular(9.0), 13.0, INK);
    }
    y
}

/// Title, number and dates; answers where they end.
fn particulars(sheet: &mut Sheet, paper: &Paper, words: &words::Words) -> f32 {
    let title = Style::bold(22.0).tracked(0.5);
    sheet.text((COLUMN + RIGHT) / 2.0, baseline(TOP, 28.0, 22.0), Align::Centre, words.title, title, ACCENT);
    let mut y = TOP + 33.0;
    sheet.rule(COLUMN, RIGHT, y, 1.4, ACCENT);
    y += 2.0 * MM;
    let mut rows = vec![
        (words.number, if paper.number.is_empty() { "―".to_owned() } else { paper.number.clone() }),
        ("発行日", words::date(paper.issued_on)),
        (words.date, words::date(paper.date)),
    ];
    if paper.revision > 1 {
        rows.insert(1, ("版", words::revision(paper.revision)));
    }
    for (label, value) in rows {
        let line = baseline(y, 14.5, 9.0);
        let wide = sheet.text(COLUMN, line, Align::Left, label, Style::regular(8.5), SOFT) + 12.0;
        let style = Style::regular(9.0).within(&value, RIGHT - COLUMN - wide);
        sheet.text(RIGHT, line, Align::Right, &value, style, INK);
        y += 14.5;
    }
    y
}

/// Who issues it, with the frame for the seal beside; answers where it ends.
fn sender(sheet: &mut Sheet, paper: &Paper, above: f32) -> f32 {
    let from = &paper.sender;
    let top = above + 4.5 * MM;
    let width = RIGHT - COLUMN - if paper.has_hanko { SEAL + 3.0 * MM } else { 0.0 };
    let (style, lines) = fitted(&from.name, &[11.0, 10.0, 9.0], width, 2);
    let mut y = sheet.lines(COLUMN, top, &lines, style, style.size * 1.4, INK) + 2.0;
    let (style, lines) = fitted(&from.address, &[8.5, 7.5], width, 4);
    if !from.address.is_empty() {
        y = sheet.lines(COLUMN, y, &lines, style, style.size * 1.5, INK);
    }
    if !from.registration_number.is_empty() {
        let number = [format!("登録番号 {}", from.registration_number)];
        y = sheet.lines(COLUMN, y, &number, Style::regular(8.5), 13.0, INK);
    }
    if !paper.has_hanko {
        return y;
    }
    let x = RIGHT - SEAL;
    sheet.rect([x, top, SEAL, SEAL], None, Some(Frame { width: 0.6, colour: HAIR, dashed: false }));
    let middle = baseline(top, SEAL, 10.0);
    sheet.text(x + SEAL / 2.0, middle, Align::Centre, "印", Style::regular(10.0), HAIR);
    y.max(top + SEAL)
}

/// What this revision corrects, and why.
fn corrects(sheet: &mut Sheet, paper: &Paper, correction: &Correction) {
    let [this, that] = [paper.revision, correction.replaces_revision].map(words::revision);
    let what = format!("{this}({} {that} を訂正)", correction.replaces_number);
    band(sheet, RED, RED_TINT, words::CORRECTION, &what, &format!("訂正理由: {}", correction.reason));
}

/// Says over the sum that this is not just another paper.
fn band(sheet: &mut Sheet, colour: [u8; 3], tint: [u8; 3], head: &str, what: &str, why: &str) {
    const PAD: f32 = 7.0;
    let small = Style::regular(8.5);
    let why = if why.is_empty() { Vec::new() } else { small.wrap(why, RIGHT - LEFT - 2.0 * PAD - 4.0) };
    let height = 2.0 * PAD + 14.0 + 12.5 * why.len() as f32;
    let top = sheet.y;
    sheet.rect([LEFT, top, RIGHT - LEFT, height], Some(tint), None);
    sheet.rect([LEFT, top, 3.0, height], Some(colour), None);
    let x = LEFT + PAD + 4.0;
    let line = baseline(top + PAD, 13.0, 10.0);
    let wide = sheet.text(x, line, Align::Left, head, Style::bold(10.0), colour) + 8.0;
    let style = Style::regular(9.5).within(what, RIGHT - PAD - x - wide);
    sheet.text(x + wide, line, Align::Left, what, style, INK);
    sheet.lines(x, top + PAD + 15.0, &why, small, 12.5, INK);
    sheet.y = top + height + 4.0 * MM;
}

/// The sum that matters, as large as it fits.
fn total(sheet: &mut Sheet, paper: &Paper, words: &words::Words) {
    const HEIGHT: f32 = 38.0;
    let top = sheet.y;
    sheet.rect([LEFT, top, RIGHT - LEFT, HEIGHT], Some(TINT), None);
    sheet.rule(LEFT, RIGHT, top, 1.4, ACCENT);
    sheet.rule(LEFT, RIGHT, top + HEIGHT, 0.5, ACCENT);
    let mut right = RIGHT - 9.0;
    if let Some(due) = paper.date_due.filter(|_| paper.document_type != DocumentType::Receipt) {
        let (label, value) = (Style::regular(8.0), Style::regular(10.5));
        let under = sheet.text(right, baseline(top + 18.0, 14.0, 10.5), Align::Right, &words::date(due), value, INK);
        let over = sheet.text(right - under, baseline(top + 6.0, 11.0, 8.0), Align::Left, words.due, label, SOFT);
        right -= under.max(over) + 14.0;
    }
    let line = baseline(top, HEIGHT, 20.0);
    let mut x = LEFT + 9.0;
    x += sheet.text(x, line - 1.0, Align::Left, words.total, Style::bold(11.0), INK) + 16.0;
    let tax = if paper.withholding.is_some() { "(税込・源泉徴収後)" } else { "(税込)" };
    let small = Style::regular(8.0);
    let room = right - x - small.width(tax) - 6.0;
    let sum = words::sum(paper.payable());
    x += sheet.text(x, line, Align::Left, &sum, Style::bold(20.0).within(&sum, room), INK) + 6.0;
    sheet.text(x, line - 1.0, Align::Left, tax, small, SOFT);
    sheet.y = top + HEIGHT;
}

/// A receipt's own part: the stamp's frame, what it is for, that the money came.
fn received(sheet: &mut Sheet, paper: &Paper) {
    let top = sheet.y + 5.0 * MM;
    let [width, height] = STAMP;
    let x = if paper.has_tax_stamp { LEFT + width + 7.0 * MM } else { LEFT };
    if paper.has_tax_stamp {
        sheet.rect([LEFT, top, width, height], None, Some(Frame { width: 0.6, colour: SOFT, dashed: true }));
        for (at, part) in ["収入", "印紙"].iter().enumerate() {
            let line = baseline(top + height / 2.0 - 13.0 + 13.0 * at as f32, 13.0, 8.5);
            sheet.text(LEFT + width / 2.0, line, Align::Centre, part, Style::regular(8.5).tracked(0.3), SOFT);
        }
    }
    let mut y = top;
    if !paper.proviso.is_empty() {
        let label = Style::regular(10.0).width("但し") + 12.0;
        let lines = Style::regular(10.5).wrap(&format!("{} として", paper.proviso), RIGHT - x - label);
        sheet.text(x, baseline(y, 15.0, 10.5), Align::Left, "但し", Style::regular(10.0), SOFT);
        y = sheet.lines(x + label, y, &lines, Style::regular(10.5), 15.0, INK) + 4.0;
        sheet.rule(x, RIGHT, y, 0.4, HAIR);
        y += 3.0 * MM;
    }
    y = sheet.lines(x, y, &["上記正に領収いたしました。".to_owned()], Style::regular(9.5), 15.0, INK);
    sheet.y = if paper.has_tax_stamp { y.max(top + height) } else { y };
}
