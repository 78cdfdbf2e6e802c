//! Who keeps guest RAM.
//!
//! - A machine of QEMU's has a memory file: QEMU maps it for the guest, we map it for reading alone.
//! - A machine that boots in this process has memory of its own in large pages, where the host gives them: each page
//!   that the guest touches for the first time costs an exit, and a large one is five hundred small ones.
//! - A fork in this process maps its image's RAM privately: what it never writes to it shares with the
//!   image and all other forks, so a fork costs a mapping, not a copy.
//!
//! The last two are one mapping, which the guest writes and the host reads; there it is types alone that keep the
//! host from writing: [`GuestRam`] has no way to.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};
use vm_memory::mmap::{self, MmapRegionBuilder};
use vm_memory::{
    Bytes, FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestRegionMmap,
    MmapRegion,
};

use crate::address::{MIB, Piece, ram_pieces};
use crate::pages;
use crate::ram::{GuestRam, RamError};

/// `PROT_READ` and `PROT_WRITE` of `mmap(2)`: the ABI values of Linux.
const PROT_READ: i32 = 1;
const PROT_WRITE: i32 = 2;
/// `MAP_SHARED`, `MAP_PRIVATE`, `MAP_ANONYMOUS`, `MAP_NORESERVE` of `mmap(2)`: the ABI values of Linux on x86.
const MAP_SHARED: i32 = 0x01;
const MAP_PRIVATE: i32 = 0x02;
const MAP_ANONYMOUS: i32 = 0x20;
const MAP_NORESERVE: i32 = 0x4000;
/// A large page. Guest and host must see its start alike.
const LARGE_PAGE: usize = 2 << 20;

/// RAM that forks start from. It cannot be changed any more, not even by us.
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
pub(crate) struct RamStore {
    size: u64,
    kept: Kept,
}

/// Where the bytes are.
#[derive(Debug)]
enum Kept {
    /// In a file that whoever needs them maps.
    File(File),
    /// In a mapping of this process, which guest and host share: these pieces of it.
    Mapping(GuestMemoryMmap, Vec<Piece>),
}

