//! The per-CPU streams as a user of relay would have them.

use relaybed_abi::EventKind;

use relaybed_case::evidence::{BufferSeen, Evidence};
use relaybed_case::{Case, FileCall, Op};
use relaybed_contract::predict::bound;
use relaybed_contract::{Geometry, Prediction};

use super::identify::Writers;
use super::matter::{
    ParsedStream, buffer_of, is_logged_into, is_no_overwrite, is_stored_into, retained,
    subbuf_bytes,
};
use super::parse::{Parser, Text};
use super::settle::{Settled, settle};

/// CPUs that the abi has room for.
pub(super) const CPUS_MAX: u32 = 64;

/// Adjacent bytes of a stream that came from one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    /// Where they start in the stream.
    pub start: u64,
    /// How many.
    pub len: u64,
    /// The sub-buffer that they were left unread in; `None`: a reader got them.
    pub subbuf: Option<u64>,
}

/// What one CPU's file would have given in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuStream {
    /// The channel.
    pub channel: usize,
    /// The CPU.
    pub cpu: u32,
    /// The bytes, without padding.
    pub bytes: Vec<u8>,
    /// Where they came from.
    pub index: Vec<StreamEntry>,
    /// Whether the rest that nobody read could be added: the buffer was still there at the end.
    pub complete: bool,
}

/// One read that gave bytes: a call of `read()`, or a part of a `readv()`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Got<'a> {
    pub(super) channel: usize,
    pub(super) cpu: u32,
    pub(super) bytes: &'a [u8],
    /// Who read.
    pub(super) actor: usize,
    /// In which operation.
    pub(super) op: usize,
    /// The call began behind this place of the order of events, and ended before that.
    pub(super) span: (u32, u32),
}

/// All bytes that reads gave, in the order of the calls.
pub(super) fn reads<'a>(case: &Case, evidence: &'a Evidence) -> Vec<Got<'a>> {
    let mut calls: Vec<_> = evidence
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Read.code())
        .collect();
    calls.sort_by_key(|event| event.order);
    let mut last = std::collections::HashMap::new();
    calls
        .iter()
        .filter_map(|event| {
            let at = relaybed_contract::order::At {
                actor: usize::from(event.actor),
                op: event.op as usize,
            };
            let script = case.actors.get(at.actor)?;
            script.ops.get(at.op)?;
            let (channel, cpu, _) = bound(case, at)?;
            let result = evidence.results.get(at.actor).and_then(|r| r.get(at.op));
            let began = result.map_or(0, |result| result.order_start);
            let before = last.insert(at.actor, event.order).unwrap_or(0);
            let len = usize::try_from(event.produced.cast_signed()).ok()?;
            let start = usize::try_from(event.consumed).ok()?;
            let bytes = evidence.data.get(start..start.checked_add(len)?)?;
            // relay is asked for each part on its own, and others may come between.
            let part = match script.ops[at.op] {
                Op::File {
                    call: FileCall::Readv { size, .. },
                    ..
                } => size as usize,
                _ => bytes.len(),
            };
            Some(bytes.chunks(part.max(1)).map(move |bytes| Got {
                channel,
                cpu,
                bytes,
                actor: at.actor,
                op: at.op,
                span: (began.max(before), event.order),
            }))
        })
        .flatten()
        .collect()
}

