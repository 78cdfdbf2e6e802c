//! A case under control: one vCPU runs at a time, and a strategy chooses the next at each stop.
//!
//! The machine is a fork of an image whose clocks count instructions, so nothing of the host is left in it:
//! the same image, case and answers of the strategy give the same machine, to the bit. What makes it so:
//! exactly one vCPU runs at any time; control passes only where the guest itself has reached a stop point
//! (never because of the host's time); mailbox and buffers are looked at where the module is about to ring
//! the doorbell, not when the ring is heard; and while all vCPUs are idle the one whose timer comes first
//! runs.

mod course;

use std::sync::atomic::{AtomicU32, Ordering};

use relaybed_guest::Progress;
use relaybed_vmm::{Deadline, Event, Exit, Machine};

use super::console::Console;
use super::error::{Cause, Ended, SessionError};
use super::exchange::setting;
use super::image::ReadyImage;
use super::landmarks::Landmarks;
use super::logs::Logs;
use super::plan::Plan;
use super::ram::View;
use super::stops::Stops;
use super::suite::CONSOLE_LINES;
use crate::symbols::Symbols;
use course::Course;
use relaybed_case::Case;
use relaybed_case::evidence::{Evidence, Planted};
use relaybed_case::trace::Trace;
use relaybed_search::schedule::Strategy;
use relaybed_wire::observe::Mailbox;
use relaybed_wire::program;

/// Timer interrupts without anything else after which a run is stuck: some 20 s of the guest's time.
const TICKS_MAX: u32 = 5000;

/// The machine that was planned cannot be controlled.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "vCPUs can be controlled only on QEMU's translator, where the guest's clocks follow its instructions, and \
     the plan is {backend} {accel}; use --backend qemu --accel tcg"
)]
pub struct NoControl {
    /// The backend.
    pub backend: &'static str,
    /// The accelerator.
    pub accel: &'static str,
}

/// Why a run under control cannot continue.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Stuck {
    /// No vCPU makes progress.
    #[error(
        "vCPU {vcpu} took {TICKS_MAX} timer interrupts and reached no other stop point ({stands})"
    )]
    Ticks {
        /// The vCPU.
        vcpu: u32,
        /// Where all vCPUs are.
        stands: String,
    },
    /// A vCPU does not even take its timer interrupt. When that is noticed depends on the host.
    #[error("vCPU {vcpu} reached no stop point within {seconds} s (wall clock; {stands})")]
    Host {
        /// The vCPU.
        vcpu: u32,
        /// How long it was waited for.
        seconds: u64,
        /// Where all vCPUs are.
        stands: String,
    },
    /// vCPUs come to places, and no actor to its next operation.
    #[error("no actor came to its next operation in {seconds} s of the host's time ({stands})")]
    Endless {
        /// How long it was waited for.
        seconds: u64,
        /// Where all vCPUs stand.
        stands: String,
    },
    /// No vCPU has work, and no timer will ever give one some.
    #[error("all vCPUs are idle and none has a timer ({stands})")]
    Asleep {
        /// Where all vCPUs are.
        stands: String,
    },
    /// The machine is gone; its next event says how.
    #[error("the machine ended")]
    Ended,
}

/// A guest whose forks run under control.
#[derive(Debug)]
pub struct Controlled<'a> {
    plan: &'a Plan,
    image: std::sync::Arc<ReadyImage>,
    symbols: std::sync::Arc<Symbols>,
    forks: AtomicU32,
}

/// What a run under control came to.
#[derive(Debug)]
pub struct Driven {
    /// As of any run.
    pub evidence: Evidence,
    /// Who stopped where, and who went on.
    pub trace: Trace,
    /// A digest of the machine at its end, RAM and registers, if requested.
    pub digest: Option<String>,
}

/// Why there is no evidence of a run, and how far it got.
#[derive(Debug)]
pub struct Undriven {
    /// Why.
    pub ended: Ended,
    /// Up to there.
    pub trace: Trace,
    /// The console's last lines.
    pub console: Vec<String>,
}

impl<'a> Controlled<'a> {
    /// The plan's image of a machine with `vcpus` vCPUs and its symbols, from the cache or made.
    ///
    /// # Errors
    /// [`NoControl`] unless the plan is for QEMU's translator with the instruction clock; else what keeps
    /// the image from being had.
    pub fn obtain(
        plan: &'a Plan,
        vcpus: u32,
        progress: &dyn Progress,
    ) -> Result<Self, SessionError> {
        let image = plan.image(vcpus, progress)?;
        let image = image.filter(|_| plan.is_controllable()).ok_or(NoControl {
            backend: plan.backend(),
            accel: plan.accel(),
        })?;
        let symbols = plan.symbols(&image, progress)?;
        Ok(Self {
            plan,
            image,
            symbols,
            forks: AtomicU32::new(0),
        })
    }

    /// The symbols of its kernel.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Number of vCPUs of its forks.
    #[must_use]
    pub fn vcpus(&self) -> u32 {
        self.image.vcpus()
    }

    /// How many machines were forked for runs so far.
    #[must_use]
    pub fn forks(&self) -> u32 {
        self.forks.load(Ordering::Relaxed)
    }

    /// Why it cannot stop at these places, if it cannot.
    #[must_use]
    pub fn lacks(&self, stops: &Stops) -> Option<String> {
        stops.lacking(&self.symbols)
    }

