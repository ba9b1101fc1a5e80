//! XML as UBL needs it: elements, attributes, text. What is empty is not written: PINT knows no empty elements.

/// A document that grows.
pub struct Xml {
    out: String,
    depth: usize,
}

impl Xml {
    /// The declaration.
    pub fn new() -> Xml {
        Xml { out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), depth: 0 }
    }

    /// An element with what `inside` writes; nothing if that is nothing.
    pub fn node(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Xml)) {
        let before = self.out.len();
        self.start(name, attributes);
        self.out.push('\n');
        let empty = self.out.len();
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        if self.out.len() == empty {
            self.out.truncate(before);
            return;
        }
        self.indent();
        self.end(name);
    }

    /// An element without attributes that holds elements.
    pub fn group(&mut self, name: &str, inside: impl FnOnce(&mut Xml)) {
        self.node(name, &[], inside);
    }

    /// An element that holds a text; nothing if that is blank.
    pub fn leaf(&mut self, name: &str, text: &str) {
        self.leaf_with(name, &[], text);
    }

    /// As [`Xml::leaf`], with attributes.
    pub fn leaf_with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.start(name, attributes);
        escape(&mut self.out, text);
        self.end(name);
    }

    /// The text.
    pub fn finish(self) -> String {
        self.out
    }

    fn indent(&mut self) {
        (0..self.depth).for_each(|_| self.out.push_str("  "));
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        for (attribute, value) in attributes {
            self.out.push(' ');
            self.out.push_str(attribute);
            self.out.push_str("=\"");
            escape(&mut self.out, value);
            self.out.push('"');
        }
        self.out.push('>');
    }

    fn end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
    }
}

/// May it stand in XML 1.0 (its production 2, `Char`)?
pub fn allows(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Readers turn a bare one into a line feed.
            '\r' => out.push_str("&#13;"),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text_and_nothing_is_empty() {
        let mut xml = Xml::new();
        xml.node("a", &[("x", "\"<&")], |xml| {
            xml.leaf("b", " ");
            xml.group("c", |xml| xml.leaf("d", ""));
            xml.leaf("e", "]]><f>&amp;\r\n𠮷");
        });
        let body = "<a x=\"&quot;&lt;&amp;\">\n  <e>]]&gt;&lt;f&gt;&amp;amp;&#13;\n𠮷</e>\n</a>\n";
        assert_eq!(xml.finish(), format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"));
    }

    #[test]
    fn control_characters_and_what_is_no_character_are_not_allowed() {
        for c in ['\0', '\u{1}', '\u{b}', '\u{1f}', '\u{fffe}', '\u{ffff}'] {
            assert!(!allows(c), "{c:?}");
        }
        for c in ['\t', '\n', '\r', ' ', '\u{7f}', 'ﾖ', '\u{fffd}', '𠮷', '\u{10ffff}'] {
            assert!(allows(c), "{c:?}");
        }
    }
}
