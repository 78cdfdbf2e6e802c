//! Guest RAM as the host sees it: one shared mapping, read-only by construction.
//!
//! RAM is an anonymous file (memfd) that the virtual machine maps as its memory. The host maps
//! the same file with `PROT_READ`, so that not even a bug of ours can store through the mapping.
//! The only way to write is [`RamFile::write_all_at`], a `pwrite` into the file that nobody but
//! [`Paused`](crate::Paused) can reach.
//!
//! While the guest runs, its memory changes under the reader's eyes: accesses are volatile, and
//! what comes out is a copy. Plain `&[u8]` exist only for memory that provably stands still,
//! see [`StillRam`].

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{MemfdFlags, SealFlags};
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{
    AtomicAccess, Bytes, FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap,
    GuestMemoryRegion, GuestRegionMmap, VolatileSlice,
};
use zerocopy::FromBytes;

use crate::address::ram_pieces;

/// `PROT_READ` of `mmap(2)`: the ABI value of Linux.
const PROT_READ: i32 = 1;
/// `MAP_SHARED | MAP_NORESERVE` of `mmap(2)`: the ABI values of Linux on x86.
const MAP_SHARED_NORESERVE: i32 = 0x01 | 0x4000;
/// Objects up to this size are read through the stack.
const STACK_READ_MAX: usize = 256;

/// An access to guest memory that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RamError {
    /// The range is not wholly inside RAM. Addresses come from the guest, so treat as its mistake.
    #[error(
        "guest range {address:#x}+{len:#x} is not inside RAM ({ram}); \
         the address comes from the guest or from what it published"
    )]
    OutOfRange {
        /// First address asked for.
        address: u64,
        /// Length asked for, in bytes.
        len: usize,
        /// The pieces of RAM there are.
        ram: String,
    },
    /// An atomic load from an address that is not a multiple of the value's size.
    #[error("guest address {address:#x} is not aligned for an atomic load of {size} bytes")]
    Misaligned {
        /// The address asked for.
        address: u64,
        /// Size of the value, in bytes.
        size: usize,
    },
    /// The RAM file cannot be made or mapped.
    #[error("cannot {action} {size_mib} MiB of guest RAM; free memory or ask for less")]
    Map {
        /// What was tried.
        action: &'static str,
        /// Size of RAM.
        size_mib: u64,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// Writing into the RAM file failed.
    #[error("cannot write {len} bytes at guest address {address:#x}")]
    Write {
        /// First address.
        address: u64,
        /// Length in bytes.
        len: usize,
        /// What the kernel said.
        source: std::io::Error,
    },
}

/// Read-only, bounds-checked view of guest RAM.
///
/// Holding it says nothing about the guest's state: it may be running. Nothing reachable from it
/// can write to the guest.
#[derive(Debug)]
pub struct GuestRam {
    memory: GuestMemoryMmap,
}

impl GuestRam {
    /// Size of the RAM that is visible, in bytes (the legacy hole below 1 MiB is left out).
    pub fn size_bytes(&self) -> u64 {
        self.memory.iter().map(GuestMemoryRegion::len).sum()
    }

    /// Whether all of `len` bytes from `address` on are in one piece of RAM.
    pub fn contains(&self, address: GuestAddress, len: usize) -> bool {
        self.volatile(address, len).is_ok()
    }

    /// Copies `buf.len()` bytes out of guest memory.
    ///
    /// # Errors
    /// [`RamError::OutOfRange`]; `buf` is untouched then.
    pub fn read_exact_at(&self, address: GuestAddress, buf: &mut [u8]) -> Result<(), RamError> {
        self.volatile(address, buf.len())?.copy_to(buf);
        Ok(())
    }

    /// Reads one plain value. A running guest may change it meanwhile: check what comes out.
    ///
    /// # Errors
    /// [`RamError::OutOfRange`].
    pub fn read_obj<T: FromBytes>(&self, address: GuestAddress) -> Result<T, RamError> {
        let len = size_of::<T>();
        let out_of_range = |_| self.out_of_range(address, len);
        if let Some(buf) = [0u8; STACK_READ_MAX].get_mut(..len) {
            self.read_exact_at(address, buf)?;
            return T::read_from_bytes(buf).map_err(out_of_range);
        }
        let mut buf = vec![0; len];
        self.read_exact_at(address, &mut buf)?;
        T::read_from_bytes(&buf).map_err(|_| self.out_of_range(address, len))
    }

    /// Loads one integer atomically, with acquire ordering: what the guest stored before
    /// releasing this value is visible afterwards.
    ///
    /// # Errors
    /// [`RamError::OutOfRange`], [`RamError::Misaligned`].
    pub fn load<T: AtomicAccess>(&self, address: GuestAddress) -> Result<T, RamError> {
        let size = size_of::<T>();
        self.volatile(address, size)?
            .load(0, Ordering::Acquire)
            .map_err(|_| RamError::Misaligned {
                address: address.0,
                size,
            })
    }

    /// A window into guest memory, to be read in place while the guest may be running.
    ///
    /// # Errors
    /// [`RamError::OutOfRange`].
    pub fn window(&self, address: GuestAddress, len: usize) -> Result<RamWindow<'_>, RamError> {
        Ok(RamWindow {
            slice: self.volatile(address, len)?,
        })
    }

    fn volatile(&self, address: GuestAddress, len: usize) -> Result<VolatileSlice<'_>, RamError> {
        self.memory
            .get_slice(address, len)
            .map_err(|_| self.out_of_range(address, len))
    }

    fn out_of_range(&self, address: GuestAddress, len: usize) -> RamError {
        let pieces: Vec<String> = self
            .memory
            .iter()
            .map(|r| format!("{:#x}..{:#x}", r.start_addr().0, r.start_addr().0 + r.len()))
            .collect();
        RamError::OutOfRange {
            address: address.0,
            len,
            ram: pieces.join(", "),
        }
    }
}

