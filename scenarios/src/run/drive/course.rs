//! The course of one run: which vCPU runs, up to where, and what is seen there.

mod enabled;
mod places;
mod taking;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use relaybed_vmm::{Access, Deadline, Debugger, Halted, signals};

use super::Stuck;
use crate::run::crash::CrashWatch;
use crate::run::error::Cause;
use crate::run::exchange::put;
use crate::run::landmarks::{Landmark, Landmarks};
use crate::run::ram::View;
use crate::run::stops::{CodeStop, Stops};
use crate::run::watched::Watched;
use crate::symbols::Symbols;
use relaybed_case::Case;
use relaybed_case::evidence::Observation;
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::Choice;
use relaybed_case::trace::{Step, Trace};
use relaybed_search::schedule::{InTurn, Strategy, default_next};
use relaybed_wire::observe::Mailbox;
use relaybed_wire::program::Program;

/// Timer interrupts in a row that a vCPU may take while others have work: after that it waits for them.
const TICKS_IN_A_ROW: u32 = 4;
/// Places that a vCPU may come by while it answers an interrupt.
const ANSWER_HALTS_MAX: u32 = 100;
/// Turns of a spinning loop, with no other vCPU to run, before its end is awaited without stops.
const TURNS_MAX: u32 = 3;

/// What is known of a standing vCPU.
#[derive(Clone, Copy, Debug, Default)]
struct Vcpu {
    /// It was about to idle.
    idle: bool,
    /// Another one stopped it for good.
    stopped: bool,
    /// It made a turn of a spinning loop, and no other vCPU has run since.
    spins: bool,
    /// It is on its way from the start of a function to one of its instructions.
    inside: Option<Inside>,
}

/// How far a vCPU has come in a function.
#[derive(Clone, Copy, Debug)]
struct Inside {
    start: u64,
    instructions: u32,
}

/// One run of a case.
pub(super) struct Course<'a, 'm> {
    debugger: Debugger<'m>,
    vcpus: Vec<Vcpu>,
    landmarks: &'a Landmarks,
    symbols: &'a Symbols,
    stops: &'a Stops,
    /// Instructions that are places, by address.
    code: BTreeMap<u64, &'a CodeStop>,
    watched: Watched<'a>,
    mailbox: &'a Mailbox,
    case: &'a Case,
    program: &'a Program,
    observations: Vec<Observation>,
    /// Longest time of the host's that a vCPU may run without coming anywhere.
    limit: Duration,
    /// Longest time of the host's in which no actor comes to an operation.
    patience: Duration,
    /// Timer interrupts since an actor came to an operation.
    ticks: u32,
    /// Timer interrupts of one vCPU without another stop between.
    in_a_row: (u32, u32),
    /// The vCPU that ran last.
    last: u32,
    crash: CrashWatch,
    /// When an actor came to an operation.
    moved: Instant,
}

/// Which stop point a vCPU that was resumed has reached.
enum Seen {
    Place(Place),
    Bell,
}

