//! Tests of the view of guest RAM; they need no guest, only the memory file.

use super::*;
use crate::address::{HIGH_RAM_START, LEGACY_HOLE_END, LEGACY_HOLE_START};
use crate::ram::StillRam;
use proptest::prelude::*;

fn ram(mib: u64) -> (RamStore, GuestRam) {
    let file = RamStore::create(mib * MIB).unwrap();
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
    file.file()
        .unwrap()
        .read_exact_at(&mut raw, 2048 * MIB + 8)
        .unwrap();
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
    assert!(file.file().unwrap().set_len(0).is_err());
    assert!(file.file().unwrap().set_len(65 * MIB).is_err());
}

#[test]
fn the_mapping_has_no_write_permission() {
    let (file, _ram) = ram(64);
    let inode = format!(
        " {} ",
        std::os::unix::fs::MetadataExt::ino(&file.file().unwrap().metadata().unwrap())
    );
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let rights: Vec<&str> = maps
        .lines()
        .filter(|line| line.contains(&inode))
        .map(|line| line.split_ascii_whitespace().nth(1).unwrap())
        .collect();
    assert_eq!(rights, ["r--s", "r--s"]);
}

#[test]
fn memory_of_this_process_begins_at_a_large_page_and_holds_what_is_written() {
    let slots = crate::kvm::slots(3072 * MIB);
    let store = RamStore::in_process(3072 * MIB, slots).unwrap();
    // Other tests' mappings may come in between, so only one is sure to be where it should.
    assert!(
        store
            .places()
            .iter()
            .any(|p| p.start.is_multiple_of(LARGE_PAGE as u64))
    );
    let ram = store.map().unwrap();
    for at in [0x10_0000, HIGH_RAM_START] {
        let at = GuestAddress(at);
        store.write_all_at(&ram, at, b"relay").unwrap();
        assert_eq!(StillRam::new(&ram).slice(at, 5).unwrap(), b"relay");
    }
    assert!(store.file().is_none());
}

/// A base whose page 300 is all ones.
fn base() -> RamBase {
    RamBase::create(64 * MIB, |file| {
        file.write_all_at(&[1; pages::PAGE], 300 * 4096)
    })
    .unwrap()
}

#[test]
fn forks_share_what_they_do_not_write() {
    let base = base();
    let slots = || crate::kvm::slots(64 * MIB);
    let forks = [(); 2].map(|()| RamStore::fork(&base, slots()).unwrap());
    let views = [forks[0].map().unwrap(), forks[1].map().unwrap()];
    let at = GuestAddress(300 * 4096 + 8);
    forks[0].write_all_at(&views[0], at, b"own").unwrap();
    let read = |view: &GuestRam| view.read_obj::<[u8; 4]>(at).unwrap();
    assert_eq!((&read(&views[0]), read(&views[1])), (b"own\x01", [1; 4]));
    // The guest's view is the host's.
    let guest = forks[0].for_guest().unwrap();
    guest.write_slice(b"guest", at).unwrap();
    assert_eq!(&read(&views[0]), b"gues");
    assert_eq!(
        views[0].size_bytes(),
        64 * MIB - (LEGACY_HOLE_END - LEGACY_HOLE_START)
    );
    assert!(!views[0].contains(GuestAddress(LEGACY_HOLE_START), 1));
    assert!(
        forks[0]
            .write_all_at(&views[0], GuestAddress(LEGACY_HOLE_START), &[1])
            .is_err()
    );
}

#[test]
fn what_a_fork_holds_can_be_saved_as_what_a_file_holds_is() {
    let fork = RamStore::fork(&base(), crate::kvm::slots(64 * MIB)).unwrap();
    let view = fork.map().unwrap();
    fork.write_all_at(&view, GuestAddress(5), &[7]).unwrap();
    let mut runs = Vec::new();
    fork.each_page_run(|at, run| {
        runs.push((at, run.len(), run[5]));
        Ok(())
    })
    .unwrap();
    assert_eq!(runs, [(0, 4096, 7), (300 * 4096, 4096, 1)]);
}

#[test]
fn what_forks_start_from_cannot_be_changed() {
    let base = base();
    assert!(base.file.write_all_at(&[2], 0).is_err());
    assert!(base.file.set_len(0).is_err());
    let shared = mapping(4096)
        .with_mmap_flags(MAP_SHARED)
        .with_file_offset(FileOffset::from_arc(Arc::clone(&base.file), 0));
    assert!(shared.build().is_err());
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
