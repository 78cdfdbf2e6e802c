//! Who keeps guest RAM: a memory file of the machine's own, or pages of an image that are copied when written.
//!
//! A machine that boots, and every machine of QEMU's, has a memory file: the guest maps it for writing, the
//! host for reading. A fork on KVM maps its image's RAM privately: what it never writes to it shares
//! with the image and all other forks, so a fork costs a mapping, not a copy. Its own pages are in
//! that mapping and nowhere else, so there the host reads through it too; [`GuestRam`] has no way to write.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{
    Bytes, FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestRegionMmap,
};

use crate::address::{MIB, Piece, ram_pieces};
use crate::pages;
use crate::ram::{GuestRam, RamError};

/// `PROT_READ` and `PROT_WRITE` of `mmap(2)`: the ABI values of Linux.
const PROT_READ: i32 = 1;
const PROT_WRITE: i32 = 2;
/// `MAP_SHARED`, `MAP_PRIVATE`, `MAP_NORESERVE` of `mmap(2)`: the ABI values of Linux on x86.
const MAP_SHARED: i32 = 0x01;
const MAP_PRIVATE: i32 = 0x02;
const MAP_NORESERVE: i32 = 0x4000;

/// RAM that forks begin with. Nobody can change it any more, not even we.
#[derive(Clone, Debug)]
pub(crate) struct RamBase {
    file: Arc<File>,
    size: u64,
}

impl RamBase {
    /// A base of `size` bytes; `fill` is called once to write the pages that are not zero.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn create(
        size: u64,
        fill: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<Self, RamError> {
        let file = memory_file(size)?;
        fill(&file).map_err(map_error("fill", size))?;
        seal(&file, size, SealFlags::WRITE)?;
        Ok(Self {
            file: Arc::new(file),
            size,
        })
    }
}

/// A machine's RAM. It has no name in any file system, so it cannot be left over.
#[derive(Debug)]
pub(crate) struct RamFile {
    file: Arc<File>,
    size: u64,
    /// A fork's own view of the file, with its own pages.
    private: Option<GuestMemoryMmap>,
}

