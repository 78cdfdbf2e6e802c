//! Where stops and accesses stand in the guest's order of operations and events.
//!
//! A run under control reads the guest's count at every stop and access. Evidence from before that does not have it: then
//! the order is inferred from what is certain. One vCPU runs between two stops; an operation begins behind its stop and
//! ends before the next one; an accepted switch of sub-buffers calls back just before relay stores `data`.

use std::collections::HashMap;

use relaybed_abi::{EventKind, State};

use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_case::field::Field;
use relaybed_case::place::Place;
use relaybed_case::trace::{Accessed, Step, Trace};

/// One thing that the host saw a vCPU do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Did<'a> {
    Accessed(&'a Accessed),
    Stopped(usize, &'a Step),
}

impl Did<'_> {
    pub(super) const fn vcpu(&self) -> u32 {
        match self {
            Self::Accessed(one) => one.vcpu,
            Self::Stopped(_, step) => step.stop.vcpu,
        }
    }

    const fn order(&self) -> u32 {
        match self {
            Self::Accessed(one) => one.order,
            Self::Stopped(_, step) => step.order,
        }
    }

    /// Whether it has a row, or a part in one.
    pub(super) fn is_shown(&self) -> bool {
        match self {
            Self::Accessed(one) => one.access.by.is_relay(),
            Self::Stopped(_, step) => {
                step.next != step.stop.vcpu || matches!(step.stop.place, Place::Data { .. })
            }
        }
    }
}

/// What the host saw, in its order, each behind the last thing of the guest's order that came before it.
pub(super) struct Placed<'a> {
    pub(super) all: Vec<(u32, Did<'a>)>,
    /// The evidence does not say it.
    pub(super) is_inferred: bool,
}

/// The first `steps_max` stops and what came before them.
pub(super) fn placed<'a>(
    case: &Case,
    evidence: &'a Evidence,
    trace: &'a Trace,
    steps_max: usize,
) -> Placed<'a> {
    let steps = &trace.steps[..trace.steps.len().min(steps_max)];
    let mut did = Vec::with_capacity(steps.len() + trace.accesses.len());
    for (index, step) in steps.iter().enumerate() {
        let before = trace.accesses_before(index).iter();
        did.extend(before.map(Did::Accessed));
        did.push(Did::Stopped(index, step));
    }
    if steps.len() == trace.steps.len() {
        let rest = trace.accesses_before(steps.len()).iter();
        did.extend(rest.map(Did::Accessed));
    }
    let is_inferred = steps.iter().all(|step| step.order == 0);
    let orders: Vec<u32> = match is_inferred {
        true => inferred(case, evidence, &did),
        false => did.iter().map(Did::order).collect(),
    };
    let mut last = 0;
    let mut ascending = |order: u32| {
        last = order.max(last);
        last
    };
    let orders = orders.into_iter().map(&mut ascending);
    Placed {
        all: orders.zip(did).collect(),
        is_inferred,
    }
}

/// What the guest numbered, and where it lies among what the host saw.
struct Told {
    order: u32,
    cpu: Option<u32>,
    /// It is just before this, where that is certain.
    fixed: Option<usize>,
    /// It is before this.
    until: usize,
}

/// Where each vCPU and each operation appears among what the host saw.
#[derive(Default)]
struct Index {
    of_vcpu: HashMap<u32, Vec<usize>>,
    /// Stops before operations, by actor and operation.
    begins: HashMap<(usize, usize), usize>,
    /// Relay's stores to `data`, by vCPU, channel and buffer.
    switches: HashMap<(u32, u32, u32), Vec<usize>>,
}

