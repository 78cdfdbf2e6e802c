//! Kernels and initramfs that fit, and all the ways not to.

use std::io::Write;

use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::address::MIB;

const RAM: u64 = 64 * MIB;

fn memory() -> Memory {
    Memory::from_ranges(&[(GuestAddress(0), usize::try_from(RAM).unwrap())]).unwrap()
}

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// An ELF file with one segment at `address` that holds the whole file.
fn elf(address: u64, entry: u64) -> Vec<u8> {
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    for word in [entry, 64, 0] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend([0; 4]);
    for half in [64u16, 56, 1, 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0, address, address, 120, 4096, 4] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf
}

/// A bzImage: one setup sector of boot code and one more, 1 KiB of kernel.
fn bzimage() -> Vec<u8> {
    let mut image = vec![0; 1024];
    image[0x1f1] = 1;
    image[0x1f4..0x1f8].copy_from_slice(&64u32.to_le_bytes());
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    image[0x211] = 1;
    image[0x214..0x218].copy_from_slice(&0x10_0000u32.to_le_bytes());
    image[0x236] = 1;
    image[0x258..0x260].copy_from_slice(&0x100_0000u64.to_le_bytes());
    image[0x260..0x264].copy_from_slice(&0x80_0000u32.to_le_bytes());
    image.extend(std::iter::repeat_n(0x90, 1024));
    image
}

fn load(bytes: &[u8]) -> Result<Loaded, KvmError> {
    load_kernel(&memory(), file(bytes).path(), RAM)
}

#[test]
fn an_elf_kernel_is_entered_where_it_says() {
    let loaded = load(&elf(0x100_0000, 0x100_0040)).unwrap();
    assert_eq!((loaded.entry, loaded.end), (0x100_0040, 0x100_1000));
    assert!(loaded.header.is_none());
}

#[test]
fn an_elf_kernel_in_the_wrong_place_is_refused() {
    for (address, entry, expected) in [
        (0x7000, 0x10_0000, "below"),
        (0x100_0000, 0x200_0000, "entry"),
        (RAM - 100, RAM - 100, "RAM ends"),
        (u64::MAX - 100, u64::MAX - 100, ""),
    ] {
        let error = load(&elf(address, entry)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_bzimage_is_entered_at_its_64_bit_entry_and_needs_room_to_unpack() {
    let loaded = load(&bzimage()).unwrap();
    assert_eq!((loaded.entry, loaded.end), (0x10_0200, 0x180_0000));
    assert_eq!({ loaded.header.unwrap().pref_address }, 0x100_0000);
    let mut large = bzimage();
    large[0x260..0x264].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(
        load(&large)
            .unwrap_err()
            .to_string()
            .contains("more memory")
    );
}

#[test]
fn a_cut_kernel_is_refused_wherever_it_is_cut() {
    for whole in [elf(0x100_0000, 0x100_0000), bzimage()] {
        for len in (0..whole.len()).step_by(7) {
            let error = load(&whole[..len]).unwrap_err();
            assert!(matches!(error, KvmError::Kernel { .. }), "{len}: {error}");
        }
    }
}

#[test]
fn a_32_bit_kernel_is_named() {
    let mut image = bzimage();
    image[0x236] = 0;
    let path = file(&image);
    assert!(matches!(
        check(path.path()),
        Err(KernelFileError::WrongKind)
    ));
}

#[test]
fn an_initramfs_lies_at_the_end_or_is_refused() {
    let (memory, archive) = (memory(), file(&[7; 5000]));
    let put = |kernel_end| load_initramfs(&memory, archive.path(), kernel_end, RAM);
    assert_eq!(put(0x100_0000).unwrap(), (RAM - 8192, 5000));
    assert_eq!(
        memory
            .read_obj::<u8>(GuestAddress(RAM - 8192 + 4999))
            .unwrap(),
        7
    );
    assert_eq!(put(RAM - 8192).unwrap().0, RAM - 8192);
    let error = put(RAM - 8191).unwrap_err();
    assert!(
        matches!(
            error,
            KvmError::InitramfsTooLarge {
                size: 5000,
                room: 4096,
                ..
            }
        ),
        "{error}"
    );
    assert!(put(RAM + 1).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_file_makes_it_panic(
        compressed: bool,
        changes in prop::collection::vec((0usize..1100, prop_oneof![
            prop::collection::vec(any::<u8>(), 1..9),
            Just(vec![0xff; 8]),
            Just(vec![0; 8]),
        ]), 1..5),
        len in 0usize..4096,
    ) {
        let mut image = if compressed { bzimage() } else { elf(0x100_0000, 0x100_0000) };
        for (at, bytes) in changes {
            let at = if compressed { at } else { at % image.len() };
            for (slot, byte) in image.iter_mut().skip(at).zip(bytes) {
                *slot = byte;
            }
        }
        image.truncate(len);
        // What is loaded lies where a kernel may, and is entered within the first page tables.
        if let Ok(loaded) = load(&image) {
            prop_assert!(loaded.end <= RAM && loaded.end > KERNEL_MIN);
            prop_assert!((KERNEL_MIN..IDENTITY_MAPPED).contains(&loaded.entry));
        }
    }
}