impl RamFile {
    /// A new file of `size` bytes, all zero, that can neither shrink nor grow.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn create(size: u64) -> Result<Self, RamError> {
        let file = memory_file(size)?;
        seal(&file, size, SealFlags::empty())?;
        Ok(Self {
            file: Arc::new(file),
            size,
            private: None,
        })
    }

    /// RAM that begins as `base` and whose pages are copied when they are first written. `slots` are
    /// the pieces that the guest has.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn fork(base: &RamBase, slots: &[Piece]) -> Result<Self, RamError> {
        let flags = MAP_PRIVATE | MAP_NORESERVE;
        let memory = map_pieces(&base.file, base.size, slots, PROT_READ | PROT_WRITE, flags)?;
        Ok(Self {
            file: Arc::clone(&base.file),
            size: base.size,
            private: Some(memory),
        })
    }

    /// The host's view, at the addresses where the guest sees it.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn map(&self) -> Result<GuestRam, RamError> {
        let pieces = ram_pieces(self.size);
        let memory = match &self.private {
            Some(memory) => memory.clone(),
            None => {
                let flags = MAP_SHARED | MAP_NORESERVE;
                map_pieces(&self.file, self.size, &pieces, PROT_READ, flags)?
            }
        };
        Ok(GuestRam::new(memory, pieces))
    }

    /// The guest's view of `slots`, for a virtual machine in this process.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn map_for_guest(&self, slots: &[Piece]) -> Result<GuestMemoryMmap, RamError> {
        match &self.private {
            Some(memory) => Ok(memory.clone()),
            None => {
                let flags = MAP_SHARED | MAP_NORESERVE;
                map_pieces(&self.file, self.size, slots, PROT_READ | PROT_WRITE, flags)
            }
        }
    }

    /// Writes into guest memory. The machine must be stopped: only `Paused` may call this.
    ///
    /// # Errors
    /// [`RamError::OutOfRange`], and [`RamError::Write`].
    pub(crate) fn write_all_at(
        &self,
        ram: &GuestRam,
        address: GuestAddress,
        bytes: &[u8],
    ) -> Result<(), RamError> {
        let len = bytes.len();
        ram.volatile(address, len)?;
        let failed = |source| RamError::Write {
            address: address.0,
            len,
            source,
        };
        if let Some(memory) = &self.private {
            let written = memory.write_slice(bytes, address);
            return written.map_err(|error| failed(io::Error::other(error)));
        }
        let piece = ram_pieces(self.size)
            .into_iter()
            .find(|p| address.0 >= p.start && address.0 - p.start < p.size)
            .ok_or_else(|| ram.out_of_range(address, len))?;
        let offset = piece.file_offset + (address.0 - piece.start);
        self.file.write_all_at(bytes, offset).map_err(failed)
    }

    /// Writes a whole page of a machine that does not run yet, without a mapping.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn fill_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Calls `each` for every run of pages that are not all zero, in order of their offsets. The machine
    /// must be stopped. A fork's pages are all looked at, which brings in those that it never used.
    ///
    /// # Errors
    /// What `each` says, and what reading says.
    pub(crate) fn each_page_run(
        &self,
        mut each: impl FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(memory) = &self.private else {
            return pages::each_run(&self.file, each);
        };
        for region in memory.iter() {
            use vm_memory::GuestMemoryRegion;
            let offset = region.file_offset().map_or(0, FileOffset::start);
            let read = |at: u64, chunk: &mut [u8]| {
                let address = GuestAddress(region.start_addr().0 + at);
                memory.read_slice(chunk, address).map_err(io::Error::other)
            };
            pages::each_run_of(region.len(), read, |at, run| each(offset + at, run))?;
        }
        Ok(())
    }

    /// Size of RAM in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The descriptor's number, for handing it to the virtual machine's process.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// The file itself.
    #[cfg(test)]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// A file of `size` bytes without a name, all of it a hole.
fn memory_file(size: u64) -> Result<File, RamError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("relaybed-ram", flags)
        .map_err(|e| map_error("create a memory file for", size)(e.into()))?;
    let file = File::from(fd);
    file.set_len(size)
        .map_err(map_error("size a memory file for", size))?;
    Ok(file)
}

/// From here on the file neither shrinks nor grows, nor whatever `more` says.
fn seal(file: &File, size: u64, more: SealFlags) -> Result<(), RamError> {
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL | more;
    rustix::fs::fcntl_add_seals(file, seals)
        .map_err(|e| map_error("seal a memory file for", size)(e.into()))
}

fn map_pieces(
    file: &Arc<File>,
    size: u64,
    pieces: &[Piece],
    prot: i32,
    flags: i32,
) -> Result<GuestMemoryMmap, RamError> {
    let fail = map_error("map", size);
    let mut regions = Vec::new();
    for piece in pieces {
        let size =
            usize::try_from(piece.size).map_err(|_| fail(io::ErrorKind::FileTooLarge.into()))?;
        let mapping = MmapRegionBuilder::new(size)
            .with_mmap_prot(prot)
            .with_mmap_flags(flags)
            .with_file_offset(FileOffset::from_arc(Arc::clone(file), piece.file_offset))
            .build()
            .map_err(|e| fail(io::Error::other(e)))?;
        let region = GuestRegionMmap::new(mapping, GuestAddress(piece.start))
            .ok_or_else(|| fail(io::ErrorKind::InvalidInput.into()))?;
        regions.push(region);
    }
    GuestMemoryMmap::from_regions(regions).map_err(|e| fail(io::Error::other(e)))
}

fn map_error(action: &'static str, size: u64) -> impl Fn(io::Error) -> RamError {
    move |source| RamError::Map {
        action,
        size_mib: size / MIB,
        source,
    }
}

#[cfg(test)]
#[path = "ram_file_tests.rs"]
mod tests;
