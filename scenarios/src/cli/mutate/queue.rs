//! A queue of mutants for several workers.
//!
//! The results known when a mutant is started depend on its position in the queue, not on the number of workers: those
//! of mutants [`LAG`] or more positions before it. So the same scenario kills it, whatever `--jobs` says.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use relaybed_guest::Silent;
use relaybed_mutants::Mutant;
use relaybed_report::mutation::{MutantOutcome, MutantRow};

use crate::run::SessionError;
use crate::run::mutate::{Campaign, History, row};

/// How far the first worker may be ahead of the last; also the most workers there can be.
pub(super) const LAG: usize = 16;

/// The mutants that are still to be tried.
pub(super) struct Queue<'a> {
    source: &'a str,
    /// By mutant: why it does nothing wrong.
    reasons: &'a BTreeMap<String, String>,
    row: Vec<&'a Mutant>,
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    /// The next to be begun.
    next: usize,
    /// Results by place, where there are any.
    results: Vec<Option<MutantRow>>,
    history: History,
    /// How many results the history has taken in.
    known: usize,
    /// No other one is begun.
    over: bool,
}

impl<'a> Queue<'a> {
    pub(super) fn new(
        source: &'a str,
        reasons: &'a BTreeMap<String, String>,
        row: Vec<&'a Mutant>,
        history: History,
    ) -> Self {
        let state = State {
            next: 0,
            results: vec![None; row.len()],
            history,
            known: 0,
            over: false,
        };
        Self {
            source,
            reasons,
            row,
            state: Mutex::new(state),
            moved: Condvar::new(),
        }
    }

    /// Tries one after the other, until nothing is left, one cannot be tried or nobody listens.
    pub(super) fn work(
        &self,
        campaign: &Campaign<'_>,
        tried: &Sender<Result<MutantRow, SessionError>>,
    ) {
        let guard = Ending(self);
        while let Some((place, mutant, history)) = self.begin() {
            let came = self.one(campaign, mutant, &history);
            let row = came.as_ref().ok().cloned();
            if tried.send(came).is_err() {
                break;
            }
            match row {
                Some(row) => self.finish(place, row),
                None => break,
            }
        }
        drop(guard);
    }

    fn one(
        &self,
        campaign: &Campaign<'_>,
        mutant: &Mutant,
        history: &History,
    ) -> Result<MutantRow, SessionError> {
        if let Some(why) = self.reasons.get(&mutant.id) {
            let why = why.clone();
            return Ok(row(mutant, self.source, MutantOutcome::Equivalent { why }));
        }
        campaign.try_one(self.source, mutant, history, &Silent)
    }

    /// The next one, once those far enough before it have their results; `None` at the end.
    fn begin(&self) -> Option<(usize, &'a Mutant, History)> {
        let mut state = self.state();
        loop {
            let place = state.next;
            let mutant = self.row.get(place).filter(|_| !state.over)?;
            if state.learn(place.saturating_sub(LAG)) {
                state.next += 1;
                return Some((place, mutant, state.history.clone()));
            }
            let woken = self.moved.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finish(&self, place: usize, row: MutantRow) {
        if let Some(result) = self.state().results.get_mut(place) {
            *result = Some(row);
        }
        self.moved.notify_all();
    }

    /// The state is consistent whenever the lock is released, so a poisoned lock is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes in the results of all up to a place, in their order; whether all are there.
    fn learn(&mut self, end: usize) -> bool {
        while self.known < end {
            let Some(Some(row)) = self.results.get(self.known) else {
                return false;
            };
            self.history.add(row);
            self.known += 1;
        }
        true
    }
}

/// Ends the queue when a worker stops early, even by a panic: the others would wait for its result for ever.
struct Ending<'a>(&'a Queue<'a>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.next < self.0.row.len() {
            state.over = true;
        }
        drop(state);
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use relaybed_mutants::Source;

    use super::*;

    fn source() -> Source {
        let functions = (0..20).map(|i| format!("int f{i}(int a)\n{{\n\treturn a + {i};\n}}\n"));
        Source::parse(functions.collect::<String>().into_bytes(), "f0").unwrap()
    }

    fn survived(source: &Source, mutant: &Mutant) -> MutantRow {
        let outcome = MutantOutcome::Survived {
            changed: Vec::new(),
        };
        row(mutant, source.text(), outcome)
    }

    #[test]
    fn nobody_is_further_ahead_than_the_lag() {
        let (source, reasons) = (source(), BTreeMap::new());
        let mutants = source.mutants();
        let queue = Queue::new("", &reasons, mutants.iter().collect(), History::default());
        let begun: Vec<_> = (0..LAG).map_while(|_| queue.begin()).collect();
        assert_eq!(begun.len(), LAG);
        // All but the first come back, and the next one still waits for the first.
        for (place, mutant, _) in begun.iter().skip(1) {
            queue.finish(*place, survived(&source, mutant));
        }
        assert!(queue.begin().is_some(), "it needs to know nothing yet");
        assert!(!queue.state().learn(1));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| queue.begin().map(|(place, ..)| place));
            queue.finish(0, survived(&source, begun[0].1));
            assert_eq!(waits.join().unwrap(), Some(LAG + 1));
        });
        assert_eq!(queue.state().known, 1);
    }

    #[test]
    fn one_who_gives_up_ends_those_who_wait() {
        let (source, reasons) = (source(), BTreeMap::new());
        let mutants = source.mutants();
        let queue = Queue::new("", &reasons, mutants.iter().collect(), History::default());
        for _ in 0..=LAG {
            queue.begin().unwrap();
        }
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| queue.begin().is_none());
            drop(Ending(&queue));
            assert!(waits.join().unwrap());
        });
    }
}
