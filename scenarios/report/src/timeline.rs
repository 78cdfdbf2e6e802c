//! One run, put in order: operations, events, checkpoints and stops, each with the counters that it left.
//!
//! `trace` prints it as a table, `report` draws it. Evidence is hostile: what is out of range is left out.

mod counters;
mod ops;
mod order;
mod stops;
mod words;

use relaybed_abi::EventKind;

use relaybed_case::Case;
use relaybed_case::evidence::{Evidence, Observation};
use relaybed_case::finding::Finding;
use relaybed_case::select::Loaded;
use relaybed_case::verdict::Verdict;

use counters::Predicted;
pub use counters::{Counters, Origin};

/// CPUs that evidence may speak of: the ABI's bound.
pub(crate) const CPUS_MAX: u32 = 64;
const _: () = assert!(CPUS_MAX as usize == relaybed_abi::RB_MAX_CPUS);
/// Most stops that are put into the order; the rest is counted.
const STEPS_MAX: usize = 20_000;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An operation from its beginning to its end, with nothing of others in between.
    Operation,
    /// An operation's beginning: others did something before its end.
    Begin,
    /// The end of such a one.
    End,
    /// Something in the middle of an operation: a callback, a call of `read()`.
    Event,
    /// The machine stood still and all buffers were observed.
    Checkpoint,
    /// What a vCPU did at one or more stops of a run under control, up to which nobody else ran.
    Stop,
    /// A stop behind which another vCPU runs.
    Switch {
        /// That one.
        to: u32,
        /// The last preemption before what failed.
        decisive: bool,
    },
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Row {
    /// Place in the order of everything, as the guest counted.
    pub order: u32,
    /// Nanoseconds since the first thing that happened, where the guest took the time.
    pub time_ns: Option<u64>,
    /// What it is.
    pub kind: Kind,
    /// The CPU; `None`: it is not known or of no CPU.
    pub cpu: Option<u32>,
    /// Who, by index in the case.
    pub actor: Option<usize>,
    /// The operation's index.
    pub op: Option<usize>,
    /// What was done.
    pub what: String,
    /// What it gave; empty: nothing to tell.
    pub gave: String,
    /// The buffers that it concerns, behind it.
    pub counters: Vec<Counters>,
    /// Numbers of the findings that were seen here.
    pub findings: Vec<usize>,
}

/// A run in its order.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Ascending by order.
    pub rows: Vec<Row>,
    /// CPUs that have a column.
    pub cpus: u32,
    /// Stops that found no place.
    pub steps_left_out: usize,
    /// The evidence does not say how stops and operations were ordered: where they stand is inferred.
    pub is_inferred: bool,
    /// Operations that were never begun, by actor and operation.
    pub never_begun: Vec<(usize, usize)>,
}

impl Timeline {
    /// The run that left this evidence. Stops of one vCPU in a row are folded, or each has its row.
    #[must_use]
    pub fn of(loaded: &Loaded, evidence: &Evidence, verdict: &Verdict, fold: bool) -> Self {
        let case = &loaded.case;
        let files = crate::blame::places_of(loaded).map_or_else(Vec::new, |places| places.files);
        let cpus = evidence.setting.vcpus.clamp(1, CPUS_MAX);
        let predicted = Predicted::of(case, evidence.setting.linux_version, cpus);
        let findings = verdict.findings();
        let trace = evidence.trace.as_ref();
        let placed = trace.map(|trace| order::placed(case, evidence, trace, STEPS_MAX));
        let passed = placed.iter().flat_map(|placed| &placed.all);
        let behind: Vec<u32> = passed
            .filter(|(_, did)| did.is_shown())
            .map(|(order, _)| *order)
            .collect();
        let mut rows = Vec::new();
        let told = (evidence, behind.as_slice());
        let never_begun = ops::rows((case, &files), told, &predicted, findings, &mut rows);
        events(case, evidence, &mut rows);
        checkpoints(case, evidence, findings, &mut rows);
        if let Some((trace, placed)) = trace.zip(placed.as_ref()) {
            let of = stops::Stops {
                case,
                files: &files,
                trace,
                decisive: decisive(placed, &rows),
                fold,
            };
            stops::rows(&of, placed, &mut rows);
        }
        // Stable: stops come behind what has the same place in the order.
        rows.sort_by_key(|row| row.order);
        let first = rows.iter().filter_map(|row| row.time_ns).min().unwrap_or(0);
        for row in &mut rows {
            row.time_ns = row.time_ns.map(|time| time.saturating_sub(first));
        }
        Self {
            rows,
            cpus,
            steps_left_out: trace.map_or(0, |trace| trace.steps.len().saturating_sub(STEPS_MAX)),
            is_inferred: placed.is_some_and(|placed| placed.is_inferred),
            never_begun,
        }
    }

