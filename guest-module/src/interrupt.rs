//! The one thing that ends every wait of this crate early: a descriptor that becomes readable.
//!
//! Signals belong to a process, so the source of interruption does too. The program's `main` gives it once;
//! everything that waits here, for a tool, a lock or the next file of a package, looks at it.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

static SOURCE: OnceLock<BorrowedFd<'static>> = OnceLock::new();

/// The work was given up because the process was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl From<Interrupted> for io::Error {
    fn from(interrupted: Interrupted) -> Self {
        // Not of the kind `Interrupted`, upon which readers try again.
        Self::other(interrupted)
    }
}

/// Gives up whatever this crate does once `source` is readable, which it must stay. Only the first call counts.
pub fn interrupt_on(source: BorrowedFd<'static>) {
    let _ = SOURCE.set(source);
}

/// Fails once the process was asked to end. For loops that do not wait.
///
/// # Errors
/// [`Interrupted`], from that moment on.
pub(crate) fn check() -> Result<(), Interrupted> {
    let Some(source) = SOURCE.get() else {
        return Ok(());
    };
    let mut fds = [PollFd::new(source, PollFlags::IN)];
    let now = Timespec::default();
    match poll(&mut fds, Some(&now)) {
        Ok(0) | Err(_) => Ok(()),
        Ok(_) => Err(Interrupted),
    }
}

/// Whether a failure is an [`Interrupted`].
pub(crate) fn is_interrupted(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|cause| cause.is::<Interrupted>())
}

/// A reader that ends with an error once the process was asked to end.
#[derive(Debug)]
pub(crate) struct Reader<R>(pub(crate) R);

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        check()?;
        self.0.read(buffer)
    }
}

/// Waits until `fd` is readable, for at most `limit`; whether it is.
///
/// # Errors
/// The process was asked to end (see [`is_interrupted`]), or the system cannot wait.
pub(crate) fn wait(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    let source = SOURCE.get().copied();
    let until = limit.map(|limit| std::time::Instant::now() + limit);
    loop {
        let mut fds = vec![PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        fds.extend(source.map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN)));
        let left = until.map(|until| until.saturating_duration_since(std::time::Instant::now()));
        let timeout = left.map(Timespec::try_from).transpose();
        let timeout = timeout.map_err(io::Error::other)?;
        match poll(&mut fds, timeout.as_ref()) {
            // A signal: what it means comes by the source.
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        if fds
            .get(1)
            .is_some_and(|source| !source.revents().is_empty())
        {
            return Err(Interrupted.into());
        }
        return Ok(!fds[0].revents().is_empty());
    }
}
