//! Changing a case without breaking it: the order that its gates keep stays an order.

use crate::generate::{Step, in_line, is_gate, line_of};
use relaybed_case::{Actor, Case, ChannelIndex, FileCall, Op, Place};
use relaybed_contract::order::{At, operations};
use relaybed_lang::canonical;

/// The case with the operations that `keep` names. Where gates left one order only, the rest keeps that
/// order, by gates of its own.
pub(super) fn retain(case: &Case, keep: &dyn Fn(At) -> bool) -> Case {
    let mut smaller = case.clone();
    if let Some(line) = line_of(case) {
        let steps: Vec<Step> = line
            .into_iter()
            .filter(|at| keep(*at))
            .map(|at| Step {
                actor: at.actor,
                op: case.actors[at.actor].ops[at.op].clone(),
            })
            .collect();
        smaller.gates = in_line(&mut smaller.actors, &steps, false);
        return smaller;
    }
    for (index, actor) in smaller.actors.iter_mut().enumerate() {
        let mut op = 0;
        actor.ops.retain(|_| {
            op += 1;
            keep(At {
                actor: index,
                op: op - 1,
            })
        });
    }
    let kept_before = |host: usize, op: usize| {
        (0..op)
            .filter(|op| {
                keep(At {
                    actor: host,
                    op: *op,
                })
            })
            .count()
    };
    reseat(&mut smaller, |host, op| {
        keep(At { actor: host, op }).then(|| (host, kept_before(host, op)))
    });
    smaller
}

/// Tells nested actors where their host's operation is now; without it they stand alone.
fn reseat(case: &mut Case, place_of: impl Fn(usize, usize) -> Option<(usize, usize)>) {
    for actor in &mut case.actors {
        let Place::Nested {
            cpu,
            context,
            host,
            op,
            at,
        } = actor.place
        else {
            continue;
        };
        actor.place = match place_of(host, op) {
            Some((host, op)) => Place::Nested {
                cpu,
                context,
                host,
                op,
                at,
            },
            None => Place::Kernel { cpu, context },
        };
    }
}

/// All operations that do something, in the order of the run as far as there is one.
pub(super) fn deeds(case: &Case) -> Vec<At> {
    line_of(case).unwrap_or_else(|| {
        operations(case)
            .filter(|at| !is_gate(&case.actors[at.actor].ops[at.op]))
            .collect()
    })
}

/// A candidate made fit to be asked about: mended, and without actors that do nothing.
pub(super) fn finish(case: Case) -> Case {
    let mut case = canonical(case);
    let stays = |actor: &Actor| actor.ops.iter().any(|op| !is_gate(op));
    let staying: Vec<bool> = case.actors.iter().map(stays).collect();
    case.actors.retain(stays);
    reseat(&mut case, |host, op| {
        let before = staying[..host].iter().filter(|stays| **stays).count();
        staying[host].then_some((before, op))
    });
    // Signals of an actor that went are missed now.
    case = canonical(case);
    let senders = case
        .actors
        .iter()
        .filter_map(|actor| actor.source?.sender(actor.cpu()?));
    let used = case.actors.iter().filter_map(Actor::cpu).chain(senders);
    let named = case.actors.iter().flat_map(|actor| &actor.ops);
    let named = named.filter_map(|op| match op {
        Op::Consumed { cpu, .. }
        | Op::BufFull { cpu, .. }
        | Op::FileOpen { cpu, .. }
        | Op::Stat { cpu, .. }
        | Op::File {
            call: FileCall::Open { cpu, .. },
            ..
        } => Some(*cpu),
        op => op.changed_cpu(),
    });
    let clients = case.channels.iter().map(|channel| &channel.client);
    let clients = clients.flat_map(|client| {
        let stall = client.stall.as_ref().map(|stall| stall.cpu);
        stall
            .into_iter()
            .chain(client.create.map(|create| create.cpu))
            .chain(client.no_memory.map(|lack| lack.cpu))
    });
    case.vcpus = used
        .chain(named)
        .chain(clients)
        .max()
        .map_or(1, |cpu| cpu + 1);
    case
}

/// The channel that an operation concerns, by name or through its descriptor.
pub(super) fn channel_of(case: &Case, at: At) -> Option<ChannelIndex> {
    let op = &case.actors[at.actor].ops[at.op];
    op.channel()
        .or_else(|| relaybed_contract::predict::bound(case, at).map(|(channel, _, _)| channel))
}
