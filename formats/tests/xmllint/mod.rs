//! What somebody else's reader makes of XML: libxml2's.

use std::io::Write;
use std::process::{Command, Output};

fn run(args: &[&str], xml: &str) -> Output {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join("xmllint").is_file());
    assert!(found, "xmllint is not installed: apt-get install libxml2-utils");
    let mut file = tempfile::NamedTempFile::new().expect("a file of our own");
    file.write_all(xml.as_bytes()).expect("it can be written");
    Command::new("xmllint").args(args).arg(file.path()).output().expect("xmllint runs")
}

/// Fails unless it is well-formed.
pub fn well_formed(xml: &str) {
    let output = run(&["--noout", "--nonet"], xml);
    assert!(output.status.success(), "{}\n{xml}", String::from_utf8_lossy(&output.stderr));
}

/// Value of an XPath 1.0 expression as text. `cac:` and `cbc:` are understood; the root is `/*`.
pub fn value(xml: &str, expression: &str) -> String {
    let mut plain = String::new();
    let mut rest = expression;
    while let Some(at) = ["cac:", "cbc:"].iter().filter_map(|prefix| rest.find(prefix)).min() {
        let (before, name) = (&rest[..at], &rest[at + 4..]);
        let end = name.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(name.len());
        plain += &format!("{before}*[local-name()='{}']", &name[..end]);
        rest = &name[end..];
    }
    plain += rest;
    let output = run(&["--nonet", "--xpath", &format!("string({plain})")], xml);
    assert!(output.status.success(), "{plain}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim_end_matches('\n').to_owned()
}

/// Is the expression true?
pub fn holds(xml: &str, expression: &str) -> bool {
    value(xml, &format!("boolean({expression})")) == "true"
}
