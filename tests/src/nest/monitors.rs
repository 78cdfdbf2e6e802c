//! Our own backend and QEMU side by side on one KVM: how much it takes until the guest says its first word.
//!
//! All of them boot the same kernel and initramfs with as many vCPUs and as much RAM, each as it
//! does so by default, and take turns, so that what a busy host does to one it does to all.

use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use relaybed_guest::{Cache, KernelRequest, Silent};
use relaybed_vmm::{Machine, MachineSpec};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::{MountFlags, mount};
use serde_json::{Value, json};

use super::QEMU;

/// vCPUs of every guest.
const VCPUS: u32 = 2;
/// RAM of every guest.
const MEMORY_MIB: u32 = 256;
/// Ours.
pub const OURS: &str = "ours";
/// Machines of QEMU's: what they are called here, their types as `-machine` takes them, and what each needs for
/// a guest like ours: a console and a doorbell. `microvm` makes the console only. By itself it has ACPI and
/// no clock, and on such a machine a stock 6.1 gets no further than `ACPI: Core revision`.
pub const MACHINES: [(&str, &str, &[&str]); 4] = [
    (Q35, Q35, &["-serial", "chardev:bell"]),
    (
        "q35 with qboot",
        Q35,
        &["-serial", "chardev:bell", "-bios", "qboot.rom"],
    ),
    (MICROVM, MICROVM, &["-device", MICROVM_BELL]),
    (
        "microvm,rtc=on,acpi=off",
        "microvm,rtc=on,acpi=off",
        &["-device", MICROVM_BELL],
    ),
];
/// The one that people take.
pub const Q35: &str = "q35";
/// The one of QEMU's that is made for this.
pub const MICROVM: &str = "microvm,rtc=on";
/// Its second serial port.
const MICROVM_BELL: &str = "isa-serial,chardev=bell,iobase=0x2f8,irq=3";
/// What KVM counts of a machine, in debugfs.
pub const COUNTS: [&str; 4] = ["exits", "io_exits", "mmio_exits", "pf_fixed"];
/// Longest time that a boot may take; they take some seconds.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};
/// Where debugfs is.
const DEBUGFS: &str = "/sys/kernel/debug";

/// Says, `rounds` times for each monitor, that it is started, and what it took.
///
/// # Errors
/// One of them did not boot, or there is no KVM.
pub fn compare(rounds: u32) -> Result<(), Box<dyn Error>> {
    mount("debugfs", DEBUGFS, "debugfs", MountFlags::empty(), None)?;
    let guest = relaybed_guest::prepare(&KernelRequest::default(), &Cache::open(None)?, &Silent)?;
    let mut bell = io::stdout().lock();
    for _ in 0..rounds {
        // What is on the way is on the way before the clock runs.
        writeln!(bell, "{OURS}")?;
        let seen = ours(&guest.vmlinux, &guest.initramfs)?;
        writeln!(bell, "{seen}")?;
        for (name, machine, options) in MACHINES {
            writeln!(bell, "{name}")?;
            let seen = qemu(machine, options, &guest.vmlinux, &guest.initramfs)?;
            writeln!(bell, "{seen}")?;
        }
    }
    Ok(())
}

/// Boots on our own backend.
fn ours(kernel: &Path, initramfs: &Path) -> Result<Value, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut spec = MachineSpec::on_kvm(kernel.into(), initramfs.into(), dir.path().into());
    (spec.vcpus, spec.memory_mib) = (VCPUS, MEMORY_MIB);
    let start = Instant::now();
    let mut machine = Machine::boot(spec)?;
    machine.await_boot()?;
    let took = start.elapsed();
    let own = machine.stats().resident_own_bytes.unwrap_or(0) / 1024;
    let mut seen = json!({ "ms": took.as_millis(), "own_kib": own });
    count(std::process::id(), &mut seen)?;
    machine.power_off()?;
    Ok(seen)
}

/// Dies with this value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Boots on a machine of QEMU's.
fn qemu(
    machine: &str,
    options: &[&str],
    kernel: &Path,
    initramfs: &Path,
) -> Result<Value, Box<dyn Error>> {
    let words = fs::read_to_string(QEMU)?;
    let mut words = words.lines();
    let program = words.next().ok_or("no QEMU was put into the nest")?;
    let console = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(program);
    command.args(words).args(["-nodefaults", "-no-user-config"]);
    command.args(["-display", "none", "-accel", "kvm", "-cpu", "host"]);
    command.args(["-machine", machine, "-smp", &VCPUS.to_string()]);
    command.args(["-m", &format!("{MEMORY_MIB}M")]);
    command.arg("-kernel").arg(kernel);
    command.arg("-initrd").arg(initramfs);
    command.args(["-append", relaybed_vmm::cmdline::DEFAULT]);
    command.args(["-serial", &format!("file:{}", console.path().display())]);
    command.args(["-chardev", "stdio,id=bell"]).args(options);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let start = Instant::now();
    let mut child = Killed(command.spawn()?);
    let mut bell = child.0.stdout.take().ok_or("no standard output")?;
    let rang = poll(&mut [PollFd::new(&bell, PollFlags::IN)], Some(&PATIENCE))? == 1;
    let first = if rang { bell.read(&mut [0])? } else { 0 };
    let took = start.elapsed();
    if first == 0 {
        let said = fs::read_to_string(console.path())?;
        let message =
            format!("{machine}: no word of its guest after {took:?}; its console:\n{said}");
        return Err(message.into());
    }
    let pid = child.0.id();
    let mut seen = json!({ "ms": took.as_millis(), "own_kib": own_kib(pid)? });
    count(pid, &mut seen)?;
    Ok(seen)
}

/// Memory of a process in KiB that is neither the guest's RAM, told by its size, nor backed by files.
fn own_kib(pid: u32) -> io::Result<u64> {
    let (mut is_ram, mut own) = (false, 0);
    for line in fs::read_to_string(format!("/proc/{pid}/smaps"))?.lines() {
        let kib = || {
            let word = line.split_ascii_whitespace().nth(1);
            word.and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
        };
        if line.starts_with("Size:") {
            is_ram = kib() >= u64::from(MEMORY_MIB) * 1024;
        } else if line.starts_with("Anonymous:") && !is_ram {
            own += kib();
        }
    }
    Ok(own)
}

/// Adds what KVM itself counted of the machine of process `pid`.
fn count(pid: u32, seen: &mut Value) -> io::Result<()> {
    let machines = fs::read_dir(Path::new(DEBUGFS).join("kvm"))?;
    let paths: Vec<PathBuf> = machines
        .map(|machine| Ok(machine?.path()))
        .collect::<io::Result<_>>()?;
    let of_pid = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{pid}-"))
    };
    let machine = paths
        .iter()
        .find(of_pid)
        .ok_or_else(|| io::Error::other("KVM does not count"))?;
    for name in COUNTS {
        let text = fs::read_to_string(machine.join(name))?;
        seen[name] = text.trim().parse::<u64>().map_err(io::Error::other)?.into();
    }
    Ok(())
}
