//! Sizes of a scene: those of the case, divided by what divides them all.

use relaybed_case::{Case, ChannelIndex, Op, Via};
use relaybed_contract::Geometry;
use relaybed_twin as twin;
use twin::search::{Numbers, read};

use super::{NotModelled, Thread};

/// Bytes of a ring that can be searched, of all records, of one record, and sub-buffers.
const RING_MAX: u64 = 32;
const RECORDS_MAX: u64 = 48;
const RECORD_MAX: u64 = 15;
const SUBBUFS_MAX: u64 = 4;

pub(super) struct Sizes {
    pub(super) unit: u64,
}

impl Sizes {
    pub(super) fn of(
        case: &Case,
        channel: ChannelIndex,
        threads: &[Thread],
    ) -> Result<Self, NotModelled> {
        let spec = &case.channels[channel];
        let ops = || {
            threads.iter().flat_map(|thread| {
                let script = &case.actors[thread.actor];
                let of = |op: &usize| (thread.actor, *op, &script.ops[*op]);
                thread.made_by.iter().map(of)
            })
        };
        let lens: Vec<u64> = ops()
            .filter_map(|(actor, op, _)| len(case, actor, op))
            .collect();
        let records: u64 = lens.iter().sum();
        let ring = spec.subbuf_size.saturating_mul(spec.n_subbufs);
        // A read of more than can be there is one of all there is.
        let reads = ops().filter_map(|(_, _, op)| match op {
            Op::FileRead { size, .. } => Some(u64::from(*size)),
            _ => None,
        });
        let reads = reads.filter(|size| *size <= ring.saturating_add(records));
        let sizes = [spec.subbuf_size, spec.header_bytes.into()].into_iter();
        let unit = sizes
            .chain(lens.iter().copied())
            .chain(reads)
            .fold(0, gcd)
            .max(1);
        let is_small = ring / unit <= RING_MAX
            && records / unit <= RECORDS_MAX
            && lens.iter().all(|len| len / unit <= RECORD_MAX)
            && spec.n_subbufs <= SUBBUFS_MAX;
        if !is_small {
            return Err(NotModelled::Sizes {
                unit,
                ring: ring / unit,
                records: records / unit,
            });
        }
        Ok(Self { unit })
    }

    /// The geometry of the scene.
    pub(super) fn scale(&self, geometry: &mut Geometry) {
        geometry.subbuf_size /= self.unit;
        geometry.header_bytes /= self.unit;
    }

    /// What each thread does.
    pub(super) fn ops(&self, case: &Case, threads: &[Thread]) -> Vec<Vec<twin::Op>> {
        let mut numbers = Numbers::default();
        let mut of = |thread: &Thread| -> Vec<twin::Op> {
            let made_by = thread.made_by.iter();
            made_by
                .filter_map(|op| self.op(case, thread, *op, &mut numbers))
                .collect()
        };
        threads.iter().map(&mut of).collect()
    }

    fn op(
        &self,
        case: &Case,
        thread: &Thread,
        op: usize,
        numbers: &mut Numbers,
    ) -> Option<twin::Op> {
        let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        Some(match &case.actors[thread.actor].ops[op] {
            Op::Write { via, .. } => {
                let len = narrow(len(case, thread.actor, op)? / self.unit);
                match via {
                    Via::Reserve | Via::ReserveHeld(_) => numbers.reserve(len),
                    Via::Write | Via::RawWrite | Via::RawWriteIrqsOn => numbers.write(len),
                }
            }
            Op::Switch { len, .. } => twin::Op::Switch {
                len: len / self.unit,
            },
            Op::Flush { .. } => twin::Op::Flush,
            Op::Reset { .. } => twin::Op::Reset,
            Op::Close { .. } => twin::Op::Close,
            Op::Consumed { n, .. } => twin::Op::Consumed { n: (*n).into() },
            Op::BufFull { .. } => twin::Op::BufFull,
            Op::FileRead { size, .. } => read(narrow(u64::from(*size).div_ceil(self.unit))),
            Op::FilePoll { timeout_ms, .. } => twin::Op::Poll {
                waits: *timeout_ms != Some(0),
            },
            _ => return None,
        })
    }
}

/// Bytes of the record that the operation writes, or that it makes room for.
fn len(case: &Case, actor: usize, op: usize) -> Option<u64> {
    let script = &case.actors[actor];
    match &script.ops[op] {
        Op::Write { payload, .. } => Some(
            payload
                .len(case.seed, actor, script.first_record(op))
                .into(),
        ),
        Op::Switch { len, .. } => Some(*len),
        _ => None,
    }
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
