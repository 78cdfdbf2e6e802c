//! Guest RAM as the host sees it: one shared mapping, read-only by construction.
//!
//! Where a machine's RAM is a file (QEMU's), the host maps it with `PROT_READ`, so that not even a bug of ours
//! can store through the mapping. The only way to write is a `pwrite` into the file. Where the virtual machine is
//! in this process, RAM is one mapping that guest and host share, and types keep the host from
//! writing. In both cases only [`Paused`](crate::Paused) can; see [`crate::ram_store`].
//!
//! While the guest runs, its memory changes under the reader's eyes: accesses are volatile, and
//! what comes out is a copy. Plain `&[u8]` exist only for memory that provably does not change,
//! see [`StillRam`].

use std::sync::atomic::Ordering;

use vm_memory::{
    AtomicAccess, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, VolatileSlice,
};
use zerocopy::FromBytes;

use crate::address::Piece;

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
    /// What is RAM of it, in address order.
    pieces: Vec<Piece>,
}

impl GuestRam {
    /// A view of the pieces of `memory` that are RAM.
    pub(crate) fn new(memory: GuestMemoryMmap, pieces: Vec<Piece>) -> Self {
        Self { memory, pieces }
    }

    /// Size of the RAM that is visible, in bytes (the legacy hole below 1 MiB is left out).
    pub fn size_bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.size).sum()
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

    /// The range in place, if it is wholly inside one piece of RAM.
    pub(crate) fn volatile(
        &self,
        address: GuestAddress,
        len: usize,
    ) -> Result<VolatileSlice<'_>, RamError> {
        let inside = |piece: &Piece| {
            let rest = address
                .0
                .checked_sub(piece.start)
                .and_then(|at| piece.size.checked_sub(at));
            rest.is_some_and(|rest| rest > 0 && len as u64 <= rest)
        };
        if !self.pieces.iter().any(inside) {
            return Err(self.out_of_range(address, len));
        }
        self.memory
            .get_slice(address, len)
            .map_err(|_| self.out_of_range(address, len))
    }

    /// The error of a range that is not RAM.
    pub(crate) fn out_of_range(&self, address: GuestAddress, len: usize) -> RamError {
        let pieces: Vec<String> = self
            .pieces
            .iter()
            .map(|piece| format!("{:#x}..{:#x}", piece.start, piece.start + piece.size))
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

/// The RAM of a guest that is stopped: stopped and confirmed to be, or ended and gone.
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
        // SAFETY: a slice is needed so that callers judge sub-buffers where they are, without
        // copying them. `start` is valid for `len` bytes: `volatile` checked the range against one
        // mapped region, the mapping is owned by `self.ram`, borrowed for `'a`, and the file is
        // sealed against shrinking. The bytes do not change during `'a`: the creator of
        // `StillRam` holds the machine stopped (vCPUs confirmed stopped, no device that writes
        // to memory on its own), and the only writer of this process, `Paused::write_all_at`,
        // needs `&mut Paused`, which this borrow excludes.
        Ok(unsafe { std::slice::from_raw_parts(start, len) })
    }
}
