//! Every guest-physical address of the KVM backend's machines.
//!
//! ```text
//! 0x0000_0472  warm-boot word (see `address.rs`)
//! 0x0000_0500  GDT of the first vCPU
//! 0x0000_7000  boot_params, the "zero page"
//! 0x0000_8ff0  top of the first stack
//! 0x0000_9000  page tables: PML4, PDPT, PD
//! 0x0002_0000  kernel command line
//! 0x0009_f000  MP configuration table         } reserved in the memory map
//! 0x0009_fc00  MP floating pointer            }
//! 0x000a_0000  legacy hole: RAM to the guest, reserved, not part of the host's view
//! 0x0010_0000  kernel, where its file says; initramfs at the end of low RAM
//! 0xfec0_0000  I/O APIC
//! 0xfee0_0000  local APICs
//! 0xfffb_c000  pages that KVM needs for itself on Intel
//! 0x1_0000_0000  RAM beyond what fits below
//! ```

use crate::address::{
    HIGH_RAM_START, LEGACY_HOLE_END, LEGACY_HOLE_START, MIB, Piece, REBOOT_MODE, ram_pieces,
};
use crate::spec::{CMDLINE_MAX_BYTES, VCPUS_MAX};

/// A page.
pub(super) const PAGE: u64 = 4096;

/// Segment descriptors that the boot protocol asks for.
pub(super) const GDT: u64 = 0x500;
/// Number of descriptors: two empty ones, code (0x10) and data (0x18).
pub(super) const GDT_ENTRIES: u16 = 4;
/// `struct boot_params`.
pub(super) const ZERO_PAGE: u64 = 0x7000;
/// The first stack grows down from here.
pub(super) const STACK_TOP: u64 = 0x8ff0;
/// Root of the first page tables.
pub(super) const PML4: u64 = 0x9000;
/// Second level.
pub(super) const PDPT: u64 = PML4 + PAGE;
/// Third level: one page that maps [`IDENTITY_MAPPED`].
pub(super) const PD: u64 = PDPT + PAGE;
/// How much memory the first page tables map, from address 0 on.
pub(super) const IDENTITY_MAPPED: u64 = 1 << 30;
/// The kernel command line.
pub(super) const CMDLINE: u64 = 0x2_0000;

/// End of the memory below 1 MiB that the kernel may use as it likes.
pub(super) const LOW_USABLE_END: u64 = MP_TABLE;
/// The MP configuration table.
pub(super) const MP_TABLE: u64 = 0x9_f000;
/// The MP floating pointer: the kernel looks in the last KiB of base memory.
pub(super) const MP_POINTER: u64 = LEGACY_HOLE_START - 1024;
/// Most bytes of the MP configuration table: the header, one entry for each vCPU, then one bus,
/// one I/O APIC, sixteen interrupts and two local ones.
pub(super) const MP_TABLE_MAX: u64 = 44 + 20 * VCPUS_MAX as u64 + 8 * (1 + 1 + 16 + 2);

/// No part of a kernel may be loaded below this.
pub(super) const KERNEL_MIN: u64 = LEGACY_HOLE_END;
/// The initramfs must end below this: Linux's own limit on x86-64 (`initrd_addr_max`).
pub(super) const INITRAMFS_LIMIT: u64 = 0x8000_0000;

/// The I/O APIC, where KVM puts it.
pub(super) const IO_APIC: u64 = 0xfec0_0000;
/// The local APICs, where KVM puts them.
pub(super) const LOCAL_APIC: u64 = 0xfee0_0000;
/// A page of KVM's own, on Intel without unrestricted guests.
pub(super) const IDENTITY_MAP_PAGE: u64 = 0xfffb_c000;
/// Three pages of KVM's own, on Intel.
pub(super) const TSS: u64 = IDENTITY_MAP_PAGE + PAGE;

const _: () = assert!(REBOOT_MODE.0 + 2 <= GDT);
const _: () = assert!(GDT + 8 * GDT_ENTRIES as u64 <= ZERO_PAGE);
const _: () = assert!(ZERO_PAGE + PAGE < STACK_TOP && STACK_TOP <= PML4);
const _: () = assert!(PD + PAGE <= CMDLINE);
const _: () = assert!(CMDLINE + (CMDLINE_MAX_BYTES as u64) < MP_TABLE);
const _: () = assert!(
    IDENTITY_MAPPED == 512 * 2 * MIB,
    "one page directory of 2 MiB pages"
);
const _: () = assert!(MP_TABLE + MP_TABLE_MAX <= MP_POINTER);
const _: () = assert!(MP_POINTER + 16 <= LEGACY_HOLE_START);
const _: () = assert!(MP_POINTER.is_multiple_of(16));
const _: () = assert!(KERNEL_MIN < INITRAMFS_LIMIT && INITRAMFS_LIMIT < IO_APIC);
const _: () = assert!(IO_APIC + PAGE <= LOCAL_APIC && LOCAL_APIC + PAGE <= IDENTITY_MAP_PAGE);
const _: () = assert!(TSS + 3 * PAGE <= HIGH_RAM_START);

/// The memory slots of a machine with `size` bytes of RAM.
///
/// As [`ram_pieces`], but for the legacy hole, behind which the guest has RAM too: the kernel
/// searches it for firmware tables, and every read of what is not there would leave the guest.
pub(crate) fn slots(size: u64) -> Vec<Piece> {
    let pieces = ram_pieces(size);
    let low_end = pieces
        .iter()
        .filter(|p| p.start < HIGH_RAM_START)
        .map(|p| p.start + p.size)
        .max()
        .unwrap_or(0);
    let low = Piece {
        start: 0,
        size: low_end,
        file_offset: 0,
    };
    std::iter::once(low)
        .chain(pieces.into_iter().filter(|p| p.start >= HIGH_RAM_START))
        .collect()
}

/// End of the RAM below 4 GiB of a machine with `size` bytes.
pub(super) fn low_ram_end(size: u64) -> u64 {
    slots(size).first().map_or(0, |slot| slot.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_cover_all_of_ram_without_the_devices() {
        for mib in [64, 256, 2815, 2816, 3000, 65536] {
            let size = mib * MIB;
            let slots = slots(size);
            assert_eq!(slots.iter().map(|s| s.size).sum::<u64>(), size);
            assert_eq!(slots[0].start, 0);
            assert!(slots[0].size <= IO_APIC);
            assert!(slots.iter().skip(1).all(|s| s.start == HIGH_RAM_START));
            for slot in &slots {
                assert!(slot.start.is_multiple_of(PAGE) && slot.size.is_multiple_of(PAGE));
            }
            assert_eq!(low_ram_end(size), slots[0].size);
        }
    }
}
