//! The nest: a machine under emulation whose stock kernel has a KVM of its own, in which our own
//! backend runs real guests. This is how that backend is tested on hosts whose KVM cannot.
//!
//! The machine outside is one of the QEMU backend. Its initramfs holds [`init`](mod@init), which is
//! PID 1 and also the command under test, the kernel's KVM modules, and the part of the cache that
//! makes the guest inside. What the command inside says comes out byte by byte through the doorbell.

pub mod comparison;
mod emulator;
mod guest_qemu;
pub mod init;
mod initramfs;
pub mod monitors;
mod outside;
pub mod parity;

pub use outside::{Inside, Job, NestError, run};

/// Where the cache lies in the nest.
const CACHE: &str = "/cache";
/// Where the modules lie in the nest.
const MODULES: &str = "/modules";
/// The program that is run in the nest, if it is not the one that is PID 1.
const PROGRAM: &str = "/program";
/// How to run the QEMU in the nest: its command line up to the machine, one word a line.
const QEMU: &str = "/qemu/argv";
/// The arguments of the command inside, one a line.
const ARGUMENTS: &str = "/arguments";
/// Where the command inside keeps its evidence.
const EVIDENCE: &str = "/evidence";
/// What ends what the nest says: the byte that no text of ours has, then the exit code.
const END: u8 = 0x04;
