//! Everything of a stopped machine but its RAM, as it is kept in an image.
//!
//! JSON, in which KVM's own structures are lists of bytes: they are an interface that KVM keeps stable, and
//! only KVM reads them. An image is refused on any other host than it was made on ([`host`]), so what is
//! read here was written by a machine that could run here. It is hostile nevertheless until KVM has
//! taken it: its form is checked by [`State::parse`], its values by KVM, whose refusals are errors.

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_clock_data, kvm_irqchip, kvm_pit_state2};
use serde::{Deserialize, Serialize};

use super::KvmError;
use super::cpuid::Template;
use super::ports::PortsState;
use super::vcpu_state::VcpuState;
use super::vm;
use crate::pages;

/// Raised whenever the form or its meaning changes.
const VERSION: u32 = 1;
/// The interrupt controllers: two PICs and the I/O APIC.
pub(super) const IRQCHIPS: [u32; 3] = [
    kvm_bindings::KVM_IRQCHIP_PIC_MASTER,
    kvm_bindings::KVM_IRQCHIP_PIC_SLAVE,
    kvm_bindings::KVM_IRQCHIP_IOAPIC,
];

/// A machine's vCPUs and devices.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    version: u32,
    pub(super) vcpus: Vec<VcpuState>,
    pub(super) machine: MachineState,
    pub(super) ports: PortsState,
}

/// What KVM keeps for the machine as a whole.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineState {
    /// In the order of [`IRQCHIPS`].
    pub(super) irqchips: [kvm_irqchip; 3],
    pub(super) pit: kvm_pit_state2,
    pub(super) clock: kvm_clock_data,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("vcpus", &self.vcpus.len())
            .finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn new(vcpus: Vec<VcpuState>, machine: MachineState, ports: PortsState) -> Self {
        Self {
            version: VERSION,
            vcpus,
            machine,
            ports,
        }
    }

    /// As bytes for a file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, KvmError> {
        serde_json::to_vec(self).map_err(|error| KvmError::Io {
            action: "write a machine's state down",
            source: error.into(),
        })
    }

    /// What [`Self::to_bytes`] has made of a machine with so many vCPUs, or why it is not that.
    pub(crate) fn parse(bytes: &[u8], vcpus: u32) -> Result<Self, String> {
        let state: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if state.version != VERSION {
            let found = state.version;
            return Err(format!("it is of version {found}, {VERSION} is known"));
        }
        let found = state.vcpus.len();
        if u32::try_from(found) != Ok(vcpus) {
            return Err(format!("it has {found} vCPUs, the machine {vcpus}"));
        }
        let chips = state.machine.irqchips.iter().map(|chip| chip.chip_id);
        if !chips.eq(IRQCHIPS) {
            return Err("its interrupt controllers are not a machine's".to_owned());
        }
        // Structures that are cut would be filled up with zeros, and long lists of registers are not KVM's.
        match state.to_bytes() {
            Ok(again) if again == bytes => Ok(state),
            _ => Err("a structure is shorter than KVM's, or something is there twice".to_owned()),
        }
    }
}

/// What a state depends on of the host: the vCPUs' features, the registers that KVM knows, its
/// abilities and the kernel that it is part of.
pub(crate) fn host(vcpus: u32) -> Result<String, KvmError> {
    let kvm = vm::open_default()?;
    let supported = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(KvmError::io("ask KVM which CPU features it supports"))?;
    let deadline = kvm.check_extension(kvm_ioctls::Cap::TscDeadlineTimer);
    let registers = kvm.get_msr_index_list().map_err(KvmError::io(
        "ask KVM which model-specific registers it has",
    ))?;
    let abilities: Vec<i32> = (0..ABILITIES)
        .map(|number| kvm.check_extension_raw(number))
        .collect();
    let uname = rustix::system::uname();
    let all = format!(
        "{:?} {:?} {abilities:?} {:?} {:?}",
        Template::new(&supported, vcpus, deadline).of(0),
        registers.as_slice(),
        uname.release(),
        uname.version(),
    );
    Ok(pages::hash(all.as_bytes()))
}

/// Numbers of the abilities that are asked for: all that there are today, and some to come.
const ABILITIES: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn state() -> State {
        let irqchips = IRQCHIPS.map(|chip_id| kvm_irqchip {
            chip_id,
            ..Default::default()
        });
        let machine = MachineState {
            irqchips,
            pit: kvm_pit_state2::default(),
            clock: kvm_clock_data {
                clock: 12345,
                ..Default::default()
            },
        };
        let vcpus = vec![VcpuState::default(), VcpuState::default()];
        State::new(vcpus, machine, PortsState::default())
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = state().to_bytes().unwrap();
        let read = State::parse(&bytes, 2).unwrap();
        assert_eq!(read.to_bytes().unwrap(), bytes);
        assert_eq!(read.machine.clock.clock, 12345);
    }

    #[test]
    fn every_prefix_is_refused() {
        let bytes = state().to_bytes().unwrap();
        for len in (0..bytes.len()).step_by(97) {
            assert!(State::parse(&bytes[..len], 2).is_err(), "{len}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let refused = |change: fn(&mut Value), vcpus: u32| {
            let mut value = serde_json::to_value(state()).unwrap();
            change(&mut value);
            State::parse(&serde_json::to_vec(&value).unwrap(), vcpus).unwrap_err()
        };
        let text = |change, part: &str| {
            let problem = refused(change, 2);
            assert!(problem.contains(part), "{problem}");
        };
        assert!(refused(|_| {}, 3).contains("it has 2 vCPUs, the machine 3"));
        text(|v| v["version"] = 2.into(), "version 2");
        text(|v| v["more"] = 1.into(), "unknown field");
        text(
            |v| v["machine"]["irqchips"][1] = v["machine"]["irqchips"][2].clone(),
            "controllers",
        );
        let long: fn(&mut Value) = |v| {
            v["vcpus"][0]["lapic"]
                .as_array_mut()
                .unwrap()
                .push(0.into());
        };
        text(long, "trailing");
    }

    #[test]
    fn a_structure_that_is_cut_is_not_filled_up() {
        let whole = String::from_utf8(state().to_bytes().unwrap()).unwrap();
        let cut = whole.replacen("\"lapic\":[0,", "\"lapic\":[", 1);
        assert_ne!(cut, whole);
        let problem = State::parse(cut.as_bytes(), 2).unwrap_err();
        assert!(problem.contains("shorter than KVM's"), "{problem}");
    }
}
