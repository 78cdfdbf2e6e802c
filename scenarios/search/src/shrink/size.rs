//! How big a case is: what a reader of its file has to take in.

use relaybed_case::{Case, Channel, Context, FileCall, Files, Mode, Op, Payload, Place, Via};

/// Weight of one operation against the numbers in it.
const OP: u64 = 1 << 32;

/// Size of a case. Fewer actors, channels and operations count most, then words that are not the plain
/// ones, then numbers.
#[must_use]
pub fn size(case: &Case) -> u64 {
    let actors = case.actors.iter().map(|actor| {
        let place = match actor.place {
            Place::Kernel { cpu, context } | Place::Nested { cpu, context, .. } => {
                u64::from(context != Context::Task) * word() + u64::from(cpu)
            }
            Place::User { cpu } => cpu.map_or(0, |cpu| word() + u64::from(cpu)),
        };
        let ops = actor.ops.iter().map(|op| OP + op_size(op));
        let source = u64::from(actor.source.is_some()) * word();
        4 * OP + place + source + ops.sum::<u64>()
    });
    let channels = case.channels.iter().map(channel_size);
    actors.sum::<u64>()
        + channels.sum::<u64>()
        + u64::from(case.vcpus) * word()
        + u64::from(case.seed != 1) * word()
}

/// Weight of a word that is not the plain one.
const fn word() -> u64 {
    1 << 26
}

/// Numbers beyond this are all the same.
fn number(value: u64) -> u64 {
    value.min(1 << 20)
}

fn channel_size(channel: &Channel) -> u64 {
    let words = u64::from(channel.mode != Mode::NoOverwrite)
        + u64::from(channel.files != Files::Direct)
        + u64::from(!channel.open_at_start)
        + u64::from(!channel.client.is_plain());
    4 * OP
        + words * word()
        + number(channel.subbuf_size)
        + number(channel.n_subbufs)
        + 4 * u64::from(channel.header_bytes)
}

fn op_size(op: &Op) -> u64 {
    match op {
        Op::Write {
            via,
            payload,
            count,
            ..
        } => {
            let payload = match payload {
                Payload::Record { len_min, len_max } => {
                    let drawn = u64::from(len_min != len_max) * word();
                    drawn + u64::from(*len_max)
                }
                Payload::Bytes(bytes) => word() + bytes.len() as u64,
                Payload::Formatted(text) => word() + text.len() as u64,
            };
            let via = u64::from(*via != Via::Write) * word();
            via + payload + number((*count).into()) * 16
        }
        Op::Consumed { cpu, n, .. } => u64::from(*cpu) + number((*n).into()),
        Op::BufFull { cpu, .. } | Op::FileOpen { cpu, .. } => u64::from(*cpu),
        Op::Wait { count, .. } => u64::from(*count),
        Op::Delay { microseconds } => u64::from(*microseconds),
        // Read until it is empty is the boldest; a number of times counts itself.
        Op::FileRead { size, times, .. } => {
            let times = if *times == 0 {
                1 << 16
            } else {
                number((*times).into())
            };
            number((*size).into()) + times * 16
        }
        Op::FilePoll { timeout_ms, .. } => timeout_ms.map_or(word(), u64::from),
        Op::File {
            call: FileCall::Map(map),
            ..
        } => number(map.len) + number(map.offset),
        Op::File {
            call: FileCall::Mremap { len },
            ..
        } => number(*len),
        Op::File { call, .. } => call.takes(),
        Op::Switch { len, .. } => number(*len),
        _ => 0,
    }
}
