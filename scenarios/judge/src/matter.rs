//! What a checker is given: case, prediction, evidence and the parsed bytes; and where it reports.

use std::collections::BTreeMap;

use relaybed_case::evidence::{BufferSeen, ChannelSeen, Evidence};
use relaybed_case::finding::{Finding, Record, What};
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::{Amount, Location, Property};
use relaybed_case::{Case, Channel, FileCall, Mode, Op};
use relaybed_contract::{Buffer, ChannelMoment, Geometry, Prediction};

use super::identify::Writers;
use super::parse::{Fault, Found, Parser, Section, Text};
use super::streams;

/// Findings kept of one property: enough to see a pattern.
const FINDINGS_MAX: usize = 8;

/// Everything that one case is judged by.
#[derive(Debug)]
pub struct Matter<'a> {
    /// What was to be done.
    pub case: &'a Case,
    /// What a correct kernel shows.
    pub prediction: &'a Prediction,
    /// What was seen.
    pub evidence: &'a Evidence,
    /// Who wrote what.
    pub writers: &'a Writers<'a>,
    /// Every channel buffer of every observation about which something is specified, parsed.
    pub buffers: Vec<Parsed<'a>>,
    /// Channel buffers observed about which nothing is specified.
    pub unspecified: u64,
    /// The streams of buffers that readers emptied and whose order is not determined.
    pub streams: Vec<ParsedStream>,
}

/// One channel buffer of one observation.
#[derive(Debug)]
pub struct Parsed<'a> {
    /// Index into `Evidence::observations`.
    pub observation: usize,
    /// The channel.
    pub channel: usize,
    /// What was asked of the channel.
    pub geometry: Geometry,
    /// What was seen.
    pub seen: &'a BufferSeen,
    /// What the model says, where it is determined.
    pub model: Option<&'a Buffer>,
    /// Sub-buffers, oldest first.
    pub sections: Vec<Section>,
    /// All their records.
    pub records: Vec<Found>,
    /// All their faults.
    pub faults: Vec<Fault>,
}

/// What one buffer's readers got, and what they left unread.
#[derive(Debug)]
pub struct ParsedStream {
    /// The channel.
    pub channel: usize,
    /// The CPU.
    pub cpu: u32,
    /// The one section that the stream is.
    pub section: Section,
    /// Its records.
    pub records: Vec<Found>,
    /// Its faults.
    pub faults: Vec<Fault>,
    /// Whether the unread rest of the buffer is in it.
    pub complete: bool,
}

/// Collects findings and what was judged.
#[derive(Debug, Default)]
pub struct Report {
    /// What is broken.
    pub findings: Vec<Finding>,
    /// How many more there were than are kept.
    pub more: BTreeMap<Property, u64>,
    /// How much was judged.
    pub amount: Amount,
}

impl Report {
    /// Adds a finding; of one property only so many are kept, and the others counted.
    pub fn fail(&mut self, at: Location, what: impl Into<What>) {
        let what = what.into();
        let property = what.property();
        let same = self.findings.iter().filter(|f| f.property() == property);
        if same.count() < FINDINGS_MAX {
            self.findings.push(Finding::new(at, what));
        } else {
            *self.more.entry(property).or_default() += 1;
        }
    }

    /// Says that so many single checks had nothing to compare with.
    pub fn leave(&mut self, why: Why, checks: u64) {
        self.amount.unspecified.add(why, checks);
    }

    /// Says at the last finding of each property how many more there were.
    pub fn count_the_others(&self, findings: &mut [Finding]) {
        for (property, more) in &self.more {
            let mut last_first = findings.iter_mut().rev();
            if let Some(last) = last_first.find(|finding| finding.property() == *property) {
                last.more = *more;
            }
        }
    }
}

impl<'a> Matter<'a> {
    /// Parses the evidence.
    #[must_use]
    pub fn new(
        case: &'a Case,
        prediction: &'a Prediction,
        evidence: &'a Evidence,
        writers: &'a Writers<'a>,
    ) -> Self {
        let mut buffers = Vec::new();
        let mut unspecified = 0;
        for (observation, seen) in evidence.observations.iter().enumerate() {
            let moment = prediction.moment(seen.at);
            for (channel, channel_seen) in seen.channels.iter().enumerate() {
                let Some(spec) = case.channels.get(channel) else {
                    continue;
                };
                let model = moment.and_then(|moment| moment.channels.get(channel));
                for buffer in &channel_seen.buffers {
                    if !is_specified(case, prediction, model, (channel, buffer.cpu)) {
                        unspecified += 1;
                        continue;
                    }
                    buffers.push(parse_buffer(
                        case,
                        writers,
                        (observation, channel, spec),
                        buffer,
                        model,
                    ));
                }
            }
        }
        let streams = streams::parse_streams(case, prediction, evidence, writers);
        Self {
            case,
            prediction,
            evidence,
            writers,
            buffers,
            unspecified,
            streams,
        }
    }

