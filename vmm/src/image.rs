//! An image: a machine's whole state on disk, of which machines are forked.
//!
//! A folder with three files. `ram` is guest RAM as a sparse file: pages of zeros are holes. `state` is
//! everything else, in the backend's own form. `image.json` says what both are, with their hashes, and
//! is written last, so that an interrupted image is no image.
//!
//! [`Image::open`] reads every byte once and compares: a damaged image is never run. An image belongs
//! to one backend of one version and to one shape of machine; it is refused by any other.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::SeekFrom;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::machine::Machine;
use crate::ram::RamFile;
use crate::spec::MachineSpec;

/// Raised whenever what an image's files contain changes its meaning.
const FORMAT: u32 = 1;
const PAGE: usize = 4096;
/// What a hole reads as.
const ZEROS: [u8; PAGE] = [0; PAGE];
/// Bytes moved at once.
const CHUNK: usize = 256 * PAGE;

const RAM: &str = "ram";
const STATE: &str = "state";
const MANIFEST: &str = "image.json";

/// An image cannot be written, or is not one that may be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file of the image.
    #[error("cannot {action} {}: is the disk full, or the image being removed?", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The manifest is not one.
    #[error("{} is not an image's manifest ({problem}): remove the image and make it again", path.display())]
    Manifest {
        /// The manifest's path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It was made of something else.
    #[error("the image in {} was made of another machine ({what}): make it again", path.display())]
    Other {
        /// The image's folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// Its bytes are not those that were written.
    #[error("{} is damaged: its hash is not the recorded one; remove the image and make it again", path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
    },
}

/// What an image says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    identity: String,
    /// What the spec says about the machine's shape.
    shape: String,
    ram_bytes: u64,
    ram_sha256: String,
    state_sha256: String,
    note: String,
}

/// An image whose bytes were found to be those that were written.
///
/// Holding it proves that hash, format, identity and shape matched when it was opened. The files are
/// kept open, so removing the folder does no harm to it.
#[derive(Debug)]
pub struct Image {
    dir: PathBuf,
    ram: File,
    state: File,
    manifest: Manifest,
}

impl Image {
    /// Opens the image in `dir`, which must be one of the machine that `spec` and `identity` describe,
    /// and reads it once to compare hashes.
    ///
    /// # Errors
    /// [`ImageError`]: it is not there, not of this machine, or damaged.
    pub fn open(dir: &Path, spec: &MachineSpec, identity: &str) -> Result<Self, ImageError> {
        let path = dir.join(MANIFEST);
        let text = fs::read(&path).map_err(io_error("read", &path))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| ImageError::Manifest {
                path,
                problem: error.to_string(),
            })?;
        manifest
            .is_of(spec, identity)
            .map_err(|what| ImageError::Other {
                path: dir.to_owned(),
                what,
            })?;
        let open = |name: &str| {
            let path = dir.join(name);
            File::open(&path).map_err(io_error("open", &path))
        };
        let image = Self {
            dir: dir.to_owned(),
            ram: open(RAM)?,
            state: open(STATE)?,
            manifest,
        };
        image.check()?;
        Ok(image)
    }

    /// What [`Paused::snapshot`](crate::Paused::snapshot) was given to keep.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.manifest.note
    }

    /// A new machine in the image's state, with its logs in `spec.dir`. It stands still: what is written
    /// through the first [`Machine::pause`] is there when the guest goes on, which it does when that
    /// guard is given up.
    ///
    /// # Errors
    /// As [`Machine::boot`], and [`Error::Image`] if `spec` is of another machine or the files fail.
    pub fn fork(&self, spec: MachineSpec) -> Result<Machine, Error> {
        spec.validate()?;
        if self.manifest.shape != shape(&spec) {
            return Err(Error::Image(ImageError::Other {
                path: self.dir.clone(),
                what: "its shape differs",
            }));
        }
        Machine::restore(self, spec)
    }

    /// Fills a new machine's RAM.
    pub(crate) fn fill(&self, into: &RamFile) -> Result<(), ImageError> {
        let path = self.dir.join(RAM);
        each_page_run(&self.ram, |offset, bytes| into.fill_at(offset, bytes))
            .map_err(io_error("copy", &path))
    }

    /// The backend's part.
    pub(crate) fn state(&self) -> &File {
        &self.state
    }

    fn check(&self) -> Result<(), ImageError> {
        let damaged = |name: &str| ImageError::Damaged {
            path: self.dir.join(name),
        };
        let ram_path = self.dir.join(RAM);
        let len = self
            .ram
            .metadata()
            .map_err(io_error("look at", &ram_path))?
            .len();
        let ram_sha256 = hash_ram(&self.ram).map_err(io_error("read", &ram_path))?;
        if len != self.manifest.ram_bytes || ram_sha256 != self.manifest.ram_sha256 {
            return Err(damaged(RAM));
        }
        if hash_file(&self.dir.join(STATE))? != self.manifest.state_sha256 {
            return Err(damaged(STATE));
        }
        Ok(())
    }
}

