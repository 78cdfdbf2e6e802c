//! Requests, trees and versions.

use proptest::prelude::*;

use super::*;
use crate::progress::Silent;

fn request(path: &Path) -> RelayRequest {
    RelayRequest {
        from: RelayFrom::File(path.to_owned()),
        header: None,
        version: None,
        changed: None,
    }
}

/// A kernel tree with nothing but what is looked at.
fn tree(dir: &Path) -> PathBuf {
    for (path, content) in [
        (
            "Makefile",
            "# SPDX\nVERSION = 6\nPATCHLEVEL = 17\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n",
        ),
        ("include/linux/relay.h", "/* header */\n"),
        ("kernel/relay.c", "int relay;\n"),
    ] {
        put(&dir.join(path), content.as_bytes()).unwrap();
    }
    dir.join("kernel/relay.c")
}

fn cache(dir: &Path) -> Cache {
    Cache::open(Some(&dir.join("cache"))).unwrap()
}

#[test]
fn a_tree_says_header_and_version() {
    let dir = tempfile::tempdir().unwrap();
    let source = tree(&dir.path().join("linux"));
    let cache = cache(dir.path());
    let own = obtain(&request(&source), None, &cache, &Silent).unwrap();
    let version = own.relay.version.unwrap();
    assert_eq!(version.to_string(), "6.17.0-rc3");
    assert_eq!(version.linux_version(), 0x06_11_00);
    assert!(
        own.relay
            .header
            .unwrap()
            .ends_with("linux/include/linux/relay.h")
    );
    assert_eq!(own.relay.sha256, hash::of_bytes(b"int relay;\n"));

    let header = dir.path().join("other.h");
    fs::write(&header, "/* other */\n").unwrap();
    let told = RelayRequest {
        header: Some(header),
        version: Some("6.12".parse().unwrap()),
        ..request(&source)
    };
    let own = obtain(&told, None, &cache, &Silent).unwrap();
    assert_eq!(own.relay.version.unwrap().linux_version(), 0x06_0c_00);
    assert!(own.relay.header.unwrap().ends_with("other.h"));
}

#[test]
fn a_file_by_itself_is_taken_for_the_kernels_own_release() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("my \"relay\".c");
    fs::write(&source, "int relay;\n").unwrap();
    let cache = cache(dir.path());
    let own = obtain(&request(&source), None, &cache, &Silent).unwrap();
    assert_eq!((&own.relay.version, &own.relay.header), (&None, &None));
    own.write(dir.path()).unwrap();
    let built = fs::read_to_string(dir.path().join("own/relay.c")).unwrap();
    assert!(built.starts_with("#line 1 \"/"), "{built}");
    assert!(
        built.ends_with("/my \\\"relay\\\".c\"\nint relay;\n"),
        "{built}"
    );
    let version = fs::read_to_string(dir.path().join("own/version.h")).unwrap();
    assert_eq!(version, "#define BED_RELAY_VERSION LINUX_VERSION_CODE\n");
    assert!(!dir.path().join("own/include").exists());
}

#[test]
fn a_changed_copy_is_built_under_the_file_s_name() {
    let dir = tempfile::tempdir().unwrap();
    let source = tree(&dir.path().join("linux"));
    let cache = cache(dir.path());
    let original = obtain(&request(&source), None, &cache, &Silent).unwrap();
    let changed = RelayRequest {
        changed: Some(ChangedFile::Source(b"int other;\n".to_vec())),
        ..request(&source)
    };
    let own = obtain(&changed, None, &cache, &Silent).unwrap();
    assert_eq!(own.relay.sha256, hash::of_bytes(b"int other;\n"));
    assert_eq!(own.relay.origin, original.relay.origin);
    assert_eq!(own.relay.header_sha256, original.relay.header_sha256);
    let key = |own: &Own| own.add_to(Key::new("module")).hash();
    assert_ne!(key(&own), key(&original));
    own.write(dir.path()).unwrap();
    let built = fs::read_to_string(dir.path().join("own/relay.c")).unwrap();
    assert!(
        built.ends_with("/linux/kernel/relay.c\"\nint other;\n"),
        "{built}"
    );
}

