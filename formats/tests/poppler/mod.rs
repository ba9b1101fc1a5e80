//! What somebody else's reader makes of a file: poppler's.

use std::path::Path;
use std::process::Command;

/// A word and where it stands, in points from the page's upper left corner.
#[derive(Clone, PartialEq, Debug)]
pub struct Word {
    /// Counted from 0.
    pub page: usize,
    /// Left, top, right, bottom.
    pub at: [f32; 4],
    /// As it is copied out.
    pub text: String,
}

/// Output of one of poppler's tools; `-` for the file among the arguments is replaced.
pub fn run(program: &str, args: &[&str], pdf: &[u8]) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    assert!(found, "{program} is not installed: apt-get install poppler-utils");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("paper.pdf");
    std::fs::write(&file, pdf).expect("written");
    run_on(program, args, &file)
}

fn run_on(program: &str, args: &[&str], file: &Path) -> String {
    let args = args.iter().map(|arg| if *arg == "FILE" { file.as_os_str() } else { arg.as_ref() });
    let out = Command::new(program).args(args).output().expect("it runs");
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && complaints.is_empty(), "{program}: {complaints}");
    String::from_utf8(out.stdout).expect("text")
}

/// All text, set as on the paper.
pub fn text(pdf: &[u8]) -> String {
    run("pdftotext", &["-layout", "FILE", "-"], pdf)
}

/// All words with their places.
pub fn words(pdf: &[u8]) -> Vec<Word> {
    let html = run("pdftotext", &["-bbox", "FILE", "-"], pdf);
    let mut words = Vec::new();
    let mut pages = 0;
    for line in html.lines().map(str::trim) {
        if line.starts_with("<page ") {
            pages += 1;
        }
        let Some(rest) = line.strip_prefix("<word ") else { continue };
        let at = ["xMin", "yMin", "xMax", "yMax"].map(|name| attribute(rest, name));
        let text = rest.split_once('>').and_then(|(_, rest)| rest.strip_suffix("</word>")).expect("a word");
        words.push(Word { page: pages - 1, at, text: text.to_owned() });
    }
    assert!(!words.is_empty(), "no words: {html}");
    words
}

fn attribute(tag: &str, name: &str) -> f32 {
    let rest = tag.split_once(&format!("{name}=\"")).expect("the attribute").1;
    rest.split('"').next().and_then(|number| number.parse().ok()).expect("a number")
}
