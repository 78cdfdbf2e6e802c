//! Channels and files come and go as documented.

use relaybed_abi::{ChanState, EventKind};

use crate::case::{FileCall, Op};
use crate::judge::matter::{Matter, Report};
use crate::judge::words;
use crate::verdict::{Location, Property};

/// Checks it.
pub(in crate::judge) fn check(matter: &Matter<'_>, report: &mut Report) {
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
            report.fail(
                Property::Lifetime,
                Location::default(),
                "not every channel was observed",
                matter.case.channels.len(),
                observation.channels.len(),
            );
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
                Some(expected) if expected != seen.state => report.fail(
                    Property::Lifetime,
                    at.clone(),
                    "state of the channel",
                    words::channel(expected),
                    words::channel(seen.state),
                ),
                Some(_) => {}
                None => report.amount.unspecified += 1,
            }
            let cpus: Vec<u32> = seen.buffers.iter().map(|buffer| buffer.cpu).collect();
            let buffers = matter
                .case
                .channels
                .get(channel)
                .map_or(0, |spec| spec.buffers(matter.prediction.online_cpus));
            let all: Vec<u32> = (0..buffers).collect();
            if seen.state == ChanState::Open && cpus != all {
                report.fail(
                    Property::Lifetime,
                    at.clone(),
                    "an open channel has one buffer a CPU",
                    format!("CPUs {}", words::list(&all)),
                    format!("CPUs {}", words::list(&cpus)),
                );
            }
            for buffer in seen.buffers.iter().filter(|buffer| buffer.finalized != 0) {
                report.fail(
                    Property::Lifetime,
                    Location {
                        cpu: Some(buffer.cpu),
                        ..at.clone()
                    },
                    "a buffer of an open channel is finalized",
                    0,
                    buffer.finalized,
                );
            }
        }
    }
}

/// What opening and closing returned.
fn results(matter: &Matter<'_>, report: &mut Report) {
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for (index, op) in script.ops.iter().enumerate() {
            let kind = match op {
                Op::Open { .. } => "relay_open()",
                Op::FileOpen { .. } => "open() of the file",
                Op::FileClose { .. } => "close() of the file",
                Op::FileMunmap { .. }
                | Op::File {
                    call: FileCall::Keep { .. },
                    ..
                } => "munmap() of the file",
                Op::File {
                    call: FileCall::Open { .. },
                    ..
                } => "open() of the file",
                Op::File {
                    call: FileCall::Dup { .. },
                    ..
                } => "dup() of the file",
                _ => continue,
            };
            super::model::compare_result(matter, report, (actor, index), kind, Property::Lifetime);
        }
    }
}

/// One file a buffer is made at each opening, and removed at each closing.
fn files(matter: &Matter<'_>, report: &mut Report, channel: usize) {
    let Some(expected) = &matter.prediction.files[channel] else {
        report.amount.unspecified += 1;
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
        let made = calls(EventKind::CreateFile).count() as u64;
        if made != expected.made {
            let what = "create_buf_file is called once an opening";
            report.fail(Property::Lifetime, at.clone(), what, expected.made, made);
        }
        let removed = calls(EventKind::RemoveFile).count() as u64;
        if removed != expected.removed {
            let what = "remove_buf_file is called once a closing";
            report.fail(
                Property::Lifetime,
                at.clone(),
                what,
                expected.removed,
                removed,
            );
        }
        // 0: evidence of a module that did not tell.
        let name = matter.case.channels[channel].file_name_len(cpu);
        let mut lengths = calls(EventKind::CreateFile).map(|event| event.new_offset as usize);
        if let Some(length) = lengths.find(|length| ![0, name].contains(length)) {
            let what = "the file's name is the base filename and the CPU's number";
            report.fail(
                Property::Lifetime,
                at,
                what,
                words::bytes(name as u64),
                words::bytes(length as u64),
            );
        }
    }
}
