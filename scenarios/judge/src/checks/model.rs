//! Everything is as the exact model predicts.

use relaybed_abi::{OpResult, State};

use crate::matter::{Matter, Parsed, Report};
use relaybed_case::Op;
use relaybed_case::errno::Errno;
use relaybed_case::finding::{Byte, Bytes, Call, Due, Lifetime, Model, Outcome, Reading, What};
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::Location;
use relaybed_contract::content::piece_mismatch;
use relaybed_contract::{Buffer, Piece, Source};

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    report.leave(Why::Met, matter.unspecified);
    report.amount.exact_buffers = matter.prediction.exact_buffers();
    for parsed in &matter.buffers {
        match parsed.model {
            Some(model) => {
                counters(matter, report, parsed, model);
                bytes(matter, report, parsed, model);
            }
            None => report.leave(Why::Order, 1),
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

/// What a call came to: its error, or else `gave`.
pub(super) fn outcome(result: &OpResult, gave: Outcome) -> Outcome {
    match Errno::from(result.error) {
        Errno(0) => gave,
        error => Outcome::Fails(error),
    }
}

/// The property that a call's result belongs to.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Model,
    Reading,
    Lifetime,
}

impl Of {
    fn result(self, call: Call, expected: Outcome, seen: Outcome) -> What {
        match self {
            Self::Model => Model::Result {
                call,
                expected,
                seen,
            }
            .into(),
            Self::Reading => Reading::Result {
                call,
                expected,
                seen,
            }
            .into(),
            Self::Lifetime => Lifetime::Result {
                call,
                expected,
                seen,
            }
            .into(),
        }
    }

    fn value(self, call: Call, expected: Outcome, seen: Outcome) -> What {
        match self {
            Self::Model => Model::Value {
                call,
                expected,
                seen,
            }
            .into(),
            Self::Reading => Reading::Value {
                call,
                expected,
                seen,
            }
            .into(),
            Self::Lifetime => Lifetime::Value {
                call,
                expected,
                seen,
            }
            .into(),
        }
    }
}

/// Compares error and value of an operation with what is determined of them.
pub(super) fn compare_result(
    matter: &Matter<'_>,
    report: &mut Report,
    (actor, op): (usize, usize),
    call: Call,
    of: Of,
) {
    let Some(seen) = result(matter, actor, op) else {
        return;
    };
    let Some(expected) = matter.prediction.op(actor, op) else {
        return;
    };
    let at = matter.operation(actor, op);
    report.amount.answers += u64::from(expected.error.is_some());
    match (expected.error, expected.value) {
        (None, _) => report.leave(Why::Order, 1),
        (Some(error), _) if error != seen.error.unsigned_abs() => {
            let expected = Outcome::of(Errno(error));
            report.fail(
                at,
                of.result(call, expected, outcome(seen, Outcome::Succeeds)),
            );
        }
        (_, Some(value)) if value != seen.value => {
            let (expected, seen) = (Outcome::Returns(value), Outcome::Returns(seen.value));
            report.fail(at, of.value(call, expected, seen));
        }
        _ => {}
    }
}

fn operation(matter: &Matter<'_>, report: &mut Report, at: (usize, usize), op: &Op) {
    let call = match op {
        Op::Write { .. } => Call::Write,
        Op::Klog { .. } => Call::Klog,
        Op::KlogRegister { .. } | Op::KlogUnregister { .. } => Call::KlogRegister,
        Op::Close { .. } => Call::Close,
        Op::Flush { .. } => Call::Flush,
        Op::Reset { .. } => Call::Reset,
        Op::Consumed { .. } => Call::Consumed,
        Op::BufFull { .. } => Call::BufFull,
        Op::Switch { .. } => Call::Switch,
        Op::Null { .. } => Call::Null,
        Op::LateSetup { .. } => Call::LateSetup,
        _ => return,
    };
    compare_result(matter, report, at, call, Of::Model);
    let refused = matter
        .prediction
        .op(at.0, at.1)
        .and_then(|op| op.refused)
        .zip(result(matter, at.0, at.1));
    if let Some((expected, seen)) = refused
        && expected != seen.refused
    {
        let seen = seen.refused;
        report.fail(
            matter.operation(at.0, at.1),
            Model::Refused { expected, seen },
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
    let at = matter.whole(parsed);
    let mut pair = |expected: u64, seen: u64, wrong: fn(u64, u64) -> Model| {
        if expected != seen {
            report.fail(at.clone(), wrong(expected, seen));
        }
    };
    pair(model.produced.0, seen.produced, |expected, seen| {
        Model::Produced { expected, seen }
    });
    pair(model.offset, seen.offset, |expected, seen| Model::Offset {
        expected,
        seen,
    });
    let start = (model.data.0 as u64).saturating_mul(size);
    pair(start, seen.data, |expected, seen| Model::Data {
        expected,
        seen,
    });
    let finalized = u64::from(model.finalized);
    pair(finalized, seen.finalized, |expected, seen| {
        Model::Finalized { expected, seen }
    });
    let completed = model.completed_bytes;
    pair(completed, file_bytes, |expected, seen| Model::FileBytes {
        expected,
        seen,
    });
    pair(model.consumed.0, seen.consumed, |expected, seen| {
        Model::Consumed { expected, seen }
    });
    if model.position_known {
        let read = model.bytes_consumed;
        pair(read, seen.bytes_consumed, |expected, seen| {
            Model::BytesConsumed { expected, seen }
        });
    }
    if let (true, Some(padding)) = (behaviour.prev_padding, seen.prev_padding) {
        let expected = model.prev_padding;
        pair(expected, padding, |expected, seen| Model::PrevPadding {
            expected,
            seen,
        });
    }
    if let (true, Some((full, big))) = (behaviour.stats, seen.stats) {
        pair(model.full_count, full, |expected, seen| Model::FullCount {
            expected,
            seen,
        });
        pair(model.big_count, big, |expected, seen| Model::BigCount {
            expected,
            seen,
        });
    }
    report.leave(Why::Position, u64::from(!model.position_known));
    for (slot, (expected, seen)) in model.padding.iter().zip(&seen.padding).enumerate() {
        if expected != seen {
            let mut at = matter.whole(parsed);
            at.subbuf = Some(slot as u64);
            let (expected, seen) = (Bytes(*expected), Bytes(*seen));
            report.fail(at, Model::Padding { expected, seen });
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
    let bytes = &parsed.seen.bytes;
    if let Some((offset, expected)) = contents_mismatch(matter, model, bytes, clean) {
        let size = model.geometry.subbuf_size.max(1);
        let mut at = matter.whole(parsed);
        at.subbuf = Some(offset / size);
        at.offset = Some(offset);
        let seen = byte_at(bytes, offset);
        report.fail(at, Model::Byte { expected, seen });
    }
}

/// The byte that was seen at an offset.
pub(super) fn byte_at(bytes: &[u8], offset: u64) -> Byte {
    let at = usize::try_from(offset).ok();
    Byte(at.and_then(|at| bytes.get(at)).copied())
}

/// The byte of a piece that is due at an offset of it.
pub(super) fn due(matter: &Matter<'_>, piece: &Piece, wrong: u64) -> Due {
    let byte = u64::from(piece.from) + wrong;
    match piece.source {
        Source::Record { actor, seq, .. } => Due::Record {
            byte,
            of: matter.record((actor, seq)),
        },
        Source::Header { .. } => Due::Header { byte },
        Source::Stored { .. } => Due::Stored { byte },
    }
}

/// First offset in a channel buffer that is not as modelled, and what should be there. What is
/// current in slots that are `clean` was compared before.
pub(super) fn contents_mismatch(
    matter: &Matter<'_>,
    model: &Buffer,
    bytes: &[u8],
    clean: impl Fn(usize) -> bool,
) -> Option<(u64, Due)> {
    let size = usize::try_from(model.geometry.subbuf_size).ok()?;
    let mut known_clean = vec![false; model.subbufs.len()];
    for (slot, known) in known_clean.iter_mut().enumerate() {
        // Only sub-buffers with something in them can have been parsed.
        *known = !model.subbufs[slot].current.is_empty() && clean(slot);
    }
    for (slot, contents) in model.subbufs.iter().enumerate() {
        let start = slot.saturating_mul(size).min(bytes.len());
        let own = &bytes[start..start.saturating_add(size).min(bytes.len())];
        let (at, current): (u32, &[Piece]) = if known_clean[slot] {
            (contents.fill(), &[])
        } else {
            (0, &contents.current)
        };
        let pieces = current.iter().copied().chain(contents.remains());
        if let Some((wrong, due)) = part_mismatch(matter, own, at, pieces) {
            return Some((offset(start, wrong), due));
        }
    }
    let used = size.saturating_mul(model.subbufs.len()).min(bytes.len());
    let behind = model.behind.iter().copied();
    let (wrong, due) = part_mismatch(matter, &bytes[used..], 0, behind)?;
    Some((offset(used, wrong), due))
}

/// The first byte from `at` on that is not of these pieces, and not zero where there is none.
fn part_mismatch(
    matter: &Matter<'_>,
    own: &[u8],
    mut at: u32,
    pieces: impl Iterator<Item = Piece>,
) -> Option<(usize, Due)> {
    let end = u32::try_from(own.len()).unwrap_or(u32::MAX);
    for piece in pieces.map_while(|piece| piece.clip(0, end)) {
        if let Some(wrong) = zeroes_mismatch(own, at, piece.start) {
            return Some((wrong, Due::Zero));
        }
        let part = own.get(piece.start as usize..piece.end() as usize);
        let wrong = part.map_or(Some(0), |part| piece_mismatch(matter.case, &piece, part));
        if let Some(wrong) = wrong {
            let due = due(matter, &piece, wrong as u64);
            return Some((piece.start as usize + wrong, due));
        }
        at = piece.end();
    }
    zeroes_mismatch(own, at, end).map(|wrong| (wrong, Due::Zero))
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
                let at = Location {
                    observation: Some(index),
                    channel: matter.channel_name(channel),
                    ..Location::default()
                };
                let (expected, seen) = (Bytes(expected), Bytes(seen));
                report.fail(at, Model::LastTooBig { expected, seen });
            }
        }
    }
}
