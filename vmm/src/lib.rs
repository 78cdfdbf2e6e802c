//! Boots a Linux guest whose RAM the host can read in place.
//!
//! In goes a [`MachineSpec`]: an uncompressed kernel, an initramfs, how many vCPUs, how much memory.
//! Out comes a [`Machine`]: a read-only view of RAM, the next event with a deadline by progress, a
//! pause whose guard is the only way to write, and an [`Exit`] that names every way to end. What the
//! guest is for is not known here.
//!
//! Two rules hold everything together. *The host observes*: [`GuestRam`] has no way to write (QEMU's is
//! even mapped `PROT_READ`), and only [`Paused`], which exists only while every vCPU is confirmed stopped, can.
//! *Nothing is left behind*: RAM has no name, the sockets are pairs without names, and the backend's
//! process dies with the machine, with the process, and with a process that is killed by force.
//!
//! # Example
//!
//! This is `examples/boot.rs`. It boots a kernel on whatever works here:
#![doc = concat!("```no_run\n", include_str!("../examples/boot.rs"), "\n```")]
//!
//! The question that comes first, answered by a real guest of some instructions:
//!
//! ```
//! let kvm = relaybed_vmm::probe::kvm();
//! println!("KVM can run a stock kernel: {} ({})", kvm.usable, kvm.reason);
//! assert!(!kvm.reason.is_empty());
//! ```
//!
//! Figures of boots, pauses and forks, and how to measure them, are in the README beside this crate.

mod address;
mod backend;
pub mod cmdline;
mod deadline;
mod debugger;
mod error;
mod event;
mod held;
mod image;
pub mod kernel_file;
mod kvm;
mod machine;
mod pages;
mod paused;
pub mod probe;
mod process;
mod qemu;
mod ram;
mod ram_store;
pub mod signals;
mod spec;
#[cfg(test)]
mod test_child;
mod text;

pub use address::{HIGH_RAM_START, LEGACY_HOLE_END, LEGACY_HOLE_START};
pub use deadline::{Deadline, Stall, StallKind};
pub use debugger::{Access, Answer, Debugger, Halted, Interrupts, Registers};
pub use error::Error;
pub use event::{Event, Exit};
pub use held::Held;
pub use image::{Image, ImageError};
pub use kvm::{ExitCount, ExitCounts, KvmError};
pub use machine::{Machine, Stats};
pub use paused::Paused;
pub use qemu::{Confinement, QemuError, Version};
pub use ram::{GuestRam, RamError, RamWindow, StillRam};
pub use spec::{
    Accel, Backend, CMDLINE_MAX_BYTES, Clock, MEMORY_DEFAULT_MIB, MEMORY_MAX_MIB, MEMORY_MIN_MIB,
    MachineSpec, QemuProgram, SpecError, VCPUS_MAX,
};
pub use vm_memory::GuestAddress;
