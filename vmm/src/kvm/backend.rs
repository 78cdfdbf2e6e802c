//! One machine under control: launch, events, stop and continue, end.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use kvm_ioctls::VcpuFd;
use rustix::event::{PollFd, PollFlags};

use super::boot::Boot;
use super::counts::{Counts, ExitCounts};
use super::gate::{Gate, Order};
use super::points::Points;
use super::ports::{CONSOLE_IRQ, DOORBELL_IRQ, IrqLine, Ports, PortsState};
use super::state::State;
use super::vcpu::{End, Shared, Vcpu};
use super::vm::Vm;
use super::wake::Wake;
use super::{KvmError, kernel, layout, registers};
use crate::address::{REBOOT_MODE, WARM_BOOT};
use crate::deadline::CpuTime;
use crate::event::Exit;
use crate::ram::GuestRam;
use crate::ram_store::RamStore;
use crate::spec::MachineSpec;

/// Quiet time after which vCPUs are first asked whether they are halted for good, and the longest
/// time between two such questions; in between it doubles.
const FIRST_LOOK: Duration = Duration::from_millis(4);
const LAST_LOOK: Duration = Duration::from_millis(500);
/// To ask means to stop them, so those that have run for more than this part of the time since are
/// not asked: who halted for good does not run.
const BUSY_PART: u32 = 4;

/// A running machine.
#[derive(Debug)]
pub(crate) struct Kvm {
    pub(super) vcpus: Vec<Vcpu>,
    pub(super) shared: Arc<Shared>,
    /// Where vCPUs under control halt.
    pub(super) points: Points,
    /// vCPUs that KVM was asked to control.
    pub(super) debugged: BTreeSet<u32>,
    look: Look,
}

/// When to ask next whether all vCPUs are halted for good.
#[derive(Debug)]
struct Look {
    interval: Duration,
    at: Instant,
    /// For how long the vCPUs had run when the interval began.
    run: Duration,
}

impl Look {
    fn soon(run: Duration) -> Self {
        Self {
            interval: FIRST_LOOK,
            at: Instant::now() + FIRST_LOOK,
            run,
        }
    }

    fn later(&mut self, run: Duration) {
        self.interval = (self.interval * 2).min(LAST_LOOK);
        self.at = Instant::now() + self.interval;
        self.run = run;
    }

    /// Whether the vCPUs, which have run for so long by now, are too busy to have halted for good.
    fn busy(&self, run: Duration) -> bool {
        run.saturating_sub(self.run) > self.interval / BUSY_PART
    }
}

impl Kvm {
    /// Makes the machine and lets it run.
    pub(crate) fn launch(
        spec: &MachineSpec,
        ram: &RamStore,
        console: File,
    ) -> Result<Self, KvmError> {
        check_available(ram.size())?;
        let vm = Vm::create(ram, spec.vcpus)?;
        let ram_end = layout::low_ram_end(ram.size());
        let kernel = kernel::load_kernel(vm.memory(), &spec.kernel, ram_end)?;
        let initramfs = kernel::load_initramfs(vm.memory(), &spec.initramfs, kernel.end, ram_end)?;
        let boot = Boot {
            kernel: &kernel,
            initramfs,
            cmdline: &crate::cmdline::kernel_cmdline(spec),
            ram_size: ram.size(),
            vcpus: spec.vcpus,
        };
        boot.write(vm.memory())?;
        let fds = vm.create_vcpus(spec.vcpus)?;
        if let Some(first) = fds.first() {
            registers::enter(first, kernel.entry)?;
        }
        let files = [console, create_log(spec)?];
        let mut machine = Self::assemble(vm, fds, files, &PortsState::default())?;
        machine.resume();
        Ok(machine)
    }

