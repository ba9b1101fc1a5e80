//! The two faces, and text set in them: which glyph, how wide, where a line breaks.
//!
//! Japanese without a shaper: one character is one glyph (with a variation selector behind it, another one), there is no
//! kerning and nothing joins. So a width that is measured is the width that is drawn. All digits are equally wide.

use std::sync::LazyLock;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::charmap::{Charmap, MapVariant};
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider};

static REGULAR: LazyLock<Face> = LazyLock::new(|| Face::read(include_bytes!("../../fonts/BIZUDPGothic-Regular.ttf")));
static BOLD: LazyLock<Face> = LazyLock::new(|| Face::read(include_bytes!("../../fonts/BIZUDPGothic-Bold.ttf")));

/// Height of the letters above the baseline, in parts of the size.
pub const ASCENT: f32 = 0.88;

/// Regular holds everything that people write; bold only the paper's own words and figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// Any text.
    Regular,
    /// Titles, labels, sums.
    Bold,
}

/// One parsed font.
struct Face {
    font: Font,
    characters: Charmap<'static>,
    advances: GlyphMetrics<'static>,
    units_per_em: f32,
}

impl Face {
    fn read(bytes: &'static [u8]) -> Face {
        let font = Font::new(bytes.into(), 0).expect("the font is part of the program");
        let parsed = FontRef::new(bytes).expect("the font is part of the program");
        let characters = parsed.charmap();
        let advances = parsed.glyph_metrics(Size::unscaled(), LocationRef::default());
        let units_per_em = font.units_per_em();
        Face { font, characters, advances, units_per_em }
    }

    /// The glyph of a character, or of its variant; a variant that the font does not know is printed in the usual form.
    fn glyph(&self, character: char, selector: Option<char>) -> Option<skrifa::GlyphId> {
        if let Some(MapVariant::Variant(glyph)) = selector.and_then(|s| self.characters.map_variant(character, s)) {
            return Some(glyph);
        }
        let character = if character.is_whitespace() && self.characters.map(character).is_none() {
            ' ' // one of the many widths of space
        } else {
            character
        };
        self.characters.map(character).filter(|glyph| glyph.to_u32() != 0)
    }

    /// In em.
    fn advance(&self, glyph: skrifa::GlyphId) -> f32 {
        self.advances.advance_width(glyph).unwrap_or_default() / self.units_per_em
    }
}

fn face(weight: Weight) -> &'static Face {
    match weight {
        Weight::Regular => &REGULAR,
        Weight::Bold => &BOLD,
    }
}

/// The font as the PDF embeds it.
pub fn font(weight: Weight) -> Font {
    face(weight).font.clone()
}

/// Characters that are never drawn: they choose a variant, join, or mark a place to break.
fn is_invisible(character: char) -> bool {
    is_selector(character) || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{00AD}')
}

fn is_selector(character: char) -> bool {
    matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Can the character be printed? What is never drawn can.
pub fn has(weight: Weight, character: char) -> bool {
    is_invisible(character) || character == '\n' || face(weight).glyph(character, None).is_some()
}

/// How text is set. Sizes in points.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Style {
    /// Which face.
    pub weight: Weight,
    /// Of the em.
    pub size: f32,
    /// Between characters, in em.
    pub tracking: f32,
}

impl Style {
    /// Running text.
    pub const fn regular(size: f32) -> Style {
        Style { weight: Weight::Regular, size, tracking: 0.0 }
    }

    /// The paper's own words.
    pub const fn bold(size: f32) -> Style {
        Style { weight: Weight::Bold, size, tracking: 0.0 }
    }

    /// Spaced out.
    pub const fn tracked(self, tracking: f32) -> Style {
        Style { tracking, ..self }
    }

