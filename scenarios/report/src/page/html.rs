//! Small pieces of HTML.

use std::borrow::Cow;

use relaybed_case::Actor;

/// Hues that actors are told apart by; more actors share them.
const HUES: usize = 8;

/// A text that is shown as it is, whatever it holds, in an element or in an attribute between quotes.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || is_hidden(c);
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if is_hidden(c) => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// Characters that no page may hold, or that change how others are shown.
fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The class that gives an actor its colour.
pub(super) fn hue(actor: usize) -> String {
    format!("a{}", actor % HUES)
}

/// Where an actor lives.
pub(super) fn home(actor: &Actor) -> String {
    match (actor.producer(), actor.cpu()) {
        (Some((cpu, context)), _) => {
            format!("{} on CPU {cpu}", format!("{context:?}").to_lowercase())
        }
        (None, Some(cpu)) => format!("user space on CPU {cpu}"),
        (None, None) => "user space on any CPU".to_owned(),
    }
}

/// Links to findings, by their numbers from 0.
pub(super) fn marks(findings: &[usize]) -> String {
    let links = findings.iter().map(|at| {
        let number = at + 1;
        format!("<a class=\"mark\" href=\"#f{number}\">✗{number}</a> ")
    });
    links.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_element_or_attribute() {
        assert_eq!(escape("plain"), "plain");
        assert_eq!(
            escape("<b a='1' c=\"2\">&\u{0}\u{202e}"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}\u{fffd}"
        );
    }
}
