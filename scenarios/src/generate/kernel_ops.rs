//! Drawing operations of kernel actors.

use super::lengths;
use super::random::Random;
use super::shadow::Shadow;
use crate::case::{Channel, ChannelIndex, Cpu, Op, Payload, Via};

/// The kinds, before their arguments are drawn.
#[derive(Clone, Copy)]
enum Kind {
    Write,
    Flush,
    Reset,
    Consumed,
    BufFull,
    Close,
    Open,
}

/// How often each is drawn on an open channel.
const KINDS: [(u64, Kind); 7] = [
    (58, Kind::Write),
    (12, Kind::Flush),
    (3, Kind::Reset),
    (10, Kind::Consumed),
    (7, Kind::BufFull),
    (3, Kind::Close),
    (0, Kind::Open),
];
/// And on one that is not.
const KINDS_CLOSED: [(u64, Kind); 7] = [
    (8, Kind::Write),
    (2, Kind::Flush),
    (1, Kind::Reset),
    (2, Kind::Consumed),
    (2, Kind::BufFull),
    (1, Kind::Close),
    (84, Kind::Open),
];

/// One operation of an actor on `cpu`.
pub(super) fn draw(
    random: &mut Random,
    channels: &[Channel],
    shadows: &mut [Shadow],
    cpu: Cpu,
) -> Op {
    let channel = random.index(channels.len());
    let shadow = &mut shadows[channel];
    let kinds = if shadow.open { &KINDS } else { &KINDS_CLOSED };
    match random.weighted(kinds) {
        Kind::Write => write(random, channel, shadow, cpu),
        Kind::Flush => {
            shadow.flush();
            Op::Flush { channel }
        }
        Kind::Reset => {
            shadow.reset();
            Op::Reset { channel }
        }
        Kind::Consumed => consumed(random, channel, shadow),
        Kind::BufFull => {
            let cpu = any_cpu(random, shadow);
            Op::BufFull { channel, cpu }
        }
        Kind::Close => {
            shadow.open = false;
            Op::Close { channel }
        }
        Kind::Open => {
            shadow.start();
            Op::Open { channel }
        }
    }
}

/// Records to the buffer of `cpu` that any order of writers leaves told apart, most times.
pub(super) fn write_telling(
    random: &mut Random,
    channel: ChannelIndex,
    shadow: &mut Shadow,
    cpu: Cpu,
) -> Op {
    let drawn = lengths::telling(random, shadow, cpu);
    write_drawn(random, channel, shadow, cpu, drawn)
}

/// Records to the buffer of `cpu`.
fn write(random: &mut Random, channel: ChannelIndex, shadow: &mut Shadow, cpu: Cpu) -> Op {
    let drawn = lengths::payload(random, shadow, cpu);
    write_drawn(random, channel, shadow, cpu, drawn)
}

fn write_drawn(
    random: &mut Random,
    channel: ChannelIndex,
    shadow: &mut Shadow,
    cpu: Cpu,
    (payload, count): (Payload, u32),
) -> Op {
    let longest = match &payload {
        Payload::Record { len_max, .. } => u64::from(*len_max),
        Payload::Bytes(bytes) => bytes.len() as u64,
        Payload::Formatted(text) => text.len() as u64,
    };
    shadow.write(cpu, longest, count);
    Op::Write {
        channel,
        via: random.weighted(&[(60, Via::Write), (20, Via::RawWrite), (20, Via::Reserve)]),
        payload,
        count,
    }
}

/// Some sub-buffers consumed, from none to more than there are.
pub(super) fn consumed(random: &mut Random, channel: ChannelIndex, shadow: &mut Shadow) -> Op {
    let cpu = any_cpu(random, shadow);
    let most = u32::try_from(shadow.n_subbufs.min(1 << 20)).unwrap_or(0);
    let ready = u32::try_from(shadow.ring(cpu).ready).unwrap_or(0);
    let n = match random.below(10) {
        0 => 0,
        1..=4 => 1,
        5 => ready,
        6 => ready.saturating_add(1),
        7 => most,
        8 => most + 1,
        _ => u32::MAX,
    };
    shadow.consumed(cpu, n);
    Op::Consumed { channel, cpu, n }
}

/// A CPU of the machine.
pub(super) fn any_cpu(random: &mut Random, shadow: &Shadow) -> Cpu {
    u32::try_from(random.index(shadow.rings.len())).unwrap_or(0)
}
