//! Ends whatever a tool has started, when we cannot: a process that does nothing but wait for our end.
//!
//! The parent-death signal reaches a tool, but not what the tool has started: apt's methods, a compiler below make.
//! A process that is killed by force cannot end those itself. So each tool is forked together with a guardian, which reads
//! from a pipe that only we can write. A byte dismisses it; the pipe's end without a byte means that we are gone, and
//! then it kills the tool's process group.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The right to dismiss a guardian. Dropped, it does so.
#[derive(Debug)]
pub(crate) struct Guardian {
    dismissal: PipeWriter,
}

impl Guardian {
    /// Gives `command` a guardian. It must lead a process group of its own, and nothing that forks may be added later.
    ///
    /// # Errors
    /// There is no pipe to be had.
    pub(crate) fn of(command: &mut Command) -> io::Result<Self> {
        let (news, dismissal) = io::pipe()?;
        let post = move || post(&news);
        // SAFETY: why at all: the guardian must exist before the tool can start anything, so it is forked between
        // fork and exec. Why sound: the closure makes system calls on numbers and neither allocates nor locks.
        unsafe { command.pre_exec(post) };
        Ok(Self { dismissal })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // If the guardian is gone, there is nothing to dismiss.
        let _ = self.dismissal.write_all(b"d");
    }
}

/// Forks the guardian, in the child that will be the tool. Init adopts and reaps it.
fn post(news: &PipeReader) -> io::Result<()> {
    // SAFETY: why at all: this child becomes the tool, so another must be made. Why sound: it has one thread, and both
    // of its children only make system calls and never return from here.
    unsafe {
        let group = libc::getpid();
        let between = libc::fork();
        if between == 0 {
            if libc::fork() == 0 {
                guard(news.as_raw_fd(), group);
            }
            libc::_exit(0);
        }
        if between < 0 {
            return Err(io::Error::last_os_error());
        }
        while libc::waitpid(between, std::ptr::null_mut(), 0) < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The guardian's life.
///
/// # Safety
/// For a process that has just been forked, since it closes whatever others may believe open.
unsafe fn guard(news: RawFd, group: libc::pid_t) -> ! {
    // SAFETY: why at all: see the module. Why sound: system calls on numbers and on one byte of our stack. The group
    // is the tool's or, in the moment between its end and the dismissal, unused: the kernel reuses numbers late.
    unsafe {
        libc::setsid();
        close_all_but(news);
        let mut byte = 0_u8;
        loop {
            match libc::read(news, (&raw mut byte).cast(), 1) {
                0 => {
                    libc::kill(-group, libc::SIGKILL);
                    break;
                }
                got if got < 0 && *libc::__errno_location() == libc::EINTR => {}
                _ => break,
            }
        }
        libc::_exit(0)
    }
}

/// Closes every descriptor but one, above all the pipe's other end.
///
/// # Safety
/// As [`guard`].
unsafe fn close_all_but(kept: RawFd) {
    let number = kept.unsigned_abs();
    // SAFETY: why at all: inherited descriptors would keep pipes and locks alive. Why sound: this process uses only
    // the one that is kept.
    unsafe {
        let below = number == 0 || libc::close_range(0, number - 1, 0) == 0;
        if below && libc::close_range(number + 1, libc::c_uint::MAX, 0) == 0 {
            return;
        }
        // Kernels before 5.9, or a filter that does not know the call.
        for fd in (0..4096).filter(|fd| *fd != kept) {
            libc::close(fd);
        }
    }
}
