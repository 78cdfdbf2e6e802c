//! Memory that must not be touched: reading into it as a program with a wild pointer does, and asking for it.

use std::ffi::c_void;
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

/// Copies memory of our own that a plain load may not be allowed to touch, as far as its permissions let us.
///
/// # Errors
/// `EFAULT` where they do not.
pub(crate) fn copy_politely(base: *mut c_void, bytes: usize) -> Result<Vec<u8>, Errno> {
    let mut copy = vec![0u8; bytes];
    let into = libc::iovec {
        iov_base: copy.as_mut_ptr().cast(),
        iov_len: bytes,
    };
    let from = libc::iovec {
        iov_base: base,
        iov_len: bytes,
    };
    // SAFETY: why: no slice may lie in memory that cannot be touched, so the call takes pointers. Sound: it writes
    // to `bytes` bytes of `copy` alone, and says so where `base` cannot be read.
    let got = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const into, 1, &raw const from, 1, 0)
    };
    let errno = std::io::Error::last_os_error();
    let got =
        usize::try_from(got).map_err(|_| Errno::from_io_error(&errno).unwrap_or(Errno::IO))?;
    copy.truncate(got);
    Ok(copy)
}
