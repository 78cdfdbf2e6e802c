//! When it makes no difference whether control passes at one access or at the next.
//!
//! A vCPU is preempted behind an access, others run, it goes on with one more access. If that access commutes with
//! all that the others did meanwhile, preempting one access later gives the same order of all that depends on each
//! other (Mazurkiewicz), by as many preemptions, and whatever can follow the one can follow the other.
//!
//! This is so of two vCPUs. A third could be let in between, whom nothing is known of; where there is one, nothing is
//! taken for alike.
//!
//! Only accesses are in the trace; so a step is taken to commute only where nothing else can lie in it:
//!
//! - Two accesses commute unless they go to the same member of the same buffer and one of them stores. A store does
//!   not commute with the end of an operation: it may be a checkpoint, at which the host looks.
//! - Bytes are copied behind a look at where they lie (`data`, `padding`, `offset`) and behind a store of `offset`
//!   (a reserved slot): a step that begins so commutes with nothing.
//! - Locks are taken before the first access of a call: a step that ends with an access at which some operation was
//!   seen to begin commutes with nothing. Nor does one with an access of the client's callback, or one that ends
//!   elsewhere than at an access.

use std::collections::BTreeSet;

use super::decisions::Decision;
use relaybed_case::access::{Access, AccessKind, Code};
use relaybed_case::field::Field;
use relaybed_case::place::Place;
use relaybed_case::trace::Trace;

/// What is known of all runs so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    /// Accesses with which operations begin.
    entries: BTreeSet<Code>,
    /// vCPUs that had work.
    vcpus: BTreeSet<u32>,
}

impl Entries {
    /// Learns those of a run.
    pub(super) fn learn(&mut self, trace: &Trace) {
        let mut entering = BTreeSet::new();
        let mut accesses = trace.accesses.iter().peekable();
        for (index, step) in trace.steps.iter().enumerate() {
            while let Some(one) = accesses.next_if(|one| one.before <= index) {
                if entering.remove(&one.vcpu) {
                    self.entries.insert(one.access.by.clone());
                }
            }
            self.vcpus.extend(&step.enabled);
            if !matches!(step.stop.place, Place::Data { .. }) {
                entering.insert(step.stop.vcpu);
            }
        }
    }

    /// How many places behind the preemption `at` of this run another vCPU could as well have been let in.
    pub(super) fn alike_behind(&self, trace: &Trace, at: Decision) -> u64 {
        let mut alike = 0;
        let mut index = usize::try_from(at.index).unwrap_or(usize::MAX);
        let Some(preempted) = trace.steps.get(index).filter(|_| self.vcpus.len() == 2) else {
            return 0;
        };
        let vcpu = preempted.stop.vcpu;
        let of_vcpu = |from: usize| {
            let behind = trace.steps.iter().enumerate().skip(from);
            behind
                .filter(|(_, step)| step.stop.vcpu == vcpu)
                .map(|(index, _)| index)
                .next()
        };
        let Some(mut next) = of_vcpu(index + 1) else {
            return 0;
        };
        let from = trace.accesses.partition_point(|one| one.before <= index);
        let to = trace.accesses.partition_point(|one| one.before < next);
        let meanwhile = trace.accesses.get(from..to).unwrap_or_default();
        let others = trace.steps.get(index + 1..next).unwrap_or_default();
        let looked_at = others
            .iter()
            .any(|step| matches!(step.stop.place, Place::Operation { .. }));
        loop {
            let last = trace.accesses_before(index);
            let last = last.iter().rfind(|one| one.vcpu == vcpu);
            let [step] = trace.accesses_before(next) else {
                return alike;
            };
            let is_alone = step.vcpu == vcpu
                && self.is_nothing_else(last.map(|one| &one.access), &step.access)
                && is_at_access(trace, index)
                && is_at_access(trace, next);
            let commutes = |other: &Access| !depend(other, &step.access);
            if looked_at && step.access.kind.stores() {
                return alike;
            }
            if !is_alone || !meanwhile.iter().all(|other| commutes(&other.access)) {
                return alike;
            }
            alike += 1;
            // It must have gone on without another between.
            (index, next) = (next, next + 1);
            let goes_on = trace.steps.get(index).is_some_and(|step| step.next == vcpu);
            if !goes_on || of_vcpu(next) != Some(next) {
                return alike;
            }
        }
    }

    /// Whether a step from one access to the next can be nothing but the second access.
    fn is_nothing_else(&self, from: Option<&Access>, to: &Access) -> bool {
        let Some(from) = from else {
            return false;
        };
        let may_copy = match from.field {
            Field::Data | Field::Padding => from.kind != AccessKind::Store,
            Field::Offset => true,
            Field::Produced
            | Field::Consumed
            | Field::BytesConsumed
            | Field::Finalized
            | Field::ReadWait => false,
        };
        !may_copy && from.by.is_relay() && to.by.is_relay() && !self.entries.contains(&to.by)
    }
}

fn is_at_access(trace: &Trace, index: usize) -> bool {
    let step = trace.steps.get(index);
    step.is_some_and(|step| matches!(step.stop.place, Place::Data { .. }))
}

/// Whether the order of two accesses matters.
fn depend(one: &Access, other: &Access) -> bool {
    let member = |access: &Access| (access.channel, access.cpu, access.field, access.slot);
    member(one) == member(other) && (one.kind.stores() || other.kind.stores())
}
