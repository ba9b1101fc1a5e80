//! Papers of the post: the cover sheet, on which the address stands where the window of a long envelope (長形3号) is; sheets of
//! labels; the list of what is handed over. Like every paper they follow from what they are given, and from nothing else.
//!
//! Names and addresses shrink and break, and are never cut: a test measures the longest that the domain allows.

mod cover;
mod label;
mod manifest;

use std::collections::BTreeSet;

use keiin_domain::client::Honorific;
use keiin_domain::date::Date;
use keiin_domain::document::DocumentType;
use keiin_domain::money::Money;
use keiin_domain::postage::{Extra, Service};
use keiin_domain::postal_item::PostalAddress;
use krilla::metadata::Metadata;

pub use self::cover::cover;
pub use self::label::labels;
pub use self::manifest::manifest;
use super::face::{self, Style, Weight};
use super::sheet::{Align, INK, Sheet, baseline};
use super::{Error, Missing, day, words, write};

/// What goes into one envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// What people call it.
    pub reference: String,
    /// To whom; `None` once they were erased.
    pub to: Option<PostalAddress>,
    /// How.
    pub service: Service,
    /// With what beside.
    pub extras: Vec<Extra>,
    /// In grams.
    pub weight_g: u32,
    /// Estimated.
    pub postage: Money,
}

/// Who sends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct From {
    /// Registered name.
    pub name: String,
    /// One line; may be empty.
    pub address: String,
}

/// A cover sheet (送付状).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cover {
    /// What goes out.
    pub item: Item,
    /// Who sends it.
    pub from: From,
    /// Civil day of the order.
    pub date: Date,
    /// What lies behind it, in this order.
    pub enclosed: Vec<Enclosed>,
}

/// A document in the envelope, or a file that lies behind them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enclosed {
    /// Of what kind; `None` = a file of the sender's own, whose name is the title.
    pub document_type: Option<DocumentType>,
    /// Its number; empty for a file.
    pub number: String,
    /// Its subject line.
    pub title: String,
    /// A4 pages.
    pub pages: u32,
}

/// The list of a hand-over (差出票).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Who hands over.
    pub from: From,
    /// Civil day on which the list was made.
    pub date: Date,
    /// What, in this order.
    pub items: Vec<Item>,
}

/// A sheet of labels, A4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// 2 × 6 labels of 86.4 × 42.3 mm.
    Twelve,
    /// 3 × 8 labels of 66.0 × 33.9 mm.
    TwentyFour,
}

/// Characters that the font lacks in these fields.
fn missing<'a>(texts: impl IntoIterator<Item = (String, &'a str)>) -> Result<(), Error> {
    let mut missing = Vec::new();
    for (field, text) in texts {
        let mut seen = BTreeSet::new();
        let lacking = text.chars().filter(|c| !face::has(Weight::Regular, *c) && seen.insert(*c));
        missing.extend(lacking.map(|character| Missing { field: field.clone(), character }));
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::Missing(missing)) }
}

/// What people wrote of an address, under the name of its field.
fn texts<'a>(at: &str, to: &'a PostalAddress) -> Vec<(String, &'a str)> {
    [
        ("name", &to.name),
        ("department", &to.department),
        ("attention", &to.attention),
        ("region", &to.region),
        ("locality", &to.locality),
        ("street_address", &to.street_address),
        ("extended_address", &to.extended_address),
        ("message", &to.message),
    ]
    .map(|(name, text)| (format!("{at}/{name}"), text.as_str()))
    .to_vec()
}

/// In words, as on the envelope.
fn service(item: &Item) -> String {
    let name = match item.service {
        Service::Letter => "手紙",
        Service::LetterPackLight => "レターパックライト",
        Service::LetterPackPlus => "レターパックプラス",
    };
    [name].into_iter().chain(item.extras.iter().map(|extra| extra_name(*extra))).collect::<Vec<_>>().join("・")
}

fn extra_name(extra: Extra) -> &'static str {
    match extra {
        Extra::Express => "速達",
        Extra::SimpleRegistered => "簡易書留",
        Extra::SpecificRecord => "特定記録",
    }
}

fn postal_code(code: &str) -> String {
    match code.split_at_checked(3) {
        Some((area, block)) if !block.is_empty() => format!("〒{area}-{block}"),
        _ => String::new(),
    }
}

/// The parts of an address from large to small with their sizes, the name last. 様 and 御中 stand behind whoever it goes to in
/// the end.
fn parts(to: &PostalAddress) -> Vec<(String, f32)> {
    let place = format!("{}{}{}", to.region, to.locality, to.street_address);
    let behind = |text: &str, honorific: Honorific| format!("{text}\u{3000}{}", words::honorific(honorific));
    let (name, department, attention) = match (to.department.is_empty(), to.attention.is_empty()) {
        (_, false) => (to.name.clone(), to.department.clone(), behind(&to.attention, Honorific::Sama)),
        (false, true) if to.honorific == Honorific::Onchu => {
            (to.name.clone(), behind(&to.department, to.honorific), String::new())
        }
        _ => (behind(&to.name, to.honorific), to.department.clone(), String::new()),
    };
    let last = if attention.is_empty() { 11.0 } else { 12.5 };
    let all = [
        (postal_code(&to.postal_code), 9.5),
        (place, 9.5),
        (to.extended_address.clone(), 9.5),
        (name, if department.is_empty() && attention.is_empty() { 13.0 } else { 11.5 }),
        (department, last),
        (attention, 12.5),
    ];
    all.into_iter().filter(|(text, _)| !text.is_empty()).collect()
}

/// Sets an address into a box, smaller until it fits. Beginning with this size, in parts of the usual one.
fn address(sheet: &mut Sheet, [x, y, width, height]: [f32; 4], to: &PostalAddress, largest: f32) {
    const LEADING: f32 = 1.38;
    let parts = parts(to);
    let mut scale = largest;
    let lines = loop {
        let set = |(text, size): &(String, f32)| {
            let style = Style::regular(size * scale);
            style.wrap_at_spaces(text, width).into_iter().map(move |line| (line, style)).collect::<Vec<_>>()
        };
        let lines: Vec<_> = parts.iter().flat_map(set).collect();
        let gap = 3.0 * scale;
        let needs = lines.iter().map(|(_, style)| style.size * LEADING).sum::<f32>() + gap;
        if needs <= height || scale < 0.2 {
            break lines;
        }
        scale -= 0.03;
    };
    let mut y = y;
    // A little air over the name.
    let names = parts.iter().find(|(_, size)| *size > 10.0).map_or(0.0, |(_, size)| *size);
    let mut is_over = true;
    for (line, style) in lines {
        if is_over && style.size >= names * scale - 0.01 {
            y += 3.0 * scale;
            is_over = false;
        }
        let leading = style.size * LEADING;
        sheet.text(x, baseline(y, leading, style.size), Align::Left, &line, style, INK);
        y += leading;
    }
}

/// Instead of an address.
const ERASED: &str = "宛先は消去されました / Recipient erased";

/// The finished file.
fn finish(sheet: Sheet, title: &str, id: &str, author: &str, date: Date) -> Result<Vec<u8>, Error> {
    let metadata = Metadata::new()
        .title(title.to_owned())
        .authors(vec![author.to_owned()])
        .language("ja".to_owned())
        .creator("Keiin".to_owned())
        .document_id(format!("{title} {id}"))
        .creation_date(day(date));
    write(sheet, metadata)
}
