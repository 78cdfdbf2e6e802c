//! Passes that choose plainer words: one CPU, task context, the plain kinds of channel.

use crate::generate::{Step, in_line, line_of};
use relaybed_case::{Case, Channel, Client, Context, Files, Mode, Op, Payload, Place, Via};

/// One actor does what two did, where operations are in one order.
pub(super) fn merge_actors(case: &Case) -> Vec<Case> {
    let Some(line) = line_of(case) else {
        return Vec::new();
    };
    let is_user = |actor: usize| matches!(case.actors[actor].place, Place::User { .. });
    let mut candidates = Vec::new();
    for gone in 0..case.actors.len() {
        for heir in (0..case.actors.len()).filter(|heir| *heir != gone) {
            if is_user(heir) != is_user(gone) {
                continue;
            }
            let steps: Vec<Step> = line
                .iter()
                .map(|at| Step {
                    actor: if at.actor == gone { heir } else { at.actor },
                    op: case.actors[at.actor].ops[at.op].clone(),
                })
                .collect();
            let mut merged = case.clone();
            merged.gates = in_line(&mut merged.actors, &steps, false);
            candidates.push(merged);
        }
    }
    candidates
}

/// Changes that make one channel plainer.
const CHANNEL: [fn(&mut Channel); 5] = [
    |channel| channel.mode = Mode::NoOverwrite,
    |channel| channel.files = Files::Direct,
    |channel| channel.header_bytes = 0,
    |channel| channel.open_at_start = true,
    |channel| channel.client = Client::default(),
];

/// Plainer channels, and the plain seed.
pub(super) fn channels(case: &Case) -> Vec<Case> {
    let mut candidates = Vec::new();
    for channel in 0..case.channels.len() {
        for change in CHANNEL {
            let mut plainer = case.clone();
            change(&mut plainer.channels[channel]);
            candidates.push(plainer);
        }
    }
    let seed = 1;
    candidates.push(Case {
        seed,
        ..case.clone()
    });
    candidates
}

/// Plainer actors: all on CPU 0 at once, one by one, in task context; and plainer writes.
pub(super) fn actors(case: &Case) -> Vec<Case> {
    let mut candidates = vec![on_one_cpu(case)];
    for actor in 0..case.actors.len() {
        let mut on_zero = case.clone();
        let mut in_task = case.clone();
        match &mut on_zero.actors[actor].place {
            Place::Kernel { cpu, .. } => *cpu = 0,
            Place::User { cpu } => *cpu = None,
            // It is where its host is.
            Place::Nested { .. } => {}
        }
        if let Place::Kernel { context, .. } = &mut in_task.actors[actor].place {
            *context = Context::Task;
        }
        in_task.actors[actor].source = None;
        let mut by_itself = case.clone();
        by_itself.actors[actor].source = None;
        candidates.extend([on_zero, in_task, by_itself]);
        for op in 0..case.actors[actor].ops.len() {
            candidates.extend(plainer_op(case, actor, op));
        }
    }
    candidates
}

fn on_one_cpu(case: &Case) -> Case {
    let mut plainer = case.clone();
    for actor in &mut plainer.actors {
        match &mut actor.place {
            Place::Kernel { cpu, .. } => *cpu = 0,
            Place::User { cpu } => *cpu = None,
            // It is where its host is.
            Place::Nested { .. } => {}
        }
        for op in &mut actor.ops {
            if let Op::Consumed { cpu, .. } | Op::BufFull { cpu, .. } | Op::FileOpen { cpu, .. } =
                op
            {
                *cpu = 0;
            }
        }
    }
    plainer
}

fn plainer_op(case: &Case, actor: usize, op: usize) -> Vec<Case> {
    let mut candidates = Vec::new();
    if let Op::Write { via, payload, .. } = &case.actors[actor].ops[op] {
        let mut change = |plainer: Op| {
            let mut candidate = case.clone();
            candidate.actors[actor].ops[op] = plainer;
            candidates.push(candidate);
        };
        let as_is = case.actors[actor].ops[op].clone();
        if *via != Via::Write {
            change(with(&as_is, |via, _| *via = Via::Write));
        }
        let fixed = |len: u32| Payload::Record {
            len_min: len,
            len_max: len,
        };
        match payload {
            Payload::Bytes(bytes) => {
                let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                change(with(&as_is, |_, payload| *payload = fixed(len)));
            }
            Payload::Record { len_min, len_max } if len_min != len_max => {
                for len in [*len_min, *len_max] {
                    change(with(&as_is, |_, payload| *payload = fixed(len)));
                }
            }
            Payload::Record { .. } | Payload::Formatted(_) => {}
        }
    }
    candidates
}

/// A write with something changed.
fn with(op: &Op, change: impl FnOnce(&mut Via, &mut Payload)) -> Op {
    let mut op = op.clone();
    if let Op::Write { via, payload, .. } = &mut op {
        change(via, payload);
    }
    op
}
