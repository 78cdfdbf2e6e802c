//! Records: lengths, patterns and headers, computed the same way in guest and host.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::consts::{RB_RECORD_HEADER, RB_STEP};

/// The head of a record: `struct rb_record`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecordHeader {
    /// [`RB_RECORD_MAGIC`](crate::RB_RECORD_MAGIC).
    pub magic: u32,
    /// Index of the actor.
    pub actor: u16,
    /// CPU it was written on.
    pub cpu: u16,
    /// Number of the record among those of its actor.
    pub seq: u32,
    /// Length in bytes of all of it, this header included.
    pub len: u32,
    /// CLOCK_MONOTONIC when it was put together.
    pub time_ns: u64,
    /// The [`Context`](crate::Context) it was written in, as the kernel saw it.
    pub context: u8,
    /// Index of the channel.
    pub channel: u8,
    /// 0.
    pub reserved: u16,
    /// CRC-32 (IEEE) of the 28 bytes before.
    pub crc: u32,
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014), as `rb_mix()`.
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(RB_STEP);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Length in bytes of record (`actor`, `seq`), drawn from `seed`, as `rb_record_len()`.
///
/// The result lies in `len_min..=len_max`; `len_min` must not exceed `len_max`.
#[must_use]
pub const fn record_len(seed: u64, actor: u32, seq: u32, len_min: u32, len_max: u32) -> u32 {
    let x = mix(seed ^ mix(((actor as u64) << 32) | seq as u64));
    let span = (len_max as u64)
        .wrapping_sub(len_min as u64)
        .wrapping_add(1);
    len_min.wrapping_add((((x >> 32).wrapping_mul(span)) >> 32) as u32)
}

/// First pattern word of record (`actor`, `seq`); word `k` is this plus `k` times [`RB_STEP`].
#[must_use]
pub const fn pattern_seed(actor: u32, seq: u32) -> u64 {
    mix(((actor as u64) << 32) | seq as u64)
}

/// Fills `out` with the pattern of record (`actor`, `seq`), starting at byte `from` of it.
pub fn fill_pattern(actor: u32, seq: u32, from: usize, out: &mut [u8]) {
    let seed = pattern_seed(actor, seq);
    for (i, byte) in out.iter_mut().enumerate() {
        let at = from + i;
        let word = seed.wrapping_add(((at / 8) as u64).wrapping_mul(RB_STEP));
        *byte = word.to_le_bytes()[at % 8];
    }
}

/// Index of the first byte of `bytes` that differs from the pattern of record (`actor`, `seq`).
///
/// `bytes` starts at byte `from` of the record. `None`: all of it agrees. Whole words are compared
/// at a time, since this is the judge's inner loop.
#[must_use]
pub fn pattern_mismatch(actor: u32, seq: u32, from: usize, bytes: &[u8]) -> Option<usize> {
    let seed = pattern_seed(actor, seq);
    let by_byte = |at: usize, part: &[u8]| {
        part.iter().enumerate().find_map(|(i, byte)| {
            let place = from + at + i;
            let word = seed.wrapping_add(((place / 8) as u64).wrapping_mul(RB_STEP));
            (*byte != word.to_le_bytes()[place % 8]).then_some(at + i)
        })
    };
    let head = bytes.len().min((8 - from % 8) % 8);
    if let Some(at) = by_byte(0, &bytes[..head]) {
        return Some(at);
    }
    let (words, tail) = bytes[head..].as_chunks::<8>();
    let mut expected = seed.wrapping_add((((from + head) / 8) as u64).wrapping_mul(RB_STEP));
    let mut differs = 0;
    for word in words {
        differs |= u64::from_le_bytes(*word) ^ expected;
        expected = expected.wrapping_add(RB_STEP);
    }
    if differs != 0 {
        return by_byte(head, &bytes[head..]);
    }
    by_byte(bytes.len() - tail.len(), tail)
}

/// What is wrong with a record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// Fewer bytes than a header has.
    Short,
    /// The magic number is not there: these bytes are no record.
    Magic,
    /// The checksum does not agree: the header is torn or overwritten.
    Crc,
    /// The length field is below a header's size or beyond the bytes at hand.
    Length,
}

impl RecordHeader {
    /// Reads and checks the header at the start of `bytes`.
    ///
    /// Holding the result proves magic, checksum and that `len` bytes are there; it proves nothing
    /// about the payload.
    ///
    /// # Errors
    /// The first [`HeaderFault`] met.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let (header, _) = Self::read_from_prefix(bytes).map_err(|_| HeaderFault::Short)?;
        if header.magic != crate::consts::RB_RECORD_MAGIC {
            return Err(HeaderFault::Magic);
        }
        if crc32fast::hash(&bytes[..RB_RECORD_HEADER - 4]) != header.crc {
            return Err(HeaderFault::Crc);
        }
        let len = header.len as usize;
        if len < RB_RECORD_HEADER || len > bytes.len() {
            return Err(HeaderFault::Length);
        }
        Ok(header)
    }

    /// Sets the checksum to what the other members demand.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.crc = crc32fast::hash(&self.as_bytes()[..RB_RECORD_HEADER - 4]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_mismatch_finds_every_single_byte() {
        let mut bytes = vec![0; 100];
        for from in 0..20 {
            fill_pattern(3, 7, from, &mut bytes);
            assert_eq!(pattern_mismatch(3, 7, from, &bytes), None);
            for at in 0..bytes.len() {
                bytes[at] ^= 0x40;
                assert_eq!(pattern_mismatch(3, 7, from, &bytes), Some(at));
                bytes[at] ^= 0x40;
            }
        }
    }

    #[test]
    fn record_len_stays_in_its_range_and_reaches_both_ends() {
        let drawn: Vec<u32> = (0..4000).map(|seq| record_len(9, 1, seq, 5, 12)).collect();
        assert_eq!(drawn.iter().min(), Some(&5));
        assert_eq!(drawn.iter().max(), Some(&12));
    }

    #[test]
    fn a_flipped_header_bit_is_noticed() {
        let header = RecordHeader {
            magic: crate::consts::RB_RECORD_MAGIC,
            actor: 1,
            cpu: 0,
            seq: 5,
            len: 32,
            time_ns: 99,
            context: 0,
            channel: 0,
            reserved: 0,
            crc: 0,
        }
        .sealed();
        let mut bytes = header.as_bytes().to_vec();
        assert_eq!(RecordHeader::parse(&bytes), Ok(header));
        for bit in 0..256 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(RecordHeader::parse(&bytes).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
