//! Counters of channel buffers, as they were seen or as the model has them.

use relaybed_abi::{Event, EventKind};

use relaybed_case::evidence::BufferSeen;
use relaybed_case::{Case, Op, Place};
use relaybed_contract::order::At;
use relaybed_contract::predict::{bound, changes};
use relaybed_contract::{Behaviour, Prediction, predict};

/// Operations up to which the model is asked for the counters behind each one.
const OPS_MAX: usize = 2_000;

/// Whose word counters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The host read them in place, or the callback told them.
    Seen,
    /// The model has them.
    Predicted,
}

/// Counters of one channel buffer at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The channel, by index in the case.
    pub channel: usize,
    /// Whose buffer.
    pub cpu: u32,
    /// Sub-buffers produced.
    pub produced: u64,
    /// Sub-buffers consumed.
    pub consumed: u64,
    /// Offset in the current sub-buffer, where it is known.
    pub offset: Option<u64>,
    /// Whose word this is.
    pub origin: Origin,
}

impl Counters {
    pub(super) fn seen(channel: usize, buffer: &BufferSeen) -> Self {
        Self {
            channel,
            cpu: buffer.cpu,
            produced: buffer.produced,
            consumed: buffer.consumed,
            offset: Some(buffer.offset),
            origin: Origin::Seen,
        }
    }

    /// `~cpu.1 P 2 C 0 O 64`; the sign marks what the model says. The channel's name is left out where the case
    /// has only one.
    #[must_use]
    pub fn text(&self, case: &Case) -> String {
        let sign = match self.origin {
            Origin::Seen => "",
            Origin::Predicted => "~",
        };
        let name = match (case.channels.len(), case.channels.get(self.channel)) {
            (2.., Some(channel)) => format!("{}.", channel.name),
            _ => "cpu".to_owned(),
        };
        let size = case
            .channels
            .get(self.channel)
            .map(|channel| channel.subbuf_size);
        let offset = match self.offset {
            Some(offset) if size.and_then(|size| size.checked_add(1)) == Some(offset) => {
                " full".to_owned()
            }
            Some(offset) => format!(" O {offset}"),
            None => String::new(),
        };
        format!(
            "{sign}{name}{} P {} C {}{offset}",
            self.cpu, self.produced, self.consumed
        )
    }
}

/// Counters that a callback told.
pub(super) fn at_event(case: &Case, kind: EventKind, event: &Event) -> Vec<Counters> {
    let channel = usize::from(event.channel);
    if kind != EventKind::SubbufStart
        || channel >= case.channels.len()
        || u32::from(event.buf_cpu) >= super::CPUS_MAX
    {
        return Vec::new();
    }
    vec![Counters {
        channel,
        cpu: u32::from(event.buf_cpu),
        produced: event.produced,
        consumed: event.consumed,
        offset: None,
        origin: Origin::Seen,
    }]
}

/// What the model has behind each operation: it is asked for the same case with a checkpoint behind each.
pub(super) struct Predicted<'a> {
    case: &'a Case,
    cpus: u32,
    prediction: Option<Prediction>,
}

impl<'a> Predicted<'a> {
    pub(super) fn of(case: &'a Case, linux_version: u32, cpus: u32) -> Self {
        let ops: usize = case.actors.iter().map(|actor| actor.ops.len()).sum();
        let behaviour = Behaviour::of(linux_version);
        let prediction =
            (ops <= OPS_MAX).then(|| predict(&with_checkpoints(case), &behaviour, cpus));
        Self {
            case,
            cpus,
            prediction,
        }
    }

    /// The buffers that the operation concerns, behind it, where they are determined.
    pub(super) fn behind(&self, actor: usize, op: usize) -> Vec<Counters> {
        let nested = self.case.actors.get(actor).is_none_or(|a| a.is_nested());
        let moment = self
            .prediction
            .as_ref()
            .filter(|_| !nested)
            .and_then(|prediction| prediction.moment(Some((actor, 2 * op + 1))));
        let Some(moment) = moment else {
            return Vec::new();
        };
        let keys = self.concerned(At { actor, op });
        let counters = keys.into_iter().filter_map(|(channel, cpu)| {
            let buffers = &moment.channels.get(channel)?.buffers;
            let buffer = buffers.get(cpu as usize)?.as_ref()?;
            Some(Counters {
                channel,
                cpu,
                produced: buffer.produced.0,
                consumed: buffer.consumed.0,
                offset: Some(buffer.offset),
                origin: Origin::Predicted,
            })
        });
        counters.collect()
    }

    /// The buffers that an operation changes or looks at.
    fn concerned(&self, at: At) -> Vec<(usize, u32)> {
        let mut keys: Vec<(usize, u32)> = changes(self.case, at, self.cpus)
            .into_iter()
            .map(|(channel, cpu)| (channel, u32::try_from(cpu).unwrap_or(u32::MAX)))
            .collect();
        if keys.is_empty()
            && let Some((channel, cpu, _)) = bound(self.case, at)
        {
            keys.push((channel, cpu));
        }
        keys
    }
}

/// The case with a checkpoint behind every operation of every actor that has a thread of its own.
fn with_checkpoints(case: &Case) -> Case {
    let mut case = case.clone();
    let nested: Vec<bool> = case.actors.iter().map(|actor| actor.is_nested()).collect();
    for (actor, is_nested) in case.actors.iter_mut().zip(&nested) {
        if let Place::Nested { host, op, .. } = &mut actor.place
            && nested.get(*host) == Some(&false)
        {
            *op *= 2;
        }
        if !is_nested {
            let ops = std::mem::take(&mut actor.ops);
            let label = String::new();
            let checkpoint = Op::Checkpoint { label };
            actor.ops = ops
                .into_iter()
                .flat_map(|op| [op, checkpoint.clone()])
                .collect();
        }
    }
    case
}
