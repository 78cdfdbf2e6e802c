//! What the producers wrote, to be compared byte for byte with what users of relay got.

use std::collections::HashMap;

use relaybed_case::evidence::Evidence;
use relaybed_case::{Case, Op};
use relaybed_contract::content::stuff;
use relaybed_contract::order::At;
use relaybed_contract::{Behaviour, Fate, Geometry, Prediction, Source, predict};

use super::identify::Writers;
use super::matter::{is_logged_into, is_no_overwrite, is_stored_into};
use super::parse::Parser;
use super::streams::{CPUS_MAX, CpuStream, streams};

/// The bytes of all accepted records of each channel buffer, in the order written, as the producers
/// wrote them; headers that a callback reserved are included where they are part of the stream.
///
/// Only buffers whose writes the model determines are told; times in record headers are taken from
/// [`streams()`] where both have the record, and are 0 elsewhere.
#[must_use]
pub fn written(case: &Case, evidence: &Evidence) -> Vec<CpuStream> {
    let behaviour = Behaviour::of(evidence.setting.linux_version);
    let prediction = predict(case, &behaviour, evidence.setting.vcpus.min(CPUS_MAX));
    let writers = Writers::of(case);
    let mut times = HashMap::new();
    for stream in streams(case, evidence) {
        let mut parser = Parser::new(case, &writers);
        parser.parse(stream.text(case), 0, 0, false);
        times.extend(parser.records.iter().map(|r| ((r.actor, r.seq), r.time_ns)));
    }
    let mut all = Vec::new();
    for (channel, spec) in case.channels.iter().enumerate() {
        for cpu in 0..evidence.setting.vcpus.min(CPUS_MAX) {
            if !is_no_overwrite(spec)
                || is_logged_into(case, channel)
                || is_stored_into(case, (channel, cpu))
                || is_nested_on(case, channel, cpu)
            {
                continue;
            }
            let from = Sources {
                case,
                prediction: &prediction,
                times: &times,
            };
            let bytes = if Geometry::of(spec).header_bytes == 0 {
                from.records((channel, cpu))
            } else {
                from.records_and_headers((channel, cpu))
            };
            if let Some(bytes) = bytes {
                let mut stream = CpuStream {
                    channel,
                    cpu,
                    bytes: Vec::new(),
                    index: Vec::new(),
                    complete: true,
                };
                stream.push(&bytes, None);
                all.push(stream);
            }
        }
    }
    all
}

/// Whether an actor is nested on a write to the buffer: its records lie in the middle of the other's.
fn is_nested_on(case: &Case, channel: usize, cpu: u32) -> bool {
    case.actors.iter().any(|actor| {
        actor.is_nested()
            && actor.cpu() == Some(cpu)
            && actor.ops.iter().any(|op| op.channel() == Some(channel))
    })
}

/// Where the bytes written are made from.
struct Sources<'a> {
    case: &'a Case,
    prediction: &'a Prediction,
    /// By actor and number: the time in the record's header.
    times: &'a HashMap<(u16, u32), u64>,
}

