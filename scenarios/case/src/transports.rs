//! Comparing relay with the other ways out of the kernel: what is measured, and whether what came out is
//! what went in. Pure: machines are `run`'s, text is `report`'s.

use relaybed_abi::{RB_TRANSPORT_ACTOR, Transport, pattern_mismatch};

/// Every way, in the order of reports.
pub const ALL: &[Transport] = Transport::ALL;

/// The way's name: a stable interface.
#[must_use]
pub const fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::RelayRead => "relay-read",
        Transport::RelayMmap => "relay-mmap",
        Transport::Char => "char-read",
        Transport::Ioctl => "ioctl",
        Transport::Proc => "proc-read",
        Transport::Seq => "seq-file",
        Transport::Map => "shared-ring",
    }
}

/// What it is, in a few words.
#[must_use]
pub const fn what(transport: Transport) -> &'static str {
    match transport {
        Transport::RelayRead => "relay_write(), read() of the file",
        Transport::RelayMmap => "relay_write(), sub-buffers copied from the mapping",
        Transport::Char => "byte queue, read() of a character device",
        Transport::Ioctl => "byte queue, one ioctl() a record",
        Transport::Proc => "byte queue, read() of a file in /proc",
        Transport::Seq => "byte queue, read() of a seq_file in debugfs",
        Transport::Map => "ring mapped by both sides, no system call",
    }
}

/// One transfer, as timed by the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    /// Nanoseconds of the side that puts records in.
    pub fill_ns: u64,
    /// Nanoseconds of the side that takes them out.
    pub drain_ns: u64,
}

/// One way and one length of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The way.
    pub transport: Transport,
    /// Bytes of each record.
    pub len: u32,
    /// Records of each transfer.
    pub records: u32,
    /// By the host's clock, the median of several transfers.
    pub wall: Timed,
    /// By the instruction clock, the same: one nanosecond is one instruction.
    pub counted: Timed,
}

impl Measured {
    /// Per record: what one of the figures is.
    #[must_use]
    pub fn per_record(&self, total: u64) -> f64 {
        float(total) / f64::from(self.records.max(1))
    }

    /// Records a second by the host's clock, both sides one after the other.
    #[must_use]
    pub fn records_per_s(&self) -> f64 {
        f64::from(self.records) * 1e9 / float((self.wall.fill_ns + self.wall.drain_ns).max(1))
    }

    /// Bytes a second, as [`Self::records_per_s`].
    #[must_use]
    pub fn bytes_per_s(&self) -> f64 {
        self.records_per_s() * f64::from(self.len)
    }

    /// Instructions of both sides for one record.
    #[must_use]
    pub fn instructions(&self) -> f64 {
        self.per_record(self.counted.fill_ns + self.counted.drain_ns)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures of seconds in nanoseconds, far below 2^53"
)]
fn float(number: u64) -> f64 {
    number as f64
}

/// The median of several transfers, by the sum of both sides.
#[must_use]
pub fn median(mut transfers: Vec<Timed>) -> Option<Timed> {
    transfers.sort_by_key(|timed| timed.fill_ns + timed.drain_ns);
    transfers.get(transfers.len() / 2).copied()
}

/// Bytes that are not what was put in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// There are too few or too many.
    #[error("{seen} bytes came out of {}, {expected} went in", name(*.transport))]
    Amount {
        /// The way.
        transport: Transport,
        /// How many went in.
        expected: usize,
        /// How many came out.
        seen: usize,
    },
    /// A record differs.
    #[error("record {record} differs from byte {byte} on after {}", name(*.transport))]
    Record {
        /// The way.
        transport: Transport,
        /// Its number.
        record: u32,
        /// The first byte that does.
        byte: usize,
    },
}

/// Checks that `bytes` are `count` records of `len` bytes, as defined, in order.
///
/// # Errors
/// The first difference.
pub fn check(transport: Transport, len: u32, count: u32, bytes: &[u8]) -> Result<(), Wrong> {
    let expected = len as usize * count as usize;
    if bytes.len() != expected {
        let seen = bytes.len();
        return Err(Wrong::Amount {
            transport,
            expected,
            seen,
        });
    }
    for (record, bytes) in (0..count).zip(bytes.chunks_exact(len.max(1) as usize)) {
        if let Some(byte) = pattern_mismatch(RB_TRANSPORT_ACTOR, record, 0, bytes) {
            return Err(Wrong::Record {
                transport,
                record,
                byte,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use relaybed_abi::fill_pattern;

    fn stream(len: usize, count: u32) -> Vec<u8> {
        let mut bytes = vec![0; len * count as usize];
        for (record, bytes) in (0..count).zip(bytes.chunks_exact_mut(len)) {
            fill_pattern(RB_TRANSPORT_ACTOR, record, 0, bytes);
        }
        bytes
    }

    #[test]
    fn only_the_records_as_defined_pass() {
        let good = stream(48, 10);
        assert_eq!(check(Transport::Char, 48, 10, &good), Ok(()));
        let mut torn = good.clone();
        torn[48 * 3 + 7] ^= 1;
        let (transport, record, byte) = (Transport::Char, 3, 7);
        assert_eq!(
            check(Transport::Char, 48, 10, &torn),
            Err(Wrong::Record {
                transport,
                record,
                byte
            })
        );
        let short = check(Transport::Char, 48, 10, &good[48..]);
        assert!(
            matches!(short, Err(Wrong::Amount { seen: 432, .. })),
            "{short:?}"
        );
    }

    #[test]
    fn the_median_is_of_the_sum() {
        let timed = |fill_ns, drain_ns| Timed { fill_ns, drain_ns };
        let some = vec![timed(1, 100), timed(50, 1), timed(30, 30)];
        assert_eq!(median(some), Some(timed(30, 30)));
        assert_eq!(median(Vec::new()), None);
    }
}
