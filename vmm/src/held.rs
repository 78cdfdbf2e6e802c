//! A machine that was handed over to gdb.

use std::net::SocketAddr;

use crate::error::Error;
use crate::machine::Machine;

/// A machine that stands still with a port for gdb, which may look at it, change it and let it run.
///
/// What gdb does is not known, so the machine is of no use to anybody else any more: it can only be ended.
#[derive(Debug)]
pub struct Held<'m> {
    machine: &'m mut Machine,
    address: SocketAddr,
    /// A gdb was connected.
    seen: bool,
}

impl Machine {
    /// Stops the machine and hands it over to gdb.
    ///
    /// # Errors
    /// As [`Self::pause`]; [`Error::Unsupported`] from the KVM backend.
    pub fn hold(&mut self) -> Result<Held<'_>, Error> {
        // Given up at once, but not before the port is open: it must not go on in between.
        let paused = self.pause()?;
        let address = paused.give_to_gdb()?;
        Ok(Held {
            machine: self,
            address,
            seen: false,
        })
    }
}

impl Held<'_> {
    /// Where gdb connects to, on the loopback interface.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a gdb was here and has gone.
    ///
    /// # Errors
    /// [`Error::Qemu`] if the machine is gone.
    pub fn is_left(&mut self) -> Result<bool, Error> {
        let connected = self.machine.vm.is_gdb_attached()?;
        // One that comes and goes between two looks leaves the machine running: nobody else lets it run.
        let left = !connected && (self.seen || self.machine.vm.is_running()?);
        self.seen |= connected;
        Ok(left)
    }
}
