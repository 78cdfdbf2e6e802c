//! Expectations of a scenario that contradict the model, found without a machine.

use relaybed_abi::ChanState;

use relaybed_case::pollbits::PollBits;
use relaybed_case::{Case, Expect, Op};
use relaybed_contract::order::At;
use relaybed_contract::{Behaviour, Buffer, Fate, Moment, Prediction, predict};

use relaybed_case::errno::Errno;
use relaybed_case::finding::{ChannelState, List, Outcome};

/// Something that the author claims, or leaves unclaimed, and relay does otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What it is about.
    pub of: Claimed,
    /// What is claimed and what relay does.
    pub text: String,
}

/// What a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// An operation, by actor and number.
    Operation(usize, usize),
    /// An entry of `Case::expect`, by its number and the key of its value.
    Expect(usize, &'static str),
    /// A channel.
    Channel(usize),
}

impl std::fmt::Display for Contradiction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Claimed {
    fn but(self, text: String) -> Contradiction {
        Contradiction { of: self, text }
    }
}

/// What the case's author claims and relay, as documented, does not do.
///
/// Only what the model determines is compared; an empty list proves nothing about the rest.
#[must_use]
pub fn claims(case: &Case, behaviour: &Behaviour) -> Vec<Contradiction> {
    if behaviour.lacks(&case.needs).is_some() {
        return Vec::new();
    }
    let prediction = predict(case, behaviour, case.vcpus.min(64));
    let mut wrong: Vec<Contradiction> = prediction
        .order
        .stuck
        .iter()
        .filter(|at| {
            let before = At {
                op: at.op.wrapping_sub(1),
                ..**at
            };
            !prediction.order.stuck.contains(&before)
        })
        .map(|at| {
            Claimed::Operation(at.actor, at.op).but(format!(
                "operation {} of {} waits for ever: its gate is not signalled often enough",
                at.op, case.actors[at.actor].name
            ))
        })
        .collect();
    for (index, expect) in case.expect.iter().enumerate() {
        wrong.extend(contradiction(case, &prediction, (index, expect)));
    }
    if !case.may_fail {
        wrong.extend(unclaimed(case, &prediction));
    }
    wrong
}

/// Failures that the model is sure of and no claim speaks of.
fn unclaimed(case: &Case, prediction: &Prediction) -> Vec<Contradiction> {
    let refused = (0..case.channels.len()).filter(|channel| {
        let end = moment(prediction, None).and_then(|end| end.channels.get(*channel)?.state);
        end == Some(ChanState::Refused) && !case.claims_opening(*channel)
    });
    let refused = refused.map(|channel| {
        let name = &case.channels[channel].name;
        Claimed::Channel(channel).but(format!(
            "{name:?} is never opened: relay refuses it, and no claim says so"
        ))
    });
    let failed = case.actors.iter().enumerate().flat_map(|(actor, script)| {
        (0..script.ops.len()).filter_map(move |op| {
            let error = prediction
                .op(actor, op)?
                .error
                .filter(|error| *error != 0)?;
            (!case.claims_result(actor, op)).then(|| {
                let (name, error) = (&script.name, Errno(error));
                Claimed::Operation(actor, op).but(format!(
                    "operation {op} of {name} fails with {error}, and no claim says so"
                ))
            })
        })
    });
    refused.chain(failed).collect()
}

fn contradiction(
    case: &Case,
    prediction: &Prediction,
    (index, expect): (usize, &Expect),
) -> Vec<Contradiction> {
    match expect {
        Expect::Buffer { .. } => buffer(case, prediction, (index, expect)),
        Expect::Refused { actor, records } => refused(case, prediction, *actor, *records)
            .map(|text| Claimed::Expect(index, "refused").but(text))
            .into_iter()
            .collect(),
        // What readers got and left is of a run, not of the model.
        Expect::Flow { .. } => Vec::new(),
        Expect::Result {
            actor,
            op,
            value,
            error,
        } => result(case, prediction, (*actor, *op), *value, *error),
        Expect::Text { actor, text } => super::forge::text_read(case, prediction, *actor)
            .filter(|read| read != text)
            .map(|read| {
                Claimed::Expect(index, "text").but(format!(
                    "{} is claimed to read {text:?}, relay gives {read:?}",
                    case.actors[*actor].name
                ))
            })
            .into_iter()
            .collect(),
        Expect::OpenRefused { channel } => moment(prediction, None)
            .and_then(|end| end.channels.get(*channel)?.state)
            .filter(|state| *state != ChanState::Refused)
            .map(|state| {
                Claimed::Expect(index, "open_refused").but(format!(
                    "opening of {:?} is claimed to be refused, relay leaves it {}",
                    case.channels[*channel].name,
                    ChannelState::from(state)
                ))
            })
            .into_iter()
            .collect(),
    }
}

