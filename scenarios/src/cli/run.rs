//! `relaybed run`.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::{PlantKind, RunArgs, Stop, places, say, scenarios};
use crate::run::{Options, SessionError, SuiteEnd, run_all};
use relaybed_abi::Plant;
use relaybed_report::exit::Exit;
use relaybed_report::{Format, Reporter, vcpus_text};

pub(super) fn run(args: &RunArgs) -> Result<SuiteEnd, Stop> {
    super::interruptible()?;
    let mut cases = scenarios::load_without(&args.patterns, &args.exclude)?;
    for loaded in &mut cases {
        loaded.case.seed = args.seed;
    }
    args.machine.check_room(&cases)?;
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
    say_unsaved(&end);
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

/// Says what could not be saved, once the report is out.
pub(super) fn say_unsaved(end: &SuiteEnd) {
    if let Some(unsaved) = &end.unsaved {
        say(&format!("relaybed: {unsaved}\n"));
    }
}

/// The exit code of a run that could not continue.
pub(super) fn stop(error: SessionError) -> Stop {
    match error {
        SessionError::Write(error) if error.kind() == ErrorKind::BrokenPipe => error.into(),
        error => Stop::new(error.exit(), error),
    }
}

fn again(args: &RunArgs) -> String {
    let mut line = args.machine.again();
    line.given("--seed", Some(args.seed).filter(|seed| *seed != 1));
    line.flag("--deterministic", args.deterministic);
    line.given("--known", args.known.as_ref());
    if let Some(kind) = &args.plant {
        line.word("--plant", kind);
    }
    line.line()
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use clap::Parser as _;

    use super::super::{Cli, Command as Wanted};
    use super::{RunArgs, again};

    fn parsed(words: &[&str]) -> RunArgs {
        let words = ["relaybed", "run"].iter().chain(words);
        match Cli::try_parse_from(words).expect("a command line").command {
            Wanted::Run(args) => args,
            _ => panic!("it is run's"),
        }
    }

    /// The words that a shell makes of a line.
    fn words(line: &str) -> Vec<String> {
        let print = format!("printf '%s\\0' {line}");
        let out = Command::new("sh").args(["-c", &print]).output();
        let out = String::from_utf8(out.expect("a shell").stdout).expect("text");
        out.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn a_line_to_paste_asks_for_the_same_run() {
        let nasty = "it's $HOME; `a` \"b\" *";
        let asked = [
            "--kernel",
            nasty,
            "--build-dir",
            nasty,
            "--relay",
            nasty,
            "--relay-header",
            nasty,
            "--relay-as",
            "6.1",
            "--vcpus",
            "3",
            "--memory",
            "300",
            "--backend",
            "qemu",
            "--accel",
            "kvm",
            "--deadline",
            "7",
            "--no-image",
            "--seed",
            "5",
            "--known",
            "K2,K5=fail",
            "--plant",
            "torn",
        ];
        let args = parsed(&asked);
        let words = words(&again(&args));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(format!("{:?}", parsed(&words)), format!("{args:?}"));
        assert_eq!(again(&parsed(&[])), "");
        for option in [
            ["--backend", "kvm"],
            ["--backend", "qemu"],
            ["--accel", "tcg"],
            ["--accel", "kvm"],
        ] {
            assert_eq!(again(&parsed(&option)), format!(" {}", option.join(" ")));
        }
    }
}
