//! In which order calls of several readers took their bytes.
//!
//! A call's place in the machine-wide count is taken behind the call, so for calls that overlap it does not
//! say whose bytes come first. relay gives each byte to one of them, once: so there is an order that agrees
//! with what is known of it and in which the bytes are what was written.

use std::collections::BTreeMap;

use relaybed_case::Case;

use super::identify::Writers;
use super::parse::{Fault, FaultKind, Found, Parser, Text};
use super::streams::Got;

/// Bytes that are parsed to find the order, over all tries. The same on every host.
const PARSED_MAX: usize = 64 << 20;

/// How far a record may be out of its place, in bytes.
const GAP_MAX: usize = 64;
/// More faults than any order may have.
const TOO_MANY: usize = 8;

/// Calls in the beginnings of orders that are kept for one more fault.
const BEGINNINGS_MAX: usize = 1 << 20;

/// What is known of the order of calls.
pub(super) enum Settled<'a> {
    /// In this order the bytes are what was written.
    Right(Vec<Got<'a>>),
    /// In no order are they, and this one shows it best.
    Nearly(Vec<Got<'a>>),
    /// In no order are they even nearly that.
    Wrong,
    /// Too much would have to be tried.
    Open,
}

/// What is looked for.
#[derive(Clone, Copy)]
struct Wanted {
    /// Records must be in the order written.
    in_order: bool,
    /// How many faults the bytes may have.
    faults: usize,
    /// Every record must be there, if torn or out of its place: bytes that are none do not count as one fault.
    is_clear: bool,
}

const RIGHT: Wanted = Wanted {
    in_order: true,
    faults: 0,
    is_clear: false,
};

/// What is looked for where the bytes are right in no order: the next best order shows most clearly what is wrong
/// with them. Whole records in whatever order, then records in order with one fault.
const NEARLY: [Wanted; 3] = [
    Wanted {
        in_order: false,
        ..RIGHT
    },
    Wanted {
        faults: 1,
        is_clear: true,
        ..RIGHT
    },
    Wanted { faults: 1, ..RIGHT },
];

/// Looks for an order of one buffer's calls in which their bytes are records as they were written, or nearly.
pub(super) fn settle<'a>(case: &Case, writers: &Writers<'_>, got: &[Got<'a>]) -> Settled<'a> {
    settle_within(case, writers, got, PARSED_MAX)
}

fn settle_within<'a>(
    case: &Case,
    writers: &Writers<'_>,
    got: &[Got<'a>],
    parsed_max: usize,
) -> Settled<'a> {
    let Some(first) = got.first() else {
        return Settled::Right(Vec::new());
    };
    let longest = writers.longest((first.channel, first.cpu));
    let look = |wanted: Wanted| {
        let mut search = Search {
            case,
            writers,
            got,
            place: (first.channel, first.cpu),
            longest,
            wanted,
            faults: 0,
            left: parsed_max,
            later: Vec::new(),
            order: Vec::new(),
            used: vec![false; got.len()],
            bytes: Vec::new(),
            sound: vec![Sound::default()],
        };
        let found = search.run(wanted.faults)?;
        Some(found.then(|| search.order.iter().map(|at| got[*at]).collect()))
    };
    match look(RIGHT) {
        None => Settled::Open,
        Some(Some(order)) => Settled::Right(order),
        // It is wrong now, whether or not a better order to show it is found within the bound.
        Some(None) => match NEARLY.into_iter().find_map(|wanted| look(wanted).flatten()) {
            Some(order) => Settled::Nearly(order),
            None => Settled::Wrong,
        },
    }
}

struct Search<'m, 'w, 'a> {
    case: &'m Case,
    writers: &'m Writers<'w>,
    got: &'m [Got<'a>],
    /// Channel and CPU.
    place: (usize, u32),
    /// Bytes of the longest record that may be there.
    longest: usize,
    wanted: Wanted,
    /// How many faults the bytes may have by now.
    faults: usize,
    /// Bytes that may still be parsed.
    left: usize,
    /// Beginnings of orders that have one fault too many.
    later: Vec<Vec<usize>>,
    order: Vec<usize>,
    used: Vec<bool>,
    bytes: Vec<u8>,
    /// How far the bytes need not be looked at again, before any call and behind each.
    sound: Vec<Sound>,
}

