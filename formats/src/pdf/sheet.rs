//! Pages as lists of marks: laid out first, drawn when all is known (the number of pages stands on every page). Points, from
//! the upper left corner.

use krilla::color::rgb::Color;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::num::NormalizedF32;
use krilla::paint::{Fill, FillRule, Stroke, StrokeDash};
use krilla::surface::Surface;

use super::face::{self, ASCENT, Style};

/// Points in a millimetre.
pub const MM: f32 = 72.0 / 25.4;
/// A4.
pub const WIDTH: f32 = 210.0 * MM;
/// A4.
pub const HEIGHT: f32 = 297.0 * MM;
/// Left edge of what is printed: where the window of an envelope begins, too.
pub const LEFT: f32 = 20.0 * MM;
/// Right edge.
pub const RIGHT: f32 = WIDTH - 18.0 * MM;
/// Upper edge.
pub const TOP: f32 = 16.0 * MM;
/// Where a page's content ends and its foot begins.
pub const BOTTOM: f32 = HEIGHT - 19.0 * MM;

/// Letters.
pub const INK: [u8; 3] = [0x1C, 0x20, 0x26];
/// Labels.
pub const SOFT: [u8; 3] = [0x5A, 0x62, 0x6C];
/// Hairlines.
pub const HAIR: [u8; 3] = [0xC4, 0xC9, 0xD0];
/// Under the heads of tables.
pub const TINT: [u8; 3] = [0xF1, 0xF3, 0xF6];
/// Strong rules.
pub const ACCENT: [u8; 3] = [0x22, 0x3A, 0x5E];
/// The seal's frame and corrections.
pub const RED: [u8; 3] = [0xA8, 0x2A, 0x24];
/// Under corrections.
pub const RED_TINT: [u8; 3] = [0xFB, 0xF0, 0xEE];

/// Where a text's x is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// At its beginning.
    Left,
    /// In its middle.
    Centre,
    /// At its end.
    Right,
}

/// One thing on a page.
#[derive(Clone, Debug)]
enum Mark {
    Text { x: f32, baseline: f32, text: String, style: Style, colour: [u8; 3] },
    Line { from: (f32, f32), to: (f32, f32), width: f32, colour: [u8; 3] },
    Box { rect: [f32; 4], fill: Option<[u8; 3]>, frame: Option<Frame> },
    Squares { x: f32, y: f32, side: f32, rows: Vec<Vec<bool>> },
}

/// The outline of a box.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Of the line.
    pub width: f32,
    /// Of the line.
    pub colour: [u8; 3],
    /// Broken line?
    pub dashed: bool,
}

/// The pages so far, and how far down the last one is filled.
pub struct Sheet {
    pages: Vec<Vec<Mark>>,
    /// Which one is drawn on.
    on: usize,
    /// What stands on top of every page but the first.
    running: Vec<Mark>,
    /// Where the next thing goes on the page.
    pub y: f32,
    /// How much of the first page's lower end is taken.
    first_foot: f32,
}

impl Sheet {
    /// One empty page. `first_foot`: height that the first page's foot takes above that of the others.
    pub fn new(first_foot: f32) -> Sheet {
        Sheet { pages: vec![Vec::new()], on: 0, running: Vec::new(), y: TOP, first_foot }
    }

    /// How many there are.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Where the page's content must end.
    pub fn bottom(&self) -> f32 {
        if self.on == 0 { BOTTOM - self.first_foot } else { BOTTOM }
    }

    /// Makes sure that `height` fits on the page; `true` if that took a new one.
    pub fn need(&mut self, height: f32) -> bool {
        let full = self.y + height > self.bottom();
        if full {
            self.turn();
        }
        full
    }

    /// Goes on at the top of a new page.
    pub fn turn(&mut self) {
        self.pages.push(self.running.clone());
        self.on = self.pages.len() - 1;
        self.y = TOP + 9.0 * MM;
    }

    /// Everything that `draw` puts on this page stands on top of the following ones instead.
    pub fn running(&mut self, draw: impl FnOnce(&mut Sheet)) {
        let page = std::mem::take(self.page());
        draw(self);
        self.running = std::mem::replace(self.page(), page);
    }

    /// Goes back to a page, to complete it.
    pub fn go_to(&mut self, page: usize) {
        self.on = page;
    }

    fn page(&mut self) -> &mut Vec<Mark> {
        &mut self.pages[self.on]
    }

    /// One line of text; answers its width.
    pub fn text(&mut self, x: f32, baseline: f32, align: Align, text: &str, style: Style, colour: [u8; 3]) -> f32 {
        let width = style.width(text);
        let x = match align {
            Align::Left => x,
            Align::Centre => x - width / 2.0,
            Align::Right => x - width,
        };
        if width > 0.0 {
            self.page().push(Mark::Text { x, baseline, text: text.to_owned(), style, colour });
        }
        width
    }