    /// Makes a machine in a saved state, which is stopped. `ram` is the RAM that it had then.
    pub(crate) fn restore(
        spec: &MachineSpec,
        ram: &RamStore,
        console: File,
        state: &State,
    ) -> Result<Self, KvmError> {
        let vm = Vm::create(ram, spec.vcpus)?;
        let fds = vm.create_vcpus(spec.vcpus)?;
        // The clock comes before the vCPUs: it is theirs that follow from it.
        vm.restore(&state.machine)?;
        for (fd, state) in fds.iter().zip(&state.vcpus) {
            state.restore(fd)?;
        }
        Self::assemble(vm, fds, [console, create_log(spec)?], &state.ports)
    }

    /// Writes everything but RAM of the stopped machine into the new file `path`.
    pub(crate) fn save(&self, path: &Path) -> Result<(), KvmError> {
        let vm = &self.shared.vm;
        let vcpus = self.vcpus.iter().map(|vcpu| vcpu.save(vm));
        let vcpus = vcpus.collect::<Result<Vec<_>, _>>()?;
        let state = State::new(vcpus, vm.save()?, self.shared.ports.state());
        std::fs::write(path, state.to_bytes()?)
            .map_err(KvmError::io("write a machine's state down"))
    }

    /// Adds devices in a state and the vCPUs' threads. All vCPUs are stopped.
    fn assemble(
        vm: Vm,
        fds: Vec<VcpuFd>,
        [console, log]: [File; 2],
        ports: &PortsState,
    ) -> Result<Self, KvmError> {
        let wake = Arc::new(Wake::new()?);
        let lines = [
            IrqLine(vm.interrupt(CONSOLE_IRQ)?),
            IrqLine(vm.interrupt(DOORBELL_IRQ)?),
        ];
        let ports = Ports::new(console, Arc::clone(&wake), lines, ports)?;
        let vcpus = u32::try_from(fds.len()).unwrap_or(u32::MAX);
        let shared = Arc::new(Shared {
            gate: Gate::new(vcpus),
            ports,
            log,
            counts: Counts::new(),
            end: OnceLock::new(),
            trap: Mutex::new(None),
            wake,
            vm,
        });
        // From here on dropping the value ends the threads that have been started.
        let mut machine = Self {
            vcpus: Vec::new(),
            shared,
            points: Points::default(),
            debugged: BTreeSet::new(),
            look: Look::soon(Duration::ZERO),
        };
        for (id, fd) in (0..).zip(fds) {
            machine
                .vcpus
                .push(Vcpu::start(id, fd, Arc::clone(&machine.shared))?);
        }
        Ok(machine)
    }

    /// Waits up to `limit` for anything to happen, `also` included, and takes it in.
    /// Returns how the machine ended, if it did; doorbell bytes sent before are all there then.
    pub(crate) fn wait(
        &mut self,
        limit: Duration,
        also: Option<BorrowedFd<'_>>,
        ram: &GuestRam,
    ) -> Result<Option<Exit>, KvmError> {
        let until = Instant::now() + limit;
        loop {
            let now = Instant::now();
            let slice = until.min(self.look.at).saturating_duration_since(now);
            let happened = wait_readable(&self.shared.wake, also, slice)?;
            if let Some(exit) = self.exit(ram) {
                return Ok(Some(exit));
            }
            if happened {
                self.look = Look::soon(self.cpu_time().run);
                return Ok(None);
            }
            if Instant::now() >= self.look.at {
                let run = self.cpu_time().run;
                if !self.look.busy(run) && self.stands_for_good()? {
                    return Ok(Some(Exit::PowerOff));
                }
                self.look.later(run);
            }
            if Instant::now() >= until {
                return Ok(None);
            }
        }
    }

    /// The oldest doorbell byte not yet taken.
    pub(crate) fn take_bell(&mut self) -> Option<u8> {
        self.shared.ports.take_bell()
    }

    /// Stops all vCPUs. On return they are outside the guest, or the machine has ended by itself.
    pub(crate) fn stop(&mut self, ram: &GuestRam) -> Result<Option<Exit>, KvmError> {
        self.halt()?;
        Ok(self.exit(ram))
    }

    /// Lets the vCPUs run again.
    pub(crate) fn resume(&mut self) {
        self.undebug();
        self.look = Look::soon(self.cpu_time().run);
        self.shared.gate.give(Order::Run);
    }

