//! Boots a guest up to its first doorbell byte and prints the figures:
//!
//! ```text
//! boot kvm              -- KERNEL INITRAMFS VCPUS FOLDER [EXTRA-KERNEL-ARGUMENTS...]
//! boot qemu ARGV0...    -- KERNEL INITRAMFS VCPUS FOLDER [EXTRA-KERNEL-ARGUMENTS...]
//! boot command WORDS... -- KERNEL INITRAMFS VCPUS FOLDER [EXTRA-KERNEL-ARGUMENTS...]
//! ```
//!
//! With `qemu`, the accelerator is KVM too: this is how the two backends are compared. With
//! `command`, any other virtual machine monitor is started as the words say, in which `@KERNEL`,
//! `@INITRAMFS`, `@VCPUS` and `@CMDLINE` are filled in; what its guest writes to the doorbell's port
//! must come out of its standard output.

use std::io::Read;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use relaybed_vmm::{Accel, Deadline, Event, Machine, MachineSpec, QemuProgram};

fn spec(arguments: &[String]) -> Option<MachineSpec> {
    let (backend, rest) = arguments.split_first()?;
    let split = rest.iter().position(|argument| argument == "--")?;
    let [kernel, initramfs, vcpus, dir, extra @ ..] = rest.get(split + 1..)? else {
        return None;
    };
    let (kernel, initramfs, dir) = (kernel.into(), initramfs.into(), dir.into());
    let mut spec = if backend == "kvm" {
        MachineSpec::on_kvm(kernel, initramfs, dir)
    } else {
        let argv0 = rest.get(..split)?.iter().map(Into::into).collect();
        let program = QemuProgram {
            argv0,
            data_dir: None,
        };
        MachineSpec::new(kernel, initramfs, program, dir)
    };
    spec.accel = Accel::Kvm;
    spec.vcpus = vcpus.parse().ok()?;
    spec.cmdline_extra = extra.join(" ");
    Some(spec)
}

/// What KVM counts of the machines of process `pid`, where debugfs is mounted.
fn kernel_counts(pid: u32) -> String {
    let names = [
        "exits",
        "io_exits",
        "mmio_exits",
        "halt_exits",
        "irq_exits",
        "pf_fixed",
    ];
    let machines = std::fs::read_dir("/sys/kernel/debug/kvm")
        .into_iter()
        .flatten()
        .flatten();
    let of_pid = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(&format!("{pid}-"));
    let mut counts = String::new();
    for machine in machines.filter(|machine| of_pid(&machine.file_name())) {
        for name in names {
            let count = std::fs::read_to_string(machine.path().join(name)).unwrap_or_default();
            counts.push_str(&format!("{name} {} ", count.trim()));
        }
    }
    counts
}

#[expect(clippy::print_stdout, reason = "printing is what this example is for")]
fn run(spec: MachineSpec) -> Result<(), relaybed_vmm::Error> {
    let mut machine = Machine::boot(spec)?;
    let mut event = machine.await_boot()?;
    let stats = machine.stats();
    println!("first event {event:?} after {:?}", stats.first_doorbell);
    if let Some(own) = stats.resident_own_bytes {
        println!(
            "memory beyond guest RAM and program files: {} KiB",
            own / 1024
        );
    }
    if let Some(counts) = machine.exit_counts() {
        println!("{counts}");
    }
    println!("KVM's own counts: {}", kernel_counts(stats.pid));
    for _ in 0..3 {
        if machine.exit().is_none() {
            let paused = machine.pause()?;
            println!("paused; {} MiB of RAM", paused.ram().size_bytes() >> 20);
            paused.resume()?;
        }
    }
    while let Event::Doorbell(_) = event {
        event = machine.next_event(Deadline::stall(Duration::from_secs(2)))?;
    }
    println!("last event {event:?}");
    println!("end {}", machine.power_off()?);
    for line in machine.console_tail(40)? {
        println!("| {line}");
    }
    Ok(())
}

/// Starts another monitor and waits for the first doorbell byte.
#[expect(clippy::print_stdout, reason = "printing is what this example is for")]
fn run_command(words: &[String], places: &[String]) -> std::io::Result<()> {
    let [kernel, initramfs, vcpus, _, extra @ ..] = places else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let cmdline = [&[relaybed_vmm::cmdline::DEFAULT.to_owned()], extra]
        .concat()
        .join(" ");
    let words = words.iter().map(|word| {
        let word = word.replace("@KERNEL", kernel);
        let word = word.replace("@INITRAMFS", initramfs);
        word.replace("@VCPUS", vcpus).replace("@CMDLINE", &cmdline)
    });
    let words: Vec<String> = words.collect();
    let Some((program, arguments)) = words.split_first() else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut byte = [0];
    let read = child.stdout.take().map(|mut bell| bell.read(&mut byte));
    println!(
        "first event {byte:?} ({read:?}) after {:?}",
        start.elapsed()
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok())
    };
    if let (Some(all), Some(shared)) = (kib("VmRSS:"), kib("RssShmem:")) {
        println!("memory beyond guest RAM: {} KiB", all - shared);
    }
    println!("KVM's own counts: {}", kernel_counts(child.id()));
    child.kill()?;
    child.wait().map(drop)
}

#[expect(clippy::print_stderr, reason = "printing is what this example is for")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, rest @ ..] = arguments.as_slice()
        && command == "command"
        && let Some(split) = rest.iter().position(|argument| argument == "--")
    {
        let (words, places) = rest.split_at(split);
        return match run_command(words, places.get(1..).unwrap_or_default()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let Some(spec) = spec(&arguments) else {
        eprintln!(
            "usage: boot (kvm | qemu ARGV0... | command WORDS...) -- KERNEL INITRAMFS VCPUS FOLDER [EXTRA...]"
        );
        return ExitCode::from(2);
    };
    match run(spec) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut chain: &dyn std::error::Error = &error;
            eprintln!("error: {chain}");
            while let Some(source) = chain.source() {
                eprintln!("  {source}");
                chain = source;
            }
            ExitCode::FAILURE
        }
    }
}