    /// Lines of text from `top` on, each `leading` high; answers where they end.
    pub fn lines(&mut self, x: f32, top: f32, lines: &[String], style: Style, leading: f32, colour: [u8; 3]) -> f32 {
        for (at, line) in lines.iter().enumerate() {
            let baseline = baseline(top + at as f32 * leading, leading, style.size);
            self.text(x, baseline, Align::Left, line, style, colour);
        }
        top + lines.len() as f32 * leading
    }

    /// A level rule.
    pub fn rule(&mut self, from: f32, to: f32, y: f32, width: f32, colour: [u8; 3]) {
        self.page().push(Mark::Line { from: (from, y), to: (to, y), width, colour });
    }

    /// `[x, y, width, height]`, filled, framed or both.
    pub fn rect(&mut self, rect: [f32; 4], fill: Option<[u8; 3]>, frame: Option<Frame>) {
        self.page().push(Mark::Box { rect, fill, frame });
    }

    /// A square of dark and light squares.
    pub fn squares(&mut self, x: f32, y: f32, side: f32, rows: Vec<Vec<bool>>) {
        self.page().push(Mark::Squares { x, y, side, rows });
    }

    /// Hands the pages out, in order.
    pub fn into_pages(self) -> impl Iterator<Item = Page> {
        self.pages.into_iter().map(Page)
    }
}

/// Where the letters stand within a line that begins at `top`.
pub fn baseline(top: f32, leading: f32, size: f32) -> f32 {
    top + (leading - size) / 2.0 + ASCENT * size
}

/// A finished page.
pub struct Page(Vec<Mark>);

impl Page {
    /// Boxes first, then rules, then text: nothing covers a letter.
    pub fn draw(&self, surface: &mut Surface<'_>) {
        let layer = |mark: &Mark| match mark {
            Mark::Box { .. } => 0,
            Mark::Line { .. } => 1,
            Mark::Squares { .. } | Mark::Text { .. } => 2,
        };
        for wanted in 0..3 {
            for mark in self.0.iter().filter(|mark| layer(mark) == wanted) {
                mark.draw(surface);
            }
        }
    }
}

impl Mark {
    fn draw(&self, surface: &mut Surface<'_>) {
        match self {
            Mark::Text { x, baseline, text, style, colour } => {
                paint(surface, Some(*colour), None);
                let (glyphs, _) = style.set(text);
                let start = Point::from_xy(*x, *baseline);
                surface.draw_glyphs(start, &glyphs, face::font(style.weight), text, style.size, false);
            }
            Mark::Line { from, to, width, colour } => {
                paint(surface, None, Some(Frame { width: *width, colour: *colour, dashed: false }));
                draw_path(surface, |path| {
                    path.move_to(from.0, from.1);
                    path.line_to(to.0, to.1);
                });
            }
            Mark::Box { rect: [x, y, width, height], fill, frame } => {
                paint(surface, *fill, *frame);
                draw_path(surface, |path| push_rect(path, *x, *y, *width, *height));
            }
            Mark::Squares { x, y, side, rows } => {
                paint(surface, Some(INK), None);
                draw_path(surface, |path| {
                    for (at, row) in rows.iter().enumerate() {
                        push_row(path, *x, *y + at as f32 * side, *side, row);
                    }
                });
            }
        }
    }
}

/// The dark runs of one row, each as one rectangle: no seams between neighbours.
fn push_row(path: &mut PathBuilder, x: f32, y: f32, side: f32, row: &[bool]) {
    let mut from = 0;
    for run in row.chunk_by(|a, b| a == b) {
        if run[0] {
            push_rect(path, x + from as f32 * side, y, run.len() as f32 * side, side);
        }
        from += run.len();
    }
}

fn push_rect(path: &mut PathBuilder, x: f32, y: f32, width: f32, height: f32) {
    if let Some(rect) = Rect::from_xywh(x, y, width, height) {
        path.push_rect(rect);
    }
}

fn draw_path(surface: &mut Surface<'_>, build: impl FnOnce(&mut PathBuilder)) {
    let mut path = PathBuilder::new();
    build(&mut path);
    let path: Option<Path> = path.finish();
    if let Some(path) = path {
        surface.draw_path(&path);
    }
}

fn paint(surface: &mut Surface<'_>, fill: Option<[u8; 3]>, frame: Option<Frame>) {
    let colour = |[red, green, blue]: [u8; 3]| Color::new(red, green, blue).into();
    surface.set_fill(fill.map(|c| Fill { paint: colour(c), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }));
    surface.set_stroke(frame.map(|frame| Stroke {
        paint: colour(frame.colour),
        width: frame.width,
        dash: frame.dashed.then(|| StrokeDash { array: vec![3.0, 2.0], offset: 0.0 }),
        ..Stroke::default()
    }));
}