impl Index {
    fn of(did: &[Did<'_>]) -> Self {
        let mut index = Self::default();
        let recorded = did.iter().any(|did| matches!(did, Did::Accessed(_)));
        for (at, did) in did.iter().enumerate() {
            let vcpu = did.vcpu();
            index.of_vcpu.entry(vcpu).or_default().push(at);
            let buffer = match did {
                Did::Accessed(one) if one.access.kind.stores() => {
                    let access = &one.access;
                    (access.field == Field::Data).then_some((access.channel, access.cpu))
                }
                Did::Accessed(_) => None,
                Did::Stopped(_, step) => match step.stop.place {
                    Place::Operation { actor, op } => {
                        index
                            .begins
                            .entry((actor as usize, op as usize))
                            .or_insert(at);
                        None
                    }
                    Place::Data {
                        channel,
                        cpu,
                        field: Field::Data,
                        write: true,
                    } => (!recorded).then_some((channel, cpu)),
                    _ => None,
                },
            };
            if let Some((channel, cpu)) = buffer {
                let of = (vcpu, channel, cpu);
                index.switches.entry(of).or_default().push(at);
            }
        }
        index
    }

    /// What the vCPU of this does next.
    fn next(&self, did: &[Did<'_>], at: usize) -> usize {
        let of_vcpu = did.get(at).and_then(|one| self.of_vcpu.get(&one.vcpu()));
        let behind = of_vcpu.and_then(|all| all.get(all.partition_point(|of| *of <= at)));
        behind.copied().unwrap_or(did.len())
    }

    /// The last thing that a CPU does up to this.
    fn last(&self, cpu: Option<u32>, until: usize) -> usize {
        let of_vcpu = cpu.and_then(|cpu| self.of_vcpu.get(&cpu));
        let up_to = of_vcpu.map(|all| &all[..all.partition_point(|at| *at <= until)]);
        up_to.and_then(|all| all.last()).map_or(until, |at| *at)
    }
}

/// The order before each thing that the host saw.
fn inferred(case: &Case, evidence: &Evidence, did: &[Did<'_>]) -> Vec<u32> {
    let index = Index::of(did);
    let mut orders = vec![0; did.len()];
    let mut until = did.len();
    for told in numbered(case, evidence, did, &index).iter().rev() {
        until = match told.fixed {
            Some(at) => at.min(until),
            None => index.last(told.cpu, told.until.min(until)),
        };
        if let Some(order) = orders.get_mut(until) {
            *order = told.order.max(*order);
        }
    }
    orders
}

/// Beginnings and ends of operations, and events, in the guest's order.
fn numbered(case: &Case, evidence: &Evidence, did: &[Did<'_>], index: &Index) -> Vec<Told> {
    let mut all = Vec::new();
    for (actor, ops) in evidence.results.iter().enumerate() {
        let cpu = super::cpu_of(case, actor);
        for (op, result) in ops.iter().enumerate() {
            if result.state == State::Idle.code() {
                continue;
            }
            let stop = |op| index.begins.get(&(actor, op)).copied();
            let begin = Told {
                order: result.order_start,
                cpu,
                fixed: stop(op).map(|at| index.next(did, at)),
                until: did.len(),
            };
            let end = Told {
                order: result.order_end,
                fixed: None,
                until: stop(op + 1).unwrap_or(did.len()),
                ..begin
            };
            all.extend([begin, end]);
        }
    }
    let mut accepted: HashMap<_, usize> = HashMap::new();
    for event in &evidence.events {
        let in_actor = usize::from(event.actor) < case.actors.len();
        let vcpu = u32::from(event.cpu);
        let mut fixed = None;
        if event.kind == EventKind::SubbufStart.code() && event.verdict != 0 && in_actor {
            let of = (vcpu, u32::from(event.channel), u32::from(event.buf_cpu));
            let nth = accepted.entry(of).or_default();
            fixed = index
                .switches
                .get(&of)
                .and_then(|all| all.get(*nth))
                .copied();
            *nth += 1;
        }
        all.push(Told {
            order: event.order,
            cpu: in_actor.then_some(vcpu),
            fixed,
            until: did.len(),
        });
    }
    all.sort_by_key(|told| told.order);
    all
}
