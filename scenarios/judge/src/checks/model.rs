//! Everything is as the exact model predicts.

use relaybed_abi::{OpResult, State};

use crate::matter::{Matter, Parsed, Report};
use crate::words;
use relaybed_case::Op;
use relaybed_case::verdict::{Location, Property};
use relaybed_contract::content::piece_mismatch;
use relaybed_contract::{Buffer, Piece};

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    report.amount.unspecified += matter.unspecified;
    report.amount.exact_buffers = matter.prediction.exact_buffers();
    for parsed in &matter.buffers {
        match parsed.model {
            Some(model) => {
                counters(matter, report, parsed, model);
                bytes(matter, report, parsed, model);
            }
            None => report.amount.unspecified += 1,
        }
    }
    toobig(matter, report);
    for (actor, script) in matter.case.actors.iter().enumerate() {
        for (index, op) in script.ops.iter().enumerate() {
            operation(matter, report, (actor, index), op);
        }
    }
}

/// The result of an operation that was done.
pub(crate) fn result<'a>(matter: &Matter<'a>, actor: usize, op: usize) -> Option<&'a OpResult> {
    matter
        .evidence
        .results
        .get(actor)?
        .get(op)
        .filter(|result| result.state == State::Done.code())
}

/// A result in words.
pub(super) fn result_text(result: &OpResult, value: impl ToString) -> String {
    if result.error == 0 {
        value.to_string()
    } else {
        words::errno(result.error.unsigned_abs())
    }
}

/// Compares error and value of an operation with what is determined of them.
pub(super) fn compare_result(
    matter: &Matter<'_>,
    report: &mut Report,
    (actor, op): (usize, usize),
    what: &str,
    property: Property,
) {
    let Some(seen) = result(matter, actor, op) else {
        return;
    };
    let Some(expected) = matter.prediction.op(actor, op) else {
        return;
    };
    let at = matter.operation(actor, op);
    match (expected.error, expected.value) {
        (None, _) => report.amount.unspecified += 1,
        (Some(error), _) if error != seen.error.unsigned_abs() => report.fail(
            property,
            at,
            what,
            words::errno(error),
            result_text(seen, "success"),
        ),
        (_, Some(value)) if value != seen.value => report.fail(
            property,
            at,
            what,
            format!("returns {value}"),
            format!("returns {}", seen.value),
        ),
        _ => {}
    }
}

fn operation(matter: &Matter<'_>, report: &mut Report, at: (usize, usize), op: &Op) {
    let what = match op {
        Op::Write { .. } => "writing",
        Op::Klog { .. } => "records that klog's handler took",
        Op::KlogRegister { .. } | Op::KlogUnregister { .. } => "registering klog's handler",
        Op::Close { .. } => "relay_close()",
        Op::Flush { .. } => "relay_flush()",
        Op::Reset { .. } => "relay_reset()",
        Op::Consumed { .. } => "relay_subbufs_consumed()",
        Op::BufFull { .. } => "relay_buf_full()",
        Op::Switch { .. } => "relay_switch_subbuf()",
        Op::LateSetup { .. } => "relay_late_setup_files()",
        _ => return,
    };
    compare_result(matter, report, at, what, Property::Model);
    let refused = matter
        .prediction
        .op(at.0, at.1)
        .and_then(|op| op.refused)
        .zip(result(matter, at.0, at.1));
    if let Some((expected, seen)) = refused
        && expected != seen.refused
    {
        report.fail(
            Property::Model,
            matter.operation(at.0, at.1),
            "records refused",
            expected,
            seen.refused,
        );
    }
}

fn counters(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>, model: &Buffer) {
    let seen = parsed.seen;
    let size = model.geometry.subbuf_size;
    let behaviour = matter.prediction.behaviour;
    let file_bytes = if model.geometry.has_file {
        seen.file_size.unwrap_or(0)
    } else {
        seen.early_bytes
    };
    let mut pairs = vec![
        ("sub-buffers produced", model.produced.0, seen.produced),
        (
            "offset in the current sub-buffer",
            model.offset,
            seen.offset,
        ),
        (
            "byte where the current sub-buffer begins",
            (model.data.0 as u64).saturating_mul(size),
            seen.data,
        ),
        ("finalized", u64::from(model.finalized), seen.finalized),
        (
            "bytes in the file, by its size",
            model.completed_bytes,
            file_bytes,
        ),
        ("sub-buffers consumed", model.consumed.0, seen.consumed),
    ];
    if model.position_known {
        pairs.push((
            "bytes read of the first sub-buffer that is not consumed",
            model.bytes_consumed,
            seen.bytes_consumed,
        ));
    } else {
        report.amount.unspecified += 1;
    }
    if let (true, Some(padding)) = (behaviour.prev_padding, seen.prev_padding) {
        pairs.push(("bytes of prev_padding", model.prev_padding, padding));
    }
    if let (true, Some((full, big))) = (behaviour.stats, seen.stats) {
        pairs.push(("full_count", model.full_count, full));
        pairs.push(("big_count", model.big_count, big));
    }
    for (what, expected, seen) in pairs {
        if expected != seen {
            report.fail(Property::Model, matter.whole(parsed), what, expected, seen);
        }
    }
    for (slot, (expected, seen)) in model.padding.iter().zip(&seen.padding).enumerate() {
        if expected != seen {
            let mut at = matter.whole(parsed);
            at.subbuf = Some(slot as u64);
            report.fail(
                Property::Model,
                at,
                "padding of the sub-buffer",
                words::bytes(*expected),
                words::bytes(*seen),
            );
        }
    }
}

