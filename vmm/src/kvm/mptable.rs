//! The MP table: how a kernel without ACPI learns of its CPUs and interrupts.
//!
//! Intel's MultiProcessor Specification 1.4. A floating pointer in the last KiB of base memory leads
//! to a table of CPUs, one ISA bus, one I/O APIC and the interrupts' ways to it.

use super::layout::{IO_APIC, LOCAL_APIC, MP_TABLE};

/// Version 1.4.
const SPEC_REVISION: u8 = 4;
/// Version of KVM's local APIC.
const APIC_VERSION: u8 = 0x14;
/// Version of KVM's I/O APIC.
const IO_APIC_VERSION: u8 = 0x11;
/// Interrupts of the ISA bus.
const ISA_IRQS: u8 = 16;
/// Number of the only bus.
const ISA_BUS: u8 = 0;
/// "All local APICs".
const EVERY_APIC: u8 = 0xff;

/// Kinds of entries.
const PROCESSOR: u8 = 0;
const BUS: u8 = 1;
const IO_APIC_ENTRY: u8 = 2;
const INTERRUPT: u8 = 3;
const LOCAL_INTERRUPT: u8 = 4;

/// Kinds of interrupts.
const VECTORED: u8 = 0;
const NMI: u8 = 1;
const FROM_PICS: u8 = 3;

/// The floating pointer.
pub(super) fn pointer() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    bytes.extend(b"_MP_");
    bytes.extend(low_half(MP_TABLE));
    // One paragraph long; the checksum comes last; no default configuration; the PICs are wired to
    // the first CPU (virtual wire).
    bytes.extend([1, SPEC_REVISION, 0, 0, 0, 0, 0, 0]);
    seal(&mut bytes, 10);
    bytes
}

/// The table for `vcpus` vCPUs, whose APIC ids count from 0.
pub(super) fn table(vcpus: u8) -> Vec<u8> {
    let io_apic = vcpus;
    let mut entries = Vec::new();
    let mut count: u16 = 0;
    let mut entry = |bytes: &[u8]| {
        entries.extend_from_slice(bytes);
        count += 1;
    };
    for id in 0..vcpus {
        let flags = if id == 0 { 0b11 } else { 0b01 };
        let mut cpu = [0; 20];
        cpu[..4].copy_from_slice(&[PROCESSOR, id, APIC_VERSION, flags]);
        entry(&cpu);
    }
    entry(&[BUS, ISA_BUS, b'I', b'S', b'A', b' ', b' ', b' ']);
    let [a, b, c, d] = low_half(IO_APIC);
    entry(&[IO_APIC_ENTRY, io_apic, IO_APIC_VERSION, 1, a, b, c, d]);
    for irq in 0..ISA_IRQS {
        // KVM wires each ISA interrupt to the pin of the same number.
        entry(&[INTERRUPT, VECTORED, 0, 0, ISA_BUS, irq, io_apic, irq]);
    }
    entry(&[LOCAL_INTERRUPT, FROM_PICS, 0, 0, ISA_BUS, 0, 0, 0]);
    entry(&[LOCAL_INTERRUPT, NMI, 0, 0, ISA_BUS, 0, EVERY_APIC, 1]);

    let mut table = Vec::with_capacity(44 + entries.len());
    table.extend(b"PCMP");
    // The table's lengths fit: `layout` holds the bound for the most vCPUs.
    let len = u16::try_from(44 + entries.len()).unwrap_or(u16::MAX);
    table.extend(len.to_le_bytes());
    table.extend([SPEC_REVISION, 0]);
    table.extend(b"RELAYBEDVIRTUAL MACH");
    table.extend([0; 6]);
    table.extend(count.to_le_bytes());
    table.extend(low_half(LOCAL_APIC));
    table.extend([0; 4]);
    table.extend(entries);
    seal(&mut table, 7);
    table
}

fn low_half(address: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = address.to_le_bytes();
    [a, b, c, d]
}

/// Sets the byte at `at` so that all bytes add up to zero.
fn seal(bytes: &mut [u8], at: usize) {
    let sum = bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
    if let Some(byte) = bytes.get_mut(at) {
        *byte = byte.wrapping_sub(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::{MP_TABLE_MAX, PAGE};
    use super::*;

    fn sum(bytes: &[u8]) -> u8 {
        bytes.iter().fold(0, |sum, b| sum.wrapping_add(*b))
    }

    #[test]
    fn every_table_adds_up_and_fits() {
        assert_eq!(pointer().len(), 16);
        assert_eq!(sum(&pointer()), 0);
        for vcpus in 1..=64 {
            let table = table(vcpus);
            assert_eq!(sum(&table), 0);
            assert_eq!(
                usize::from(u16::from_le_bytes([table[4], table[5]])),
                table.len()
            );
            assert!(table.len() as u64 <= MP_TABLE_MAX && MP_TABLE_MAX < PAGE);
        }
    }

    #[test]
    fn entries_are_counted_and_the_first_cpu_boots() {
        let table = table(3);
        let mut at = 44;
        let mut count = 0;
        let mut cpus = Vec::new();
        while at < table.len() {
            if table[at] == PROCESSOR {
                cpus.push((table[at + 1], table[at + 3]));
            }
            at += if table[at] == PROCESSOR { 20 } else { 8 };
            count += 1;
        }
        assert_eq!(at, table.len());
        assert_eq!(count, u16::from_le_bytes([table[34], table[35]]));
        assert_eq!(cpus, [(0, 3), (1, 1), (2, 1)]);
    }
}
