//! The slots in which user actors keep descriptors and mappings of channel buffer files.

use std::ffi::c_void;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use relaybed_abi::{RB_MAX_FILES, RB_PAGE_SIZE};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, dup, pread};
use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap, mremap, munmap};

use crate::nowhere::copy_politely;

/// The process's own memory as a file: reading it fails where touching it would kill.
const OWN_MEMORY: &str = "/proc/self/mem";

/// How a file is to be mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// How many bytes.
    pub(crate) bytes: usize,
    /// From which byte of the file on.
    pub(crate) offset: u64,
    /// `PROT_WRITE` too.
    pub(crate) writable: bool,
    /// `MAP_PRIVATE`.
    pub(crate) private: bool,
    /// `PROT_NONE`.
    pub(crate) hidden: bool,
}

/// A mapping of a file, taken away on drop.
pub(crate) struct Mapping {
    base: NonNull<c_void>,
    wish: Wish,
}

// SAFETY: why: an actor may copy what another mapped. Sound: the mapping stays until the last owner
// drops it, whichever thread that is, and its bytes are touched one by one and volatile only.
unsafe impl Send for Mapping {}
// SAFETY: as for `Send`: bytes that others write at the same time are whatever they held at one moment.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: &OwnedFd, wish: Wish) -> Result<Self, Errno> {
        let mut prot = ProtFlags::empty();
        prot.set(ProtFlags::READ, !wish.hidden);
        prot.set(ProtFlags::WRITE, wish.writable);
        let flags = if wish.private {
            MapFlags::PRIVATE
        } else {
            MapFlags::SHARED
        };
        // SAFETY: why: mmap has no safe form. Sound: the kernel chooses an unused place.
        let base = unsafe { mmap(ptr::null_mut(), wish.bytes, prot, flags, file, wish.offset) }?;
        let base = NonNull::new(base).ok_or(Errno::NOMEM)?;
        Ok(Self { base, wish })
    }

    /// What the mapping shows now. The kernel may write meanwhile, so each byte is read once, by
    /// itself, and the copy is a mixture of moments.
    ///
    /// # Errors
    /// When a mapping that does not begin at the file's first byte has nothing behind a page of it; `EFAULT` when it
    /// must not be touched.
    pub(crate) fn copy(&self) -> Result<Vec<u8>, Errno> {
        if self.wish.hidden {
            return copy_politely(self.base.as_ptr(), self.wish.bytes);
        }
        if self.wish.offset != 0 {
            return self.copy_guarded();
        }
        let base = self.base.as_ptr().cast::<u8>();
        Ok((0..self.wish.bytes)
            .map(|i| {
                // SAFETY: why: the mapping is memory that others write. Sound: `i` lies inside it,
                // and a volatile read of one byte is whatever it held at one moment.
                unsafe { base.add(i).read_volatile() }
            })
            .collect())
    }

    /// The same of a mapping that may reach beyond what there is: up to the first page that is not.
    fn copy_guarded(&self) -> Result<Vec<u8>, Errno> {
        let memory = open(OWN_MEMORY, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = vec![0; self.wish.bytes];
        let mut done = 0;
        for page in bytes.chunks_mut(RB_PAGE_SIZE) {
            let at = self.base.as_ptr() as u64 + done as u64;
            match pread(&memory, &mut *page, at) {
                Ok(n) if n == page.len() => done += n,
                Err(errno) if done == 0 => return Err(errno),
                _ => break,
            }
        }
        bytes.truncate(done);
        Ok(bytes)
    }

    /// Writes through the mapping, byte by byte.
    ///
    /// # Errors
    /// `EACCES` when it was not made for writing, `EINVAL` for a place that is not in it.
    pub(crate) fn store(&self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        if !self.wish.writable {
            return Err(Errno::ACCESS);
        }
        let at = usize::try_from(at).map_err(|_| Errno::INVAL)?;
        let end = at.checked_add(bytes.len()).ok_or(Errno::INVAL)?;
        if end > self.wish.bytes || self.wish.offset != 0 {
            return Err(Errno::INVAL);
        }
        let base = self.base.as_ptr().cast::<u8>();
        for (i, byte) in bytes.iter().enumerate() {
            // SAFETY: why: the mapping is memory that others read and write. Sound: `at + i` lies
            // inside it, it was mapped for writing, and nobody holds a reference into it.
            unsafe { base.add(at + i).write_volatile(*byte) };
        }
        Ok(())
    }

    /// Gives it another length.
    ///
    /// # Errors
    /// What mremap says.
    fn remap(&mut self, bytes: u64) -> Result<(), Errno> {
        let bytes = usize::try_from(bytes).map_err(|_| Errno::INVAL)?;
        // SAFETY: why: mremap has no safe form. Sound: `self`, the only owner, goes by the new place from the next
        // line on.
        let base = unsafe {
            mremap(
                self.base.as_ptr(),
                self.wish.bytes,
                bytes,
                MremapFlags::MAYMOVE,
            )
        }?;
        self.base = NonNull::new(base).ok_or(Errno::NOMEM)?;
        self.wish.bytes = bytes;
        Ok(())
    }

    /// Takes all of it away but the first `bytes`, rounded up to pages.
    ///
    /// # Errors
    /// What munmap says; `EINVAL` when it has no more than that.
    fn keep(&mut self, bytes: u64) -> Result<(), Errno> {
        let bytes = usize::try_from(bytes).map_err(|_| Errno::INVAL)?;
        let kept = bytes.next_multiple_of(RB_PAGE_SIZE);
        if kept == 0 || kept >= self.wish.bytes {
            return Err(Errno::INVAL);
        }
        // SAFETY: why: munmap has no safe form. Sound: the rest of what mmap gave, which `self`, the
        // only owner, forgets with the next line.
        unsafe { munmap(self.base.as_ptr().byte_add(kept), self.wish.bytes - kept) }?;
        self.wish.bytes = kept;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: why: munmap has no safe form. Sound: exactly what is left of what mmap gave, and
        // nobody refers to it any more.
        let _ = unsafe { munmap(self.base.as_ptr(), self.wish.bytes) };
    }
}

