//! QEMU's own sandbox: a filter on system calls, laid on before the guest's first instruction.
//!
//! A guest that breaks out of QEMU's devices is in a process of ours, perhaps root's. With the filter it can start no
//! program, gain no privilege and change no other process.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::child::{self, ChildError};

/// The filter with all that it can deny.
const OPTIONS: [&str; 2] = [
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
];

/// There where the kernel has filters.
const KERNEL: &str = "/proc/sys/kernel/seccomp/actions_avail";

/// Whether the QEMU that `argv0` starts has the filter and this kernel takes it: found by laying it on.
///
/// # Errors
/// The process was asked to end.
pub(super) fn works(argv0: &[OsString]) -> Result<bool, ChildError> {
    let Some((program, arguments)) = argv0.split_first() else {
        return Ok(false);
    };
    let mut command = Command::new(program);
    // A list of CPUs is printed after the filter is on, and is all that is done.
    command.args(arguments).args(OPTIONS).args(["-cpu", "help"]);
    match child::run(&mut command) {
        Ok(_) => Ok(true),
        Err(error @ ChildError::Interrupted(_)) => Err(error),
        Err(error) => {
            tracing::debug!(%error, "no sandbox");
            Ok(false)
        }
    }
}

/// The options for a QEMU whose filter was once found to work, if this kernel has filters too.
pub(super) fn options(worked: bool) -> Vec<OsString> {
    match worked && Path::new(KERNEL).exists() {
        true => OPTIONS.map(OsString::from).to_vec(),
        false => Vec::new(),
    }
}
