//! One boot: from spawning the machine to its end, and every case run on it in between.

use std::path::Path;
use std::time::{Duration, Instant};

use relaybed_abi::{Decoder, Ring};
use relaybed_guest::Progress;
use relaybed_vmm::{Event, Machine, signals};

use super::console::Console;
use super::error::{Cause, Ended, SessionError};
use super::exchange::{await_ready, evidence, look_at_checkpoint, put, refusal, send_nmi, setting};
use super::image::ReadyImage;
use super::logs::Logs;
use super::plan::Plan;
use super::ram::View;
use relaybed_case::Case;
use relaybed_case::evidence::{Evidence, Observation, Planted, Setting};
use relaybed_wire::observe::{self, Mailbox, ObserveError, Parts};
use relaybed_wire::program::{self, Program};

/// Between two looks at a running machine's mailbox: fine beside what is measured by it.
const LOOK: Duration = Duration::from_micros(100);

/// A guest that is ready, and what is needed to talk with it. Dropping it ends the machine.
#[derive(Debug)]
pub struct Session {
    machine: Machine,
    mailbox: Mailbox,
    decoder: Decoder,
    deadline: relaybed_vmm::Deadline,
    setting: Setting,
    boot: Duration,
    console: Console,
    /// Whether it began as a fork of an image.
    forked: bool,
    // Holds the machine's console and log; removed after the machine has ended.
    _dir: Logs,
}

