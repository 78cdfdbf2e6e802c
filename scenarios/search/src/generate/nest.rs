//! An actor that interrupts another one's write.

use super::random::Random;
use super::sequential::source;
use relaybed_case::{Actor, Case, Context, Mode, NestPoint, Op, Payload, Place, Via};

/// Seats an actor on a write of a sequential case, if it has one that can carry one.
pub(super) fn draw(random: &mut Random, case: &mut Case) {
    let hosts: Vec<(usize, usize)> = case
        .actors
        .iter()
        .enumerate()
        .flat_map(|(host, actor)| (0..actor.ops.len()).map(move |op| (host, op)))
        .filter(|(host, op)| can_carry(case, *host, *op))
        .collect();
    if hosts.is_empty() {
        return;
    }
    let (host, op) = random.pick(&hosts);
    let Place::Kernel { cpu, context } = case.actors[host].place else {
        return;
    };
    let Op::Write { channel, via, .. } = &mut case.actors[host].ops[op] else {
        return;
    };
    let channel = *channel;
    let at = if case.channels[channel].mode == Mode::Default || random.chance(50) {
        *via = Via::Reserve;
        NestPoint::Fill
    } else {
        NestPoint::Callback
    };
    let above = [Context::Softirq, Context::Hardirq, Context::Nmi];
    let above: Vec<Context> = above.into_iter().filter(|inner| *inner > context).collect();
    let inner = random.pick(&above);
    let place = Place::Nested {
        cpu,
        context: inner,
        host,
        op,
        at,
    };
    let size = case.channels[channel].subbuf_size.min(4096);
    let most = u32::try_from(size).unwrap_or(1).max(1);
    let ops = (0..random.between(1, 2)).map(|_| {
        let len = random.between32(1, most);
        Op::Write {
            channel,
            via: random.pick(&[Via::Write, Via::RawWrite, Via::Reserve]),
            payload: Payload::Record {
                len_min: len,
                len_max: len,
            },
            count: random.between32(1, 3),
        }
    });
    let ops = ops.collect();
    let guest = Actor {
        name: "inner".to_owned(),
        place,
        source: source(random, cpu, inner),
        ops,
    };
    case.actors.push(guest);
}

/// A write in task, softirq or hardirq context, to a channel without a lock of its own.
fn can_carry(case: &Case, host: usize, op: usize) -> bool {
    let actor = &case.actors[host];
    let Place::Kernel { context, .. } = actor.place else {
        return false;
    };
    matches!(&actor.ops[op], Op::Write { channel, payload: Payload::Record { len_max, .. }, .. }
        if context != Context::Nmi && *len_max > 1 && !case.channels[*channel].client.global)
}
