//! Sheets of labels. Used sheets go on where they were left: the first label's place is given.

use super::{ERASED, Item, Layout, address, extra_name, finish, missing, texts};
use crate::pdf::Error;
use crate::pdf::face::Style;
use crate::pdf::sheet::{Align, HEIGHT, MM, RED, SOFT, Sheet, WIDTH, baseline};
use keiin_domain::date::Date;

/// Kept free along a label's edges: printers are not exact.
const PAD: f32 = 4.0 * MM;

impl Layout {
    /// Columns, rows, width and height of a label.
    fn grid(self) -> (usize, usize, f32, f32) {
        match self {
            Layout::Twelve => (2, 6, 86.4 * MM, 42.3 * MM),
            Layout::TwentyFour => (3, 8, 66.0 * MM, 33.9 * MM),
        }
    }

    /// Labels on a sheet.
    pub fn places(self) -> usize {
        let (columns, rows, ..) = self.grid();
        columns * rows
    }

    /// Upper left corner of a place, counted from 0, row by row. The sheet's margins are equal on both sides.
    fn corner(self, place: usize) -> (f32, f32) {
        let (columns, rows, width, height) = self.grid();
        let left = (WIDTH - columns as f32 * width) / 2.0;
        let top = (HEIGHT - rows as f32 * height) / 2.0;
        (left + (place % columns) as f32 * width, top + (place / columns) as f32 * height)
    }
}

/// The file: as many sheets as it takes, beginning at a place counted from 1.
pub fn labels(items: &[Item], layout: Layout, first: usize, date: Date) -> Result<Vec<u8>, Error> {
    let all = items.iter().enumerate();
    missing(all.flat_map(|(at, item)| item.to.iter().flat_map(move |to| texts(&format!("/items/{at}"), to))))?;
    let (_, _, width, height) = layout.grid();
    let mut sheet = Sheet::new(0.0);
    let first = first.clamp(1, layout.places()) - 1;
    for (at, item) in items.iter().enumerate() {
        let place = (first + at) % layout.places();
        if at > 0 && place == 0 {
            sheet.turn();
        }
        let (x, y) = layout.corner(place);
        let small = Style::regular(6.5);
        let foot = baseline(y + height - PAD - 8.0, 8.0, 6.5);
        let inner = [x + PAD, y + PAD, width - 2.0 * PAD, height - 2.0 * PAD - 9.0];
        match &item.to {
            Some(to) => address(&mut sheet, inner, to, 1.0),
            None => drop(sheet.text(inner[0], y + height / 2.0, Align::Left, ERASED, Style::regular(7.5), RED)),
        }
        sheet.text(x + width - PAD, foot, Align::Right, &item.reference, small, SOFT);
        let extras: Vec<&str> = item.extras.iter().map(|extra| extra_name(*extra)).collect();
        sheet.text(x + PAD, foot, Align::Left, &extras.join("・"), Style::regular(7.5), RED);
    }
    let id = items.iter().map(|item| item.reference.as_str()).collect::<Vec<_>>().join(" ");
    finish(sheet, "宛名ラベル", &id, "", date)
}
