//! The KVM backend: a minimal virtual machine of our own, with nothing else needed than `/dev/kvm`.
//!
//! In comes a checked spec; out come doorbell bytes, the machine's end, and obedience to stop and
//! continue, just as from the QEMU backend. What there is in the machine is said quickly: RAM, one
//! to 64 vCPUs with their local APICs, an I/O APIC, two PICs and a PIT (all of them KVM's own), two
//! 16550s, and the register that resets. No firmware, no PCI, no ACPI, no disk, no net. What is not
//! there reads as all ones and ignores writes, as an empty bus does, and every such access is counted.
//!
//! **Two `unsafe`.** KVM is given the address of guest RAM once, in `vm.rs`, and a fork's floating-point
//! state, whose length KVM knows better than its interface, in `vcpu_state.rs`. Everything else goes through
//! safe interfaces of the `rust-vmm` crates.
//!
//! **Pause.** One thread per vCPU. A vCPU's thread owns its vCPU through a lock that it holds
//! whenever it may be inside `KVM_RUN`; to stop means that every thread has given that lock up
//! (`gate.rs`, `vcpu.rs`).
//!
//! **Control.** The gate can let one vCPU go alone; KVM's guest debug makes it halt itself at what the CPU's
//! debug registers hold (`control.rs`, `points.rs`).
//!
//! **Images.** `state.rs` is all of a stopped machine but its RAM. A fork is a new machine that is put
//! into that state, with RAM that is copied page by page when it is written (`ram_store.rs`).
//!
//! **Power-off.** There is no ACPI, so Linux turns power-off into a halt with interrupts off. A
//! machine all of whose vCPUs halt like this can never run again, and that is what is reported; see
//! [`Exit::PowerOff`](crate::Exit::PowerOff).

mod backend;
mod boot;
mod control;
mod counts;
mod cpuid;
mod error;
mod filter;
mod gate;
mod kernel;
mod lapic;
mod layout;
mod mptable;
mod points;
mod ports;
mod registers;
mod state;
mod vcpu;
mod vcpu_state;
mod vm;
mod wake;

pub(crate) use backend::Kvm;
pub use counts::{ExitCount, ExitCounts};
pub use error::KvmError;
pub(crate) use kernel::check as check_kernel;
pub(crate) use layout::slots;
pub(crate) use state::{State, host};
