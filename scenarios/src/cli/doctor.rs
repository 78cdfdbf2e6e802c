//! `relaybed doctor`: what was found, what would be used, and why.

use std::io::Write as _;

use relaybed_guest::{Cache, Qemu, Terminal};
use relaybed_vmm::{Confinement, signals};

use super::{MachineArgs, Stop};
use crate::run::{BackendWish, Session, choose};
use relaybed_report::exit::Exit;
use relaybed_vmm::probe::Choice;

pub(super) fn doctor(machine: &MachineArgs, stats: bool) -> Result<Exit, Stop> {
    super::interruptible()?;
    let wish = machine.wish()?;
    let mut out = anstream::stdout().lock();
    let mut exit = Exit::Passed;
    let mut problem = |out: &mut dyn std::io::Write,
                       what: &str,
                       error: &dyn std::error::Error|
     -> Result<(), Stop> {
        if signals::interrupted().is_some() {
            return Err(Stop::said(Exit::Interrupted));
        }
        exit = Exit::SetUp;
        Ok(writeln!(out, "{what:<12} NO: {}", chain(error))?)
    };
    match choose(&wish) {
        Ok(choice) => accelerator(&choice, &mut out)?,
        Err(error) => problem(&mut out, "accelerator", &error)?,
    }
    let cache = match Cache::open(None) {
        Ok(cache) => cache,
        Err(error) => {
            problem(&mut out, "cache", &error)?;
            return Ok(exit);
        }
    };
    writeln!(out, "{:<12} {}", "cache", cache.root().display())?;
    let progress = Terminal::new();
    if wish.backend != BackendWish::Kvm {
        match relaybed_guest::qemu(&cache, &progress) {
            // Found is not enough: what is listed as fine has run.
            Ok(qemu) => match qemu.try_out() {
                Ok(()) => list_qemu(&qemu, &mut out)?,
                Err(error) => problem(&mut out, "QEMU", &error)?,
            },
            Err(error) => problem(&mut out, "QEMU", &error)?,
        }
    }
    let options = relaybed_guest::Options {
        relay: wish.relay.clone(),
        ..relaybed_guest::Options::default()
    };
    match relaybed_guest::prepare_with(&wish.kernel, &cache, &progress, &options) {
        Ok(guest) => {
            let package = guest.package.map_or_else(
                || wish.kernel.to_string(),
                |package| format!("{} {}", package.name, package.version),
            );
            writeln!(out, "{:<12} {} ({package})", "kernel", guest.release)?;
            if let Some(relay) = &guest.relay {
                writeln!(out, "{:<12} {relay}", "relay")?;
            }
            writeln!(out, "{:<12} {}", "vmlinux", guest.vmlinux.display())?;
            writeln!(out, "{:<12} {}", "initramfs", guest.initramfs.display())?;
        }
        Err(error) => problem(&mut out, "kernel", &error)?,
    }
    if exit != Exit::Passed {
        return Ok(exit);
    }
    if stats {
        return super::stats::stats(machine, &mut out);
    }
    boot(machine, &mut out)
}

/// A QEMU that runs, and what it is denied.
fn list_qemu(qemu: &Qemu, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    writeln!(out, "{:<12} {} ({})", "QEMU", qemu.version, qemu.origin)?;
    let sandbox = match qemu.sandbox.is_empty() {
        false => "QEMU runs with its system call filter, all denials on",
        true => "NONE: this QEMU or this host's kernel has no system call filter",
    };
    writeln!(out, "{:<12} {sandbox}", "sandbox")?;
    let confinement = Confinement::here();
    writeln!(
        out,
        "{:<12} {}",
        "confined",
        confinement.applied().join(", ")
    )?;
    for missing in confinement.missing() {
        writeln!(out, "{:<12} NOT: {missing}", "confined")?;
    }
    Ok(())
}

/// What runs the guest's instructions, and why.
fn accelerator(choice: &Choice, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    if let Some(probe) = &choice.probe {
        let word = if probe.usable { "usable" } else { "not usable" };
        let ms = probe.elapsed.as_secs_f64() * 1000.0;
        writeln!(
            out,
            "{:<12} {word}: {} (probed in {ms:.0} ms)",
            "KVM", probe.reason
        )?;
    }
    writeln!(
        out,
        "{:<12} {:?}: {}",
        "accelerator", choice.accel, choice.reason
    )
}

/// Boots the kernel on the machine that runs would take.
fn boot(machine: &MachineArgs, out: &mut dyn std::io::Write) -> Result<Exit, Stop> {
    let plan = machine.plan()?;
    match Session::boot(&plan, plan.vcpus_at_large()) {
        Ok(session) => {
            let (setting, ready_s) = (session.setting(), session.boot_ms() / 1000.0);
            writeln!(
                out,
                "{:<12} {} on {} {}, {} vCPUs, ready after {ready_s:.2} s",
                "boots", setting.release, setting.backend, setting.accel, setting.vcpus
            )?;
            session.close();
            Ok(Exit::Passed)
        }
        Err(error) => {
            if signals::interrupted().is_none() {
                writeln!(out, "{:<12} NO: {}", "boots", chain(&error))?;
            }
            Err(super::run::stop(error))
        }
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!("; {cause}"));
        source = cause.source();
    }
    text
}
