//! The machine contract: what lives after a boot.
//!
//! Backend-neutral: callers see this type only.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

use crate::backend::Vm;
use crate::deadline::{Deadline, Meter};
use crate::error::Error;
use crate::event::{Event, Exit};
use crate::image::Image;
use crate::kvm::{self, ExitCounts};
use crate::paused::Paused;
use crate::process;
use crate::ram::{GuestRam, StillRam};
use crate::ram_store::RamStore;
use crate::signals;
use crate::spec::{Backend, MachineSpec};
use crate::text;

/// How often progress is looked at while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// Most that a guest may print. A boot prints some 100 KiB, an oops 5 KiB.
#[cfg(not(test))]
const CONSOLE_MAX_BYTES: u64 = 64 << 20;
/// Enough to see that there is a limit: emulated, a byte takes microseconds.
#[cfg(test)]
const CONSOLE_MAX_BYTES: u64 = 256 << 10;

/// A machine that has been started. Dropping it ends it and leaves nothing behind but the logs.
#[derive(Debug)]
pub struct Machine {
    // Dropped before the RAM it uses.
    pub(crate) vm: Vm,
    ram: GuestRam,
    pub(crate) ram_store: RamStore,
    spec: MachineSpec,
    console: File,
    spawned_at: Instant,
    first_doorbell: Option<Duration>,
    ended: Option<Exit>,
    pub(crate) failed: Option<String>,
}

/// Figures of a machine.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    /// When the backend was started.
    pub spawned_at: Instant,
    /// From then to the first doorbell byte seen, once there was one.
    pub first_doorbell: Option<Duration>,
    /// Resident memory of the backend's process in bytes, while it lives.
    pub resident_bytes: Option<u64>,
    /// The part of it that is the guest's RAM.
    pub resident_ram_bytes: Option<u64>,
    /// The part of it that is neither RAM nor backed by files, as programs and libraries are.
    pub resident_own_bytes: Option<u64>,
    /// The backend's process id.
    pub pid: u32,
}

impl Machine {
    /// Checks the spec and starts the machine. The guest runs when this returns.
    ///
    /// # Errors
    /// [`Error::Spec`], [`Error::Evidence`], [`Error::DirInUse`], [`Error::Ram`], [`Error::Qemu`],
    /// [`Error::Kvm`].
    pub fn boot(spec: MachineSpec) -> Result<Self, Error> {
        spec.validate()?;
        let console = claim_console(&spec)?;
        let ram_store = match spec.backend {
            Backend::Qemu => RamStore::create(spec.memory_bytes())?,
            Backend::Kvm => {
                let slots = kvm::slots(spec.memory_bytes());
                RamStore::in_process(spec.memory_bytes(), slots)?
            }
        };
        let ram = ram_store.map()?;
        let spawned_at = Instant::now();
        let vm = Vm::launch(&spec, &ram_store, &console)?;
        Ok(Self::new(vm, (ram, ram_store), spec, console, spawned_at))
    }

    /// A machine in the state that `image` holds. It is stopped until the first [`Paused`] is given
    /// up, so what is written before is there when the guest resumes.
    pub(crate) fn restore(image: &Image, spec: MachineSpec) -> Result<Self, Error> {
        let console = claim_console(&spec)?;
        let spawned_at = Instant::now();
        let ram_store = image.ram()?;
        let ram = ram_store.map()?;
        let vm = Vm::restore(&spec, &ram_store, image.saved(), &console)?;
        Ok(Self::new(vm, (ram, ram_store), spec, console, spawned_at))
    }

    fn new(
        vm: Vm,
        (ram, ram_store): (GuestRam, RamStore),
        spec: MachineSpec,
        console: File,
        spawned_at: Instant,
    ) -> Self {
        Self {
            vm,
            ram,
            ram_store,
            spec,
            console,
            spawned_at,
            first_doorbell: None,
            ended: None,
            failed: None,
        }
    }

    /// Waits for the first event within the spec's boot deadline.
    ///
    /// # Errors
    /// As [`Self::next_event`].
    pub fn await_boot(&mut self) -> Result<Event, Error> {
        self.next_event(self.spec.boot_deadline)
    }

