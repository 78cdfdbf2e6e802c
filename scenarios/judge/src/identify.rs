//! Which record of the case some bytes are.

use std::collections::HashMap;

use relaybed_abi::{HeaderFault, RB_RECORD_HEADER, RecordHeader, pattern_mismatch};

use relaybed_case::{Case, Op, Payload, formatted};
use relaybed_contract::content::context_code;

/// The channel of a writer that names none: klog's.
pub(crate) const NO_CHANNEL: usize = usize::MAX;
/// Records without a header that are looked up by their first word.
const WORDS_MAX: usize = 1 << 20;
/// Records behind the last one seen of an actor that short records are searched among.
const AHEAD: u32 = 8;

/// One write operation of a case.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The actor.
    pub actor: u16,
    /// Its operation.
    pub op: u16,
    /// CPU it writes on.
    pub cpu: u32,
    /// CPU of the buffer that it writes to.
    pub buffer: u32,
    /// Number the abi has for its context.
    pub context: u8,
    /// The channel.
    pub channel: usize,
    /// Number of its first record.
    pub first: u32,
    /// How many records.
    pub count: u32,
    /// What they are.
    pub payload: &'a Payload,
}

/// A record that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The actor.
    pub actor: u16,
    /// Its operation.
    pub op: u16,
    /// Number of the record.
    pub seq: u32,
    /// Its length in bytes.
    pub len: u32,
    /// Its time; 0 without header.
    pub time_ns: u64,
    /// First byte that is wrong, if one is.
    pub wrong_at: Option<u32>,
    /// The bytes carry a header or are long enough that no other record has them.
    pub certain: bool,
}

/// All writers of a case, and how to tell their records.
#[derive(Debug)]
pub struct Writers<'a> {
    case: &'a Case,
    all: Vec<Writer<'a>>,
    /// By actor: its writers, by rising first record.
    by_actor: Vec<Vec<usize>>,
    /// First word of records that have no header but at least 8 bytes.
    words: HashMap<u64, (usize, u32)>,
}

impl<'a> Writers<'a> {
    /// The writers of a case.
    #[must_use]
    pub fn of(case: &'a Case) -> Self {
        let mut writers = Self {
            case,
            all: Vec::new(),
            by_actor: vec![Vec::new(); case.actors.len()],
            words: HashMap::new(),
        };
        for (index, actor) in case.actors.iter().enumerate() {
            let Some((cpu, context)) = actor.producer() else {
                continue;
            };
            let mut first = 0u32;
            for (op, what) in actor.ops.iter().enumerate() {
                let (channel, payload, count) = match what {
                    Op::Write {
                        channel,
                        payload,
                        count,
                        ..
                    } => (channel, payload, count),
                    // Known by the model's word only: it may go to any channel, or to none.
                    Op::Klog { payload, count } => (&NO_CHANNEL, payload, count),
                    _ => continue,
                };
                writers.by_actor[index].push(writers.all.len());
                writers.all.push(Writer {
                    actor: u16::try_from(index).unwrap_or(u16::MAX),
                    op: u16::try_from(op).unwrap_or(u16::MAX),
                    cpu,
                    buffer: case
                        .channels
                        .get(*channel)
                        .map_or(cpu, |spec| spec.buffer_cpu(cpu)),
                    context: context_code(context),
                    channel: *channel,
                    first,
                    count: *count,
                    payload,
                });
                first = first.saturating_add(*count);
            }
        }
        writers.learn_words();
        writers
    }

    /// All write operations, actor by actor.
    #[must_use]
    pub fn all(&self) -> &[Writer<'a>] {
        &self.all
    }

