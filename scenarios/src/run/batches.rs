//! Which cases share a machine, and machines side by side.
//!
//! A *batch* is what one machine is for: cases after one another, with a new machine only where one died or was
//! tainted. Batches know nothing of each other, so it makes no difference how many are worked on at a time: they
//! are begun in their order, and reported in it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::options::Options;
use super::suite::{Suite, SuiteEnd};
use super::{Plan, SessionError};
use relaybed_case::select::Loaded;
use relaybed_report::{CaseReport, Listener};

/// What shares a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Isolate {
    /// Every scenario, and every repetition of it, has a machine of its own.
    PerScenario,
    /// The scenarios of a suite share one.
    PerSuite,
    /// All scenarios share one for as long as it lives.
    None,
}

/// Runs all cases and reports each as it ends: those for machines with the same number of vCPUs one after the
/// other, whatever the number of jobs. A guest that dies or hangs fails its case and is replaced by a new one for
/// the next.
///
/// # Errors
/// When no machine can be had, when evidence cannot be written, or when the report cannot be.
pub fn run_all(
    plan: &Plan,
    options: &Options,
    cases: &[Loaded],
    listener: &mut impl Listener,
) -> Result<SuiteEnd, SessionError> {
    let batches = batches(plan, options.isolate_on(plan), cases);
    let jobs = usize::try_from(options.jobs_on(plan)).unwrap_or(1);
    let work = Work {
        plan,
        options,
        batches: &batches,
        next: AtomicUsize::new(0),
        last: AtomicUsize::new(usize::MAX),
        over: AtomicBool::new(false),
    };
    let mut whole = Whole {
        suite: Suite::new(plan, options),
        batches: &batches,
        listener,
    };
    std::thread::scope(|scope| {
        let (tell, told) = channel();
        for _ in 0..jobs.min(batches.len()) {
            let tell = tell.clone();
            let work = &work;
            scope.spawn(move || work.go(&tell));
        }
        drop(tell);
        let ended = whole.listen(&told);
        if ended.is_err() {
            // Whatever is still on its way has no receiver.
            work.over.store(true, Ordering::Relaxed);
        }
        ended
    })?;
    Ok(whole.suite.end())
}

/// Cases for one machine, in their order.
type Batch<'a> = Vec<&'a Loaded>;

/// The cases by machine: first by number of vCPUs, then as they are isolated, else in their order.
fn batches<'a>(plan: &Plan, isolate: Isolate, cases: &'a [Loaded]) -> Vec<Batch<'a>> {
    let keys = cases.iter().enumerate().map(|(index, loaded)| {
        let name = &loaded.case.name;
        let part = match isolate {
            Isolate::PerScenario => index.to_string(),
            Isolate::PerSuite => name.split('/').next().unwrap_or(name).to_owned(),
            Isolate::None => String::new(),
        };
        (plan.vcpus_for(&loaded.case), part)
    });
    grouped(keys.zip(cases))
}

/// Values whose keys agree together, in the order in which keys come first; keys with the same first half are
/// neighbours.
fn grouped<A: PartialEq, B: PartialEq, T>(all: impl Iterator<Item = ((A, B), T)>) -> Vec<Vec<T>> {
    let mut groups: Vec<((A, B), Vec<T>)> = Vec::new();
    for (key, value) in all {
        if let Some((_, values)) = groups.iter_mut().find(|(of, _)| *of == key) {
            values.push(value);
            continue;
        }
        let neighbour = groups.iter().rposition(|(of, _)| of.0 == key.0);
        let at = neighbour.map_or(groups.len(), |at| at + 1);
        groups.insert(at, (key, vec![value]));
    }
    groups.into_iter().map(|(_, values)| values).collect()
}

/// What a worker reports.
enum Told {
    /// A case of the batch ended.
    Case(Box<CaseReport>),
    /// The batch is through.
    End(Box<SuiteEnd>, Option<String>),
    /// No machine could be had, or a file not be written.
    Failed(SessionError),
}

type Tell = Sender<(usize, Told)>;

/// What is to be done, shared by those who do it.
struct Work<'a> {
    plan: &'a Plan,
    options: &'a Options,
    batches: &'a [Batch<'a>],
    next: AtomicUsize,
    /// The last batch that is still of interest.
    last: AtomicUsize,
    /// None is.
    over: AtomicBool,
}

