//! A record is in the buffer of the CPU that wrote it, and of the channel it was written to.

use crate::identify::NO_CHANNEL;
use crate::matter::{Matter, Report};
use crate::parse::Found;
use relaybed_case::verdict::{Location, Property};

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for parsed in &matter.buffers {
        for (section, records, _) in parsed.each() {
            for found in records {
                let place = || matter.place(parsed, section, found.start);
                judge_record(
                    matter,
                    report,
                    found,
                    (parsed.channel, parsed.seen.cpu),
                    place,
                );
            }
        }
    }
    for stream in &matter.streams {
        for found in &stream.records {
            let place = || matter.in_stream(stream, found.start);
            judge_record(matter, report, found, (stream.channel, stream.cpu), place);
        }
    }
}

fn judge_record(
    matter: &Matter<'_>,
    report: &mut Report,
    found: &Found,
    (channel, cpu): (usize, u32),
    place: impl Fn() -> Location,
) {
    let Some(writer) = matter.writers.find(found.actor, found.seq) else {
        return;
    };
    let name = || matter.record((found.actor, found.seq));
    // Who logs names no channel, which may be a global one.
    let home = match matter.case.channels.get(channel) {
        Some(spec) if writer.channel == NO_CHANNEL => spec.buffer_cpu(writer.cpu),
        _ => writer.buffer,
    };
    if home != cpu {
        report.fail(
            Property::Affinity,
            place(),
            format!("{} is in the buffer of another CPU", name()),
            format!("buffer of CPU {home}"),
            format!("buffer of CPU {cpu}"),
        );
    } else if writer.channel != channel && writer.channel != NO_CHANNEL {
        report.fail(
            Property::Affinity,
            place(),
            format!("{} is in another channel", name()),
            matter.channel_name(writer.channel).unwrap_or_default(),
            matter.channel_name(channel).unwrap_or_default(),
        );
    }
}