/// Every byte of the channel buffer: what was written and shows, and zeroes elsewhere.
fn bytes(matter: &Matter<'_>, report: &mut Report, parsed: &Parsed<'_>, model: &Buffer) {
    let clean = |slot: usize| {
        parsed
            .sections
            .iter()
            .any(|section| section.slot == slot && section.clean)
    };
    if let Some((offset, expected)) = contents_mismatch(matter, model, &parsed.seen.bytes, clean) {
        let size = model.geometry.subbuf_size.max(1);
        let mut at = matter.whole(parsed);
        at.subbuf = Some(offset / size);
        at.offset = Some(offset);
        report.fail(
            Property::Model,
            at,
            "a byte of the channel buffer",
            expected,
            "another byte",
        );
    }
}

/// First offset in a channel buffer that is not as modelled, and what should be there. What is
/// current in slots that are `clean` was compared before.
pub(super) fn contents_mismatch(
    matter: &Matter<'_>,
    model: &Buffer,
    bytes: &[u8],
    clean: impl Fn(usize) -> bool,
) -> Option<(u64, String)> {
    let size = usize::try_from(model.geometry.subbuf_size).ok()?;
    let mut known_clean = vec![false; model.subbufs.len()];
    for (slot, known) in known_clean.iter_mut().enumerate() {
        // Only sub-buffers with something in them can have been parsed.
        *known = !model.subbufs[slot].current.is_empty() && clean(slot);
    }
    for (slot, contents) in model.subbufs.iter().enumerate() {
        let start = slot.saturating_mul(size).min(bytes.len());
        let own = &bytes[start..start.saturating_add(size).min(bytes.len())];
        let mut at = 0;
        let current: &[Piece] = if known_clean[slot] {
            at = contents.fill();
            &[]
        } else {
            &contents.current
        };
        let end = u32::try_from(own.len()).unwrap_or(u32::MAX);
        let pieces = current.iter().copied().chain(contents.remains());
        for piece in pieces.map_while(|piece| piece.clip(0, end)) {
            if let Some(wrong) = zeroes_mismatch(own, at, piece.start) {
                return Some((offset(start, wrong), "0".to_owned()));
            }
            let part = own.get(piece.start as usize..piece.end() as usize);
            let wrong = part.map_or(Some(0), |part| piece_mismatch(matter.case, &piece, part));
            if let Some(wrong) = wrong {
                let name = crate::parse::record_id(&piece).map_or_else(
                    || "the header of the sub-buffer".to_owned(),
                    |id| matter.record(id),
                );
                let from = piece.from as usize + wrong;
                return Some((
                    offset(start, piece.start as usize + wrong),
                    format!("byte {from} of {name}"),
                ));
            }
            at = piece.end();
        }
        if let Some(wrong) = zeroes_mismatch(own, at, end) {
            return Some((offset(start, wrong), "0".to_owned()));
        }
    }
    let used = size.saturating_mul(model.subbufs.len()).min(bytes.len());
    bytes[used..]
        .iter()
        .position(|byte| *byte != 0)
        .map(|wrong| (offset(used, wrong), "0".to_owned()))
}

fn offset(start: usize, at: usize) -> u64 {
    start.saturating_add(at) as u64
}

/// relay hands out its pages zeroed, and what nobody wrote stays so.
fn zeroes_mismatch(bytes: &[u8], from: u32, to: u32) -> Option<usize> {
    let range = from as usize..(to as usize).min(bytes.len());
    let part = bytes.get(range)?;
    part.iter()
        .position(|byte| *byte != 0)
        .map(|at| from as usize + at)
}

fn toobig(matter: &Matter<'_>, report: &mut Report) {
    for (index, observation) in matter.evidence.observations.iter().enumerate() {
        let Some(moment) = matter.prediction.moment(observation.at) else {
            continue;
        };
        for (channel, (expected, seen)) in moment
            .channels
            .iter()
            .zip(&observation.channels)
            .enumerate()
        {
            if let (Some(expected), Some(seen)) = (expected.last_toobig, seen.last_toobig)
                && seen != expected
            {
                report.fail(
                    Property::Model,
                    Location {
                        observation: Some(index),
                        channel: matter.channel_name(channel),
                        ..Location::default()
                    },
                    "last_toobig: length of the last record that was too big",
                    words::bytes(expected),
                    words::bytes(seen),
                );
            }
        }
    }
}