    /// The end, if it was observed.
    #[must_use]
    pub fn end(&self) -> Option<&'a relaybed_case::evidence::Observation> {
        self.evidence
            .observations
            .iter()
            .rev()
            .find(|o| o.at.is_none())
    }

    /// A location in an observed buffer.
    #[must_use]
    pub fn place(&self, parsed: &Parsed<'_>, section: &Section, start: u32) -> Location {
        let size = parsed.geometry.subbuf_size;
        Location {
            observation: Some(parsed.observation),
            channel: self.channel_name(parsed.channel),
            cpu: Some(parsed.seen.cpu),
            subbuf: Some(section.slot as u64),
            offset: Some(section.slot as u64 * size + u64::from(start)),
            ..Location::default()
        }
    }

    /// A location of a whole buffer.
    #[must_use]
    pub fn whole(&self, parsed: &Parsed<'_>) -> Location {
        Location {
            observation: Some(parsed.observation),
            channel: self.channel_name(parsed.channel),
            cpu: Some(parsed.seen.cpu),
            ..Location::default()
        }
    }

    /// A location in what one buffer's readers got.
    #[must_use]
    pub fn in_stream(&self, stream: &ParsedStream, start: u32) -> Location {
        Location {
            channel: self.channel_name(stream.channel),
            cpu: Some(stream.cpu),
            offset: Some(u64::from(start)),
            ..Location::default()
        }
    }

    /// A location of an operation.
    #[must_use]
    pub fn operation(&self, actor: usize, op: usize) -> Location {
        Location {
            actor: self.case.actors.get(actor).map(|a| a.name.clone()),
            op: Some(op),
            ..Location::default()
        }
    }

    /// The name of a channel.
    #[must_use]
    pub fn channel_name(&self, channel: usize) -> Option<String> {
        self.case.channels.get(channel).map(|c| c.name.clone())
    }

    /// A record by the name of its producer, `record 7 of writer@1`.
    #[must_use]
    pub fn record(&self, (actor, number): (u16, u32)) -> Record {
        let actor = match self.case.actors.get(usize::from(actor)) {
            Some(script) => script.name.as_str().into(),
            None => format!("actor {actor}").into(),
        };
        Record::Named { number, actor }
    }

    /// The record that a fault is about, as far as that is known.
    #[must_use]
    pub fn record_of(&self, fault: &Fault) -> Record {
        fault
            .record
            .map_or(Record::Unnamed, |record| self.record(record))
    }

    /// Whether operations were done that take records out of sight: resetting, closing, consuming.
    #[must_use]
    pub fn has_op(&self, channel: usize, which: impl Fn(&Op) -> bool) -> bool {
        self.case
            .actors
            .iter()
            .flat_map(|actor| &actor.ops)
            .any(|op| op.channel() == Some(channel) && which(op))
    }
}

impl Parsed<'_> {
    /// The sections with their records and faults.
    pub fn each(&self) -> impl Iterator<Item = (&Section, &[Found], &[Fault])> {
        self.sections.iter().map(|section| {
            (
                section,
                self.records.get(section.records.clone()).unwrap_or(&[]),
                self.faults.get(section.faults.clone()).unwrap_or(&[]),
            )
        })
    }
}

/// Whether the client's answer to a switch is "not full".
#[must_use]
pub fn is_no_overwrite(channel: &Channel) -> bool {
    channel.mode != Mode::Overwrite
}

/// The bytes of sub-buffer `slot`.
#[must_use]
pub fn subbuf_bytes<'b>(geometry: &Geometry, seen: &'b BufferSeen, slot: usize) -> &'b [u8] {
    let size = usize::try_from(geometry.subbuf_size).unwrap_or(usize::MAX);
    let start = slot.saturating_mul(size);
    let end = start.saturating_add(size).min(seen.bytes.len());
    seen.bytes.get(start..end).unwrap_or(&[])
}

