//! Images without a machine: how RAM is kept, and what an image refuses.

use super::*;
use crate::ram_store::RamStore;
use crate::spec::QemuProgram;
use std::os::unix::fs::FileExt;

/// A memory file with these pages set; the rest is a hole.
fn ram(pages: &[(u64, u8)]) -> RamStore {
    let ram = RamStore::create(64 * 1024 * 1024).unwrap();
    for &(page, byte) in pages {
        ram.fill_at(page * pages::PAGE as u64, &[byte; pages::PAGE])
            .unwrap();
    }
    ram
}

fn spec(dir: &Path) -> MachineSpec {
    let mut spec = MachineSpec::new(
        dir.join("vmlinux"),
        dir.join("initramfs"),
        QemuProgram::from_path(),
        dir.to_owned(),
    );
    spec.memory_mib = 64;
    spec
}

/// An image with these pages and a state of three bytes.
fn image(dir: &Path, pages: &[(u64, u8)]) -> MachineSpec {
    let (ram, spec) = (ram(pages), spec(dir));
    fs::write(dir.join(STATE), "abc").unwrap();
    let manifest = Manifest {
        format: FORMAT,
        identity: "kernel".into(),
        shape: shape(&spec),
        host: String::new(),
        ram_bytes: ram.size(),
        ram_sha256: save_ram(&ram, &dir.join(RAM)).unwrap(),
        state_sha256: pages::hash(b"abc"),
        note: "mailbox".into(),
    };
    fs::write(dir.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
    spec
}

#[test]
fn what_was_saved_comes_back_and_zeros_take_no_room() {
    let dir = tempfile::tempdir().unwrap();
    // The last page, a page of zeros that was touched, neighbours on both sides of a chunk's end.
    let pages = [(0, 1), (7, 0), (255, 2), (256, 3), (16383, 4)];
    let spec = image(dir.path(), &pages);
    let opened = Image::open(dir.path(), &spec, "kernel").unwrap();
    assert_eq!(opened.note(), "mailbox");
    let fork = opened.ram().unwrap();
    let mut page = [9; pages::PAGE];
    for (at, byte) in [
        (0, 1),
        (7, 0),
        (8, 0),
        (255, 2),
        (256, 3),
        (257, 0),
        (16383, 4),
    ] {
        fork.file()
            .unwrap()
            .read_exact_at(&mut page, at * pages::PAGE as u64)
            .unwrap();
        assert!(page.iter().all(|&b| b == byte), "page {at}");
    }
    let blocks =
        std::os::unix::fs::MetadataExt::blocks(&fs::metadata(dir.path().join(RAM)).unwrap());
    assert!(blocks * 512 < 1024 * 1024, "{blocks} blocks for 4 pages");
}

#[test]
fn a_damaged_image_is_never_opened() {
    for (name, offset) in [(RAM, 0), (RAM, 100 * pages::PAGE as u64), (STATE, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let spec = image(dir.path(), &[(0, 1), (3, 3)]);
        let file = File::options()
            .write(true)
            .open(dir.path().join(name))
            .unwrap();
        file.write_all_at(&[0x55], offset).unwrap();
        let error = Image::open(dir.path(), &spec, "kernel").unwrap_err();
        assert!(
            matches!(&error, ImageError::Damaged { path } if path.ends_with(name)),
            "{error}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let spec = image(dir.path(), &[(0, 1)]);
    File::options()
        .write(true)
        .open(dir.path().join(RAM))
        .unwrap()
        .set_len(4096)
        .unwrap();
    let error = Image::open(dir.path(), &spec, "kernel").unwrap_err();
    assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
}

#[test]
fn damage_that_comes_after_opening_is_found_by_the_next_fork() {
    for (offset, len) in [(0, None), (100 * pages::PAGE as u64, None), (0, Some(4096))] {
        let dir = tempfile::tempdir().unwrap();
        let spec = image(dir.path(), &[(0, 1), (3, 3)]);
        let opened = Image::open(dir.path(), &spec, "kernel").unwrap();
        opened.ram().unwrap();
        let path = dir.path().join(RAM);
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(&[0x55], offset).unwrap();
        if let Some(len) = len {
            file.set_len(len).unwrap();
        }
        let error = opened.ram().unwrap_err();
        let damaged =
            matches!(&error, Error::Image(ImageError::Damaged { path }) if path.ends_with(RAM));
        assert!(damaged, "{error}");
    }
}

#[test]
fn an_image_of_another_machine_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spec = image(dir.path(), &[(0, 1)]);
    let refused = |spec: &MachineSpec, identity: &str| {
        matches!(
            Image::open(dir.path(), spec, identity),
            Err(ImageError::Other { .. })
        )
    };
    assert!(!refused(&spec, "kernel"));
    assert!(refused(&spec, "another kernel"));
    for change in [
        (|s: &mut MachineSpec| s.vcpus = 3) as fn(&mut MachineSpec),
        |s| s.memory_mib = 65,
        |s| s.cmdline_extra = "x".into(),
        |s| s.accel = crate::Accel::Kvm,
    ] {
        let mut other = spec.clone();
        change(&mut other);
        assert!(refused(&other, "kernel"));
    }
}

#[test]
fn a_folder_without_a_whole_image_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let spec = image(dir.path(), &[(0, 1)]);
    fs::write(dir.path().join(MANIFEST), "{\"format\":1").unwrap();
    let error = Image::open(dir.path(), &spec, "kernel").unwrap_err();
    assert!(matches!(error, ImageError::Manifest { .. }), "{error}");
    fs::remove_file(dir.path().join(MANIFEST)).unwrap();
    let error = Image::open(dir.path(), &spec, "kernel").unwrap_err();
    assert!(matches!(error, ImageError::Io { .. }), "{error}");
}
