//! Style that can be a test. Lists of exceptions may only shrink: an entry that is no longer needed fails too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use keiin_tests::{repository_files, root};

/// Longest Rust file, in lines.
const MAX_LINES: usize = 500;
/// Rust files that are longer, with their length now. Only shrinks.
const LONG_FILES: &[(&str, usize)] = &[];
/// Longest decision note, in lines.
const MAX_DECISION: usize = 60;
/// Text that we did not write and keep byte for byte.
const VENDORED: &[&str] = &[
    "LICENSE", "Cargo.lock", "http/assets/htmx", "http/assets/zxing", "eventlog/tests/vectors/",
    "tests/sample_aggregate.patch",
];
/// Where the text speaks of a machine, or of how it was written, instead of the product.
const FOREIGN: &[&str] = &["../shared", "/work/", "handoff", "hand-off", "previous session", "next session"];
/// Work that was put off.
const PUT_OFF: &[&str] = &["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "#[ignore", "```ignore"];
/// This file has to spell the words out.
const SELF: &str = "tests/stories/tidy.rs";

/// Path and text of each text file that is ours.
fn our_text() -> Vec<(String, String)> {
    const TEXT: &[&str] =
        &["rs", "md", "toml", "html", "css", "js", "mjs", "ftl", "sql", "py", "sh", "txt", "json", "yml", ""];
    let files: Vec<_> = repository_files()
        .into_iter()
        .filter(|path| !VENDORED.iter().any(|prefix| path.starts_with(prefix)))
        .filter(|path| TEXT.contains(&Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default()))
        .filter_map(|path| std::fs::read_to_string(root().join(&path)).ok().map(|text| (path, text)))
        .collect();
    assert!(files.len() > 10, "only {} text files found: wrong folder?", files.len());
    files
}

/// Fails with all findings at once.
fn none(findings: Vec<String>, advice: &str) {
    assert!(findings.is_empty(), "{advice}\n  {}", findings.join("\n  "));
}

#[test]
fn rust_files_are_short_enough_to_be_read_top_down() {
    let mut findings = Vec::new();
    for (path, text) in our_text().iter().filter(|(path, _)| path.ends_with(".rs")) {
        let lines = text.lines().count();
        match LONG_FILES.iter().find(|(listed, _)| listed == path) {
            None if lines > MAX_LINES => findings.push(format!("{path}: {lines} lines, at most {MAX_LINES}")),
            Some((_, was)) if lines > *was => findings.push(format!("{path}: grew from {was} to {lines} lines")),
            Some(_) if lines <= MAX_LINES => findings.push(format!("{path}: short enough now, take it off the list")),
            _ => {}
        }
    }
    none(findings, "split these files by what they are about");
}

#[test]
fn nothing_is_put_off_and_nothing_speaks_of_the_workshop() {
    let mut findings = Vec::new();
    for (path, text) in our_text().iter().filter(|(path, _)| path != SELF) {
        for (at, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let foreign = FOREIGN.iter().filter(|word| lower.contains(**word));
            let put_off = PUT_OFF.iter().filter(|word| contains_word(line, word));
            findings.extend(foreign.chain(put_off).map(|word| format!("{path}:{}: {word}", at + 1)));
        }
    }
    none(findings, "finish the work, or leave it out; say what the product does, not how it was made");
}

/// `word` stands in `line` with no letter or digit directly before or after it.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !joins(line[..at].chars().next_back())
            && (!word.ends_with(char::is_alphanumeric) || !joins(line[at + word.len()..].chars().next()))
    })
}

#[test]
fn no_trailing_space_no_tab_in_rust_and_a_newline_at_the_end() {
    let mut findings = Vec::new();
    for (path, text) in our_text() {
        if !text.is_empty() && !text.ends_with('\n') {
            findings.push(format!("{path}: no newline at the end"));
        }
        for (at, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(format!("{path}:{}: space at the end", at + 1));
            }
            if path.ends_with(".rs") && line.contains('\t') {
                findings.push(format!("{path}:{}: tab", at + 1));
            }
        }
    }
    none(findings, "white space that nobody sees");
}

#[test]
fn decision_notes_are_half_a_page_and_numbered_without_gaps() {
    let mut findings = Vec::new();
    let notes: Vec<_> = our_text().into_iter().filter(|(path, _)| path.starts_with("docs/decisions/")).collect();
    for (at, (path, text)) in notes.iter().enumerate() {
        if text.lines().count() > MAX_DECISION {
            findings.push(format!("{path}: {} lines, at most {MAX_DECISION}", text.lines().count()));
        }
        let number = format!("docs/decisions/{:04}-", at + 1);
        if !path.starts_with(&number) || !path.ends_with(".md") {
            findings.push(format!("{path}: expected {number}….md"));
        }
    }
    none(findings, "decision notes are docs/decisions/NNNN-name.md, short, 0001 first");
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let files: BTreeSet<String> = repository_files().into_iter().collect();
    let is_there = |path: &str| {
        path.is_empty() || files.contains(path) || files.iter().any(|f| f.starts_with(&format!("{path}/")))
    };
    let mut findings = Vec::new();
    for (path, text) in our_text().iter().filter(|(path, _)| path.ends_with(".md")) {
        for target in links(text) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let full = match file {
                "" => path.clone(),
                _ => normal(&Path::new(path).parent().expect("a file has a folder").join(file)),
            };
            if !is_there(&full) {
                findings.push(format!("{path}: {target}"));
            } else if !anchor.is_empty() && full.ends_with(".md") {
                let text = std::fs::read_to_string(root().join(&full)).expect("it is listed");
                if !anchors(&text).contains(anchor) {
                    findings.push(format!("{path}: {target} (no such heading)"));
                }
            }
        }
    }
    none(findings, "dead links");
}

