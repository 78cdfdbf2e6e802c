//! The virtual machine in KVM: the only place where KVM is given memory, hence the only `unsafe`.

use std::ffi::CStr;

use kvm_bindings::{
    KVM_API_VERSION, KVM_CAP_SET_GUEST_DEBUG2, KVM_GUESTDBG_BLOCKIRQ, KVM_MAX_CPUID_ENTRIES,
    KVM_PIT_SPEAKER_DUMMY, KVM_PMU_CAP_DISABLE, kvm_clock_data, kvm_enable_cap, kvm_irqchip,
    kvm_pit_config, kvm_userspace_memory_region,
};
use kvm_ioctls::{Cap, VcpuFd, VmFd};
use vm_memory::{GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use super::KvmError;
use super::cpuid::Template;
use super::layout::{IDENTITY_MAP_PAGE, TSS};
use super::registers;
use super::state::{IRQCHIPS, MachineState};
use crate::ram_store::RamStore;

/// Where KVM is.
const KVM_DEVICE: &CStr = c"/dev/kvm";

/// What is needed of KVM, by the name it has in errors.
const NEEDED: [(Cap, &str); 7] = [
    (Cap::UserMemory, "user memory regions"),
    (Cap::Irqchip, "interrupt controllers"),
    (Cap::Irqfd, "interrupts by descriptor"),
    (Cap::Pit2, "timer"),
    (Cap::ImmediateExit, "immediate exit"),
    (Cap::MpState, "run states of vCPUs"),
    (Cap::ExtCpuid, "CPUID interface"),
];

/// Guest RAM as the guest has it: mapped for writing, since KVM stores the guest's writes through
/// this mapping. After the kernel has been loaded nothing in this process writes to it any more but
/// [`Paused`](crate::Paused).
pub(super) type Memory = GuestMemoryMmap<()>;

/// A virtual machine with RAM and interrupt controllers, and no vCPU yet.
#[derive(Debug)]
pub(super) struct Vm {
    // Dropped before the memory it uses.
    fd: VmFd,
    memory: Memory,
    cpuid: Template,
    /// The model-specific registers that KVM knows.
    msrs: Vec<u32>,
}

impl Vm {
    /// Makes a machine for `vcpus` vCPUs whose RAM is `ram`.
    pub(super) fn create(ram: &RamStore, vcpus: u32) -> Result<Self, KvmError> {
        Self::create_on(KVM_DEVICE, ram, vcpus)
    }

    fn create_on(device: &CStr, ram: &RamStore, vcpus: u32) -> Result<Self, KvmError> {
        let kvm = open(device)?;
        let most = kvm.get_max_vcpus();
        if usize::try_from(vcpus).is_ok_and(|asked| asked > most) {
            return Err(KvmError::TooManyVcpus { asked: vcpus, most });
        }
        let supported = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(KvmError::io("ask KVM which CPU features it supports"))?;
        let deadline = kvm.check_extension(Cap::TscDeadlineTimer);
        let fd = kvm
            .create_vm()
            .map_err(KvmError::io("create a virtual machine"))?;
        let memory = ram.for_guest().cloned().ok_or(KvmError::RamInFile)?;
        let registers = kvm.get_msr_index_list().map_err(KvmError::io(
            "ask KVM which model-specific registers it has",
        ))?;
        let vm = Self {
            fd,
            memory,
            cpuid: Template::new(&supported, vcpus, deadline),
            msrs: registers.as_slice().to_vec(),
        };
        vm.give_memory()?;
        vm.create_controllers()?;
        Ok(vm)
    }

    /// Guest RAM, for loading.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Creates all vCPUs in the state after reset: the first one runs, the others wait to be started.
    pub(super) fn create_vcpus(&self, vcpus: u32) -> Result<Vec<VcpuFd>, KvmError> {
        (0..vcpus).map(|id| self.create_vcpu(id)).collect()
    }

    fn create_vcpu(&self, id: u32) -> Result<VcpuFd, KvmError> {
        let vcpu = self
            .fd
            .create_vcpu(u64::from(id))
            .map_err(KvmError::io("create a vCPU"))?;
        let cpuid =
            kvm_bindings::CpuId::from_entries(&self.cpuid.of(id)).map_err(|e| KvmError::Io {
                action: "describe a vCPU's features",
                source: std::io::Error::other(format!("{e:?}")),
            })?;
        vcpu.set_cpuid2(&cpuid)
            .map_err(KvmError::io("set a vCPU's features"))?;
        if let Some(msrs) = registers::msrs() {
            vcpu.set_msrs(&msrs)
                .map_err(KvmError::io("set a vCPU's model-specific registers"))?;
        }
        Ok(vcpu)
    }

    /// A descriptor that raises ISA interrupt `irq` when written to.
    pub(super) fn interrupt(&self, irq: u32) -> Result<EventFd, KvmError> {
        let event = EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC)
            .map_err(KvmError::io("make an event descriptor"))?;
        self.fd
            .register_irqfd(&event, irq)
            .map_err(KvmError::io("connect a device's interrupt"))?;
        Ok(event)
    }

    /// The model-specific registers that KVM knows.
    pub(super) fn msrs(&self) -> &[u32] {
        &self.msrs
    }

    /// Whether a step can leave interrupts alone.
    pub(super) fn can_block_interrupts(&self) -> bool {
        let flags = self
            .fd
            .check_extension_raw(u64::from(KVM_CAP_SET_GUEST_DEBUG2));
        u32::try_from(flags).is_ok_and(|flags| flags & KVM_GUESTDBG_BLOCKIRQ != 0)
    }

    /// Controllers, timer and clock of a machine that is stopped.
    pub(super) fn save(&self) -> Result<MachineState, KvmError> {
        let mut irqchips = [kvm_irqchip::default(); 3];
        for (chip, chip_id) in irqchips.iter_mut().zip(IRQCHIPS) {
            chip.chip_id = chip_id;
            self.fd
                .get_irqchip(chip)
                .map_err(KvmError::io("read the interrupt controllers"))?;
        }
        Ok(MachineState {
            irqchips,
            pit: self.fd.get_pit2().map_err(KvmError::io("read the timer"))?,
            clock: self
                .fd
                .get_clock()
                .map_err(KvmError::io("read the machine's clock"))?,
        })
    }

    /// Puts controllers, timer and clock of a new machine into a state.
    pub(super) fn restore(&self, state: &MachineState) -> Result<(), KvmError> {
        for chip in &state.irqchips {
            self.fd
                .set_irqchip(chip)
                .map_err(KvmError::io("set the interrupt controllers"))?;
        }
        self.fd
            .set_pit2(&state.pit)
            .map_err(KvmError::io("set the timer"))?;
        // The guest's time continues from where it was, whatever the host's did.
        let clock = kvm_clock_data {
            clock: state.clock.clock,
            ..Default::default()
        };
        self.fd
            .set_clock(&clock)
            .map_err(KvmError::io("set the machine's clock"))
    }

    fn give_memory(&self) -> Result<(), KvmError> {
        for (slot, region) in (0..).zip(self.memory.iter()) {
            let region = kvm_userspace_memory_region {
                slot,
                flags: 0,
                guest_phys_addr: region.start_addr().0,
                memory_size: region.len(),
                userspace_addr: region.as_ptr() as u64,
            };
            // SAFETY: KVM wants the RAM's address in this process, which no safe interface can
            // vouch for. It is the start of a writable mapping of exactly this length;
            // `self.memory` keeps the mapping, which `Vm` drops after the machine's
            // descriptor and which no one else can take out; a file behind it is sealed against
            // shrinking. Rust holds no reference into it while a vCPU may run, only volatile
            // accesses: a `StillRam` borrows the stopped machine.
            unsafe { self.fd.set_user_memory_region(region) }
                .map_err(KvmError::io("give RAM to the virtual machine"))?;
        }
        Ok(())
    }

    /// The interrupt controllers and the timer, and what Intel's CPUs need beforehand.
    fn create_controllers(&self) -> Result<(), KvmError> {
        if self.fd.check_extension(Cap::SetTssAddr) {
            let tss = usize::try_from(TSS).unwrap_or_default();
            self.fd
                .set_tss_address(tss)
                .map_err(KvmError::io("place KVM's own pages"))?;
        }
        if self.fd.check_extension(Cap::SetIdentityMapAddr) {
            self.fd
                .set_identity_map_address(IDENTITY_MAP_PAGE)
                .map_err(KvmError::io("place KVM's own page table"))?;
        }
        self.fd
            .create_irq_chip()
            .map_err(KvmError::io("create the interrupt controllers"))?;
        let pit = kvm_pit_config {
            flags: KVM_PIT_SPEAKER_DUMMY,
            ..Default::default()
        };
        self.fd
            .create_pit2(pit)
            .map_err(KvmError::io("create the timer"))?;
        // Best effort: older hosts cannot, and then the guest finds counters that CPUID denies.
        let mut no_counters = kvm_enable_cap {
            cap: kvm_bindings::KVM_CAP_PMU_CAPABILITY,
            ..Default::default()
        };
        no_counters.args[0] = u64::from(KVM_PMU_CAP_DISABLE);
        if let Err(error) = self.fd.enable_cap(&no_counters) {
            tracing::debug!("KVM cannot switch performance counters off: {error}");
        }
        Ok(())
    }
}

/// Opens the host's KVM.
pub(super) fn open_default() -> Result<kvm_ioctls::Kvm, KvmError> {
    open(KVM_DEVICE)
}

/// Opens KVM and checks that it can do what is needed.
fn open(device: &CStr) -> Result<kvm_ioctls::Kvm, KvmError> {
    let kvm = kvm_ioctls::Kvm::new_with_path(device).map_err(open_error)?;
    let found = kvm.get_api_version();
    if u32::try_from(found) != Ok(KVM_API_VERSION) {
        return Err(KvmError::Version { found });
    }
    match NEEDED.iter().find(|(cap, _)| !kvm.check_extension(*cap)) {
        Some(&(_, capability)) => Err(KvmError::Capability { capability }),
        None => Ok(kvm),
    }
}

/// Why the device does not open.
fn open_error(error: kvm_ioctls::Error) -> KvmError {
    let error = std::io::Error::from_raw_os_error(error.errno());
    match error.kind() {
        std::io::ErrorKind::NotFound => KvmError::Absent,
        std::io::ErrorKind::PermissionDenied => KvmError::Permission,
        _ => KvmError::Open(error),
    }
}

#[cfg(test)]
#[path = "vm_tests.rs"]
mod tests;
