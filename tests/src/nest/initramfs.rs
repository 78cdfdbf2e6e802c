//! What the nest boots with, as one archive.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cpio::newc::{Builder, ModeFileType, trailer};
use relaybed_guest::{Cache, Guest, Qemu};

use super::{ARGUMENTS, CACHE, Job, MODULES, PROGRAM, QEMU, guest_qemu};

/// An archive being made: a file's folders come before it.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<PathBuf>,
    libraries: BTreeSet<PathBuf>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        let path = path.strip_prefix("/").unwrap_or(path);
        let parents: Vec<&Path> = path.ancestors().skip(1).collect();
        for folder in parents.into_iter().rev() {
            if folder != Path::new("") && self.folders.insert(folder.to_owned()) {
                self.entry(folder, ModeFileType::Directory, 0o755, &[])?;
            }
        }
        self.entry(path, ModeFileType::Regular, mode, content)
    }

    fn entry(
        &mut self,
        path: &Path,
        kind: ModeFileType,
        mode: u32,
        content: &[u8],
    ) -> io::Result<()> {
        self.entries += 1;
        let name = path.to_string_lossy();
        let size = u32::try_from(content.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let builder = Builder::new(&name).ino(self.entries).nlink(1).mode(mode);
        let bytes = std::mem::take(&mut self.bytes);
        let mut file = builder.set_mode_file_type(kind).write(bytes, size);
        file.write_all(content)?;
        self.bytes = file.finish()?;
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", from.display()));
        let content = std::fs::read(from).map_err(named)?;
        // The cache refuses entries whose modes have changed.
        let mode = std::fs::metadata(from).map_err(named)?.mode() & 0o777;
        self.add(to, mode, &content)
    }

    /// Adds a program without its symbols, and what it is linked to.
    fn program(&mut self, from: &Path, to: &str) -> io::Result<()> {
        let stripped = tempfile::NamedTempFile::new()?;
        let strip = Command::new("strip")
            .arg("-o")
            .arg(stripped.path())
            .arg(from)
            .status()?;
        if !strip.success() {
            let from = from.display();
            return Err(io::Error::other(format!("cannot strip {from}")));
        }
        self.add(Path::new(to), 0o755, &std::fs::read(stripped.path())?)?;
        for library in libraries(from)? {
            if self.libraries.insert(library.clone()) {
                self.file(&library, &library)?;
            }
        }
        Ok(())
    }

    /// Copies a folder of the cache to the same place in the nest's cache.
    fn cached(&mut self, cache: &Cache, folder: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.cached(cache, &path)?;
            } else {
                let inside = path.strip_prefix(cache.root()).map_err(io::Error::other)?;
                self.file(&path, &Path::new(CACHE).join(inside))?;
            }
        }
        Ok(())
    }
}

/// The archive: init and program with what they are linked to, modules, a part of the cache, QEMU if asked for, arguments.
pub(super) fn build(
    job: &Job<'_>,
    modules: &[PathBuf],
    guest: &Guest,
    cache: &Cache,
    qemu: &Qemu,
) -> io::Result<Vec<u8>> {
    let mut archive = Archive::default();
    let console = Builder::new("dev/console")
        .mode(0o600)
        .nlink(1)
        .rdev_major(5)
        .rdev_minor(1);
    archive.entry(Path::new("dev"), ModeFileType::Directory, 0o755, &[])?;
    archive.folders.insert("dev".into());
    let device = console.set_mode_file_type(ModeFileType::Char);
    archive.bytes = device
        .write(std::mem::take(&mut archive.bytes), 0)
        .finish()?;

    archive.program(job.init, "/init")?;
    if let Some(program) = job.program {
        archive.program(program, PROGRAM)?;
    }
    for (number, module) in modules.iter().enumerate() {
        archive.file(module, &Path::new(MODULES).join(format!("{number}.ko")))?;
    }
    for file in [&guest.vmlinux, &guest.initramfs, &guest.module] {
        if let Some(folder) = file.parent() {
            archive.cached(cache, folder)?;
        }
    }
    archive.cached(cache, &cache.root().join("resolved"))?;
    if job.with_qemu {
        let parts = guest_qemu::parts(qemu)?;
        for (from, to) in parts.files {
            archive.file(&from, &to)?;
        }
        archive.add(Path::new(QEMU), 0o644, parts.words.join("\n").as_bytes())?;
    }
    archive.add(
        Path::new(ARGUMENTS),
        0o644,
        job.arguments.join("\n").as_bytes(),
    )?;
    trailer(archive.bytes)
}

/// The loader and the libraries that `program` is linked to, as `ldd` lists them.
fn libraries(program: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = Command::new("ldd").arg(program).output()?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let words = text
        .split_ascii_whitespace()
        .filter(|word| word.starts_with('/'));
    Ok(words.map(PathBuf::from).collect())
}
