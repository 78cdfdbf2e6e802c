//! What belongs to a buffer and is none of its members: locks, and who waits.

/// A lock that relay's functions take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lock {
    /// That of the file's inode: `relay_file_read()`.
    Inode,
    /// `relay_channels_mutex`: flush, reset and close of a channel that is not global. One for all channels.
    Channels,
}

/// Locks and the wait queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Around {
    /// Somebody holds [`Lock::Inode`].
    pub inode_held: bool,
    /// Somebody holds [`Lock::Channels`].
    pub channels_held: bool,
    /// How many wait in `read_wait`.
    pub waiters: u32,
    /// `wakeup_work` is queued. Whoever plays the interrupt clears it, and the waiters.
    pub is_wake_queued: bool,
}

impl Around {
    /// Whether somebody holds the lock.
    #[must_use]
    pub const fn is_held(&self, lock: Lock) -> bool {
        match lock {
            Lock::Inode => self.inode_held,
            Lock::Channels => self.channels_held,
        }
    }

    pub(crate) const fn set_held(&mut self, lock: Lock, held: bool) {
        match lock {
            Lock::Inode => self.inode_held = held,
            Lock::Channels => self.channels_held = held,
        }
    }
}
