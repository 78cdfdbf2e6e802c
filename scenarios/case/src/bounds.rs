//! Upper bounds of what an operation can write, and leave in the event log and the data area.
//!
//! Scenarios are held to them when they are read, and stored cases again before anything is made of them: model and
//! judge work, and take memory, in proportion to what a case writes.

use relaybed_abi::{RB_DATA_SIZE, RB_MAX_EVENTS, RB_PAGE_SIZE};

use crate::{ActorIndex, Case, Channel, ChannelIndex, Cpu, FileCall, FileSlot, Mode, Op, Payload};

/// Room that one operation may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Events.
    pub events: u64,
    /// Bytes in the data area.
    pub data: u64,
    /// Records that are written.
    pub records: u64,
}

/// Records that all operations of a case may write together: some seconds of a guest's time.
pub const RECORDS_MAX: u64 = 1 << 20;

impl Cost {
    /// The room that there is.
    pub const ROOM: Self = Self {
        events: RB_MAX_EVENTS as u64,
        data: RB_DATA_SIZE as u64,
        records: RECORDS_MAX,
    };

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            events: self.events.saturating_add(other.events),
            data: self.data.saturating_add(other.data),
            records: self.records.saturating_add(other.records),
        }
    }
}

/// Whether all that the case can write and leave is within bounds.
#[must_use]
pub fn fits(case: &Case) -> bool {
    let mut total = Cost::default();
    for (index, actor) in case.actors.iter().enumerate() {
        for op in &actor.ops {
            total = total.and(cost(case, index, op));
        }
    }
    let Cost {
        events,
        data,
        records,
    } = Cost::ROOM;
    total.events <= events && total.data <= data && total.records <= records
}

/// Memory in bytes of all channel buffers of the case that relay tries to allocate, on a machine of so many CPUs.
#[must_use]
pub fn buffer_bytes(case: &Case, cpus: u32) -> u64 {
    let of = |channel: &Channel| {
        let size = channel.subbuf_size.checked_mul(channel.n_subbufs);
        // Larger ones relay refuses at once.
        let size = size.filter(|size| *size <= u64::from(u32::MAX));
        let pages = size.unwrap_or(0).div_ceil(RB_PAGE_SIZE as u64);
        pages * RB_PAGE_SIZE as u64 * u64::from(channel.buffers(cpus))
    };
    case.channels.iter().map(of).sum()
}

/// Upper bound of what `op` of `actor` writes and leaves.
#[must_use]
pub fn cost(case: &Case, actor: ActorIndex, op: &Op) -> Cost {
    let cpus = u64::from(case.vcpus);
    let events = |events| Cost {
        events,
        ..Cost::default()
    };
    match op {
        // A file, maybe a wait behind its making, and a first sub-buffer.
        Op::Open { .. } => events(3 * cpus),
        Op::Reset { .. } | Op::Flush { .. } => events(2 * cpus),
        Op::Close { .. } => events(cpus),
        // A file and a first sub-buffer in every channel.
        Op::CpuOn { .. } => events(3 * case.channels.len() as u64),
        Op::Write { count, .. } => Cost {
            records: u64::from(*count),
            ..events(write_events(case, op) + u64::from(op.hold().is_some()))
        },
        Op::Switch { .. } => events(1),
        Op::LateSetup { .. } => events(2 * cpus),
        Op::FileRead { file, size, times } => {
            let held = readable(case, actor, *file);
            let size = u64::from(*size);
            let (reads, data) = if *times == 0 {
                // A read that is not the last gives at least what one record left.
                (
                    held.records.saturating_add(held.bytes / size.max(1)) + 1,
                    held.bytes,
                )
            } else {
                let times = u64::from(*times);
                (times, size.saturating_mul(times).min(held.bytes))
            };
            Cost {
                data,
                ..events(reads)
            }
        }
        // A switch or a refusal a record, wherever it goes.
        Op::Klog { count, .. } => Cost {
            records: u64::from(*count),
            ..events(u64::from(*count))
        },
        Op::FileCopy { file } => Cost {
            data: mapped(case, actor, *file),
            ..Cost::default()
        },
        Op::File { file, call } => call_cost(case, actor, *file, call),
        Op::Stat { .. } => Cost {
            data: size_of::<relaybed_abi::Stat>() as u64,
            ..Cost::default()
        },
        Op::List { channel } => Cost {
            // A name, the number of a CPU and the end of the line.
            data: cpus * (case.channels[*channel].name.len() as u64 + 4),
            ..Cost::default()
        },
        _ => Cost::default(),
    }
}

fn call_cost(case: &Case, actor: ActorIndex, file: FileSlot, call: &FileCall) -> Cost {
    match call {
        FileCall::Splice { size, times, .. } => {
            let held = readable(case, actor, file);
            let pieces = held.bytes / u64::from(*size).max(1);
            let calls = match times {
                0 => held.records.saturating_add(pieces) + 1,
                times => u64::from(*times),
            };
            Cost {
                events: calls,
                data: held.bytes.max(call.takes()),
                ..Cost::default()
            }
        }
        FileCall::ReadNowhere { .. } => Cost {
            events: 1,
            ..Cost::default()
        },
        FileCall::Stat => Cost {
            data: size_of::<relaybed_abi::Stat>() as u64,
            ..Cost::default()
        },
        call => Cost {
            events: u64::from(call.is_taking()),
            data: call.takes(),
            ..Cost::default()
        },
    }
}

