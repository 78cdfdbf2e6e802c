//! Stops and accesses as rows: each switch has its own, what a vCPU does up to there is folded into one.

use super::order::{Did, Placed};
use super::{CPUS_MAX, Kind, Row, words};
use relaybed_case::Case;
use relaybed_case::place::Place;
use relaybed_case::trace::{Accessed, Step, Trace};

/// What rows are made of.
pub(super) struct Stops<'a> {
    pub(super) case: &'a Case,
    /// Names of descriptors, by slot.
    pub(super) files: &'a [String],
    pub(super) trace: &'a Trace,
    /// The switch that decides, by the number of its stop.
    pub(super) decisive: Option<usize>,
    /// Whether runs of stops are folded.
    pub(super) fold: bool,
}

/// What one vCPU does with nobody and nothing in between.
#[derive(Default)]
struct Fold<'a> {
    vcpu: u32,
    order: u32,
    stops: Vec<usize>,
    accesses: Vec<&'a Accessed>,
    /// Stops at accesses that were not recorded, and timer interrupts.
    places: Vec<&'a Place>,
}

/// Adds the rows.
pub(super) fn rows(of: &Stops<'_>, placed: &Placed<'_>, rows: &mut Vec<Row>) {
    let mut fold = Fold::default();
    for (order, did) in &placed.all {
        let order = *order;
        if (fold.vcpu, fold.order) != (did.vcpu(), order) {
            let vcpu = did.vcpu();
            let new = Fold {
                vcpu,
                order,
                ..Fold::default()
            };
            flush(of, std::mem::replace(&mut fold, new), rows);
        }
        match did {
            Did::Accessed(one) if one.access.by.is_relay() => fold.accesses.push(one),
            Did::Accessed(_) => {}
            Did::Stopped(index, step) => stopped(of, &mut fold, (*index, step), rows),
        }
    }
    flush(of, fold, rows);
}

fn stopped<'a>(
    of: &Stops<'a>,
    fold: &mut Fold<'a>,
    (index, step): (usize, &'a Step),
    rows: &mut Vec<Row>,
) {
    let place = &step.stop.place;
    let is_data = matches!(place, Place::Data { .. });
    if step.next == step.stop.vcpu {
        fold.stops.push(index);
        let is_told = match place {
            Place::Data { .. } => of.trace.accesses.is_empty(),
            Place::Operation { .. } | Place::Idle | Place::Done => false,
            _ => true,
        };
        if is_told {
            fold.places.push(place);
        }
        if !of.fold {
            flush(of, fold.taken(), rows);
        }
        return;
    }
    // The access that it stopped for is the last of its vCPU.
    let made = if is_data { fold.accesses.pop() } else { None };
    let (vcpu, order) = (fold.vcpu, fold.order);
    flush(of, fold.taken(), rows);
    let what = match made {
        Some(made) => words::access(of.case, of.trace, &made.access),
        None => words::place(of.case, of.files, place),
    };
    rows.push(row(
        (vcpu, order),
        Kind::Switch {
            to: step.next,
            decisive: of.decisive == Some(index),
        },
        format!("{index} {what}"),
    ));
}

impl Fold<'_> {
    /// Gives what is folded, and goes on with nothing at the same place.
    fn taken(&mut self) -> Self {
        let (vcpu, order) = (self.vcpu, self.order);
        let rest = Self {
            vcpu,
            order,
            ..Self::default()
        };
        std::mem::replace(self, rest)
    }
}

fn row((vcpu, order): (u32, u32), kind: Kind, what: String) -> Row {
    Row {
        order,
        time_ns: None,
        kind,
        cpu: Some(vcpu).filter(|cpu| *cpu < CPUS_MAX),
        actor: None,
        op: None,
        what,
        gave: String::new(),
        counters: Vec::new(),
        findings: Vec::new(),
    }
}

/// A row for what was folded, where there is something to say.
fn flush(of: &Stops<'_>, fold: Fold<'_>, rows: &mut Vec<Row>) {
    let mut said = words::accesses(of.case, of.trace, &fold.accesses, of.fold);
    said.extend(words::places(of.case, of.files, &fold.places));
    if said.is_empty() {
        return;
    }
    let number = match (fold.stops.first(), fold.stops.last()) {
        (Some(first), Some(last)) if first == last => format!("{first} "),
        (Some(first), Some(last)) => format!("{first}–{last} "),
        _ => String::new(),
    };
    let what = format!("{number}{}", said.join("; "));
    rows.push(row((fold.vcpu, fold.order), Kind::Stop, what));
}
