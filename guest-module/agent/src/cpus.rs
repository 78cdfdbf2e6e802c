//! CPUs that go offline and online, through sysfs as an administrator would do it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, write};

/// The CPUs that may be offline.
#[derive(Default)]
pub(crate) struct Cpus {
    changed: Mutex<BTreeSet<u32>>,
    changes: AtomicU32,
}

impl Cpus {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a CPU online or offline; one that is so already stays so.
    ///
    /// # Errors
    /// What the kernel says; `ENOENT` for a CPU that cannot change.
    pub(crate) fn set(&self, cpu: u32, online: bool) -> Result<(), Errno> {
        // Not held while the kernel is at work: that can wait for other actors.
        self.lock().insert(cpu);
        let result = put(cpu, online);
        self.changes.fetch_add(1, Ordering::AcqRel);
        result
    }

    /// How often a CPU went off or on so far: each time threads may have lost what they were bound to.
    pub(crate) fn changes(&self) -> u32 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether any CPU may be offline.
    pub(crate) fn are_changed(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Brings all of them online again.
    ///
    /// # Errors
    /// What the kernel says of the first that does not come.
    pub(crate) fn restore(&self) -> Result<(), Errno> {
        for cpu in std::mem::take(&mut *self.lock()) {
            put(cpu, true)?;
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}

fn put(cpu: u32, online: bool) -> Result<(), Errno> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/online");
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&file, if online { b"1" } else { b"0" }).map(|_| ())
}
