//! Guest memory of a machine, as `observe` reads it.

use relaybed_vmm::{Error, GuestAddress, GuestRam, Paused};

use relaybed_wire::observe::{OutOfRam, Ram};

/// A machine's RAM, read in place.
pub(super) struct View<'a>(pub(super) &'a GuestRam);

impl Ram for View<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), OutOfRam> {
        let len = into.len() as u64;
        self.0
            .read_exact_at(GuestAddress(address), into)
            .map_err(|_| OutOfRam { address, len })
    }

    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }
}

/// Writes into a stopped machine's memory.
pub(super) fn write(paused: &mut Paused<'_>, address: u64, bytes: &[u8]) -> Result<(), Error> {
    Ok(paused.write_all_at(GuestAddress(address), bytes)?)
}
