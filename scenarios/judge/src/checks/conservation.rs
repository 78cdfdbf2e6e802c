//! Written = read + still there + lost, each loss explained; nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::matter::{Matter, Parsed, Report};
use crate::parse::{Fault, Found, record_id};
use relaybed_case::finding::{Bytes, Conservation};
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::Location;
use relaybed_case::{Mode, Op};
use relaybed_contract::{Buffer, Fate};

/// Bytes of a record by which it can be told from others.
const NAMED: u32 = 8;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for parsed in &matter.buffers {
        if parsed.model.is_some() && parsed.sections.iter().all(|section| section.clean) {
            continue;
        }
        twice(matter, report, parsed);
        match parsed.model {
            Some(model) => as_modelled(matter, report, parsed, model),
            None => explained(matter, report, parsed),
        }
    }
    for stream in &matter.streams {
        let at = |start| matter.in_stream(stream, start);
        repeats(matter, report, &stream.records, at);
        let seqs = by_actor(&stream.records, &stream.faults);
        if stream.complete && stream.section.vague == 0 {
            balance(
                matter,
                report,
                &seqs,
                (stream.channel, stream.cpu),
                Span::All,
                &|| matter.in_stream(stream, 0),
            );
        } else {
            let alike = stream.section.vague > 0;
            report.leave(if alike { Why::Alike } else { Why::Stream }, 1);
        }
    }
}

fn twice(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    let mut seen = BTreeSet::new();
    for (section, records, _) in parsed.each() {
        for found in records {
            if is_named(matter, found) && !seen.insert((found.actor, found.seq)) {
                repeated(
                    matter,
                    report,
                    found,
                    matter.place(parsed, section, found.start),
                );
            }
        }
    }
}

fn repeats(
    matter: &Matter<'_>,
    report: &mut Report,
    records: &[Found],
    place: impl Fn(u32) -> Location,
) {
    let mut seen = BTreeSet::new();
    for found in records {
        if is_named(matter, found) && !seen.insert((found.actor, found.seq)) {
            repeated(matter, report, found, place(found.start));
        }
    }
}

fn repeated(matter: &Matter<'_>, report: &mut Report, found: &Found, at: Location) {
    let record = matter.record((found.actor, found.seq));
    report.fail(at, Conservation::Twice { record });
}

/// Whether the bytes themselves tell which record it is.
fn is_named(matter: &Matter<'_>, found: &Found) -> bool {
    found.len >= NAMED && is_drawn(matter, (found.actor, found.seq))
}

/// Whether no other record has the same bytes, if it is long enough.
fn is_drawn(matter: &Matter<'_>, (actor, seq): (u16, u32)) -> bool {
    matter
        .writers
        .find(actor, seq)
        .is_some_and(|w| matches!(w.payload, relaybed_case::Payload::Record { .. }))
}

/// Where the model knows what is retained: nothing of it is missing, and nothing is there that was
/// never accepted.
fn as_modelled(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>, model: &Buffer) {
    let mut found: BTreeSet<(u16, u32)> = parsed
        .records
        .iter()
        .map(|found| (found.actor, found.seq))
        .collect();
    found.extend(parsed.faults.iter().filter_map(|fault| fault.record));
    for (slot, contents) in model.subbufs.iter().enumerate() {
        for piece in &contents.current {
            let Some(id) = record_id(piece) else { continue };
            if !found.contains(&id) {
                let mut at = matter.whole(parsed);
                at.subbuf = Some(slot as u64);
                at.offset = Some(slot as u64 * model.geometry.subbuf_size + u64::from(piece.start));
                let missing = Conservation::Missing {
                    record: matter.record(id),
                    len: Bytes(piece.total.into()),
                };
                report.fail(at, missing);
            }
        }
    }
    for (section, records, _) in parsed.each() {
        for found in records {
            if !was_accepted(matter, found) {
                let there = Conservation::NotDropped {
                    record: matter.record((found.actor, found.seq)),
                    len: Bytes(found.len.into()),
                };
                report.fail(matter.place(parsed, section, found.start), there);
            }
        }
    }
}

fn was_accepted(matter: &Matter<'_>, found: &Found) -> bool {
    let Some(writer) = matter.writers.find(found.actor, found.seq) else {
        return false;
    };
    let op = matter
        .prediction
        .op(usize::from(writer.actor), usize::from(writer.op));
    op.and_then(|op| op.fates.as_ref()).is_none_or(|fates| {
        fates
            .get((found.seq - writer.first) as usize)
            .is_none_or(|fate| *fate == Fate::Accepted)
    })
}

/// Which of an actor's records must be accounted for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Span {
    /// All that it wrote.
    All,
    /// From the first one found to its last.
    FromFirst,
    /// From the first one found to the last one found.
    Inside,
}