/// A window into the RAM of a guest that may be running: reads are volatile, writes do not exist.
///
/// `vm-memory`'s own `VolatileSlice` can also store; this wrapper is the reading half of it.
#[derive(Clone, Copy, Debug)]
pub struct RamWindow<'a> {
    slice: VolatileSlice<'a>,
}

impl RamWindow<'_> {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.slice.len()
    }

    /// Whether the window has no bytes.
    pub fn is_empty(&self) -> bool {
        self.slice.is_empty()
    }

    /// Copies from `offset` on into `buf`; returns how many bytes there were (0 past the end).
    pub fn copy_to(&self, offset: usize, buf: &mut [u8]) -> usize {
        self.slice
            .offset(offset)
            .map_or(0, |rest| rest.copy_to(buf))
    }
}

/// The RAM of a guest that stands still: stopped and confirmed to be, or ended and gone.
///
/// Holding a value proves that no vCPU runs and that this process cannot write either, for as
/// long as the borrow lives. That is what makes plain slices of guest memory sound.
#[derive(Clone, Copy, Debug)]
pub struct StillRam<'a> {
    ram: &'a GuestRam,
}

impl<'a> StillRam<'a> {
    /// Only for a machine whose vCPUs do not run as long as `'a` lasts.
    pub(crate) fn new(ram: &'a GuestRam) -> Self {
        Self { ram }
    }

    /// The view with copying reads.
    pub fn ram(&self) -> &'a GuestRam {
        self.ram
    }

    /// Guest memory in place, with no copy.
    ///
    /// # Errors
    /// [`RamError::OutOfRange`].
    pub fn slice(&self, address: GuestAddress, len: usize) -> Result<&'a [u8], RamError> {
        let window = self.ram.volatile(address, len)?;
        if len == 0 {
            return Ok(&[]);
        }
        let start = window.ptr_guard().as_ptr();
        // SAFETY: a slice is needed so that callers judge sub-buffers where they lie, without
        // copying them. `start` is valid for `len` bytes: `volatile` checked the range against one
        // mapped region, the mapping is owned by `self.ram`, borrowed for `'a`, and the file is
        // sealed against shrinking. The bytes do not change during `'a`: the creator of
        // `StillRam` holds the machine stopped (vCPUs confirmed stopped, no device that writes
        // to memory on its own), and the only writer of this process, `Paused::write_all_at`,
        // needs `&mut Paused`, which this borrow excludes.
        Ok(unsafe { std::slice::from_raw_parts(start, len) })
    }
}

/// The file that is the guest's RAM. It has no name in any file system, so it cannot be left over.
#[derive(Debug)]
pub(crate) struct RamFile {
    file: Arc<File>,
    size: u64,
}

impl RamFile {
    /// A new file of `size` bytes, all zero, that can neither shrink nor grow.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn create(size: u64) -> Result<Self, RamError> {
        let fail = |action| {
            move |source: std::io::Error| RamError::Map {
                action,
                size_mib: size / crate::address::MIB,
                source,
            }
        };
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = rustix::fs::memfd_create("relaybed-ram", flags)
            .map_err(|e| fail("create a memory file for")(e.into()))?;
        let file = File::from(fd);
        file.set_len(size).map_err(fail("size a memory file for"))?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals)
            .map_err(|e| fail("seal a memory file for")(e.into()))?;
        Ok(Self {
            file: Arc::new(file),
            size,
        })
    }

    /// Maps the file for reading, at the addresses where the guest sees it.
    ///
    /// # Errors
    /// [`RamError::Map`].
    pub(crate) fn map(&self) -> Result<GuestRam, RamError> {
        let fail = |source| RamError::Map {
            action: "map",
            size_mib: self.size / crate::address::MIB,
            source,
        };
        let mut regions = Vec::new();
        for piece in ram_pieces(self.size) {
            let size = usize::try_from(piece.size)
                .map_err(|_| fail(std::io::ErrorKind::FileTooLarge.into()))?;
            let mapping = MmapRegionBuilder::new(size)
                .with_mmap_prot(PROT_READ)
                .with_mmap_flags(MAP_SHARED_NORESERVE)
                .with_file_offset(FileOffset::from_arc(
                    Arc::clone(&self.file),
                    piece.file_offset,
                ))
                .build()
                .map_err(|e| fail(std::io::Error::other(e)))?;
            let region = GuestRegionMmap::new(mapping, GuestAddress(piece.start))
                .ok_or_else(|| fail(std::io::ErrorKind::InvalidInput.into()))?;
            regions.push(region);
        }
        let memory =
            GuestMemoryMmap::from_regions(regions).map_err(|e| fail(std::io::Error::other(e)))?;
        Ok(GuestRam { memory })
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
        let piece = ram_pieces(self.size)
            .into_iter()
            .find(|p| address.0 >= p.start && address.0 - p.start < p.size)
            .ok_or_else(|| ram.out_of_range(address, len))?;
        let offset = piece.file_offset + (address.0 - piece.start);
        self.file
            .write_all_at(bytes, offset)
            .map_err(|source| RamError::Write {
                address: address.0,
                len,
                source,
            })
    }

    /// Writes a whole page of a machine that does not run yet, without a mapping.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn fill_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// The file, to be mapped as the memory of a virtual machine in this process.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Size of RAM in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The descriptor's number, for handing it to the virtual machine's process.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

#[cfg(test)]
#[path = "ram_tests.rs"]
mod tests;
