//! Reading a stopped guest from the host: the mailbox, relay's own structures, and its pages.
//!
//! In comes guest memory through [`Ram`], read-only; out go the values of
//! [`evidence`](relaybed_case::evidence). Nothing here judges. Everything in guest memory is hostile until
//! checked: each address, count and table is compared with RAM, with the ABI's limits and with what
//! the case asked for before anything is read through it or allocated for it, and each refusal is
//! an [`ObserveError`] that names what was seen.
//!
//! A channel buffer's bytes are copied once, a page at a time, from guest page to evidence: nothing
//! is done for each record.

mod buffer;
mod channel;
mod error;
mod fields;
mod layout;
mod mailbox;
mod parts;
mod ram;
#[cfg(test)]
mod tests;
mod told;

pub use buffer::BufferView;
pub use channel::observation;
pub use error::{ObserveError, Where};
pub use fields::{FieldPlace, field_places, field_value};
pub use mailbox::{Handshake, Mailbox};
pub use parts::{Parts, evidence_parts, has_begun, parts};
pub use ram::{OutOfRam, Ram};
pub use told::Told;
