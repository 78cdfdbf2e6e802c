//! The one map of guest-physical addresses that this crate relies on.
//!
//! Everything derives from how QEMU's `q35` machine lays RAM out: below 4 GiB there is room for
//! devices, so RAM beyond a limit continues at 4 GiB. The split depends on the size of RAM and is
//! part of the machine type's promise to its guests.

use vm_memory::GuestAddress;

/// One mebibyte.
pub(crate) const MIB: u64 = 1 << 20;

/// Start of the legacy hole: video memory, option ROMs and the firmware's shadow.
///
/// The RAM object has bytes behind these addresses, but what a guest reads there are devices and
/// ROM, so the host's view leaves them out rather than show something else than the guest sees.
pub const LEGACY_HOLE_START: u64 = 0xa_0000;
/// First byte of RAM after the legacy hole.
pub const LEGACY_HOLE_END: u64 = 0x10_0000;

/// `q35` keeps all RAM below 4 GiB when there is less than this.
const SPLIT_THRESHOLD: u64 = 0xb000_0000;
/// With more, this much stays low and the rest goes to [`HIGH_RAM_START`].
const SPLIT_LOW_SIZE: u64 = 0x8000_0000;
/// Where RAM above the PCI hole starts.
pub const HIGH_RAM_START: u64 = 1 << 32;

/// The BIOS data area's warm-boot word.
///
/// Linux on x86 stores its reboot mode here just before it resets the machine, since the firmware
/// is to skip its memory test on a warm boot. With `reboot=panic_warm` on the command line, only
/// a panic stores [`WARM_BOOT`].
pub(crate) const REBOOT_MODE: GuestAddress = GuestAddress(0x472);
/// The word that asks the firmware for a warm boot.
pub(crate) const WARM_BOOT: u16 = 0x1234;

const _: () = assert!(REBOOT_MODE.0 + 2 <= LEGACY_HOLE_START);
const _: () = assert!(LEGACY_HOLE_START < LEGACY_HOLE_END);
const _: () = assert!(LEGACY_HOLE_END < SPLIT_LOW_SIZE);
const _: () = assert!(SPLIT_LOW_SIZE <= SPLIT_THRESHOLD && SPLIT_THRESHOLD < HIGH_RAM_START);

/// One piece of guest RAM: where the guest sees it and where it is in the RAM file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Guest-physical address of the first byte.
    pub(crate) start: u64,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Offset of the first byte in the RAM file.
    pub(crate) file_offset: u64,
}

/// The pieces of RAM of a machine with `size` bytes, in address order.
///
/// `size` must be larger than [`LEGACY_HOLE_END`]; the spec's minimum sees to it.
pub(crate) fn ram_pieces(size: u64) -> Vec<Piece> {
    let low = if size >= SPLIT_THRESHOLD {
        SPLIT_LOW_SIZE
    } else {
        size
    };
    let mut pieces = vec![
        Piece {
            start: 0,
            size: LEGACY_HOLE_START,
            file_offset: 0,
        },
        Piece {
            start: LEGACY_HOLE_END,
            size: low - LEGACY_HOLE_END,
            file_offset: LEGACY_HOLE_END,
        },
    ];
    if size > low {
        pieces.push(Piece {
            start: HIGH_RAM_START,
            size: size - low,
            file_offset: low,
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_ram_stays_low() {
        let pieces = ram_pieces(256 * MIB);
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[1].start + pieces[1].size, 256 * MIB);
        assert_eq!(ram_pieces(SPLIT_THRESHOLD - MIB).len(), 2);
    }

    #[test]
    fn large_ram_continues_at_4_gib() {
        let pieces = ram_pieces(SPLIT_THRESHOLD);
        let high = pieces[2];
        assert_eq!(high.start, HIGH_RAM_START);
        assert_eq!(high.file_offset, SPLIT_LOW_SIZE);
        assert_eq!(high.size, SPLIT_THRESHOLD - SPLIT_LOW_SIZE);
    }
}
