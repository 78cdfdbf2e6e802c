//! Counters agree with each other and with what happened.

use relaybed_abi::ChanState;

use crate::matter::{Matter, Parsed, Report, is_resized};
use crate::words;
use relaybed_case::Op;
use relaybed_case::evidence::ChannelSeen;
use relaybed_case::verdict::{Location, Property};
use relaybed_contract::Geometry;

/// relay's channel version, the same in all releases.
const CHANNEL_VERSION: u64 = 7;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for (index, observation) in matter.evidence.observations.iter().enumerate() {
        for (channel, seen) in observation.channels.iter().enumerate() {
            if seen.state == ChanState::Open && channel < matter.case.channels.len() {
                sizes(matter, report, (index, channel), seen);
            }
        }
    }
    for parsed in &matter.buffers {
        counts(matter, report, parsed);
        position(matter, report, parsed);
        file(matter, report, parsed);
        versions(matter, report, parsed);
    }
}

fn expect<T: PartialEq + ToString>(
    report: &mut Report,
    at: &Location,
    what: &str,
    expected: T,
    seen: T,
) {
    if expected != seen {
        report.fail(Property::Accounting, at.clone(), what, expected, seen);
    }
}

fn sizes(
    matter: &Matter<'_>,
    report: &mut Report,
    (observation, channel): (usize, usize),
    seen: &ChannelSeen,
) {
    let geometry = Geometry::of(&matter.case.channels[channel]);
    let at = Location {
        observation: Some(observation),
        channel: matter.channel_name(channel),
        ..Location::default()
    };
    expect(
        report,
        &at,
        "the channel's version",
        CHANNEL_VERSION,
        seen.version,
    );
    expect(
        report,
        &at,
        "subbuf_size",
        words::bytes(geometry.subbuf_size),
        words::bytes(seen.subbuf_size),
    );
    expect(report, &at, "n_subbufs", geometry.n_subbufs, seen.n_subbufs);
    expect(
        report,
        &at,
        "alloc_size: all sub-buffers, rounded up to pages",
        words::bytes(geometry.alloc_size()),
        words::bytes(seen.alloc_size),
    );
    let global = words::yes(seen.is_global);
    let asked = words::yes(matter.case.channels[channel].client.global);
    expect(report, &at, "whether the channel is global", asked, global);
    expect(
        report,
        &at,
        "whether the release has last_toobig",
        words::yes(matter.prediction.behaviour.last_toobig),
        words::yes(seen.last_toobig.is_some()),
    );
}

fn counts(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let seen = parsed.seen;
    let at = matter.whole(parsed);
    let n = parsed.geometry.n_subbufs;
    if seen.consumed > seen.produced {
        report.fail(
            Property::Accounting,
            at,
            "more sub-buffers are consumed than were produced",
            format!("at most {}", seen.produced),
            seen.consumed,
        );
    } else if !parsed.geometry.overwrite && seen.produced - seen.consumed > n {
        report.fail(
            Property::Accounting,
            at,
            "in no-overwrite mode more sub-buffers are ready than there are",
            format!("at most {n} more than consumed ({})", seen.consumed),
            seen.produced,
        );
    }
}

fn position(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let (seen, size) = (parsed.seen, parsed.geometry.subbuf_size);
    let n = parsed.geometry.n_subbufs.max(1);
    let at = matter.whole(parsed);
    let full = seen.offset == size.saturating_add(1);
    let most = if parsed.geometry.overwrite && parsed.geometry.refuse.is_none() {
        size
    } else {
        size.saturating_add(1)
    };
    if seen.offset > most {
        report.fail(
            Property::Accounting,
            at.clone(),
            "the offset is beyond the sub-buffer",
            format!("at most {most}"),
            seen.offset,
        );
    }
    let current = if full {
        seen.produced.saturating_sub(1)
    } else {
        seen.produced
    };
    expect(
        report,
        &at,
        "where the current sub-buffer begins",
        (current % n).saturating_mul(size),
        seen.data,
    );
    if seen.bytes_consumed > size {
        report.fail(
            Property::Accounting,
            at.clone(),
            "more bytes of a sub-buffer are read than it has",
            format!("at most {size}"),
            seen.bytes_consumed,
        );
    }
    expect(
        report,
        &at,
        "the bytes at hand are the whole buffer",
        words::bytes(parsed.geometry.alloc_size()),
        words::bytes(seen.bytes.len() as u64),
    );
}

/// The file's size is the sum of what its complete sub-buffers hold.
fn file(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let seen = parsed.seen;
    let at = matter.whole(parsed);
    // Files may come late: then the model says whether they have.
    let late = matter.has_op(parsed.channel, |op| matches!(op, Op::LateSetup { .. }));
    if late {
        return;
    }
    expect(
        report,
        &at,
        "whether the buffer has a file",
        words::yes(parsed.geometry.has_file),
        words::yes(seen.file_size.is_some()),
    );
    let wrapped = seen.produced > parsed.geometry.n_subbufs
        || (seen.produced == parsed.geometry.n_subbufs
            && seen.offset <= parsed.geometry.subbuf_size);
    let restarted = matter.has_op(parsed.channel, |op| matches!(op, Op::Reset { .. }));
    // Sub-buffers that users wrote into are not parsed, and a size that users set is theirs.
    let foreign =
        parsed.sections.is_empty() || is_resized(matter.case, (parsed.channel, parsed.seen.cpu));
    if wrapped || restarted || foreign {
        return;
    }
    let fills: u64 = parsed
        .sections
        .iter()
        .filter(|section| section.complete)
        .map(|section| u64::from(section.fill))
        .sum();
    let (early, size) = if parsed.geometry.has_file {
        (0, fills)
    } else {
        (fills, 0)
    };
    expect(
        report,
        &at,
        "early_bytes",
        words::bytes(early),
        words::bytes(seen.early_bytes),
    );
    if let Some(file_size) = seen.file_size {
        expect(
            report,
            &at,
            "the file's size: the sum of what complete sub-buffers hold",
            words::bytes(size),
            words::bytes(file_size),
        );
    }
}

fn versions(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let behaviour = matter.prediction.behaviour;
    let at = matter.whole(parsed);
    expect(
        report,
        &at,
        "whether the release has statistics",
        words::yes(behaviour.stats),
        words::yes(parsed.seen.stats.is_some()),
    );
    expect(
        report,
        &at,
        "whether the release has prev_padding",
        words::yes(behaviour.prev_padding),
        words::yes(parsed.seen.prev_padding.is_some()),
    );
    if let Some((full, _)) = parsed.seen.stats {
        let calls = matter
            .evidence
            .events
            .iter()
            .filter(|event| {
                event.kind == relaybed_abi::EventKind::SubbufStart.code()
                    && usize::from(event.channel) == parsed.channel
                    && u32::from(event.buf_cpu) == parsed.seen.cpu
            })
            .count() as u64;
        let told = matter.case.channels[parsed.channel].mode != relaybed_case::Mode::Default;
        if told && matter.evidence.events_lost == 0 && full > calls {
            report.fail(
                Property::Accounting,
                at,
                "full_count grew more often than subbuf_start was called",
                format!("at most {calls}"),
                full,
            );
        }
    }
}
