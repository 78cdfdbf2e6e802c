//! Control of single vCPUs by KVM's guest debug.
//!
//! The vCPU that is let go runs in its own thread, as ever; the gate keeps the others standing. It halts
//! itself when KVM says that it met a debug register or has made its step.
//!
//! A step leaves interrupts alone where KVM can hold them back. Elsewhere one that is pending is taken, and the step
//! ends at its handler's first instruction.

use std::time::{Duration, Instant};

use kvm_bindings::{
    KVM_GUESTDBG_BLOCKIRQ, KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_INJECT_DB, KVM_GUESTDBG_SINGLESTEP,
    KVM_GUESTDBG_USE_HW_BP, kvm_guest_debug, kvm_guest_debug_arch,
};

use super::KvmError;
use super::backend::{Kvm, wait_readable};
use super::gate::Order;
use super::vcpu::Vcpu;
use crate::debugger::{Halt, Interrupts, Point, Registers};

/// How long a step may take on a host that has other things to do.
const STEP_LIMIT: Duration = Duration::from_secs(10);

impl Kvm {
    /// Sets a breakpoint or watchpoint, which is not set.
    pub(crate) fn set_point(&mut self, point: Point) -> Result<(), KvmError> {
        self.points.set(point)
    }

    /// Clears a breakpoint or watchpoint.
    pub(crate) fn clear_point(&mut self, point: Point) {
        self.points.clear(point);
    }

    /// Lets one vCPU run while the others are stopped, until it halts, the doorbell rings, the machine ends
    /// or `limit` is over; `None` says that the limit was reached. It is stopped again in any case.
    /// When a ring is heard is chance: a `deaf` call leaves them for later.
    pub(crate) fn run_one(
        &mut self,
        vcpu: u32,
        limit: Duration,
        deaf: bool,
    ) -> Result<Option<Halt>, KvmError> {
        let mut control = if self.points.is_empty() {
            0
        } else {
            KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP
        };
        let (until, rings_before) = (Instant::now() + limit, self.shared.ports.bells());
        let rang = |kvm: &Self| !deaf && kvm.shared.ports.bells() > rings_before;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Some(dr6) = self.go(vcpu, control, left, rang)? else {
                break;
            };
            if let Some(halt) = self.points.met(vcpu, dr6) {
                return Ok(Some(halt));
            }
            // A trap of the guest's own, which steps itself: it is to have it.
            control |= KVM_GUESTDBG_INJECT_DB;
        }
        if self.shared.end.get().is_some() {
            return Ok(Some(Halt::Gone));
        }
        Ok(rang(self).then_some(Halt::Interrupted))
    }

    /// Makes one vCPU execute one instruction.
    pub(crate) fn step_one(&mut self, vcpu: u32) -> Result<(), KvmError> {
        if self.vcpu(vcpu)?.has_halted()? && !self.interrupts(vcpu)?.pending {
            return Err(KvmError::NoStep { vcpu });
        }
        let mut control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
        if self.shared.vm.can_block_interrupts() {
            control |= KVM_GUESTDBG_BLOCKIRQ;
        }
        let trap = self.go(vcpu, control, STEP_LIMIT, |_| false)?;
        if trap.is_some() || self.shared.end.get().is_some() {
            return Ok(());
        }
        Err(KvmError::NoStep { vcpu })
    }

    /// A standing vCPU's registers.
    pub(crate) fn registers(&self, vcpu: u32) -> Result<Registers, KvmError> {
        self.vcpu(vcpu)?.registers()
    }

    /// A standing vCPU's general and special registers. What the host's time moves is not among them.
    pub(crate) fn dump(&self, vcpu: u32) -> Result<Vec<u8>, KvmError> {
        self.vcpu(vcpu)?.dump()
    }

    /// What a standing vCPU's local APIC has in store for it. The timer's unit is the time stamp
    /// counter's tick, or without deadlines the APIC's.
    pub(crate) fn interrupts(&self, vcpu: u32) -> Result<Interrupts, KvmError> {
        self.vcpu(vcpu)?.interrupts()
    }

    /// No vCPU heeds debug registers of ours any more.
    pub(super) fn undebug(&mut self) {
        for id in std::mem::take(&mut self.debugged) {
            let off = self
                .vcpu(id)
                .and_then(|vcpu| vcpu.debug(&guest_debug(0, [0; 8])));
            if let Err(error) = off {
                tracing::error!("vCPU {id} stays under control: {error}");
            }
        }
    }

    /// Runs one vCPU until it traps, which gives its DR6, `enough` says so, it ends, or time is over.
    fn go(
        &mut self,
        id: u32,
        control: u32,
        limit: Duration,
        enough: impl Fn(&Self) -> bool,
    ) -> Result<Option<u64>, KvmError> {
        let registers = self.points.registers();
        self.vcpu(id)?.debug(&guest_debug(control, registers))?;
        self.debugged.insert(id);
        self.shared.take_trap();
        self.shared.gate.give(Order::RunOne(id));
        let until = Instant::now() + limit;
        let waited = loop {
            if self.shared.trapped() || self.shared.end.get().is_some() || enough(self) {
                break Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Ok(());
            }
            if let Err(error) = wait_readable(&self.shared.wake, None, left) {
                break Err(error);
            }
        };
        // It may trap at the same moment, which must not be lost.
        self.halt()?;
        waited.map(|()| self.shared.take_trap())
    }

    fn vcpu(&self, id: u32) -> Result<&Vcpu, KvmError> {
        let vcpu = usize::try_from(id).ok().and_then(|id| self.vcpus.get(id));
        vcpu.ok_or(KvmError::NoVcpu { vcpu: id })
    }
}

fn guest_debug(control: u32, debugreg: [u64; 8]) -> kvm_guest_debug {
    kvm_guest_debug {
        control,
        pad: 0,
        arch: kvm_guest_debug_arch { debugreg },
    }
}
