//! A callback that waits in the middle of a switch while somebody on another CPU goes on.
//!
//! It waits with interrupts out, so whoever lets it go must need nothing of its CPU: a reader that has its
//! file open, or a writer to the buffer of another CPU. Everybody is where they belong before it waits.

use super::random::Random;
use super::shadow::Shadow;
use relaybed_case::{
    Actor, Case, ChannelIndex, Context, Cpu, Mode, Op, Payload, Place, Stall, Via,
};

/// Has a callback of one of the writers' channels wait, if one can.
pub(super) fn draw(
    random: &mut Random,
    case: &mut Case,
    shadows: &mut [Shadow],
    slots: &mut usize,
) {
    let writers: Vec<(ChannelIndex, Cpu)> = case
        .actors
        .iter()
        .filter_map(|actor| Some((actor.producer()?, &actor.ops)))
        .filter(|((_, context), _)| *context != Context::Nmi)
        .flat_map(|((cpu, _), ops)| ops.iter().map(move |op| (op, cpu)))
        .filter_map(|(op, cpu)| match op {
            Op::Write { channel, .. } => Some((*channel, cpu)),
            _ => None,
        })
        .filter(|(channel, _)| can_wait(case, shadows, *channel))
        .collect();
    if writers.is_empty() || case.vcpus < 2 {
        return;
    }
    let (channel, cpu) = random.pick(&writers);
    let alone = writers.iter().filter(|at| **at == (channel, cpu)).count() == 1;
    let late = case.channels[channel].header_bytes > 0;
    // Known issues again: a reader that loses headers, or meets them early, is told with one write only.
    if late && !alone {
        return;
    }
    let elsewhere = (cpu + random.between32(1, case.vcpus - 1)) % case.vcpus;
    let first = case.gates.len();
    let [here, inside, go_on] = [first, first + 1, first + 2];
    case.gates
        .extend(["here", "inside", "go-on"].map(str::to_owned));
    shadows[channel].stalls = true;
    let spec = &mut case.channels[channel];
    spec.client.stall = Some(Stall {
        cpu,
        at: random.between32(1, 3),
        signal: inside,
        wait: go_on,
        late,
    });
    for actor in &mut case.actors {
        hold_back(actor, (channel, cpu), [here, inside]);
    }
    let goes_on = if random.chance(70) && shadows[channel].has_files {
        *slots += 1;
        let size = u32::try_from(shadows[channel].subbuf_size).unwrap_or(u32::MAX);
        reader(random, (channel, cpu), (elsewhere, size), *slots - 1)
    } else {
        writer(random, channel, elsewhere)
    };
    let (mut helper, goes_on) = goes_on;
    helper.ops.push(Op::Signal { gate: here });
    helper.ops.push(Op::Wait {
        gate: inside,
        count: 1,
    });
    helper.ops.extend(goes_on);
    helper.ops.push(Op::Signal { gate: go_on });
    case.actors.push(helper);
}

/// A channel of a callback, with a buffer for each CPU, that opens.
fn can_wait(case: &Case, shadows: &[Shadow], channel: ChannelIndex) -> bool {
    let spec = &case.channels[channel];
    shadows[channel].accepted
        && spec.mode != Mode::Default
        && !spec.client.global
        && spec.client.create.is_none()
}

/// Nobody writes before the other one is there, and whoever is through says that no call may come. An
/// NMI must not meet a callback that waits.
fn hold_back(actor: &mut Actor, (channel, cpu): (ChannelIndex, Cpu), [here, inside]: [usize; 2]) {
    let is_nmi = actor
        .producer()
        .is_some_and(|(_, context)| context == Context::Nmi);
    for op in &mut actor.ops {
        if is_nmi && matches!(op, Op::Write { channel: of, .. } if *of == channel) {
            *op = Op::Delay { microseconds: 1 };
        }
    }
    if actor.cpu() == Some(cpu) {
        actor.ops.insert(
            0,
            Op::Wait {
                gate: here,
                count: 1,
            },
        );
        actor.ops.push(Op::Signal { gate: inside });
    }
}

/// A reader of the buffer: itself with its file open, and what it does meanwhile.
fn reader(
    random: &mut Random,
    (channel, cpu): (ChannelIndex, Cpu),
    (elsewhere, size): (Cpu, u32),
    file: usize,
) -> (Actor, Vec<Op>) {
    let open = Op::FileOpen { file, channel, cpu };
    let meanwhile = (0..random.between(1, 3)).map(|_| match random.below(4) {
        0 => Op::FilePoll {
            file,
            timeout_ms: Some(0),
        },
        _ => Op::FileRead {
            file,
            size,
            times: random.between32(0, 2),
        },
    });
    let meanwhile = meanwhile.collect();
    let place = Place::User {
        cpu: Some(elsewhere),
    };
    (helper(place, vec![open]), meanwhile)
}

/// A writer to another CPU's buffer, and what it writes meanwhile.
fn writer(random: &mut Random, channel: ChannelIndex, elsewhere: Cpu) -> (Actor, Vec<Op>) {
    let len = random.between32(32, 96);
    let write = Op::Write {
        channel,
        via: random.pick(&[Via::Write, Via::RawWrite, Via::Reserve]),
        payload: Payload::Record {
            len_min: len,
            len_max: len,
        },
        count: random.between32(1, 20),
    };
    let place = Place::Kernel {
        cpu: elsewhere,
        context: Context::Task,
    };
    (helper(place, Vec::new()), vec![write])
}

fn helper(place: Place, ops: Vec<Op>) -> Actor {
    Actor {
        name: "goes-on".to_owned(),
        place,
        source: None,
        ops,
    }
}
