//! The bytes of records and headers: rendering them and comparing with what was seen.
//!
//! A record's time and checksum cannot be predicted; comparing leaves them out where a record is cut,
//! and checks the checksum where its header is whole.

use std::borrow::Cow;

use relaybed_abi::{
    Context as AbiContext, RB_HEADER_ACTOR, RB_RECORD_HEADER, RecordHeader, fill_pattern,
    pattern_mismatch,
};
use zerocopy::IntoBytes;

use relaybed_case::{Case, Context, FileCall, Op, Payload, formatted};

use super::buffer::{Piece, Source};

/// Bytes of the header that hold `time_ns` and `crc`.
const UNKNOWN: [std::ops::Range<usize>; 2] = [16..24, 28..32];

/// Whether byte `at` of a record's header is known before the record is written.
#[must_use]
pub fn is_told(at: usize) -> bool {
    !UNKNOWN.iter().any(|range| range.contains(&at))
}

/// What the bytes of a source are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stuff<'a> {
    /// Bytes that the case tells as they are.
    Literal(Cow<'a, [u8]>),
    /// A pattern, with a record header in front where it fits.
    Pattern {
        /// The members that are known; `None`: too short for one.
        header: Option<RecordHeader>,
        /// Actor of the pattern.
        actor: u32,
        /// Number of the pattern.
        seq: u32,
    },
}

/// Number that the abi has for a context.
#[must_use]
pub fn context_code(context: Context) -> u8 {
    match context {
        Context::Task => AbiContext::Task as u8,
        Context::Softirq => AbiContext::Softirq as u8,
        Context::Hardirq => AbiContext::Hardirq as u8,
        Context::Nmi => AbiContext::Nmi as u8,
    }
}

/// What `source` of `total` bytes is made of; `None` if the case has no such record.
#[must_use]
pub fn stuff(case: &Case, source: Source, total: u32) -> Option<Stuff<'_>> {
    match source {
        Source::Header { produced } => Some(Stuff::Pattern {
            header: None,
            actor: RB_HEADER_ACTOR,
            seq: u32::try_from(produced & u64::from(u32::MAX)).unwrap_or(0),
        }),
        Source::Stored { actor, op } => {
            let script = case.actors.get(usize::from(actor))?;
            match script.ops.get(usize::from(op))? {
                Op::File {
                    call: FileCall::Store { bytes, .. },
                    ..
                } => Some(Stuff::Literal(bytes.into())),
                _ => None,
            }
        }
        Source::Record { actor, op, seq } => {
            let writer = case.actors.get(usize::from(actor))?;
            let (channel, payload) = match writer.ops.get(usize::from(op))? {
                Op::Write {
                    channel, payload, ..
                } => (*channel, payload),
                // It names no channel, and its records have no header that would.
                Op::Klog { payload, .. } => (usize::MAX, payload),
                _ => return None,
            };
            match payload {
                Payload::Bytes(bytes) => return Some(Stuff::Literal(bytes.into())),
                Payload::Formatted(text) => {
                    return Some(Stuff::Literal(
                        formatted(usize::from(actor), seq, text).into(),
                    ));
                }
                Payload::Record { .. } => {}
            }
            let (cpu, context) = writer.producer()?;
            let header = (total as usize >= RB_RECORD_HEADER).then(|| RecordHeader {
                magic: relaybed_abi::RB_RECORD_MAGIC,
                actor,
                cpu: u16::try_from(cpu).unwrap_or(u16::MAX),
                seq,
                len: total,
                time_ns: 0,
                context: context_code(context),
                channel: u8::try_from(channel).unwrap_or(u8::MAX),
                reserved: 0,
                crc: 0,
            });
            Some(Stuff::Pattern {
                header,
                actor: u32::from(actor),
                seq,
            })
        }
    }
}

impl Stuff<'_> {
    /// Index of the first of `bytes` that is not what stands at byte `from` on.
    #[must_use]
    pub fn mismatch(&self, from: usize, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Literal(literal) => {
                let expected = literal.get(from..).unwrap_or(&[]);
                let same = bytes
                    .iter()
                    .zip(expected)
                    .take_while(|(a, b)| a == b)
                    .count();
                (same < bytes.len()).then_some(same)
            }
            Self::Pattern {
                header: None,
                actor,
                seq,
            } => pattern_mismatch(*actor, *seq, from, bytes),
            Self::Pattern {
                header: Some(header),
                actor,
                seq,
            } => {
                let split = RB_RECORD_HEADER.saturating_sub(from).min(bytes.len());
                header_mismatch(header, from, &bytes[..split]).or_else(|| {
                    pattern_mismatch(*actor, *seq, from + split, &bytes[split..])
                        .map(|at| at + split)
                })
            }
        }
    }

    /// Writes the bytes from `from` on; a header carries `time_ns` and a right checksum.
    pub fn render(&self, from: usize, time_ns: u64, out: &mut [u8]) {
        match self {
            Self::Literal(literal) => {
                for (to, byte) in out.iter_mut().zip(literal.iter().skip(from)) {
                    *to = *byte;
                }
            }
            Self::Pattern { header, actor, seq } => {
                fill_pattern(*actor, *seq, from, out);
                if let Some(header) = header {
                    let sealed = RecordHeader { time_ns, ..*header }.sealed();
                    let head = sealed.as_bytes().iter().skip(from);
                    for (to, byte) in out.iter_mut().zip(head) {
                        *to = *byte;
                    }
                }
            }
        }
    }
}

/// First byte that differs from the known members; a whole header must carry its checksum too.
fn header_mismatch(known: &RecordHeader, from: usize, bytes: &[u8]) -> Option<usize> {
    let expected = known.as_bytes();
    let differs = bytes.iter().enumerate().find_map(|(i, byte)| {
        let at = from + i;
        (is_told(at) && expected.get(at) != Some(byte)).then_some(i)
    });
    if differs.is_none() && from == 0 && bytes.len() == RB_RECORD_HEADER {
        let crc = crc32fast::hash(&bytes[..RB_RECORD_HEADER - 4]);
        return (bytes[RB_RECORD_HEADER - 4..] != crc.to_le_bytes())
            .then_some(RB_RECORD_HEADER - 4);
    }
    differs
}

/// Index of the first byte of `bytes` that is not as `piece` of the case demands.
#[must_use]
pub fn piece_mismatch(case: &Case, piece: &Piece, bytes: &[u8]) -> Option<usize> {
    match stuff(case, piece.source, piece.total) {
        Some(stuff) => stuff.mismatch(piece.from as usize, bytes),
        None => (!bytes.is_empty()).then_some(0),
    }
}
