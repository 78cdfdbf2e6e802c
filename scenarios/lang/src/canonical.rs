//! The form of a case that a file can say: what no file could mean is left out or corrected.

use std::collections::BTreeSet;

use relaybed_case::{Case, FileCall, FileSlot, GateIndex, Op, Via, take_turns};

/// What the language knows of a slot while it reads a script.
#[derive(Clone, Copy, Default)]
struct SlotState {
    open: bool,
    mapped: bool,
    writable: bool,
}

/// Mends a case of valid indices so that a file could say it: waits that can never end, operations on
/// descriptors never opened and second openings of what is open are dropped; gates and slots are numbered
/// as a reader of the file meets them. Claims of an author are dropped: they are about operations
/// that may be gone. Nothing happens to what [`super::load`] made, but for claims and what only a claim of failure allows.
#[must_use]
pub fn canonical(mut case: Case) -> Case {
    case.expect.clear();
    // Numbers of operations would mean others.
    case.schedule.clear();
    lifecycle(&mut case);
    files(&mut case);
    labels(&mut case);
    waits(&mut case);
    gates(&mut case);
    case
}

/// Channels are opened at the start unless somebody opens them, and not twice.
fn lifecycle(case: &mut Case) {
    for (index, channel) in case.channels.iter_mut().enumerate() {
        let any = |wanted: fn(usize) -> Op| {
            let ops = case.actors.iter().flat_map(|actor| &actor.ops);
            ops.filter(|op| **op == wanted(index)).count() > 0
        };
        let opened = any(|channel| Op::Open { channel });
        let closed = any(|channel| Op::Close { channel });
        channel.open_at_start |= !opened;
        if channel.open_at_start && opened && !closed {
            let again = Op::Open { channel: index };
            for actor in &mut case.actors {
                actor.ops.retain(|op| *op != again);
            }
        }
    }
}

/// Operations of user actors on descriptors that their script has; slots in order of appearance.
fn files(case: &mut Case) {
    let mut next: FileSlot = 0;
    for actor in &mut case.actors {
        // By the old number: the new one, and what is known of it.
        let mut slots: Vec<(FileSlot, FileSlot, SlotState)> = Vec::new();
        actor.ops.retain_mut(|op| {
            let Some(old) = file_of(op).map(|file| *file) else {
                return true;
            };
            let at = match slots.iter().position(|(slot, ..)| *slot == old) {
                Some(at) => at,
                None if opens(op) => add(&mut slots, &mut next, old),
                None => return false,
            };
            let (_, new, state) = &mut slots[at];
            let keep = follow(state, op);
            if let Some(file) = file_of(op) {
                *file = *new;
            }
            if let (
                true,
                Op::File {
                    call: FileCall::Dup { to },
                    ..
                },
            ) = (keep, op)
            {
                let known = slots.iter().position(|(slot, ..)| slot == to);
                let at = known.unwrap_or_else(|| add(&mut slots, &mut next, *to));
                let (_, new, state) = &mut slots[at];
                *to = *new;
                let fresh = !state.open;
                state.open = true;
                return fresh;
            }
            keep
        });
    }
}

fn add(
    slots: &mut Vec<(FileSlot, FileSlot, SlotState)>,
    next: &mut FileSlot,
    old: FileSlot,
) -> usize {
    slots.push((old, *next, SlotState::default()));
    *next += 1;
    slots.len() - 1
}

/// Whether the operation makes a descriptor of its own.
fn opens(op: &Op) -> bool {
    matches!(
        op,
        Op::FileOpen { .. }
            | Op::File {
                call: FileCall::Open { .. },
                ..
            }
    )
}

/// Whether the language accepts the operation in this state, and the state after it.
fn follow(state: &mut SlotState, op: &Op) -> bool {
    let before = *state;
    match op {
        op if opens(op) => {
            state.open = true;
            !before.open
        }
        Op::FileClose { .. } => {
            state.open = false;
            before.open
        }
        Op::File {
            call: FileCall::Map(map),
            ..
        } => {
            state.mapped |= before.open;
            state.writable = map.writable;
            before.open && !before.mapped
        }
        Op::File {
            call: FileCall::Keep { .. } | FileCall::Mremap { .. },
            ..
        } => before.mapped,
        Op::File {
            call: FileCall::Store { .. },
            ..
        } => before.mapped && before.writable,
        Op::FileMunmap { .. } => {
            state.mapped = false;
            before.mapped
        }
        Op::FileCopy { .. } => before.mapped,
        _ => before.open,
    }
}

