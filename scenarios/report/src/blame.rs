//! What a finding points at: the step or claim of the scenario's file, and the bytes, from near.

use schemars::JsonSchema;
use serde::Serialize;

use relaybed_case::evidence::Evidence;
use relaybed_case::finding::{Expectation, Finding, Plain, Record, What};
use relaybed_case::hex;
use relaybed_case::select::Loaded;
use relaybed_case::{Case, Expect, FlowPart};
use relaybed_judge::{Area, Beside, CloseUp, Neighbour, close_up};
use relaybed_lang::{Places, line_and_column, places};

/// Lines of the file shown before and after a step.
const LINES_AROUND: usize = 2;
/// Rows of bytes shown before and after the marked one.
const ROWS_AROUND: usize = 3;

/// What one finding points at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// Where it was seen, in words.
    pub place: String,
    /// The step or the claim of the scenario's file.
    pub step: Option<Step>,
    /// Its bytes as a dump: seen, and beside them what is expected where they differ.
    pub bytes: Option<String>,
    /// Of a missing record: between which two it belongs.
    pub between: Option<String>,
}

/// A place in a scenario's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// The file, as the user gave it.
    pub path: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    /// The text there, as its author wrote it.
    pub text: String,
    /// The actor whose operation it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The operation's number, from 0, rounds of `repeat` counted one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<usize>,
    /// The record that it wrote and the finding is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u32>,
    /// The rounds of `repeat` that it is in, outermost first: number and how many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub rounds: Vec<(u64, u64)>,
    /// The lines around it, each with its number.
    #[serde(skip)]
    pub around: Vec<(usize, String)>,
}

impl std::fmt::Display for Step {
    /// `my.toml:34:11: operation 5 of reader, round 3 of 50`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)?;
        if let (Some(actor), Some(operation)) = (&self.actor, self.operation) {
            write!(f, ": operation {operation} of {actor}")?;
        }
        if let Some(record) = self.record {
            write!(f, ", which wrote its record {record}")?;
        }
        let rounds = self.rounds.iter();
        rounds.enumerate().try_for_each(|(depth, (number, of))| {
            let of_what = if depth == 0 {
                ""
            } else {
                " of the inner repeat"
            };
            write!(f, ", round {number} of {of}{of_what}")
        })
    }
}

impl Blame {
    /// What each of the findings points at; the bytes for those that are failures.
    #[must_use]
    pub fn all(
        loaded: &Loaded,
        evidence: Option<&Evidence>,
        findings: &[Finding],
        are_failures: bool,
    ) -> Vec<Self> {
        let places = places_of(loaded);
        let near = evidence.filter(|_| are_failures);
        let blame = |finding: &Finding| Self {
            place: place(finding, evidence),
            step: places
                .as_ref()
                .and_then(|p| Step::of(loaded, p, finding, evidence)),
            ..near.map_or_else(Self::default, |evidence| {
                from_near(&close_up(&loaded.case, evidence, finding))
            })
        };
        findings.iter().map(blame).collect()
    }
}

/// Where the case's operations and claims stand in its file, as far as that is still of this case.
pub(crate) fn places_of(loaded: &Loaded) -> Option<Places> {
    let places = places(&loaded.case.name, &loaded.source);
    places.filter(|places| fits(places, &loaded.case))
}

/// Whether the places are of this case: a file may have changed since.
fn fits(places: &Places, case: &Case) -> bool {
    let ops = places.ops.iter().map(Vec::len);
    ops.eq(case.actors.iter().map(|actor| actor.ops.len()))
        && places.claims.len() == case.expect.len()
}

/// Where it was seen, the observation by what it is.
fn place(finding: &Finding, evidence: Option<&Evidence>) -> String {
    let observation = finding.at.observation;
    let seen = evidence
        .zip(observation)
        .and_then(|(evidence, index)| evidence.observations.get(index));
    let moment = seen.map(|seen| match &seen.label {
        Some(label) => format!("at checkpoint {label:?}"),
        None => "at the end".to_owned(),
    });
    finding.at.words(moment.as_deref())
}

fn from_near(near: &CloseUp) -> Blame {
    let between = near.between.as_ref();
    Blame {
        bytes: near.bytes.as_ref().map(dump),
        between: between.map(|(before, behind)| in_words(before.as_ref(), behind.as_ref())),
        ..Blame::default()
    }
}

fn dump(beside: &Beside) -> String {
    let Beside {
        area,
        start,
        seen,
        expected,
        mark,
    } = beside;
    let of = match area {
        Area::Buffer => "the channel buffer",
        Area::Stream => "what the buffer's readers got",
        Area::Read => "what the operation read",
    };
    let rows = hex::difference(expected, seen, *start, *mark, ROWS_AROUND);
    let differ = rows.lines().any(|row| row.starts_with('+'));
    let signs = if differ { "; - expected, + seen" } else { "" };
    format!("  offsets in {of}{signs}\n{rows}")
}