fn buffer(
    case: &Case,
    prediction: &Prediction,
    (index, expect): (usize, &Expect),
) -> Vec<Contradiction> {
    let Expect::Buffer {
        at,
        channel,
        cpu,
        produced,
        consumed,
        offset,
        padding,
    } = expect
    else {
        return Vec::new();
    };
    let Some(model) = model_buffer(case, prediction, at.as_deref(), (*channel, *cpu)) else {
        return Vec::new();
    };
    let place = format!(
        "buffer of CPU {cpu} of {:?} {}",
        case.channels[*channel].name,
        at.as_ref()
            .map_or_else(|| "at the end".to_owned(), |at| format!("at {at:?}"))
    );
    let pairs = [
        ("produced", produced, model.produced.0),
        ("consumed", consumed, model.consumed.0),
        ("offset", offset, model.offset),
    ];
    let mut wrong: Vec<Contradiction> = pairs
        .into_iter()
        .filter_map(|(what, claimed, right)| {
            let claimed = (*claimed)?;
            (claimed != right).then(|| {
                Claimed::Expect(index, what).but(format!(
                    "{place}: {what} is claimed to be {claimed}, relay makes it {right}"
                ))
            })
        })
        .collect();
    if let Some(claimed) = padding
        && *claimed != model.padding
    {
        wrong.push(Claimed::Expect(index, "padding").but(format!(
            "{place}: padding is claimed to be {}, relay makes it {}",
            List(claimed.clone()),
            List(model.padding.clone())
        )));
    }
    wrong
}

fn moment(prediction: &Prediction, at: Option<At>) -> Option<&Moment> {
    prediction.moments.iter().find(|moment| moment.at == at)
}

fn model_buffer<'a>(
    case: &Case,
    prediction: &'a Prediction,
    label: Option<&str>,
    (channel, cpu): (usize, u32),
) -> Option<&'a Buffer> {
    let at = match label {
        None => None,
        Some(label) => Some(relaybed_contract::order::operations(case).find(|at| {
            matches!(
                &case.actors[at.actor].ops[at.op],
                Op::Checkpoint { label: of } if of == label
            )
        })?),
    };
    moment(prediction, at)?
        .channels
        .get(channel)?
        .buffers
        .get(cpu as usize)?
        .as_ref()
}

fn refused(case: &Case, prediction: &Prediction, actor: usize, claimed: u64) -> Option<String> {
    let mut right = 0u64;
    let ops = prediction.ops.get(actor)?;
    for (index, op) in case.actors[actor].ops.iter().enumerate() {
        if !matches!(op, Op::Write { .. }) {
            continue;
        }
        let fates = ops[index].fates.as_ref()?;
        right += fates.iter().filter(|f| **f != Fate::Accepted).count() as u64;
    }
    (claimed != right).then(|| {
        format!(
            "{} is claimed to have {claimed} records not accepted, relay refuses {right}",
            case.actors[actor].name
        )
    })
}

fn result(
    case: &Case,
    prediction: &Prediction,
    (actor, op): (usize, usize),
    value: Option<u64>,
    error: Option<i32>,
) -> Vec<Contradiction> {
    let Some(right) = prediction.op(actor, op) else {
        return Vec::new();
    };
    let script = &case.actors[actor];
    let place = format!("operation {op} of {}", script.name);
    let claim = |text: String| Claimed::Operation(actor, op).but(text);
    let mut wrong = Vec::new();
    if let (Some(claimed), Some(right)) = (error.map(i32::unsigned_abs), right.error)
        && claimed != right
    {
        wrong.push(claim(format!(
            "{place}: its result is claimed to be {}, relay makes it {}",
            Errno(claimed),
            Errno(right)
        )));
    }
    if let (Some(claimed), Some(right)) = (value, right.value)
        && claimed != right
    {
        let polls = matches!(script.ops[op], Op::FilePoll { .. });
        let value = |value| match polls {
            true => Outcome::Reports(PollBits(value)),
            false => Outcome::Returns(value),
        };
        let (claimed, right) = (value(claimed), value(right));
        wrong.push(claim(format!(
            "{place}: value is claimed to be {claimed}, relay makes it {right}"
        )));
    }
    wrong
}
