//! A descriptor that vCPUs' threads ring and the host waits on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::EventfdFlags;

use super::KvmError;

/// Readable from a ring on until it is cleared; any number of rings before are one.
#[derive(Debug)]
pub(super) struct Wake(OwnedFd);

impl Wake {
    /// One that has not been rung.
    pub(super) fn new() -> Result<Self, KvmError> {
        rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map(Self)
            .map_err(KvmError::io("make an event descriptor"))
    }

    /// Makes it readable.
    pub(super) fn ring(&self) {
        // It fails only when 2^64 rings have not been cleared; it is readable then.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    pub(super) fn clear(&self) {
        // It fails only when it has not been rung, which is as good.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
