//! Leading the twin along the accesses that a run under control saved.
//!
//! Under control one vCPU runs at a time, so the accesses stand in one order. Every access of relay's, and
//! every store of our callback's, must be the next one of an operation under way: member, kind, and the
//! values before and after. What lies between an operation's accesses happens right before the next of
//! them, since a vCPU stops behind an access. Where a compiler leaves out a load, the trace says so.

use relaybed_case::access::{Access, AccessKind};
use relaybed_contract::order::At;
use relaybed_twin::{Member, Site, Sites, Step};

use super::fired::Fired;
use super::stepping::Stepping;
use super::task::Holds;
use crate::matter::Matter;

/// Steps between two accesses of one operation, at most.
const BETWEEN_MAX: usize = 256;

/// Relay's functions that are no steps of an operation on a buffer: what they access is compared with
/// their answers.
const APART: [&str; 4] = [
    "relay_file_poll",
    "relay_close",
    "relay_open",
    "relay_late_setup_files",
];

/// The accesses along which the twin is led.
#[derive(Debug)]
pub(super) struct Lead<'a> {
    accesses: Vec<&'a Access>,
}

impl<'a> Lead<'a> {
    /// Those of the evidence, if its run was under control.
    pub(super) fn of(matter: &Matter<'a>) -> Option<Self> {
        let trace = matter.evidence.trace.as_ref()?;
        let accesses: Vec<&Access> = trace
            .accesses
            .iter()
            .map(|accessed| &accessed.access)
            .filter(|access| is_step(access))
            .collect();
        (!accesses.is_empty()).then_some(Self { accesses })
    }

    /// Whether all of them were made.
    pub(super) fn is_over(&self, state: &Stepping<'_>) -> bool {
        state.led == self.accesses.len()
    }

    /// The steps with which this operation makes the next access, if it is its.
    pub(super) fn advance(&self, state: &Stepping<'_>, at: At) -> Option<Vec<Fired>> {
        let access = *self.accesses.get(state.led)?;
        let is_it = |step: &Step, key: (usize, usize)| is_same(state, step, key, access);
        walk(state, at, Some(&is_it), &|_| false)
    }

    /// The steps with which this operation comes to where it is `due` without another access.
    pub(super) fn settle(
        &self,
        state: &Stepping<'_>,
        at: At,
        due: &dyn Fn(&Stepping<'_>) -> bool,
    ) -> Option<Vec<Fired>> {
        walk(state, at, None, due)
    }
}

/// A step that is the wanted access to this buffer.
type IsIt<'a> = &'a dyn Fn(&Step, (usize, usize)) -> bool;

/// Walks through what no trace has, up to the access that is looked for, or to where it is due.
fn walk(
    state: &Stepping<'_>,
    at: At,
    is_it: Option<IsIt<'_>>,
    due: &dyn Fn(&Stepping<'_>) -> bool,
) -> Option<Vec<Fired>> {
    let mut here = state.clone();
    let mut fired = Vec::new();
    let mut merged = Sites::NONE;
    while fired.len() < BETWEEN_MAX {
        let index = here.task(at)?;
        if here.tasks[index].holds != Holds::No {
            return None;
        }
        let key = here.tasks[index].key()?;
        let step = Fired::Step(at, merged);
        let mut next = here.clone();
        next.fire(step, |_| (0, 0));
        match next.made {
            Some(Step::Blocked(_)) => return None,
            Some(made) if is_recorded(&made) => {
                if is_it.is_some_and(|is_it| is_it(&made, key)) {
                    fired.push(step);
                    return Some(fired);
                }
                // It may be left out.
                let site = site(&made).filter(|site| !merged.has(*site))?;
                merged = merged.with(site);
                continue;
            }
            _ => {}
        }
        fired.push(step);
        merged = Sites::NONE;
        here = next;
        if due(&here) {
            return Some(fired);
        }
    }
    None
}

/// Whether the access is a step of an operation on a buffer.
fn is_step(access: &Access) -> bool {
    if !access.by.is_relay() {
        // Our module looks at what it logs; what it stores is the callback's doing.
        return access.kind.stores();
    }
    let name = access.by.symbol.split('.').next().unwrap_or_default();
    !APART.contains(&name)
}

/// Whether a trace has such steps.
pub(super) fn is_recorded(step: &Step) -> bool {
    let member = match step {
        Step::Load { site, .. } if *site == Some(Site::CallbackEvent) => return false,
        Step::Load { member, .. } | Step::Store { member, .. } | Step::Update { member, .. } => {
            member
        }
        Step::Effect(_) | Step::Blocked(_) | Step::Done(_) => return false,
    };
    !matches!(member, Member::ReadWait) && member.field().is_some()
}

fn site(step: &Step) -> Option<Site> {
    match step {
        Step::Load { site, .. } | Step::Store { site, .. } | Step::Update { site, .. } => *site,
        _ => None,
    }
}

/// Whether the step is the access: member, kind and values.
fn is_same(state: &Stepping<'_>, step: &Step, key: (usize, usize), access: &Access) -> bool {
    let size = state.run.case.channels[key.0].subbuf_size;
    let (member, slot, kind, before, after) = match *step {
        Step::Load {
            member,
            slot,
            value,
            ..
        } => (member, slot, AccessKind::Load, value, value),
        Step::Store {
            member,
            slot,
            before,
            after,
            ..
        } => (member, slot, AccessKind::Store, before, after),
        Step::Update {
            member,
            before,
            after,
            ..
        } => (member, 0, AccessKind::LoadAndStore, before, after),
        _ => return false,
    };
    // The trace has `data` in bytes.
    let scale = if member == Member::Data { size } else { 1 };
    let place = (access.channel as usize, access.cpu as usize);
    place == key
        && member.field() == Some(access.field)
        && access.slot.is_none_or(|of| u64::from(of) == slot)
        && kind == access.kind
        && before.wrapping_mul(scale) == access.before
        && after.wrapping_mul(scale) == access.after
}
