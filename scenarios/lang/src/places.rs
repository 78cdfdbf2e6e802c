//! Where the operations and claims of a case stand in its file.

use std::ops::Range;

use super::load::load_placed;

/// One of the rounds of a `repeat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its number, from 1.
    pub number: u64,
    /// How many there are.
    pub of: u64,
}

/// An operation's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpPlace {
    /// The step, in bytes of the file.
    pub span: Range<usize>,
    /// The rounds of `repeat` that it is in, outermost first.
    pub rounds: Vec<Round>,
}

/// A claim's places, each by the key of its value.
pub type ClaimPlaces = Vec<(&'static str, Range<usize>)>;

/// Where a case stands in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Of each actor's operations, as in the case.
    pub ops: Vec<Vec<OpPlace>>,
    /// Of each claim, as in the case.
    pub claims: Vec<ClaimPlaces>,
    /// Of each channel's name, as in the case.
    pub channels: Vec<Range<usize>>,
    /// What the author calls each descriptor, by slot.
    pub files: Vec<String>,
}

/// The places of the case `name` in the text of its file; `None`: it is not in there.
///
/// Only the parameters in the name count: a file may be known by another name now.
#[must_use]
pub fn places(name: &str, text: &str) -> Option<Places> {
    let parameters = name.find('[').map_or("", |at| &name[at..]);
    let cases = load_placed("", text).ok()?;
    let of = cases.into_iter().find(|(case, _)| case.name == parameters);
    of.map(|(_, places)| places)
}

/// Line and column of a byte of a text, both from 1.
#[must_use]
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"summary = "Places."
[params]
len = [8, 16]
[channel.cpu]
subbuf_size = 64
n_subbufs = 4
[[actor]]
name = "w"
cpu = "each"
script = [
    { repeat = 2, steps = [
        { write = "cpu", len = "len" },
        { repeat = 3, steps = [{ delay_us = 1 }] },
    ] },
    { flush = "cpu" },
]
[[expect]]
buffer = "cpu"
cpu = 1
produced = 1
"#;

    #[test]
    fn operations_and_claims_are_found_in_their_file() {
        let places = places("any/name[len=16]", TEXT).unwrap();
        assert_eq!(places.ops.len(), 2);
        let ops = &places.ops[1];
        assert_eq!(ops.len(), 9);
        let of = |index: usize| {
            let op = &ops[index];
            let rounds: Vec<_> = op.rounds.iter().map(|r| (r.number, r.of)).collect();
            (&TEXT[op.span.clone()], rounds)
        };
        let write = r#"{ write = "cpu", len = "len" }"#;
        assert_eq!(of(0), (write, vec![(1, 2)]));
        assert_eq!(of(4), (write, vec![(2, 2)]));
        assert_eq!(of(7), ("{ delay_us = 1 }", vec![(2, 2), (3, 3)]));
        assert_eq!(of(8), (r#"{ flush = "cpu" }"#, vec![]));
        assert_eq!(line_and_column(TEXT, ops[0].span.start), (12, 9));
        let (key, span) = &places.claims[0][1];
        assert_eq!((*key, &TEXT[span.clone()]), ("produced", "1"));
        assert_eq!(line_and_column(TEXT, span.start), (20, 12));
        assert_eq!(&TEXT[places.channels[0].clone()], "cpu");
    }

    #[test]
    fn descriptors_and_flows_are_said_as_their_author_did() {
        let text = TEXT.replace(
            "[[expect]]",
            r#"[[actor]]
name = "r"
context = "user"
script = [{ open_file = "cpu", cpu = 0, as = "p" }, { read = "p", size = 8 }]
[[expect]]
flow = "cpu"
cpu = 1
written = "N"
lost = 0
[[expect]]"#,
        );
        let places = places("any/name[len=16]", &text).unwrap();
        assert_eq!(places.files, ["p"]);
        let cases = crate::load("any/name", &text).unwrap();
        let case = cases.iter().find(|case| case.name.contains("16")).unwrap();
        let said = |op: usize| {
            crate::operation_text(case, &case.actors[2].ops[op], &places.files).unwrap()
        };
        assert_eq!(said(0), r#"open_file = "cpu", cpu = 0, as = "p""#);
        assert_eq!(said(1), r#"read = "p", size = 8"#);
        let claim = &places.claims[0];
        let of = |at: usize| (claim[at].0, &text[claim[at].1.clone()]);
        assert_eq!((of(1), of(2)), (("written", "\"N\""), ("lost", "0")));
        // What is written of the case means the same.
        let again = crate::write(case).unwrap();
        let again = crate::load("any/name", &again).unwrap().remove(0);
        assert_eq!(again.expect, case.expect);
    }

    #[test]
    fn a_case_that_is_not_in_the_file_has_no_places() {
        assert_eq!(places("any/name[len=17]", TEXT), None);
        assert_eq!(places("any/name", "not a scenario"), None);
    }
}