    /// Ends all vCPUs' threads and gives the vCPUs back to KVM. May be called again.
    pub(crate) fn end(&mut self) -> Result<(), KvmError> {
        self.shared.gate.give(Order::Leave);
        if !self.vcpus.is_empty() {
            self.await_still()?;
        }
        for mut vcpu in self.vcpus.drain(..) {
            vcpu.join();
        }
        Ok(())
    }

    /// Interrupts vCPU `id` by an NMI.
    pub(crate) fn inject_nmi(&mut self, id: u32) -> Result<(), KvmError> {
        let vcpu = usize::try_from(id).ok().and_then(|id| self.vcpus.get(id));
        vcpu.map_or(Ok(()), Vcpu::inject_nmi)
    }

    /// Why and how often vCPUs have left the guest so far.
    pub(crate) fn exit_counts(&self) -> ExitCounts {
        self.shared.counts.snapshot()
    }

    /// Scheduler time of all vCPUs' threads.
    pub(crate) fn cpu_time(&self) -> CpuTime {
        let mut sum = CpuTime::default();
        for time in self.vcpus.iter().map(Vcpu::cpu_time) {
            sum.run += time.run;
            sum.wait += time.wait;
        }
        sum
    }

    pub(super) fn halt(&mut self) -> Result<(), KvmError> {
        self.shared.gate.give(Order::Park);
        self.await_still()
    }

    fn await_still(&self) -> Result<(), KvmError> {
        self.shared
            .gate
            .await_still(|| self.vcpus.iter().for_each(Vcpu::kick))
    }

    /// Whether the machine can never do anything again. Stops and continues it to find out.
    fn stands_for_good(&mut self) -> Result<bool, KvmError> {
        self.halt()?;
        for vcpu in &self.vcpus {
            if !vcpu.stands_for_good()? {
                self.shared.gate.give(Order::Run);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn exit(&self, ram: &GuestRam) -> Option<Exit> {
        Some(match self.shared.end.get()? {
            End::Reset => reset_kind(ram),
            End::TripleFault => Exit::TripleFault,
            End::Failed(what) => Exit::Stopped {
                state: what.clone(),
            },
        })
    }
}

impl Drop for Kvm {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            // The threads hold what they use, so nothing is freed under them.
            tracing::error!("{error}");
        }
    }
}

fn create_log(spec: &MachineSpec) -> Result<File, KvmError> {
    File::create(spec.machine_log_path()).map_err(KvmError::io("create the machine's log"))
}

/// Why a guest reset: the kernel leaves its mark in RAM when it panics.
fn reset_kind(ram: &GuestRam) -> Exit {
    match ram.load::<u16>(REBOOT_MODE) {
        Ok(WARM_BOOT) => Exit::Panic,
        _ => Exit::Reset,
    }
}

/// Waits until `wake` or `also` is readable, or the time is over; empties `wake`.
pub(super) fn wait_readable(
    wake: &Wake,
    also: Option<BorrowedFd<'_>>,
    limit: Duration,
) -> Result<bool, KvmError> {
    let mut fds: Vec<PollFd<'_>> = also
        .iter()
        .map(|fd| PollFd::new(fd, PollFlags::IN))
        .collect();
    fds.push(PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN));
    let limit = rustix::event::Timespec::try_from(limit).ok();
    let ready = match rustix::event::poll(&mut fds, limit.as_ref()) {
        Ok(ready) => ready > 0,
        Err(rustix::io::Errno::INTR) => false,
        Err(error) => return Err(KvmError::io("wait for the guest")(error)),
    };
    wake.clear();
    Ok(ready)
}

/// Refuses to make RAM that the host has not got: it would only be missed in the middle of a run.
fn check_available(size: u64) -> Result<(), KvmError> {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available_kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
    match available_kib {
        Some(kib) if kib * 1024 < size => Err(KvmError::NoMemory {
            asked_mib: size / crate::address::MIB,
            available_mib: kib / 1024,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "hostile_tests.rs"]
mod hostile;
#[cfg(test)]
#[path = "backend_tests.rs"]
mod tests;
