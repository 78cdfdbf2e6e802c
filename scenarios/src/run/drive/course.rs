//! The course of one run: who goes on, up to where, and what is seen there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use relaybed_vmm::{Access, Answer, Debugger, Halted, Interrupts, signals};

use super::{Stuck, TICKS_MAX};
use crate::run::console::Console;
use crate::run::error::{Cause, Ended};
use crate::run::exchange::{evidence, look_at_checkpoint, put, refusal, send_nmi};
use crate::run::landmarks::{Landmark, Landmarks};
use crate::run::ram::View;
use crate::run::stops::{CodeStop, Stops, Watched};
use crate::symbols::Symbols;
use relaybed_case::Case;
use relaybed_case::evidence::{Evidence, Observation, Planted, Setting};
use relaybed_case::place::{Place, Stop};
use relaybed_case::trace::Choice;
use relaybed_case::trace::{Step, Trace};
use relaybed_search::schedule::{InTurn, Strategy, default_next};
use relaybed_wire::observe::{self, Mailbox, Told};
use relaybed_wire::program::Program;

/// Timer interrupts in a row that a vCPU may take while others have work: after that it waits for them.
const TICKS_IN_A_ROW: u32 = 4;
/// Places that a vCPU may come by while it answers an interrupt.
const ANSWER_HALTS_MAX: u32 = 100;
/// Turns of a spinning loop, with nobody else to go on, before its end is awaited without stops.
const TURNS_MAX: u32 = 3;

/// What is known of a standing vCPU.
#[derive(Clone, Copy, Debug, Default)]
struct Vcpu {
    /// It was about to idle.
    idle: bool,
    /// Another one stopped it for good.
    stopped: bool,
    /// It made a turn of a spinning loop, and nobody has gone on since.
    spins: bool,
    /// It is on its way from the begin of a function to one of its instructions.
    inside: Option<Inside>,
}

/// How far a vCPU has come in a function.
#[derive(Clone, Copy, Debug)]
struct Inside {
    begin: u64,
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
    watched: Watched,
    mailbox: &'a Mailbox,
    case: &'a Case,
    program: &'a Program,
    observations: Vec<Observation>,
    /// Longest time of the host's that a vCPU may run without coming anywhere.
    limit: Duration,
    /// Timer interrupts since an actor came to an operation.
    ticks: u32,
    /// Timer interrupts of one vCPU without another stop between.
    in_a_row: (u32, u32),
    /// The vCPU that ran last.
    last: u32,
}

/// What a vCPU that went on has come to.
enum Seen {
    Place(Place),
    Bell,
}

impl<'a, 'm> Course<'a, 'm> {
    /// A run that begins where the machine stands, with the program in its mailbox.
    pub(super) fn new(
        mut debugger: Debugger<'m>,
        (landmarks, symbols, stops): (&'a Landmarks, &'a Symbols, &'a Stops),
        (mailbox, case, program): (&'a Mailbox, &'a Case, &'a Program),
        (vcpus, limit): (u32, Duration),
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
            watched: Watched::default(),
            mailbox,
            case,
            program,
            observations: Vec::new(),
            limit,
            ticks: 0,
            in_a_row: (0, 0),
            last: 0,
        }
    }

    /// Sends the program and lets vCPUs go on, one at a time, until the module is about to tell that it is
    /// through.
    pub(super) fn drive(
        &mut self,
        strategy: &mut dyn Strategy,
        trace: &mut Trace,
    ) -> Result<(), Cause> {
        // The channels of the run before are about to be closed.
        self.watched.clear(&mut self.debugger)?;
        self.observations.clear();
        (self.ticks, self.in_a_row) = (0, (0, 0));
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
            self.last = vcpu;
            let place = match self.go(vcpu)? {
                Seen::Place(place) => place,
                Seen::Bell if self.answer()? => return Ok(()),
                Seen::Bell => continue,
            };
            if matches!(place, Place::Operation { .. }) {
                begun = true;
                let of = (self.mailbox, self.case);
                self.watched.update(&mut self.debugger, of, self.stops)?;
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
                trace.steps.push(Step::of(&choice, vcpu));
            } else {
                vcpu = before.choose(&choice);
            }
        }
    }

