//! `relaybed coverage`.

use std::path::PathBuf;

use clap::Args;
use relaybed_guest::Terminal;

use super::run::stop;
use super::{MachineArgs, SideArgs, Stop, say, scenarios};
use crate::run::{Cover, Options, run_all};
use relaybed_report::exit::Exit;
use relaybed_report::{CaseReport, Listener};
use relaybed_wire::swept::Swept;

/// Arguments of `coverage`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CoverageArgs {
    /// Names, patterns (`*` and `?`) or suites of built-in scenarios, .toml files, or folders of them
    /// [default: all suites].
    patterns: Vec<String>,
    /// Leave these scenarios out: names, patterns or suites; may be given again.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    side: SideArgs,
    /// Seed of the record lengths; the same seed gives the same records.
    #[arg(long, env = "RELAYBED_SEED", default_value_t = 1)]
    seed: u64,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) fn coverage(args: &CoverageArgs) -> Result<Exit, Stop> {
    super::interruptible()?;
    let mut cases = scenarios::load_without(&args.patterns, &args.exclude)?;
    for loaded in &mut cases {
        loaded.case.seed = args.seed;
    }
    args.machine.check_room(&cases)?;
    let set_up = |error| Stop::new(Exit::SetUp, error);
    Cover::possible(&args.machine.wish()?).map_err(set_up)?;
    let mut plan = args.machine.plan()?;
    let cover = Cover::begin(&mut plan, &Terminal::new()).map_err(set_up)?;
    let folder = Swept::temporary()?;
    let options = Options {
        fail_fast: false,
        out: PathBuf::from(folder.path()),
        keep_all: false,
        plant: None,
        again: args.machine.again().line(),
        seed: args.seed,
        repeat: 1,
        deterministic: false,
        isolate: args.side.isolate,
        jobs: args.side.jobs,
        known: Default::default(),
        hold: false,
    };
    let end = run_all(&plan, &options, &cases, &mut Failures).map_err(stop)?;
    let coverage = cover.end(&plan)?;
    let mut out = anstream::stdout().lock();
    if args.json {
        coverage.json(&mut out)?;
    } else {
        coverage.human(&mut out)?;
    }
    Ok(end.exit)
}

/// Names the scenarios that failed: what they executed counts all the same.
struct Failures;

impl Listener for Failures {
    fn case(&mut self, report: CaseReport) -> std::io::Result<()> {
        if relaybed_report::outcome(&report.verdict) == "failed" {
            say(&format!("failed: {}\n", report.name));
        }
        Ok(())
    }
}
