//! What became of the records of each channel buffer: written = kept + refused + overwritten + lost.

use std::collections::BTreeSet;
use std::fmt;

use relaybed_abi::ChanState;
use schemars::JsonSchema;
use serde::Serialize;

use relaybed_case::evidence::Evidence;
use relaybed_case::{Case, FlowPart, Mode, Op};
use relaybed_contract::{Behaviour, Buffer, Fate, Geometry, Piece, Source, predict};

use super::checks::model::result;
use super::identify::{Writer, Writers};
use super::matter::{Matter, Parsed, is_logged_into, is_no_overwrite, is_stored_into};
use super::parse::{Parser, Text};
use super::streams::{CPUS_MAX, reads};

/// Records of one channel buffer: written = kept + refused + overwritten + lost. `None`: it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Flow {
    /// Name of the channel.
    pub channel: String,
    /// CPU of the buffer.
    pub cpu: u32,
    /// Offered by producers.
    pub written: u64,
    /// In the buffer at the end, or read before.
    pub kept: Option<u64>,
    /// Refused by the callback, or too big for a sub-buffer.
    pub refused: Option<u64>,
    /// Gone as relay documents it: a lap, a reset or another opening took their place.
    pub overwritten: Option<u64>,
    /// Gone otherwise.
    pub lost: Option<u64>,
    /// Of those kept, read by somebody.
    pub read: Option<u64>,
}

impl Flow {
    /// One part; `None`: it cannot be told.
    #[must_use]
    pub const fn part(&self, part: FlowPart) -> Option<u64> {
        match part {
            FlowPart::Written => Some(self.written),
            FlowPart::Kept => self.kept,
            FlowPart::Refused => self.refused,
            FlowPart::Overwritten => self.overwritten,
            FlowPart::Lost => self.lost,
            FlowPart::Read => self.read,
        }
    }
}

impl fmt::Display for Flow {
    /// `channel cpu, CPU 0: written 12 = kept 10 + refused 2 + overwritten 0 + lost 0, read 5`; `?` where it cannot be told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |n| n.to_string());
        write!(
            f,
            "channel {}, CPU {}: written {} = kept {} + refused {} + overwritten {} + lost {}, read {}",
            self.channel,
            self.cpu,
            self.written,
            number(self.kept),
            number(self.refused),
            number(self.overwritten),
            number(self.lost),
            number(self.read),
        )
    }
}

/// The flow of every channel buffer that is there at the end and was written to.
#[must_use]
pub fn flow(case: &Case, evidence: &Evidence) -> Vec<Flow> {
    let behaviour = Behaviour::of(evidence.setting.linux_version);
    let prediction = predict(case, &behaviour, evidence.setting.vcpus.min(CPUS_MAX));
    let writers = Writers::of(case);
    flow_of(&Matter::new(case, &prediction, evidence, &writers))
}

/// The same of what was parsed already.
#[must_use]
pub fn flow_of(matter: &Matter<'_>) -> Vec<Flow> {
    let Some(end) = matter.end() else {
        return Vec::new();
    };
    let open = end.channels.iter().enumerate();
    let open = open.filter(|(channel, seen)| {
        // Which of klog's records go where is the model's word only.
        seen.state == ChanState::Open && !is_logged_into(matter.case, *channel)
    });
    let buffers = open.flat_map(|(channel, seen)| {
        let cpus = seen.buffers.iter();
        cpus.map(move |buffer| (channel, buffer.cpu))
    });
    // Bytes that a user stored through a mapping may be anywhere in records.
    let buffers = buffers.filter(|of| !is_stored_into(matter.case, *of));
    let flows = buffers.map(|of| Count::of(matter, of).flow());
    flows.filter(|flow| flow.written > 0).collect()
}

/// Actor and number of records.
type Records = BTreeSet<(u16, u32)>;

struct Count<'m, 'a> {
    matter: &'m Matter<'a>,
    channel: usize,
    cpu: u32,
    /// The buffer as the model has it at the end.
    model: Option<&'m Buffer>,
}

