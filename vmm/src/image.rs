//! An image: a machine's whole state on disk, of which machines are forked.
//!
//! A folder with three files. `ram` is guest RAM as a sparse file: pages of zeros are holes. `state` is
//! everything else, in the backend's own form. `image.json` says what both are, with their hashes, and
//! is written last, so that an interrupted image is not an image.
//!
//! [`Image::open`] reads every byte once and compares, and so does every fork that reads the files again: a damaged
//! image is never run. An image belongs
//! to one backend of one version and to one shape of machine; one of KVM's also to the CPU features and the
//! kernel of the host that it was made on. It is refused by any other.
//!
//! QEMU's forks copy RAM; KVM's share what [`Image::open`] has read and copy the pages that they write.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::kvm::{self, KvmError};
use crate::machine::Machine;
use crate::pages::{self, RamHash};
use crate::ram::RamError;
use crate::ram_store::{RamBase, RamStore};
use crate::spec::{Backend, MachineSpec};

/// Raised whenever what an image's files contain changes its meaning.
const FORMAT: u32 = 2;
/// Longest state file that is read: one of 64 vCPUs has a tenth of it.
const STATE_MAX_BYTES: u64 = 64 << 20;

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
    #[error("the image in {} is of another machine ({what}): make it again", path.display())]
    Other {
        /// The image's folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// The KVM backend's state is not one, although its hash is the recorded one.
    #[error("{} is not a machine's state ({problem}): remove the image and make it again", path.display())]
    State {
        /// The state's path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// KVM cannot be asked what its machines are like.
    #[error("cannot find out whether the image fits this host")]
    Host(#[source] KvmError),
    /// Its RAM cannot be held.
    #[error(transparent)]
    Ram(#[from] RamError),
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
    /// What the backend says about the host, if the state depends on it.
    #[serde(default)]
    host: String,
    ram_bytes: u64,
    ram_sha256: String,
    state_sha256: String,
    note: String,
}

/// An image whose bytes were found to be those that were written.
///
/// Holding it proves that hash, format, identity, shape and host matched when it was opened. RAM's file is kept open
/// and compared again by each of QEMU's forks, so removing the folder does no harm, and damage that comes later is
/// found; everything else is a copy.
#[derive(Debug)]
pub struct Image {
    dir: PathBuf,
    manifest: Manifest,
    saved: Saved,
}

/// An image's machine, as its backend has it.
#[derive(Debug)]
pub(crate) enum Saved {
    /// What each fork reads.
    Qemu {
        /// RAM's file.
        ram: File,
        /// QEMU's own stream, copied into memory.
        state: File,
    },
    /// Read and checked already.
    Kvm {
        /// RAM.
        base: RamBase,
        /// vCPUs and devices.
        state: Box<kvm::State>,
    },
}

impl Image {
    /// Opens the image in `dir`, which must be one of the machine that `spec` and `identity` describe,
    /// and reads it once to compare hashes.
    ///
    /// # Errors
    /// [`ImageError`]: it is not there, not of this machine, or damaged.
    pub fn open(dir: &Path, spec: &MachineSpec, identity: &str) -> Result<Self, ImageError> {
        let path = dir.join(MANIFEST);
        let text = read_capped(&path)?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| ImageError::Manifest {
                path,
                problem: error.to_string(),
            })?;
        let host = host(spec).map_err(ImageError::Host)?;
        manifest
            .is_of(spec, identity, &host)
            .map_err(|what| ImageError::Other {
                path: dir.to_owned(),
                what,
            })?;
        let saved = match spec.backend {
            Backend::Qemu => open_qemu(dir, &manifest)?,
            Backend::Kvm => open_kvm(dir, &manifest, spec)?,
        };
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
            saved,
        })
    }

    /// What [`Paused::snapshot`](crate::Paused::snapshot) was given to keep.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.manifest.note
    }

    /// The hash of its RAM, which distinguishes two images of one machine.
    #[must_use]
    pub fn ram_sha256(&self) -> &str {
        &self.manifest.ram_sha256
    }

    /// A new machine in the image's state, with its logs in `spec.dir`. It is stopped: what is written
    /// through the first [`Machine::pause`] is there when the guest resumes, which it does when that
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

    /// A new machine's RAM.
    pub(crate) fn ram(&self) -> Result<RamStore, Error> {
        match &self.saved {
            Saved::Kvm { base, .. } => {
                Ok(RamStore::fork(base, kvm::slots(self.manifest.ram_bytes))?)
            }
            Saved::Qemu { ram, .. } => {
                let file = RamStore::create(self.manifest.ram_bytes)?;
                let path = self.dir.join(RAM);
                let mut hash = RamHash::default();
                pages::each_run(ram, |offset, bytes| {
                    hash.note(offset, bytes);
                    // A file that grew is refused below.
                    match offset + bytes.len() as u64 <= self.manifest.ram_bytes {
                        true => file.fill_at(offset, bytes),
                        false => Ok(()),
                    }
                })
                .map_err(io_error("copy", &path))?;
                check_ram(&self.dir, ram, hash, &self.manifest)?;
                Ok(file)
            }
        }
    }

    /// The backend's part.
    pub(crate) fn saved(&self) -> &Saved {
        &self.saved
    }
}

fn open_file(path: &Path) -> Result<File, ImageError> {
    File::open(path).map_err(io_error("open", path))
}