    /// Waits for the next event. Doorbell bytes come in order and before the end that followed them.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when a signal came (see [`crate::signals`]), [`Error::Failed`] after
    /// an earlier failure, [`Error::Qemu`] or [`Error::Kvm`] if the backend cannot be heard any more.
    pub fn next_event(&mut self, deadline: Deadline) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.next_event_unless(deadline, &mut || false)? {
                return Ok(event);
            }
        }
    }

    /// The same, unless `over` says meanwhile that nobody waits for it any more: `None` then. It is asked every
    /// tenth of a second while nothing happens.
    ///
    /// # Errors
    /// As [`Self::next_event`].
    pub fn next_event_unless(
        &mut self,
        deadline: Deadline,
        over: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Event>, Error> {
        let mut meter = Meter::new(deadline);
        let mut at = Instant::now();
        let mut used = self.vm.cpu_time();
        let mut printed = self.console_len();
        let mut limit = Duration::ZERO;
        loop {
            if let Some(signal) = signals::interrupted() {
                return Err(Error::Interrupted { signal });
            }
            self.check_usable()?;
            if self.ended.is_none() {
                let exit = self.vm.wait(limit, signals::readable(), &self.ram)?;
                self.record_end(exit)?;
            }
            if let Some(event) = self.take_event() {
                return Ok(Some(event));
            }
            if over() {
                return Ok(None);
            }
            let (now, used_now, printed_now) =
                (Instant::now(), self.vm.cpu_time(), self.console_len());
            let stretch = crate::deadline::CpuTime {
                run: used_now.run.saturating_sub(used.run),
                wait: used_now.wait.saturating_sub(used.wait),
            };
            meter.charge(now - at, stretch);
            if printed_now > CONSOLE_MAX_BYTES {
                self.record_end(Some(Exit::ConsoleFlood { bytes: printed_now }))?;
                continue;
            }
            if printed_now != printed {
                meter.sign_of_life();
            }
            if let Some(stall) = meter.stalled() {
                return Ok(Some(Event::Deadline(stall)));
            }
            (at, used, printed, limit) = (now, used_now, printed_now, TICK);
        }
    }

    /// Stops the guest. On return no vCPU runs, and the guard is the only way to write to memory.
    ///
    /// Doorbell bytes that the guest sent before it stopped are kept for [`Self::next_event`].
    ///
    /// # Errors
    /// [`Error::Ended`] if the machine has ended, [`Error::Failed`] after an earlier failure,
    /// [`Error::Qemu`] or [`Error::Kvm`] if the backend does not obey.
    pub fn pause(&mut self) -> Result<Paused<'_>, Error> {
        self.check_usable()?;
        self.check_alive()?;
        let exit = self.vm.stop(&self.ram)?;
        self.record_end(exit)?;
        self.check_alive()?;
        Ok(Paused::new(self))
    }

    /// Guest memory, to be read while the guest runs.
    pub fn ram(&self) -> &GuestRam {
        &self.ram
    }

    /// Guest memory as an ended machine left it; `None` while the machine lives.
    pub fn remains(&self) -> Option<StillRam<'_>> {
        // The backend was killed and reaped before `ended` was set, so no one else has this memory.
        self.ended.as_ref().map(|_| StillRam::new(&self.ram))
    }

    /// How the machine ended, if that has been seen.
    pub fn exit(&self) -> Option<&Exit> {
        self.ended.as_ref()
    }

    /// The spec that this machine was made from.
    pub fn spec(&self) -> &MachineSpec {
        &self.spec
    }

    /// The last lines of the console, fit to be shown. All of it is in the spec's folder.
    ///
    /// # Errors
    /// [`Error::Evidence`] if the file cannot be read.
    pub fn console_tail(&self, lines: usize) -> Result<Vec<String>, Error> {
        let path = self.spec.console_path();
        text::tail(&path, lines).map_err(|source| Error::Evidence {
            action: "read",
            path,
            source,
        })
    }

    /// Switches the machine off: the backend is asked to leave, and killed if it does not.
    /// Returns how the machine ended, which is [`Exit::Killed`] unless it had ended before.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Kvm`] if the process can neither be asked nor killed.
    pub fn power_off(&mut self) -> Result<Exit, Error> {
        if self.ended.is_none() {
            self.vm.quit()?;
        }
        Ok(self.ended.get_or_insert(Exit::Killed).clone())
    }

    /// Kills the backend's process at once. Returns as [`Self::power_off`].
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Kvm`] if the process cannot be killed.
    pub fn kill(&mut self) -> Result<Exit, Error> {
        if self.ended.is_none() {
            self.vm.end()?;
        }
        Ok(self.ended.get_or_insert(Exit::Killed).clone())
    }

    /// Figures so far.
    pub fn stats(&self) -> Stats {
        let resident = if self.ended.is_none() {
            process::resident(self.vm.pid(), &self.ram_store.places())
        } else {
            None
        };
        Stats {
            spawned_at: self.spawned_at,
            first_doorbell: self.first_doorbell,
            resident_bytes: resident.map(|resident| resident.all),
            resident_ram_bytes: resident.map(|resident| resident.ram),
            resident_own_bytes: resident.map(|resident| resident.own),
            pid: self.vm.pid(),
        }
    }

    /// How often vCPUs have left the guest into the backend's process, and why; `None` from a
    /// backend that does not count.
    pub fn exit_counts(&self) -> Option<ExitCounts> {
        self.vm.exit_counts()
    }

    fn take_event(&mut self) -> Option<Event> {
        if let Some(byte) = self.vm.take_bell() {
            self.first_doorbell
                .get_or_insert_with(|| self.spawned_at.elapsed());
            return Some(Event::Doorbell(byte));
        }
        self.ended.clone().map(Event::Exit)
    }

    fn record_end(&mut self, exit: Option<Exit>) -> Result<(), Error> {
        if let Some(exit) = exit
            && self.ended.is_none()
        {
            self.vm.end()?;
            self.ended = Some(exit);
        }
        Ok(())
    }

    fn check_alive(&self) -> Result<(), Error> {
        match &self.ended {
            Some(exit) => Err(Error::Ended { exit: exit.clone() }),
            None => Ok(()),
        }
    }

    fn check_usable(&self) -> Result<(), Error> {
        match &self.failed {
            Some(reason) => Err(Error::Failed {
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }

    fn console_len(&self) -> u64 {
        self.console.metadata().map_or(0, |m| m.len())
    }
}

/// Opens the console's file and locks it, so that two machines cannot mix their evidence.
fn claim_console(spec: &MachineSpec) -> Result<File, Error> {
    let path = spec.console_path();
    let fail = |source| Error::Evidence {
        action: "create",
        path: path.clone(),
        source,
    };
    let console = File::options()
        .create(true)
        .append(true)
        .read(true)
        .open(&path)
        .map_err(fail)?;
    match console.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::DirInUse { path }),
        Err(TryLockError::Error(source)) => return Err(fail(source)),
    }
    console.set_len(0).map_err(fail)?;
    Ok(console)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
