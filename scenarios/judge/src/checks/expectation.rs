//! The scenario's own expectations.

use relaybed_abi::ChanState;

use crate::matter::{Matter, Report, buffer_of};
use relaybed_case::errno::Errno;
use relaybed_case::finding::{Expectation, List, Offset, Outcome, Plain};
use relaybed_case::pollbits::PollBits;
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::Location;
use relaybed_case::{Expect, FlowPart, Mode, Op};
use relaybed_contract::Fate;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for expect in &matter.case.expect {
        match expect {
            Expect::Buffer { .. } => buffer(matter, report, expect),
            Expect::Refused { actor, records } => {
                let values = (*records, unaccepted(matter, *actor));
                compare(
                    report,
                    of_actor(matter, *actor),
                    values,
                    |expected, seen| Expectation::Refused { expected, seen },
                );
            }
            Expect::Result {
                actor,
                op,
                value,
                error,
            } => result(matter, report, (*actor, *op), *value, *error),
            Expect::Text { actor, text } => {
                let values = (text.clone(), text_of(matter, *actor));
                compare(
                    report,
                    of_actor(matter, *actor),
                    values,
                    |expected, seen| Expectation::Text {
                        expected: expected.into(),
                        seen: seen.into(),
                    },
                );
            }
            Expect::Flow {
                channel,
                cpu,
                parts,
            } => flow(matter, report, (*channel, *cpu), parts),
            Expect::OpenRefused { channel } => open_refused(matter, report, *channel),
        }
    }
    if !matter.case.may_fail {
        unclaimed(matter, report);
        never_opened(matter, report);
    }
}

/// Operations that failed though no claim says so.
fn unclaimed(matter: &Matter<'_>, report: &mut Report) {
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for op in 0..script.ops.len() {
            let is_claimed = matter.case.claims_result(actor, op);
            let error = super::model::result(matter, actor, op).map_or(0, |seen| seen.error);
            if error != 0 && !is_claimed {
                let seen = Outcome::Fails(Errno::from(error));
                report.fail(matter.operation(actor, op), Expectation::Unclaimed { seen });
            }
        }
    }
}

/// Channels that were refused though no claim says so.
fn never_opened(matter: &Matter<'_>, report: &mut Report) {
    for channel in 0..matter.case.channels.len() {
        let is_claimed = matter.case.claims_opening(channel);
        if state_at_the_end(matter, channel) == ChanState::Refused && !is_claimed {
            let at = Location {
                channel: matter.channel_name(channel),
                ..Location::default()
            };
            report.fail(at, Expectation::NeverOpened {});
        }
    }
}

/// Reports what `wrong` makes of the two values where they differ.
fn compare<T: PartialEq>(
    report: &mut Report,
    at: Location,
    (expected, seen): (T, T),
    wrong: impl FnOnce(T, T) -> Expectation,
) {
    if expected != seen {
        report.fail(at, wrong(expected, seen));
    }
}

fn of_actor(matter: &Matter<'_>, actor: usize) -> Location {
    Location {
        actor: matter.case.actors.get(actor).map(|a| a.name.clone()),
        ..Location::default()
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
        report.fail(at, Expectation::NoBuffer {});
        return;
    };
    if let Some(expected) = produced {
        let values = (*expected, seen.produced);
        compare(report, at.clone(), values, |expected, seen| {
            Expectation::Produced { expected, seen }
        });
    }
    if let Some(expected) = consumed {
        let values = (*expected, seen.consumed);
        compare(report, at.clone(), values, |expected, seen| {
            Expectation::Consumed { expected, seen }
        });
    }
    if let Some(expected) = offset {
        let of = |offset| Offset {
            offset,
            subbuf_size: matter.case.channels[*channel].subbuf_size,
        };
        let values = (of(*expected), of(seen.offset));
        compare(report, at.clone(), values, |expected, seen| {
            Expectation::Offset { expected, seen }
        });
    }
    if let Some(padding) = padding {
        let values = (List(padding.clone()), List(seen.padding.clone()));
        compare(report, at, values, |expected, seen| Expectation::Padding {
            expected,
            seen,
        });
    }
}

/// Where the records of a buffer went. One that nobody wrote to has none.
fn flow(
    matter: &Matter<'_>,
    report: &mut Report,
    (channel, cpu): (usize, u32),
    parts: &[(FlowPart, u64)],
) {
    let at = Location {
        channel: matter.channel_name(channel),
        cpu: Some(cpu),
        ..Location::default()
    };
    let end = matter.end().and_then(|end| end.channels.get(channel));
    if end.is_none_or(|seen| buffer_of(seen, cpu).is_none()) {
        report.fail(at, Expectation::NoBuffer {});
        return;
    }
    let flows = crate::flow_of(matter);
    let is_it = |flow: &&crate::Flow| Some(&flow.channel) == at.channel.as_ref() && flow.cpu == cpu;
    let flow = flows.iter().find(is_it);
    for (part, expected) in parts {
        let Some(seen) = flow.map_or(Some(0), |flow| flow.part(*part)) else {
            let is_untold = flow.is_some_and(|flow| flow.refused.is_none());
            report.leave(if is_untold { Why::Untold } else { Why::Alike }, 1);
            continue;
        };
        let part = Plain::from(part.word());
        compare(report, at.clone(), (*expected, seen), |expected, seen| {
            Expectation::Flow {
                part,
                expected,
                seen,
            }
        });
    }
}

/// What the results say, and records that no sub-buffer can hold, which no result says.
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
        if !via.is_reserve() {
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
        report.fail(at, Expectation::NotDone {});
        return;
    };
    if let Some(error) = error {
        let of = |error: i32| Outcome::of(Errno::from(error));
        let values = (of(error), of(seen.error));
        compare(report, at.clone(), values, |expected, seen| {
            Expectation::Result { expected, seen }
        });
    }
    if let Some(value) = value {
        let script = matter.case.actors.get(actor);
        let polls = script
            .and_then(|script| script.ops.get(op))
            .is_some_and(|op| matches!(op, Op::FilePoll { .. }));
        let gave = |value| match polls {
            true => Outcome::Reports(PollBits(value)),
            false => Outcome::Returns(value),
        };
        let values = (gave(value), super::model::outcome(seen, gave(seen.value)));
        compare(report, at, values, |expected, seen| Expectation::Value {
            expected,
            seen,
        });
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

fn state_at_the_end(matter: &Matter<'_>, channel: usize) -> ChanState {
    let end = matter.end();
    end.and_then(|end| end.channels.get(channel))
        .map_or(ChanState::Never, |seen| seen.state)
}

fn open_refused(matter: &Matter<'_>, report: &mut Report, channel: usize) {
    let seen = state_at_the_end(matter, channel);
    let at = Location {
        channel: matter.channel_name(channel),
        ..Location::default()
    };
    if seen != ChanState::Refused {
        let seen = seen.into();
        report.fail(at, Expectation::NotRefused { seen });
    }
}
