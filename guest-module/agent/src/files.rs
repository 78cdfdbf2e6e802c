//! The slots in which user actors keep descriptors and mappings of channel buffer files.

use std::ffi::c_void;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use relaybed_abi::RB_MAX_FILES;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapping of a whole file, taken away on drop.
pub(crate) struct Mapping {
    base: NonNull<c_void>,
    bytes: usize,
}

// SAFETY: why: an actor may copy what another mapped. Sound: the mapping is read only and stays
// until the last owner drops it, whichever thread that is.
unsafe impl Send for Mapping {}
// SAFETY: as for `Send`: reading through a shared reference changes nothing.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: &OwnedFd, bytes: usize) -> Result<Self, Errno> {
        // SAFETY: why: mmap has no safe form. Sound: the kernel chooses an unused place.
        let base = unsafe {
            mmap(
                ptr::null_mut(),
                bytes,
                ProtFlags::READ,
                MapFlags::SHARED,
                file,
                0,
            )
        }?;
        let base = NonNull::new(base).ok_or(Errno::NOMEM)?;
        Ok(Self { base, bytes })
    }

    /// What the mapping shows now. The kernel may write meanwhile, so each byte is read once, by
    /// itself, and the copy is a mixture of moments.
    pub(crate) fn copy(&self) -> Vec<u8> {
        let base = self.base.as_ptr().cast::<u8>();
        (0..self.bytes)
            .map(|i| {
                // SAFETY: why: the mapping is memory that others write. Sound: `i` lies inside it,
                // and a volatile read of one byte is whatever it held at one moment.
                unsafe { base.add(i).read_volatile() }
            })
            .collect()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: why: munmap has no safe form. Sound: exactly what mmap gave, and nobody refers
        // to it any more.
        let _ = unsafe { munmap(self.base.as_ptr(), self.bytes) };
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

    /// Maps the slot's file.
    ///
    /// # Errors
    /// What mmap says; `EBUSY` when the slot holds a mapping, `EBADF` when it holds no file.
    pub(crate) fn map(&self, slot: u16, bytes: u64) -> Result<(), Errno> {
        let file = self.get(slot)?;
        let bytes = usize::try_from(bytes).map_err(|_| Errno::INVAL)?;
        let mut slots = self.lock();
        let slot = slots.get_mut(usize::from(slot)).ok_or(Errno::BADF)?;
        if slot.mapping.is_some() {
            return Err(Errno::BUSY);
        }
        slot.mapping = Some(Arc::new(Mapping::new(&file, bytes)?));
        Ok(())
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
