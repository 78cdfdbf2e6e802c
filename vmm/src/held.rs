//! A machine that was handed over to gdb.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::machine::Machine;

/// A machine that is stopped with a socket for gdb, which may look at it, change it and let it run.
///
/// What gdb does is not known, so the machine is of no use to anybody else any more: it can only be ended.
#[derive(Debug)]
pub struct Held<'m> {
    machine: &'m mut Machine,
    socket: PathBuf,
    /// A gdb was connected.
    seen: bool,
}

impl Machine {
    /// Stops the machine and hands it over to gdb.
    ///
    /// # Errors
    /// As [`Self::pause`]; [`Error::Unsupported`] from the KVM backend.
    pub fn hold(&mut self) -> Result<Held<'_>, Error> {
        // Given up at once, but not before the socket is open: it must not resume in between.
        let paused = self.pause()?;
        let socket = paused.give_to_gdb()?;
        Ok(Held {
            machine: self,
            socket,
            seen: false,
        })
    }
}

impl Held<'_> {
    /// The socket that gdb connects to, in the machine's folder.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether a gdb was here and has gone.
    ///
    /// # Errors
    /// [`Error::Qemu`] if the machine is gone.
    pub fn is_left(&mut self) -> Result<bool, Error> {
        let connected = self.machine.vm.is_gdb_attached()?;
        // One that comes and goes between two looks leaves the machine running: no one else lets it run.
        let left = !connected && (self.seen || self.machine.vm.is_running()?);
        self.seen |= connected;
        Ok(left)
    }
}
