//! Reads beside live writers in overwrite mode: the documentation promises nothing of what they give, but
//! every byte must be one that the buffer held.
//!
//! Such a read may begin anywhere and writers may overtake it, so what it gives is torn at any byte. What it
//! finds at a place is still what was written there last, or before (relay zeroes its pages), and it never
//! finds older bytes behind newer ones. So wherever the order of all writes is determined, a reader can be
//! followed through what the buffer held: what cannot be followed came from somewhere else.

use std::collections::{BTreeMap, HashMap};

use crate::history::{Followed, History};
use crate::matter::{Matter, Report, is_no_overwrite};
use crate::streams::{Got, reads};
use relaybed_case::finding::{Bytes, Reading};
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::Location;
use relaybed_case::{FileCall, Op};

/// Places that are looked at for all bytes of a case, at most.
const BUDGET: u64 = 1 << 28;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    let all = reads(matter.case, matter.evidence);
    let mut live: BTreeMap<(usize, u32), Vec<&Got<'_>>> = BTreeMap::new();
    for got in all.iter().filter(|got| is_live(matter, got)) {
        live.entry((got.channel, got.cpu)).or_default().push(got);
    }
    let mut budget = BUDGET;
    for (key, calls) in live {
        let history = History::of(matter.case, matter.prediction, key);
        let Some(history) = history.filter(|_| calls.iter().all(|got| reads_plainly(matter, got)))
        else {
            report.leave(Why::Order, calls.len() as u64);
            continue;
        };
        report.amount.bytes += calls.iter().map(|got| got.bytes.len() as u64).sum::<u64>();
        // Most calls go on where the one before ended: only where that does not explain all of them
        // every place is tried.
        if !follow(&history, &calls, Start::WhereTheLastEnded, &mut budget).is_empty() {
            for (got, at) in follow(&history, &calls, Start::Anywhere, &mut budget) {
                fail(matter, report, got, at);
            }
        }
    }
}

/// Where a call may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    WhereTheLastEnded,
    Anywhere,
}

/// The calls that cannot be followed, each with its first byte that cannot.
fn follow<'a, 'b>(
    history: &History,
    calls: &[&'b Got<'a>],
    start: Start,
    budget: &mut u64,
) -> Vec<(&'b Got<'a>, usize)> {
    let mut lost = Vec::new();
    let mut places = history.anywhere();
    // By reader: the write that it has seen so far.
    let mut seen: HashMap<usize, u32> = HashMap::new();
    for got in calls {
        if start == Start::Anywhere {
            places = history.anywhere();
        }
        let since = seen.entry(got.actor).or_default();
        match history.follow(got.bytes, (&places, *since), budget) {
            Followed::Through {
                places: ends,
                since: now,
            } => {
                places = ends;
                *since = now;
            }
            Followed::Lost { at } => lost.push((*got, at)),
            Followed::TooMuch => break,
        }
    }
    lost
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
    let at_byte = Location {
        channel: matter.channel_name(got.channel),
        cpu: Some(got.cpu),
        offset: Some(at as u64),
        ..matter.operation(got.actor, got.op)
    };
    let never = Reading::NeverHeld {
        followed: Bytes(at as u64),
        len: Bytes(got.bytes.len() as u64),
    };
    report.fail(at_byte, never);
}
