//! Ctrl-C and SIGTERM, turned into an error that unwinds.
//!
//! A machine must be taken down in order: QEMU killed and reaped, evidence closed. So the signals
//! only raise a flag and make a descriptor readable; [`Machine::next_event`](crate::Machine::next_event)
//! waits for that too and returns [`Error::Interrupted`](crate::Error::Interrupted). A second
//! signal ends the process at once; QEMU then dies by its parent-death signal. One that comes right behind the first is
//! the same request: `timeout`, shells and CI runners signal a process and then its group.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

/// The signals that interrupt.
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

#[derive(Debug)]
struct State {
    /// The signal that came, 0 if none.
    signal: Arc<AtomicUsize>,
    /// Readable once a signal has come; never read, so it stays readable for every machine.
    readable: UnixStream,
}

static STATE: OnceLock<State> = OnceLock::new();

/// Signals within this time of the first are the same request.
const SAME_REQUEST: Duration = Duration::from_millis(200);

/// The first request to end, by its time.
#[derive(Debug, Default)]
struct First {
    /// Nanoseconds since some beginning, and one more; 0 if none came.
    at: AtomicU64,
}

impl First {
    /// Whether a signal at this time is a second request. Does nothing that a handler may not do.
    fn is_followed(&self, since_begin: Duration) -> bool {
        let now = u64::try_from(since_begin.as_nanos()).unwrap_or(u64::MAX - 1) + 1;
        let first = self
            .at
            .compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
        first.is_err_and(|first| Duration::from_nanos(now.saturating_sub(first)) > SAME_REQUEST)
    }
}

/// The handlers could not be installed.
#[derive(Debug, thiserror::Error)]
#[error("cannot handle SIGINT, SIGTERM and SIGHUP")]
pub struct SignalError(#[from] io::Error);

/// Handles SIGINT, SIGTERM and SIGHUP from now on. To be called once by a program's `main`;
/// further calls change nothing.
///
/// # Errors
/// The system call's.
pub fn install() -> Result<(), SignalError> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _only_one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if STATE.get().is_some() {
        return Ok(());
    }
    let signal = Arc::new(AtomicUsize::new(0));
    let (first, begun) = (Arc::new(First::default()), Instant::now());
    let (readable, writable) = UnixStream::pair()?;
    for number in SIGNALS {
        let first = Arc::clone(&first);
        let twice = move || {
            if first.is_followed(begun.elapsed()) {
                signal_hook::low_level::exit(128 + number);
            }
        };
        // SAFETY: why at all: whether a signal is the second one must be decided where nothing waits any more. Why
        // sound: the closure reads a clock, changes an atomic number and may call `_exit`.
        unsafe { signal_hook::low_level::register(number, twice)? };
        let value = usize::try_from(number).unwrap_or_default();
        signal_hook::flag::register_usize(number, signal.clone(), value)?;
        signal_hook::low_level::pipe::register(number, writable.try_clone()?)?;
    }
    STATE.get_or_init(|| State { signal, readable });
    Ok(())
}

/// A write beyond a limit on file sizes (`ulimit -f`) becomes an error instead of the end of the process. For this
/// process alone: programs that it starts have the system's default.
pub fn keep_file_limits_from_killing() {
    // Only a signal that cannot be handled would be refused.
    drop(signal_hook::flag::register(SIGXFSZ, Arc::default()));
}

/// The signal that asked this process to end, if one has come since [`install`].
pub fn interrupted() -> Option<i32> {
    let number = STATE.get()?.signal.load(Ordering::SeqCst);
    i32::try_from(number).ok().filter(|&n| n != 0)
}

/// Readable once a signal has come: for whatever else waits in this process. `None` before [`install`].
pub fn readable() -> Option<BorrowedFd<'static>> {
    STATE.get().map(|state| state.readable.as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_right_behind_the_first_is_the_same_request() {
        let first = First::default();
        let begin = Duration::from_secs(5);
        assert!(!first.is_followed(begin));
        assert!(!first.is_followed(begin));
        assert!(!first.is_followed(begin + SAME_REQUEST));
        assert!(first.is_followed(begin + SAME_REQUEST + Duration::from_nanos(1)));
        assert!(first.is_followed(begin + Duration::from_secs(60)));
    }
}
