//! What is wrong with a scenario file: all of it, each with its place.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// One thing that is wrong, with its place in the file.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Problem {
    /// One sentence: what is wrong.
    pub message: String,
    /// What stands at the place.
    pub here: String,
    /// The place, in bytes of the file.
    #[label("{here}")]
    pub span: SourceSpan,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
}

impl Problem {
    /// A problem at `span`; `here` is the short text at the place itself.
    pub(super) fn new(
        message: impl Into<String>,
        span: Range<usize>,
        here: impl Into<String>,
    ) -> Self {
        Self {
            message: message.into(),
            here: here.into(),
            span: span.into(),
            help: None,
        }
    }

    /// The same with a way out.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything that is wrong with one scenario file. Never empty.
///
/// As a [`miette::Diagnostic`] it carries the file's text and one related diagnostic a problem, so
/// any of miette's handlers can show it, with or without a terminal.
#[derive(Debug)]
pub struct Diagnostics {
    name: String,
    source: NamedSource<String>,
    problems: Vec<Problem>,
}

impl Diagnostics {
    /// Sorts `problems` by place and drops repetitions, which expansion of parameters makes.
    pub(super) fn new(name: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.span.offset(), problem.span.len()));
        problems.dedup_by(|a, b| a.span == b.span && a.message == b.message);
        Self {
            name: name.to_owned(),
            source: NamedSource::new(name, text.to_owned()).with_language("toml"),
            problems,
        }
    }

    /// The same, with places as `path:line:column`.
    #[must_use]
    pub fn in_file(mut self, path: &str) -> Self {
        let text = self.source.inner().clone();
        path.clone_into(&mut self.name);
        self.source = NamedSource::new(path, text).with_language("toml");
        self
    }

    /// The problems, in the order of their places.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.problems.len() == 1 {
            "problem"
        } else {
            "problems"
        };
        write!(f, "{}: {} {what}", self.name, self.problems.len())
    }
}

impl std::error::Error for Diagnostics {}

impl Diagnostic for Diagnostics {
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(
            self.problems
                .iter()
                .map(|problem| problem as &dyn Diagnostic),
        ))
    }
}

/// The word of `known` that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Help text for an unknown word: the near one if there is one, else all that would do.
pub(super) fn suggestion(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied()).map_or_else(
        || {
            if known.is_empty() {
                "there are none in this file".to_owned()
            } else {
                format!("known are: {}", known.join(", "))
            }
        },
        |near| format!("did you mean `{near}`?"),
    )
}

/// Edit distance, with a swap of neighbours counted as one. Words are short; long ones are far.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["write", "raw_write", "reserve", "flush"];
        assert_eq!(nearest("wriet", known), Some("write"));
        assert_eq!(nearest("reserved", known), Some("reserve"));
        assert_eq!(nearest("mmap", known), None);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
