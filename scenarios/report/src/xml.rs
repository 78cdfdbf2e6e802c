//! XML, as much of it as JUnit needs: elements, attributes, text.

use std::fmt::Write as _;

/// An element.
#[derive(Clone, Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Self>,
    text: String,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            children: Vec::new(),
            text: String::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    pub(super) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// The document of which it is the root.
    pub(super) fn document(&self) -> String {
        let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, out: &mut String, depth: usize) {
        let (name, indent) = (self.name, "    ".repeat(depth));
        let _ = write!(out, "{indent}<{name}");
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escape(value, true));
        }
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str("/>\n");
            return;
        }
        out.push('>');
        out.push_str(&escape(&self.text, false));
        if !self.children.is_empty() {
            out.push('\n');
            self.children
                .iter()
                .for_each(|child| child.write(out, depth + 1));
            out.push_str(&indent);
        }
        let _ = writeln!(out, "</{name}>");
    }
}

/// A text that XML takes: what it forbids is replaced.
fn escape(text: &str, is_attribute: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' if is_attribute => escaped.push_str("&quot;"),
            // A parser would make a blank of it.
            '\n' | '\t' | '\r' if is_attribute => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => {
                escaped.push('\u{fffd}');
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_text_says_it_stays_a_text() {
        let element = Element::new("a")
            .with("b", "x\"<&\n")
            .child(Element::new("c").text("]]>\u{1b}[31m<d>&\u{0}"))
            .child(Element::new("e"));
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <a b=\"x&quot;&lt;&amp;&#10;\">\n    \
            <c>]]&gt;\u{fffd}[31m&lt;d&gt;&amp;\u{fffd}</c>\n    <e/>\n</a>\n";
        assert_eq!(element.document(), expected);
    }
}
