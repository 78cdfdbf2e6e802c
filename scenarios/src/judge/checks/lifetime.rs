//! Channels and files come and go as documented.

use relaybed_abi::{ChanState, EventKind};

use crate::case::{FileCall, Files, Op};
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
            let all: Vec<u32> = (0..matter.prediction.online_cpus).collect();
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

/// How often the channel is opened and closed; `None`: not determined.
fn openings(matter: &Matter<'_>, channel: usize) -> Option<(u64, u64)> {
    let spec = &matter.case.channels[channel];
    let behaviour = matter.prediction.behaviour;
    let accepted = behaviour.accepts(spec.subbuf_size, spec.n_subbufs);
    let mut opened = u64::from(spec.open_at_start && accepted);
    let mut closed = 0;
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for (index, op) in script.ops.iter().enumerate() {
            let result = matter.prediction.op(actor, index);
            match op {
                Op::Open { channel: of } if *of == channel => opened += result?.value?,
                Op::Close { channel: of } if *of == channel => {
                    closed += u64::from(result?.error == Some(0));
                }
                _ => {}
            }
        }
    }
    if spec.files == Files::None {
        return Some((0, 0));
    }
    Some((opened, closed))
}

/// One file a CPU is made at each opening, and removed at each closing.
fn files(matter: &Matter<'_>, report: &mut Report, channel: usize) {
    let Some((opened, closed)) = openings(matter, channel) else {
        report.amount.unspecified += 1;
        return;
    };
    if matter.evidence.events_lost > 0 {
        return;
    }
    for cpu in 0..matter.prediction.online_cpus {
        let count = |kind: EventKind| {
            matter
                .evidence
                .events
                .iter()
                .filter(|event| {
                    event.kind == kind.code()
                        && usize::from(event.channel) == channel
                        && u32::from(event.buf_cpu) == cpu
                })
                .count() as u64
        };
        let at = Location {
            channel: matter.channel_name(channel),
            cpu: Some(cpu),
            ..Location::default()
        };
        let created = count(EventKind::CreateFile);
        if created != opened {
            let what = "create_buf_file is called once an opening";
            report.fail(Property::Lifetime, at.clone(), what, opened, created);
        }
        let removed = count(EventKind::RemoveFile);
        if removed < closed || removed > opened {
            let what = "remove_buf_file is called once a closing";
            report.fail(Property::Lifetime, at, what, closed, removed);
        }
    }
}
