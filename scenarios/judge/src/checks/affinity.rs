//! A record is in the buffer of the CPU that wrote it, and of the channel it was written to.

use crate::identify::NO_CHANNEL;
use crate::matter::{Matter, Report};
use crate::parse::Found;
use relaybed_case::finding::Affinity;
use relaybed_case::verdict::Location;

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
    let record = || matter.record((found.actor, found.seq));
    // Who logs names no channel, which may be a global one.
    let home = match matter.case.channels.get(channel) {
        Some(spec) if writer.channel == NO_CHANNEL => spec.buffer_cpu(writer.cpu),
        _ => writer.buffer,
    };
    if home != cpu {
        let record = record();
        report.fail(place(), Affinity::OtherCpu { record, home, cpu });
    } else if writer.channel != channel && writer.channel != NO_CHANNEL {
        let name = |channel| matter.channel_name(channel).unwrap_or_default().into();
        let elsewhere = Affinity::OtherChannel {
            record: record(),
            home: name(writer.channel),
            channel: name(channel),
        };
        report.fail(place(), elsewhere);
    }
}
