//! Reading into memory that must not be touched: what a program with a wild pointer does.

use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// `read()` into pages without permissions.
///
/// # Errors
/// What mmap or the read says; `EFAULT` from a kernel that tells the truth.
pub(crate) fn read_nowhere(file: &OwnedFd, bytes: usize) -> Result<usize, Errno> {
    let room = bytes.max(1);
    // SAFETY: why: mmap has no safe form. Sound: the kernel chooses an unused place.
    let base =
        unsafe { mmap_anonymous(ptr::null_mut(), room, ProtFlags::empty(), MapFlags::PRIVATE) }?;
    // SAFETY: why: no slice may lie in memory that cannot be touched, so the call takes a pointer.
    // Sound: `room` bytes at `base` are ours alone and nothing else is there to be overwritten.
    let got = unsafe { libc::read(file.as_raw_fd(), base, bytes) };
    let errno = std::io::Error::last_os_error();
    // SAFETY: why: munmap has no safe form. Sound: exactly what mmap gave.
    unsafe { munmap(base, room) }?;
    usize::try_from(got).map_err(|_| Errno::from_io_error(&errno).unwrap_or(Errno::IO))
}