    /// Glyphs of one line, and its width in points. Characters that the font lacks are left out: [`has`] is asked before.
    pub fn set(self, text: &str) -> (Vec<KrillaGlyph>, f32) {
        let face = face(self.weight);
        let (mut glyphs, mut width) = (Vec::with_capacity(text.len() / 3), 0.0);
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if is_invisible(character) {
                continue;
            }
            let mut end = at + character.len_utf8();
            let selector = characters.next_if(|(_, next)| is_selector(*next)).map(|(at, selector)| {
                end = at + selector.len_utf8();
                selector
            });
            let Some(glyph) = face.glyph(character, selector) else { continue };
            let advance = face.advance(glyph) + self.tracking;
            let id = GlyphId::new(glyph.to_u32());
            glyphs.push(KrillaGlyph::new(id, advance, 0.0, 0.0, 0.0, at..end, None));
            width += advance;
        }
        let behind_last = if glyphs.is_empty() { 0.0 } else { self.tracking };
        (glyphs, (width - behind_last) * self.size)
    }

    /// The same, smaller where the text would be wider than that.
    pub fn within(self, text: &str, width: f32) -> Style {
        let wide = self.width(text);
        if wide <= width { self } else { Style { size: self.size * width / wide, ..self } }
    }

    /// In points.
    pub fn width(self, text: &str) -> f32 {
        self.set(text).1
    }

    /// Lines that are at most `width` points wide. Newlines are kept; words of letters and digits stay whole where they fit
    /// on a line; a line does not begin with a closing mark nor end with an opening one (kinsoku).
    pub fn wrap(self, text: &str, width: f32) -> Vec<String> {
        text.replace('\t', "  ").split('\n').flat_map(|line| self.wrap_line(line.trim_end(), width, 1.0)).collect()
    }

    /// As [`Style::wrap`], for names and addresses: a line rather ends at a space of its second half.
    pub fn wrap_at_spaces(self, text: &str, width: f32) -> Vec<String> {
        self.wrap_line(text, width, 0.5)
    }

    /// `spaces`: from which part of the width on a space is a better place to break than the last possible one.
    fn wrap_line(self, text: &str, width: f32, spaces: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let (mut line, mut used) = (String::new(), 0.0);
        for piece in pieces(text) {
            let wide = self.width(piece.trim_end());
            while !line.is_empty() && used + wide > width {
                let space = line.trim_end().rfind([' ', '\u{3000}']);
                let space = space.filter(|at| self.width(&line[..*at]) > width * spaces);
                let rest = space.map_or(String::new(), |at| line.split_off(at).trim_start().to_owned());
                lines.push(std::mem::replace(&mut line, rest).trim_end().to_owned());
                used = self.width(&line);
            }
            if wide <= width {
                line.push_str(piece);
                used += self.width(piece);
                continue;
            }
            // Too long for a whole line: cut where it must be.
            for character in piece.chars() {
                let wide = self.width(character.encode_utf8(&mut [0; 4]));
                if used + wide > width && !line.is_empty() && !is_invisible(character) {
                    lines.push(std::mem::take(&mut line).trim_end().to_owned());
                    used = 0.0;
                }
                line.push(character);
                used += wide;
            }
        }
        lines.push(line.trim_end().to_owned());
        lines
    }
}

/// Text cut at every place where a line may end.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, character) in text.char_indices() {
        if before.is_some_and(|before| may_break(before, character)) {
            pieces.push(&text[start..at]);
            start = at;
        }
        before = Some(character);
    }
    pieces.push(&text[start..]);
    pieces
}

fn may_break(before: char, after: char) -> bool {
    const CLOSING: &str = "、。，．・：；？！ー―…‥）〕］｝〉》」』】々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ%％°℃,.:;?!)]}'\"”’〟";
    const OPENING: &str = "（〔［｛〈《「『【([{¥￥$＄“‘〝〒№";
    let in_word = |c: char| c.is_ascii_graphic() || ('\u{A1}'..'\u{300}').contains(&c);
    if is_invisible(after) || after.is_whitespace() || CLOSING.contains(after) || OPENING.contains(before) {
        return before == '\u{200B}';
    }
    !(in_word(before) && in_word(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE: Style = Style::regular(9.0);

    #[test]
    fn figures_stand_under_each_other() {
        for style in [NINE, Style::bold(9.0)] {
            for digit in "0123456789".chars() {
                assert_eq!(style.width(&digit.to_string()), style.width("0"), "{digit}");
            }
        }
    }

    #[test]
    fn a_variant_of_a_character_is_one_glyph_of_its_own() {
        let (usual, variant) = (NINE.set("葛").0, NINE.set("葛\u{E0100}").0);
        assert_eq!((usual.len(), variant.len()), (1, 1));
        assert_eq!(variant[0].text_range, 0..7, "the selector can be copied out again");
        assert_ne!(NINE.set("辻\u{E0101}").0[0].glyph_id, NINE.set("辻\u{E0100}").0[0].glyph_id);
    }

    #[test]
    fn the_font_knows_what_it_lacks() {
        for good in "請求書㈱髙﨑①ｱﾞ𠮟¥〒\u{200B}\u{E0100}\u{3000}\u{2003}é".chars() {
            assert!(has(Weight::Regular, good), "{good}");
        }
        for bad in "𠮷😀ا한".chars() {
            assert!(!has(Weight::Regular, bad), "{bad}");
        }
    }

    #[test]
    fn lines_break_as_japanese_does() {
        let style = Style::regular(10.0);
        let lines = style.wrap("保守、点検。「窓口」", 21.0);
        assert!(lines.iter().all(|l| !l.starts_with(['、', '。', '」']) && !l.ends_with('「')), "{lines:?}");
        assert_eq!(style.wrap("保守 Support", 50.0), ["保守", "Support"]);
        assert_eq!(style.wrap("a\n\nb", 50.0), ["a", "", "b"]);
        assert_eq!(style.wrap("", 50.0), [""]);
        assert_eq!(style.wrap("港区芝公園 ミナトビル", 80.0), ["港区芝公園 ミナト", "ビル"]);
        assert_eq!(style.wrap_at_spaces("港区芝公園 ミナトビル", 80.0), ["港区芝公園", "ミナトビル"]);
    }

    #[test]
    fn every_line_fits_and_nothing_is_lost() {
        let text = "ＡＢＣ-1234567890123456789012345678901234567890、株式会社（本社）のシステム更改 ver.2.10.3-rc1 に伴う作業一式。";
        for width in [40.0, 80.0, 133.0, 400.0] {
            let lines = NINE.wrap(text, width);
            assert!(lines.iter().all(|line| NINE.width(line) <= width), "{width}: {lines:?}");
            let squeezed = |text: &str| text.replace(' ', "");
            assert_eq!(squeezed(&lines.concat()), squeezed(text));
        }
    }
}