/// Whether two readers of the buffer were at it at the same time: a call's place in the order of events
/// is taken behind the call, so that nobody can tell whose bytes come first.
fn is_order_open(got: &[Got<'_>], channel: usize, cpu: u32) -> bool {
    let mut earlier: Vec<&Got<'_>> = Vec::new();
    for later in got.iter().filter(|g| g.channel == channel && g.cpu == cpu) {
        // Calls come by their ends: the last one of each other actor reaches farthest.
        if earlier
            .iter()
            .any(|e| e.actor != later.actor && later.span.0 < e.span.1)
        {
            return true;
        }
        earlier.retain(|e| e.actor != later.actor);
        earlier.push(later);
    }
    false
}

/// The streams of all channel buffers that exist at the end or were read.
#[must_use]
pub fn streams(case: &Case, evidence: &Evidence) -> Vec<CpuStream> {
    let got = reads(case, evidence);
    let cpus = evidence.setting.vcpus.min(CPUS_MAX);
    (0..case.channels.len())
        .flat_map(|channel| (0..cpus).map(move |cpu| (channel, cpu)))
        .filter_map(|(channel, cpu)| stream_of(case, evidence, &got, channel, cpu))
        .collect()
}

fn stream_of(
    case: &Case,
    evidence: &Evidence,
    got: &[Got<'_>],
    channel: usize,
    cpu: u32,
) -> Option<CpuStream> {
    let geometry = Geometry::of(case.channels.get(channel)?);
    let mut stream = CpuStream {
        channel,
        cpu,
        bytes: Vec::new(),
        index: Vec::new(),
        complete: false,
    };
    for part in got.iter().filter(|g| g.channel == channel && g.cpu == cpu) {
        stream.push(part.bytes, None);
    }
    let end = evidence.observations.iter().rev().find(|o| o.at.is_none());
    let seen = end
        .and_then(|end| end.channels.get(channel))
        .and_then(|seen| buffer_of(seen, cpu));
    if let Some(seen) = seen {
        stream.add_unread(&geometry, seen);
        stream.complete = true;
    }
    (stream.complete || !stream.bytes.is_empty()).then_some(stream)
}

impl CpuStream {
    pub(super) fn push(&mut self, bytes: &[u8], subbuf: Option<u64>) {
        if bytes.is_empty() {
            return;
        }
        self.index.push(StreamEntry {
            start: self.bytes.len() as u64,
            len: bytes.len() as u64,
            subbuf,
        });
        self.bytes.extend_from_slice(bytes);
    }

    /// What is still unread, from the read position of the buffer on.
    fn add_unread(&mut self, geometry: &Geometry, seen: &BufferSeen) {
        let n = geometry.n_subbufs;
        let lapped =
            seen.offset <= geometry.subbuf_size && seen.produced.saturating_sub(seen.consumed) >= n;
        let (first, skip) = if lapped {
            (seen.produced.saturating_sub(n) + 1, 0)
        } else {
            (seen.consumed, seen.bytes_consumed)
        };
        for (number, slot, fill, _) in retained(geometry, seen) {
            if number < first {
                continue;
            }
            let from = if number == first { skip.min(fill) } else { 0 };
            let range = usize::try_from(from).unwrap_or(usize::MAX)
                ..usize::try_from(fill).unwrap_or(usize::MAX);
            let bytes = subbuf_bytes(geometry, seen, slot);
            let range = range.start.min(bytes.len())..range.end.min(bytes.len());
            self.push(bytes.get(range).unwrap_or(&[]), Some(slot as u64));
        }
    }
}

/// Parses the streams that tell something the buffers alone do not: no-overwrite, read by users, and
/// not determined by the model.
pub(super) fn parse_streams(
    case: &Case,
    prediction: &Prediction,
    evidence: &Evidence,
    writers: &Writers<'_>,
) -> Vec<ParsedStream> {
    let hides = |channel: usize| {
        case.actors.iter().flat_map(|actor| &actor.ops).any(|op| {
            matches!(op, Op::Reset { channel: c } | Op::Consumed { channel: c, .. } | Op::Open { channel: c } if *c == channel)
        })
    };
    let got = reads(case, evidence);
    let mut read: Vec<(usize, u32)> = got.iter().map(|got| (got.channel, got.cpu)).collect();
    read.sort_unstable();
    read.dedup();
    read.into_iter()
        .filter(|(channel, cpu)| {
            case.channels.get(*channel).is_some_and(is_no_overwrite)
                && !prediction.is_exact(*channel, *cpu as usize)
                && prediction.is_specified(*channel, *cpu as usize)
                && !is_stored_into(case, (*channel, *cpu))
                && !is_logged_into(case, *channel)
                && !hides(*channel)
        })
        .filter_map(|(channel, cpu)| {
            let own: Vec<Got<'_>> = got
                .iter()
                .filter(|got| (got.channel, got.cpu) == (channel, cpu))
                .copied()
                .collect();
            let own = if is_order_open(&own, channel, cpu) {
                match settle(case, writers, &own) {
                    Settled::Right(order) | Settled::Nearly(order) => order,
                    // No order is better: that of their ends shows it as well as any other.
                    Settled::Wrong => own,
                    Settled::Open => return None,
                }
            } else {
                own
            };
            stream_of(case, evidence, &own, channel, cpu)
        })
        .map(|stream| {
            let mut parser = Parser::new(case, writers);
            let spec = &case.channels[stream.channel];
            let text = Text {
                bytes: &stream.bytes,
                fill: u32::try_from(stream.bytes.len()).unwrap_or(u32::MAX),
                expected: None,
                before: &[],
                header_bytes: u32::try_from(Geometry::of(spec).header_bytes).unwrap_or(0),
                produced: None,
                may_be_cut: !stream.complete,
                channel: stream.channel,
                cpu: stream.cpu,
            };
            let section = parser.parse(text, 0, 0, false);
            ParsedStream {
                channel: stream.channel,
                cpu: stream.cpu,
                section,
                records: parser.records,
                faults: parser.faults,
                complete: stream.complete,
            }
        })
        .collect()
}

impl CpuStream {
    /// The stream as a text to parse.
    pub(super) fn text<'b>(&'b self, case: &Case) -> Text<'b> {
        Text {
            bytes: &self.bytes,
            fill: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
            expected: None,
            before: &[],
            header_bytes: case
                .channels
                .get(self.channel)
                .map_or(0, |spec| spec.header_bytes),
            produced: None,
            may_be_cut: !self.complete,
            channel: self.channel,
            cpu: self.cpu,
        }
    }
}
