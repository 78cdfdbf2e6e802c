//! What the vCPUs say of themselves: the host's CPUs, with a topology of our own.
//!
//! One package of single-threaded cores, whose APIC ids count from 0. Both ways to say so are
//! filled in: Intel's leaves and AMD's.

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};

/// Feature bits of leaf 1, ECX.
const TSC_DEADLINE: u32 = 1 << 24;
const HYPERVISOR: u32 = 1 << 31;
/// Leaf 1, EDX: more than one logical CPU in a package.
const HTT: u32 = 1 << 28;
/// Leaf 6, EAX: the local APIC's timer never stops.
const ARAT: u32 = 1 << 2;
/// Leaf 0x8000_0001, ECX: the logical CPUs of a package are cores; extended performance counters.
const CMP_LEGACY: u32 = 1 << 1;
const PERF_COUNTERS: u32 = (1 << 23) | (1 << 24) | (1 << 28);
/// Leaf 4 and 0x8000_001d, EAX: level of a cache.
const CACHE_LEVEL_SHIFT: u32 = 5;
const CACHE_LEVEL_MASK: u32 = 0b111;
/// Kinds of levels of leaf 0xb.
const LEVEL_THREAD: u32 = 1 << 8;
const LEVEL_CORE: u32 = 2 << 8;

/// The CPUID of all vCPUs, made of what KVM supports on this host.
#[derive(Clone, Debug)]
pub(super) struct Template {
    entries: Vec<kvm_cpuid_entry2>,
    vcpus: u32,
}

impl Template {
    /// For a machine of `vcpus` vCPUs.
    pub(super) fn new(supported: &CpuId, vcpus: u32, tsc_deadline: bool) -> Self {
        let mut entries: Vec<_> = supported
            .as_slice()
            .iter()
            .copied()
            .filter(|e| !matches!(e.function, 0xb | 0x1f))
            .collect();
        let highest = entries
            .iter()
            .find(|e| e.function == 0)
            .map_or(0, |e| e.eax);
        for entry in &mut entries {
            common(entry, vcpus, tsc_deadline);
        }
        for function in [0xb, 0x1f] {
            if function <= highest {
                entries.extend(levels(function, vcpus));
            }
        }
        Self { entries, vcpus }
    }

    /// The entries of one vCPU.
    pub(super) fn of(&self, id: u32) -> Vec<kvm_cpuid_entry2> {
        let mut entries = self.entries.clone();
        for entry in &mut entries {
            match entry.function {
                1 => entry.ebx = (entry.ebx & 0xffff) | ((self.vcpus & 0xff) << 16) | (id << 24),
                0xb | 0x1f => entry.edx = id,
                // Extended APIC id; core id, one thread a core; node 0, one node.
                0x8000_001e => (entry.eax, entry.ebx, entry.ecx) = (id, id & 0xff, 0),
                _ => {}
            }
        }
        entries
    }
}

/// Bits of an APIC id that number the cores.
fn core_bits(vcpus: u32) -> u32 {
    vcpus.next_power_of_two().trailing_zeros()
}

/// What all vCPUs report alike.
fn common(entry: &mut kvm_cpuid_entry2, vcpus: u32, tsc_deadline: bool) {
    let others = vcpus - 1;
    match entry.function {
        1 => {
            entry.ecx = (entry.ecx & !TSC_DEADLINE) | HYPERVISOR;
            if tsc_deadline {
                entry.ecx |= TSC_DEADLINE;
            }
            entry.edx = (entry.edx & !HTT) | if others > 0 { HTT } else { 0 };
        }
        4 if entry.eax & 0x1f != 0 => {
            entry.eax = shared_by(entry.eax, others) & 0x03ff_ffff | (others << 26);
        }
        6 => entry.eax |= ARAT,
        // No performance counters: the guest's NMI watchdog would only watch the host.
        0xa | 0x8000_0022 => {
            (entry.eax, entry.ebx, entry.ecx, entry.edx) = (0, 0, 0, 0);
        }
        0x8000_0001 => {
            entry.ecx &= !(CMP_LEGACY | PERF_COUNTERS);
            if others > 0 {
                entry.ecx |= CMP_LEGACY;
            }
        }
        0x8000_0008 => entry.ecx = others | (core_bits(vcpus) << 12),
        0x8000_001d if entry.eax & 0x1f != 0 => entry.eax = shared_by(entry.eax, others),
        _ => {}
    }
}

