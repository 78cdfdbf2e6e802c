//! In which order calls of several readers took their bytes.
//!
//! A call's place in the machine-wide count is taken behind the call, so for calls that overlap it does not
//! say whose bytes come first. relay gives each byte to one of them, once: so there is an order that agrees
//! with what is known of it and in which the bytes are what was written.

use relaybed_case::Case;

use super::identify::Writers;
use super::parse::{Parser, Text};
use super::streams::Got;

/// Bytes that are parsed to find the order, over all tries. The same on every host.
const PARSED_MAX: usize = 64 << 20;

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

/// What is looked for where the bytes are right in no order: the next best order shows most clearly what is wrong
/// with them. Whole records in whatever order, then records in order with one fault.
const NEARLY: [(bool, usize); 2] = [(false, 0), (true, 1)];

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
    let look = |(in_order, faults): (bool, usize)| {
        let mut search = Search {
            case,
            writers,
            got,
            place: (first.channel, first.cpu),
            in_order,
            faults,
            order: Vec::new(),
            used: vec![false; got.len()],
            bytes: Vec::new(),
            left: parsed_max,
        };
        let found = search.run()?;
        Some(found.then(|| search.order.iter().map(|at| got[*at]).collect()))
    };
    match look((true, 0)) {
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
    /// Records must be in the order written.
    in_order: bool,
    /// How many faults the bytes may have.
    faults: usize,
    order: Vec<usize>,
    used: Vec<bool>,
    bytes: Vec<u8>,
    /// Bytes that may still be parsed.
    left: usize,
}

impl Search<'_, '_, '_> {
    /// Whether there is an order; `None` where the bound is reached before that is known.
    fn run(&mut self) -> Option<bool> {
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
    }

    fn pop(&mut self) {
        if let Some(call) = self.order.pop() {
            self.used[call] = false;
            let len = self.bytes.len() - self.got[call].bytes.len();
            self.bytes.truncate(len);
        }
    }

    /// Whether the bytes are what is looked for; the last record may be cut.
    fn is_good(&mut self) -> Option<bool> {
        self.left = self.left.checked_sub(self.bytes.len())?;
        let spec = &self.case.channels[self.place.0];
        let mut parser = Parser::new(self.case, self.writers);
        let text = Text {
            bytes: &self.bytes,
            fill: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
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
        let mut last = std::collections::BTreeMap::new();
        let in_order = parser.records.iter().all(|found| {
            let before = last.insert(found.actor, found.seq);
            before.is_none_or(|before| before < found.seq)
        });
        Some(parser.faults.len() <= self.faults && (in_order || !self.in_order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::cases;

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
