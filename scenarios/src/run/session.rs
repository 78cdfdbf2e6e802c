//! One boot: from spawning the machine to its end, and every case run on it in between.

use std::path::Path;
use std::time::Duration;

use relaybed_abi::{Decoder, Phase, Ring};
use relaybed_vmm::{Event, Machine, Paused};

use super::console::Console;
use super::error::{Cause, Ended, SessionError};
use super::plan::Plan;
use super::ram::{View, write};
use crate::case::Case;
use crate::evidence::{Evidence, Observation, Planted, Setting};
use crate::observe::{self, Mailbox, ObserveError};
use crate::program::{self, Program};

/// Console lines shown when a boot fails.
const BOOT_TAIL: usize = 30;

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
    // Holds the machine's console and log; removed after the machine has ended.
    _dir: tempfile::TempDir,
}

impl Session {
    /// Boots a machine and waits until its guest is ready.
    ///
    /// # Errors
    /// [`SessionError`], by how far it came.
    pub fn boot(plan: &Plan) -> Result<Self, SessionError> {
        let dir = tempfile::Builder::new()
            .prefix("relaybed-machine-")
            .tempdir()?;
        let mut machine = Machine::boot(plan.spec(dir.path()))?;
        let mut console = Console::new(machine.spec().console_path(), plan.show_console());
        let mut decoder = Decoder::default();
        let address = await_ready(&mut machine, &mut decoder, &mut console)?;
        let boot = machine.stats().spawned_at.elapsed();
        let mailbox = Mailbox::attach(&View(machine.ram()), address)?;
        let setting = Setting {
            release: mailbox.release().to_owned(),
            linux_version: mailbox.linux_version(),
            vcpus: mailbox.cpus_online(),
            backend: plan.backend().to_owned(),
            accel: plan.accel().to_owned(),
            plant: None,
        };
        let deadline = plan.deadline();
        Ok(Self {
            machine,
            mailbox,
            decoder,
            deadline,
            setting,
            boot,
            console,
            _dir: dir,
        })
    }

    /// What this guest is, as evidence will say.
    #[must_use]
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// From spawn to ready, in milliseconds.
    #[must_use]
    pub fn boot_ms(&self) -> f64 {
        self.boot.as_secs_f64() * 1000.0
    }

    /// Exits of vCPUs into our own process since the boot; `None` on a backend that does not say.
    #[must_use]
    pub fn exits(&self) -> Option<relaybed_vmm::ExitCounts> {
        self.machine.exit_counts()
    }

    /// Runs one case and gives its evidence.
    ///
    /// # Errors
    /// [`Ended`] when it did not come to its end. The session is of no use then.
    pub fn run(&mut self, case: &Case, plant: Option<Planted>) -> Result<Evidence, Ended> {
        self.console.mark();
        let program = program::compile(case, plant).map_err(|error| Ended {
            cause: error.into(),
            evidence: None,
        })?;
        let mut observations = Vec::new();
        let ended = self.drive(case, &program, &mut observations);
        let gathered = self.gather(case, plant, observations);
        match (ended, gathered) {
            (Ok(()), Ok(evidence)) => Ok(evidence),
            (Ok(()), Err(error)) => Err(Ended {
                cause: error.into(),
                evidence: None,
            }),
            (Err(cause), evidence) => Err(Ended {
                cause,
                evidence: evidence.ok().map(Box::new),
            }),
        }
    }

