//! The scenario's own expectations.

use relaybed_abi::ChanState;

use crate::matter::{Matter, Report, buffer_of};
use crate::words;
use relaybed_case::verdict::{Location, Property};
use relaybed_case::{Expect, Mode, Op, Via};
use relaybed_contract::Fate;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for expect in &matter.case.expect {
        match expect {
            Expect::Buffer { .. } => buffer(matter, report, expect),
            Expect::Refused { actor, records } => {
                let seen = unaccepted(matter, *actor);
                let at = Location {
                    actor: matter.case.actors.get(*actor).map(|a| a.name.clone()),
                    ..Location::default()
                };
                compare(report, at, "records not accepted", records, seen);
            }
            Expect::Result {
                actor,
                op,
                value,
                error,
            } => result(matter, report, (*actor, *op), *value, *error),
            Expect::Text { actor, text } => {
                let seen = text_of(matter, *actor);
                let at = Location {
                    actor: matter.case.actors.get(*actor).map(|a| a.name.clone()),
                    ..Location::default()
                };
                let quoted = |text: &str| format!("{text:?}");
                compare(
                    report,
                    at,
                    "what the actor read",
                    quoted(text),
                    quoted(&seen),
                );
            }
            Expect::OpenRefused { channel } => open_refused(matter, report, *channel),
        }
    }
}

/// Compares two values as people read them.
fn compare(
    report: &mut Report,
    at: Location,
    what: &str,
    expected: impl ToString,
    seen: impl ToString,
) {
    let (expected, seen) = (expected.to_string(), seen.to_string());
    if expected != seen {
        report.fail(Property::Expectation, at, what, expected, seen);
    }
}

fn buffer(matter: &Matter<'_>, report: &mut Report, expect: &Expect) {
    let Expect::Buffer {
        at: label,
        channel,
        cpu,
        produced,
        consumed,
        offset,
        padding,
    } = expect
    else {
        return;
    };
    let observation = matter
        .evidence
        .observations
        .iter()
        .position(|o| match label {
            Some(label) => o.label.as_ref() == Some(label),
            None => o.at.is_none(),
        });
    let at = Location {
        observation,
        channel: matter.channel_name(*channel),
        cpu: Some(*cpu),
        ..Location::default()
    };
    let seen = observation
        .and_then(|index| matter.evidence.observations[index].channels.get(*channel))
        .and_then(|seen| buffer_of(seen, *cpu));
    let Some(seen) = seen else {
        compare(
            report,
            at,
            "the buffer that is expected",
            "observed",
            "not there",
        );
        return;
    };
    let pairs = [
        ("sub-buffers produced", produced, seen.produced),
        ("sub-buffers consumed", consumed, seen.consumed),
    ];
    for (what, expected, seen) in pairs {
        if let Some(expected) = expected {
            compare(report, at.clone(), what, expected, seen);
        }
    }
    if let Some(expected) = offset {
        let size = matter.case.channels[*channel].subbuf_size;
        let text = |offset| words::offset(offset, size);
        compare(
            report,
            at.clone(),
            "offset in the current sub-buffer",
            text(*expected),
            text(seen.offset),
        );
    }
    if let Some(padding) = padding {
        compare(
            report,
            at,
            "bytes of padding, sub-buffer by sub-buffer",
            words::list(padding),
            words::list(&seen.padding),
        );
    }
}

/// What the results tell, and records that no sub-buffer can hold, which nobody is told of.
fn unaccepted(matter: &Matter<'_>, actor: usize) -> u64 {
    let Some(script) = matter.case.actors.get(actor) else {
        return 0;
    };
    let mut sum = 0u64;
    for (index, op) in script.ops.iter().enumerate() {
        let Op::Write { channel, via, .. } = op else {
            continue;
        };
        let spec = &matter.case.channels[*channel];
        let predicted = matter.prediction.op(actor, index);
        if spec.mode == Mode::Default
            && let Some(fates) = predicted.and_then(|predicted| predicted.fates.as_ref())
        {
            let dropped = fates.iter().filter(|f| **f != Fate::Accepted);
            sum += dropped.count() as u64;
            continue;
        }
        sum =
            sum.saturating_add(super::model::result(matter, actor, index).map_or(0, |r| r.refused));
        if *via != Via::Reserve {
            sum += match predicted.and_then(|predicted| predicted.fates.as_ref()) {
                Some(fates) => fates.iter().filter(|f| **f == Fate::TooBig).count() as u64,
                None => too_big(matter, actor, index),
            };
        }
    }
    sum
}

fn too_big(matter: &Matter<'_>, actor: usize, op: usize) -> u64 {
    let writer = matter
        .writers
        .all()
        .iter()
        .find(|w| usize::from(w.actor) == actor && usize::from(w.op) == op);
    writer.map_or(0, |writer| {
        let spec = &matter.case.channels[writer.channel];
        let room = spec
            .subbuf_size
            .saturating_sub(u64::from(spec.header_bytes));
        (writer.first..writer.first.saturating_add(writer.count))
            .filter(|seq| u64::from(matter.writers.len(writer, *seq)) > room)
            .count() as u64
    })
}

fn result(
    matter: &Matter<'_>,
    report: &mut Report,
    (actor, op): (usize, usize),
    value: Option<u64>,
    error: Option<i32>,
) {
    let at = matter.operation(actor, op);
    let Some(seen) = super::model::result(matter, actor, op) else {
        compare(report, at, "the operation", "done", "not done");
        return;
    };
    if let Some(error) = error {
        compare(
            report,
            at.clone(),
            "the operation's result",
            words::errno(error.unsigned_abs()),
            words::errno(seen.error.unsigned_abs()),
        );
    }
    if let Some(value) = value {
        let text = super::model::result_text(seen, seen.value);
        compare(
            report,
            at,
            "the value that the operation returned",
            value,
            text,
        );
    }
}

/// All bytes that the actor's reads gave.
fn text_of(matter: &Matter<'_>, actor: usize) -> String {
    let mut bytes = Vec::new();
    let ops = matter.case.actors.get(actor).map_or(&[][..], |a| &a.ops);
    for (index, op) in ops.iter().enumerate() {
        if let (true, Some(result)) = (op.reads(), super::model::result(matter, actor, index)) {
            let start = result.data_offset as usize;
            let end = start.saturating_add(result.data_bytes as usize);
            bytes.extend_from_slice(matter.evidence.data.get(start..end).unwrap_or(&[]));
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn open_refused(matter: &Matter<'_>, report: &mut Report, channel: usize) {
    let seen = matter
        .end()
        .and_then(|end| end.channels.get(channel))
        .map_or(ChanState::Never, |seen| seen.state);
    let at = Location {
        channel: matter.channel_name(channel),
        ..Location::default()
    };
    compare(
        report,
        at,
        "state of a channel that relay_open() must refuse",
        words::channel(ChanState::Refused),
        words::channel(seen),
    );
}
