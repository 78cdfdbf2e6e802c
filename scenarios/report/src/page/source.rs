//! The scenario's text, with the failing steps marked; rows of the table lead to its lines.

use super::html::{escape, marks};
use super::push;
use crate::Blame;
use crate::blame::places_of;
use relaybed_case::select::Loaded;
use relaybed_lang::{Places, line_and_column};

/// Most lines shown, of a longer file those around the first failing step.
const LINES_MAX: usize = 400;

/// A scenario's text and where its operations are in it.
pub(super) struct Source<'a> {
    text: &'a str,
    places: Option<Places>,
    /// Lines of failing steps, each with the finding's number from 0.
    failing: Vec<(usize, usize)>,
    /// Numbers of the first line shown and of the one behind the last, from 1.
    shown: (usize, usize),
}

impl<'a> Source<'a> {
    pub(super) fn of(loaded: &'a Loaded, blames: &[Blame]) -> Self {
        let failing: Vec<(usize, usize)> = blames
            .iter()
            .enumerate()
            .filter_map(|(number, blame)| Some((blame.step.as_ref()?.line, number)))
            .collect();
        let first = failing.first().map_or(1, |(line, _)| *line);
        let lines = loaded.source.lines().count();
        let from = first.saturating_sub(LINES_MAX / 2);
        let from = from.min(lines.saturating_sub(LINES_MAX)) + 1;
        Self {
            text: &loaded.source,
            places: places_of(loaded),
            failing,
            shown: (from, from + LINES_MAX),
        }
    }

    /// The line that an operation is on, if it is shown.
    pub(super) fn line_of(&self, actor: Option<usize>, op: Option<usize>) -> Option<usize> {
        let places = self.places.as_ref()?;
        let place = places.ops.get(actor?)?.get(op?)?;
        let (line, _) = line_and_column(self.text, place.span.start);
        (self.shown.0..self.shown.1).contains(&line).then_some(line)
    }

    /// Whether a finding points at an operation.
    pub(super) fn is_failing(&self, actor: Option<usize>, op: Option<usize>) -> bool {
        let line = self.line_of(actor, op);
        self.failing.iter().any(|(of, _)| Some(*of) == line)
    }

    pub(super) fn write(&self, text: &mut String) {
        if self.text.is_empty() {
            return;
        }
        text.push_str("<section class=\"source\"><h2>Scenario</h2><pre>");
        let (first, last) = self.shown;
        let left_out = |text: &mut String, lines: usize, place: &str| {
            if lines > 0 {
                let dim = format_args!("<span class=\"dim\">{lines} lines {place}</span>\n");
                push(text, dim);
            }
        };
        left_out(text, first - 1, "before");
        for (number, line) in (1..).zip(self.text.lines()) {
            if !(first..last).contains(&number) {
                continue;
            }
            let failing = self.failing.iter().filter(|(of, _)| *of == number);
            let failing: Vec<usize> = failing.map(|(_, finding)| *finding).collect();
            let class = match failing.is_empty() {
                true => "",
                false => " class=\"step\"",
            };
            push(
                text,
                format_args!(
                    "<span id=\"L{number}\"{class}><i>{number}</i>{}{}</span>\n",
                    marks(&failing),
                    escape(line)
                ),
            );
        }
        left_out(
            text,
            (self.text.lines().count() + 1).saturating_sub(last),
            "behind",
        );
        text.push_str("</pre></section>\n");
    }
}