impl<'m, 'a> Count<'m, 'a> {
    fn of(matter: &'m Matter<'a>, (channel, cpu): (usize, u32)) -> Self {
        let moment = matter.prediction.moment(None);
        let channels = moment.and_then(|moment| moment.channels.get(channel));
        let buffer = channels.and_then(|channel| channel.buffers.get(cpu as usize));
        Self {
            matter,
            channel,
            cpu,
            model: buffer.and_then(Option::as_ref),
        }
    }

    fn flow(&self) -> Flow {
        let written = self.writers().map(|writer| self.tried(writer)).sum();
        let refused = self.refused();
        let (there, read) = (self.there(), self.read());
        let kept = there.zip(read.as_ref());
        let kept = kept.map(|(there, read)| there.union(read).copied().collect::<Records>());
        let gone = kept.as_ref().zip(refused).map(|(kept, refused)| {
            let accepted = u64::saturating_sub(written, refused);
            accepted.saturating_sub(kept.len() as u64)
        });
        let lost = kept.as_ref().and_then(|kept| self.lost(kept, gone));
        Flow {
            channel: self.matter.channel_name(self.channel).unwrap_or_default(),
            cpu: self.cpu,
            written,
            kept: kept.map(|kept| kept.len() as u64),
            refused,
            overwritten: gone.zip(lost).map(|(gone, lost)| gone.saturating_sub(lost)),
            lost,
            read: read.map(|read| read.len() as u64),
        }
    }

