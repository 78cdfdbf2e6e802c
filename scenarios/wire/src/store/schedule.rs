//! `schedule.json`: the trace of a run under control, one step a line.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::StoreError;
use relaybed_case::Case;
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::{Step, Trace};

/// Version of the file; grows with any change of meaning.
const FORMAT: u32 = 1;
/// Most vCPUs of a machine.
const VCPUS_MAX: u32 = 1024;

/// The file's first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    steps: u64,
}

/// Its text.
pub(super) fn text(trace: &Trace) -> serde_json::Result<Vec<u8>> {
    let head = Head {
        format: FORMAT,
        steps: trace.steps.len() as u64,
    };
    let mut text = serde_json::to_vec(&head)?;
    text.push(b'\n');
    for step in &trace.steps {
        serde_json::to_writer(&mut text, step)?;
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
    let head = lines.next().unwrap_or_default();
    let head: Head = serde_json::from_slice(head).map_err(|error| json(1, error))?;
    if head.format != FORMAT {
        return Err(StoreError::Format {
            path: path.to_owned(),
            seen: head.format,
            expected: FORMAT,
        });
    }
    let mut steps = Vec::new();
    for (number, line) in (2..).zip(lines.filter(|line| !line.is_empty())) {
        let step: Step = serde_json::from_slice(line).map_err(|error| json(number, error))?;
        check(&step, case).map_err(|what| shape(format!("line {number}: {what}")))?;
        steps.push(step);
    }
    if steps.len() as u64 != head.steps {
        let (seen, said) = (steps.len(), head.steps);
        return Err(shape(format!("it has {seen} steps and says {said}")));
    }
    Ok(Trace { steps })
}

fn check(step: &Step, case: &Case) -> Result<(), String> {
    let Stop { vcpu, place } = &step.stop;
    let ascending = step.enabled.windows(2).all(|pair| pair[0] < pair[1]);
    let highest = step.enabled.iter().chain([vcpu]).max();
    if !ascending || highest.is_some_and(|vcpu| *vcpu >= VCPUS_MAX) {
        return Err(format!("no machine has the vCPUs {:?}", step.enabled));
    }
    if !step.enabled.contains(&step.next) {
        return Err(format!("vCPU {} goes on without work", step.next));
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