impl RamStore {
    /// A new file of `size` bytes, all zero, that can neither shrink nor grow.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn create(size: u64) -> Result<Self, RamError> {
        let file = memory_file(size)?;
        seal(&file, size, SealFlags::empty())?;
        Ok(Self {
            size,
            kept: Kept::File(file),
        })
    }

    /// New memory of this process, all zero, in large pages where they can be had. `slots` are the pieces
    /// that the guest has.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn in_process(size: u64, slots: Vec<Piece>) -> Result<Self, RamError> {
        let memory = map_pieces(size, &slots, |len, _| map_large(len))?;
        Ok(Self {
            size,
            kept: Kept::Mapping(memory, slots),
        })
    }

    /// RAM that begins as `base` and whose pages are copied when they are first written. `slots` are
    /// the pieces that the guest has.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn fork(base: &RamBase, slots: Vec<Piece>) -> Result<Self, RamError> {
        let memory = map_pieces(base.size, &slots, |len, offset| {
            mapping(len)
                .with_mmap_flags(MAP_PRIVATE | MAP_NORESERVE)
                .with_file_offset(FileOffset::from_arc(Arc::clone(&base.file), offset))
                .build()
        })?;
        Ok(Self {
            size: base.size,
            kept: Kept::Mapping(memory, slots),
        })
    }

    /// The host's view, at the addresses where the guest sees it.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn map(&self) -> Result<GuestRam, RamError> {
        let pieces = ram_pieces(self.size);
        let memory = match &self.kept {
            Kept::Mapping(memory, _) => memory.clone(),
            Kept::File(file) => {
                let file = file.try_clone().map_err(map_error("share", self.size))?;
                let file = Arc::new(file);
                map_pieces(self.size, &pieces, |len, offset| {
                    mapping(len)
                        .with_mmap_prot(PROT_READ)
                        .with_mmap_flags(MAP_SHARED | MAP_NORESERVE)
                        .with_file_offset(FileOffset::from_arc(Arc::clone(&file), offset))
                        .build()
                })?
            }
        };
        Ok(GuestRam::new(memory, pieces))
    }

    /// The guest's view of a machine in this process; `None` of one whose RAM is in a file.
    pub(crate) fn for_guest(&self) -> Option<&GuestMemoryMmap> {
        match &self.kept {
            Kept::Mapping(memory, _) => Some(memory),
            Kept::File(_) => None,
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
        match &self.kept {
            Kept::Mapping(memory, _) => memory
                .write_slice(bytes, address)
                .map_err(|error| failed(io::Error::other(error))),
            Kept::File(file) => {
                let piece = ram_pieces(self.size)
                    .into_iter()
                    .find(|p| address.0 >= p.start && address.0 - p.start < p.size)
                    .ok_or_else(|| ram.out_of_range(address, len))?;
                let offset = piece.file_offset + (address.0 - piece.start);
                file.write_all_at(bytes, offset).map_err(failed)
            }
        }
    }

    /// Writes whole pages into the file of a machine that does not run yet.
    ///
    /// # Errors
    /// What the kernel says; that there is no file.
    pub(crate) fn fill_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file()
            .ok_or(io::ErrorKind::Unsupported)?
            .write_all_at(bytes, offset)
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
        let (memory, slots) = match &self.kept {
            Kept::File(file) => return pages::each_run(file, each),
            Kept::Mapping(memory, slots) => (memory, slots),
        };
        for slot in slots {
            let read = |at: u64, chunk: &mut [u8]| {
                let address = GuestAddress(slot.start + at);
                memory.read_slice(chunk, address).map_err(io::Error::other)
            };
            pages::each_run_of(slot.size, read, |at, run| each(slot.file_offset + at, run))?;
        }
        Ok(())
    }

    /// Size of RAM in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The file, for handing it to the virtual machine's process; `None` if RAM is not in one.
    pub(crate) fn file(&self) -> Option<&File> {
        match &self.kept {
            Kept::File(file) => Some(file),
            Kept::Mapping(..) => None,
        }
    }

    /// Where RAM is in this process's memory, if guest and host share it there.
    pub(crate) fn places(&self) -> Vec<Range<u64>> {
        let Kept::Mapping(memory, _) = &self.kept else {
            return Vec::new();
        };
        let place = |region: &GuestRegionMmap| {
            let start = region.as_ptr() as u64;
            start..start + region.size() as u64
        };
        memory.iter().map(place).collect()
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

/// Maps pieces of `size` bytes of RAM; `map` gets a piece's length and its offset in RAM.
fn map_pieces(
    size: u64,
    pieces: &[Piece],
    map: impl Fn(usize, u64) -> Result<MmapRegion, mmap::MmapRegionError>,
) -> Result<GuestMemoryMmap, RamError> {
    let fail = map_error("map", size);
    let mut regions = Vec::new();
    for piece in pieces {
        let len =
            usize::try_from(piece.size).map_err(|_| fail(io::ErrorKind::FileTooLarge.into()))?;
        let mapping = map(len, piece.file_offset).map_err(|e| fail(io::Error::other(e)))?;
        let region = GuestRegionMmap::new(mapping, GuestAddress(piece.start))
            .ok_or_else(|| fail(io::ErrorKind::InvalidInput.into()))?;
        regions.push(region);
    }
    GuestMemoryMmap::from_regions(regions).map_err(|e| fail(io::Error::other(e)))
}

/// A mapping to be made, for reading and writing.
fn mapping(len: usize) -> MmapRegionBuilder {
    MmapRegionBuilder::new(len).with_mmap_prot(PROT_READ | PROT_WRITE)
}

/// Maps new memory in large pages. Small ones are as good, only slower: what fails here changes nothing else.
fn map_large(len: usize) -> Result<MmapRegion, mmap::MmapRegionError> {
    let new = |len| {
        mapping(len)
            .with_mmap_flags(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
            .build()
    };
    let mut region: MmapRegion = new(len)?;
    // Older kernels put a mapping right below the last one, wherever that began. One that
    // takes up the odd bytes in between makes the next one start at a large page.
    let odd = region.as_ptr() as usize % LARGE_PAGE;
    if odd != 0 {
        drop(region);
        let filler = new(odd)?;
        region = new(len)?;
        drop(filler);
    }
    let start = region.as_ptr().cast();
    // SAFETY: Where large pages are given only to those who ask, this is how to ask, and no safe
    // interface does. It is the start and the length of a mapping that we own, and the advice changes
    // how its pages are kept, not what is in them.
    let advised = unsafe { rustix::mm::madvise(start, len, rustix::mm::Advice::LinuxHugepage) };
    if let Err(error) = advised {
        tracing::debug!("guest RAM will be in small pages: {error}");
    }
    Ok(region)
}

fn map_error(action: &'static str, size: u64) -> impl Fn(io::Error) -> RamError {
    move |source| RamError::Map {
        action,
        size_mib: size / MIB,
        source,
    }
}

#[cfg(test)]
#[path = "ram_store_tests.rs"]
mod tests;
