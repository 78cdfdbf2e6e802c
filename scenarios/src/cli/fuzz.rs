//! `relaybed fuzz`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::run::{plant, say_unsaved, stop};
use super::{MachineArgs, PlantKind, Stop, places, say};
use crate::run::{Fuzz, Options, fuzz};
use relaybed_report::exit::Exit;
use relaybed_report::{Format, Reporter};
use relaybed_search::generate::{self, Family};

/// Arguments of `fuzz`.
#[derive(Clone, Debug, Args)]
pub(crate) struct FuzzArgs {
    #[command(flatten)]
    machine: MachineArgs,
    /// Seed of everything; the same seed gives the same scenarios [default: random, and printed].
    #[arg(long, env = "RELAYBED_SEED", value_parser = clap::value_parser!(u64).range(..=SEED_MAX))]
    seed: Option<u64>,
    /// How many scenarios.
    #[arg(long, default_value_t = 1000)]
    count: u64,
    /// Only scenario number N of the seed.
    #[arg(long, value_name = "N", conflicts_with = "count")]
    only: Option<u64>,
    /// Only one family of scenarios [default: three sequential to one concurrent].
    #[arg(long, value_enum)]
    family: Option<FamilyArg>,
    /// Longest time in seconds spent on shrinking one failure.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    shrink_for: u64,
    /// Folder for the seed and the evidence of failures [default: ./relaybed-evidence].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Stop at the first failure.
    #[arg(long)]
    fail_fast: bool,
    /// Spoil the output on purpose, to see that the judge notices.
    #[arg(long, value_enum, value_name = "KIND")]
    plant: Option<PlantKind>,
}

/// Seeds that a scenario file can express.
const SEED_MAX: u64 = u64::MAX >> 1;

/// Families of generated scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FamilyArg {
    /// Gates leave one order of all operations: every byte is predicted.
    Sequential,
    /// Writers and readers meet: invariants are judged.
    Concurrent,
}

/// The seed could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}, where the seed is kept")]
struct NoSeedFile {
    path: String,
    source: std::io::Error,
}

pub(super) fn run(args: &FuzzArgs) -> Result<Exit, Stop> {
    super::interruptible()?;
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let (first, count) = args.only.map_or((0, args.count), |only| (only, 1));
    let out = places::evidence(args.out.as_deref())?;
    // Before anything else can go wrong.
    let line = format!(
        "relaybed fuzz --seed {seed} --count {count}{}{}",
        args.family
            .map_or_else(String::new, |f| format!(" --family {}", family(f).word())),
        again(args)
    );
    save_seed(&out, seed, &line)?;
    if args.format == Format::Human {
        say(&format!(
            "seed {seed}, generator {}: {line}\n",
            generate::VERSION
        ));
    }
    let plan = args.machine.plan()?;
    if args.format == Format::Human {
        say(&format!(
            "{count} generated scenarios on {} ({}), {} {}, {} vCPUs\n",
            plan.guest().release,
            plan.kernel_origin(),
            plan.backend(),
            plan.accel(),
            plan.vcpus_at_large(),
        ));
    }
    let options = Options {
        fail_fast: args.fail_fast,
        out,
        keep_all: false,
        plant: args.plant.map(plant),
        again: again(args),
        seed,
        repeat: 1,
        deterministic: false,
        isolate: None,
        jobs: Some(1),
        known: Default::default(),
        hold: false,
    };
    let wish = Fuzz {
        seed,
        first,
        count,
        family: args.family.map(family),
        shrink_for: Duration::from_secs(args.shrink_for),
    };
    let total = usize::try_from(count).unwrap_or(usize::MAX);
    let mut reporter = Reporter::new(args.format, anstream::stdout().lock(), total)?.brief();
    let mut tell = |text: &str| say(&format!("{text}\n"));
    let end = fuzz(&plan, &options, &wish, &mut reporter, &mut tell).map_err(stop)?;
    reporter.end(&end.summary)?;
    say_unsaved(&end);
    Ok(end.exit)
}

fn family(arg: FamilyArg) -> Family {
    match arg {
        FamilyArg::Sequential => Family::Sequential,
        FamilyArg::Concurrent => Family::Concurrent,
    }
}

fn again(args: &FuzzArgs) -> String {
    let mut line = args.machine.again();
    if let Some(kind) = &args.plant {
        line.word("--plant", kind);
    }
    line.line()
}

/// A fresh seed, short enough to be typed.
fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}

fn save_seed(out: &Path, seed: u64, line: &str) -> Result<(), Stop> {
    let folder = out.join("fuzz");
    let path = folder.join(format!("{seed}.txt"));
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&path, format!("{line}\n")))
        .map_err(|source| {
            let path = path.display().to_string();
            Stop::new(Exit::SetUp, NoSeedFile { path, source })
        })
}
