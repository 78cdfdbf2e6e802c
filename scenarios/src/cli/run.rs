//! `relaybed run`.

use std::collections::BTreeSet;

use super::{PlantKind, RunArgs, Stop, places, say, scenarios};
use crate::run::{Options, SessionError, SuiteEnd, run_all};
use clap::ValueEnum as _;
use relaybed_abi::Plant;
use relaybed_report::exit::Exit;
use relaybed_report::{Format, Reporter, vcpus_text};

pub(super) fn run(args: &RunArgs) -> Result<SuiteEnd, Stop> {
    super::interruptible()?;
    let mut cases = scenarios::load(&args.patterns)?;
    for loaded in &mut cases {
        loaded.case.seed = args.seed;
    }
    let out = places::evidence(args.out.as_deref())?;
    let plan = args.machine.plan_as(args.deterministic)?;
    if args.format == Format::Human {
        let machines: BTreeSet<u32> = cases.iter().map(|c| plan.vcpus_for(&c.case)).collect();
        say(&format!(
            "{} scenarios on {} ({}), {} {}, {}, seed {}{}\n",
            cases.len(),
            plan.guest().release,
            plan.kernel_origin(),
            plan.backend(),
            plan.accel(),
            vcpus_text(machines.into_iter()),
            args.seed,
            if args.deterministic {
                ", deterministic"
            } else {
                ""
            },
        ));
    }
    let options = Options {
        fail_fast: args.fail_fast,
        out,
        keep_all: args.out.is_some(),
        plant: args.plant.map(plant),
        again: again(args),
        seed: args.seed,
        repeat: args.repeat,
        deterministic: args.deterministic,
        isolate: args.side.isolate,
        jobs: args.side.jobs,
        known: args.known.clone().unwrap_or_default(),
        hold: args.gdb,
    };
    let mut reporter = Reporter::new(args.format, anstream::stdout().lock(), cases.len())?;
    let end = run_all(&plan, &options, &cases, &mut reporter).map_err(stop)?;
    reporter.end(&end.summary)?;
    if args.plant.is_some() && end.exit == Exit::Passed {
        return Err(Stop::new(Exit::Usage, NothingPlanted));
    }
    Ok(end)
}

/// A defect was to be planted, but no scenario could show it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the defect was not planted: none of the chosen scenarios would show it; choose more of them"
)]
struct NothingPlanted;

/// The exit code of a run that could not continue.
pub(super) fn stop(error: SessionError) -> Stop {
    Stop::new(error.exit(), error)
}

fn again(args: &RunArgs) -> String {
    let mut line = args.machine.again();
    if args.seed != 1 {
        line.push_str(&format!(" --seed {}", args.seed));
    }
    if args.deterministic {
        line.push_str(" --deterministic");
    }
    if let Some(known) = &args.known {
        line.push_str(&format!(" --known {known}"));
    }
    if let Some(name) = args.plant.and_then(|kind| kind.to_possible_value()) {
        line.push_str(&format!(" --plant {}", name.get_name()));
    }
    line
}

pub(super) fn plant(kind: PlantKind) -> Plant {
    match kind {
        PlantKind::Torn => Plant::Torn,
        PlantKind::Lost => Plant::Lost,
        PlantKind::Repeat => Plant::Repeat,
        PlantKind::Reorder => Plant::Reorder,
        PlantKind::Misplace => Plant::Misplace,
        PlantKind::Padding => Plant::Padding,
        PlantKind::Stale => Plant::Stale,
        PlantKind::WrongCpu => Plant::WrongCpu,
    }
}