/// Targets of `](…)`, `src="…"` and `href="…"` that are not on the web; code blocks and code spans are left out.
fn links(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(markdown) {
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        for (open, close) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            for (at, _) in plain.match_indices(open) {
                let rest = &plain[at + open.len()..];
                let target = rest[..rest.find(close).unwrap_or(rest.len())].split(' ').next().unwrap_or_default();
                if !target.contains("://") && !target.starts_with("mailto:") {
                    found.push(target.to_owned());
                }
            }
        }
    }
    found
}

/// Lines outside of fenced code blocks.
fn prose(markdown: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    markdown.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Anchors that the headings get on the usual code hosts: lower case, spaces to hyphens, punctuation dropped.
fn anchors(markdown: &str) -> BTreeSet<String> {
    prose(markdown)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
        })
        .collect()
}

/// `a/b/../c` → `a/c`, with `/` between the parts.
fn normal(path: &Path) -> String {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out.to_string_lossy().into_owned()
}

#[test]
fn templates_hold_no_script_and_no_style_of_their_own() {
    let mut findings = Vec::new();
    for (path, text) in our_text().iter().filter(|(path, _)| path.starts_with("http/templates/")) {
        for (at, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let inline = lower
                .match_indices("<script")
                .any(|(i, _)| !lower[i..].split('>').next().unwrap_or("").contains(" src="));
            if lower.contains(" style=")
                || lower.contains("<style")
                || lower.contains("javascript:")
                || inline
                || has_handler(&lower)
            {
                findings.push(format!("{path}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    none(
        findings,
        "the content security policy allows neither inline styles nor inline scripts: use app.css and a file in http/assets",
    );
}

/// An attribute `on…=`, as in `onclick=`.
fn has_handler(line: &str) -> bool {
    line.match_indices(" on").any(|(at, _)| {
        let rest = line[at + 3..].trim_start_matches(|c: char| c.is_ascii_lowercase());
        rest.len() < line.len() - at - 3 && rest.starts_with('=')
    })
}

#[test]
fn both_languages_say_the_same_things() {
    let [ja, en] = ["ja", "en"].map(messages);
    let mut findings = Vec::new();
    for key in ja.keys().chain(en.keys()).collect::<BTreeSet<_>>() {
        match (ja.get(key), en.get(key)) {
            (None, _) => findings.push(format!("{key}: missing in ja")),
            (_, None) => findings.push(format!("{key}: missing in en")),
            (Some(a), Some(b)) if a != b => findings.push(format!("{key}: arguments differ: ja {a:?}, en {b:?}")),
            _ => {}
        }
    }
    none(findings, "http/locales/ja and http/locales/en must have equal keys and arguments");
}

/// Keys of one language (`key`, or `key.attribute`) with the `$arguments` they use.
fn messages(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let prefix = format!("http/locales/{language}/");
    for (path, text) in our_text().iter().filter(|(path, _)| path.starts_with(&prefix) && path.ends_with(".ftl")) {
        let (mut message, mut key) = (String::new(), None);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.split_once('=').map(|(name, _)| name.trim_end()).filter(|name| is_ftl_name(name)) {
                message = name.to_owned();
                assert!(!found.contains_key(&message), "{path}: {message} stands there twice");
                key = Some(message.clone());
            } else if let Some(attribute) = line.trim_start().strip_prefix('.').and_then(|rest| rest.split_once('=')) {
                key = Some(format!("{message}.{}", attribute.0.trim()));
            }
            if let Some(key) = &key {
                found.entry(key.clone()).or_default().extend(arguments(line));
            }
        }
    }
    found
}

fn is_ftl_name(name: &str) -> bool {
    name.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn arguments(line: &str) -> Vec<String> {
    let is_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    line.split('$')
        .skip(1)
        .map(|rest| rest.chars().take_while(is_name).collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}

/// The checks above are only worth something if they see what they look for.
#[test]
fn the_checks_find_what_they_look_for() {
    assert!(
        contains_word("// TODO: later", "TODO")
            && !contains_word("TODOS", "TODO")
            && contains_word("  todo!()", "todo!(")
    );
    assert_eq!(links("a [b](c.md#d) `[x](y)`\n```\n[e](f)\n```\n<img src=\"g.png\">"), ["c.md#d", "g.png"]);
    assert!(anchors("## 3. The store, now").contains("3-the-store-now"));
    assert_eq!(normal(Path::new("docs/../README.md")), "README.md");
    assert!(has_handler("<a onclick=\"x\">") && !has_handler("based on x = 3") && !has_handler("<p>on =</p>"));
    assert_eq!(arguments("hello = { $name } and { $other-one }"), ["name", "other-one"]);
}