    /// The last lines of the console.
    #[must_use]
    pub fn console_tail(&self, lines: usize) -> Vec<String> {
        self.machine.console_tail(lines).unwrap_or_default()
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

    /// Switches the guest off in order. What cannot be done in order is done by force.
    pub fn close(mut self) {
        let _ = self.ask_to_power_off();
        // Dropping the machine kills what is still there.
    }

    fn ask_to_power_off(&mut self) -> Result<(), Cause> {
        let paused = self.machine.pause()?;
        send(paused, &self.mailbox, &program::power_off())?;
        loop {
            match self.machine.next_event(self.deadline)? {
                Event::Doorbell(_) => {}
                Event::Exit(_) | Event::Deadline(_) => return Ok(()),
            }
        }
    }

    /// Sends the program, serves its checkpoints, and observes its end.
    fn drive(
        &mut self,
        case: &Case,
        program: &Program,
        observations: &mut Vec<Observation>,
    ) -> Result<(), Cause> {
        let paused = self.machine.pause()?;
        send(paused, &self.mailbox, program)?;
        loop {
            match self.next_ring()? {
                Ring::Checkpoint => self.checkpoint(case, program, observations)?,
                Ring::Done => return self.done(case, observations),
                Ring::Failed(why) => return Err(Cause::Agent(why)),
                ring @ (Ring::Ready(_) | Ring::Garbled(_)) => {
                    return Err(Cause::Agent(format!("it rang the doorbell with {ring:?}")));
                }
            }
        }
    }

    fn next_ring(&mut self) -> Result<Ring, Cause> {
        loop {
            let event = self.machine.next_event(self.deadline)?;
            self.console.show();
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

    /// Observes all buffers while an actor waits at a checkpoint, then lets it go on.
    fn checkpoint(
        &mut self,
        case: &Case,
        program: &Program,
        observations: &mut Vec<Observation>,
    ) -> Result<(), Cause> {
        let mut paused = self.machine.pause()?;
        let (mut seen, address, bytes) = {
            let view = View(paused.ram());
            let now = self.mailbox.handshake(&view)?;
            let reached = program.checkpoints.get(now.checkpoint_label as usize);
            let label = reached.map(|reached| reached.label.clone());
            let at = reached.map(|reached| (reached.actor, reached.op));
            let seen = observe::observation(&view, &self.mailbox, case, label, at)?;
            let (address, bytes) = self.mailbox.acknowledge(&now);
            (seen, address, bytes)
        };
        if seen.label.is_none() {
            // The guest named a checkpoint that this program does not have; the judge will see it.
            seen.label = Some("unknown checkpoint".to_owned());
        }
        observations.push(seen);
        write(&mut paused, address, &bytes)?;
        Ok(paused.resume()?)
    }

    /// Observes the end of a case.
    fn done(&mut self, case: &Case, observations: &mut Vec<Observation>) -> Result<(), Cause> {
        let paused = self.machine.pause()?;
        let view = View(paused.ram());
        let now = self.mailbox.handshake(&view)?;
        if now.phase == Phase::Refused {
            let op = now
                .refusal_op
                .map_or("no operation in particular".to_owned(), |op| {
                    format!("operation {op}")
                });
            return Err(Cause::Refused {
                errno: now.refusal.saturating_neg(),
                op,
            });
        }
        observations.push(observe::observation(
            &view,
            &self.mailbox,
            case,
            None,
            None,
        )?);
        Ok(paused.resume()?)
    }

    /// Puts the evidence together. Works on the remains of a dead machine too.
    fn gather(
        &mut self,
        case: &Case,
        plant: Option<Planted>,
        observations: Vec<Observation>,
    ) -> Result<Evidence, ObserveError> {
        let view = View(self.machine.ram());
        let parts = observe::evidence_parts(&view, &self.mailbox, case)?;
        let mut setting = self.setting.clone();
        setting.plant = plant.map(|plant| Planted {
            done: parts.plant_done,
            ..plant
        });
        Ok(Evidence {
            setting,
            observations,
            results: parts.results,
            events: parts.events,
            events_lost: parts.events_lost,
            data: parts.data,
            data_lost: parts.data_lost,
            console: self.console.since_mark(),
            taint_before: parts.taint_before,
            taint_after: parts.taint_after,
        })
    }
}

/// Writes a program into the mailbox of a stopped machine and lets the guest go on.
fn send(mut paused: Paused<'_>, mailbox: &Mailbox, program: &Program) -> Result<(), Cause> {
    let now = mailbox.handshake(&View(paused.ram()))?;
    for (address, bytes) in mailbox.program(program) {
        write(&mut paused, address, bytes)?;
    }
    let (address, bytes) = mailbox.request(&now);
    write(&mut paused, address, &bytes)?;
    Ok(paused.resume()?)
}

/// Waits for the first ring of the doorbell, which must be "ready"; gives the mailbox's address.
fn await_ready(
    machine: &mut Machine,
    decoder: &mut Decoder,
    console: &mut Console,
) -> Result<u64, SessionError> {
    let deadline = machine.spec().boot_deadline;
    let tail = |machine: &Machine| {
        machine
            .console_tail(BOOT_TAIL)
            .unwrap_or_default()
            .join("\n")
    };
    loop {
        let event = machine.next_event(deadline)?;
        console.show();
        match event {
            Event::Exit(exit) => {
                return Err(SessionError::Died {
                    exit,
                    console: tail(machine),
                });
            }
            Event::Deadline(stall) => {
                return Err(SessionError::Stalled {
                    stall,
                    console: tail(machine),
                });
            }
            Event::Doorbell(byte) => match decoder.push(byte) {
                None => {}
                Some(Ring::Ready(address)) => return Ok(address),
                Some(Ring::Failed(how)) => {
                    return Err(SessionError::Boot {
                        how,
                        console: tail(machine),
                    });
                }
                Some(ring) => {
                    let how = format!("it rang the doorbell with {ring:?}");
                    return Err(SessionError::Boot {
                        how,
                        console: tail(machine),
                    });
                }
            },
        }
    }
}