fn in_words(before: Option<&Neighbour>, behind: Option<&Neighbour>) -> String {
    let named = |(record, offset): &Neighbour| format!("{record} at offset {offset} ({offset:#x})");
    match (before.map(named), behind.map(named)) {
        (Some(before), Some(behind)) => format!("behind {before}, before {behind}"),
        (Some(before), None) => format!("after {before}, the last"),
        (None, Some(behind)) => format!("before {behind}, the first"),
        (None, None) => "alone: there is no other record".to_owned(),
    }
}

impl Step {
    fn of(
        loaded: &Loaded,
        places: &Places,
        finding: &Finding,
        evidence: Option<&Evidence>,
    ) -> Option<Self> {
        let case = &loaded.case;
        let at = &finding.at;
        let named = |name: &str| case.actors.iter().position(|a| a.name == name);
        let done = at.actor.as_deref().and_then(named).zip(at.op);
        let wrote = written(case, finding);
        if let Some((index, op)) = done.or(wrote.map(|(actor, op, _)| (actor, op))) {
            let place = places.ops.get(index)?.get(op)?;
            let rounds = place.rounds.iter().map(|round| (round.number, round.of));
            return Some(Self {
                actor: case.actors.get(index).map(|actor| actor.name.clone()),
                operation: Some(op),
                record: wrote.filter(|_| done.is_none()).map(|(.., record)| record),
                rounds: rounds.collect(),
                ..Self::at(loaded, place.span.clone())
            });
        }
        let span = claim(case, places, finding, evidence).or_else(|| {
            let never = matches!(finding.what, What::Expectation(Expectation::NeverOpened {}));
            let named = case.channels.iter();
            let channel = named
                .enumerate()
                .find(|(_, c)| Some(&c.name) == at.channel.as_ref());
            places.channels.get(channel?.0).filter(|_| never).cloned()
        })?;
        Some(Self::at(loaded, span))
    }

    fn at(loaded: &Loaded, span: std::ops::Range<usize>) -> Self {
        let source = &*loaded.source;
        let (line, column) = line_and_column(source, span.start);
        let lines = source
            .lines()
            .enumerate()
            .map(|(index, text)| (index + 1, text));
        let first = line.saturating_sub(LINES_AROUND);
        let last = line + LINES_AROUND;
        let around = lines.filter(|(number, _)| (first..=last).contains(number));
        let text = source.get(span).unwrap_or_default();
        Self {
            path: loaded.path.to_string(),
            line,
            column,
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            actor: None,
            operation: None,
            record: None,
            rounds: Vec::new(),
            around: around
                .map(|(number, text)| (number, text.to_owned()))
                .collect(),
        }
    }
}

/// Who wrote the record that a finding is about, in which operation, and the record's number.
fn written(case: &Case, finding: &Finding) -> Option<(usize, usize, u32)> {
    let Record::Named { number, actor } = finding.record()? else {
        return None;
    };
    let mut actors = case.actors.iter();
    let index = actors.position(|a| Plain::from(a.name.as_str()) == *actor)?;
    Some((index, case.actors[index].writing(*number)?, *number))
}

/// The claim that does not hold, by the key of its value.
fn claim(
    case: &Case,
    places: &Places,
    finding: &Finding,
    evidence: Option<&Evidence>,
) -> Option<std::ops::Range<usize>> {
    let What::Expectation(what) = &finding.what else {
        return None;
    };
    let key = match what {
        Expectation::Produced { .. } => "produced",
        Expectation::Consumed { .. } => "consumed",
        Expectation::Offset { .. } => "offset",
        Expectation::Padding { .. } => "padding",
        Expectation::Refused { .. } => "refused",
        Expectation::Text { .. } => "text",
        Expectation::NotRefused { .. } => "open_refused",
        Expectation::NoBuffer {} => "buffer",
        Expectation::Flow { part, .. } => {
            let mut words = FlowPart::ALL.iter().map(|(word, _)| *word);
            words.find(|word| Plain::from(*word) == *part)?
        }
        _ => return None,
    };
    let at = &finding.at;
    let is_channel =
        |index: usize| case.channels.get(index).map(|c| &c.name) == at.channel.as_ref();
    let is_actor = |index: usize| case.actors.get(index).map(|a| &a.name) == at.actor.as_ref();
    let label = at
        .observation
        .and_then(|index| evidence?.observations.get(index)?.label.as_ref());
    let is_of = |expect: &Expect| match expect {
        Expect::Buffer {
            at: moment,
            channel,
            cpu,
            ..
        } => is_channel(*channel) && Some(*cpu) == at.cpu && moment.as_ref() == label,
        Expect::Refused { actor, .. } | Expect::Text { actor, .. } => is_actor(*actor),
        Expect::Flow { channel, cpu, .. } => is_channel(*channel) && Some(*cpu) == at.cpu,
        Expect::OpenRefused { channel } => is_channel(*channel),
        Expect::Result { .. } => false,
    };
    let claims = case.expect.iter().zip(&places.claims);
    let mut found = claims.filter(|(expect, _)| is_of(expect));
    found.find_map(|(_, claim)| {
        claim
            .iter()
            .find(|(of, _)| *of == key)
            .map(|(_, span)| span.clone())
    })
}
