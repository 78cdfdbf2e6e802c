//! Images built by hand: good ones are taken apart, bad ones named, garbage answered.

use std::io::Write;

use proptest::prelude::*;

use super::*;

/// The PVH note, as its number: the test does not ask the code under test.
const PVH: u32 = 18;

/// A small ELF with one loadable segment and one note.
fn elf(note_type: u32) -> Vec<u8> {
    let mut elf = Vec::new();
    let mut note = Vec::new();
    for word in [4, 4, note_type] {
        note.extend_from_slice(&u32::to_le_bytes(word));
    }
    note.extend_from_slice(b"Xen\0\0\0\x10\0");
    elf.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf.extend_from_slice(&2u16.to_le_bytes());
    elf.extend_from_slice(&62u16.to_le_bytes());
    elf.extend_from_slice(&1u32.to_le_bytes());
    for value in [0x10_0000u64, 64, 0] {
        elf.extend_from_slice(&value.to_le_bytes());
    }
    elf.extend_from_slice(&0u32.to_le_bytes());
    for value in [64u16, 56, 2, 64, 0, 0] {
        elf.extend_from_slice(&value.to_le_bytes());
    }
    let notes_at = 64 + 2 * 56u64;
    for (kind, offset, size) in [(1u32, 0u64, 64u64), (4, notes_at, note.len() as u64)] {
        elf.extend_from_slice(&kind.to_le_bytes());
        elf.extend_from_slice(&4u32.to_le_bytes());
        for value in [offset, 0, 0, size, size, 4] {
            elf.extend_from_slice(&value.to_le_bytes());
        }
    }
    elf.extend_from_slice(&note);
    elf
}

/// A bzImage around a payload, followed by the length that the kernel's build appends.
fn bzimage(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 0x400];
    image[0x1f1] = 1;
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    image[0x248..0x24c].copy_from_slice(&16u32.to_le_bytes());
    let length = u32::try_from(payload.len() + 4).unwrap();
    image[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
    image.extend_from_slice(&[0; 16]);
    image.extend_from_slice(payload);
    image.extend_from_slice(&0xffff_ffffu32.to_le_bytes());
    image
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_supported_method_is_undone() {
    let elf = elf(PVH);
    let zstd = zstd::encode_all(elf.as_slice(), 1).unwrap();
    for payload in [xz(&elf), gzip(&elf), zstd] {
        assert_eq!(vmlinux(bzimage(&payload)).unwrap(), elf);
    }
    assert_eq!(vmlinux(elf.clone()).unwrap(), elf);
}

#[test]
fn what_is_wrong_is_named() {
    let text = |image: Vec<u8>| vmlinux(image).unwrap_err().to_string();
    assert!(text(elf(17)).contains("PVH"));
    assert!(text(b"garbage".to_vec()).contains("neither"));
    assert!(text(Vec::new()).contains("neither"));
    assert!(text(bzimage(b"\x02\x21\x4c\x18....")).contains("lz4"));
    assert!(text(bzimage(b"BZh9....")).contains("bzip2"));
    assert!(text(bzimage(b"\x89LZO....")).contains("lzo"));
    assert!(text(bzimage(&xz(b"no kernel"))).contains("not an executable ELF"));
    let mut other = elf(PVH);
    other[18] = 183;
    assert!(text(other).contains("another machine"));
    let whole = bzimage(&xz(&elf(PVH)));
    assert!(text(whole[..whole.len() - 8].to_vec()).contains("outside the file"));
    let mut old = whole.clone();
    old[0x206] = 7;
    assert!(text(old).contains("2.08"));
    let mut damaged = whole;
    let middle = damaged.len() - 60;
    damaged[middle] ^= 0xff;
    assert!(text(damaged).contains("complete"));
}

proptest! {
    #[test]
    fn garbage_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(vmlinux(bytes.clone()).is_err());
        prop_assert!(vmlinux(bzimage(&bytes)).is_err());
    }

    #[test]
    fn damaged_headers_are_answered(at in 0x1f0usize..0x260, value: u8) {
        let mut image = bzimage(&xz(&elf(PVH)));
        image[at] = value;
        let _ = vmlinux(image);
    }

    #[test]
    fn damaged_elfs_are_answered(at in 0usize..196, value: u8) {
        let mut image = elf(PVH);
        image[at] = value;
        let _ = vmlinux(image);
    }
}
