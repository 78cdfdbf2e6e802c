//! Operations as rows.

use relaybed_abi::{OpResult, State};

use super::counters::Predicted;
use super::{Kind, Row, cpu_of, words};
use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::Finding;

/// Adds the rows of all operations; gives those that were never begun.
pub(super) fn rows(
    (case, files): (&Case, &[String]),
    (evidence, stops): (&Evidence, &[u32]),
    predicted: &Predicted<'_>,
    findings: &[Finding],
    rows: &mut Vec<Row>,
) -> Vec<(usize, usize)> {
    let mut never = Vec::new();
    let foreign = Foreign::of(evidence, stops);
    for (actor, script) in case.actors.iter().enumerate() {
        for (op, what) in script.ops.iter().enumerate() {
            let result = evidence.results.get(actor).and_then(|ops| ops.get(op));
            let Some(result) = result.filter(|result| result.state != State::Idle.code()) else {
                never.push((actor, op));
                continue;
            };
            let of_op = |finding: &Finding| {
                finding.at.actor.as_deref() == Some(&script.name) && finding.at.op == Some(op)
            };
            let whole = Row {
                order: result.order_start,
                time_ns: Some(result.start_ns),
                kind: Kind::Operation,
                cpu: cpu_of(case, actor),
                actor: Some(actor),
                op: Some(op),
                what: words::operation(case, files, what),
                gave: words::result(what, result),
                counters: predicted.behind(actor, op),
                findings: (0..findings.len())
                    .filter(|at| of_op(&findings[*at]))
                    .collect(),
            };
            let ended = result.state == State::Done.code();
            if ended && !foreign.are_within(actor, result) {
                rows.push(whole);
                continue;
            }
            rows.push(Row {
                kind: Kind::Begin,
                gave: match ended {
                    true => String::new(),
                    false => "did not end".to_owned(),
                },
                counters: Vec::new(),
                findings: match ended {
                    true => Vec::new(),
                    false => whole.findings.clone(),
                },
                ..whole.clone()
            });
            if ended {
                rows.push(Row {
                    order: result.order_end,
                    time_ns: Some(result.end_ns),
                    kind: Kind::End,
                    what: words::verb(&whole.what).to_owned(),
                    ..whole
                });
            }
        }
    }
    never
}

/// Places in the order that are of something else than one's own beginnings and ends.
struct Foreign {
    /// Ascending; with the actor.
    places: Vec<(u32, Option<usize>)>,
    /// Places behind which rows of stops stand, ascending.
    stops: Vec<u32>,
}

impl Foreign {
    fn of(evidence: &Evidence, stops: &[u32]) -> Self {
        let results = evidence.results.iter().enumerate();
        let ops = results.flat_map(|(actor, ops)| {
            let begun = ops.iter().filter(|op| op.state != State::Idle.code());
            begun.flat_map(move |op| [(op.order_start, Some(actor)), (op.order_end, Some(actor))])
        });
        // Events within an operation are told between its beginning and its end.
        let events = evidence.events.iter().map(|event| (event.order, None));
        let mut places: Vec<_> = ops.chain(events).collect();
        places.sort_unstable();
        let stops = stops.to_vec();
        Self { places, stops }
    }

    fn are_within(&self, actor: usize, result: &OpResult) -> bool {
        let first = self.stops.partition_point(|at| *at < result.order_start);
        if self
            .stops
            .get(first)
            .is_some_and(|at| *at < result.order_end)
        {
            return true;
        }
        let behind = |place: u32| self.places.partition_point(|(at, _)| *at <= place);
        let from = behind(result.order_start);
        let inner = self.places.get(from..).unwrap_or_default();
        let mut inner = inner.iter().take_while(|(at, _)| *at < result.order_end);
        inner.any(|(_, of)| *of != Some(actor))
    }
}
