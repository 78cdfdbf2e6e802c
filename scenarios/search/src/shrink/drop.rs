//! Passes that leave things out.

use std::collections::HashSet;

use super::edit::{channel_of, deeds, retain};
use crate::generate::is_gate;
use relaybed_case::{Case, FileCall, Op};
use relaybed_contract::order::At;

/// Without one actor.
pub(super) fn actors(case: &Case) -> Vec<Case> {
    (0..case.actors.len())
        .map(|actor| retain(case, &|at| at.actor != actor))
        .collect()
}

/// Without one channel and all that concerns it.
pub(super) fn channels(case: &Case) -> Vec<Case> {
    if case.channels.len() < 2 {
        return Vec::new();
    }
    let without = |gone: usize| {
        let mut smaller = retain(case, &|at| channel_of(case, at) != Some(gone));
        smaller.channels.remove(gone);
        for op in smaller.actors.iter_mut().flat_map(|actor| &mut actor.ops) {
            if let Some(channel) = channel_mut(op).filter(|channel| **channel > gone) {
                *channel -= 1;
            }
        }
        smaller
    };
    (0..case.channels.len()).map(without).collect()
}

fn channel_mut(op: &mut Op) -> Option<&mut usize> {
    match op {
        Op::Open { channel }
        | Op::Close { channel }
        | Op::Write { channel, .. }
        | Op::Flush { channel }
        | Op::Reset { channel }
        | Op::Consumed { channel, .. }
        | Op::BufFull { channel, .. }
        | Op::KlogRegister { channel }
        | Op::KlogUnregister { channel }
        | Op::Stat { channel, .. }
        | Op::List { channel }
        | Op::File {
            call: FileCall::Open { channel, .. },
            ..
        }
        | Op::Switch { channel, .. }
        | Op::LateSetup { channel }
        | Op::FileOpen { channel, .. } => Some(channel),
        _ => None,
    }
}

/// Without half of the operations, a quarter, and so on, of those that follow each other.
pub(super) fn chunks(case: &Case) -> Vec<Case> {
    let all = deeds(case);
    let mut candidates = Vec::new();
    let mut len = all.len() / 2;
    while len > 1 {
        // The end first: what comes after a failure is not needed for it.
        for chunk in all.rchunks(len) {
            candidates.push(without(case, chunk));
        }
        len /= 2;
    }
    candidates
}

/// Without one operation.
pub(super) fn single(case: &Case) -> Vec<Case> {
    let all = deeds(case);
    all.rchunks(1).map(|chunk| without(case, chunk)).collect()
}

fn without(case: &Case, gone: &[At]) -> Case {
    let gone: HashSet<At> = gone.iter().copied().collect();
    retain(case, &|at| !gone.contains(&at))
}

/// Without one gate, or, where operations are all in one order, with no gate more than that takes.
pub(super) fn gates(case: &Case) -> Vec<Case> {
    if crate::generate::line_of(case).is_some() {
        return vec![retain(case, &|_| true)];
    }
    let without = |gone: usize| {
        let mut smaller = case.clone();
        for actor in &mut smaller.actors {
            actor.ops.retain(|op| {
                let named =
                    matches!(op, Op::Signal { gate } | Op::Wait { gate, .. } if *gate == gone);
                !(is_gate(op) && named)
            });
        }
        smaller
    };
    (0..case.gates.len()).map(without).collect()
}