impl Manifest {
    fn is_of(&self, spec: &MachineSpec, identity: &str) -> Result<(), &'static str> {
        if self.format != FORMAT {
            return Err("its format is of another version");
        }
        if self.identity != identity {
            return Err("its kernel, guest or virtual machine monitor differs");
        }
        if self.shape != shape(spec) || self.ram_bytes != spec.memory_bytes() {
            return Err("its shape differs");
        }
        Ok(())
    }
}

/// Writes the stopped machine into `dir`.
pub(crate) fn save(
    machine: &mut Machine,
    dir: &Path,
    identity: &str,
    note: &str,
) -> Result<(), Error> {
    let state = dir.join(STATE);
    machine.vm.save(&state)?;
    let path = dir.join(RAM);
    let ram_sha256 = save_ram(&machine.ram_file, &path).map_err(io_error("write", &path))?;
    let manifest = Manifest {
        format: FORMAT,
        identity: identity.to_owned(),
        shape: shape(machine.spec()),
        ram_bytes: machine.ram_file.size(),
        ram_sha256,
        state_sha256: hash_file(&state)?,
        note: note.to_owned(),
    };
    let path = dir.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| ImageError::Manifest {
        path: path.clone(),
        problem: error.to_string(),
    })?;
    Ok(fs::write(&path, text).map_err(io_error("write", &path))?)
}

/// Everything in a spec that a machine's state depends on.
fn shape(spec: &MachineSpec) -> String {
    format!(
        "{} {} clock={:?} vcpus={} memory={}MiB cmdline={}",
        spec.backend,
        spec.accel,
        spec.clock,
        spec.vcpus,
        spec.memory_mib,
        crate::cmdline::kernel_cmdline(spec)
    )
}

/// Copies RAM into a new sparse file; gives its hash.
fn save_ram(ram: &RamFile, path: &Path) -> io::Result<String> {
    let file = File::create_new(path)?;
    file.set_len(ram.size())?;
    let mut hash = Sha256::new();
    each_page_run(ram.file(), |offset, bytes| {
        note_run(&mut hash, offset, bytes);
        file.write_all_at(bytes, offset)
    })?;
    Ok(hex(hash))
}

fn hash_ram(ram: &File) -> io::Result<String> {
    let mut hash = Sha256::new();
    each_page_run(ram, |offset, bytes| {
        note_run(&mut hash, offset, bytes);
        Ok(())
    })?;
    Ok(hex(hash))
}

/// Takes pages into a hash in which holes and zeros are the same, however they are cut into runs.
fn note_run(hash: &mut Sha256, offset: u64, bytes: &[u8]) {
    for (index, page) in (0u64..).zip(bytes.chunks(PAGE)) {
        hash.update((offset + index * PAGE as u64).to_le_bytes());
        hash.update(page);
    }
}

/// Calls `each` for every run of pages that are not all zero, in order of their offsets.
fn each_page_run(
    file: &File,
    mut each: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < size {
        // Reading does not move this position, so sharing the file is no matter.
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
        at = start / PAGE as u64 * PAGE as u64;
        while at < end {
            let want = usize::try_from(size - at).map_or(CHUNK, |left| left.min(CHUNK));
            let chunk = &mut buffer[..want];
            file.read_exact_at(chunk, at)?;
            for (offset, run) in runs(chunk) {
                each(at + offset as u64, run)?;
            }
            at += want as u64;
        }
    }
    Ok(())
}

/// Runs of pages that are not all zero, with their offsets.
fn runs(chunk: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let used: Vec<bool> = chunk
        .chunks(PAGE)
        .map(|page| page != &ZEROS[..page.len()])
        .collect();
    let mut page = 0;
    std::iter::from_fn(move || {
        while page < used.len() && !used[page] {
            page += 1;
        }
        let first = page;
        while page < used.len() && used[page] {
            page += 1;
        }
        let (from, to) = (first * PAGE, (page * PAGE).min(chunk.len()));
        (first < page).then(|| (from, &chunk[from..to]))
    })
}

fn hash_file(path: &Path) -> Result<String, ImageError> {
    let bytes = fs::read(path).map_err(io_error("read", path))?;
    Ok(hex(Sha256::new_with_prefix(bytes)))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn io_error<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> ImageError + 'a {
    move |source| ImageError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
