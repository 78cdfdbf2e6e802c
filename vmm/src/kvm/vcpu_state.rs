//! A standing vCPU's whole state, read from KVM and given to a new vCPU.

use kvm_bindings::{
    Msrs, kvm_debugregs, kvm_lapic_state, kvm_mp_state, kvm_msr_entry, kvm_regs, kvm_sregs,
    kvm_vcpu_events, kvm_xcrs, kvm_xsave,
};
use kvm_ioctls::VcpuFd;
use serde::{Deserialize, Serialize};

use super::KvmError;

/// The time stamp counter's register, and the one that is compared with it: a write of 0 disarms, any other arms
/// the local APIC's timer, whose mode must be set before.
const TSC: u32 = 0x10;
const TSC_DEADLINE: u32 = 0x6e0;
/// Writing these makes KVM write the time of day into guest memory, where the guest said once. It
/// wants that only when it writes them itself.
const WALL_CLOCKS: [u32; 2] = [0x11, 0x4b56_4d00];
/// EFER and CR4: the vCPU may be running a guest of its own, whose state is not kept.
const EFER_SVM: u64 = 1 << 12;
const CR4_VMX: u64 = 1 << 13;
/// The part of a million by which two time stamp counters may run at different speeds and be taken for the
/// same: what the host's own measurement of them differs from boot to boot.
const TSC_TOLERANCE_PPM: u64 = 250;

/// All of a vCPU.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VcpuState {
    regs: kvm_regs,
    pub(super) sregs: kvm_sregs,
    xsave: kvm_xsave,
    /// None on a host without XSAVE.
    xcrs: Option<kvm_xcrs>,
    debug: kvm_debugregs,
    lapic: kvm_lapic_state,
    mp_state: kvm_mp_state,
    events: kvm_vcpu_events,
    tsc_khz: u32,
    /// Number and value.
    msrs: Vec<(u32, u64)>,
}

impl VcpuState {
    /// Reads it from a vCPU that is stopped. `known` are the model-specific registers that KVM knows.
    pub(super) fn save(vcpu: &VcpuFd, known: &[u32]) -> Result<Self, KvmError> {
        let sregs = vcpu
            .get_sregs()
            .map_err(KvmError::io("read a vCPU's special registers"))?;
        if sregs.efer & EFER_SVM != 0 || sregs.cr4 & CR4_VMX != 0 {
            return Err(KvmError::Nested);
        }
        Ok(Self {
            // First: asking for it makes KVM take in a start that another vCPU has sent.
            mp_state: vcpu
                .get_mp_state()
                .map_err(KvmError::io("ask for a vCPU's state"))?,
            regs: vcpu
                .get_regs()
                .map_err(KvmError::io("read a vCPU's registers"))?,
            sregs,
            xsave: vcpu
                .get_xsave()
                .map_err(KvmError::io("read a vCPU's floating-point state"))?,
            xcrs: vcpu.get_xcrs().ok(),
            debug: vcpu
                .get_debug_regs()
                .map_err(KvmError::io("read a vCPU's debug registers"))?,
            lapic: vcpu
                .get_lapic()
                .map_err(KvmError::io("read a vCPU's local APIC"))?,
            tsc_khz: vcpu.get_tsc_khz().map_err(KvmError::io(
                "ask for the speed of a vCPU's time stamp counter",
            ))?,
            msrs: read_msrs(vcpu, known)?,
            events: vcpu
                .get_vcpu_events()
                .map_err(KvmError::io("ask for a vCPU's events"))?,
        })
    }