/// Numbers of the sub-buffers whose contents are still there, and how much they hold.
#[must_use]
pub fn retained(geometry: &Geometry, seen: &BufferSeen) -> Vec<(u64, usize, u64, bool)> {
    let n = geometry.n_subbufs;
    let size = geometry.subbuf_size;
    if n == 0 || size == 0 {
        return Vec::new();
    }
    let full = seen.offset > size;
    let keep = if full { n } else { n - 1 };
    // Sub-buffers beyond the bytes at hand cannot be looked at, whatever the counts say.
    let keep = keep.min(seen.bytes.len() as u64 / size + 1);
    let first = seen.produced.saturating_sub(keep);
    let mut all: Vec<(u64, usize, u64, bool)> = (first..seen.produced)
        .map(|number| {
            let slot = usize::try_from(number % n).unwrap_or(usize::MAX);
            let padding = seen.padding.get(slot).copied().unwrap_or(0);
            (number, slot, size.saturating_sub(padding), true)
        })
        .collect();
    if !full {
        let slot = usize::try_from(seen.produced % n).unwrap_or(usize::MAX);
        all.push((seen.produced, slot, seen.offset, false));
    }
    all
}

/// Whether an observed buffer can be judged: it is predicted, or at least no operation was under way in
/// it, such as a record reserved and not filled yet, and none met another that relay wants kept apart.
fn is_specified(
    case: &Case,
    prediction: &Prediction,
    moment: Option<&ChannelMoment>,
    (channel, cpu): (usize, u32),
) -> bool {
    let index = cpu as usize;
    let predicted = moment.is_some_and(|m| matches!(m.buffers.get(index), Some(Some(_))));
    let still = moment.is_none_or(|m| m.still.get(index).copied().unwrap_or(true));
    predicted
        || (still
            && prediction.is_specified(channel, index)
            && !is_stored_into(case, (channel, cpu))
            && !is_logged_into(case, channel))
}

/// Whether a user sets the size of the buffer's file.
#[must_use]
pub fn is_resized(case: &Case, buffer: (usize, u32)) -> bool {
    is_called(case, buffer, |call| {
        matches!(call, FileCall::Truncate { .. })
    })
}

fn is_called(case: &Case, buffer: (usize, u32), which: impl Fn(&FileCall) -> bool) -> bool {
    case.actors.iter().any(|actor| {
        actor.ops.iter().enumerate().any(|(index, op)| {
            matches!(op, Op::File { call, .. } if which(call))
                && actor
                    .bound(index)
                    .is_some_and(|(channel, cpu, _)| (channel, cpu) == buffer)
        })
    })
}

/// Whether klog may write into the channel: which of its records go there only the model can tell.
#[must_use]
pub fn is_logged_into(case: &Case, channel: usize) -> bool {
    let ops = case.actors.iter().flat_map(|actor| &actor.ops);
    ops.into_iter()
        .any(|op| matches!(op, Op::KlogRegister { channel: of } if *of == channel))
}

/// Whether a user writes into the buffer through a mapping: then it need not hold whole records.
#[must_use]
pub fn is_stored_into(case: &Case, buffer: (usize, u32)) -> bool {
    is_called(case, buffer, |call| matches!(call, FileCall::Store { .. }))
}

fn parse_buffer<'a>(
    case: &'a Case,
    writers: &'a Writers<'a>,
    (observation, channel, spec): (usize, usize, &Channel),
    seen: &'a BufferSeen,
    moment: Option<&'a ChannelMoment>,
) -> Parsed<'a> {
    let geometry = Geometry::of(spec);
    let model = moment
        .and_then(|moment| moment.buffers.get(seen.cpu as usize))
        .and_then(Option::as_ref);
    let mut parser = Parser::new(case, writers);
    let mut sections = Vec::new();
    // Where users wrote into it, its bytes are compared with the model's alone.
    let retained = if model.is_some_and(|model| model.stored) {
        Vec::new()
    } else {
        retained(&geometry, seen)
    };
    for (number, slot, fill, complete) in retained {
        let contents = model.and_then(|model| model.subbufs.get(slot));
        let text = Text {
            bytes: subbuf_bytes(&geometry, seen, slot),
            fill: u32::try_from(fill).unwrap_or(u32::MAX),
            expected: contents.map(|contents| contents.current.as_slice()),
            before: contents.map_or(&[], |contents| contents.old.as_slice()),
            header_bytes: u32::try_from(geometry.header_bytes).unwrap_or(u32::MAX),
            produced: Some(number),
            may_be_cut: false,
            channel,
            cpu: seen.cpu,
        };
        sections.push(parser.parse(text, number, slot, complete));
    }
    Parsed {
        observation,
        channel,
        geometry,
        seen,
        model,
        sections,
        records: parser.records,
        faults: parser.faults,
    }
}

/// The seen channel's buffers, if it is open.
#[must_use]
pub fn buffer_of(channel: &ChannelSeen, cpu: u32) -> Option<&BufferSeen> {
    channel.buffers.iter().find(|buffer| buffer.cpu == cpu)
}
