//! Reads beside live writers in overwrite mode: the documentation promises nothing of what they give, but
//! every byte must be one that the buffer held.
//!
//! Such a read may begin anywhere and writers may overtake it, so what it gives is torn at any byte. What it
//! finds at a place is still what was written there last, or before (relay zeroes its pages), and it never
//! finds older bytes behind newer ones. So wherever the order of all writes is determined, a reader can be
//! followed through what the buffer held: what cannot be followed came from somewhere else.

use std::collections::HashMap;

use crate::case::{FileCall, Op};
use crate::judge::history::History;
use crate::judge::matter::{Matter, Report, is_no_overwrite};
use crate::judge::streams::{Got, reads};
use crate::judge::words;
use crate::verdict::{Location, Property};

/// Places that are looked at for all bytes of a case, at most.
const BUDGET: u64 = 1 << 28;

/// Checks it.
pub(in crate::judge) fn check(matter: &Matter<'_>, report: &mut Report) {
    let mut histories: HashMap<(usize, u32), Option<History>> = HashMap::new();
    // By reader and buffer: the write that it has seen so far.
    let mut seen: HashMap<(usize, (usize, u32)), u32> = HashMap::new();
    let mut budget = BUDGET;
    for got in &reads(matter.case, matter.evidence) {
        if !is_live(matter, got) {
            continue;
        }
        let key = (got.channel, got.cpu);
        let history = histories
            .entry(key)
            .or_insert_with(|| History::of(matter.case, matter.prediction, key));
        let Some(history) = history.as_ref().filter(|_| reads_plainly(matter, got)) else {
            report.amount.unspecified += 1;
            continue;
        };
        report.amount.bytes += got.bytes.len() as u64;
        let since = seen.entry((got.actor, key)).or_default();
        if let Some(at) = history.follow(got.bytes, since, &mut budget) {
            fail(matter, report, got, at);
        }
    }
}

/// Whether writers may be at work on the buffer, which is in overwrite mode.
fn is_live(matter: &Matter<'_>, got: &Got<'_>) -> bool {
    let spec = matter.case.channels.get(got.channel);
    spec.is_some_and(|spec| !is_no_overwrite(spec))
        && !matter.prediction.is_exact(got.channel, got.cpu as usize)
}

/// By a call that copies: what a pipe holds shows its pages as they are when it is drained.
fn reads_plainly(matter: &Matter<'_>, got: &Got<'_>) -> bool {
    matches!(
        matter.case.actors[got.actor].ops[got.op],
        Op::FileRead { .. }
            | Op::File {
                call: FileCall::Readv { .. },
                ..
            }
    )
}

fn fail(matter: &Matter<'_>, report: &mut Report, got: &Got<'_>, at: usize) {
    report.fail(
        Property::Reading,
        Location {
            channel: matter.channel_name(got.channel),
            cpu: Some(got.cpu),
            offset: Some(at as u64),
            ..matter.operation(got.actor, got.op)
        },
        "a read beside live writers gave a byte that the buffer never held there",
        "bytes in the order in which the buffer held them",
        format!(
            "{} of {} that can be followed",
            at,
            words::bytes(got.bytes.len() as u64)
        ),
    );
}
