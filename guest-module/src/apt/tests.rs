//! Archives made here, good and hostile: only what is signed, fresh and whole is taken.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::*;
use crate::progress::Silent;

/// A folder with two keys, of which the key ring holds the first.
struct Keys {
    dir: tempfile::TempDir,
}

impl Keys {
    /// `None` where there is no gpg to sign with.
    fn make() -> Option<Self> {
        if Command::new("gpg").arg("--version").output().is_err() {
            eprintln!("skipped: gpg is not installed, so no archive can be signed");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let keys = Self { dir };
        for user in ["good", "other"] {
            keys.gpg(&[
                "--passphrase",
                "",
                "--quick-gen-key",
                user,
                "rsa3072",
                "sign",
            ]);
        }
        keys.gpg(&["--output", &keys.ring(), "--export", "good"]);
        Some(keys)
    }

    fn gpg(&self, arguments: &[&str]) {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(self.dir.path());
        gpg.args(["--batch", "--quiet", "--yes"]).args(arguments);
        child::run(&mut gpg).unwrap();
    }

    fn ring(&self) -> String {
        self.dir.path().join("ring.gpg").display().to_string()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The agent that gpg has started.
        let mut end = Command::new("gpgconf");
        end.arg("--homedir").arg(self.dir.path());
        drop(end.args(["--kill", "all"]).output());
    }
}

/// What is wrong with an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Unsigned,
    Expired,
    FromTheFuture,
    OtherKey,
    Index,
    Weak,
    Package,
}

/// An archive of sid with one package, and a private root that reads it.
struct Archive<'a> {
    keys: &'a Keys,
    dir: tempfile::TempDir,
    cache: Cache,
}

impl<'a> Archive<'a> {
    fn new(keys: &'a Keys) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(&dir.path().join("cache"))).unwrap();
        Self { keys, dir, cache }
    }

    /// Writes the archive as of this many days from now.
    fn write(&self, fault: Fault, days: i64) {
        let archive = self.dir.path().join("archive");
        drop(fs::remove_dir_all(&archive));
        let index = archive.join("dists/sid/main/binary-amd64/Packages");
        fs::create_dir_all(index.parent().unwrap()).unwrap();
        fs::write(archive.join("thing.deb"), "a package").unwrap();
        let sha256 = hash::of_bytes(b"a package");
        let text = format!(
            "Package: thing\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@x.x>\nDescription: x\n\
             Filename: thing.deb\nSize: 9\nSHA256: {sha256}\n"
        );
        fs::write(&index, &text).unwrap();
        let date = |days: i64| {
            let mut date = Command::new("date");
            date.args(["-u", "-R", "-d", &format!("{days} days")]);
            let text = child::run(&mut date).unwrap().stdout;
            text.trim().replace("+0000", "UTC")
        };
        let (made, until) = match fault {
            Fault::Expired => (date(days - 20), date(days - 10)),
            Fault::FromTheFuture => (date(days + 10), date(days + 20)),
            _ => (date(days), date(days + 10)),
        };
        let (name, sum) = match fault {
            Fault::Weak => ("MD5Sum", "d41d8cd98f00b204e9800998ecf8427e".to_owned()),
            _ => ("SHA256", hash::of_bytes(text.as_bytes())),
        };
        let release = format!(
            "Origin: Debian\nLabel: Debian\nSuite: unstable\nCodename: sid\nDate: {made}\nValid-Until: {until}\n\
             Architectures: amd64\nComponents: main\n{name}:\n {sum} {} main/binary-amd64/Packages\n",
            text.len()
        );
        let file = archive.join("dists/sid/Release");
        fs::write(&file, release).unwrap();
        let signer = if fault == Fault::OtherKey {
            "other"
        } else {
            "good"
        };
        if fault != Fault::Unsigned {
            let signed = archive.join("dists/sid/InRelease");
            let (signed, file) = (signed.to_str().unwrap(), file.to_str().unwrap());
            self.keys.gpg(&[
                "--local-user",
                signer,
                "--output",
                signed,
                "--clear-sign",
                file,
            ]);
        }
        match fault {
            Fault::Index => fs::write(&index, text.replace("Version: 1", "Version: 2")).unwrap(),
            Fault::Package => fs::write(archive.join("thing.deb"), "a pAckage").unwrap(),
            _ => {}
        }
    }

    fn mirrors(&self) -> Mirrors {
        Mirrors {
            main: format!("file:{}", self.dir.path().join("archive").display()),
            security: None,
            keyring: self.keys.ring().into(),
        }
    }

    /// Reads lists and fetches the package.
    fn fetch(&self) -> Result<Vec<PathBuf>, AptError> {
        let root = AptRoot::claimed(&self.cache, "sid", "a test", &Silent)?;
        root.update_from(&self.mirrors(), &Silent)?;
        let packages = root.packages(true, |name| name == "thing")?;
        assert_eq!(packages.len(), 1, "{packages:?}");
        root.download(&packages, &self.dir.path().join("down"), "it", &Silent)
    }
}

#[test]
fn a_signed_archive_is_taken() {
    let Some(keys) = &Keys::make() else { return };
    let archive = Archive::new(keys);
    archive.write(Fault::None, 0);
    let files = archive.fetch().unwrap();
    assert_eq!(fs::read(&files[0]).unwrap(), b"a package");
}

#[test]
fn whatever_is_wrong_with_an_archive_it_is_refused() {
    let Some(keys) = &Keys::make() else { return };
    for (fault, words) in [
        (Fault::Unsigned, "not signed"),
        (Fault::Expired, "expired"),
        (Fault::FromTheFuture, "not valid yet"),
        (Fault::OtherKey, "NO_PUBKEY|Missing key|not signed"),
        (Fault::Index, "Hash Sum mismatch|unexpected size"),
        (Fault::Weak, "weak|insufficient|No Hash|provide"),
        (Fault::Package, "Hash Sum mismatch|SHA-256"),
    ] {
        let archive = Archive::new(keys);
        archive.write(fault, 0);
        let error = archive.fetch().unwrap_err().to_string();
        assert!(
            words.split('|').any(|word| error.contains(word)),
            "{fault:?}: {error}"
        );
    }
}

#[test]
fn a_replayed_archive_is_refused() {
    let Some(keys) = &Keys::make() else { return };
    let archive = Archive::new(keys);
    archive.write(Fault::None, 0);
    archive.fetch().unwrap();
    archive.write(Fault::None, -9);
    let error = archive.fetch().unwrap_err();
    assert!(matches!(error, AptError::Replayed { .. }), "{error}");
    // Whoever wants the older one says so.
    fs::remove_dir_all(archive.cache.root().join("archive-dates")).unwrap();
    archive.fetch().unwrap();
}

#[test]
fn a_mirror_that_hangs_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(Some(dir.path())).unwrap();
    // Connections are made by the kernel and never answered.
    let mirror = TcpListener::bind("127.0.0.1:0").unwrap();
    let mirrors = Mirrors {
        main: format!("http://{}/debian", mirror.local_addr().unwrap()),
        security: None,
        keyring: "/dev/null".into(),
    };
    let mut root = AptRoot::claimed(&cache, "sid", "a test", &Silent).unwrap();
    root.stall = Duration::from_secs(2);
    let since = Instant::now();
    let error = root.update_from(&mirrors, &Silent).unwrap_err().to_string();
    assert!(error.contains("received nothing"), "{error}");
    assert!(
        since.elapsed() < Duration::from_secs(15),
        "{:?}",
        since.elapsed()
    );
}
