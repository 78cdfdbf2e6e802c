//! Drawing operations of kernel actors.

use super::Limits;
use super::lengths;
use super::random::Random;
use super::shadow::Shadow;
use relaybed_case::{Channel, ChannelIndex, Context, Cpu, NullCall, Op, Payload, Via};
use relaybed_contract::behaviour::version;

/// First release without `relay_late_setup_files()`.
const NO_LATE_SETUP: u32 = version(6, 16);

/// The kinds, before their arguments are drawn.
#[derive(Clone, Copy)]
enum Kind {
    Write,
    Flush,
    Reset,
    Consumed,
    BufFull,
    Switch,
    LateSetup,
    Null,
    Klog,
    KlogRegister,
    KlogUnregister,
    Close,
    Open,
}

impl Kind {
    /// Whether it is drawn for an actor in an interrupt: others are for tasks.
    const fn is_for_interrupts(self) -> bool {
        matches!(self, Self::Write | Self::Klog)
    }
}

/// How often each is drawn on an open channel.
const KINDS: [(u64, Kind); 13] = [
    (58, Kind::Write),
    (12, Kind::Flush),
    (3, Kind::Reset),
    (10, Kind::Consumed),
    (7, Kind::BufFull),
    (5, Kind::Switch),
    (4, Kind::LateSetup),
    (1, Kind::Null),
    (3, Kind::Klog),
    (2, Kind::KlogRegister),
    (1, Kind::KlogUnregister),
    (3, Kind::Close),
    (0, Kind::Open),
];
/// And on one that is not.
const KINDS_CLOSED: [(u64, Kind); 13] = [
    (8, Kind::Write),
    (2, Kind::Flush),
    (1, Kind::Reset),
    (2, Kind::Consumed),
    (2, Kind::BufFull),
    (1, Kind::Switch),
    (1, Kind::LateSetup),
    (1, Kind::Null),
    (1, Kind::Klog),
    (1, Kind::KlogRegister),
    (1, Kind::KlogUnregister),
    (1, Kind::Close),
    (84, Kind::Open),
];

/// Who does it, and what may be drawn.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) cpu: Cpu,
    pub(super) context: Context,
    pub(super) limits: &'a Limits,
    /// All operations are in one order: klog, whose records go wherever the last handler says, may be used.
    pub(super) in_order: bool,
}

fn null(random: &mut Random) -> Op {
    let (_, call) = random.pick(NullCall::ALL);
    Op::Null { call }
}

/// One operation of an actor in the kernel.
pub(super) fn draw(
    random: &mut Random,
    channels: &[Channel],
    shadows: &mut [Shadow],
    who: Who<'_>,
) -> Op {
    let channel = random.index(channels.len());
    let shadow = &mut shadows[channel];
    let kinds = if shadow.open { &KINDS } else { &KINDS_CLOSED };
    let cpu = who.cpu;
    match random.weighted(kinds) {
        kind if who.context != Context::Task && !kind.is_for_interrupts() => {
            write_from(random, channel, shadow, who)
        }
        Kind::Switch if !shadow.plain || random.chance(50) => switch(random, channel, shadow, cpu),
        Kind::LateSetup if !shadow.has_files && who.limits.linux_version < NO_LATE_SETUP => {
            shadow.has_files = true;
            Op::LateSetup { channel }
        }
        Kind::Null => null(random),
        Kind::Klog if who.in_order && who.context != Context::Nmi => klog(random),
        Kind::KlogRegister if who.in_order => Op::KlogRegister { channel },
        Kind::KlogUnregister if who.in_order => Op::KlogUnregister { channel },
        Kind::Write
        | Kind::Switch
        | Kind::LateSetup
        | Kind::Klog
        | Kind::KlogRegister
        | Kind::KlogUnregister => write_from(random, channel, shadow, who),
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

/// A write, unless a lock or a callback that waits is nothing for an NMI.
fn write_from(random: &mut Random, channel: ChannelIndex, shadow: &mut Shadow, who: Who<'_>) -> Op {
    if who.context == Context::Nmi && (shadow.global || shadow.stalls) {
        return Op::Delay { microseconds: 1 };
    }
    write(random, channel, shadow, who.cpu)
}

fn switch(random: &mut Random, channel: ChannelIndex, shadow: &mut Shadow, cpu: Cpu) -> Op {
    let size = shadow.subbuf_size.min(1 << 20);
    let len = match random.below(5) {
        0 => 0,
        1 => size,
        2 => size + 1,
        3 => size.saturating_sub(shadow.header),
        _ => random.between(0, size),
    };
    shadow.switched(cpu);
    Op::Switch { channel, len }
}

fn klog(random: &mut Random) -> Op {
    let len = random.weighted(&[(70, 12), (20, 60), (10, 250)]);
    let len = random.between(1, len);
    let letters = |random: &mut Random| b'a' + u8::try_from(random.below(26)).unwrap_or(0);
    let bytes: Vec<u8> = (0..len).map(|_| letters(random)).collect();
    let payload = match String::from_utf8(bytes) {
        Ok(text) if random.chance(60) => Payload::Formatted(text),
        Ok(text) => Payload::Bytes(text.into_bytes()),
        Err(error) => Payload::Bytes(error.into_bytes()),
    };
    let count = random.between32(1, 4);
    Op::Klog { payload, count }
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
