//! Ctrl-C and SIGTERM, turned into an error that unwinds.
//!
//! A machine must be taken down in order: QEMU killed and reaped, evidence closed. So the signals
//! only raise a flag and make a descriptor readable; [`Machine::next_event`](crate::Machine::next_event)
//! waits for that too and returns [`Error::Interrupted`](crate::Error::Interrupted). A second
//! signal ends the process at once; QEMU then dies by its parent-death signal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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
    let raised = Arc::new(AtomicBool::new(false));
    let (readable, writable) = UnixStream::pair()?;
    for number in SIGNALS {
        // Order matters: at the first signal the flag is still down when the shutdown looks at it.
        signal_hook::flag::register_conditional_shutdown(number, 128 + number, raised.clone())?;
        signal_hook::flag::register(number, raised.clone())?;
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