    /// Those that are set already stay.
    fn set_points(&mut self) -> Result<(), Cause> {
        for (address, landmark) in self.landmarks.iter() {
            if landmark != Landmark::Tick || !self.stops.accesses {
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

    /// Lets one vCPU go on until it comes to a place.
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
                Halted::Watchpoint { address } => {
                    let place = self.watched.met(&mut self.debugger, address)?;
                    place.map(Seen::Place)
                }
                Halted::Doorbell => None,
                Halted::Ended => return Err(Cause::Stuck(Stuck::Ended)),
                Halted::Budget => {
                    let seconds = began.elapsed().as_secs();
                    let stands = self.stands();
                    return Err(Cause::Stuck(Stuck::Host {
                        vcpu,
                        seconds,
                        stands,
                    }));
                }
            };
            let Some(seen) = seen else { continue };
            if !self.state(vcpu).spins || matches!(seen, Seen::Place(Place::Tick)) {
                break seen;
            }
            if self.stops.answering && self.have_answered(vcpu)? {
                continue;
            }
            // Nobody else can end its wait: then something that comes by itself will, in time.
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

    /// What a vCPU that stands before the instruction at this address has come to.
    fn landmark(&mut self, vcpu: u32, address: u64) -> Result<Option<Seen>, Cause> {
        let Some(landmark) = self.landmarks.at(address) else {
            return Ok(self.code_place(vcpu, address)?.map(Seen::Place));
        };
        Ok(Some(Seen::Place(match landmark {
            Landmark::Tick => self.tick(vcpu)?,
            Landmark::Stopped => {
                self.state(vcpu).stopped = true;
                Place::Idle
            }
            Landmark::Spin => {
                self.state(vcpu).spins = true;
                Place::Waits
            }
        })))
    }

    /// What the module says that a vCPU has come to.
    fn told(&mut self, vcpu: u32) -> Result<Option<Seen>, Cause> {
        let told = self.mailbox.told(&View(self.debugger.paused()?.ram()))?;
        Ok(match told {
            None => None,
            Some(Told::Bell) => Some(Seen::Bell),
            Some(Told::Operation { actor, op }) => {
                self.ticks = 0;
                Some(Seen::Place(Place::Operation { actor, op }))
            }
            Some(Told::Idle) => {
                self.state(vcpu).idle = true;
                if self.stops.accesses {
                    // It goes on at a timer interrupt, or because somebody woke it.
                    self.count_tick(vcpu)?;
                }
                Some(Seen::Place(Place::Idle))
            }
        })
    }

    /// The place that begins or is this instruction.
    fn code_place(&mut self, vcpu: u32, address: u64) -> Result<Option<Place>, Cause> {
        let Some(stop) = self.code.get(&address).copied() else {
            return Ok(None);
        };
        if stop.instructions == 0 {
            return Ok(Some(Place::Code {
                symbol: stop.symbol.clone(),
                offset: stop.offset,
            }));
        }
        self.state(vcpu).inside = Some(Inside {
            begin: address,
            instructions: 0,
        });
        self.further_inside(vcpu)
    }

    /// Steps a vCPU that is inside a function to the next of its places there.
    fn further_inside(&mut self, vcpu: u32) -> Result<Option<Place>, Cause> {
        let Some(inside) = self.state(vcpu).inside.take() else {
            return Ok(None);
        };
        let Some(begun) = self.code.get(&inside.begin).copied() else {
            return Ok(None);
        };
        let same = |stop: &&CodeStop| (&stop.symbol, stop.offset) == (&begun.symbol, begun.offset);
        let later = |stop: &&CodeStop| stop.instructions > inside.instructions;
        let stops = self.stops.code.iter().filter(same).filter(later);
        let Some(nth) = stops.map(|stop| stop.instructions).min() else {
            return Ok(None);
        };
        for _ in inside.instructions..nth {
            self.debugger.step(vcpu)?;
        }
        self.state(vcpu).inside = Some(Inside {
            instructions: nth,
            ..inside
        });
        Ok(Some(Place::Instruction {
            symbol: begun.symbol.clone(),
            nth,
        }))
    }

    /// A timer interrupt: of a vCPU that works, or of one that waits in a loop that is not known to.
    fn tick(&mut self, vcpu: u32) -> Result<Place, Cause> {
        self.count_tick(vcpu)?;
        let (of, count) = self.in_a_row;
        let count = if of == vcpu { count + 1 } else { 1 };
        if count < TICKS_IN_A_ROW {
            self.in_a_row = (vcpu, count);
            return Ok(Place::Tick);
        }
        self.in_a_row = (vcpu, 0);
        self.state(vcpu).spins = true;
        Ok(Place::Waits)
    }

    fn count_tick(&mut self, vcpu: u32) -> Result<(), Cause> {
        self.ticks += 1;
        if self.ticks > TICKS_MAX {
            let stands = self.stands();
            return Err(Cause::Stuck(Stuck::Ticks { vcpu, stands }));
        }
        Ok(())
    }

    /// Lets those that stand answer the interrupts that wait for them; whether anybody did.
    fn have_answered(&mut self, vcpu: u32) -> Result<bool, Cause> {
        let mut answered = false;
        for (other, state) in (0u32..).zip(self.vcpus.clone()) {
            if other == vcpu || state.idle || state.stopped {
                continue;
            }
            let landmarks = self.landmarks;
            let stops = |at| landmarks.at(at) == Some(Landmark::Stopped);
            let limits = (ANSWER_HALTS_MAX, self.limit);
            let answer = self.debugger.take_interrupts(other, limits, stops)?;
            self.state(other).stopped = answer == Answer::Left;
            answered |= answer == Answer::Took;
        }
        Ok(answered)
    }

    /// Clears the breakpoints in spinning loops, or sets them again.
    fn spin_out(&mut self, clear: bool) -> Result<(), Cause> {
        for (address, landmark) in self.landmarks.iter() {
            if landmark == Landmark::Spin {
                if clear {
                    self.debugger.clear_breakpoint(address)?;
                } else {
                    self.debugger.set_breakpoint(address)?;
                }
            }
        }
        Ok(())
    }

    /// vCPUs that have work, ascending. Where none has, the one whose timer comes first.
    fn enabled(&mut self) -> Result<Vec<u32>, Cause> {
        let mut enabled = Vec::new();
        let mut spinning = None;
        let mut sleeping: Option<(u64, u32)> = None;
        for (vcpu, state) in (0u32..).zip(self.vcpus.clone()) {
            if state.stopped {
                // Nothing wakes it.
            } else if state.spins {
                spinning = Some(vcpu);
            } else if !state.idle {
                enabled.push(vcpu);
            } else {
                let Interrupts { pending, timer } = self.debugger.interrupts(vcpu)?;
                if pending {
                    enabled.push(vcpu);
                } else if let Some(timer) = timer {
                    sleeping =
                        Some(sleeping.map_or((timer, vcpu), |least| least.min((timer, vcpu))));
                }
            }
        }
        if enabled.is_empty() {
            let next = spinning.or(sleeping.map(|(_, vcpu)| vcpu));
            let Some(next) = next else {
                let stands = self.stands();
                return Err(Cause::Stuck(Stuck::Asleep { stands }));
            };
            enabled.push(next);
        }
        Ok(enabled)
    }

    /// What the module is about to ring for: whether the program is through. What else it asks for is served.
    fn answer(&mut self) -> Result<bool, Cause> {
        let paused = self.debugger.paused()?;
        let now = self.mailbox.handshake(&View(paused.ram()))?;
        if now.done_seq == now.request_seq {
            refusal(&now)?;
            return Ok(true);
        }
        if now.is_at_checkpoint() {
            let seen = look_at_checkpoint(paused, self.mailbox, self.case, self.program)?;
            self.observations.push(seen);
        }
        if now.awaits_nmi() {
            send_nmi(paused, self.mailbox, self.case)?;
        }
        Ok(false)
    }

    /// Takes the evidence, and the machine's digest if it is wished for.
    pub(super) fn take(
        &mut self,
        driven: Result<(), Cause>,
        (setting, plant): (&Setting, Option<Planted>),
        console: &Console,
        digest: bool,
    ) -> Result<(Evidence, Option<String>), Ended> {
        let mut observations = std::mem::take(&mut self.observations);
        let gather = |run: &mut Self, observations| -> Result<Evidence, Cause> {
            let view = View(run.debugger.paused()?.ram());
            let parts = observe::evidence_parts(&view, run.mailbox, run.case)?;
            let console = console.since_mark();
            Ok(evidence(setting, plant, observations, parts, console))
        };
        let ended = |run: &mut Self, cause, observations| Ended {
            cause,
            evidence: gather(run, observations).ok().map(Box::new),
        };
        let last = driven.and_then(|()| {
            let view = View(self.debugger.paused()?.ram());
            Ok(observe::observation(
                &view,
                self.mailbox,
                self.case,
                None,
                None,
            )?)
        });
        let last = match last {
            Ok(last) => last,
            Err(cause) => return Err(ended(self, cause, observations)),
        };
        observations.push(last);
        let word = if digest {
            let word = self.debugger.digest().map_err(Cause::from);
            Some(word.map_err(|cause| Ended {
                cause,
                evidence: None,
            })?)
        } else {
            None
        };
        let evidence = gather(self, observations);
        let evidence = evidence.map_err(|cause| Ended {
            cause,
            evidence: None,
        })?;
        Ok((evidence, word))
    }

    fn state(&mut self, vcpu: u32) -> &mut Vcpu {
        &mut self.vcpus[vcpu as usize]
    }

    /// Where every vCPU stands, for a person.
    fn stands(&mut self) -> String {
        let vcpus = u32::try_from(self.vcpus.len()).unwrap_or(0);
        let at = |vcpu| {
            let rip = self.debugger.registers(vcpu).ok()?.rip;
            let (name, offset) = self.symbols.at(rip)?;
            Some(format!("vCPU {vcpu} at {name}+{offset:#x}"))
        };
        let all: Vec<String> = (0..vcpus)
            .map(at)
            .map(|at| at.unwrap_or_else(|| "one outside the kernel".to_owned()))
            .collect();
        all.join(", ")
    }
}
