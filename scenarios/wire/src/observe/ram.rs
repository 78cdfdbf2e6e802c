//! Guest memory as this room needs it: bytes at addresses, nothing else.

use zerocopy::{FromBytes, IntoBytes};

use super::{ObserveError, Where};

/// Read access to guest-physical memory. The machine must be stopped while evidence is taken.
pub trait Ram {
    /// Copies `into.len()` bytes from guest-physical `address` on.
    ///
    /// # Errors
    /// [`OutOfRam`] where any byte of the range is not in RAM.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), OutOfRam>;

    /// Bytes of RAM, for messages and bounds.
    fn size_bytes(&self) -> u64;
}

/// A range that is not wholly in guest RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("guest-physical range {address:#x}+{len:#x} is not inside the guest's RAM")]
pub struct OutOfRam {
    /// First address.
    pub address: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Reads one structure of the ABI.
pub(super) fn get<T: FromBytes + IntoBytes>(
    ram: &dyn Ram,
    address: u64,
    what: &'static str,
    at: Where,
) -> Result<T, ObserveError> {
    let mut value = T::new_zeroed();
    fill(ram, address, value.as_mut_bytes(), what, at)?;
    Ok(value)
}

/// Reads `count` of them, which the caller has bounded.
pub(super) fn get_many<T: FromBytes + IntoBytes + Clone>(
    ram: &dyn Ram,
    address: u64,
    count: usize,
    what: &'static str,
    at: Where,
) -> Result<Vec<T>, ObserveError>
where
    [T]: IntoBytes + FromBytes,
{
    let mut values = vec![T::new_zeroed(); count];
    fill(ram, address, values.as_mut_slice().as_mut_bytes(), what, at)?;
    Ok(values)
}

/// Reads bytes.
pub(super) fn fill(
    ram: &dyn Ram,
    address: u64,
    into: &mut [u8],
    what: &'static str,
    at: Where,
) -> Result<(), ObserveError> {
    let out_of_ram = |source| ObserveError::OutOfRam {
        what,
        at,
        ram_bytes: ram.size_bytes(),
        source,
    };
    ram.read(address, into).map_err(out_of_ram)
}

/// Refuses an address that cannot be that of a structure with members of this alignment.
pub(super) fn aligned(
    address: u64,
    alignment: u64,
    what: &'static str,
    at: Where,
) -> Result<(), ObserveError> {
    if !address.is_multiple_of(alignment) {
        return Err(ObserveError::Misaligned {
            what,
            at,
            address,
            alignment,
        });
    }
    Ok(())
}
