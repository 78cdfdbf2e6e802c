//! Drawing lengths and counts of records, and sizes of reads, around the boundaries of a buffer.

use super::random::Random;
use super::shadow::Shadow;
use relaybed_case::Payload;

/// Bytes of the shortest record that no other is like.
const TELLING: u32 = 8;
/// Most records of one operation.
const COUNT_MAX: u64 = 40;
/// Most bytes that one operation writes.
const BYTES_MAX: u64 = 64 << 10;

/// What a write operation of a concurrent case writes: records that can be told from each other by their
/// bytes, most times, since nothing else tells which is which.
pub(super) fn telling(random: &mut Random, shadow: &Shadow, cpu: u32) -> (Payload, u32) {
    let (payload, count) = payload(random, shadow, cpu);
    match payload {
        Payload::Record { len_min, len_max } if len_min >= TELLING || random.chance(10) => {
            (Payload::Record { len_min, len_max }, count)
        }
        Payload::Bytes(bytes) if random.chance(10) => (Payload::Bytes(bytes), count),
        payload => {
            let most = payload_len(&payload).max(TELLING + random.between32(0, 40));
            let len_min = random.between32(TELLING, most);
            let len_max = most;
            (Payload::Record { len_min, len_max }, count)
        }
    }
}

fn payload_len(payload: &Payload) -> u32 {
    match payload {
        Payload::Record { len_max, .. } => *len_max,
        payload => payload.len(0, 0, 0),
    }
}

/// What a write operation writes, and how often.
pub(super) fn payload(random: &mut Random, shadow: &Shadow, cpu: u32) -> (Payload, u32) {
    if random.chance(6) {
        let len = random.between(1, 24);
        let text = (0..len).map(|_| b'a' + u8::try_from(random.below(26)).unwrap_or(0));
        let bytes: Vec<u8> = text.collect();
        return (Payload::Bytes(bytes), count(random, shadow, cpu, len));
    }
    let most = len(random, shadow, cpu);
    let least = if random.chance(20) {
        random.between(0, most)
    } else {
        most
    };
    let count = count(random, shadow, cpu, most);
    let narrow = |len| u32::try_from(len).unwrap_or(0);
    let payload = Payload::Record {
        len_min: narrow(least),
        len_max: narrow(most),
    };
    (payload, count)
}

/// Length of a record.
fn len(random: &mut Random, shadow: &Shadow, cpu: u32) -> u64 {
    let size = shadow.subbuf_size.min(BYTES_MAX / 8);
    let room = shadow.room(cpu).min(BYTES_MAX / 8);
    let usable = size.saturating_sub(shadow.header);
    match random.below(16) {
        0 => 0,
        1 => 1,
        2 | 3 => room,
        4 => room + 1,
        5 => room.saturating_sub(1),
        6 => size,
        7 => size + 1,
        8 => usable,
        9 => usable + 1,
        10 => size / 2,
        11 => size.div_ceil(3),
        // The smallest record that tells its own story, and its neighbours.
        12 => random.between(31, 33).min(size + 1),
        _ => random.between(0, size + 1),
    }
}

/// How many records.
fn count(random: &mut Random, shadow: &Shadow, cpu: u32, len: u64) -> u32 {
    let fit = (shadow.subbuf_size / len.max(1)).max(1);
    let left = shadow.n_subbufs.saturating_sub(shadow.ring(cpu).ready);
    let count = match random.below(12) {
        0..=4 => 1,
        5 => 2,
        6 => 3,
        7 => fit,
        8 => fit + 1,
        // To the brim, and one beyond.
        9 => left * fit + random.below(3),
        10 => shadow.n_subbufs * fit * 2,
        _ => random.between(0, 8),
    };
    let most = COUNT_MAX.min(BYTES_MAX / len.max(1));
    u32::try_from(count.min(most)).unwrap_or(1)
}

/// Size of a read and how often; 0 times: until it gives nothing.
pub(super) fn read(random: &mut Random, shadow: &Shadow, cpu: u32) -> (u32, u32) {
    let size = shadow.subbuf_size.clamp(1, BYTES_MAX);
    let unread = shadow.ring(cpu).unread.min(BYTES_MAX);
    let bytes = match random.below(14) {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => size,
        4 => size - 1,
        5 => size + 1,
        6 | 7 => unread,
        8 => unread + 1,
        9 => unread.saturating_sub(1),
        10 => size / 2,
        11 => 4096,
        _ => random.between(1, 2 * size),
    };
    let calls = random.weighted(&[(60, 1), (15, 2), (10, 3), (15, 0)]);
    // Byte by byte until the end would fill the event log; no byte at all tells of no end.
    let calls = if calls == 0 && bytes * 4 < size {
        4
    } else {
        calls
    };
    (u32::try_from(bytes).unwrap_or(0), calls)
}
