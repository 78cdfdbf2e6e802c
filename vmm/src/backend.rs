//! The two backends behind one set of methods.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use crate::deadline::CpuTime;
use crate::debugger::{Halt, Interrupts, Point, Registers};
use crate::error::Error;
use crate::event::Exit;
use crate::image::Saved;
use crate::kvm::{ExitCounts, Kvm};
use crate::qemu::{Qemu, QemuError};
use crate::ram::GuestRam;
use crate::ram_store::RamStore;
use crate::spec::{Backend, MachineSpec};

/// A running virtual machine, whichever backend it has.
#[derive(Debug)]
pub(crate) enum Vm {
    /// A QEMU process.
    Qemu(Box<Qemu>),
    /// Our own, in this process.
    Kvm(Kvm),
}

impl Vm {
    /// Starts the machine; the guest runs when this returns. `console` is the console's file.
    pub(crate) fn launch(
        spec: &MachineSpec,
        ram: &RamStore,
        console: &File,
    ) -> Result<Self, Error> {
        match spec.backend {
            Backend::Qemu => Ok(Self::Qemu(Box::new(Qemu::launch(spec, ram)?))),
            Backend::Kvm => {
                let console = clone_console(spec, console)?;
                Ok(Self::Kvm(Kvm::launch(spec, ram, console)?))
            }
        }
    }

    /// Makes the machine whose RAM `ram` holds already and whose other state is in `saved`; the guest
    /// is stopped when this returns.
    pub(crate) fn restore(
        spec: &MachineSpec,
        ram: &RamStore,
        saved: &Saved,
        console: &File,
    ) -> Result<Self, Error> {
        match saved {
            Saved::Qemu { state, .. } => Ok(Self::Qemu(Box::new(Qemu::restore(spec, ram, state)?))),
            Saved::Kvm { state, .. } => {
                let console = clone_console(spec, console)?;
                Ok(Self::Kvm(Kvm::restore(spec, ram, console, state)?))
            }
        }
    }