/// Where only the bytes speak: between the first and the last record found of an actor, and from
/// there to its last, as many are missing at most as were refused.
fn explained(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>) {
    if parsed.sections.iter().any(|section| section.vague > 0) {
        report.leave(Why::Alike, 1);
        return;
    }
    let at_end = matter
        .evidence
        .observations
        .get(parsed.observation)
        .is_some_and(|observation| observation.at.is_none());
    let oldest = parsed.sections.first().map_or(0, |section| section.number);
    let restarts = matter.has_op(parsed.channel, |op| {
        matches!(op, Op::Reset { .. } | Op::Open { .. } | Op::Close { .. })
    });
    let span = match (at_end, oldest == 0 && !restarts) {
        (true, true) => Span::All,
        (true, false) => Span::FromFirst,
        (false, _) => Span::Inside,
    };
    let seqs = by_actor(&parsed.records, &parsed.faults);
    let key = (parsed.channel, parsed.seen.cpu);
    balance(matter, report, &seqs, key, span, &|| matter.whole(parsed));
}

/// Numbers of the records found, by actor.
fn by_actor(records: &[Found], faults: &[Fault]) -> BTreeMap<u16, BTreeSet<u32>> {
    let mut seqs: BTreeMap<u16, BTreeSet<u32>> = BTreeMap::new();
    for found in records {
        seqs.entry(found.actor).or_default().insert(found.seq);
    }
    for (actor, seq) in faults.iter().filter_map(|fault| fault.record) {
        seqs.entry(actor).or_default().insert(seq);
    }
    seqs
}

/// Compares what is missing of each actor with what was refused.
fn balance(
    matter: &Matter<'_>,
    report: &mut Report,
    seqs: &BTreeMap<u16, BTreeSet<u32>>,
    (channel, cpu): (usize, u32),
    span: Span,
    place: &dyn Fn() -> Location,
) {
    let Some(spec) = matter.case.channels.get(channel) else {
        return;
    };
    if spec.mode == Mode::Default {
        // Without a callback nobody is told what was dropped.
        report.leave(Why::Untold, 1);
        return;
    }
    let room = spec
        .subbuf_size
        .saturating_sub(u64::from(spec.header_bytes));
    let nothing = BTreeSet::new();
    for (actor, script) in matter.case.actors.iter().enumerate() {
        let Ok(id) = u16::try_from(actor) else {
            continue;
        };
        if script.cpu().map(|own| spec.buffer_cpu(own)) != Some(cpu) {
            continue;
        }
        let found = seqs.get(&id).unwrap_or(&nothing);
        // Which of some equal records are there nobody can tell: only how many, where all must be.
        let told = |seq: u32, len: u64| {
            span == Span::All || (len >= NAMED.into() && is_drawn(matter, (id, seq)))
        };
        let len_of = |seq: u32| {
            let writer = matter.writers.find(id, seq);
            writer.map_or(0, |writer| u64::from(matter.writers.len(writer, seq)))
        };
        let mut named = found.iter().copied().filter(|seq| told(*seq, len_of(*seq)));
        let from = match span {
            Span::All => Some(0),
            _ => named.clone().next(),
        };
        let to = match span {
            Span::Inside => named.next_back(),
            _ => Some(u32::MAX),
        };
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        let mut missing = Vec::new();
        for writer in matter.writers.all() {
            if writer.actor != id || writer.channel != channel {
                continue;
            }
            for seq in writer.first..writer.first.saturating_add(writer.count) {
                let len = u64::from(matter.writers.len(writer, seq));
                let due = (from..=to).contains(&seq) && len != 0 && len <= room && told(seq, len);
                if due && !found.contains(&seq) {
                    missing.push(seq);
                }
            }
        }
        let refused = refused(matter, actor, channel);
        if missing.len() as u64 > refused {
            let at = Location {
                actor: Some(script.name.clone()),
                ..place()
            };
            let lost = Conservation::Lost {
                first: matter.record((id, missing[0])),
                missing: missing.len() as u64,
                refused,
            };
            report.fail(at, lost);
        }
    }
}

/// Records of the actor that the channel refused, as its results say; an operation that failed did not
/// even try the rest.
fn refused(matter: &Matter<'_>, actor: usize, channel: usize) -> u64 {
    let results = matter.evidence.results.get(actor);
    matter.case.actors[actor]
        .ops
        .iter()
        .enumerate()
        .filter_map(|(index, op)| match op {
            Op::Write {
                channel: to, count, ..
            } if *to == channel => Some((results?.get(index)?, *count)),
            _ => None,
        })
        .fold(0u64, |sum, (result, count)| {
            let untried = match result.error {
                0 => 0,
                _ => u64::from(count).saturating_sub(result.value),
            };
            sum.saturating_add(result.refused).saturating_add(untried)
        })
}