impl Session {
    /// A session of `vcpus` vCPUs as the plan wishes: forked off the image of an earlier boot, or booted.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn open(plan: &Plan, vcpus: u32, progress: &dyn Progress) -> Result<Self, SessionError> {
        match plan.image(vcpus, progress)? {
            Some(image) => Self::fork(plan, &image),
            None => Self::boot(plan, vcpus),
        }
    }

    /// Boots a machine of `vcpus` vCPUs and waits until its guest is ready.
    ///
    /// # Errors
    /// [`SessionError`], by how far it came.
    pub fn boot(plan: &Plan, vcpus: u32) -> Result<Self, SessionError> {
        let dir = Logs::make(plan.kept_logs())?;
        let mut machine = Machine::boot(plan.spec(dir.path(), vcpus))?;
        let mut console = Console::new(machine.spec().console_path(), plan.show_console());
        let address = await_ready(&mut machine, &mut Decoder::default(), &mut console)?;
        Self::attach(plan, (dir, machine, console), address, false)
    }

    /// Forks a machine of an image; its guest is ready at once.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn fork(plan: &Plan, image: &ReadyImage) -> Result<Self, SessionError> {
        let dir = Logs::make(plan.kept_logs())?;
        let machine = image.fork(plan, dir.path())?;
        let console = Console::new(machine.spec().console_path(), plan.show_console());
        Self::attach(plan, (dir, machine, console), image.mailbox(), true)
    }

    fn attach(
        plan: &Plan,
        (dir, machine, console): (Logs, Machine, Console),
        address: u64,
        forked: bool,
    ) -> Result<Self, SessionError> {
        let boot = machine.stats().spawned_at.elapsed();
        let mailbox = Mailbox::attach(&View(machine.ram()), address)?;
        let setting = setting(plan, &mailbox);
        let deadline = plan.deadline();
        Ok(Self {
            machine,
            mailbox,
            decoder: Decoder::default(),
            deadline,
            setting,
            boot,
            console,
            forked,
            _dir: dir,
        })
    }

    /// What this guest is, as evidence will say.
    #[must_use]
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// vCPUs that the machine was given.
    #[must_use]
    pub fn vcpus(&self) -> u32 {
        self.machine.spec().vcpus
    }

    /// From spawn to ready, in milliseconds.
    #[must_use]
    pub fn boot_ms(&self) -> f64 {
        self.boot.as_secs_f64() * 1000.0
    }

    /// Guest-physical address of the mailbox.
    pub(super) fn mailbox_address(&self) -> u64 {
        self.mailbox.address()
    }

    /// The machine itself.
    pub(super) fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// The folder of its console and log, which goes with the session.
    pub(super) fn log_dir(&self) -> &Path {
        &self.machine.spec().dir
    }

    /// Saves the machine, which resumes afterwards, as an image in `folder`.
    pub(super) fn snapshot(
        &mut self,
        folder: &Path,
        identity: &str,
        note: &str,
    ) -> Result<(), SessionError> {
        Ok(self.machine.pause()?.snapshot(folder, identity, note)?)
    }

    /// Figures of the machine.
    #[must_use]
    pub fn machine_stats(&self) -> relaybed_vmm::Stats {
        self.machine.stats()
    }

    /// Exits of vCPUs into our own process since the boot; `None` on a backend that does not say.
    #[must_use]
    pub fn exits(&self) -> Option<relaybed_vmm::ExitCounts> {
        self.machine.exit_counts()
    }

    /// Runs one case and gives its evidence.
    ///
    /// # Errors
    /// [`Ended`] if it did not finish. The session cannot be used any more.
    pub fn run(&mut self, case: &Case, plant: Option<Planted>) -> Result<Evidence, Ended> {
        let sent = self.start(case, plant)?;
        self.finish(case, sent, None).0
    }

    /// Sends a case to the guest, which starts on it at once; [`Self::finish`] waits for its end.
    ///
    /// # Errors
    /// [`Ended`] if it could not be sent. The session cannot be used any more.
    pub fn start(&mut self, case: &Case, plant: Option<Planted>) -> Result<Sent, Ended> {
        let ended = |cause| Ended {
            cause,
            evidence: None,
        };
        let program = program::compile(case, plant).map_err(|error| ended(error.into()))?;
        self.console.mark();
        let send = |machine: &mut Machine, mailbox: &Mailbox| -> Result<(), Cause> {
            let mut paused = machine.pause()?;
            put(&mut paused, mailbox, &program)?;
            Ok(paused.resume()?)
        };
        send(&mut self.machine, &self.mailbox).map_err(ended)?;
        Ok(Sent { program, plant })
    }

    /// Waits for the first operation of a case that was sent, by looking at the mailbox of the running machine.
    ///
    /// # Errors
    /// [`Cause`] if the mailbox is gone, or nothing started within the deadline.
    pub fn await_first_operation(&self, case: &Case) -> Result<(), Cause> {
        let ops = case.actors.iter().map(|actor| actor.ops.len()).sum();
        let until = Instant::now() + self.deadline.idle;
        while !observe::has_begun(&View(self.machine.ram()), &self.mailbox, ops)? {
            if signals::interrupted().is_some() {
                return Err(Cause::Interrupted);
            }
            if Instant::now() > until {
                let why = format!("no operation started within {:?}", self.deadline.idle);
                return Err(Cause::Agent(why));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Waits for the end of a case that was sent, and takes its evidence. In the same stop of the
    /// machine `next` is sent: the guest works on it while the evidence is judged.
    ///
    /// # Errors
    /// [`Ended`] if the case did not finish. The session cannot be used any more. The next one is
    /// `None` if there is none, if it cannot be sent, and after an error.
    pub fn finish(
        &mut self,
        case: &Case,
        sent: Sent,
        next: Option<(&Case, Option<Planted>)>,
    ) -> (Result<Evidence, Ended>, Option<Sent>) {
        // What cannot be compiled is reported when it is started.
        let next = next.and_then(|(case, plant)| {
            let program = program::compile(case, plant).ok()?;
            Some(Sent { program, plant })
        });
        let mut observations = Vec::new();
        let ended = self
            .follow(case, &sent.program, &mut observations)
            .and_then(|()| self.done(case, &sent, &mut observations, next));
        match ended {
            Ok((evidence, next)) => (Ok(evidence), next),
            Err(cause) => {
                let evidence = self.gather(case, sent.plant, observations).ok();
                let ended = Ended {
                    cause,
                    evidence: evidence.map(Box::new),
                };
                (Err(ended), None)
            }
        }
    }

    /// Runs a program that belongs to no case and has no checkpoints, and returns what it left. `counts` are
    /// the operations of each of its actors.
    ///
    /// # Errors
    /// [`Cause`] if it did not finish. The session cannot be used any more.
    pub fn perform(&mut self, program: &Program, counts: &[usize]) -> Result<Parts, Cause> {
        self.console.mark();
        let mut paused = self.machine.pause()?;
        put(&mut paused, &self.mailbox, program)?;
        paused.resume()?;
        match self.next_ring()? {
            Ring::Done => {}
            Ring::Failed(why) => return Err(Cause::Agent(why)),
            ring => return Err(Cause::Agent(format!("it rang the doorbell with {ring:?}"))),
        }
        let paused = self.machine.pause()?;
        let view = View(paused.ram());
        refusal(&self.mailbox.handshake(&view)?)?;
        let parts = observe::parts(&view, &self.mailbox, counts)?;
        paused.resume()?;
        Ok(parts)
    }

    /// What the guest printed since the last case began, as far as it is worth a look: reports of trouble, and so many
    /// last lines.
    #[must_use]
    pub fn console_excerpt(&self, last: usize) -> Vec<String> {
        self.console.excerpt(last)
    }

    /// The kernel addresses at which its vCPUs are: a look from outside, after which the guest goes on.
    ///
    /// # Errors
    /// When the machine cannot be stopped or does not say.
    pub fn positions(&mut self) -> Result<Vec<u64>, SessionError> {
        Ok(self.machine.pause()?.positions()?)
    }

    /// Copies the machine's whole console and log into `folder`.
    ///
    /// # Errors
    /// When they cannot be copied.
    pub fn keep_logs(&self, folder: &Path) -> Result<(), SessionError> {
        let spec = self.machine.spec();
        for (from, name) in [
            (spec.console_path(), "console-all.txt"),
            (spec.machine_log_path(), "machine.log"),
        ] {
            if from.exists() {
                std::fs::copy(from, folder.join(name))?;
            }
        }
        Ok(())
    }

    /// Ends the machine. A guest that was booted is switched off in order; what cannot be done in order is
    /// done by force, as with a fork, which has nothing to put in order.
    pub fn close(mut self) {
        if !self.forked {
            let _ = self.ask_to_power_off();
        }
        // Dropping the machine kills what is still there.
    }

    fn ask_to_power_off(&mut self) -> Result<(), Cause> {
        let mut paused = self.machine.pause()?;
        put(&mut paused, &self.mailbox, &program::power_off())?;
        paused.resume()?;
        loop {
            match self.machine.next_event(self.deadline)? {
                Event::Doorbell(_) => {}
                Event::Exit(_) | Event::Deadline(_) => return Ok(()),
            }
        }
    }

    /// Serves what a program asks of the host until its end.
    fn follow(
        &mut self,
        case: &Case,
        program: &Program,
        observations: &mut Vec<Observation>,
    ) -> Result<(), Cause> {
        loop {
            match self.next_ring()? {
                Ring::Checkpoint => self.checkpoint(case, program, observations)?,
                Ring::Nmi => {
                    let mut paused = self.machine.pause()?;
                    send_nmi(&mut paused, &self.mailbox, case)?;
                    paused.resume()?;
                }
                Ring::Done => return Ok(()),
                Ring::Failed(why) => return Err(Cause::Agent(why)),
                ring @ (Ring::Ready(_) | Ring::Garbled(_)) => {
                    return Err(Cause::Agent(format!("it rang the doorbell with {ring:?}")));
                }
            }
        }
    }

    fn next_ring(&mut self) -> Result<Ring, Cause> {
        let mut crash = self.console.crash_watch();
        let mut line = None;
        loop {
            let event = self.machine.next_event_unless(self.deadline, &mut || {
                line = crash.settled();
                line.is_some()
            })?;
            self.console.show();
            let Some(event) = event else {
                let line = line.unwrap_or_default();
                return Err(Cause::Crashed(line));
            };
            match event {
                Event::Exit(exit) => return Err(Cause::Died(exit)),
                Event::Deadline(stall) => return Err(Cause::Stalled(stall)),
                Event::Doorbell(byte) => {
                    if let Some(ring) = self.decoder.push(byte) {
                        return Ok(ring);
                    }
                }
            }
        }
    }

    /// Observes all buffers while an actor waits at a checkpoint, then lets it continue.
    fn checkpoint(
        &mut self,
        case: &Case,
        program: &Program,
        observations: &mut Vec<Observation>,
    ) -> Result<(), Cause> {
        let mut paused = self.machine.pause()?;
        observations.push(look_at_checkpoint(
            &mut paused,
            &self.mailbox,
            case,
            program,
        )?);
        Ok(paused.resume()?)
    }

    /// Observes the end of a case and lets the guest continue, with the next one if there is one.
    fn done(
        &mut self,
        case: &Case,
        sent: &Sent,
        observations: &mut Vec<Observation>,
        next: Option<Sent>,
    ) -> Result<(Evidence, Option<Sent>), Cause> {
        let mut paused = self.machine.pause()?;
        let view = View(paused.ram());
        let now = self.mailbox.handshake(&view)?;
        refusal(&now)?;
        observations.push(observe::observation(
            &view,
            &self.mailbox,
            case,
            None,
            None,
        )?);
        let parts = observe::evidence_parts(&view, &self.mailbox, case)?;
        let observations = std::mem::take(observations);
        let console = self.console.since_mark();
        let evidence = evidence(&self.setting, sent.plant, observations, parts, console);
        if let Some(next) = &next {
            self.console.mark();
            put(&mut paused, &self.mailbox, &next.program)?;
        }
        paused.resume()?;
        Ok((evidence, next))
    }

    /// Puts together what the remains of a machine still hold.
    fn gather(
        &mut self,
        case: &Case,
        plant: Option<Planted>,
        observations: Vec<Observation>,
    ) -> Result<Evidence, ObserveError> {
        let view = View(self.machine.ram());
        let parts = observe::evidence_parts(&view, &self.mailbox, case)?;
        let console = self.console.since_mark();
        Ok(evidence(&self.setting, plant, observations, parts, console))
    }
}

/// A case that the guest is working on.
#[derive(Debug)]
pub struct Sent {
    program: Program,
    plant: Option<Planted>,
}
