//! Counters agree with each other and with what happened.

use relaybed_abi::ChanState;

use crate::matter::{Matter, Parsed, Report, is_resized};
use relaybed_case::Op;
use relaybed_case::evidence::ChannelSeen;
use relaybed_case::finding::{Accounting, Bytes, Yes};
use relaybed_case::verdict::Location;
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

/// Reports what `wrong` makes of the two values where they differ.
fn expect<T: PartialEq>(
    report: &mut Report,
    at: &Location,
    (expected, seen): (T, T),
    wrong: impl FnOnce(T, T) -> Accounting,
) {
    if expected != seen {
        report.fail(at.clone(), wrong(expected, seen));
    }
}

fn sizes(
    matter: &Matter<'_>,
    report: &mut Report,
    (observation, channel): (usize, usize),
    seen: &ChannelSeen,
) {
    let spec = &matter.case.channels[channel];
    let geometry = Geometry::of(spec);
    let at = Location {
        observation: Some(observation),
        channel: matter.channel_name(channel),
        ..Location::default()
    };
    let version = (CHANNEL_VERSION, seen.version);
    expect(report, &at, version, |expected, seen| Accounting::Version {
        expected,
        seen,
    });
    let size = (Bytes(geometry.subbuf_size), Bytes(seen.subbuf_size));
    expect(report, &at, size, |expected, seen| Accounting::SubbufSize {
        expected,
        seen,
    });
    let count = (geometry.n_subbufs, seen.n_subbufs);
    expect(report, &at, count, |expected, seen| Accounting::Subbufs {
        expected,
        seen,
    });
    let alloc = (Bytes(geometry.alloc_size()), Bytes(seen.alloc_size));
    expect(report, &at, alloc, |expected, seen| Accounting::AllocSize {
        expected,
        seen,
    });
    let global = (Yes(spec.client.global), Yes(seen.is_global));
    expect(report, &at, global, |expected, seen| Accounting::Global {
        expected,
        seen,
    });
    let has = matter.prediction.behaviour.last_toobig;
    let has = (Yes(has), Yes(seen.last_toobig.is_some()));
    expect(report, &at, has, |expected, seen| {
        Accounting::HasLastTooBig { expected, seen }
    });
}

fn counts(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let seen = parsed.seen;
    let at = matter.whole(parsed);
    let n_subbufs = parsed.geometry.n_subbufs;
    let (produced, consumed) = (seen.produced, seen.consumed);
    if consumed > produced {
        report.fail(at, Accounting::ConsumedAhead { produced, consumed });
    } else if !parsed.geometry.overwrite && produced - consumed > n_subbufs {
        let ready = Accounting::TooManyReady {
            n_subbufs,
            consumed,
            produced,
        };
        report.fail(at, ready);
    }
}

fn position(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let (seen, subbuf_size) = (parsed.seen, parsed.geometry.subbuf_size);
    let n = parsed.geometry.n_subbufs.max(1);
    let at = matter.whole(parsed);
    let full = seen.offset == subbuf_size.saturating_add(1);
    let most = if parsed.geometry.overwrite && parsed.geometry.refuse.is_none() {
        subbuf_size
    } else {
        subbuf_size.saturating_add(1)
    };
    let offset = seen.offset;
    if offset > most {
        report.fail(at.clone(), Accounting::OffsetBeyond { most, offset });
    }
    let current = if full {
        seen.produced.saturating_sub(1)
    } else {
        seen.produced
    };
    let start = ((current % n).saturating_mul(subbuf_size), seen.data);
    expect(report, &at, start, |expected, seen| {
        Accounting::CurrentStart { expected, seen }
    });
    let bytes_consumed = seen.bytes_consumed;
    if bytes_consumed > subbuf_size {
        let beyond = Accounting::ReadBeyond {
            subbuf_size,
            bytes_consumed,
        };
        report.fail(at.clone(), beyond);
    }
    let bytes = (
        Bytes(parsed.geometry.alloc_size()),
        Bytes(seen.bytes.len() as u64),
    );
    expect(report, &at, bytes, |expected, seen| {
        Accounting::BytesAtHand { expected, seen }
    });
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
    let has = (Yes(parsed.geometry.has_file), Yes(seen.file_size.is_some()));
    expect(report, &at, has, |expected, seen| Accounting::HasFile {
        expected,
        seen,
    });
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
    let early = (Bytes(early), Bytes(seen.early_bytes));
    expect(report, &at, early, |expected, seen| {
        Accounting::EarlyBytes { expected, seen }
    });
    if let Some(file_size) = seen.file_size {
        let size = (Bytes(size), Bytes(file_size));
        expect(report, &at, size, |expected, seen| Accounting::FileSize {
            expected,
            seen,
        });
    }
}

fn versions(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let behaviour = matter.prediction.behaviour;
    let at = matter.whole(parsed);
    let stats = (Yes(behaviour.stats), Yes(parsed.seen.stats.is_some()));
    expect(report, &at, stats, |expected, seen| Accounting::HasStats {
        expected,
        seen,
    });
    let padding = parsed.seen.prev_padding;
    let padding = (Yes(behaviour.prev_padding), Yes(padding.is_some()));
    expect(report, &at, padding, |expected, seen| {
        Accounting::HasPrevPadding { expected, seen }
    });
    if let Some((full_count, _)) = parsed.seen.stats {
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
        let asks = matter.case.channels[parsed.channel].mode != relaybed_case::Mode::Default;
        if asks && matter.evidence.events_lost == 0 && full_count > calls {
            report.fail(at, Accounting::FullCount { calls, full_count });
        }
    }
}
