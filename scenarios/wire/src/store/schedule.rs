//! `schedule.json`: the trace of a run under control, one step a line and behind them one access a line.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::StoreError;
use relaybed_case::Case;
use relaybed_case::access::AccessKind;
use relaybed_case::field::Field;
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::{Accessed, Step, Trace};

/// Version of the file; grows with any change of meaning.
const FORMAT: u32 = 2;
/// Most vCPUs of a machine.
const VCPUS_MAX: u32 = 1024;

/// The file's first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    steps: u64,
    accesses: u64,
}

/// The one member that every version has.
#[derive(Deserialize)]
struct HeadFormat {
    format: u32,
}

/// Its text.
pub(super) fn text(trace: &Trace) -> serde_json::Result<Vec<u8>> {
    let head = Head {
        format: FORMAT,
        steps: trace.steps.len() as u64,
        accesses: trace.accesses.len() as u64,
    };
    let mut text = serde_json::to_vec(&head)?;
    text.push(b'\n');
    for step in &trace.steps {
        serde_json::to_writer(&mut text, step)?;
        text.push(b'\n');
    }
    for access in &trace.accesses {
        serde_json::to_writer(&mut text, access)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The trace that a text says, if it is one that a run of the case could have had.
pub(super) fn parse(path: &Path, text: &[u8], case: &Case) -> Result<Trace, StoreError> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let json = |number: usize, source| StoreError::Json {
        path: path.to_owned(),
        line: number,
        source,
    };
    let shape = |what: String| StoreError::Shape {
        path: path.to_owned(),
        what,
    };
    let first = lines.next().unwrap_or_default();
    let seen: HeadFormat = serde_json::from_slice(first).map_err(|error| json(1, error))?;
    if seen.format != FORMAT {
        return Err(StoreError::Format {
            path: path.to_owned(),
            seen: seen.format,
            expected: FORMAT,
        });
    }
    let head: Head = serde_json::from_slice(first).map_err(|error| json(1, error))?;
    let mut trace = Trace::default();
    for (number, line) in (2..).zip(lines.filter(|line| !line.is_empty())) {
        let wrong = |what| shape(format!("line {number}: {what}"));
        if (trace.steps.len() as u64) < head.steps {
            let step: Step = serde_json::from_slice(line).map_err(|error| json(number, error))?;
            check(&step, case).map_err(wrong)?;
            trace.steps.push(step);
        } else {
            let access = serde_json::from_slice(line).map_err(|error| json(number, error))?;
            check_access(&access, &trace, case).map_err(wrong)?;
            trace.accesses.push(access);
        }
    }
    let seen = (trace.steps.len() as u64, trace.accesses.len() as u64);
    if seen != (head.steps, head.accesses) {
        return Err(shape(format!(
            "it has {} steps and {} accesses, and says {} and {}",
            seen.0, seen.1, head.steps, head.accesses
        )));
    }
    Ok(trace)
}

/// What no access behind those of `trace` can be.
fn check_access(accessed: &Accessed, trace: &Trace, case: &Case) -> Result<(), String> {
    let Accessed {
        before,
        vcpu,
        access,
        ..
    } = accessed;
    let last = trace.accesses.last().map_or(0, |last| last.before);
    if *before < last || *before > trace.steps.len() {
        return Err(format!("an access before stop {before} is in no order"));
    }
    if *vcpu >= VCPUS_MAX || access.cpu >= VCPUS_MAX {
        return Err(format!("no machine has vCPU {vcpu} or CPU {}", access.cpu));
    }
    let Some(channel) = case.channels.get(access.channel as usize) else {
        return Err(format!("the case has no channel {}", access.channel));
    };
    let fits = match (access.field, access.slot) {
        (Field::Padding, Some(slot)) => u64::from(slot) < channel.n_subbufs,
        (Field::Padding, None) => false,
        (_, slot) => slot.is_none(),
    };
    if !fits {
        let (field, slot) = (access.field.word(), access.slot);
        return Err(format!("{field} of the channel has no entry {slot:?}"));
    }
    if access.kind == AccessKind::Load && access.before != access.after {
        return Err(format!(
            "a load of {} found {} and left {}",
            access.field.word(),
            access.before,
            access.after
        ));
    }
    Ok(())
}

fn check(step: &Step, case: &Case) -> Result<(), String> {
    let Stop { vcpu, place } = &step.stop;
    let ascending = step.enabled.windows(2).all(|pair| pair[0] < pair[1]);
    let highest = step.enabled.iter().chain([vcpu]).max();
    if !ascending || highest.is_some_and(|vcpu| *vcpu >= VCPUS_MAX) {
        return Err(format!("no machine has the vCPUs {:?}", step.enabled));
    }
    if !step.enabled.contains(&step.next) {
        return Err(format!("vCPU {} runs without work", step.next));
    }
    match place {
        Place::Data { channel, .. } if *channel as usize >= case.channels.len() => {
            Err(format!("the case has no channel {channel}"))
        }
        Place::Operation { actor, op } => {
            let ops = case
                .actors
                .get(*actor as usize)
                .map(|actor| actor.ops.len());
            // The place behind the last operation is the actor's end.
            match ops {
                Some(ops) if *op as usize <= ops => Ok(()),
                _ => Err(format!("the case has no actor {actor} with operation {op}")),
            }
        }
        _ => Ok(()),
    }
}