    /// The write operation of record (`actor`, `seq`).
    #[must_use]
    pub fn find(&self, actor: u16, seq: u32) -> Option<&Writer<'a>> {
        let ops = self.by_actor.get(usize::from(actor))?;
        let at = ops.partition_point(|w| self.all[*w].first <= seq);
        let writer = &self.all[*ops.get(at.checked_sub(1)?)?];
        (seq - writer.first < writer.count).then_some(writer)
    }

    /// Length in bytes of record (`actor`, `seq`) of `writer`.
    #[must_use]
    pub fn len(&self, writer: &Writer<'_>, seq: u32) -> u32 {
        // Drawing a length costs as much as checking a short record.
        if let Payload::Record { len_min, len_max } = writer.payload
            && len_min == len_max
        {
            return *len_min;
        }
        writer
            .payload
            .len(self.case.seed, usize::from(writer.actor), seq)
    }

    /// Bytes of the longest record that may be in a buffer, given by channel and CPU.
    #[must_use]
    pub fn longest(&self, (channel, cpu): (usize, u32)) -> usize {
        let here = |writer: &&Writer<'_>| (writer.channel, writer.cpu) == (channel, cpu);
        let lens = self
            .all
            .iter()
            .filter(here)
            .map(|writer| match writer.payload {
                Payload::Record { len_max, .. } => *len_max as usize,
                Payload::Bytes(bytes) => bytes.len(),
                Payload::Formatted(_) => relaybed_abi::RB_KLOG_SIZE,
            });
        lens.max().unwrap_or(0)
    }

    /// The record with a header at the start of `bytes`.
    #[must_use]
    pub fn by_header(&self, bytes: &[u8]) -> Option<Known> {
        let header = match RecordHeader::parse(bytes) {
            Ok(header) => header,
            Err(
                HeaderFault::Short | HeaderFault::Magic | HeaderFault::Crc | HeaderFault::Length,
            ) => return None,
        };
        let writer = self.find(header.actor, header.seq)?;
        if !matches!(writer.payload, Payload::Record { .. })
            || self.len(writer, header.seq) != header.len
        {
            return None;
        }
        let lies = u32::from(header.cpu) != writer.cpu
            || header.context != writer.context
            || usize::from(header.channel) != writer.channel
            || header.reserved != 0;
        let payload = &bytes[RB_RECORD_HEADER..header.len as usize];
        let wrong = pattern_mismatch(
            u32::from(header.actor),
            header.seq,
            RB_RECORD_HEADER,
            payload,
        )
        .map(|at| u32::try_from(at + RB_RECORD_HEADER).unwrap_or(u32::MAX));
        Some(Known {
            actor: header.actor,
            op: writer.op,
            seq: header.seq,
            len: header.len,
            time_ns: header.time_ns,
            wrong_at: wrong.or(lies.then_some(4)),
            certain: true,
        })
    }

    /// The record without a header, or of literal bytes, at the start of `bytes`; `next` tells the
    /// number of the next record of an actor, as far as is known.
    #[must_use]
    pub fn by_bytes(
        &self,
        bytes: &[u8],
        channel: usize,
        cpu: u32,
        next: impl Fn(u16) -> Option<u32>,
    ) -> Option<Known> {
        if let Some((word, _)) = bytes.split_first_chunk::<8>()
            && let Some((writer, seq)) = self.words.get(&u64::from_le_bytes(*word))
        {
            let known = self.at_seq(&self.all[*writer], *seq, bytes);
            if known.is_some() {
                return known;
            }
        }
        let here = |w: &&Writer<'a>| w.channel == channel && w.buffer == cpu;
        self.all.iter().filter(here).find_map(|writer| {
            let from = next(writer.actor).unwrap_or(0).max(writer.first);
            let end = writer.first.saturating_add(writer.count);
            (from..end.min(from.saturating_add(AHEAD)))
                .find_map(|seq| self.at_seq(writer, seq, bytes))
        })
    }

    /// Record `seq` of `writer`, if `bytes` starts with all of it and it has no header.
    #[must_use]
    pub fn at_seq(&self, writer: &Writer<'_>, seq: u32, bytes: &[u8]) -> Option<Known> {
        let len = self.len(writer, seq);
        let own = bytes.get(..len as usize)?;
        if len == 0 {
            return None;
        }
        let same = match writer.payload {
            Payload::Bytes(literal) => own == literal.as_slice(),
            Payload::Formatted(text) => own == formatted(usize::from(writer.actor), seq, text),
            Payload::Record { .. } => {
                (len as usize) < RB_RECORD_HEADER
                    && pattern_mismatch(u32::from(writer.actor), seq, 0, own).is_none()
            }
        };
        same.then_some(Known {
            actor: writer.actor,
            op: writer.op,
            seq,
            len,
            time_ns: 0,
            wrong_at: None,
            certain: len >= 8 && matches!(writer.payload, Payload::Record { .. }),
        })
    }

    /// Whether some records of the channel are so short that they cannot be told apart for sure.
    #[must_use]
    pub fn has_short(&self, channel: usize, cpu: u32) -> bool {
        self.all.iter().any(|writer| {
            writer.channel == channel
                && writer.buffer == cpu
                && match writer.payload {
                    Payload::Record { len_min, .. } => *len_min < 8,
                    Payload::Bytes(_) | Payload::Formatted(_) => true,
                }
        })
    }

    fn learn_words(&mut self) {
        for (index, writer) in self.all.iter().enumerate() {
            let Payload::Record { len_min, .. } = writer.payload else {
                continue;
            };
            if *len_min as usize >= RB_RECORD_HEADER {
                continue;
            }
            for seq in writer.first..writer.first.saturating_add(writer.count) {
                if self.words.len() >= WORDS_MAX {
                    return;
                }
                let len = self.len(writer, seq) as usize;
                if (8..RB_RECORD_HEADER).contains(&len) {
                    let word = relaybed_abi::pattern_seed(u32::from(writer.actor), seq);
                    self.words.insert(word, (index, seq));
                }
            }
        }
    }
}