/// A cache's word with the number of CPUs that share it: all do from the third level on.
fn shared_by(eax: u32, others: u32) -> u32 {
    let level = (eax >> CACHE_LEVEL_SHIFT) & CACHE_LEVEL_MASK;
    let sharing = if level >= 3 { others } else { 0 };
    (eax & !(0xfff << 14)) | (sharing << 14)
}

/// The extended topology: a level of threads with one in each core, a level of cores, the end.
fn levels(function: u32, vcpus: u32) -> [kvm_cpuid_entry2; 3] {
    let level = |index, eax, ebx, kind| kvm_cpuid_entry2 {
        function,
        index,
        flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
        eax,
        ebx,
        ecx: index | kind,
        ..Default::default()
    };
    [
        level(0, 0, 1, LEVEL_THREAD),
        level(1, core_bits(vcpus), vcpus, LEVEL_CORE),
        level(2, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supported() -> CpuId {
        let entry = |function, index, eax| kvm_cpuid_entry2 {
            function,
            index,
            eax,
            ebx: u32::MAX,
            ecx: u32::MAX,
            edx: u32::MAX,
            ..Default::default()
        };
        let caches = (4u32..).zip([1 | (1 << 5), 3 | (3 << 5), 0]);
        let mut entries = vec![
            entry(0, 0, 0x1f),
            entry(1, 0, 0),
            entry(6, 0, 0),
            entry(0xb, 0, 7),
        ];
        entries.extend(caches.map(|(index, eax)| entry(4, index - 4, eax)));
        entries.extend([
            entry(0xa, 0, 5),
            entry(0x8000_0001, 0, 0),
            entry(0x8000_001e, 0, 9),
        ]);
        CpuId::from_entries(&entries).unwrap()
    }

    fn find(entries: &[kvm_cpuid_entry2], function: u32, index: u32) -> kvm_cpuid_entry2 {
        let mut found = entries
            .iter()
            .filter(|e| e.function == function && e.index == index);
        let entry = *found.next().unwrap();
        assert!(found.next().is_none(), "leaf {function:#x} twice");
        entry
    }

    #[test]
    fn ids_and_counts_agree_in_all_leaves() {
        for vcpus in [1, 2, 3, 64] {
            let template = Template::new(&supported(), vcpus, true);
            for id in 0..vcpus {
                let entries = template.of(id);
                let leaf1 = find(&entries, 1, 0);
                assert_eq!((leaf1.ebx >> 24, (leaf1.ebx >> 16) & 0xff), (id, vcpus));
                assert_eq!(leaf1.edx & HTT != 0, vcpus > 1);
                assert_eq!(find(&entries, 4, 0).eax >> 26, vcpus - 1);
                assert_eq!((find(&entries, 4, 1).eax >> 14) & 0xfff, vcpus - 1);
                assert_eq!(find(&entries, 4, 2).eax, 0, "the end of the caches stays");
                for leaf in [0xb, 0x1f] {
                    let core = find(&entries, leaf, 1);
                    assert_eq!((core.ebx, core.edx), (vcpus, id));
                    assert!(1 << core.eax >= vcpus);
                    assert_eq!(find(&entries, leaf, 0).eax, 0);
                }
                assert_eq!(find(&entries, 0x8000_001e, 0).eax, id);
                assert_eq!(find(&entries, 0xa, 0).eax, 0);
            }
        }
    }

    #[test]
    fn the_deadline_timer_is_what_the_host_says() {
        let of = |there| Template::new(&supported(), 1, there).of(0);
        assert_ne!(find(&of(true), 1, 0).ecx & TSC_DEADLINE, 0);
        assert_eq!(find(&of(false), 1, 0).ecx & TSC_DEADLINE, 0);
    }
}
