//! Looking at a PDF that somebody else made, before it is taken: what kind of file it is, and that nothing in it acts by
//! itself or hides another file.
//!
//! The library that reads it is written for good files: of a bad one it may panic, or take all memory and time there is.
//! Whoever asks does so in a process of its own with limits (`keiin inspect-pdf`).
//!
//! A file is read in two ways. By its table of objects, as a reader does; and byte for byte, because what no table names may
//! be found by another reader that repairs tables in another way.

use hayro_syntax::object::{Dict, MaybeRef, Name, Object};
use hayro_syntax::page::Page;
use hayro_syntax::{LoadPdfError, Pdf};

/// Sides of A4 in points, and how far a page may be from them: 2 mm.
const A4: (f32, f32) = (595.28, 841.89);
const TOLERANCE: f32 = 5.67;
/// Within so many last bytes a file says that it is whole (ISO 32000-1, appendix H.3).
const END: usize = 1_024;
/// Objects within objects that are looked at in one file; more of them is no document.
const MOST: usize = 5_000_000;

/// What a file that can be taken is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inspected {
    /// From 1.
    pub pages: u32,
    /// Every page is A4 and can be put among other papers.
    pub is_printable: bool,
}

/// Why a file cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unfit {
    /// It does not begin like one.
    #[error("no PDF")]
    NotPdf,
    /// It begins like one and cannot be read.
    #[error("broken")]
    Broken,
    /// Nobody here could look into it.
    #[error("encrypted")]
    Encrypted,
    /// More than whoever asks wants.
    #[error("too many pages")]
    TooManyPages,
    /// It would do something by itself, or at a click something other than show a place: scripts, programs, forms that are
    /// sent, films and sounds.
    #[error("active content")]
    Active,
    /// There is another file in it.
    #[error("embedded file")]
    Embedded,
    /// A form that a program lays out (XFA): what one sees depends on who looks.
    #[error("dynamic form")]
    Dynamic,
}

/// Looks at a file. Takes time and memory, and may panic: see above.
pub fn inspect(file: Vec<u8>, max_pages: u32) -> Result<Inspected, Unfit> {
    if !file.starts_with(b"%PDF-") {
        return Err(Unfit::NotPdf);
    }
    let end = &file[file.len().saturating_sub(END)..];
    if !end.windows(5).any(|at| at == b"%%EOF") {
        return Err(Unfit::Broken);
    }
    in_bytes(&file)?;
    let pdf = Pdf::new(file.clone()).map_err(|error| match error {
        LoadPdfError::Decryption(_) => Unfit::Encrypted,
        LoadPdfError::Invalid => Unfit::Broken,
    })?;
    let pages = u32::try_from(pdf.pages().len()).map_err(|_| Unfit::TooManyPages)?;
    match pages {
        0 => return Err(Unfit::Broken),
        some if some > max_pages => return Err(Unfit::TooManyPages),
        _ => {}
    }
    in_objects(&pdf)?;
    let is_printable = pdf.pages().iter().all(is_a4) && super::merge(vec![file]).is_ok();
    Ok(Inspected { pages, is_printable })
}

/// Names that say by themselves what a file holds. Long ones only: short ones come by chance within compressed data.
fn judged(name: &[u8]) -> Result<(), Unfit> {
    match name {
        b"Encrypt" => Err(Unfit::Encrypted),
        b"JavaScript" | b"Launch" | b"RichMedia" | b"RichMediaExecute" | b"SubmitForm" | b"ImportData" => {
            Err(Unfit::Active)
        }
        b"EmbeddedFile" | b"EmbeddedFiles" | b"FileAttachment" => Err(Unfit::Embedded),
        _ => Ok(()),
    }
}

/// Every name of the file, wherever it stands, with what `#xx` in it means (ISO 32000-1, 7.3.5).
fn in_bytes(file: &[u8]) -> Result<(), Unfit> {
    const LONGEST: usize = 16;
    let mut name = Vec::with_capacity(LONGEST + 1);
    for (at, _) in file.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        name.clear();
        let mut rest = &file[at + 1..];
        while let [byte, after @ ..] = rest {
            let ends = byte.is_ascii_whitespace() || *byte == 0 || b"()<>[]{}/%".contains(byte);
            if ends || name.len() > LONGEST {
                break;
            }
            let escaped = after.get(..2).filter(|_| *byte == b'#').and_then(|two| std::str::from_utf8(two).ok());
            match escaped.and_then(|two| u8::from_str_radix(two, 16).ok()) {
                Some(meant) => {
                    name.push(meant);
                    rest = &after[2..];
                }
                None => {
                    name.push(*byte);
                    rest = after;
                }
            }
        }
        judged(&name)?;
    }
    Ok(())
}

/// Every object that the table of objects leads to, with what is within it.
fn in_objects(pdf: &Pdf) -> Result<(), Unfit> {
    let mut seen = 0;
    for object in pdf.objects() {
        let mut within = vec![object];
        while let Some(object) = within.pop() {
            seen += 1;
            if seen > MOST {
                return Err(Unfit::Broken);
            }
            match object {
                Object::Dict(dict) => {
                    in_dict(&dict)?;
                    within.extend(dict.entries().filter_map(|(_, value)| direct(value)));
                }
                Object::Stream(stream) => within.push(Object::Dict(stream.dict().clone())),
                Object::Array(array) => within.extend(array.raw_iter().filter_map(direct)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// What stands there itself; what is only referred to is an object of the table.
fn direct(one: MaybeRef<Object<'_>>) -> Option<Object<'_>> {
    match one {
        MaybeRef::NotRef(object) => Some(object),
        MaybeRef::Ref(_) => None,
    }
}

/// What a dictionary says by its keys and its types.
fn in_dict(dict: &Dict<'_>) -> Result<(), Unfit> {
    for key in dict.keys() {
        judged(&key)?;
        match &*key {
            b"JS" => return Err(Unfit::Active),
            b"EF" => return Err(Unfit::Embedded),
            b"XFA" => return Err(Unfit::Dynamic),
            b"OpenAction" => may_run(dict.get(key.as_ref()))?,
            b"AA" => {
                let all: Option<Dict<'_>> = dict.get(key.as_ref());
                all.iter()
                    .flat_map(|all| all.keys().map(|when| may_run(all.get(when.as_ref()))))
                    .collect::<Result<(), _>>()?;
            }
            _ => {}
        }
    }
    for key in [&b"S"[..], b"Type", b"Subtype"] {
        let Some(name) = dict.get::<Name<'_>>(key) else { continue };
        judged(&name)?;
        match &*name {
            b"GoToE" => return Err(Unfit::Embedded),
            b"GoToR" | b"Rendition" | b"Movie" | b"Sound" | b"Screen" | b"3D" => return Err(Unfit::Active),
            _ => {}
        }
    }
    Ok(())
}

/// An action that happens without a click may only show a place in the file.
fn may_run(action: Option<Dict<'_>>) -> Result<(), Unfit> {
    let Some(action) = action else { return Ok(()) };
    let shows_a_place = action.get::<Name<'_>>("S").is_some_and(|kind| &*kind == b"GoTo");
    if shows_a_place && !action.contains_key("Next") { Ok(()) } else { Err(Unfit::Active) }
}

fn is_a4(page: &Page<'_>) -> bool {
    let (width, height) = page.base_dimensions();
    let near = |a: f32, b: f32| (a - b).abs() <= TOLERANCE;
    near(width.min(height), A4.0) && near(width.max(height), A4.1) && !page.raw().contains_key("UserUnit")
}

#[cfg(test)]
mod tests;
