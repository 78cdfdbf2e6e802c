//! Expectations of a scenario that contradict the model, found without a machine.

use relaybed_abi::ChanState;

use relaybed_case::{Case, Expect};
use relaybed_contract::order::At;
use relaybed_contract::{Behaviour, Buffer, Fate, Moment, Prediction, predict};

use relaybed_case::errno::Errno;
use relaybed_case::finding::{ChannelState, List};

/// What the case's author claims and relay, as documented, does not do.
///
/// Only what the model determines is compared; an empty list proves nothing about the rest.
#[must_use]
pub fn claims(case: &Case, behaviour: &Behaviour) -> Vec<String> {
    if behaviour.lacks(&case.needs).is_some() {
        return Vec::new();
    }
    let prediction = predict(case, behaviour, case.vcpus.min(64));
    let mut wrong: Vec<String> = prediction
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
            format!(
                "operation {} of {} waits for ever: its gate is not signalled often enough",
                at.op, case.actors[at.actor].name
            )
        })
        .collect();
    for expect in &case.expect {
        wrong.extend(contradiction(case, &prediction, expect));
    }
    if !case.may_fail {
        wrong.extend(unclaimed(case, &prediction));
    }
    wrong
}

/// Failures that the model is sure of and no claim speaks of.
fn unclaimed(case: &Case, prediction: &Prediction) -> Vec<String> {
    let refused = (0..case.channels.len()).filter(|channel| {
        let end = moment(prediction, None).and_then(|end| end.channels.get(*channel)?.state);
        end == Some(ChanState::Refused) && !case.claims_opening(*channel)
    });
    let refused = refused.map(|channel| {
        let name = &case.channels[channel].name;
        format!("{name:?} is never opened: relay refuses it, and no claim says so")
    });
    let failed = case.actors.iter().enumerate().flat_map(|(actor, script)| {
        (0..script.ops.len()).filter_map(move |op| {
            let error = prediction
                .op(actor, op)?
                .error
                .filter(|error| *error != 0)?;
            (!case.claims_result(actor, op)).then(|| {
                let (name, error) = (&script.name, Errno(error));
                format!("operation {op} of {name} fails with {error}, and no claim says so")
            })
        })
    });
    refused.chain(failed).collect()
}

fn contradiction(case: &Case, prediction: &Prediction, expect: &Expect) -> Vec<String> {
    match expect {
        Expect::Buffer { .. } => buffer(case, prediction, expect),
        Expect::Refused { actor, records } => refused(case, prediction, *actor, *records),
        Expect::Result {
            actor,
            op,
            value,
            error,
        } => result(case, prediction, (*actor, *op), *value, *error),
        Expect::Text { actor, text } => super::forge::text_read(case, prediction, *actor)
            .filter(|read| read != text)
            .map(|read| {
                format!(
                    "{} is claimed to read {text:?}, relay gives {read:?}",
                    case.actors[*actor].name
                )
            })
            .into_iter()
            .collect(),
        Expect::OpenRefused { channel } => moment(prediction, None)
            .and_then(|end| end.channels.get(*channel)?.state)
            .filter(|state| *state != ChanState::Refused)
            .map(|state| {
                format!(
                    "opening of {:?} is claimed to be refused, relay leaves it {}",
                    case.channels[*channel].name,
                    ChannelState::from(state)
                )
            })
            .into_iter()
            .collect(),
    }
}

fn buffer(case: &Case, prediction: &Prediction, expect: &Expect) -> Vec<String> {
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
    let mut wrong: Vec<String> = pairs
        .into_iter()
        .filter_map(|(what, claimed, right)| {
            let claimed = (*claimed)?;
            (claimed != right).then(|| {
                format!("{place}: {what} is claimed to be {claimed}, relay makes it {right}")
            })
        })
        .collect();
    if let Some(claimed) = padding
        && *claimed != model.padding
    {
        wrong.push(format!(
            "{place}: padding is claimed to be {}, relay makes it {}",
            List(claimed.clone()),
            List(model.padding.clone())
        ));
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
                relaybed_case::Op::Checkpoint { label: of } if of == label
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

fn refused(case: &Case, prediction: &Prediction, actor: usize, claimed: u64) -> Vec<String> {
    let mut right = 0u64;
    let Some(ops) = prediction.ops.get(actor) else {
        return Vec::new();
    };
    for (index, op) in case.actors[actor].ops.iter().enumerate() {
        if !matches!(op, relaybed_case::Op::Write { .. }) {
            continue;
        }
        let Some(fates) = ops[index].fates.as_ref() else {
            return Vec::new();
        };
        right += fates.iter().filter(|f| **f != Fate::Accepted).count() as u64;
    }
    if claimed == right {
        return Vec::new();
    }
    vec![format!(
        "{} is claimed to have {claimed} records not accepted, relay refuses {right}",
        case.actors[actor].name
    )]
}

fn result(
    case: &Case,
    prediction: &Prediction,
    (actor, op): (usize, usize),
    value: Option<u64>,
    error: Option<i32>,
) -> Vec<String> {
    let Some(right) = prediction.op(actor, op) else {
        return Vec::new();
    };
    let place = format!("operation {op} of {}", case.actors[actor].name);
    let mut wrong = Vec::new();
    if let (Some(claimed), Some(right)) = (error.map(i32::unsigned_abs), right.error)
        && claimed != right
    {
        wrong.push(format!(
            "{place}: its result is claimed to be {}, relay makes it {}",
            Errno(claimed),
            Errno(right)
        ));
    }
    if let (Some(claimed), Some(right)) = (value, right.value)
        && claimed != right
    {
        wrong.push(format!(
            "{place}: value is claimed to be {claimed}, relay makes it {right}"
        ));
    }
    wrong
}
