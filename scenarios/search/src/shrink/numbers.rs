//! The pass that makes numbers smaller: sizes and counts of channels, lengths and counts of operations.

use relaybed_case::{Case, Op, Payload};

/// Every number once, each with some smaller values.
pub(super) fn all(case: &Case) -> Vec<Case> {
    let mut candidates = Vec::new();
    for channel in 0..case.channels.len() {
        sizes(case, channel, &mut candidates);
    }
    for (actor, script) in case.actors.iter().enumerate() {
        for (op, what) in script.ops.iter().enumerate() {
            for smaller in smaller_ops(what) {
                let mut candidate = case.clone();
                candidate.actors[actor].ops[op] = smaller;
                candidates.push(candidate);
            }
        }
    }
    candidates
}

/// Values to try for a number: the least, half, one less.
fn smaller(value: u64, least: u64) -> Vec<u64> {
    let mut values = vec![least, value / 2, value.saturating_sub(1)];
    values.retain(|new| *new < value && *new >= least);
    values.dedup();
    values
}

fn smaller32(value: u32, least: u32) -> impl Iterator<Item = u32> {
    smaller(value.into(), least.into())
        .into_iter()
        .filter_map(|value| u32::try_from(value).ok())
}

/// Smaller channels. Records that fit exactly, or just not, must shrink with their sub-buffer.
fn sizes(case: &Case, channel: usize, candidates: &mut Vec<Case>) {
    let spec = &case.channels[channel];
    for n_subbufs in smaller(spec.n_subbufs, 1) {
        let mut candidate = case.clone();
        candidate.channels[channel].n_subbufs = n_subbufs;
        candidates.push(candidate);
    }
    for header_bytes in smaller32(spec.header_bytes, 0) {
        let mut candidate = case.clone();
        candidate.channels[channel].header_bytes = header_bytes;
        candidates.push(candidate);
    }
    // relay's helper for headers stops the kernel unless two bytes are left.
    let least = match spec.header_bytes {
        0 => 1,
        bytes => u64::from(bytes) + 2,
    };
    for mut size in [vec![8, 16, 64], smaller(spec.subbuf_size, least)].concat() {
        size = size.max(least);
        if size >= spec.subbuf_size {
            continue;
        }
        let by = u32::try_from(spec.subbuf_size - size).unwrap_or(0);
        for keeps_lengths in [true, false] {
            let mut candidate = case.clone();
            candidate.channels[channel].subbuf_size = size;
            if !keeps_lengths {
                shorten(&mut candidate, channel, by);
            }
            candidates.push(candidate);
        }
    }
}

/// Every length and size of a read that is as long is shorter by that much.
fn shorten(case: &mut Case, of: usize, by: u32) {
    for op in case.actors.iter_mut().flat_map(|actor| &mut actor.ops) {
        match op {
            Op::Write {
                channel,
                payload: Payload::Record { len_min, len_max },
                ..
            } if *channel == of => {
                *len_max -= if *len_max >= by { by } else { 0 };
                *len_min = (*len_min).min(*len_max);
            }
            Op::FileRead { size, .. } => *size -= if *size > by { by } else { 0 },
            _ => {}
        }
    }
}

fn smaller_ops(op: &Op) -> Vec<Op> {
    let mut made = Vec::new();
    let mut put = |change: &dyn Fn(&mut Op)| {
        let mut new = op.clone();
        change(&mut new);
        made.push(new);
    };
    match op {
        Op::Write { payload, count, .. } => {
            for new in smaller32(*count, 1) {
                put(&|op| {
                    if let Op::Write { count, .. } = op {
                        *count = new;
                    }
                });
            }
            if let Payload::Record { len_min, len_max } = payload {
                for new in smaller32(*len_max, 0) {
                    let payload_of = Payload::Record {
                        len_min: (*len_min).min(new),
                        len_max: new,
                    };
                    put(&|op| {
                        if let Op::Write { payload, .. } = op {
                            *payload = payload_of.clone();
                        }
                    });
                }
            }
        }
        Op::Consumed { channel, cpu, n } => {
            for n in smaller32(*n, 1) {
                let (channel, cpu) = (*channel, *cpu);
                put(&|op| *op = Op::Consumed { channel, cpu, n });
            }
        }
        Op::FileRead { file, size, times } => {
            let (file, size, times) = (*file, *size, *times);
            let calls = if times == 0 {
                vec![1, 2, 4]
            } else {
                smaller32(times, 1).collect()
            };
            for times in calls {
                put(&|op| *op = Op::FileRead { file, size, times });
            }
            for size in smaller32(size, 1) {
                put(&|op| *op = Op::FileRead { file, size, times });
            }
        }
        Op::FilePoll {
            file,
            timeout_ms: Some(limit),
        } => {
            for limit in smaller32(*limit, 0) {
                let (file, timeout_ms) = (*file, Some(limit));
                put(&|op| *op = Op::FilePoll { file, timeout_ms });
            }
        }
        Op::Delay { microseconds } => {
            for microseconds in smaller32(*microseconds, 0) {
                put(&|op| *op = Op::Delay { microseconds });
            }
        }
        _ => {}
    }
    made
}