/// What is known of the bytes up to the end of a record.
#[derive(Clone, Default)]
struct Sound {
    len: usize,
    faults: usize,
    /// By actor: the number of its last record.
    last: BTreeMap<u16, u32>,
    /// What the parser makes of the next record.
    next: Vec<Option<u32>>,
}

/// What bytes behind sound ones are.
struct Parsed {
    /// In all of the bytes.
    faults: usize,
    in_order: bool,
    records: Vec<Found>,
    next: Vec<Option<u32>>,
}

impl Search<'_, '_, '_> {
    /// Whether there is an order with at most so many faults; `None` where the bound is reached before that is
    /// known.
    ///
    /// Where bytes are wrong, all that is before them is right: so a fault is looked for behind the longest beginnings
    /// without it first. In any other order the search would be lost in those that are wrong long before.
    fn run(&mut self, faults_max: usize) -> Option<bool> {
        let mut beginnings = vec![Vec::new()];
        loop {
            for beginning in beginnings {
                self.begin(&beginning);
                if self.go_on()? {
                    return Some(true);
                }
            }
            if self.faults == faults_max {
                return Some(false);
            }
            self.faults += 1;
            beginnings = std::mem::take(&mut self.later);
            beginnings.sort_by_key(|order| std::cmp::Reverse(order.len()));
        }
    }

    fn begin(&mut self, beginning: &[usize]) {
        while !self.order.is_empty() {
            self.pop();
        }
        for call in beginning {
            self.push(*call);
        }
    }

    /// Whether an order begins as it does now.
    fn go_on(&mut self) -> Option<bool> {
        // Which calls may come next at each place, those to be tried last first.
        let mut choices: Vec<Vec<usize>> = Vec::new();
        loop {
            let mut next = self.candidates();
            let was_open = next.len() > 1;
            next.reverse();
            choices.push(next);
            let is_end = self.order.len() == self.got.len();
            if is_end && self.is_good()? {
                return Some(true);
            }
            loop {
                let Some(last) = choices.last_mut() else {
                    return Some(false);
                };
                if let Some(call) = last.pop() {
                    self.push(call);
                    if !was_open && self.order.len() < self.got.len() || self.is_good()? {
                        break;
                    }
                    self.pop();
                } else {
                    choices.pop();
                    self.pop();
                }
            }
        }
    }

    /// Calls before which none must come that was not taken yet, by their ends.
    fn candidates(&self) -> Vec<usize> {
        let free = || (0..self.got.len()).filter(|at| !self.used[*at]);
        let earliest = free().map(|at| self.got[at].span.1).min();
        free()
            .filter(|at| Some(self.got[*at].span.0) < earliest && !self.is_behind_a_part(*at))
            .collect()
    }

    /// Whether a part of the same call comes first.
    fn is_behind_a_part(&self, at: usize) -> bool {
        let whose = |at: usize| (self.got[at].actor, self.got[at].op, self.got[at].span);
        let before = at.checked_sub(1);
        before.is_some_and(|before| !self.used[before] && whose(before) == whose(at))
    }

    fn push(&mut self, call: usize) {
        self.used[call] = true;
        self.order.push(call);
        self.bytes.extend_from_slice(self.got[call].bytes);
        let sound = self.sound.last().cloned().unwrap_or_default();
        self.sound.push(sound);
    }

    fn pop(&mut self) {
        if let Some(call) = self.order.pop() {
            self.used[call] = false;
            let len = self.bytes.len() - self.got[call].bytes.len();
            self.bytes.truncate(len);
            self.sound.pop();
        }
    }

    /// Whether the bytes are what is looked for; the last record may be cut.
    fn is_good(&mut self) -> Option<bool> {
        let sound = self.sound.last().cloned().unwrap_or_default();
        let parsed = self.parse(&sound, self.bytes.len())?;
        let may_be = parsed.in_order || !self.wanted.in_order;
        let is_good = may_be && parsed.faults <= self.faults;
        if may_be
            && parsed.faults == self.faults + 1
            && self.later.len() * self.got.len() < BEGINNINGS_MAX
        {
            self.later.push(self.order.clone());
        }
        // Another record stands behind this one: its end is one whatever follows. Headers are counted from the
        // beginning.
        let whole = parsed.records.iter().rev().nth(1);
        let has_headers = self.case.channels[self.place.0].header_bytes > 0;
        if let (true, false, Some(found)) = (is_good, has_headers, whole) {
            let len = sound.len + (found.start + found.len) as usize;
            let parsed = self.parse(&sound, len)?;
            let mut last = sound.last;
            last.extend(parsed.records.iter().map(|found| (found.actor, found.seq)));
            if let Some(sound) = self.sound.last_mut() {
                *sound = Sound {
                    len,
                    faults: parsed.faults,
                    last,
                    next: parsed.next,
                };
            }
        }
        Some(is_good)
    }

    /// How many faults count.
    ///
    /// Where every record must be there, the bytes behind the last one are one fault at most while the next may still
    /// follow, whatever the parser makes of what there is by now; and bytes before it that are no record are too many.
    fn faults_of(&self, parser: &Parser<'_>, len: usize) -> usize {
        if !self.wanted.is_clear {
            return parser.faults.len();
        }
        let end = parser
            .records
            .last()
            .map_or(0, |last| last.start + last.len);
        let is_open = |fault: &&Fault| fault.start >= end;
        let open = parser.faults.iter().filter(is_open).count();
        let closed = parser.faults.iter().filter(|fault| !is_open(fault));
        let closed = closed.map(|fault| match fault.kind {
            FaultKind::Junk | FaultKind::Stale | FaultKind::Tail => TOO_MANY,
            _ => 1,
        });
        let open = match len - (end as usize).min(len) {
            rest if rest > self.longest + GAP_MAX => TOO_MANY,
            _ => open.min(1),
        };
        closed.sum::<usize>() + open
    }

    /// The bytes up to `end`, of which the sound ones are not looked at.
    fn parse(&mut self, sound: &Sound, end: usize) -> Option<Parsed> {
        let bytes = self.bytes.get(sound.len..end).unwrap_or_default();
        self.left = self.left.checked_sub(bytes.len())?;
        let spec = &self.case.channels[self.place.0];
        let mut parser = Parser::new(self.case, self.writers);
        parser.may_repeat = !self.wanted.in_order;
        if !sound.next.is_empty() {
            parser.next.clone_from(&sound.next);
        }
        let text = Text {
            bytes,
            fill: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            expected: None,
            before: &[],
            header_bytes: spec.header_bytes,
            produced: None,
            // What nobody read follows in the buffer.
            may_be_cut: true,
            channel: self.place.0,
            cpu: self.place.1,
        };
        parser.parse(text, 0, 0, false);
        let mut last = sound.last.clone();
        let in_order = parser.records.iter().all(|found| {
            let before = last.insert(found.actor, found.seq);
            before.is_none_or(|before| before < found.seq)
        });
        let faults = sound.faults + self.faults_of(&parser, bytes.len());
        Some(Parsed {
            faults,
            in_order,
            records: parser.records,
            next: parser.next,
        })
    }
}