impl Sources<'_> {
    /// The bytes of the accepted records; `None`: which were accepted, or in which order, is not
    /// determined.
    fn records(&self, (channel, cpu): (usize, u32)) -> Option<Vec<u8>> {
        let order = &self.prediction.order;
        let mut bytes = Vec::new();
        let mut last = None;
        for at in &order.line {
            let Some(records) = self.written_by(*at, (channel, cpu)) else {
                continue;
            };
            if last.is_some_and(|last| !order.is_before(last, *at)) {
                return None;
            }
            last = Some(*at);
            let fates = self.prediction.op(at.actor, at.op)?.fates.as_deref();
            if fates.is_none() && !never_refused(self.case, channel) {
                return None;
            }
            for (index, (source, len)) in records.enumerate() {
                if fates.is_none_or(|fates| fates.get(index) == Some(&Fate::Accepted)) {
                    self.render(source, len, &mut bytes)?;
                }
            }
        }
        Some(bytes)
    }

    /// The same with the headers that the callback reserved, each where the switch was accepted that it
    /// belongs to: that takes a buffer that is predicted from beginning to end.
    fn records_and_headers(&self, (channel, cpu): (usize, u32)) -> Option<Vec<u8>> {
        let cpu_index = usize::try_from(cpu).ok()?;
        if !self.prediction.is_exact(channel, cpu_index) {
            return None;
        }
        let spec = self.case.channels.get(channel)?;
        let size = spec.subbuf_size;
        let calls = self.prediction.calls.get(channel)?.get(cpu_index)?;
        let mut calls = calls.as_deref()?.iter();
        let mut bytes = Vec::new();
        let mut offset = 0;
        // Every call begins a sub-buffer with its header, or marks the buffer full.
        let mut switch = |bytes: &mut Vec<u8>| -> Option<u64> {
            let call = calls.next()?;
            if !call.accepted {
                return Some(size.saturating_add(1));
            }
            let produced = call.produced.0;
            self.render(Source::Header { produced }, spec.header_bytes, bytes)?;
            Some(u64::from(spec.header_bytes))
        };
        if spec.open_at_start {
            offset = switch(&mut bytes)?;
        }
        for at in &self.prediction.order.line {
            let predicted = self.prediction.op(at.actor, at.op)?;
            let switches = match &self.case.actors[at.actor].ops[at.op] {
                Op::Open { channel: of } => *of == channel && predicted.value == Some(1),
                Op::Reset { channel: of } | Op::Flush { channel: of } => {
                    *of == channel && predicted.error == Some(0)
                }
                _ => false,
            };
            if switches {
                offset = switch(&mut bytes)?;
            }
            let Some(records) = self.written_by(*at, (channel, cpu)) else {
                continue;
            };
            let fates = predicted.fates.as_deref()?;
            for ((source, len), fate) in records.zip(fates) {
                let bytes_of = u64::from(len);
                if bytes_of <= size && offset + bytes_of > size {
                    offset = switch(&mut bytes)?;
                }
                if *fate == Fate::Accepted {
                    self.render(source, len, &mut bytes)?;
                    offset += bytes_of;
                }
            }
        }
        Some(bytes)
    }

    /// The records of a write operation to the buffer, and their lengths.
    fn written_by(
        &self,
        at: At,
        (channel, cpu): (usize, u32),
    ) -> Option<impl Iterator<Item = (Source, u32)> + use<'_>> {
        let actor = self.case.actors.get(at.actor)?;
        let Op::Write {
            channel: to,
            payload,
            count,
            ..
        } = actor.ops.get(at.op)?
        else {
            return None;
        };
        let spec = self.case.channels.get(channel)?;
        if *to != channel || actor.cpu().map(|own| spec.buffer_cpu(own)) != Some(cpu) {
            return None;
        }
        let ids = (u16::try_from(at.actor).ok()?, u16::try_from(at.op).ok()?);
        let first = actor.first_record(at.op);
        let seed = self.case.seed;
        Some((first..first.saturating_add(*count)).map(move |seq| {
            let source = Source::Record {
                actor: ids.0,
                op: ids.1,
                seq,
            };
            (source, payload.len(seed, at.actor, seq))
        }))
    }

    fn render(&self, source: Source, len: u32, bytes: &mut Vec<u8>) -> Option<()> {
        let time_ns = match source {
            Source::Record { actor, seq, .. } => self.times.get(&(actor, seq)).copied(),
            Source::Header { .. } | Source::Stored { .. } => None,
        };
        let start = bytes.len();
        bytes.resize(start + len as usize, 0);
        stuff(self.case, source, len)?.render(0, time_ns.unwrap_or(0), &mut bytes[start..]);
        Some(())
    }
}

/// Whether all that is ever written to one buffer of the channel fits it without a switch refused.
fn never_refused(case: &Case, channel: usize) -> bool {
    let spec = &case.channels[channel];
    if spec.client.refuse.is_some() {
        return false;
    }
    let flushes = case
        .actors
        .iter()
        .flat_map(|actor| &actor.ops)
        .filter(|op| {
            matches!(op, Op::Flush { channel: c } | Op::Switch { channel: c, .. } if *c == channel)
        })
        .count() as u64;
    let (mut total, mut longest) = (0u64, 0u64);
    for actor in &case.actors {
        for op in &actor.ops {
            if let Op::Write {
                channel: to,
                payload,
                count,
                ..
            } = op
                && *to == channel
            {
                let len = match payload {
                    relaybed_case::Payload::Record { len_max, .. } => u64::from(*len_max),
                    relaybed_case::Payload::Bytes(bytes) => bytes.len() as u64,
                    // klog's alone, which names no channel.
                    relaybed_case::Payload::Formatted(_) => 0,
                };
                longest = longest.max(len);
                total = total.saturating_add(len.saturating_mul(u64::from(*count)));
            }
        }
    }
    let usable = spec
        .subbuf_size
        .saturating_sub(u64::from(spec.header_bytes))
        .saturating_sub(longest.saturating_sub(1));
    longest <= spec.subbuf_size && usable > 0 && total.div_ceil(usable) + flushes < spec.n_subbufs
}
