//! The guard of a stopped machine: the only writer of guest memory.

use std::path::Path;

use vm_memory::GuestAddress;

use crate::backend::Vm;
use crate::debugger::Debugger;
use crate::error::Error;
use crate::image;
use crate::machine::Machine;
use crate::qemu::QemuError;
use crate::ram::{GuestRam, RamError, StillRam};

/// A machine that is stopped.
///
/// Holding it proves that the backend confirmed all vCPUs stopped, and that nothing lets them run
/// again before it is given up: it borrows the machine mutably. Dropping it lets the guest resume;
/// if that fails the machine is marked failed and says so at its next use.
#[derive(Debug)]
pub struct Paused<'m> {
    machine: &'m mut Machine,
    resumed: bool,
}

impl<'m> Paused<'m> {
    /// Only for a machine whose vCPUs are confirmed stopped.
    pub(crate) fn new(machine: &'m mut Machine) -> Self {
        Self {
            machine,
            resumed: false,
        }
    }

    /// Writes into guest memory. The guest sees all of it when it resumes.
    ///
    /// # Errors
    /// [`RamError::OutOfRange`] with nothing written, or [`RamError::Write`].
    pub fn write_all_at(&mut self, address: GuestAddress, bytes: &[u8]) -> Result<(), RamError> {
        self.machine
            .ram_store
            .write_all_at(self.machine.ram(), address, bytes)
    }

    /// Guest memory, with copying reads.
    pub fn ram(&self) -> &GuestRam {
        self.machine.ram()
    }

    /// Guest memory as it is, which can be lent as plain slices.
    pub fn still(&self) -> StillRam<'_> {
        StillRam::new(self.machine.ram())
    }

    /// Guest memory in place: short for [`Self::still`] and [`StillRam::slice`].
    ///
    /// # Errors
    /// [`RamError::OutOfRange`].
    pub fn slice(&self, address: GuestAddress, len: usize) -> Result<&[u8], RamError> {
        self.still().slice(address, len)
    }

    /// Saves the machine as it is into the empty folder `dir`: an image, of which any number of
    /// machines can be forked. `identity` names everything that the image depends on and this crate
    /// does not know (kernel and initramfs by their hashes, say); `note` is kept for the caller.
    ///
    /// # Errors
    /// [`Error::Image`] if it cannot be written, [`Error::Qemu`] or [`Error::Kvm`] if the backend does not
    /// give its state away.
    pub fn snapshot(&mut self, dir: &Path, identity: &str, note: &str) -> Result<(), Error> {
        image::save(self.machine, dir, identity, note)
    }

    /// Takes control of single vCPUs. The guest is stopped until the debugger resumes it.
    ///
    /// # Errors
    /// [`Error::Qemu`] from a machine of QEMU's whose spec did not ask for it.
    pub fn debug(self) -> Result<Debugger<'m>, Error> {
        self.machine.vm.check_debugger()?;
        Ok(Debugger::new(self))
    }

    /// Opens a port for gdb and leaves the machine to it, standing still.
    pub(crate) fn give_to_gdb(mut self) -> Result<std::path::PathBuf, Error> {
        let address = self.machine.vm.open_gdb()?;
        self.resumed = true;
        // gdb writes, steps and runs as it likes: nothing that anybody knew of this machine holds any more.
        self.machine.failed = Some("it was handed over to gdb".to_owned());
        Ok(address)
    }

    /// One word for RAM and what else is given.
    pub(crate) fn digest(&self, parts: &[Vec<u8>]) -> Result<String, image::ImageError> {
        image::digest(&self.machine.ram_store, parts)
    }

    pub(crate) fn vcpus(&self) -> u32 {
        self.machine.spec().vcpus
    }

    pub(crate) fn vm(&mut self) -> &mut Vm {
        &mut self.machine.vm
    }

    /// Interrupts one vCPU by an NMI as soon as the guest resumes.
    ///
    /// QEMU pulls the line LINT1 of all vCPUs at once, which Linux takes NMIs from on the first one only.
    ///
    /// # Errors
    /// [`Error::Unsupported`] from the QEMU backend for another vCPU than the first, [`Error::Qemu`] or
    /// [`Error::Kvm`] if the backend refuses.
    pub fn inject_nmi(&mut self, vcpu: u32) -> Result<(), Error> {
        self.machine.vm.inject_nmi(vcpu)
    }

    /// Addresses of the instructions that the vCPUs will execute next.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Kvm`] if the backend does not say.
    pub fn positions(&mut self) -> Result<Vec<u64>, Error> {
        let all = 0..self.vcpus();
        all.map(|vcpu| self.vm().stands_at(vcpu)).collect()
    }

    /// Lets the guest resume.
    ///
    /// # Errors
    /// [`Error::Qemu`] if the backend does not obey. If it has died, the next event says how;
    /// otherwise the machine is marked failed.
    pub fn resume(mut self) -> Result<(), Error> {
        self.resumed = true;
        Ok(self.let_go()?)
    }

    fn let_go(&mut self) -> Result<(), QemuError> {
        let result = self.machine.vm.resume();
        if let Err(error) = &result
            && !matches!(error, QemuError::Closed)
        {
            self.machine.failed = Some(error.to_string());
        }
        result
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if !self.resumed
            && let Err(error) = self.let_go()
        {
            tracing::debug!("a paused machine cannot resume: {error}");
        }
    }
}
