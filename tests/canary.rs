//! Looks for a secret in every file of a folder, in every form in which a program might have kept it.
//!
//! A search that finds nothing proves something only after the same search found the canary where it may be. So a story
//! first asserts hits, then erases (or looks elsewhere), then asserts none.
//!
//! Choose canaries that chance does not write: eight ASCII characters or more, or Japanese of four characters or more
//! that are rare and differ from each other.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;
use unicode_normalization::UnicodeNormalization;

/// Where a canary was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which file.
    pub file: PathBuf,
    /// Offset of its first byte.
    pub at: usize,
    /// In which form.
    pub form: &'static str,
}

/// First hit of each form in each file under `folder`.
pub fn search(folder: &Path, canary: &str) -> Vec<Hit> {
    let forms = forms(canary);
    let finders: Vec<_> = forms.iter().map(|(form, bytes)| (*form, Finder::new(bytes))).collect();
    let mut hits = Vec::new();
    for file in files(folder) {
        // A file that a running server has just removed holds nothing any more.
        let Ok(content) = fs::read(&file) else { continue };
        for (form, finder) in &finders {
            hits.extend(finder.find(&content).map(|at| Hit { file: file.clone(), at, form }));
        }
    }
    hits
}

/// Fails if the canary is anywhere under `folder`, except in files for which `may` is true.
#[track_caller]
pub fn assert_absent(folder: &Path, canary: &str, may: impl Fn(&Path) -> bool) {
    let hits: Vec<_> = search(folder, canary).into_iter().filter(|hit| !may(&hit.file)).collect();
    assert!(hits.is_empty(), "{canary:?} is still there: {hits:#?}");
}

/// Fails if the canary is nowhere under `folder`: then the search itself would prove nothing.
#[track_caller]
pub fn assert_present(folder: &Path, canary: &str) -> Vec<Hit> {
    let hits = search(folder, canary);
    assert!(!hits.is_empty(), "{canary:?} is in no file of {}", folder.display());
    hits
}

/// All files under a folder, at any depth.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// The bytes to look for: the text as written, normalised and in lower case, each raw, as UTF-16, hexadecimal, base64
/// (from any offset), percent-encoded, escaped for JSON, and as the pairs of characters that a search index keeps.
pub fn forms(canary: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut texts = vec![canary.to_owned(), canary.nfkc().collect(), canary.nfc().collect()];
    texts.extend(texts.clone().iter().map(|text| text.to_lowercase()));
    texts.sort();
    texts.dedup();
    let mut forms = Vec::new();
    for text in &texts {
        let raw = text.as_bytes();
        let units = || text.encode_utf16();
        forms.push(("raw", raw.to_vec()));
        forms.push(("UTF-16 LE", units().flat_map(u16::to_le_bytes).collect()));
        forms.push(("UTF-16 BE", units().flat_map(u16::to_be_bytes).collect()));
        forms.push(("hexadecimal", hex::encode(raw).into_bytes()));
        forms.push(("hexadecimal", hex::encode_upper(raw).into_bytes()));
        for skipped in 0..3 {
            forms.push(("base64", inner_base64(&STANDARD_NO_PAD, raw, skipped)));
            forms.push(("base64url", inner_base64(&URL_SAFE_NO_PAD, raw, skipped)));
        }
        let percent = |b: &u8| if b.is_ascii_alphanumeric() { (*b as char).to_string() } else { format!("%{b:02X}") };
        forms.push(("percent-encoded", raw.iter().map(percent).collect::<String>().into_bytes()));
        let escape = |unit: u16| if unit < 128 { char::from(unit as u8).to_string() } else { format!("\\u{unit:04x}") };
        forms.push(("JSON escapes", units().map(escape).collect::<String>().into_bytes()));
        forms.extend(pairs(text));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Base64 of `raw` when `skipped` other bytes precede it in the encoded data: the characters that depend on `raw` alone.
fn inner_base64(engine: &impl Engine, raw: &[u8], skipped: usize) -> Vec<u8> {
    let padded = [vec![0; skipped], raw.to_vec()].concat();
    let whole = padded.len() / 3 * 3;
    let from = skipped.div_ceil(3) * 4;
    let text = engine.encode(&padded[..whole]);
    text.as_bytes()[from.min(text.len())..].to_vec()
}

/// Pairs of neighbouring characters: separated by spaces, as the text of an index, and for characters beyond ASCII each
/// alone, also without its first byte, which an index that stores only what differs from the term before leaves out.
fn pairs(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let characters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let pairs: Vec<String> = characters.windows(2).map(String::from_iter).collect();
    let mut forms = Vec::new();
    if pairs.len() > 1 {
        forms.push(("pairs of characters", pairs.join(" ").into_bytes()));
    }
    for pair in pairs.iter().filter(|pair| pair.chars().all(|c| c.len_utf8() >= 3)) {
        forms.push(("a pair of characters", pair.as_bytes().to_vec()));
        forms.push(("a pair of characters, compressed", pair.as_bytes()[1..].to_vec()));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "鑿籬靉鼕";

    fn found_in(content: &[u8]) -> Vec<&'static str> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/file"), content).unwrap();
        search(folder.path(), CANARY).into_iter().map(|hit| hit.form).collect()
    }

    #[test]
    fn every_form_is_found_at_any_depth() {
        let raw = CANARY.as_bytes();
        assert!(found_in(&[b"x", raw, b"y"].concat()).contains(&"raw"));
        assert_eq!(found_in(&"x鑿籬靉鼕".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()), ["UTF-16 LE"]);
        for before in 0..5 {
            for after in 0..3 {
                let data = [&vec![7; before], raw, &vec![9; after]].concat();
                let found = found_in(STANDARD_NO_PAD.encode(data).as_bytes());
                assert!(found.contains(&"base64"), "{before} {after}");
            }
        }
        assert_eq!(found_in(hex::encode(raw).as_bytes()), ["hexadecimal"]);
        assert_eq!(
            found_in(serde_json::json!("\\u947f\\u7c6c\\u9749\\u9f15").to_string().replace("\\\\", "\\").as_bytes()),
            ["JSON escapes"]
        );
        assert!(found_in("鑿籬 籬靉 靉鼕".as_bytes()).contains(&"pairs of characters"));
        assert!(found_in(&"籬靉".as_bytes()[1..]).contains(&"a pair of characters, compressed"));
        assert_eq!(found_in("鑿と籬と靉と鼕".as_bytes()), [""; 0]);
    }

    #[test]
    fn a_wide_spelling_does_not_hide_a_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("index"), "suzuki-canary").unwrap();
        assert_present(folder.path(), "Ｓｕｚｕｋｉ－Ｃａｎａｒｙ");
        assert_absent(folder.path(), "tanaka-canary", |_| false);
        assert_absent(folder.path(), "suzuki-canary", |file| file.ends_with("index"));
    }

    #[test]
    fn chance_does_not_write_a_canary() {
        let mut chance = crate::Seeded(1);
        let noise: Vec<u8> = (0..1 << 20).map(|_| chance.bits() as u8).collect();
        assert_eq!(found_in(&noise), [""; 0]);
    }
}
