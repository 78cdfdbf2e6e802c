//! Tests of the view of guest RAM; they need no guest, only the memory file.

use super::*;
use crate::address::{HIGH_RAM_START, LEGACY_HOLE_END, LEGACY_HOLE_START, MIB};
use proptest::prelude::*;

fn ram(mib: u64) -> (RamFile, GuestRam) {
    let file = RamFile::create(mib * MIB).unwrap();
    let map = file.map().unwrap();
    (file, map)
}

#[test]
fn what_is_written_is_read_at_the_same_guest_address() {
    let (file, ram) = ram(64);
    let at = GuestAddress(0x20_0001);
    file.write_all_at(&ram, at, b"relay").unwrap();
    let mut buf = [0; 5];
    ram.read_exact_at(at, &mut buf).unwrap();
    assert_eq!(&buf, b"relay");
    assert_eq!(StillRam::new(&ram).slice(at, 5).unwrap(), b"relay");
    assert_eq!(ram.read_obj::<u8>(at).unwrap(), b'r');
}

#[test]
fn ram_above_the_hole_is_the_rest_of_the_file() {
    let (file, ram) = ram(3072);
    let at = GuestAddress(HIGH_RAM_START + 8);
    file.write_all_at(&ram, at, &7u64.to_le_bytes()).unwrap();
    assert_eq!(ram.load::<u64>(at).unwrap(), 7);
    let mut raw = [0; 8];
    file.file.read_exact_at(&mut raw, 2048 * MIB + 8).unwrap();
    assert_eq!(u64::from_le_bytes(raw), 7);
    assert!(!ram.contains(GuestAddress(2048 * MIB), 1));
    assert!(ram.contains(GuestAddress(HIGH_RAM_START), 1024 * 1024 * 1024));
    assert!(!ram.contains(GuestAddress(HIGH_RAM_START + 1024 * MIB), 1));
}

#[test]
fn the_legacy_hole_is_not_ram() {
    let (_file, ram) = ram(64);
    assert!(ram.contains(GuestAddress(LEGACY_HOLE_START - 1), 1));
    assert!(!ram.contains(GuestAddress(LEGACY_HOLE_START - 1), 2));
    assert!(!ram.contains(GuestAddress(LEGACY_HOLE_END - 1), 1));
    assert!(ram.contains(GuestAddress(LEGACY_HOLE_END), 1));
}

#[test]
fn a_large_object_is_read_whole() {
    let (file, ram) = ram(64);
    let bytes: Vec<u8> = (0..1024u32).map(|i| i.to_le_bytes()[0]).collect();
    file.write_all_at(&ram, GuestAddress(0x30_0000), &bytes)
        .unwrap();
    assert_eq!(
        ram.read_obj::<[u8; 1024]>(GuestAddress(0x30_0000)).unwrap()[..],
        bytes[..]
    );
}

#[test]
fn a_misaligned_atomic_load_is_named() {
    let (_file, ram) = ram(64);
    let error = ram.load::<u32>(GuestAddress(0x20_0001)).unwrap_err();
    assert!(
        matches!(error, RamError::Misaligned { size: 4, .. }),
        "{error}"
    );
}

#[test]
fn the_file_can_neither_shrink_nor_grow() {
    let (file, _ram) = ram(64);
    assert!(file.file.set_len(0).is_err());
    assert!(file.file.set_len(65 * MIB).is_err());
}

#[test]
fn the_mapping_has_no_write_permission() {
    let (_file, ram) = ram(64);
    for region in ram.memory.iter() {
        assert_eq!(region.prot(), PROT_READ);
    }
}

proptest! {
    #[test]
    fn no_range_outside_ram_is_read(address in any::<u64>(), len in 0usize..1 << 16) {
        let (_file, ram) = ram(64);
        let end = u128::from(address) + len as u128;
        let inside = |from: u64, to: u64| {
            address >= from && address < to && end <= u128::from(to)
        };
        let expected = inside(0, LEGACY_HOLE_START) || inside(LEGACY_HOLE_END, 64 * MIB);
        let mut buf = vec![0; len];
        let read = ram.read_exact_at(GuestAddress(address), &mut buf);
        prop_assert_eq!(read.is_ok(), expected);
        prop_assert_eq!(StillRam::new(&ram).slice(GuestAddress(address), len).is_ok(), expected);
    }

    #[test]
    fn near_the_end_of_ram(back in 0u64..32, len in 0usize..64) {
        let (file, ram) = ram(64);
        let address = GuestAddress(64 * MIB - back);
        let fits = back > 0 && len as u64 <= back;
        prop_assert_eq!(ram.contains(address, len), fits);
        prop_assert_eq!(file.write_all_at(&ram, address, &vec![1; len]).is_ok(), fits);
    }
}