#[test]
fn a_changed_header_is_built_in_place_of_the_tree_s() {
    let dir = tempfile::tempdir().unwrap();
    let source = tree(&dir.path().join("linux"));
    let cache = cache(dir.path());
    let original = obtain(&request(&source), None, &cache, &Silent).unwrap();
    let changed = RelayRequest {
        changed: Some(ChangedFile::Header(b"int inlined;\n".to_vec())),
        ..request(&source)
    };
    let own = obtain(&changed, None, &cache, &Silent).unwrap();
    assert_eq!(own.relay.sha256, original.relay.sha256);
    let sha256 = hash::of_bytes(b"int inlined;\n");
    assert_eq!(own.relay.header_sha256, Some(sha256));
    let key = |own: &Own| own.add_all_but_source_to(Key::new("objects")).hash();
    assert_ne!(key(&own), key(&original));
    own.write(dir.path()).unwrap();
    let built = fs::read_to_string(dir.path().join("own/include/linux/relay.h")).unwrap();
    assert!(built.ends_with("int inlined;\n"), "{built}");
}

#[test]
fn all_that_a_build_reads_is_in_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let source = tree(&dir.path().join("linux"));
    let cache = cache(dir.path());
    let key = || {
        let own = obtain(&request(&source), None, &cache, &Silent).unwrap();
        own.add_to(Key::new("module")).hash()
    };
    let mut keys = vec![key()];
    for (path, content) in [
        ("kernel/relay.c", "int other;\n"),
        ("include/linux/relay.h", "/* changed */\n"),
        ("Makefile", "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 3\n"),
    ] {
        fs::write(dir.path().join("linux").join(path), content).unwrap();
        keys.push(key());
    }
    assert_eq!(keys.last(), Some(&key()));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(dir.path());
    let error = |request: &RelayRequest| {
        obtain(request, None, &cache, &Silent)
            .unwrap_err()
            .to_string()
    };
    let text = error(&request(&dir.path().join("absent.c")));
    assert!(
        text.contains("absent.c") && text.contains("--relay"),
        "{text}"
    );
    assert!(error(&request(dir.path())).contains("not a file"));
    let large = dir.path().join("large.c");
    let file = fs::File::create(&large).unwrap();
    file.set_len(SOURCE_MAX_BYTES + 1).unwrap();
    assert!(error(&request(&large)).contains("4 MiB"));
    let kernel = RelayRequest {
        from: RelayFrom::Kernel,
        header: None,
        version: None,
        changed: None,
    };
    assert!(error(&kernel).contains("source:kernel"));
}

#[test]
fn forms() {
    let parse = |text: &str| text.parse::<RelayFrom>();
    assert_eq!(parse("source:kernel").unwrap(), RelayFrom::Kernel);
    let source = |suite: Option<&str>| RelayFrom::Source {
        suite: suite.map(str::to_owned),
        series: "6.1".to_owned(),
    };
    assert_eq!(parse("source:6.1").unwrap(), source(None));
    assert_eq!(
        parse("source:bookworm:6.1").unwrap(),
        source(Some("bookworm"))
    );
    assert_eq!(
        parse("kernel/relay.c").unwrap(),
        RelayFrom::File("kernel/relay.c".into())
    );
    for text in [
        "",
        "source:",
        "source:6",
        "source:6.1.2",
        "source:x y:6.1",
        "source:a:b:6.1",
        "source:6.1/..",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
    for text in [
        "source:kernel",
        "source:6.1",
        "source:bookworm:6.1",
        "a/relay.c",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
    assert_eq!(series_of("6.1.192-2"), "6.1");
    assert_eq!(series_of("7.3~rc4"), "7.3");
}

#[test]
fn versions() {
    let parse = |text: &str| text.parse::<RelayVersion>();
    assert_eq!(parse("6.1").unwrap().linux_version(), 0x06_01_00);
    assert_eq!(parse("6.1.999").unwrap().linux_version(), 0x06_01_ff);
    assert_eq!(parse("6.17-rc3").unwrap().to_string(), "6.17.0-rc3");
    for text in ["", "6", "six.one", "6.1.2.3", "6.300", "6."] {
        assert!(parse(text).is_err(), "{text}");
    }
    let release = RelayVersion::of_release("7.3.4+deb13-amd64").unwrap();
    assert_eq!(release.linux_version(), 0x07_03_04);
    assert_eq!(tree::version("VERSION = 6\n"), None);
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,40}") {
        let _ = text.parse::<RelayFrom>();
        let _ = text.parse::<RelayVersion>();
        let _ = RelayVersion::of_release(&text);
        let _ = tree::version(&text);
        let _ = series_of(&text);
    }
}
