//! The kernel command line that every guest gets, and why.

use crate::spec::{Backend, MachineSpec};

/// The arguments that every guest gets.
///
/// - `console=ttyS0 8250.nr_uarts=2`: evidence on the first serial port, the doorbell is the second.
/// - `loglevel=5`: warnings and worse reach the console, so `WARN`, oops, lockdep and stall texts
///   are evidence; the chatter of boot does not (a twentieth of the boot time).
/// - `panic=-1 reboot=panic_warm`: a panic resets at once, and the kernel distinguishes it from every other
///   reset by the warm-boot word in RAM, which the host reads. An oops does *not* panic: the
///   guest continues as production would, the judge sees the taint, and the kernel's buffers after
///   the oops are worth more than a sooner end. A user can add `oops=panic` or `panic_on_warn`.
/// - `nokaslr random.trust_cpu=off`: one boot is like the next, at no cost.
/// - `watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120`: the guest's clock runs on while a busy
///   host does not run its vCPUs, and a soft lock-up or stall text that the host caused would be a
///   false accusation. Hangs are found sooner by the host's deadlines.
/// - `tsc=reliable`: under emulation the clock-source watchdog only ever accuses the host.
pub const DEFAULT: &str = "console=ttyS0 8250.nr_uarts=2 loglevel=5 panic=-1 reboot=panic_warm \
    nokaslr random.trust_cpu=off watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 \
    tsc=reliable";

/// What is added for the KVM backend, whose machines have less in them.
///
/// - `reboot=pci`: a reset is one write to a register; other ways first wait for what is not there.
/// - `acpi=off pci=off`: there are no tables and no bus to look for.
/// - `initcall_blacklist=cmos_init`: there is no CMOS clock, and its driver asks 20,000 times.
pub const KVM: &str = "reboot=pci acpi=off pci=off initcall_blacklist=cmos_init";

/// Arguments that a spec may not set: they decide how the guest's end is reported.
pub(crate) const RESERVED: &[&str] = &["panic=", "reboot="];

/// The whole command line of a spec.
pub(crate) fn kernel_cmdline(spec: &MachineSpec) -> String {
    let backend = match spec.backend {
        Backend::Qemu => "",
        Backend::Kvm => KVM,
    };
    let parts = [DEFAULT, backend, spec.cmdline_extra.trim()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}
