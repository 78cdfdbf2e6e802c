//! Control of single vCPUs: breakpoints, one vCPU at a time, steps, registers.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::Error;
use crate::paused::Paused;
use crate::qemu::{Halt, Registers};

/// Why the vCPU that was let go stands still again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halted {
    /// It is about to execute the instruction at this address, where a breakpoint is.
    Breakpoint {
        /// The address.
        address: u64,
    },
    /// It was still running when its budget was spent: it works, sleeps, or waits for a vCPU that stands.
    Budget,
    /// The doorbell rang; [`Machine::next_event`](crate::Machine::next_event) has the bytes.
    Doorbell,
    /// The machine has ended; the next event says how.
    Ended,
}

/// Control of a stopped machine, one vCPU at a time.
///
/// Holding it proves that no vCPU runs, except inside [`Self::run`] and [`Self::step`] the one that was
/// named. Dropping it clears all breakpoints and lets the guest go on, as dropping [`Paused`] does.
#[derive(Debug)]
pub struct Debugger<'m> {
    paused: Option<Paused<'m>>,
    breakpoints: BTreeSet<u64>,
}

impl<'m> Debugger<'m> {
    pub(crate) fn new(paused: Paused<'m>) -> Self {
        Self {
            paused: Some(paused),
            breakpoints: BTreeSet::new(),
        }
    }

    /// Sets a breakpoint at a kernel address, for all vCPUs. Setting it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Qemu`] if it cannot be set.
    pub fn set_breakpoint(&mut self, address: u64) -> Result<(), Error> {
        if self.breakpoints.insert(address) {
            self.paused_mut()?
                .vm()
                .debugged()?
                .gdb()?
                .breakpoint(address, true)?;
        }
        Ok(())
    }

    /// Clears a breakpoint; one that is not set stays so.
    ///
    /// # Errors
    /// [`Error::Qemu`] if it cannot be cleared.
    pub fn clear_breakpoint(&mut self, address: u64) -> Result<(), Error> {
        if self.breakpoints.remove(&address) {
            self.paused_mut()?
                .vm()
                .debugged()?
                .gdb()?
                .breakpoint(address, false)?;
        }
        Ok(())
    }

    /// Lets one vCPU run while all others stand. A breakpoint that it stands at does not stop it again.
    ///
    /// `budget` is the host's time: how far a vCPU that halts nowhere comes in it is chance.
    ///
    /// # Errors
    /// [`Error::Qemu`] if the machine does not obey.
    pub fn run(&mut self, vcpu: u32, budget: Duration) -> Result<Halted, Error> {
        let at = self.registers(vcpu)?.rip;
        if self.breakpoints.contains(&at) {
            self.step(vcpu)?;
            let address = self.registers(vcpu)?.rip;
            if self.breakpoints.contains(&address) {
                return Ok(Halted::Breakpoint { address });
            }
        }
        let halt = self.paused_mut()?.vm().debugged()?.run_one(vcpu, budget)?;
        Ok(match halt {
            None => Halted::Budget,
            Some(Halt::Gone) => Halted::Ended,
            Some(Halt::Interrupted) => Halted::Doorbell,
            Some(Halt::Trap { vcpu }) => Halted::Breakpoint {
                address: self.registers(vcpu)?.rip,
            },
        })
    }

    /// Makes one vCPU execute one instruction while all others stand.
    ///
    /// # Errors
    /// [`Error::Qemu`] if the machine does not obey.
    pub fn step(&mut self, vcpu: u32) -> Result<(), Error> {
        self.paused_mut()?.vm().debugged()?.step_one(vcpu)?;
        Ok(())
    }

    /// A vCPU's registers.
    ///
    /// # Errors
    /// [`Error::Qemu`] if the machine does not obey.
    pub fn registers(&mut self, vcpu: u32) -> Result<Registers, Error> {
        Ok(self.paused_mut()?.vm().debugged()?.gdb()?.registers(vcpu)?)
    }

    /// The guard of the stopped machine, to look at memory or write to it.
    ///
    /// # Errors
    /// None as long as the debugger lives.
    pub fn paused(&mut self) -> Result<&mut Paused<'m>, Error> {
        self.paused_mut()
    }

    /// Clears all breakpoints and gives the stopped machine back.
    ///
    /// # Errors
    /// [`Error::Qemu`] if the machine does not obey; it goes on then, as when the debugger is dropped.
    pub fn release(mut self) -> Result<Paused<'m>, Error> {
        self.clear_all()?;
        self.paused.take().ok_or_else(given_up)
    }

    fn clear_all(&mut self) -> Result<(), Error> {
        for address in std::mem::take(&mut self.breakpoints) {
            self.paused_mut()?
                .vm()
                .debugged()?
                .gdb()?
                .breakpoint(address, false)?;
        }
        Ok(())
    }

    fn paused_mut(&mut self) -> Result<&mut Paused<'m>, Error> {
        self.paused.as_mut().ok_or_else(given_up)
    }
}

impl Drop for Debugger<'_> {
    fn drop(&mut self) {
        // If this fails QEMU is gone or deaf, which the machine's next use will tell.
        let _ = self.clear_all();
    }
}

/// Only [`Debugger::release`] takes the guard out, and it consumes the debugger.
fn given_up() -> Error {
    Error::Failed {
        reason: "the debugger was given up".to_owned(),
    }
}