    /// Writes everything but RAM of the stopped machine into the file `state`.
    pub(crate) fn save(&mut self, state: &Path) -> Result<(), Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.save(state)?),
            Self::Kvm(vm) => Ok(vm.save(state)?),
        }
    }

    /// Waits up to `limit` for anything to happen, `also` included, and takes it in.
    /// Returns how the machine ended, if it did; doorbell bytes sent before are all taken in then.
    pub(crate) fn wait(
        &mut self,
        limit: Duration,
        also: Option<BorrowedFd<'_>>,
        ram: &GuestRam,
    ) -> Result<Option<Exit>, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.wait(limit, also, ram)?),
            Self::Kvm(vm) => Ok(vm.wait(limit, also, ram)?),
        }
    }

    /// The oldest doorbell byte not yet taken.
    pub(crate) fn take_bell(&mut self) -> Option<u8> {
        match self {
            Self::Qemu(vm) => vm.take_bell(),
            Self::Kvm(vm) => vm.take_bell(),
        }
    }

    /// Stops all vCPUs. On return they provably do not run, or the machine has ended by itself.
    pub(crate) fn stop(&mut self, ram: &GuestRam) -> Result<Option<Exit>, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.stop(ram)?),
            Self::Kvm(vm) => Ok(vm.stop(ram)?),
        }
    }

    /// Lets the vCPUs run again. [`QemuError::Closed`] says that the backend has died.
    pub(crate) fn resume(&mut self) -> Result<(), QemuError> {
        match self {
            Self::Qemu(vm) => vm.resume(),
            Self::Kvm(vm) => {
                vm.resume();
                Ok(())
            }
        }
    }

    /// Whether single vCPUs can be controlled.
    pub(crate) fn check_debugger(&mut self) -> Result<(), Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.gdb().map(drop)?),
            Self::Kvm(_) => Ok(()),
        }
    }

    /// Sets a breakpoint or watchpoint of the stopped machine, which is not set.
    pub(crate) fn set_point(&mut self, point: Point) -> Result<(), Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.gdb()?.point(point, true)?),
            Self::Kvm(vm) => Ok(vm.set_point(point)?),
        }
    }

    /// Clears a breakpoint or watchpoint of the stopped machine, which is set.
    pub(crate) fn clear_point(&mut self, point: Point) -> Result<(), Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.gdb()?.point(point, false)?),
            Self::Kvm(vm) => {
                vm.clear_point(point);
                Ok(())
            }
        }
    }

    /// Lets one vCPU of the stopped machine run until it halts, the doorbell rings, the machine ends
    /// or `limit` is over; `None` says that the limit was reached. It is stopped again in any case.
    /// When a ring is heard is chance: a `deaf` call leaves them for later.
    pub(crate) fn run_one(
        &mut self,
        vcpu: u32,
        limit: Duration,
        deaf: bool,
    ) -> Result<Option<Halt>, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.run_one(vcpu, limit, deaf)?),
            Self::Kvm(vm) => Ok(vm.run_one(vcpu, limit, deaf)?),
        }
    }

    /// Makes one vCPU of the stopped machine execute one instruction; the watchpoint that it hit, if that is known.
    pub(crate) fn step_one(&mut self, vcpu: u32) -> Result<Option<u64>, Error> {
        match self {
            Self::Qemu(vm) => Ok(match vm.step_one(vcpu)? {
                Halt::Watch { address, .. } => Some(address),
                Halt::Trap { .. } | Halt::Interrupted | Halt::Gone => None,
            }),
            Self::Kvm(vm) => {
                vm.step_one(vcpu)?;
                Ok(None)
            }
        }
    }

    /// Address of the next instruction of a vCPU of the stopped machine.
    pub(crate) fn position(&mut self, vcpu: u32) -> Result<u64, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.gdb()?.position(vcpu)?),
            Self::Kvm(vm) => Ok(vm.registers(vcpu)?.rip),
        }
    }

    /// The same of a machine of which single vCPUs need not be controllable.
    pub(crate) fn stands_at(&mut self, vcpu: u32) -> Result<u64, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.stands_at(vcpu)?),
            Self::Kvm(vm) => Ok(vm.registers(vcpu)?.rip),
        }
    }

    /// Memory of the stopped machine at virtual addresses of a vCPU.
    pub(crate) fn read(&mut self, vcpu: u32, address: u64, len: usize) -> Result<Vec<u8>, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.gdb()?.read(vcpu, address, len)?),
            Self::Kvm(_) => Err(Error::Unsupported {
                what: "reading memory at virtual addresses",
                backend: Backend::Kvm,
            }),
        }
    }

    /// The same, but an interrupt that waits is taken: the vCPU is at the start of its handler then.
    pub(crate) fn step_into_interrupt(&mut self, vcpu: u32) -> Result<(), Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.step_into_interrupt(vcpu).map(drop)?),
            Self::Kvm(_) => Err(Error::Unsupported {
                what: "interrupts in a stopped vCPU",
                backend: Backend::Kvm,
            }),
        }
    }

    /// All registers of a vCPU of the stopped machine, in the backend's own form.
    pub(crate) fn dump(&mut self, vcpu: u32) -> Result<Vec<u8>, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.gdb()?.dump(vcpu)?),
            Self::Kvm(vm) => Ok(vm.dump(vcpu)?),
        }
    }

    /// What the interrupt controller of a vCPU of the stopped machine has in store for it.
    pub(crate) fn interrupts(&mut self, vcpu: u32) -> Result<Interrupts, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.interrupts(vcpu)?),
            Self::Kvm(vm) => Ok(vm.interrupts(vcpu)?),
        }
    }

    /// The registers of a vCPU of the stopped machine.
    pub(crate) fn registers(&mut self, vcpu: u32) -> Result<Registers, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.gdb()?.registers(vcpu)?),
            Self::Kvm(vm) => Ok(vm.registers(vcpu)?),
        }
    }

    /// Opens a socket in the machine's folder where gdb controls the stopped machine.
    pub(crate) fn open_gdb(&mut self) -> Result<std::path::PathBuf, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.open_gdb()?),
            Self::Kvm(_) => Err(Error::Unsupported {
                what: "a port for gdb",
                backend: Backend::Kvm,
            }),
        }
    }

    /// Whether vCPUs run, by the backend's own word.
    pub(crate) fn is_running(&mut self) -> Result<bool, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.run_state()? == "running"),
            Self::Kvm(_) => Ok(false),
        }
    }

    /// Whether a gdb is connected to that port.
    pub(crate) fn is_gdb_attached(&mut self) -> Result<bool, Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.is_gdb_attached()?),
            Self::Kvm(_) => Ok(false),
        }
    }

    /// Interrupts a stopped machine's vCPU by an NMI.
    pub(crate) fn inject_nmi(&mut self, vcpu: u32) -> Result<(), Error> {
        match self {
            Self::Qemu(vm) if vcpu == 0 => Ok(vm.inject_nmi()?),
            Self::Qemu(_) => Err(Error::Unsupported {
                what: "an NMI for another vCPU than the first",
                backend: Backend::Qemu,
            }),
            Self::Kvm(vm) => Ok(vm.inject_nmi(vcpu)?),
        }
    }

    /// Ends the machine in good order.
    pub(crate) fn quit(&mut self) -> Result<(), Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.quit()?),
            Self::Kvm(vm) => Ok(vm.end()?),
        }
    }

    /// Ends the machine at once.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        match self {
            Self::Qemu(vm) => Ok(vm.end().map(drop)?),
            Self::Kvm(vm) => Ok(vm.end()?),
        }
    }

    /// Scheduler time of the threads that run the guest.
    pub(crate) fn cpu_time(&self) -> CpuTime {
        match self {
            Self::Qemu(vm) => vm.cpu_time(),
            Self::Kvm(vm) => vm.cpu_time(),
        }
    }

    /// The process that the backend runs in.
    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Qemu(vm) => vm.pid(),
            Self::Kvm(_) => std::process::id(),
        }
    }

    /// Why and how often vCPUs left the guest, if the backend counts.
    pub(crate) fn exit_counts(&self) -> Option<ExitCounts> {
        match self {
            Self::Qemu(_) => None,
            Self::Kvm(vm) => Some(vm.exit_counts()),
        }
    }
}

fn clone_console(spec: &MachineSpec, console: &File) -> Result<File, Error> {
    console.try_clone().map_err(|source| Error::Evidence {
        action: "open",
        path: spec.console_path(),
        source,
    })
}
