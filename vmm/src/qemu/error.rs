//! What can go wrong between us and a QEMU process.

use std::ffi::OsString;
use std::time::Duration;

use super::Version;

/// QEMU could not be started or does not obey.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QemuError {
    /// No program was given.
    #[error("no QEMU program is given (argv0 is empty)")]
    NoProgram,
    /// The program cannot be started.
    #[error(
        "cannot start {program:?}: is it there, and are limits on processes, descriptors and memory far enough \
         (ulimit -a)?"
    )]
    Spawn {
        /// The program.
        program: OsString,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The program is not QEMU.
    #[error("{program:?} does not answer --version as QEMU does (it said {said:?})")]
    NotQemu {
        /// The program.
        program: OsString,
        /// The start of its output.
        said: String,
    },
    /// QEMU is too old.
    #[error("QEMU {version} is too old: {} or newer is needed", Version::OLDEST)]
    TooOld {
        /// The version found.
        version: Version,
    },
    /// QEMU ended before it could be talked to.
    #[error("QEMU ended while starting (status {status:?}, signal {signal:?}): {stderr_tail}")]
    DiedAtStart {
        /// Exit status, if it exited.
        status: Option<i32>,
        /// Signal, if one killed it.
        signal: Option<i32>,
        /// Last lines of what it said.
        stderr_tail: String,
    },
    /// A file, socket or descriptor of the control path failed.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A signal asked this process to end while QEMU was waited for.
    #[error("interrupted by signal {signal}")]
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
    /// An image's path is not text, which QEMU's control protocol wants.
    #[error("the image path {} is not valid UTF-8: choose another folder", path.display())]
    StatePath {
        /// The path.
        path: std::path::PathBuf,
    },
    /// Single vCPUs cannot be controlled.
    #[error("this machine was made without a debugger: set MachineSpec::debug")]
    NoDebugger,
    /// A control command got no answer.
    #[error("QEMU did not answer {command:?} within {limit:?}: kill it and read qemu.log")]
    Silent {
        /// The command.
        command: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// A control command was refused.
    #[error("QEMU refused {command:?}: {reason}")]
    Refused {
        /// The command.
        command: &'static str,
        /// QEMU's words.
        reason: String,
    },
    /// The control socket carried something that is not QMP.
    #[error("QEMU sent a control message that is not QMP: {line:?}")]
    Garbled {
        /// The start of the message.
        line: String,
    },
    /// The connection is gone, as the process is or soon will be.
    #[error("QEMU closed its control socket")]
    Closed,
}
