//! Control of single vCPUs: breakpoints and watchpoints, one vCPU at a time, steps, registers.
//!
//! The same for both backends; what they share is [`Point`], [`Halt`] and [`Registers`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::error::Error;
use crate::paused::Paused;

/// Why the vCPU that was resumed is stopped again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halted {
    /// It is about to execute the instruction at this address, where a breakpoint is.
    Breakpoint {
        /// The address.
        address: u64,
    },
    /// The instruction that it has just executed accessed memory that a watchpoint watches.
    Watchpoint {
        /// The watchpoint's address.
        address: u64,
    },
    /// It was still running when its budget was spent: it works, sleeps, or waits for a stopped vCPU.
    Budget,
    /// The doorbell rang; [`Machine::next_event`](crate::Machine::next_event) has the bytes.
    Doorbell,
    /// The machine has ended; the next event says how.
    Ended,
}

/// What came of letting a standing vCPU take the interrupts that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// None waits, it takes none, or it has not come back.
    None,
    /// It took them and is back where it was.
    Took,
    /// They led it to a place from which it does not return, and it is stopped there.
    Left,
}

/// Which accesses a watchpoint watches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Writes.
    Write,
    /// Reads and writes.
    Any,
}

/// Where vCPUs are to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Before the instruction at this address.
    Code(u64),
    /// After an instruction that accesses these bytes.
    Data {
        /// First address, a multiple of `len`.
        address: u64,
        /// 1, 2, 4 or 8.
        len: u8,
        /// The accesses.
        access: Access,
    },
}

/// Why the one vCPU that ran is stopped again, as a backend says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// It met a breakpoint, or made its one step.
    Trap {
        /// The vCPU.
        vcpu: u32,
    },
    /// It met the watchpoint at this address.
    Watch {
        /// The vCPU.
        vcpu: u32,
        /// The address.
        address: u64,
    },
    /// It was interrupted.
    Interrupted,
    /// The machine is gone.
    Gone,
}

/// What a standing vCPU's interrupt controller has in store for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interrupts {
    /// An interrupt waits to be taken: a halted vCPU continues when it is resumed.
    pub pending: bool,
    /// Guest time until its timer interrupts it, in the controller's own unit, which all vCPUs share;
    /// `None` while the timer is off.
    pub timer: Option<u64>,
}

/// A vCPU's registers, as far as they show where it is and what a function was called with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8 to r15, in this order.
    pub general: [u64; 16],
    /// Address of the next instruction.
    pub rip: u64,
    /// The low half of rflags.
    pub eflags: u32,
}

impl Registers {
    /// First argument of a function, by the x86-64 calling convention.
    #[must_use]
    pub fn argument(&self) -> u64 {
        self.general[5]
    }

    /// Top of the stack.
    #[must_use]
    pub fn stack(&self) -> u64 {
        self.general[7]
    }
}

/// The flag in [`Registers::eflags`] of a CPU that takes interrupts.
const INTERRUPTS_ENABLED: u32 = 1 << 9;

/// Control of a stopped machine, one vCPU at a time.
///
/// Holding it proves that no vCPU runs, except inside [`Self::run`] and [`Self::step`] the one that was
/// named. Dropping it clears all breakpoints and watchpoints and lets the guest resume, as dropping [`Paused`] does.
#[derive(Debug)]
pub struct Debugger<'m> {
    paused: Option<Paused<'m>>,
    points: BTreeSet<Point>,
    /// Where vCPUs are, as far as it is known.
    at: BTreeMap<u32, u64>,
    deaf: bool,
    /// vCPUs that halted last at a watchpoint.
    watched: BTreeSet<u32>,
}

impl<'m> Debugger<'m> {
    pub(crate) fn new(paused: Paused<'m>) -> Self {
        Self {
            paused: Some(paused),
            points: BTreeSet::new(),
            at: BTreeMap::new(),
            deaf: false,
            watched: BTreeSet::new(),
        }
    }

    /// From now on a ring of the doorbell halts no vCPU: when it is heard is chance, so whoever wants the
    /// same run again must not act on it. The bytes are kept for [`Machine::next_event`](crate::Machine::next_event).
    pub fn ignore_doorbell(&mut self) {
        self.deaf = true;
    }

    /// Sets a breakpoint at a kernel address, for all vCPUs. Setting it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Kvm`] if it cannot be set. On KVM there are four breakpoints and
    /// watchpoints in all: as many as the CPU has debug registers, so that guest memory stays as it is.
    pub fn set_breakpoint(&mut self, address: u64) -> Result<(), Error> {
        self.set(Point::Code(address))
    }

    /// Clears a breakpoint; one that is not set stays so.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Kvm`] if it cannot be cleared.
    pub fn clear_breakpoint(&mut self, address: u64) -> Result<(), Error> {
        self.clear(Point::Code(address))
    }