#[derive(Default)]
struct Slot {
    file: Option<Arc<OwnedFd>>,
    mapping: Option<Arc<Mapping>>,
}

/// All slots of all user actors. A call in progress keeps its descriptor even if another actor
/// closes the slot meanwhile, so nobody waits for a lock while somebody polls.
pub(crate) struct Files {
    slots: Mutex<Vec<Slot>>,
}

impl Default for Files {
    fn default() -> Self {
        let slots = std::iter::repeat_with(Slot::default);
        Self {
            slots: Mutex::new(slots.take(RB_MAX_FILES).collect()),
        }
    }
}

impl Files {
    fn lock(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes every descriptor and takes every mapping away.
    pub(crate) fn close_all(&self) {
        self.lock().fill_with(Slot::default);
    }

    /// Puts a descriptor into an empty slot.
    ///
    /// # Errors
    /// `EBUSY` when the slot holds one, `EBADF` when there is no such slot.
    pub(crate) fn put(&self, slot: u16, file: OwnedFd) -> Result<(), Errno> {
        let mut slots = self.lock();
        let slot = slots.get_mut(usize::from(slot)).ok_or(Errno::BADF)?;
        if slot.file.is_some() {
            return Err(Errno::BUSY);
        }
        slot.file = Some(Arc::new(file));
        Ok(())
    }

    /// The descriptor in a slot.
    ///
    /// # Errors
    /// `EBADF` when there is none.
    pub(crate) fn get(&self, slot: u16) -> Result<Arc<OwnedFd>, Errno> {
        let slots = self.lock();
        let file = slots.get(usize::from(slot)).and_then(|s| s.file.clone());
        file.ok_or(Errno::BADF)
    }

    /// Empties a slot's descriptor; a mapping stays.
    ///
    /// # Errors
    /// `EBADF` when there was none.
    pub(crate) fn close(&self, slot: u16) -> Result<(), Errno> {
        let mut slots = self.lock();
        let file = slots.get_mut(usize::from(slot)).and_then(|s| s.file.take());
        file.map(drop).ok_or(Errno::BADF)
    }

    /// Gives the slot's open file a second descriptor, in the empty slot `to`.
    ///
    /// # Errors
    /// What dup says, and as [`Self::get`] and [`Self::put`].
    pub(crate) fn dup(&self, slot: u16, to: u16) -> Result<(), Errno> {
        let copy = dup(&*self.get(slot)?)?;
        self.put(to, copy)
    }

    /// Maps the slot's file.
    ///
    /// # Errors
    /// What mmap says; `EBUSY` when the slot holds a mapping, `EBADF` when it holds no file.
    pub(crate) fn map(&self, slot: u16, wish: Wish) -> Result<(), Errno> {
        let file = self.get(slot)?;
        let mut slots = self.lock();
        let slot = slots.get_mut(usize::from(slot)).ok_or(Errno::BADF)?;
        if slot.mapping.is_some() {
            return Err(Errno::BUSY);
        }
        slot.mapping = Some(Arc::new(Mapping::new(&file, wish)?));
        Ok(())
    }

    /// Takes all of the slot's mapping away but its first `bytes`.
    ///
    /// # Errors
    /// `EBADF` when there is none, `EBUSY` while another actor copies it, else as munmap.
    pub(crate) fn keep(&self, slot: u16, bytes: u64) -> Result<(), Errno> {
        let mut slots = self.lock();
        let slot = slots.get_mut(usize::from(slot)).ok_or(Errno::BADF)?;
        let mapping = slot.mapping.as_mut().ok_or(Errno::BADF)?;
        Arc::get_mut(mapping).ok_or(Errno::BUSY)?.keep(bytes)
    }

    /// Gives the slot's mapping another length.
    ///
    /// # Errors
    /// `EBADF` when there is none, `EBUSY` while another actor copies it, else as mremap.
    pub(crate) fn remap(&self, slot: u16, bytes: u64) -> Result<(), Errno> {
        let mut slots = self.lock();
        let slot = slots.get_mut(usize::from(slot)).ok_or(Errno::BADF)?;
        let mapping = slot.mapping.as_mut().ok_or(Errno::BADF)?;
        Arc::get_mut(mapping).ok_or(Errno::BUSY)?.remap(bytes)
    }

    /// The slot's mapping.
    ///
    /// # Errors
    /// `EBADF` when there is none.
    pub(crate) fn mapping(&self, slot: u16) -> Result<Arc<Mapping>, Errno> {
        let slots = self.lock();
        let mapping = slots.get(usize::from(slot)).and_then(|s| s.mapping.clone());
        mapping.ok_or(Errno::BADF)
    }

    /// Takes the slot's mapping away.
    ///
    /// # Errors
    /// `EBADF` when there was none.
    pub(crate) fn unmap(&self, slot: u16) -> Result<(), Errno> {
        let mut slots = self.lock();
        let mapping = slots
            .get_mut(usize::from(slot))
            .and_then(|s| s.mapping.take());
        mapping.map(drop).ok_or(Errno::BADF)
    }
}
