//! Reads beside live writers in overwrite mode: the documentation promises nothing of what they give, but
//! every byte must be one that was written to that buffer.
//!
//! Such a read may begin anywhere, and writers may overtake it: what it gives are pieces of records, torn at
//! any byte. Records of patterns are told by any whole word of theirs, so whatever lies more than a tear's
//! width away from every word that was written was never written.

use std::collections::{HashMap, HashSet};

use relaybed_abi::{
    EventKind, RB_HEADER_ACTOR, RB_RECORD_HEADER, RB_RECORD_MAGIC, RB_STEP, pattern_seed,
};

use crate::case::Payload;
use crate::judge::matter::{Matter, Report, is_logged_into, is_no_overwrite, is_stored_into};
use crate::judge::streams::{Got, reads};
use crate::judge::words;
use crate::verdict::{Location, Property};

/// Words of all records of a buffer that are looked at, at most.
const WORDS_MAX: usize = 1 << 20;
/// Bytes between two words of one record or of two that a tear can leave without any: a part of a word
/// on each side, and of a record's header the time and what follows it.
const TEAR_BYTES: usize = 7 + 7 + (RB_RECORD_HEADER - 16) + 8;
/// relay zeroes its pages: so many zeroes in a row were never written over.
const ZEROES: usize = 16;

/// Checks it.
pub(in crate::judge) fn check(matter: &Matter<'_>, report: &mut Report) {
    let live = |got: &Got<'_>| {
        let spec = matter.case.channels.get(got.channel);
        spec.is_some_and(|spec| !is_no_overwrite(spec))
            && !matter.prediction.is_exact(got.channel, got.cpu as usize)
            && !is_stored_into(matter.case, (got.channel, got.cpu))
            && !is_logged_into(matter.case, got.channel)
    };
    let mut known: HashMap<(usize, u32), Option<HashSet<u64>>> = HashMap::new();
    for got in reads(matter.case, matter.evidence)
        .iter()
        .filter(|got| live(got))
    {
        let key = (got.channel, got.cpu);
        match known.entry(key).or_insert_with(|| written(matter, key)) {
            Some(words) => judge(matter, report, got, words),
            None => report.amount.unspecified += 1,
        }
    }
}

/// Every whole word that was, or may have been, written to the buffer; `None`: too many, or some records
/// have none.
fn written(matter: &Matter<'_>, (channel, cpu): (usize, u32)) -> Option<HashSet<u64>> {
    let mut words = HashSet::new();
    for writer in matter.writers.all() {
        if writer.channel != channel || writer.cpu != cpu {
            continue;
        }
        let Payload::Record { len_min, .. } = writer.payload else {
            return None;
        };
        if *len_min < 16 {
            return None;
        }
        for seq in writer.first..writer.first.saturating_add(writer.count) {
            let len = matter.writers.len(writer, seq);
            let actor = u32::from(writer.actor);
            let first = if len as usize >= RB_RECORD_HEADER {
                let who = u64::from(actor) << 32 | u64::from(writer.cpu) << 48;
                words.insert(u64::from(RB_RECORD_MAGIC) | who);
                words.insert(u64::from(seq) | u64::from(len) << 32);
                RB_RECORD_HEADER / 8
            } else {
                0
            };
            pattern(&mut words, actor, seq, first, len as usize / 8);
            if words.len() > WORDS_MAX {
                return None;
            }
        }
    }
    let header = matter.case.channels.get(channel)?.header_bytes as usize;
    if header > 0 {
        let begun = matter.evidence.events.iter().filter(|event| {
            event.kind == EventKind::SubbufStart.code() && usize::from(event.channel) == channel
        });
        for event in begun {
            let seq = u32::try_from(event.produced & u64::from(u32::MAX)).unwrap_or(0);
            pattern(&mut words, RB_HEADER_ACTOR, seq, 0, header / 8);
        }
    }
    Some(words)
}

/// Words `from` to `to` of a pattern.
fn pattern(words: &mut HashSet<u64>, actor: u32, seq: u32, from: usize, to: usize) {
    let seed = pattern_seed(actor, seq);
    words.extend((from..to).map(|k| seed.wrapping_add((k as u64).wrapping_mul(RB_STEP))));
}

fn judge(matter: &Matter<'_>, report: &mut Report, got: &Got<'_>, words: &HashSet<u64>) {
    report.amount.bytes += got.bytes.len() as u64;
    let Some((start, len)) = first_foreign(got.bytes, words) else {
        return;
    };
    report.fail(
        Property::Reading,
        Location {
            channel: matter.channel_name(got.channel),
            cpu: Some(got.cpu),
            offset: Some(start as u64),
            ..matter.operation(got.actor, got.op)
        },
        "a read beside live writers gave bytes that nobody wrote",
        "pieces of records that were written to this buffer",
        format!("{} of something else", words::bytes(len as u64)),
    );
}

/// Place and length of the first bytes that are too far from every word that was written.
fn first_foreign(bytes: &[u8], words: &HashSet<u64>) -> Option<(usize, usize)> {
    let mut end_of_known = 0;
    let is_foreign = |from: usize, to: usize| {
        let gap = &bytes[from..to];
        let zeroes = gap.chunk_by(|a, b| *a == 0 && *b == 0);
        let longest = zeroes.filter(|run| run[0] == 0).map(<[u8]>::len).max();
        gap.len() > TEAR_BYTES || longest.unwrap_or(0) >= ZEROES
    };
    for (at, word) in bytes.windows(8).enumerate() {
        let Ok(word) = <[u8; 8]>::try_from(word) else {
            continue;
        };
        if !words.contains(&u64::from_le_bytes(word)) {
            continue;
        }
        if at > end_of_known && is_foreign(end_of_known, at) {
            return Some((end_of_known, at - end_of_known));
        }
        end_of_known = at + 8;
    }
    is_foreign(end_of_known, bytes.len()).then(|| (end_of_known, bytes.len() - end_of_known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u32, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        relaybed_abi::fill_pattern(3, seq, 0, &mut bytes);
        bytes
    }

    #[test]
    fn torn_pieces_are_known_and_what_nobody_wrote_is_not() {
        let mut words = HashSet::new();
        for seq in 0..3 {
            pattern(&mut words, 3, seq, 0, 12);
        }
        let mut bytes = record(0, 100);
        bytes.truncate(61);
        bytes.extend(&record(1, 100)[13..]);
        bytes.extend(record(2, 100));
        assert_eq!(first_foreign(&bytes, &words), None);

        let mut zeroes = bytes.clone();
        zeroes[120..140].fill(0);
        assert!(first_foreign(&zeroes, &words).is_some());
        let mut foreign = bytes.clone();
        foreign.extend(record(9, 100));
        assert_eq!(
            first_foreign(&foreign, &words).map(|(at, _)| at >= 240),
            Some(true)
        );
        assert_eq!(first_foreign(&[], &words), None);
    }
}
