//! A case under control: one vCPU runs at a time, and a strategy says which goes on at each stop.
//!
//! The machine is a fork of an image whose clocks count instructions, so nothing of the host is left in it:
//! the same image, case and answers of the strategy give the same machine, to the bit. What makes it so:
//! exactly one vCPU runs at any time; control passes only where the guest itself has come to a place
//! (never because of the host's time); mailbox and buffers are looked at where the module is about to ring
//! the doorbell, not when the ring is heard; and while all vCPUs are idle the one whose timer comes first
//! goes on.

use std::time::{Duration, Instant};

use relaybed_guest::Progress;
use relaybed_vmm::{Debugger, Halted, Interrupts, signals};

use super::console::Console;
use super::error::{Cause, Ended, SessionError};
use super::image::ReadyImage;
use super::landmarks::{Landmark, Landmarks};
use super::plan::Plan;
use super::ram::View;
use super::session::{evidence, logs, look_at_checkpoint, put, refusal, setting};
use super::symbols;
use crate::case::Case;
use crate::evidence::{Evidence, Observation, Planted, Setting};
use crate::observe::{self, Mailbox};
use crate::program::{self, Program};
use crate::schedule::{Choice, Place, Step, Stop, Strategy, Trace, default_next};
use crate::symbols::Symbols;

/// Timer interrupts without anything else after which a run is stuck: some 20 s of the guest's time.
const TICKS_MAX: u32 = 5000;
/// Timer interrupts in a row that a vCPU may take while others have work: after that it waits for them.
const TICKS_IN_A_ROW: u32 = 4;
/// Turns of a spinning loop, with nobody else to go on, before its end is awaited without stops.
const TURNS_MAX: u32 = 3;

/// The machine that was planned cannot be controlled.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "vCPUs can be controlled on QEMU's translator only, the plan is {backend} {accel}: only there do the \
     guest's clocks follow its instructions; use --backend qemu --accel tcg"
)]
pub struct NoControl {
    /// The backend.
    pub backend: &'static str,
    /// The accelerator.
    pub accel: &'static str,
}

/// Why a run under control does not go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Stuck {
    /// Nobody comes anywhere.
    #[error("vCPU {vcpu} took {TICKS_MAX} timer interrupts and came to no other place ({stands})")]
    Ticks {
        /// The vCPU.
        vcpu: u32,
        /// Where all vCPUs stand.
        stands: String,
    },
    /// A vCPU comes not even to its timer interrupt. When that is noticed is the host's matter.
    #[error("vCPU {vcpu} came to no place in {seconds} s of the host's time ({stands})")]
    Host {
        /// The vCPU.
        vcpu: u32,
        /// How long it was waited for.
        seconds: u64,
        /// Where all vCPUs stand.
        stands: String,
    },
    /// No vCPU has work, and no timer will ever give one some.
    #[error("all vCPUs are idle and none has a timer ({stands})")]
    Asleep {
        /// Where all vCPUs stand.
        stands: String,
    },
}

/// A guest whose forks run under control.
#[derive(Debug)]
pub struct Controlled<'a> {
    plan: &'a Plan,
    image: std::rc::Rc<ReadyImage>,
    symbols: Symbols,
}

/// What a run under control came to.
#[derive(Debug)]
pub struct Driven {
    /// As of any run.
    pub evidence: Evidence,
    /// Who stopped where, and who went on.
    pub trace: Trace,
    /// One word for the machine at its end, RAM and registers, if it was wished for.
    pub digest: Option<String>,
}