    /// Those who write to the buffer.
    fn writers(&self) -> impl Iterator<Item = &Writer<'a>> {
        let all = self.matter.writers.all().iter();
        all.filter(|writer| (writer.channel, writer.buffer) == (self.channel, self.cpu))
    }

    /// Records that the operation got as far as.
    fn tried(&self, writer: &Writer<'_>) -> u64 {
        let (actor, op) = (usize::from(writer.actor), usize::from(writer.op));
        result(self.matter, actor, op).map_or(0, |result| result.value.min(u64::from(writer.count)))
    }

    fn refused(&self) -> Option<u64> {
        let spec = self.matter.case.channels.get(self.channel)?;
        self.writers().try_fold(0u64, |sum, writer| {
            let (actor, op) = (usize::from(writer.actor), usize::from(writer.op));
            let fates = self.matter.prediction.op(actor, op)?.fates.as_ref();
            let said = result(self.matter, actor, op).map_or(0, |result| result.refused);
            let refused = match (spec.mode, fates) {
                // Without a callback relay does not say what it drops.
                (Mode::Default, Some(fates)) => {
                    let dropped = fates.iter().filter(|fate| **fate != Fate::Accepted);
                    dropped.count() as u64
                }
                (Mode::Default, None) => return None,
                (_, Some(fates)) => {
                    let big = fates.iter().filter(|fate| **fate == Fate::TooBig);
                    let big = if self.reserves(writer) {
                        0
                    } else {
                        big.count()
                    };
                    said.saturating_add(big as u64)
                }
                (_, None) => said.saturating_add(self.too_big(writer)),
            };
            Some(sum.saturating_add(refused))
        })
    }

    /// Whether a record that is too big counts as refused in the result.
    fn reserves(&self, writer: &Writer<'_>) -> bool {
        let actor = self.matter.case.actors.get(usize::from(writer.actor));
        let op = actor.and_then(|actor| actor.ops.get(usize::from(writer.op)));
        matches!(op, Some(Op::Write { via, .. }) if via.is_reserve())
    }

    fn too_big(&self, writer: &Writer<'_>) -> u64 {
        let spec = &self.matter.case.channels[self.channel];
        let room = spec
            .subbuf_size
            .saturating_sub(u64::from(spec.header_bytes));
        if self.reserves(writer) {
            return 0;
        }
        let tried = u32::try_from(self.tried(writer)).unwrap_or(u32::MAX);
        let seqs = writer.first..writer.first.saturating_add(tried);
        let big = seqs.filter(|seq| u64::from(self.matter.writers.len(writer, *seq)) > room);
        big.count() as u64
    }

    /// What is in the buffer at the end.
    fn there(&self) -> Option<Records> {
        let end = self
            .matter
            .evidence
            .observations
            .iter()
            .rposition(|o| o.at.is_none())?;
        let is_it = |parsed: &&Parsed<'_>| {
            (parsed.observation, parsed.channel, parsed.seen.cpu) == (end, self.channel, self.cpu)
        };
        let parsed = self.matter.buffers.iter().find(is_it)?;
        if parsed.sections.iter().any(|section| section.vague > 0) {
            return None;
        }
        let found = parsed.records.iter().map(|found| (found.actor, found.seq));
        let faulty = parsed.faults.iter().filter_map(|fault| fault.record);
        Some(found.chain(faulty).collect())
    }

    /// What readers got.
    fn read(&self) -> Option<Records> {
        let got = reads(self.matter.case, self.matter.evidence);
        let own = got
            .iter()
            .filter(|got| (got.channel, got.cpu) == (self.channel, self.cpu));
        let bytes: Vec<u8> = own.flat_map(|got| got.bytes.iter().copied()).collect();
        if bytes.is_empty() {
            return Some(Records::new());
        }
        let predicted = self.predicted_reads();
        if predicted.is_some() {
            return predicted;
        }
        let spec = self.matter.case.channels.get(self.channel)?;
        let mut parser = Parser::new(self.matter.case, self.matter.writers);
        let text = Text {
            bytes: &bytes,
            fill: u32::try_from(bytes.len()).ok()?,
            expected: None,
            before: &[],
            header_bytes: u32::try_from(Geometry::of(spec).header_bytes).ok()?,
            produced: None,
            may_be_cut: true,
            channel: self.channel,
            cpu: self.cpu,
        };
        let section = parser.parse(text, 0, 0, false);
        (section.vague == 0).then(|| {
            let found = parser.records.iter().map(|found| (found.actor, found.seq));
            let faulty = parser.faults.iter().filter_map(|fault| fault.record);
            found.chain(faulty).collect()
        })
    }

    /// What readers got where all of it is as the model says.
    fn predicted_reads(&self) -> Option<Records> {
        let mut records = Records::new();
        let got = reads(self.matter.case, self.matter.evidence);
        let own = got
            .iter()
            .filter(|got| (got.channel, got.cpu) == (self.channel, self.cpu));
        let mut ops: Vec<(usize, usize)> = own.map(|got| (got.actor, got.op)).collect();
        ops.dedup();
        for (actor, op) in ops {
            let predicted = self.matter.prediction.op(actor, op)?.reads.as_ref()?;
            let bytes: u64 = predicted.iter().map(|read| u64::from(read.bytes)).sum();
            let seen = result(self.matter, actor, op)?;
            if bytes != u64::from(seen.data_bytes) {
                return None;
            }
            let pieces = predicted.iter().flat_map(|read| &read.pieces);
            records.extend(pieces.filter_map(record));
        }
        Some(records)
    }

    /// Of the records that are gone, those that relay's documentation does not let go.
    fn lost(&self, kept: &Records, gone: Option<u64>) -> Option<u64> {
        let spec = self.matter.case.channels.get(self.channel)?;
        if let Some(model) = self.model {
            let due = model.subbufs.iter().flat_map(|contents| &contents.current);
            let due: Records = due.filter_map(record).collect();
            return Some(due.difference(kept).count() as u64);
        }
        let hides = |op: &Op| {
            matches!(
                op,
                Op::Reset { .. } | Op::Open { .. } | Op::Close { .. } | Op::Consumed { .. }
            )
        };
        let is_kept = is_no_overwrite(spec) && !self.matter.has_op(self.channel, hides);
        is_kept.then_some(gone?)
    }
}

/// The record that a piece is of.
fn record(piece: &Piece) -> Option<(u16, u32)> {
    match piece.source {
        Source::Record { actor, seq, .. } if piece.total > 0 => Some((actor, seq)),
        _ => None,
    }
}
