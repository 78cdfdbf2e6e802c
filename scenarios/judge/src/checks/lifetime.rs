//! Channels and files come and go as documented.

use relaybed_abi::{ChanState, EventKind};

use super::model::{Of, compare_result};
use crate::matter::{Matter, Report};
use relaybed_case::evidence::BufferSeen;
use relaybed_case::finding::{Bytes, Call, Lifetime, List};
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::Location;
use relaybed_case::{FileCall, Op};
use relaybed_contract::ChannelMoment;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    states(matter, report);
    results(matter, report);
    for channel in 0..matter.case.channels.len() {
        files(matter, report, channel);
    }
}

/// State of each channel, and one buffer a CPU while it is open.
fn states(matter: &Matter<'_>, report: &mut Report) {
    for (index, observation) in matter.evidence.observations.iter().enumerate() {
        let moment = matter.prediction.moment(observation.at);
        if observation.channels.len() != matter.case.channels.len() {
            let channels = Lifetime::Channels {
                expected: matter.case.channels.len() as u64,
                seen: observation.channels.len() as u64,
            };
            report.fail(Location::default(), channels);
        }
        for (channel, seen) in observation.channels.iter().enumerate() {
            let at = Location {
                observation: Some(index),
                channel: matter.channel_name(channel),
                ..Location::default()
            };
            let expected = moment
                .and_then(|moment| moment.channels.get(channel))
                .and_then(|channel| channel.state);
            match expected {
                Some(expected) if expected != seen.state => {
                    let state = Lifetime::State {
                        expected: expected.into(),
                        seen: seen.state.into(),
                    };
                    report.fail(at.clone(), state);
                }
                Some(_) => {}
                None => report.leave(Why::Order, 1),
            }
            let held = moment.and_then(|moment| moment.channels.get(channel)?.held);
            match (held, &seen.held) {
                (Some(expected), Some(held)) if held.pieces != expected => {
                    report.fail(at.clone(), Lifetime::held(expected, held));
                }
                (Some(_), None) => report.leave(Why::Uncounted, 1),
                _ => {}
            }
            if seen.state == ChanState::Open {
                let model = moment.and_then(|moment| moment.channels.get(channel));
                if channel < matter.case.channels.len() {
                    buffers(matter, report, &at, channel, model, &seen.buffers);
                }
            }
            for buffer in seen.buffers.iter().filter(|buffer| buffer.finalized != 0) {
                let at = Location {
                    cpu: Some(buffer.cpu),
                    ..at.clone()
                };
                let seen = buffer.finalized;
                report.fail(at, Lifetime::Finalized { seen });
            }
        }
    }
}

/// An open channel has one buffer for every CPU that was online since it was opened.
fn buffers(
    matter: &Matter<'_>,
    report: &mut Report,
    at: &Location,
    channel: usize,
    model: Option<&ChannelMoment>,
    seen: &[BufferSeen],
) {
    let has: Vec<u32> = seen.iter().map(|buffer| buffer.cpu).collect();
    // A channel that is open though the model has it closed is another finding.
    let there = |cpu: u32| match model.map(|model| model.there.get(cpu as usize)) {
        Some(Some(there)) => *there,
        _ => Some(true),
    };
    let cpus = 0..matter.case.channels[channel].buffers(matter.prediction.online_cpus);
    let open = cpus.clone().filter(|cpu| there(*cpu).is_none());
    report.leave(Why::Order, open.count() as u64);
    let wanted: Vec<u32> = cpus
        .filter(|cpu| there(*cpu).unwrap_or_else(|| has.contains(cpu)))
        .collect();
    if has != wanted {
        let buffers = Lifetime::Buffers {
            expected: List(wanted),
            seen: List(has),
        };
        report.fail(at.clone(), buffers);
    }
}

/// What opening and closing returned.
fn results(matter: &Matter<'_>, report: &mut Report) {
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for (index, op) in script.ops.iter().enumerate() {
            let call = match op {
                Op::Open { .. } => Call::Open,
                Op::CpuOff { .. } => Call::CpuOff,
                Op::CpuOn { .. } => Call::CpuOn,
                Op::FileOpen { .. } => Call::FileOpen,
                Op::FileClose { .. } => Call::FileClose,
                Op::FileMunmap { .. }
                | Op::File {
                    call: FileCall::Keep { .. },
                    ..
                } => Call::Unmap,
                Op::File {
                    call: FileCall::Open { .. },
                    ..
                } => Call::FileOpen,
                Op::File {
                    call: FileCall::Dup { .. },
                    ..
                } => Call::Dup,
                _ => continue,
            };
            compare_result(matter, report, (actor, index), call, Of::Lifetime);
        }
    }
}

/// One file a buffer is made at each opening, and removed at each closing.
fn files(matter: &Matter<'_>, report: &mut Report, channel: usize) {
    let Some(expected) = &matter.prediction.files[channel] else {
        report.leave(Why::Order, 1);
        return;
    };
    if matter.evidence.events_lost > 0 {
        return;
    }
    for (cpu, expected) in (0..matter.prediction.online_cpus).zip(expected) {
        let calls = |kind: EventKind| {
            matter.evidence.events.iter().filter(move |event| {
                event.kind == kind.code()
                    && usize::from(event.channel) == channel
                    && u32::from(event.buf_cpu) == cpu
                    && event.verdict != 0
            })
        };
        let at = Location {
            channel: matter.channel_name(channel),
            cpu: Some(cpu),
            ..Location::default()
        };
        let seen = calls(EventKind::CreateFile).count() as u64;
        if seen != expected.made {
            let expected = expected.made;
            report.fail(at.clone(), Lifetime::FilesMade { expected, seen });
        }
        let seen = calls(EventKind::RemoveFile).count() as u64;
        if seen != expected.removed {
            let expected = expected.removed;
            report.fail(at.clone(), Lifetime::FilesRemoved { expected, seen });
        }
        // 0: evidence of a module that did not say.
        let name = expected.name_bytes;
        let mut lengths = calls(EventKind::CreateFile).map(|event| event.new_offset as usize);
        if let Some(length) = lengths.find(|length| ![0, name].contains(length)) {
            let cut = Lifetime::NameLength {
                expected: Bytes(name as u64),
                seen: Bytes(length as u64),
            };
            report.fail(at, cut);
        }
    }
}
