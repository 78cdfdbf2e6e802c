//! Blocks of schedules, each block on one machine, and machines side by side.
//!
//! A fork costs more than a small schedule, and what QEMU has translated is gone with it. So the schedules of a
//! block follow one another on one fork. What a run shows may depend on those before it in its block, but on
//! nothing else: blocks are the same whatever the number of jobs, and everything in them is under control.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

use relaybed_vmm::signals;

use crate::run::drive::{Controlled, Driven, Series};
use crate::run::error::SessionError;
use crate::run::explore::is_interrupt;
use crate::run::shown::Shown;
use crate::run::stops::Stops;
use relaybed_case::Case;
use relaybed_search::schedule::{Drawn, Explorer, Strategy};

/// Schedules of one block.
const BLOCK: usize = 32;

/// One schedule that was run, as it was before the run.
pub(super) struct Ran {
    pub(super) drawn: Drawn,
    pub(super) shown: Shown,
}

/// What a worker reports.
enum Told {
    Ran(Box<Ran>),
    Interrupted,
    Failed(SessionError),
}

/// Runs what the explorer draws, on `jobs` machines side by side, until `note` wants no more. It is given the
/// runs in the order in which they were drawn; `false` when interrupted. The explorer is given back with what it
/// has learnt.
///
/// # Errors
/// When no machine can be had, and what `note` says.
pub(super) fn each(
    guest: &Controlled<'_>,
    case: &Case,
    explorer: Explorer,
    jobs: u32,
    note: &mut dyn FnMut(Ran) -> Result<bool, SessionError>,
) -> Result<(bool, Explorer), SessionError> {
    let jobs = if explorer.learns() { 1 } else { jobs };
    let work = Work {
        guest,
        case,
        draws: Mutex::new((explorer, 0)),
        over: AtomicBool::new(false),
    };
    let noted = std::thread::scope(|scope| {
        let (tell, told) = channel();
        for _ in 0..jobs {
            let (work, tell) = (&work, tell.clone());
            scope.spawn(move || work.go(&tell));
        }
        drop(tell);
        let noted = in_order(told.iter(), note);
        // Whatever is still on its way has no receiver.
        work.over.store(true, Ordering::Relaxed);
        noted
    })?;
    let (explorer, _) = work
        .draws
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    Ok((noted, explorer))
}

/// Hands on what comes, each in its turn.
fn in_order(
    told: impl Iterator<Item = (u64, Told)>,
    note: &mut dyn FnMut(Ran) -> Result<bool, SessionError>,
) -> Result<bool, SessionError> {
    let (mut early, mut next) = (BTreeMap::new(), 0);
    for (number, told) in told {
        early.insert(number, told);
        while let Some(told) = early.remove(&next) {
            next += 1;
            match told {
                Told::Ran(ran) => {
                    if !note(*ran)? {
                        return Ok(true);
                    }
                }
                Told::Interrupted => return Ok(false),
                Told::Failed(error) => return Err(error),
            }
        }
    }
    Ok(true)
}

/// What is shared by the workers.
struct Work<'a> {
    guest: &'a Controlled<'a>,
    case: &'a Case,
    /// Draws, and the number of the next.
    draws: Mutex<(Explorer, u64)>,
    over: AtomicBool,
}

impl Work<'_> {
    /// One block after the other.
    fn go(&self, tell: &Sender<(u64, Told)>) {
        while !self.over.load(Ordering::Relaxed) {
            let mut block = Block::draw(self, tell);
            if block.queue.is_empty() {
                return;
            }
            let stops = Stops::accesses();
            let ended = self
                .guest
                .series(self.case, None, (&stops, false), &mut block);
            if !block.end(ended) {
                return;
            }
        }
    }
}

/// A block under way.
struct Block<'w> {
    work: &'w Work<'w>,
    tell: &'w Sender<(u64, Told)>,
    queue: VecDeque<(u64, Drawn)>,
    /// The one that runs, as it was before and as it is.
    running: Option<(u64, Drawn, Drawn)>,
    /// How many more may be drawn.
    left: usize,
}

impl<'w> Block<'w> {
    fn draw(work: &'w Work<'w>, tell: &'w Sender<(u64, Told)>) -> Self {
        let mut block = Self {
            work,
            tell,
            queue: VecDeque::new(),
            running: None,
            left: BLOCK,
        };
        let mut draws = work.draws.lock().unwrap_or_else(PoisonError::into_inner);
        // One that learns draws each when the one before has been run.
        let at_once = if draws.0.learns() { 1 } else { BLOCK };
        for _ in 0..at_once {
            block.more(&mut draws);
        }
        drop(draws);
        block
    }

    fn more(&mut self, draws: &mut (Explorer, u64)) {
        if self.left > 0
            && let Some(drawn) = draws.0.draw()
        {
            self.left -= 1;
            self.queue.push_back((draws.1, drawn));
            draws.1 += 1;
        }
    }

    /// Reports the result of the running one.
    fn tell(&mut self, what: impl FnOnce(Drawn) -> Told) {
        if let Some((number, before, _)) = self.running.take() {
            // The receiver is gone once enough was seen.
            let _ = self.tell.send((number, what(before)));
        }
    }

    /// Handles the end of the machine. Schedules that it did not reach run on another; whether there may be one.
    fn end(mut self, ended: Result<Option<crate::run::drive::Undriven>, SessionError>) -> bool {
        match ended {
            Ok(None) => return true,
            Ok(Some(undriven)) if is_interrupt(&undriven.ended.cause) => {
                self.tell(|_| Told::Interrupted);
                return false;
            }
            Ok(Some(undriven)) => {
                let shown = Shown::ended(undriven);
                self.tell(|drawn| Told::Ran(Box::new(Ran { drawn, shown })));
            }
            Err(error) => {
                if self.running.is_none() {
                    self.strategy();
                }
                self.tell(|_| match signals::interrupted() {
                    Some(_) => Told::Interrupted,
                    None => Told::Failed(error),
                });
                return false;
            }
        }
        if self.queue.is_empty() {
            return true;
        }
        let stops = Stops::accesses();
        let (guest, case) = (self.work.guest, self.work.case);
        let ended = guest.series(case, None, (&stops, false), &mut self);
        self.end(ended)
    }
}

impl Series for Block<'_> {
    fn strategy(&mut self) -> Option<&mut dyn Strategy> {
        if self.work.over.load(Ordering::Relaxed) {
            return None;
        }
        let (number, drawn) = self.queue.pop_front()?;
        let (_, _, running) = self.running.insert((number, drawn.clone(), drawn));
        Some(running)
    }

    fn ran(&mut self, driven: Driven) {
        let mut draws = self
            .work
            .draws
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, before, _)) = &self.running
            && draws.0.learns()
        {
            draws.0.learn(before, &driven.trace);
            self.more(&mut draws);
        }
        drop(draws);
        let shown = Shown::judged(self.work.case, driven);
        self.tell(|drawn| Told::Ran(Box::new(Ran { drawn, shown })));
    }
}
