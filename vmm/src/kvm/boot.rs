//! Everything that is in guest RAM when the kernel is entered, but for kernel and initramfs:
//! command line, zero page with the memory map, MP table, first page tables.

use linux_loader::loader::bootparam::{boot_e820_entry, boot_params};
use vm_memory::{Bytes, GuestAddress};

use super::kernel::Loaded;
use super::layout::{CMDLINE, KERNEL_MIN, LOW_USABLE_END, MP_POINTER, MP_TABLE, ZERO_PAGE, slots};
use super::vm::Memory;
use super::{KvmError, mptable, registers};
use crate::address::{HIGH_RAM_START, LEGACY_HOLE_END};

/// Kinds of entries of the memory map.
const RAM: u32 = 1;
const RESERVED: u32 = 2;

/// Signatures of the boot protocol.
const BOOT_FLAG: u16 = 0xaa55;
const HEADER_MAGIC: u32 = 0x5372_6448;
/// A boot loader without a number of its own.
const LOADER_UNKNOWN: u8 = 0xff;
/// What a `vmlinux`, which has no header, is aligned to.
const KERNEL_ALIGNMENT: u32 = 0x100_0000;

/// What the zero page is made of.
#[derive(Debug)]
pub(super) struct Boot<'a> {
    /// The kernel.
    pub(super) kernel: &'a Loaded,
    /// Address and size of the initramfs.
    pub(super) initramfs: (u64, u64),
    /// The command line, checked to be short enough and without control characters.
    pub(super) cmdline: &'a str,
    /// Size of RAM in bytes.
    pub(super) ram_size: u64,
    /// Number of vCPUs.
    pub(super) vcpus: u32,
}

impl Boot<'_> {
    /// Writes it all into RAM.
    pub(super) fn write(&self, memory: &Memory) -> Result<(), KvmError> {
        let put = |address: u64, bytes: &[u8]| {
            memory
                .write_slice(bytes, GuestAddress(address))
                .map_err(KvmError::io("write the kernel's parameters into RAM"))
        };
        let mut cmdline = self.cmdline.as_bytes().to_vec();
        cmdline.push(0);
        put(CMDLINE, &cmdline)?;
        put(MP_POINTER, &mptable::pointer())?;
        put(
            MP_TABLE,
            &mptable::table(u8::try_from(self.vcpus).unwrap_or(u8::MAX)),
        )?;
        for (address, words) in registers::tables() {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            put(address, &bytes)?;
        }
        memory
            .write_obj(self.zero_page(), GuestAddress(ZERO_PAGE))
            .map_err(KvmError::io("write the zero page into RAM"))
    }

    fn zero_page(&self) -> boot_params {
        let mut page = boot_params::default();
        if let Some(header) = self.kernel.header {
            page.hdr = header;
        } else {
            page.hdr.boot_flag = BOOT_FLAG;
            page.hdr.header = HEADER_MAGIC;
            page.hdr.kernel_alignment = KERNEL_ALIGNMENT;
        }
        page.hdr.type_of_loader = LOADER_UNKNOWN;
        page.hdr.cmd_line_ptr = low(CMDLINE);
        page.hdr.cmdline_size = low(self.cmdline.len() as u64);
        page.hdr.ramdisk_image = low(self.initramfs.0);
        page.hdr.ramdisk_size = low(self.initramfs.1);
        let map = memory_map(self.ram_size);
        let mut entries = 0;
        for (slot, entry) in page.e820_table.iter_mut().zip(map) {
            *slot = entry;
            entries += 1;
        }
        page.e820_entries = entries;
        page
    }
}

/// The memory map that the kernel is given.
fn memory_map(ram_size: u64) -> Vec<boot_e820_entry> {
    let entry = |start, end: u64, kind| boot_e820_entry {
        addr: start,
        size: end - start,
        r#type: kind,
    };
    let mut map = vec![
        entry(0, LOW_USABLE_END, RAM),
        entry(LOW_USABLE_END, LEGACY_HOLE_END, RESERVED),
    ];
    for slot in slots(ram_size) {
        let start = slot.start.max(KERNEL_MIN);
        map.push(entry(start, slot.start + slot.size, RAM));
    }
    map
}

/// An address or size below 4 GiB, as the callers know theirs to be.
fn low(value: u64) -> u32 {
    debug_assert!(value < HIGH_RAM_START);
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::MIB;

    #[test]
    fn the_memory_map_is_ordered_and_without_gaps_below_the_end_of_low_ram() {
        for mib in [64, 2816, 8192] {
            let map = memory_map(mib * MIB);
            let mut end = 0;
            for entry in &map {
                let (addr, size) = (entry.addr, entry.size);
                assert!(
                    addr == end || addr == HIGH_RAM_START,
                    "{addr:#x} after {end:#x}"
                );
                end = addr + size;
            }
            let ram: u64 = map.iter().filter(|e| e.r#type == RAM).map(|e| e.size).sum();
            assert_eq!(ram + (LEGACY_HOLE_END - LOW_USABLE_END), mib * MIB);
        }
    }

    #[test]
    fn the_zero_page_leads_to_command_line_and_initramfs() {
        let kernel = Loaded {
            entry: 0x100_0000,
            end: 0x200_0000,
            header: None,
        };
        let boot = Boot {
            kernel: &kernel,
            initramfs: (0xf00_0000, 12345),
            cmdline: "console=ttyS0",
            ram_size: 256 * MIB,
            vcpus: 2,
        };
        let page = boot.zero_page();
        assert_eq!({ page.hdr.cmd_line_ptr }, 0x2_0000);
        assert_eq!({ page.hdr.ramdisk_image }, 0xf00_0000);
        assert_eq!({ page.hdr.ramdisk_size }, 12345);
        assert_eq!({ page.hdr.header }, HEADER_MAGIC);
        assert_eq!(page.e820_entries, 3);
    }
}
