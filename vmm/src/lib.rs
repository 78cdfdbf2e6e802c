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
//! takes under 1 ms to be confirmed, and so does resuming.
//!
//! # The KVM backend
//!
//! [`Backend::Kvm`] is a machine of our own in this process: RAM, vCPUs, KVM's interrupt controllers
//! and timer, two UARTs, a reset register. From its start to the first doorbell byte, side by side with
//! QEMU 10.0.2 on the same KVM: stock 6.1 as `vmlinux`, the same initramfs, 2 vCPUs, 256 MiB; medians of seven
//! rounds in which they took turns.
//!
//! | | ours | `q35` | `q35`, qboot | `microvm,rtc=on` | and `acpi=off` |
//! |---|---|---|---|---|---|
//! | CPU seconds | 3.30 | 7.32 | 6.45 | 4.29 | 4.02 |
//! | ours to its | | 0.45 | 0.51 | 0.77 | 0.82 |
//! | seconds by the clock | 3.4 | 7.3 | 6.4 | 4.3 | 4.0 |
//! | memory beyond guest RAM and program files, MiB | 2.7 | 14 | 16 | 13 | 10 |
//! | exits, all | 5,800 | 28,500 | 26,500 | 8,000 | 6,700 |
//! | of these port and memory-mapped I/O | 510 | 19,300 | 18,300 | 2,600 | 1,700 |
//! | of these first touches of a page | 46 | 369 | 66 | 301 | 178 |
//!
//! `cargo test -p relaybed-tests --test nest -- --ignored --nocapture side_by_side` prints such a table, and fails
//! where ours is not at most half of `q35` and less than `microvm`. Exits are KVM's own count, which has
//! interrupts, halts and page faults in it; ours (`relaybed doctor --stats`) counts only those that come
//! back to this process. `microvm` makes one serial port, so the doorbell is added by hand; without
//! `rtc=on`, stock 6.1 gets no further there than `ACPI: Core revision`, or with `acpi=off` asks a clock
//! that is not there 40,000 times.
//!
//! A fork of an image there, medians of seven in a calm nest whose CPUs had a thread each, and in which a guest booted in 2.3 s
//! (`relaybed doctor --stats`): a machine is ready after 37 ms, a 63rd of the boot; the first operation of a short scenario begins
//! after 115 ms, a 20th; the scenario is over after 133 ms. Where the nest's CPUs take turns, as now, 39 ms, an 85th, then 275 ms,
//! a 12th, and 306 ms. Between the first two some 700 pages are touched for the first time, each an exit that an emulated
//! CPU takes some 0.1 ms for; they are small pages since files in memory have no large ones by default. Copied whole into
//! large pages, a fork meets 36 first touches, and takes eight times as long, for the copy and since nothing of it is shared
//! with the fork before.
//!
//! Of our 510, the console costs 280 and the doorbell 50, mostly the UART driver's looking; 113 ask
//! ports with nothing behind them; the keyboard controller costs 17, PCI 2. An idle guest costs none. What
//! the command line saves ([`cmdline::KVM`]), each option left out alone:
//!
//! | left out | CPU seconds, median of seven | port I/O more | exits more |
//! |---|---|---|---|
//! | nothing | 3.6 | | |
//! | `acpi=off` | 3.6 | 184 | |
//! | `pci=off` | 4.9 (3.3 to 5.9) | 149 | 780 |
//! | `initcall_blacklist=cmos_init` | 10.5 | 40,100 | 47,500 |
//!
//! The MP table was measured against a minimal set of ACPI tables (RSDP, XSDT, FADT, MADT, an empty
//! DSDT), everything else the same: wherever it was tried it booted as well, and the times show no clear
//! difference (one run each, on another day, with RAM in small pages; for 6.1 with 2 vCPUs medians of three). It is
//! less code, so the table without an interpreter stayed.
//!
//! | CPU seconds, MP table / ACPI | 5.10 | 6.1 | 6.12 | 7.3 |
//! |---|---|---|---|---|
//! | 2 vCPUs | 11.8 / 11.7 | 15.1 / 15.4 | | 15.1 / 19.8 |
//! | 4 vCPUs | 25.2 / 26.6 | 17.2 / 17.2 | 27.2 / 23.4 | 21.6 / 33.0 |
//!
//! With more vCPUs than the nest's two CPUs, one boot each (`cargo test -p relaybed-tests --test nest -- --ignored
//! --nocapture every_vcpu`), all of them online by the guest's own count:
//!
//! | vCPUs | 2 | 8 | 16 | 32 | 64 |
//! |---|---|---|---|---|---|
//! | seconds to ready | 3.7 | 4.5 | 7.0 | 13.9 | 33.8 |
//! | exits into this process | 470 | 494 | 527 | 590 | 719 |
//! | memory beyond guest RAM and program files, MiB | 2.6 | 2.7 | 2.8 | 3.2 | 3.7 |
//!
//! Measured in a nest (QEMU's translator running stock 6.1 with `kvm-amd`), where everything that
//! leaves the guest is slow: only ratios mean anything. CPU seconds are those of the whole nest's process
//! from outside, QEMU's own start in it included; they do not count what a busy host keeps for others, the
//! clock does. `relaybed doctor --stats --backend kvm` prints our side alone, forks among it.

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