    /// Whether some counters are the model's word and not the evidence's.
    #[must_use]
    pub fn has_predictions(&self) -> bool {
        let mut all = self.rows.iter().flat_map(|row| &row.counters);
        all.any(|counters| counters.origin == Origin::Predicted)
    }
}

/// CPU of an actor, where it is bound to one.
fn cpu_of(case: &Case, actor: usize) -> Option<u32> {
    case.actors.get(actor)?.cpu()
}

fn events(case: &Case, evidence: &Evidence, rows: &mut Vec<Row>) {
    for event in &evidence.events {
        let Ok(kind) = EventKind::try_from(event.kind) else {
            continue;
        };
        if matches!(kind, EventKind::None | EventKind::Transfer) {
            continue;
        }
        let actor = Some(usize::from(event.actor)).filter(|actor| *actor < case.actors.len());
        let op = actor.map(|_| event.op as usize);
        let (what, gave) = words::event(case, evidence, kind, event);
        rows.push(Row {
            order: event.order,
            time_ns: Some(event.time_ns),
            kind: Kind::Event,
            cpu: Some(u32::from(event.cpu)).filter(|cpu| *cpu < CPUS_MAX),
            actor,
            op,
            what,
            gave,
            counters: counters::at_event(case, kind, event),
            findings: Vec::new(),
        });
    }
}

/// Rows of the observations: at a checkpoint behind its operation's beginning, at the end behind everything.
fn checkpoints(case: &Case, evidence: &Evidence, findings: &[Finding], rows: &mut Vec<Row>) {
    let last = rows.iter().map(|row| row.order).max().unwrap_or(0);
    for (index, observation) in evidence.observations.iter().enumerate() {
        let begun = observation.at.and_then(|(actor, op)| {
            let result = evidence.results.get(actor)?.get(op)?;
            (result.state != 0).then_some(result.order_start)
        });
        let what = match &observation.label {
            Some(label) => format!("checkpoint {label:?}"),
            None => "the end".to_owned(),
        };
        let seen = |finding: &Finding| {
            finding.at.op.is_none()
                && finding
                    .at
                    .observation
                    .unwrap_or(evidence.observations.len().saturating_sub(1))
                    == index
        };
        rows.push(Row {
            order: begun.unwrap_or_else(|| last.saturating_add(1)),
            time_ns: None,
            kind: Kind::Checkpoint,
            cpu: observation.at.and_then(|(actor, _)| cpu_of(case, actor)),
            actor: observation.at.map(|(actor, _)| actor),
            op: observation.at.map(|(_, op)| op),
            what,
            gave: String::new(),
            counters: seen_at(case, observation),
            findings: (0..findings.len())
                .filter(|at| seen(&findings[*at]))
                .collect(),
        });
    }
}

fn seen_at(case: &Case, observation: &Observation) -> Vec<Counters> {
    let channels = observation.channels.iter().zip(&case.channels).enumerate();
    channels
        .flat_map(|(index, (seen, _))| {
            let buffers = seen.buffers.iter();
            buffers.map(move |buffer| Counters::seen(index, buffer))
        })
        .collect()
}

/// The switch that decides: the last preemption before the first thing that failed, else the last of all.
fn decisive(placed: &order::Placed<'_>, rows: &[Row]) -> Option<usize> {
    let failed = rows.iter().filter(|row| !row.findings.is_empty());
    let failed = failed.map(|row| row.order).min().unwrap_or(u32::MAX);
    let preempting = |before: u32| {
        placed.all.iter().rev().find_map(|(order, did)| match did {
            order::Did::Stopped(index, step) if step.preempts() && *order < before => Some(*index),
            _ => None,
        })
    };
    preempting(failed).or_else(|| preempting(u32::MAX))
}

#[cfg(test)]
mod tests;