    /// Why these places are no instructions of its kernel, if one is not: looked at in a fork.
    ///
    /// # Errors
    /// When no machine can be had.
    pub fn cuts(&self, stops: &Stops) -> Result<Option<String>, SessionError> {
        if stops.code.iter().all(|stop| stop.offset == 0) {
            return Ok(None);
        }
        let dir = Logs::make(None)?;
        let mut machine = self.image.fork(self.plan, dir.path())?;
        let mut debugger = machine.pause()?.debug()?;
        let mut text = |address, len| debugger.read(0, address, len).ok();
        Ok(stops.inside(&self.symbols, &mut text))
    }

    /// Runs a case on a fork of its own. The strategy is asked from the first operation on; all actors are
    /// at theirs then, or about to come there.
    ///
    /// # Errors
    /// The outer one if there is no machine; the inner one if the case did not finish.
    pub fn run(
        &self,
        case: &Case,
        plant: Option<Planted>,
        stops: (&Stops, bool),
        strategy: &mut dyn Strategy,
    ) -> Result<Result<Driven, Undriven>, SessionError> {
        let mut once = Once {
            strategy: Some(strategy),
            driven: None,
        };
        let ended = self.series(case, plant, stops, &mut once)?;
        Ok(match (ended, once.driven) {
            (Some(undriven), _) => Err(undriven),
            (None, Some(driven)) => Ok(driven),
            // A series of one that had a strategy ends with the one or the other.
            (None, None) => Err(Undriven {
                ended: Ended {
                    cause: Cause::Stuck(Stuck::Ended),
                    evidence: None,
                },
                trace: Trace::default(),
                console: Vec::new(),
            }),
        })
    }

    /// Runs a case again and again on one fork, until the series has no more strategies or a run does not come to
    /// its end, which is given then. Between two runs nothing but the second one's program is written: the same
    /// image, case and answers of all strategies give the same runs.
    ///
    /// # Errors
    /// When no machine can be had.
    pub fn series(
        &self,
        case: &Case,
        plant: Option<Planted>,
        (stops, digest): (&Stops, bool),
        series: &mut dyn Series,
    ) -> Result<Option<Undriven>, SessionError> {
        let dir = Logs::make(self.plan.kept_logs())?;
        let mut machine = self.image.fork(self.plan, dir.path())?;
        self.forks.fetch_add(1, Ordering::Relaxed);
        let mut console = Console::new(machine.spec().console_path(), self.plan.show_console());
        let mailbox = Mailbox::attach(&View(machine.ram()), self.image.mailbox())?;
        let landmarks = Landmarks::find(&self.symbols, &View(machine.ram()))?;
        let setting = setting(self.plan, &mailbox);
        let mut trace = Trace::default();
        let ended = |cause| Ended {
            cause,
            evidence: None,
        };
        let outcome: Result<(), Ended> = (|| {
            let mut program = program::compile(case, plant).map_err(|e| ended(e.into()))?;
            program.announce_steps();
            let paused = machine.pause().map_err(|e| ended(e.into()))?;
            let debugger = paused.debug().map_err(|e| ended(e.into()))?;
            let mut course = Course::new(
                debugger,
                (&landmarks, &self.symbols, stops),
                (&mailbox, case, &program),
                (self.vcpus(), self.plan.deadline()),
            );
            while let Some(strategy) = series.strategy() {
                console.mark();
                trace = Trace::default();
                let driven = course.drive(strategy, &mut trace, console.crash_watch());
                console.show();
                let taken = course.take(driven, (&setting, plant), &console, digest);
                let (mut evidence, digest) = taken.map_err(|mut ended| {
                    if let Some(evidence) = &mut ended.evidence {
                        evidence.trace = Some(trace.clone());
                    }
                    ended
                })?;
                evidence.trace = Some(trace.clone());
                series.ran(Driven {
                    evidence,
                    trace: std::mem::take(&mut trace),
                    digest,
                });
            }
            Ok(())
        })();
        let Err(mut ended) = outcome else {
            return Ok(None);
        };
        if matches!(ended.cause, Cause::Stuck(Stuck::Ended))
            && let Some(exit) = end_of(&mut machine, self.plan.deadline())
        {
            ended.cause = Cause::Died(exit);
        }
        Ok(Some(Undriven {
            ended,
            trace,
            console: console.excerpt(CONSOLE_LINES),
        }))
    }
}

/// Runs that follow one another on one machine.
pub trait Series {
    /// What chooses vCPUs in the next run; `None`: there is no next run.
    fn strategy(&mut self) -> Option<&mut dyn Strategy>;

    /// Takes what that run came to.
    fn ran(&mut self, driven: Driven);
}

/// One run.
struct Once<'s> {
    strategy: Option<&'s mut dyn Strategy>,
    driven: Option<Driven>,
}

impl Series for Once<'_> {
    fn strategy(&mut self) -> Option<&mut dyn Strategy> {
        self.strategy.take().map(|strategy| strategy as _)
    }

    fn ran(&mut self, driven: Driven) {
        self.driven = Some(driven);
    }
}

/// How a machine ended, after the rings that were not taken.
fn end_of(machine: &mut Machine, deadline: Deadline) -> Option<Exit> {
    loop {
        match machine.next_event(deadline).ok()? {
            Event::Exit(exit) => return Some(exit),
            Event::Doorbell(_) => {}
            Event::Deadline(_) => return None,
        }
    }
}