impl Work<'_> {
    /// Takes one batch after another until none is left. `last` says if the receiver is gone.
    fn go(&self, tell: &Tell) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = self.batches.get(number) else {
                return;
            };
            if self.is_over(number) {
                return;
            }
            let told = match self.batch(number, batch, tell) {
                Ok((end, stopped)) => Told::End(Box::new(end), stopped),
                Err(error) => {
                    self.stop_behind(number);
                    Told::Failed(error)
                }
            };
            let _ = tell.send((number, told));
        }
    }

    fn batch(
        &self,
        number: usize,
        batch: &[&Loaded],
        tell: &Tell,
    ) -> Result<(SuiteEnd, Option<String>), SessionError> {
        let mut suite = Suite::new(self.plan, self.options);
        for loaded in batch {
            if self.is_over(number) {
                break;
            }
            let came = match &suite.stopped {
                Some(reason) => Ok(suite.not_run(loaded, reason.clone())),
                None if suite.is_driven(loaded) => suite.driven(loaded),
                None => suite.repeated(loaded),
            };
            let report = suite.unless_interrupted(loaded, came)?;
            suite.count(&report);
            let _ = tell.send((number, Told::Case(Box::new(report))));
            suite.hold(loaded)?;
            if suite.stopped.is_some() {
                self.stop_behind(number);
            }
        }
        let stopped = suite.stopped.clone();
        Ok((suite.end(), stopped))
    }

    fn is_over(&self, number: usize) -> bool {
        self.over.load(Ordering::Relaxed) || number > self.last.load(Ordering::Relaxed)
    }

    /// Batches behind this one are of no interest any more.
    fn stop_behind(&self, number: usize) {
        self.last.fetch_min(number, Ordering::Relaxed);
    }
}

/// The run as a whole, put together from what workers report.
struct Whole<'a, L> {
    suite: Suite<'a>,
    batches: &'a [Batch<'a>],
    listener: &'a mut L,
}

impl<L: Listener> Whole<'_, L> {
    /// Reports the cases of all batches in their order, whatever order they arrive in.
    fn listen(&mut self, told: &Receiver<(usize, Told)>) -> Result<(), SessionError> {
        let mut early: BTreeMap<usize, Vec<Told>> = BTreeMap::new();
        for number in 0..self.batches.len() {
            let mut reported = 0;
            if self.suite.stopped.is_none() {
                let mut kept = early.remove(&number).unwrap_or_default().into_iter();
                while let Some(next) = kept.next().or_else(|| of(number, told, &mut early)) {
                    match next {
                        Told::Case(report) => {
                            reported += 1;
                            self.case(*report)?;
                        }
                        Told::End(end, stopped) => {
                            self.suite.add(&end);
                            self.suite.stopped = self.suite.stopped.take().or(stopped);
                            break;
                        }
                        Told::Failed(error) => return Err(error),
                    }
                }
            }
            self.leave_out(number, reported)?;
        }
        Ok(())
    }

    /// Reports the cases of a batch that were not run.
    fn leave_out(&mut self, number: usize, reported: usize) -> Result<(), SessionError> {
        for loaded in self.batches[number].iter().skip(reported) {
            let reason = self.suite.stopped.clone();
            let reason = reason.unwrap_or_else(|| "its turn never came".to_owned());
            let report = self.suite.not_run(loaded, reason);
            self.case(report)?;
        }
        Ok(())
    }

    fn case(&mut self, report: CaseReport) -> Result<(), SessionError> {
        self.suite.count(&report);
        Ok(self.listener.case(report)?)
    }
}

/// The next message about a batch; those about others are kept. `None`: all senders are gone.
fn of(
    number: usize,
    told: &Receiver<(usize, Told)>,
    early: &mut BTreeMap<usize, Vec<Told>>,
) -> Option<Told> {
    loop {
        let (of, what) = told.recv().ok()?;
        if of == number {
            return Some(what);
        }
        early.entry(of).or_default().push(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_of_a_kind_come_together_and_then_suites() {
        let cases = [(2, "a"), (1, "b"), (2, "b"), (2, "a"), (1, "b")];
        let batches = grouped(cases.into_iter().zip(0..));
        assert_eq!(batches, [vec![0, 3], vec![2], vec![1, 4]]);
    }
}