/// Switches of sub-buffers and refused records of a write operation.
fn write_events(case: &Case, op: &Op) -> u64 {
    let Op::Write {
        channel,
        via,
        payload,
        count,
    } = op
    else {
        return 0;
    };
    let (spec, count) = (&case.channels[*channel], u64::from(*count));
    let room = spec
        .subbuf_size
        .saturating_sub(u64::from(spec.header_bytes));
    let longest = u64::from(longest(payload)).max(1);
    let each_switches = room / longest <= 1;
    let switches = if each_switches {
        count
    } else {
        count / (room / longest) + 1
    };
    let callbacks = match spec.mode {
        Mode::Default => 0,
        // Once refused, each record asks again.
        Mode::Overwrite if spec.client.refuse.is_some() => count,
        Mode::Overwrite => switches,
        // Once full, each record asks again. A channel with room for all of them never is.
        Mode::NoOverwrite
            if demand(case, *channel) < spec.n_subbufs && spec.client.refuse.is_none() =>
        {
            switches
        }
        Mode::NoOverwrite => count,
    };
    let refused = if via.is_reserve() { count } else { 0 };
    callbacks + refused
}

/// Sub-buffers that all operations of a case could complete in one buffer of a channel.
fn demand(case: &Case, channel: ChannelIndex) -> u64 {
    let spec = &case.channels[channel];
    let room = spec
        .subbuf_size
        .saturating_sub(u64::from(spec.header_bytes));
    let ops = case.actors.iter().flat_map(|actor| &actor.ops);
    ops.filter(|op| op.channel() == Some(channel))
        .map(|op| match op {
            Op::Write { payload, count, .. } => {
                let fit = (room / u64::from(longest(payload)).max(1)).max(1);
                u64::from(*count).div_ceil(fit) + 1
            }
            Op::Flush { .. } | Op::Switch { .. } => 1,
            _ => 0,
        })
        .fold(0, u64::saturating_add)
}

fn longest(payload: &Payload) -> u32 {
    match payload {
        Payload::Record { len_max, .. } => *len_max,
        Payload::Bytes(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        // The numbers, the space and the end of the line.
        Payload::Formatted(text) => u32::try_from(text.len() + 24).unwrap_or(u32::MAX),
    }
}

/// What can be read of one buffer in all.
#[derive(Default)]
struct Held {
    records: u64,
    bytes: u64,
}

/// Everything that any actor writes to the buffers a slot is opened on.
fn readable(case: &Case, actor: ActorIndex, slot: FileSlot) -> Held {
    let mut held = Held::default();
    for (channel, cpu) in opened(case, actor, slot) {
        let spec = &case.channels[channel];
        let header = u64::from(spec.header_bytes);
        for writer in case.actors.iter() {
            let may = |op: &&Op| op.channel() == Some(channel) || matches!(op, Op::Klog { .. });
            for op in writer.ops.iter().filter(may) {
                match op {
                    Op::Write { payload, count, .. } | Op::Klog { payload, count }
                        if writer.cpu().map(|own| spec.buffer_cpu(own)) == Some(cpu) =>
                    {
                        let count = u64::from(*count);
                        let bytes = u64::from(longest(payload)).saturating_add(header);
                        held.records = held.records.saturating_add(count);
                        held.bytes = held.bytes.saturating_add(count.saturating_mul(bytes));
                    }
                    Op::Flush { .. } | Op::Switch { .. } | Op::Open { .. } | Op::Reset { .. } => {
                        held.records = held.records.saturating_add(1);
                        held.bytes = held.bytes.saturating_add(header);
                    }
                    _ => {}
                }
            }
        }
        held.bytes = held.bytes.saturating_add(header);
    }
    held
}

/// Longest mapping that relay grants of the buffers a slot is opened on.
fn mapped(case: &Case, actor: ActorIndex, slot: FileSlot) -> u64 {
    let sizes = opened(case, actor, slot).into_iter().map(|(channel, _)| {
        let spec = &case.channels[channel];
        let size = spec.subbuf_size.saturating_mul(spec.n_subbufs);
        size.checked_next_multiple_of(RB_PAGE_SIZE as u64)
            .unwrap_or(u64::MAX)
    });
    sizes.max().unwrap_or(0)
}

fn opened(case: &Case, actor: ActorIndex, slot: FileSlot) -> Vec<(ChannelIndex, Cpu)> {
    let script = &case.actors[actor];
    let mut found: Vec<_> = (0..script.ops.len())
        .filter(|op| script.ops[*op].file() == Some(slot))
        .filter_map(|op| script.bound(op))
        .map(|(channel, cpu, _)| (channel, cpu))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