#[cfg(test)]
mod tests {
    use relaybed_contract::Source;
    use relaybed_contract::content::stuff;

    use super::*;
    use crate::tests::cases;

    /// Records of the writer, one behind the other.
    fn records(case: &Case, seqs: impl IntoIterator<Item = u32>) -> Vec<u8> {
        let mut stream = Vec::new();
        for seq in seqs {
            let len = relaybed_abi::record_len(case.seed, 0, seq, 64, 128);
            let source = Source::Record {
                actor: 0,
                op: 0,
                seq,
            };
            let start = stream.len();
            stream.resize(start + len as usize, 0);
            let record = stuff(case, source, len).unwrap();
            record.render(0, 1_000_000, &mut stream[start..]);
        }
        stream
    }

    /// Two readers share the bytes, and of each two pieces the second was told of first.
    fn shared(stream: &[u8]) -> Vec<Got<'_>> {
        let mut got: Vec<Got<'_>> = (0..)
            .zip(stream.chunks(7))
            .map(|(number, bytes)| {
                let begun = number / 2 * 2;
                Got {
                    channel: 0,
                    cpu: 0,
                    bytes,
                    actor: 2,
                    op: number as usize,
                    span: (begun, begun + 2 - number % 2),
                }
            })
            .collect();
        got.sort_by_key(|got| got.span.1);
        got
    }

    fn nearly(case: &Case, stream: &[u8]) -> Vec<u8> {
        let Settled::Nearly(order) = settle(case, &Writers::of(case), &shared(stream)) else {
            panic!("no order was found that shows it");
        };
        order.iter().flat_map(|got| got.bytes).copied().collect()
    }

    /// A reader may well stop in the middle of the second time.
    #[test]
    fn a_record_that_is_there_twice_is_shown_by_whole_records() {
        let case = cases::race();
        let stream = records(&case, [0, 1, 2, 1, 3]);
        assert!(nearly(&case, &stream) == stream);
    }

    /// In most orders of its pieces it is nothing at all, which is one fault, too.
    #[test]
    fn a_record_out_of_its_place_is_found_whole() {
        let mut case = cases::race();
        case.actors[0].ops = vec![cases::records(64, 128, 60)];
        let all = records(&case, 0..60);
        // Pieces of seven bytes begin at another place of each of these records.
        for displaced in 30..44 {
            let before = records(&case, 0..displaced).len();
            let mut stream = all.clone();
            stream.splice(before..before, [0xee; 8]);
            let found = nearly(&case, &stream);
            let place = before + 8;
            assert!(found[place + 7..] == stream[place + 7..], "{displaced}");
        }
    }

    /// Every order before it is wrong, too, and each of them has but one fault until that record comes.
    #[test]
    fn a_record_that_is_torn_late_is_found() {
        let mut case = cases::race();
        case.actors[0].ops = vec![cases::records(64, 128, 95)];
        let mut stream = records(&case, 0..95);
        let torn = records(&case, 0..90).len() - 20;
        stream[torn..torn + 16].fill(0);
        let found = nearly(&case, &stream);
        // Of the pieces of the torn record nothing says which came first.
        assert!(found[..torn - 14] == stream[..torn - 14]);
        assert!(found[torn + 30..] == stream[torn + 30..]);
    }

    #[test]
    fn what_is_wrong_stays_wrong_however_little_is_left_to_show_it_by() {
        let case = cases::race();
        let writers = Writers::of(&case);
        let junk: Vec<[u8; 40]> = (1..7).map(|byte| [byte; 40]).collect();
        let mut got = Vec::new();
        for ((actor, bytes), end) in junk.iter().enumerate().zip(100..) {
            got.push(Got {
                channel: 0,
                cpu: 0,
                bytes,
                actor,
                op: 0,
                span: (0, end),
            });
        }
        let is_open = |most| matches!(settle_within(&case, &writers, &got, most), Settled::Open);
        let first = (0..1_000_000).find(|most| !is_open(*most)).unwrap();
        // Each of them may come first, and none can: nothing more is to be parsed to know that.
        assert_eq!(first, 6 * 40);
        for more in 0..2_000 {
            let settled = settle_within(&case, &writers, &got, first + more);
            assert!(
                matches!(settled, Settled::Wrong | Settled::Nearly(_)),
                "{more}"
            );
        }
    }
}
