//! The QEMU backend: a QEMU child process whose RAM is our memory file.
//!
//! In comes a checked spec; out come doorbell bytes, the machine's end, and obedience to stop and
//! continue. Nothing here knows what the guest is for.

mod argv;
mod backend;
mod child;
mod confine;
mod control;
mod error;
mod gdb;
mod gdb_port;
mod landlock;
mod lapic;
mod message;
mod stands;
mod version;

pub(crate) use backend::Qemu;
pub use confine::Confinement;
pub use error::QemuError;
pub use version::Version;