fn file_of(op: &mut Op) -> Option<&mut FileSlot> {
    match op {
        Op::FileOpen { file, .. }
        | Op::FileClose { file }
        | Op::FileRead { file, .. }
        | Op::FilePoll { file, .. }
        | Op::FileMunmap { file }
        | Op::FileCopy { file }
        | Op::File { file, .. } => Some(file),
        _ => None,
    }
}

/// Each checkpoint has a name of its own.
fn labels(case: &mut Case) {
    let mut seen: Vec<String> = Vec::new();
    for actor in &mut case.actors {
        actor.ops.retain(|op| {
            let Op::Checkpoint { label } = op else {
                return true;
            };
            let new = !seen.contains(label);
            seen.push(label.clone());
            new
        });
    }
}

/// Waits for no more signals than there are, and for none that come only after them.
fn waits(case: &mut Case) {
    for actor in &mut case.actors {
        // The language counts from 1.
        actor
            .ops
            .retain(|op| !matches!(op, Op::Wait { count: 0, .. }));
    }
    let ops = case.actors.iter().flat_map(|actor| &actor.ops);
    let signalled: BTreeSet<GateIndex> = ops
        .filter_map(|op| match op {
            Op::Signal { gate } => Some(*gate),
            _ => None,
        })
        .collect();
    for client in case.channels.iter_mut().map(|channel| &mut channel.client) {
        let comes = |gate: GateIndex| signalled.contains(&gate);
        client.stall = client.stall.filter(|stall| comes(stall.wait));
        client.created = client.created.filter(|created| comes(created.wait));
    }
    while let Some((actor, op)) = first_stuck(case) {
        case.actors[actor].ops.remove(op);
    }
}

/// The first wait that never ends.
fn first_stuck(case: &Case) -> Option<(usize, usize)> {
    let at = take_turns(case, |_, _| {});
    let stands = |(actor, at): (usize, usize)| at < case.actors[actor].ops.len();
    at.into_iter().enumerate().find(|place| stands(*place))
}

/// Gates in order of appearance, without those that are never named.
fn gates(case: &mut Case) {
    let mut order: Vec<usize> = Vec::new();
    let mut renumber = |gate: &mut usize| {
        let at = order.iter().position(|old| old == gate);
        *gate = at.unwrap_or_else(|| {
            order.push(*gate);
            order.len() - 1
        });
    };
    for channel in &mut case.channels {
        if let Some(stall) = &mut channel.client.stall {
            renumber(&mut stall.signal);
            renumber(&mut stall.wait);
        }
        if let Some(created) = &mut channel.client.created {
            renumber(&mut created.signal);
            renumber(&mut created.wait);
        }
    }
    for op in case.actors.iter_mut().flat_map(|actor| &mut actor.ops) {
        match op {
            Op::Signal { gate } | Op::Wait { gate, .. } => renumber(gate),
            Op::CpuOn {
                hold: Some(hold), ..
            }
            | Op::Write {
                via: Via::ReserveHeld(hold),
                ..
            } => {
                renumber(&mut hold.reached);
                renumber(&mut hold.until);
            }
            _ => {}
        }
    }
    case.gates = order.iter().map(|old| case.gates[*old].clone()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use relaybed_case::Expect;

    #[test]
    fn what_a_file_says_is_canonical_already() {
        for (name, text) in crate::embedded() {
            for case in crate::load(name, text).unwrap() {
                // After a claim that something fails more is allowed.
                let fails = |claim: &Expect| matches!(claim, Expect::Result { error: Some(_), .. });
                if case.expect.iter().any(fails) {
                    continue;
                }
                let bare = Case {
                    expect: Vec::new(),
                    may_fail: true,
                    schedule: Vec::new(),
                    ..case
                };
                assert_eq!(canonical(bare.clone()), bare);
            }
        }
    }
}