fn damaged(dir: &Path, name: &str) -> ImageError {
    ImageError::Damaged {
        path: dir.join(name),
    }
}

/// Reads an image of QEMU's to the end once.
fn open_qemu(dir: &Path, manifest: &Manifest) -> Result<Saved, ImageError> {
    let ram = open_file(&dir.join(RAM))?;
    let path = dir.join(RAM);
    let mut hash = RamHash::default();
    pages::each_run(&ram, |offset, bytes| {
        hash.note(offset, bytes);
        Ok(())
    })
    .map_err(io_error("read", &path))?;
    check_ram(dir, &ram, hash, manifest)?;
    let path = dir.join(STATE);
    let state = in_memory(&read_state(dir, manifest)?).map_err(io_error("copy", &path))?;
    Ok(Saved::Qemu { ram, state })
}

/// A file without a name that holds `bytes`.
fn in_memory(bytes: &[u8]) -> io::Result<File> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let file = File::from(rustix::fs::memfd_create("relaybed-state", flags)?);
    file.write_all_at(bytes, 0)?;
    Ok(file)
}

/// Reads an image of our own backend's into memory.
fn open_kvm(dir: &Path, manifest: &Manifest, spec: &MachineSpec) -> Result<Saved, ImageError> {
    let ram = open_file(&dir.join(RAM))?;
    let mut hash = RamHash::default();
    let base = RamBase::create(manifest.ram_bytes, |into| {
        pages::each_run(&ram, |offset, bytes| {
            hash.note(offset, bytes);
            // A damaged file may be longer; it is refused below.
            match offset + bytes.len() as u64 <= manifest.ram_bytes {
                true => into.write_all_at(bytes, offset),
                false => Ok(()),
            }
        })
    })?;
    check_ram(dir, &ram, hash, manifest)?;
    let state = kvm::State::parse(&read_state(dir, manifest)?, spec.vcpus).map_err(|problem| {
        ImageError::State {
            path: dir.join(STATE),
            problem,
        }
    })?;
    Ok(Saved::Kvm {
        base,
        state: Box::new(state),
    })
}

fn check_ram(dir: &Path, ram: &File, hash: RamHash, manifest: &Manifest) -> Result<(), ImageError> {
    let path = dir.join(RAM);
    let len = ram.metadata().map_err(io_error("look at", &path))?.len();
    if len != manifest.ram_bytes || hash.finish() != manifest.ram_sha256 {
        return Err(damaged(dir, RAM));
    }
    Ok(())
}

/// The state file's bytes, found to be those that were written.
fn read_state(dir: &Path, manifest: &Manifest) -> Result<Vec<u8>, ImageError> {
    let bytes = read_capped(&dir.join(STATE))?;
    if pages::hash(&bytes) != manifest.state_sha256 {
        return Err(damaged(dir, STATE));
    }
    Ok(bytes)
}

/// The bytes of a file that is not longer than any that we write; of one that is, not all.
fn read_capped(path: &Path) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    open_file(path)?
        .take(STATE_MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(io_error("read", path))?;
    Ok(bytes)
}

/// What an image that `spec`'s backend makes depends on of the host.
fn host(spec: &MachineSpec) -> Result<String, KvmError> {
    match spec.backend {
        Backend::Qemu => Ok(String::new()),
        Backend::Kvm => kvm::host(spec.vcpus),
    }
}

impl Manifest {
    fn is_of(&self, spec: &MachineSpec, identity: &str, host: &str) -> Result<(), &'static str> {
        if self.format != FORMAT {
            return Err("its format is of another version");
        }
        if self.identity != identity {
            return Err("its kernel, guest or virtual machine monitor differs");
        }
        if self.shape != shape(spec) || self.ram_bytes != spec.memory_bytes() {
            return Err("its shape differs");
        }
        if self.host != host {
            return Err("its host has other CPU features, another KVM or another kernel");
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
    let ram_sha256 = save_ram(&machine.ram_store, &path).map_err(io_error("write", &path))?;
    let manifest = Manifest {
        format: FORMAT,
        identity: identity.to_owned(),
        shape: shape(machine.spec()),
        host: host(machine.spec())?,
        ram_bytes: machine.ram_store.size(),
        ram_sha256,
        state_sha256: pages::hash(&read_capped(&state)?),
        note: note.to_owned(),
    };
    let path = dir.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| ImageError::Manifest {
        path: path.clone(),
        problem: error.to_string(),
    })?;
    Ok(fs::write(&path, text).map_err(io_error("write", &path))?)
}

/// One word for RAM and what else is given.
pub(crate) fn digest(ram: &RamStore, parts: &[Vec<u8>]) -> Result<String, ImageError> {
    let mut hash = RamHash::default();
    ram.each_page_run(|offset, bytes| {
        hash.note(offset, bytes);
        Ok(())
    })
    .map_err(io_error("read", Path::new("RAM")))?;
    for (part, behind) in parts.iter().zip(ram.size()..) {
        hash.note(behind, part);
    }
    Ok(hash.finish())
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
fn save_ram(ram: &RamStore, path: &Path) -> io::Result<String> {
    let file = File::create_new(path)?;
    file.set_len(ram.size())?;
    let mut hash = RamHash::default();
    ram.each_page_run(|offset, bytes| {
        hash.note(offset, bytes);
        file.write_all_at(bytes, offset)
    })?;
    Ok(hash.finish())
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