/// Why there is no evidence of a run, and how far it came.
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
        let symbols = symbols::obtain(plan, &image, progress)?;
        Ok(Self {
            plan,
            image,
            symbols,
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

    /// Runs a case on a fork of its own.
    ///
    /// # Errors
    /// The outer one when no machine can be had; the inner one when the case did not come to its end.
    pub fn run(
        &self,
        case: &Case,
        plant: Option<Planted>,
        digest: bool,
        strategy: &mut dyn Strategy,
    ) -> Result<Result<Driven, Undriven>, SessionError> {
        let dir = logs()?;
        let mut machine = self.image.fork(self.plan, dir.path())?;
        let mut console = Console::new(machine.spec().console_path(), self.plan.show_console());
        console.mark();
        let mailbox = Mailbox::attach(&View(machine.ram()), self.image.mailbox())?;
        let landmarks = Landmarks::find(&self.symbols, &View(machine.ram()))?;
        let setting = setting(self.plan, &mailbox);
        let mut trace = Trace::default();
        let ended = |cause| Ended {
            cause,
            evidence: None,
        };
        let outcome = (|| {
            let mut program = program::compile(case, plant).map_err(|e| ended(e.into()))?;
            program.announce_steps();
            let mut paused = machine.pause().map_err(|e| ended(e.into()))?;
            put(&mut paused, &mailbox, &program).map_err(ended)?;
            let debugger = paused.debug().map_err(|e| ended(e.into()))?;
            let vcpus = vec![Vcpu::default(); self.vcpus() as usize];
            let mut run = Run {
                debugger,
                vcpus,
                landmarks: &landmarks,
                symbols: &self.symbols,
                mailbox: &mailbox,
                case,
                program: &program,
                observations: Vec::new(),
                limit: self.plan.deadline().idle,
                ticks: 0,
                in_a_row: (0, 0),
            };
            let driven = run.drive(strategy, &mut trace);
            console.show();
            run.take(driven, (&setting, plant), &console, digest)
        })();
        Ok(match outcome {
            Ok((evidence, digest)) => Ok(Driven {
                evidence,
                trace,
                digest,
            }),
            Err(ended) => Err(Undriven {
                ended,
                trace,
                console: machine.console_tail(20).unwrap_or_default(),
            }),
        })
    }
}

/// What is known of a standing vCPU.
#[derive(Clone, Copy, Debug, Default)]
struct Vcpu {
    /// It was about to idle.
    idle: bool,
    /// It made a turn of a spinning loop, and nobody has gone on since.
    spins: bool,
}

/// One run.
struct Run<'a, 'm> {
    debugger: Debugger<'m>,
    vcpus: Vec<Vcpu>,
    landmarks: &'a Landmarks,
    symbols: &'a Symbols,
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
}

/// What a vCPU that went on has come to.
enum Seen {
    Place(Place),
    Bell,
}

impl Run<'_, '_> {
    /// Lets vCPUs go on, one at a time, until the module is about to tell that the program is through.
    fn drive(&mut self, strategy: &mut dyn Strategy, trace: &mut Trace) -> Result<(), Cause> {
        self.debugger.ignore_doorbell();
        for (address, _) in self.landmarks.iter() {
            self.debugger.set_breakpoint(address)?;
        }
        let mut vcpu = 0;
        // Up to the first operation the guest unpacks the request: no matter for a schedule.
        let mut begun = false;
        loop {
            if signals::interrupted().is_some() {
                return Err(Cause::Interrupted);
            }
            let place = match self.go(vcpu)? {
                Seen::Place(place) => place,
                Seen::Bell if self.answer()? => return Ok(()),
                Seen::Bell => continue,
            };
            begun |= matches!(place, Place::Operation { .. });
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
                vcpu = in_turn(&choice);
            }
        }
    }

    /// Lets one vCPU go on until it comes to a place.
    fn go(&mut self, vcpu: u32) -> Result<Seen, Cause> {
        let mut turns = 0;
        loop {
            let began = Instant::now();
            let halted = self.debugger.run(vcpu, self.limit)?;
            for other in &mut self.vcpus {
                other.spins = false;
            }
            let address = match halted {
                Halted::Breakpoint { address } => address,
                Halted::Watchpoint { .. } | Halted::Doorbell => continue,
                Halted::Ended => return Err(self.died()),
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
            let Some(landmark) = self.landmarks.at(address) else {
                continue;
            };
            self.state(vcpu).idle = landmark == Landmark::Idle;
            let place = match landmark {
                Landmark::Bell => return Ok(Seen::Bell),
                Landmark::Idle => Place::Idle,
                Landmark::Tick => self.tick(vcpu)?,
                Landmark::Step => {
                    self.ticks = 0;
                    let registers = self.debugger.registers(vcpu)?;
                    // The calling convention's first two arguments, of 32 bits each.
                    let [actor, op] = [registers.general[5], registers.general[4]]
                        .map(|word| u32::try_from(word & 0xffff_ffff).unwrap_or(0));
                    Place::Operation { actor, op }
                }
                Landmark::Spin => {
                    self.state(vcpu).spins = true;
                    turns += 1;
                    if turns < TURNS_MAX && self.enabled()? == [vcpu] {
                        continue;
                    }
                    if turns >= TURNS_MAX {
                        self.spin_out(true)?;
                        continue;
                    }
                    Place::Waits
                }
            };
            if turns >= TURNS_MAX {
                self.spin_out(false)?;
            }
            if landmark != Landmark::Tick {
                self.in_a_row = (vcpu, 0);
            }
            return Ok(Seen::Place(place));
        }
    }

    /// A timer interrupt: of a vCPU that works, or of one that waits in a loop that is not known to.
    fn tick(&mut self, vcpu: u32) -> Result<Place, Cause> {
        self.ticks += 1;
        if self.ticks > TICKS_MAX {
            let stands = self.stands();
            return Err(Cause::Stuck(Stuck::Ticks { vcpu, stands }));
        }
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
            if state.spins {
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

    /// What the module is about to ring for: whether the program is through. A checkpoint is served.
    fn answer(&mut self) -> Result<bool, Cause> {
        let paused = self.debugger.paused()?;
        let now = self.mailbox.handshake(&View(paused.ram()))?;
        if now.done_seq == now.request_seq {
            refusal(&now)?;
            return Ok(true);
        }
        let seen = look_at_checkpoint(paused, self.mailbox, self.case, self.program)?;
        self.observations.push(seen);
        Ok(false)
    }

    /// Takes the evidence, and the machine's digest if it is wished for.
    fn take(
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

    /// How a machine that is gone has ended.
    fn died(&self) -> Cause {
        Cause::Stuck(Stuck::Asleep {
            stands: "the machine has ended".to_owned(),
        })
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

/// Who goes on before a schedule begins: whoever runs, until a timer interrupt or a wait.
fn in_turn(choice: &Choice<'_>) -> u32 {
    match choice.stop.place {
        Place::Tick | Place::Waits => next_in_ring(choice),
        _ => default_next(choice),
    }
}

/// The next enabled vCPU behind the one that stopped, around the ring.
fn next_in_ring(choice: &Choice<'_>) -> u32 {
    let behind = choice.enabled.iter().find(|vcpu| **vcpu > choice.stop.vcpu);
    let next = behind.or_else(|| choice.enabled.first());
    next.copied().unwrap_or(choice.stop.vcpu)
}