    /// Gives it to a new vCPU whose features are set.
    pub(super) fn restore(&self, vcpu: &VcpuFd) -> Result<(), KvmError> {
        self.check_speed(vcpu)?;
        vcpu.set_mp_state(self.mp_state)
            .map_err(KvmError::io("set a vCPU's run state"))?;
        vcpu.set_regs(&self.regs)
            .map_err(KvmError::io("set a vCPU's registers"))?;
        vcpu.set_sregs(&self.sregs)
            .map_err(KvmError::io("set a vCPU's special registers"))?;
        // SAFETY: KVM reads as many bytes as the vCPU's state has, which can be more than the structure
        // when the process has been given larger features (AMX). It asks for these by arch_prctl,
        // which nothing here does; and where they would be there without asking, reading the state into
        // this same structure has failed on this host before an image could be made.
        unsafe { vcpu.set_xsave(&self.xsave) }
            .map_err(KvmError::io("set a vCPU's floating-point state"))?;
        if let Some(xcrs) = &self.xcrs {
            vcpu.set_xcrs(xcrs)
                .map_err(KvmError::io("set a vCPU's extended control registers"))?;
        }
        vcpu.set_debug_regs(&self.debug)
            .map_err(KvmError::io("set a vCPU's debug registers"))?;
        vcpu.set_lapic(&self.lapic)
            .map_err(KvmError::io("set a vCPU's local APIC"))?;
        self.write_msrs(vcpu)?;
        vcpu.set_vcpu_events(&self.events)
            .map_err(KvmError::io("set a vCPU's events"))
    }

    /// The time stamp counter must run as fast as it did: the guest has measured it.
    fn check_speed(&self, vcpu: &VcpuFd) -> Result<(), KvmError> {
        let found_khz = vcpu.get_tsc_khz().map_err(KvmError::io(
            "ask for the speed of a vCPU's time stamp counter",
        ))?;
        let saved_khz = self.tsc_khz;
        if found_khz == saved_khz {
            return Ok(());
        }
        let differ = u64::from(found_khz.abs_diff(saved_khz)) * 1_000_000;
        if differ > u64::from(saved_khz) * TSC_TOLERANCE_PPM {
            return Err(KvmError::TscSpeed {
                saved_khz,
                found_khz,
            });
        }
        vcpu.set_tsc_khz(saved_khz)
            .map_err(KvmError::io("set the speed of a vCPU's time stamp counter"))
    }

    /// Writes those registers that a new vCPU has otherwise. What cannot be written must not differ.
    fn write_msrs(&self, vcpu: &VcpuFd) -> Result<(), KvmError> {
        let known: Vec<u32> = self.msrs.iter().map(|(index, _)| *index).collect();
        let fresh = read_msrs(vcpu, &known)?;
        let late = |index: &u32| *index == TSC_DEADLINE;
        // Always written: KVM takes vCPUs whose counters are set alike to be in step.
        let differs =
            |(index, value): &&(u32, u64)| *index == TSC || !fresh.contains(&(*index, *value));
        let wanted = self
            .msrs
            .iter()
            .filter(|(index, _)| !WALL_CLOCKS.contains(index))
            .filter(differs);
        let (last, first): (Vec<_>, Vec<_>) = wanted.copied().partition(|(index, _)| late(index));
        for (index, value) in first.into_iter().chain(last) {
            let entry = kvm_msr_entry {
                index,
                data: value,
                ..Default::default()
            };
            let written = Msrs::from_entries(&[entry]).map(|msrs| vcpu.set_msrs(&msrs));
            if !matches!(written, Ok(Ok(1))) {
                return Err(KvmError::Msr { index, value });
            }
        }
        Ok(())
    }
}

/// The values of those of the registers that can be read.
fn read_msrs(vcpu: &VcpuFd, known: &[u32]) -> Result<Vec<(u32, u64)>, KvmError> {
    let mut values = Vec::new();
    let mut rest = known;
    // KVM stops at the first register that it cannot read.
    while let Some((_, after_first)) = rest.split_first() {
        let asked = &rest[..rest.len().min(kvm_bindings::KVM_MAX_MSR_ENTRIES)];
        let entries: Vec<_> = asked
            .iter()
            .map(|&index| kvm_msr_entry {
                index,
                ..Default::default()
            })
            .collect();
        let failed = |error| KvmError::Io {
            action: "read a vCPU's model-specific registers",
            source: error,
        };
        let mut msrs = Msrs::from_entries(&entries)
            .map_err(|error| failed(std::io::Error::other(format!("{error:?}"))))?;
        let read = vcpu
            .get_msrs(&mut msrs)
            .map_err(|error| failed(std::io::Error::from_raw_os_error(error.errno())))?;
        values.extend(msrs.as_slice().iter().take(read).map(|e| (e.index, e.data)));
        rest = if read < asked.len() {
            rest.get(read + 1..).unwrap_or_default()
        } else {
            rest.get(read..).unwrap_or(after_first)
        };
    }
    Ok(values)
}
