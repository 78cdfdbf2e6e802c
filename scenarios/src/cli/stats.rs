//! `relaybed doctor --stats`: one guest on the chosen backend, and what it costs.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use relaybed_guest::Terminal;
use relaybed_vmm::ExitCounts;

use super::{MachineArgs, Stop, run, scenarios};
use crate::run::{Cause, Plan, ReadyImage, Session};
use relaybed_case::Case;
use relaybed_report::exit::Exit;

/// The scenario that is run: short, and all of its records are known in advance.
const SCENARIO: &str = "hello/hello";
/// How long the guest is left alone.
const IDLE: Duration = Duration::from_secs(1);
/// How many machines are forked from an image.
const FORKS: usize = 7;

/// Boots a guest, leaves it idle, runs a scenario, forks machines of an image, and prints the figures of
/// each phase.
///
/// # Errors
/// When the guest cannot be had, or dies.
pub(super) fn stats(machine: &MachineArgs, out: &mut dyn Write) -> Result<Exit, Stop> {
    super::interruptible()?;
    let cases = scenarios::load(&[SCENARIO.to_owned()])?;
    let plan = machine.plan()?;
    let mut session = Session::boot(&plan, plan.vcpus_at_large()).map_err(run::stop)?;
    let setting = session.setting();
    writeln!(
        out,
        "{:<12} {} on {} {}, {} vCPUs, ready after {:.2} s",
        "guest",
        setting.release,
        setting.backend,
        setting.accel,
        setting.vcpus,
        session.boot_ms() / 1000.0
    )?;
    memory(&session, out)?;
    let at_boot = session.exits();
    exits(out, "start to ready", at_boot.as_ref(), None)?;

    std::thread::sleep(IDLE);
    let idle = session.exits();
    exits(out, "an idle second", idle.as_ref(), at_boot.as_ref())?;

    let mut exit = Exit::Passed;
    for loaded in &cases {
        if let Err(ended) = session.run(&loaded.case, None) {
            writeln!(out, "{:<12} NO: {}", loaded.case.name, ended.cause)?;
            exit = exit.worse(ended.cause.exit());
        }
    }
    let after = session.exits();
    exits(out, SCENARIO, after.as_ref(), idle.as_ref())?;
    if at_boot.is_none() {
        let hint = "QEMU does not count them; --backend kvm does, where KVM works";
        writeln!(out, "{:<12} {hint}", "exits")?;
    }
    let boot_ms = session.boot_ms();
    session.close();
    if let (Exit::Passed, Some(loaded)) = (exit, cases.first()) {
        forks(&plan, &loaded.case, boot_ms, out)?;
    }
    Ok(exit)
}

/// How long a fork took to three places.
struct Fork {
    /// To a stopped machine.
    stands_ms: f64,
    /// To the first operation of the scenario.
    begins_ms: f64,
    /// To the scenario's end.
    ends_ms: f64,
}

/// Forks machines of an image, one after the other, and runs the scenario on each: the shortest time and
/// the median of each place.
fn forks(plan: &Plan, case: &Case, boot_ms: f64, out: &mut dyn Write) -> Result<(), Stop> {
    let vcpus = plan.vcpus_at_large();
    let Some(image) = plan.image(vcpus, &Terminal::new()).map_err(run::stop)? else {
        return Ok(writeln!(out, "{:<12} none with --no-image", "fork")?);
    };
    let mut forks = Vec::new();
    for _ in 0..FORKS {
        forks.push(fork(plan, &image, case)?);
    }
    let mut say = |place: &str, of: fn(&Fork) -> f64| {
        let mut times: Vec<f64> = forks.iter().map(of).collect();
        times.sort_by(f64::total_cmp);
        let (best, median) = (times[0], times[FORKS / 2]);
        let part = boot_ms / median;
        writeln!(
            out,
            "{:<12} {place}: median of {FORKS} {median:.1} ms, best {best:.1} ms: 1/{part:.0} of the boot",
            "fork",
        )
    };
    say("to a stopped machine", |fork| fork.stands_ms)?;
    say("to the first operation", |fork| fork.begins_ms)?;
    Ok(say("to the end of the scenario", |fork| fork.ends_ms)?)
}

/// One fork that runs the scenario.
fn fork(plan: &Plan, image: &ReadyImage, case: &Case) -> Result<Fork, Stop> {
    let stop = |cause: Cause| Stop::new(cause.exit(), cause);
    let begun = Instant::now();
    let mut session = Session::fork(plan, image).map_err(run::stop)?;
    let stands_ms = millis(begun);
    let sent = session.start(case, None).map_err(|e| stop(e.cause))?;
    session.await_first_operation(case).map_err(stop)?;
    let begins_ms = millis(begun);
    session
        .finish(case, sent, None)
        .0
        .map_err(|e| stop(e.cause))?;
    Ok(Fork {
        stands_ms,
        begins_ms,
        ends_ms: millis(begun),
    })
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// What the process that holds the guest takes up beyond the guest's RAM.
fn memory(session: &Session, out: &mut dyn Write) -> io::Result<()> {
    let stats = session.machine_stats();
    let beyond = stats.resident_bytes.zip(stats.resident_ram_bytes);
    let parts = beyond
        .zip(stats.resident_own_bytes)
        .map(|((all, ram), own)| (all.saturating_sub(ram) / 1024, own / 1024));
    let whose = match session.exits() {
        Some(_) => "this command, which contains the machine",
        None => "QEMU",
    };
    match parts {
        Some((kib, own)) => writeln!(
            out,
            "{:<12} {kib} KiB beyond guest RAM, {own} of them not program files ({whose})",
            "memory"
        ),
        None => writeln!(out, "{:<12} unknown: this host does not say", "memory"),
    }
}

/// What was counted in a phase that began with `before`.
fn exits(
    out: &mut dyn Write,
    phase: &str,
    now: Option<&ExitCounts>,
    before: Option<&ExitCounts>,
) -> io::Result<()> {
    let Some(now) = now else { return Ok(()) };
    let counts = before.map_or_else(|| now.clone(), |before| now.since(before));
    writeln!(out, "{:<12} {phase}: {counts}", "exits")
}
