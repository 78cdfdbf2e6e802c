//! One small wrong change.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::Operator;

/// Characters of a mutant's name.
const ID_LEN: usize = 10;

/// Longest text of a change that is shown.
const SHOWN: usize = 72;

/// A piece of the source and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Which bytes.
    pub range: Range<usize>,
    /// The new text.
    pub text: String,
}

/// A change that a test should notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Its name: of the function, the operator, the change and its place among the same ones of that function. It
    /// stays when other functions change.
    pub id: String,
    /// The function.
    pub function: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in it, from 1.
    pub column: usize,
    /// The kind of change.
    pub operator: Operator,
    /// What was there, shortened.
    pub before: String,
    /// What is there now, shortened.
    pub after: String,
    /// The change itself: pieces that do not overlap, first to last.
    pub edits: Vec<Edit>,
}

impl Mutant {
    /// The changed source. Every line stays on its line: what the compiler says of others is then the same.
    #[must_use]
    pub fn apply(&self, source: &str) -> String {
        let mut text = String::with_capacity(source.len() + 64);
        let mut at = 0;
        for edit in &self.edits {
            let old = &source[edit.range.clone()];
            text.push_str(&source[at..edit.range.start]);
            text.push_str(&as_many_lines(old, &edit.text));
            at = edit.range.end;
        }
        text.push_str(&source[at..]);
        text
    }

    /// The lines that are changed, as a diff has them, without their indentation.
    #[must_use]
    pub fn diff(&self, source: &str) -> Vec<String> {
        let changed = self.apply(source);
        let lines = source.lines().zip(changed.lines());
        lines
            .filter(|(old, new)| old != new)
            .flat_map(|(old, new)| [format!("-{}", old.trim()), format!("+{}", new.trim())])
            .collect()
    }
}

/// `new` with as many line ends as `old` has.
fn as_many_lines(old: &str, new: &str) -> String {
    let wanted = old.matches('\n').count();
    let mut seen = 0;
    let mut text = String::with_capacity(new.len());
    for c in new.chars() {
        if c == '\n' {
            seen += 1;
        }
        text.push(if c == '\n' && seen > wanted { ' ' } else { c });
    }
    text.extend(std::iter::repeat_n('\n', wanted.saturating_sub(seen)));
    text
}

/// A text on one line, cut where it is long.
pub(crate) fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The name of a change, by what it is and the how manieth of its kind in its function.
pub(crate) fn id(function: &str, operator: Operator, change: (&str, &str), nth: usize) -> String {
    let mut hash = Sha256::new();
    let nth = nth.to_string();
    for part in [function, operator.name(), change.0, change.1, &nth] {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    let hex = hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        hex += &format!("{byte:02x}");
        hex
    });
    hex[..ID_LEN].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_stays_on_its_line() {
        assert_eq!(as_many_lines("a\nb;", ";"), ";\n");
        assert_eq!(as_many_lines("a\nb;", "a\nb; a\nb;"), "a\nb; a b;");
        assert_eq!(as_many_lines("a", "b"), "b");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(short("  a\n\tb "), "a b");
        let long = "é".repeat(100);
        assert_eq!(short(&long).chars().count(), SHOWN + 1);
    }

    #[test]
    fn names_tell_changes_apart() {
        let name = |change, nth| id("f", Operator::Drop, change, nth);
        assert_eq!(name(("a", "b"), 0), name(("a", "b"), 0));
        assert_ne!(name(("a", "b"), 0), name(("a", "b"), 1));
        assert_ne!(name(("a", "b"), 0), name(("ab", ""), 0));
    }
}
