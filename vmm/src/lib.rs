//! Boots a Linux guest whose RAM the host can read in place.
//!
//! In goes a [`MachineSpec`]: an uncompressed kernel, an initramfs, how many vCPUs, how much memory.
//! Out comes a [`Machine`]: a read-only view of RAM, the next event with a deadline by progress, a
//! pause whose guard is the only way to write, and an [`Exit`] that names every way to end. What the
//! guest is for is not known here.
//!
//! Two rules hold everything together. *The host observes*: RAM is mapped `PROT_READ`, and only
//! [`Paused`], which exists only while every vCPU is confirmed stopped, can write. *Nothing is left
//! behind*: RAM is a file without a name, the sockets are pairs without names, and the backend's
//! process dies with the machine, with the process, and with a process that is killed by force.

mod address;
pub mod cmdline;
mod deadline;
mod error;
mod event;
pub mod kernel_file;
mod machine;
mod paused;
pub mod probe;
mod qemu;
mod ram;
pub mod signals;
mod spec;
mod text;

pub use address::{HIGH_RAM_START, LEGACY_HOLE_END, LEGACY_HOLE_START};
pub use deadline::{Deadline, Stall, StallKind};
pub use error::Error;
pub use event::{Event, Exit};
pub use machine::{Machine, Stats};
pub use paused::Paused;
pub use qemu::{QemuError, Version};
pub use ram::{GuestRam, RamError, RamWindow, StillRam};
pub use spec::{
    Accel, CMDLINE_MAX_BYTES, MEMORY_DEFAULT_MIB, MEMORY_MAX_MIB, MEMORY_MIN_MIB, MachineSpec,
    QemuProgram, SpecError, VCPUS_MAX,
};
pub use vm_memory::GuestAddress;
