//! Packages made here, good and bad, and where their files land.

use super::*;
use proptest::prelude::*;
use std::io::Write;

/// One entry of a package: a file with content, or a link with its target.
enum Item<'a> {
    File(&'a str, &'a [u8]),
    Symlink(&'a str, &'a str),
    Link(&'a str, &'a str),
}

/// A package with these entries, compressed as its name says.
fn deb(path: &Path, data_name: &str, items: &[Item<'_>]) {
    let mut tar = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o4755);
        header.set_mtime(1);
        let (name, kind, target, content): (_, _, _, &[u8]) = match item {
            Item::File(name, content) => (name, EntryType::Regular, None, content),
            Item::Symlink(name, target) => (name, EntryType::Symlink, Some(target), &[]),
            Item::Link(name, target) => (name, EntryType::Link, Some(target), &[]),
        };
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        // The library's own setters refuse the names that a hostile package would have.
        let fields = header.as_old_mut();
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(target) = target {
            fields.linkname[..target.len()].copy_from_slice(target.as_bytes());
        }
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    let data = match data_name.rsplit_once('.').unwrap().1 {
        "zst" => zstd::encode_all(tar.as_slice(), 1).unwrap(),
        "xz" => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        }
        "gz" => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        }
        _ => tar,
    };
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in [("debian-binary", b"2.0\n".as_slice()), (data_name, &data)] {
        writeln!(
            archive,
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`",
            0,
            0,
            0,
            "100644",
            content.len()
        )
        .unwrap();
        archive.extend(content);
        if content.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    fs::write(path, archive).unwrap();
}

fn good(path: &Path, data_name: &str) {
    let items = [
        Item::File("./lib/modules/file", b"content"),
        Item::File("./usr/src/linux-headers-1/vmlinux", b"types"),
        Item::File("./boot/vmlinuz-1", b"kernel"),
        Item::Link("./usr/bin/second", "./lib/modules/file"),
        Item::Symlink("./usr/lib64/ld.so", "/lib/modules/file"),
    ];
    deb(path, data_name, &items);
}

#[test]
fn files_land_behind_merged_links_and_links_stay_inside() {
    for data_name in ["data.tar", "data.tar.gz", "data.tar.xz", "data.tar.zst"] {
        let dir = tempfile::tempdir().unwrap();
        let (path, root) = (dir.path().join("x.deb"), dir.path().join("root"));
        good(&path, data_name);
        unpack_all(&[path], &root).unwrap();
        for name in ["usr/lib/modules/file", "usr/bin/second", "usr/lib64/ld.so"] {
            let content = fs::read(root.join(name)).unwrap();
            assert_eq!(content, b"content", "{data_name}: {name}");
        }
        assert!(root.join("lib").is_symlink());
        assert!(!root.join("usr/src/linux-headers-1/vmlinux").exists());
        let link = fs::read_link(root.join("usr/lib64/ld.so")).unwrap();
        assert_eq!(link, Path::new("../../lib/modules/file"));
        let mode = fs::metadata(root.join("lib/modules/file"))
            .unwrap()
            .permissions();
        assert_eq!(
            mode.mode() & 0o7777,
            0o755,
            "no set-user-id, whatever the package says"
        );
    }
}

#[test]
fn no_package_writes_or_reads_outside_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let target = outside.to_str().unwrap();
    let secret = format!("{target}/secret");
    let (path, root) = (dir.path().join("x.deb"), dir.path().join("root"));
    let items = [
        Item::Symlink("./usr/away", target),
        Item::File("./usr/away/new", b"new"),
        Item::Symlink("./usr/up", "../../outside"),
        Item::File("./usr/up/new", b"new"),
        Item::File("../outside/new", b"new"),
        Item::File("/usr/absolute", b"new"),
        Item::Symlink("./usr/read", &secret),
    ];
    deb(&path, "data.tar", &items);
    unpack_all(std::slice::from_ref(&path), &root).unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(fs::read(root.join("usr/read")).is_err());
    assert!(root.join("usr/absolute").exists());
    // A second name for the host's file would be the host's file.
    deb(&path, "data.tar", &[Item::Link("./usr/read", &secret)]);
    assert!(unpack_all(&[path], &dir.path().join("other")).is_err());
}

#[test]
fn one_file_is_read_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.deb");
    good(&path, "data.tar.xz");
    let named = |name: &'static str| move |path: &Path| path.ends_with(name);
    assert_eq!(
        read_file(&path, "it", 6, named("boot/vmlinuz-1")).unwrap(),
        b"kernel"
    );
    let large = read_file(&path, "it", 5, named("boot/vmlinuz-1")).unwrap_err();
    assert!(matches!(large, DebError::TooLarge { .. }), "{large}");
    let missing = read_file(&path, "it", 5, named("boot/other")).unwrap_err();
    assert!(matches!(missing, DebError::Missing { .. }), "{missing}");
}

#[test]
fn dpkg_deb_s_own_packages_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    for (path, content) in [
        (
            "DEBIAN/control",
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.x>\nDescription: x\n",
        ),
        ("usr/share/file", "content"),
    ] {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let path = dir.path().join("x.deb");
    let mut build = std::process::Command::new("dpkg-deb");
    crate::child::run(build.arg("--build").arg(&tree).arg(&path)).unwrap();
    let content = read_file(&path, "it", 100, |path| path.ends_with("usr/share/file")).unwrap();
    assert_eq!(content, b"content");
}

#[test]
fn a_damaged_package_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.deb");
    good(&path, "data.tar.zst");
    let whole = fs::read(&path).unwrap();
    for content in [
        b"!<arch>\nnonsense".as_slice(),
        b"",
        &whole[..whole.len() / 2],
    ] {
        fs::write(&path, content).unwrap();
        let root = dir.path().join("root");
        let error = unpack_all(std::slice::from_ref(&path), &root).unwrap_err();
        assert!(error.to_string().contains("bad.deb"), "{error}");
        assert!(read_file(&path, "it", 5, |_| true).is_err());
        fs::remove_dir_all(&root).unwrap();
    }
}

proptest! {
    #[test]
    fn any_archive_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = find_in_tar(bytes.as_slice(), 100, |_| true);
    }
}