impl<'a, 'm> Course<'a, 'm> {
    /// A run that starts from the machine as it is, with the program in its mailbox.
    pub(super) fn new(
        mut debugger: Debugger<'m>,
        (landmarks, symbols, stops): (&'a Landmarks, &'a Symbols, &'a Stops),
        (mailbox, case, program): (&'a Mailbox, &'a Case, &'a Program),
        (vcpus, deadline): (u32, Deadline),
    ) -> Self {
        debugger.ignore_doorbell();
        let address = |stop: &CodeStop| Some(symbols.named(&stop.symbol).first()? + stop.offset);
        let at = |stop: &'a CodeStop| Some((address(stop)?, stop));
        Self {
            debugger,
            vcpus: vec![Vcpu::default(); vcpus as usize],
            landmarks,
            symbols,
            stops,
            code: stops.code.iter().filter_map(at).collect(),
            watched: Watched::new(symbols, mailbox),
            mailbox,
            case,
            program,
            observations: Vec::new(),
            limit: deadline.idle,
            patience: deadline.busy,
            ticks: 0,
            in_a_row: (0, 0),
            last: 0,
            crash: CrashWatch::default(),
            moved: Instant::now(),
        }
    }

    /// Sends the program and lets vCPUs run, one at a time, until the module is about to report that it is
    /// through.
    pub(super) fn drive(
        &mut self,
        strategy: &mut dyn Strategy,
        trace: &mut Trace,
        crash: CrashWatch,
    ) -> Result<(), Cause> {
        self.crash = crash;
        // The channels of the run before are about to be closed.
        self.watched.clear(&mut self.debugger)?;
        self.observations.clear();
        (self.ticks, self.in_a_row, self.moved) = (0, (0, 0), Instant::now());
        self.vcpus.iter_mut().for_each(|vcpu| vcpu.inside = None);
        put(self.debugger.paused()?, self.mailbox, self.program)?;
        self.set_points()?;
        let mut vcpu = self.last;
        let mut before = InTurn::plain();
        // Up to the first operation the guest unpacks the request: no matter for a schedule.
        let mut begun = false;
        loop {
            if signals::interrupted().is_some() {
                return Err(Cause::Interrupted);
            }
            self.check_alive()?;
            self.last = vcpu;
            let seen = self.go(vcpu);
            trace.accesses.extend(self.watched.take(trace.steps.len()));
            let place = match seen? {
                Seen::Place(place) => place,
                Seen::Bell if self.answer()? => return Ok(()),
                Seen::Bell => continue,
            };
            if matches!(place, Place::Operation { .. }) {
                begun = true;
                if self.stops.recorded {
                    self.watched.update(&mut self.debugger, self.case)?;
                }
            }
            let stop = Stop { vcpu, place };
            let enabled = self.enabled()?;
            let choice = Choice {
                index: trace.steps.len(),
                stop: &stop,
                enabled: &enabled,
            };
            if begun {
                let chosen = strategy.choose(&choice);
                let possible = enabled.contains(&chosen);
                vcpu = if possible {
                    chosen
                } else {
                    default_next(&choice)
                };
                let order = self.mailbox.order(&View(self.debugger.paused()?.ram()))?;
                let step = Step::of(&choice, vcpu);
                trace.steps.push(Step { order, ..step });
            } else {
                vcpu = before.choose(&choice);
            }
        }
    }

    /// Those that are set already stay.
    fn set_points(&mut self) -> Result<(), Cause> {
        for (address, landmark) in self.landmarks.iter() {
            if landmark != Landmark::Tick || !self.stops.recorded {
                self.debugger.set_breakpoint(address)?;
            }
        }
        self.debugger
            .set_watchpoint(self.mailbox.stop_word(), 8, Access::Write)?;
        for address in self.code.keys().copied().collect::<Vec<_>>() {
            self.debugger.set_breakpoint(address)?;
        }
        Ok(())
    }

    /// Whether there is anything to wait for.
    fn check_alive(&mut self) -> Result<(), Cause> {
        self.check_oops()?;
        let waited = self.moved.elapsed();
        if waited <= self.patience {
            return Ok(());
        }
        Err(Cause::Stuck(Stuck::Endless {
            seconds: waited.as_secs(),
            stands: self.stands(),
        }))
    }

    /// Whether the kernel has not oopsed.
    fn check_oops(&mut self) -> Result<(), Cause> {
        let oops = self.crash.oops();
        oops.map_or(Ok(()), |line| Err(Cause::Crashed(line.to_owned())))
    }

    /// Lets one vCPU run until it reaches a stop point.
    fn go(&mut self, vcpu: u32) -> Result<Seen, Cause> {
        if let Some(place) = self.further_inside(vcpu)? {
            return Ok(Seen::Place(place));
        }
        let mut turns = 0;
        let seen = loop {
            let began = Instant::now();
            let halted = self.debugger.run(vcpu, self.limit)?;
            for other in &mut self.vcpus {
                other.spins = false;
            }
            self.state(vcpu).idle = false;
            let seen = match halted {
                Halted::Breakpoint { address } => self.landmark(vcpu, address)?,
                Halted::Watchpoint { address } if address == self.mailbox.stop_word() => {
                    self.told(vcpu)?
                }
                Halted::Watchpoint { address } => self.accessed(vcpu, address)?.map(Seen::Place),
                Halted::Doorbell => None,
                Halted::Ended => return Err(Cause::Stuck(Stuck::Ended)),
                Halted::Budget => {
                    self.check_oops()?;
                    let seconds = began.elapsed().as_secs();
                    let stands = self.stands();
                    return Err(Cause::Stuck(Stuck::Host {
                        vcpu,
                        seconds,
                        stands,
                    }));
                }
            };
            let Some(seen) = seen else {
                self.check_alive()?;
                continue;
            };
            if !self.state(vcpu).spins || matches!(seen, Seen::Place(Place::Tick)) {
                break seen;
            }
            if self.stops.answering && self.have_answered(vcpu)? {
                continue;
            }
            // No other vCPU can end its wait: then something else will, in time.
            if self.enabled()? != [vcpu] {
                break seen;
            }
            turns += 1;
            if turns == TURNS_MAX {
                self.spin_out(true)?;
            }
        };
        if turns >= TURNS_MAX {
            self.spin_out(false)?;
        }
        if !matches!(seen, Seen::Place(Place::Tick)) {
            self.in_a_row = (vcpu, 0);
        }
        Ok(seen)
    }

    fn state(&mut self, vcpu: u32) -> &mut Vcpu {
        &mut self.vcpus[vcpu as usize]
    }

    /// Where every vCPU is, for a person.
    fn stands(&mut self) -> String {
        let vcpus = u32::try_from(self.vcpus.len()).unwrap_or(0);
        let at = |vcpu| {
            let rip = self.debugger.registers(vcpu).ok()?.rip;
            let (name, offset) = self.symbols.at(rip)?;
            Some(format!("vCPU {vcpu} at {name}+{offset:#x}"))
        };
        let all: Vec<String> = (0..vcpus)
            .map(at)
            .map(|at| at.unwrap_or_else(|| "a vCPU outside the kernel".to_owned()))
            .collect();
        all.join(", ")
    }
}
