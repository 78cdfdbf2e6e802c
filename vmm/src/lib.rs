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
//!
//! # Boot time
//!
//! From starting QEMU 10.0.2 to the first doorbell byte of a static PID 1: Debian's stock 6.1 kernel, 2 vCPUs,
//! 256 MiB, TCG, on an idle 2-core host. The best of three, and ratios to the first line:
//!
//! | changed | seconds | ratio |
//! |---|---|---|
//! | `loglevel=5`, machine `q35`, CPU model `max`, SeaBIOS | 2.24 | 1.00 |
//! | `loglevel=4`, which hides `WARN` | 2.09 | 0.93 |
//! | `quiet` | 2.14 | 0.96 |
//! | the kernel's own log level | 2.21 | 0.99 |
//! | qboot as firmware (with `loglevel=4`) | 2.08 | 0.93 |
//! | machine `pc` instead of `q35` (with `loglevel=4`) | 2.15 | 0.96 |
//! | `mitigations=off` (with `loglevel=4`) | 2.12 | 0.95 |
//! | no HPET (with `loglevel=4`) | 2.20 | 0.98 |
//! | CPU model `Nehalem` / `qemu64` instead of `max` (with `loglevel=4`) | 2.11 / 2.74 | 0.94 / 1.22 |
//!
//! Nearly all of it is the kernel's own work under translation, and differences below a tenth are
//! noise: so the console keeps its warnings, and nothing is set for speed alone. To repeat it,
//! boot a machine whose PID 1 writes to `/dev/ttyS1` and look at [`Stats::first_doorbell`]. A pause
//! takes under 1 ms to be confirmed, so does going on.
//!
//! # The KVM backend
//!
//! [`Backend::Kvm`] is a machine of our own in this process: RAM, vCPUs, KVM's interrupt controllers
//! and timer, two UARTs, a reset register. From the start of [`Machine::boot`] to the first doorbell
//! byte, side by side with QEMU 10.0.2 on the same KVM (`accel=kvm`, `q35`): stock 6.1 as `vmlinux`,
//! the same initramfs, 2 vCPUs, 256 MiB.
//!
//! | | ours | QEMU, qboot | QEMU, SeaBIOS |
//! |---|---|---|---|
//! | seconds, two rounds | 9.0, 14.3 | 25.8, 34.1 | 20.8, 37.5 |
//! | ratio to ours | 1 | 2.9, 2.4 | 2.3, 2.6 |
//! | memory beyond guest RAM | 0.14 MiB | 20 MiB | 16 to 20 MiB |
//! | exits, all | 27,000 | 53,000 | 54,000 |
//! | of these port and memory-mapped I/O | 446 | 18,200 | 19,200 |
//! | of these first touches of a page | 19,000 | 19,200 | 19,500 |
//!
//! Of our 446, the console costs 200 and the doorbell 68, mostly the UART driver's looking; 113 ask
//! ports with nothing behind them; the keyboard controller costs 17, PCI 2. What the command line saves
//! ([`cmdline::KVM`]): without `initcall_blacklist=cmos_init` there are 40,000 exits more, and the
//! same boot took 22 to 25 s. The MP table costs nothing that can be seen; ACPI's interpreter takes
//! 1.0 s of QEMU's boot, the search for PCI devices 4.3 s. 5.10, 6.1, 6.12 and 7.3 boot with it.
//! `-machine microvm` is not compared: in the one try its kernel got as far as the module, but no
//! doorbell byte came within the deadline, and why was not found out.
//!
//! Measured in a nest (QEMU's translator running stock 6.1 with `kvm-amd`), where everything that
//! leaves the guest is slow, on a busy host: only the ratios mean anything. To repeat it, run
//! `examples/boot.rs`, linked statically, in such a nest; it prints our own counts and KVM's.

mod address;
mod backend;
pub mod cmdline;
mod deadline;
mod debugger;
mod error;
mod event;
mod image;
pub mod kernel_file;
mod kvm;
mod machine;
mod paused;
pub mod probe;
mod process;
mod qemu;
mod ram;
pub mod signals;
mod spec;
mod text;

pub use address::{HIGH_RAM_START, LEGACY_HOLE_END, LEGACY_HOLE_START};
pub use deadline::{Deadline, Stall, StallKind};
pub use debugger::{Debugger, Halted};
pub use error::Error;
pub use event::{Event, Exit};
pub use image::{Image, ImageError};
pub use kvm::{ExitCount, ExitCounts, KvmError};
pub use machine::{Machine, Stats};
pub use paused::Paused;
pub use qemu::{QemuError, Registers, Version};
pub use ram::{GuestRam, RamError, RamWindow, StillRam};
pub use spec::{
    Accel, Backend, CMDLINE_MAX_BYTES, Clock, MEMORY_DEFAULT_MIB, MEMORY_MAX_MIB, MEMORY_MIN_MIB,
    MachineSpec, QemuProgram, SpecError, VCPUS_MAX,
};
pub use vm_memory::GuestAddress;
