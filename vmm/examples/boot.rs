//! Boots a kernel, waits for its first doorbell byte, reads and writes its memory, and ends it:
//! `cargo run -p relaybed-vmm --example boot -- VMLINUX INITRAMFS [QEMU…]` (`relaybed doctor` prints files to try).
#![expect(clippy::print_stdout, reason = "it is a command")]

use relaybed_vmm::{Event, GuestAddress, Machine, MachineSpec, QemuProgram, probe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(kernel), Some(initramfs)) = (arguments.next(), arguments.next()) else {
        return Err("give a vmlinux and an initramfs".into());
    };
    let logs = tempfile::tempdir()?;

    // /dev/kvm may exist and be useless: a tiny guest decides.
    let spec = if probe::kvm().usable {
        MachineSpec::on_kvm(kernel.into(), initramfs.into(), logs.path().into())
    } else {
        let mut qemu = QemuProgram::from_path();
        let named: Vec<_> = arguments.collect();
        if !named.is_empty() {
            qemu.argv0 = named;
        }
        MachineSpec::new(kernel.into(), initramfs.into(), qemu, logs.path().into())
    };

    let mut machine = Machine::boot(spec)?;
    match machine.await_boot()? {
        Event::Doorbell(byte) => println!("the guest is up: it wrote {byte:#04x} to ttyS1"),
        Event::Exit(exit) => println!("it ended: {exit}\n{}", machine.console_tail(5)?.join("\n")),
        Event::Deadline(stall) => println!("it hangs: {stall}"),
    }
    if machine.exit().is_none() {
        // Reading needs no pause, writing does: only `Paused` can, and it exists only while every vCPU is stopped.
        let word: u32 = machine.ram().load(GuestAddress(0))?;
        let mut paused = machine.pause()?;
        paused.write_all_at(GuestAddress(0), &word.to_le_bytes())?;
        paused.resume()?;
    }
    println!("end: {}", machine.power_off()?);
    Ok(())
}
