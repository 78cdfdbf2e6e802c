//! Records of one producer stand in the order written.

use crate::matter::{Matter, Report};
use crate::parse::Found;
use relaybed_case::finding::Ordering;
use relaybed_case::verdict::Location;

/// How far the kernel's fast clock may run back when it is adjusted between two readings.
const CLOCK_SLACK_NS: u64 = 1000;

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    for parsed in &matter.buffers {
        let mut order = Order::new(matter.case.actors.len());
        for (section, records, _) in parsed.each() {
            let place = |found: &Found| matter.place(parsed, section, found.start);
            each(matter, report, (&mut order, records), place);
        }
    }
    for stream in &matter.streams {
        let mut order = Order::new(matter.case.actors.len());
        let place = |found: &Found| matter.in_stream(stream, found.start);
        each(matter, report, (&mut order, &stream.records), place);
    }
}

fn each<'a>(
    matter: &Matter<'_>,
    report: &mut Report,
    (order, records): (&mut Order, impl IntoIterator<Item = &'a Found>),
    place: impl Fn(&Found) -> Location,
) {
    for found in records {
        if let Some(wrong) = order.next(found) {
            fail(matter, report, found, wrong, place(found));
        }
    }
}

/// What is out of order: behind which record, or by time only.
enum Wrong {
    Number(u32),
    Time(u64),
}

/// The last record seen of each actor.
struct Order {
    last: Vec<Option<(u32, u64)>>,
}

impl Order {
    fn new(actors: usize) -> Self {
        Self {
            last: vec![None; actors],
        }
    }

    /// A record seen twice in a row is a matter of conservation, not of order.
    fn next(&mut self, found: &Found) -> Option<Wrong> {
        let last = self.last.get_mut(usize::from(found.actor))?;
        let wrong = last.and_then(|(seq, time_ns)| {
            if found.seq < seq {
                Some(Wrong::Number(seq))
            } else if found.time_ns != 0 && found.time_ns.saturating_add(CLOCK_SLACK_NS) < time_ns {
                Some(Wrong::Time(time_ns))
            } else {
                None
            }
        });
        let time_ns = if found.time_ns == 0 {
            last.map_or(0, |(_, time_ns)| time_ns)
        } else {
            found.time_ns
        };
        if last.is_none_or(|(seq, _)| found.seq >= seq) {
            *last = Some((found.seq, time_ns));
        }
        wrong
    }
}

fn fail(matter: &Matter<'_>, report: &mut Report, found: &Found, wrong: Wrong, at: Location) {
    let record = matter.record((found.actor, found.seq));
    let what = match wrong {
        Wrong::Number(after) => Ordering::Behind {
            record,
            number: found.seq.into(),
            after: after.into(),
        },
        Wrong::Time(before_ns) => Ordering::Older {
            record,
            time_ns: found.time_ns,
            before_ns,
        },
    };
    report.fail(at, what);
}
