//! Concurrent cases: writers and readers meet as relay allows, then one actor after the other looks at
//! what they left.
//!
//! What relay leaves to its client to keep apart is kept apart: flush, reset and close come when all
//! writers are through, and nobody counts sub-buffers as consumed where somebody reads.

use super::files::Desk;
use super::kernel_ops::{self, Who};
use super::random::Random;
use super::sequential::{anyones_op, blank, kernel_actor, user_actor};
use super::shadow::Shadow;
use super::{Limits, stall};
use relaybed_case::{Case, Context, Op, Place};

/// Gate that everybody signals at the end.
const OVER: usize = 0;
/// Gate of the look afterwards.
const LOOKED: usize = 1;

/// A whole case.
pub(super) fn draw(random: &mut Random, limits: &Limits) -> Case {
    let mut case = blank(random, limits);
    for channel in &mut case.channels {
        channel.open_at_start = true;
    }
    case.gates = vec!["over".to_owned(), "looked".to_owned()];
    let mut shadows: Vec<Shadow> = case
        .channels
        .iter()
        .map(|channel| Shadow::new(channel, case.vcpus))
        .collect();
    let mut slots = 0;
    writers(random, &mut case, &mut shadows);
    if random.chance(10) {
        // Whoever reads beside a switch that waits meets known issues, which take one reader to be told.
        stall::draw(random, &mut case, &mut shadows, &mut slots);
    } else {
        let readers = readers(random, &mut case, &mut shadows, &mut slots, limits);
        if readers == 0 && random.chance(40) {
            consumer(random, &mut case, &mut shadows);
        }
    }
    for actor in &mut case.actors {
        actor.ops.push(Op::Signal { gate: OVER });
    }
    aftermath(random, &mut case, &mut shadows, &mut slots, limits);
    case
}

fn writers(random: &mut Random, case: &mut Case, shadows: &mut [Shadow]) {
    let count = random.weighted(&[(30, 1), (40, 2), (20, 3), (10, 4)]);
    for i in 0..count {
        let cpu = random.between32(0, case.vcpus - 1);
        let mut actor = kernel_actor(random, format!("w{i}"), cpu);
        let is_in = |context| actor.producer().is_some_and(|(_, own)| own == context);
        let (is_nmi, is_task) = (is_in(Context::Nmi), is_in(Context::Task));
        for _ in 0..random.between(1, 5) {
            let channel = random.index(shadows.len());
            let op = match random.below(12) {
                0 if is_task => Op::BufFull { channel, cpu },
                0 | 1 => Op::Delay {
                    microseconds: random.between32(0, 200),
                },
                _ if is_nmi && shadows[channel].global => Op::Delay { microseconds: 1 },
                _ => kernel_ops::write_telling(random, channel, &mut shadows[channel], cpu),
            };
            actor.ops.push(op);
        }
        case.actors.push(actor);
    }
}

/// Readers beside the writers; how many.
fn readers(
    random: &mut Random,
    case: &mut Case,
    shadows: &mut [Shadow],
    slots: &mut usize,
    limits: &Limits,
) -> usize {
    let count = random.weighted(&[(25, 0), (55, 1), (20, 2)]);
    for i in 0..count {
        let mut actor = user_actor(random, format!("r{i}"), case.vcpus);
        let mut desk = Desk::new(limits, false);
        for _ in 0..random.between(2, 7) {
            actor.ops.push(desk.draw(random, shadows, slots));
        }
        case.actors.push(actor);
    }
    count
}

/// Somebody who counts sub-buffers as consumed while writers are at work: the only one.
fn consumer(random: &mut Random, case: &mut Case, shadows: &mut [Shadow]) {
    let cpu = random.between32(0, case.vcpus - 1);
    let mut actor = kernel_actor(random, "consumer".to_owned(), cpu);
    // relay_subbufs_consumed() is called by a thread.
    let context = Context::Task;
    (actor.place, actor.source) = (Place::Kernel { cpu, context }, None);
    for _ in 0..random.between(1, 4) {
        let channel = random.index(shadows.len());
        let op = kernel_ops::consumed(random, channel, &mut shadows[channel]);
        actor.ops.push(op);
    }
    case.actors.push(actor);
}

/// Once all are through: what a kernel actor does, then what a user reads.
fn aftermath(
    random: &mut Random,
    case: &mut Case,
    shadows: &mut [Shadow],
    slots: &mut usize,
    limits: &Limits,
) {
    let everybody = u32::try_from(case.actors.len()).unwrap_or(u32::MAX);
    let wait = Op::Wait {
        gate: OVER,
        count: everybody,
    };
    let cpu = random.between32(0, case.vcpus - 1);
    let mut after = kernel_actor(random, "after".to_owned(), cpu);
    let context = after
        .producer()
        .map_or(Context::Task, |(_, context)| context);
    let mut labels = 0;
    after.ops.push(wait);
    for _ in 0..random.between(0, 4) {
        let op = if random.chance(15) {
            anyones_op(random, &mut labels)
        } else {
            let who = Who {
                cpu,
                context,
                limits,
                in_order: false,
            };
            kernel_ops::draw(random, &case.channels, shadows, who)
        };
        // A second flush could leave two empty sub-buffers in a row, whose issue (K1) can be told from
        // others only where every byte is predicted: in the other family.
        if !(matches!(op, Op::Flush { .. }) && after.ops.contains(&op)) {
            after.ops.push(op);
        }
    }
    after.ops.push(Op::Signal { gate: LOOKED });
    case.actors.push(after);
    if !random.chance(60) {
        return;
    }
    let mut last = user_actor(random, "last".to_owned(), case.vcpus);
    last.ops.push(Op::Wait {
        gate: LOOKED,
        count: 1,
    });
    let mut desk = Desk::new(limits, false);
    for _ in 0..random.between(2, 5) {
        last.ops.push(desk.draw(random, shadows, slots));
    }
    case.actors.push(last);
}