    /// Watches `len` bytes at the kernel address `address`, for all vCPUs. Setting it again changes
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Watchpoint`] unless `len` is 1, 2, 4 or 8 and divides the address; else as
    /// [`Self::set_breakpoint`].
    pub fn set_watchpoint(&mut self, address: u64, len: u8, access: Access) -> Result<(), Error> {
        self.set(data_point(address, len, access)?)
    }

    /// Clears a watchpoint; one that is not set stays so.
    ///
    /// # Errors
    /// As [`Self::clear_breakpoint`].
    pub fn clear_watchpoint(&mut self, address: u64, len: u8, access: Access) -> Result<(), Error> {
        self.clear(data_point(address, len, access)?)
    }

    fn set(&mut self, point: Point) -> Result<(), Error> {
        if !self.points.contains(&point) {
            self.paused_mut()?.vm().set_point(point)?;
            self.points.insert(point);
        }
        Ok(())
    }

    fn clear(&mut self, point: Point) -> Result<(), Error> {
        if self.points.remove(&point) {
            self.paused_mut()?.vm().clear_point(point)?;
        }
        Ok(())
    }

    /// Lets one vCPU run while all others are stopped. A breakpoint that it is at does not stop it again.
    ///
    /// `budget` is the host's time: how far a vCPU that halts nowhere comes in it is chance.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Kvm`] if the machine does not obey.
    pub fn run(&mut self, vcpu: u32, budget: Duration) -> Result<Halted, Error> {
        // A breakpoint right behind a watched access has not been met yet.
        let met = !self.watched.remove(&vcpu) && self.stands_at_breakpoint(vcpu)?;
        if met {
            if let Some(address) = self.step(vcpu)? {
                self.watched.insert(vcpu);
                return Ok(Halted::Watchpoint { address });
            }
            if self.stands_at_breakpoint(vcpu)? {
                let address = self.standing(vcpu)?;
                return Ok(Halted::Breakpoint { address });
            }
        }
        self.at.remove(&vcpu);
        let deaf = self.deaf;
        let halt = self.paused_mut()?.vm().run_one(vcpu, budget, deaf)?;
        Ok(match halt {
            None => Halted::Budget,
            Some(Halt::Gone) => Halted::Ended,
            Some(Halt::Interrupted) => Halted::Doorbell,
            Some(Halt::Watch { vcpu, address }) => {
                self.watched.insert(vcpu);
                Halted::Watchpoint { address }
            }
            Some(Halt::Trap { vcpu }) => Halted::Breakpoint {
                address: self.standing(vcpu)?,
            },
        })
    }

    /// Address of the instruction that a vCPU will execute next.
    fn standing(&mut self, vcpu: u32) -> Result<u64, Error> {
        match self.at.get(&vcpu) {
            Some(at) => Ok(*at),
            None => Ok(self.registers(vcpu)?.rip),
        }
    }

    fn stands_at_breakpoint(&mut self, vcpu: u32) -> Result<bool, Error> {
        let at = self.standing(vcpu)?;
        Ok(self.points.contains(&Point::Code(at)))
    }

    /// Lets a stopped vCPU take the interrupts that wait for it and return to where it is, while
    /// all others are stopped. One that has interrupts disabled takes none; one that does not come back within so
    /// many halts has gone on. From a breakpoint that `leaves` says it does not come back. Watchpoints that it
    /// meets on its way are handed to `accesses`, by their addresses.
    ///
    /// # Errors
    /// As [`Self::run`], and [`Error::Unsupported`] on KVM.
    pub fn take_interrupts(
        &mut self,
        vcpu: u32,
        (halts, budget): (u32, Duration),
        leaves: impl Fn(u64) -> bool,
        mut accesses: impl FnMut(&mut Self, u64),
    ) -> Result<Answer, Error> {
        let stood = self.registers(vcpu)?;
        if stood.eflags & INTERRUPTS_ENABLED == 0 || !self.interrupts(vcpu)?.pending {
            return Ok(Answer::None);
        }
        self.at.remove(&vcpu);
        self.paused_mut()?.vm().step_into_interrupt(vcpu)?;
        let own = !self.points.contains(&Point::Code(stood.rip));
        self.set_breakpoint(stood.rip)?;
        let mut answer = Answer::None;
        for _ in 0..halts {
            match self.run(vcpu, budget)? {
                Halted::Budget => break,
                Halted::Watchpoint { address } => accesses(self, address),
                Halted::Breakpoint { .. } | Halted::Doorbell | Halted::Ended => {}
            }
            let now = self.registers(vcpu)?;
            if (now.rip, now.stack()) == (stood.rip, stood.stack()) {
                answer = Answer::Took;
            } else if leaves(now.rip) {
                answer = Answer::Left;
            }
            if answer != Answer::None {
                break;
            }
        }
        if own {
            self.clear_breakpoint(stood.rip)?;
        }
        Ok(answer)
    }

    /// Makes one vCPU execute one instruction while all others are stopped. Returns the address of a watchpoint that it
    /// met by that; on KVM it does not.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn step(&mut self, vcpu: u32) -> Result<Option<u64>, Error> {
        self.at.remove(&vcpu);
        self.paused_mut()?.vm().step_one(vcpu)
    }

    /// Address of the instruction that a vCPU executes next: cheaper than all its [registers](Self::registers).
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn position(&mut self, vcpu: u32) -> Result<u64, Error> {
        let position = self.paused_mut()?.vm().position(vcpu)?;
        self.at.insert(vcpu, position);
        Ok(position)
    }

    /// Reads memory as a vCPU sees it: at its virtual addresses. As many bytes as there are up to the first that
    /// is not mapped.
    ///
    /// # Errors
    /// As [`Self::run`], and [`Error::Unsupported`] on KVM.
    pub fn read(&mut self, vcpu: u32, address: u64, len: usize) -> Result<Vec<u8>, Error> {
        self.paused_mut()?.vm().read(vcpu, address, len)
    }

    /// A vCPU's registers.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn registers(&mut self, vcpu: u32) -> Result<Registers, Error> {
        let registers = self.paused_mut()?.vm().registers(vcpu)?;
        self.at.insert(vcpu, registers.rip);
        Ok(registers)
    }

    /// All registers of a vCPU that the backend knows, in its own form: to be compared, not read.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn dump(&mut self, vcpu: u32) -> Result<Vec<u8>, Error> {
        self.paused_mut()?.vm().dump(vcpu)
    }

    /// One word for all of RAM and all registers of all vCPUs: equal exactly when they are equal, as far
    /// as a hash of 256 bits can show.
    ///
    /// # Errors
    /// As [`Self::run`], and [`Error::Image`] if RAM cannot be read.
    pub fn digest(&mut self) -> Result<String, Error> {
        let vcpus = self.paused_mut()?.vcpus();
        let dumps: Result<Vec<_>, _> = (0..vcpus).map(|vcpu| self.dump(vcpu)).collect();
        Ok(self.paused_mut()?.digest(&dumps?)?)
    }

    /// What a vCPU's interrupt controller has in store for it.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn interrupts(&mut self, vcpu: u32) -> Result<Interrupts, Error> {
        self.paused_mut()?.vm().interrupts(vcpu)
    }

    /// The guard of the stopped machine, to look at memory or write to it.
    ///
    /// # Errors
    /// None as long as the debugger lives.
    pub fn paused(&mut self) -> Result<&mut Paused<'m>, Error> {
        self.paused_mut()
    }

    /// Clears all breakpoints and watchpoints and gives the stopped machine back.
    ///
    /// # Errors
    /// [`Error::Qemu`] or [`Error::Kvm`] if the machine does not obey; it resumes then, as when the debugger is dropped.
    pub fn release(mut self) -> Result<Paused<'m>, Error> {
        self.clear_all()?;
        self.paused.take().ok_or_else(given_up)
    }

    fn clear_all(&mut self) -> Result<(), Error> {
        for point in std::mem::take(&mut self.points) {
            self.paused_mut()?.vm().clear_point(point)?;
        }
        Ok(())
    }

    fn paused_mut(&mut self) -> Result<&mut Paused<'m>, Error> {
        self.paused.as_mut().ok_or_else(given_up)
    }
}

impl Drop for Debugger<'_> {
    fn drop(&mut self) {
        // If this fails the backend is gone or deaf, which the machine's next use will report.
        let _ = self.clear_all();
    }
}

/// Only [`Debugger::release`] takes the guard out, and it consumes the debugger.
fn given_up() -> Error {
    Error::Failed {
        reason: "the debugger was dropped".to_owned(),
    }
}

fn data_point(address: u64, len: u8, access: Access) -> Result<Point, Error> {
    if matches!(len, 1 | 2 | 4 | 8) && address.is_multiple_of(u64::from(len)) {
        return Ok(Point::Data {
            address,
            len,
            access,
        });
    }
    Err(Error::Watchpoint { address, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchpoint_is_what_debug_registers_can_watch() {
        for (address, len) in [(8, 8), (12, 4), (2, 2), (7, 1)] {
            assert!(data_point(address, len, Access::Any).is_ok());
        }
        for (address, len) in [(12, 8), (0, 0), (0, 3), (0, 16), (1, 2)] {
            let error = data_point(address, len, Access::Write).unwrap_err();
            assert!(matches!(error, Error::Watchpoint { .. }), "{error}");
        }
    }
}
