//! From a case to the bytes of a request.
//!
//! In comes a [`Case`](relaybed_case::Case), out goes a [`Program`]: what has to be written into the
//! mailbox's request, operation and blob sections while the machine is stopped. Pure: whoever holds
//! the machine writes the bytes. Every limit of the ABI is checked here, so that a request that
//! compiled is refused by the module only if module and host disagree about the ABI.

mod calls;
mod compile;
mod error;
mod ops;
mod symbols;
#[cfg(test)]
mod tests;
mod transfer;

pub use compile::alloc_size;
pub use compile::{Checkpoint, Program, compile, power_off};
pub use error::ProgramError;
pub use symbols::{rest, symbols};
pub use transfer::{lengths, records_max, transfer};
