//! `relaybed explore`.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::run::{say_unsaved, stop};
use super::{MachineArgs, Stop, places, say, scenarios, within};
use crate::run::{Explore, Options, Until, Wanted, explore};
use relaybed_case::finding::explain;
use relaybed_case::verdict::Property;
use relaybed_report::exit::Exit;
use relaybed_report::{Format, Reporter};
use relaybed_search::schedule::Kind;
use relaybed_twin::issues;

/// Arguments of `explore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExploreArgs {
    /// Names, patterns (`*` and `?`) or suites of built-in scenarios, .toml files, or folders of them.
    #[arg(required = true, value_name = "SCENARIO")]
    patterns: Vec<String>,
    #[command(flatten)]
    machine: MachineArgs,
    /// How schedules are drawn.
    #[arg(long, value_enum, default_value_t = StrategyArg::Pct)]
    strategy: StrategyArg,
    /// One schedule for each seed from A to B - 1.
    #[arg(long, value_name = "A..B", default_value = "0..1000", value_parser = seeds)]
    seeds: Range<u64>,
    /// Depth of the races that `pct` looks for: how many pairs of accesses must come in a certain order.
    #[arg(long, default_value_t = 3, value_parser = within(1, 100))]
    depth: u32,
    /// Most preemptions of a schedule that `dfs` runs.
    #[arg(long, default_value_t = 2, value_parser = within(0, 60))]
    preemptions: u32,
    /// Try all orders of accesses in the model of relay, and the kernel in each that breaks what relay promises. The
    /// scenario must be small: a few operations of two or three actors on one buffer.
    #[arg(long, conflicts_with_all = ["strategy", "seeds", "depth", "preemptions", "until", "jobs"])]
    in_model: bool,
    /// Most states of the model that one search visits.
    #[arg(long, default_value_t = 5_000_000, value_name = "N", requires = "in_model", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    states: u64,
    /// Count what is found instead of stopping at the first finding.
    #[arg(long, conflicts_with = "until")]
    keep_going: bool,
    /// Look for this: a known issue (`K2`), a code (`R0301`) or a property (`integrity`); count other findings.
    #[arg(long, value_name = "FINDING", value_parser = wanted)]
    until: Option<Wanted>,
    /// Machines side by side; the report is the same for every number. `dfs` takes one
    /// [default: one for each core].
    #[arg(long, value_parser = within(1, 64))]
    jobs: Option<u32>,
    /// Longest time in seconds spent on shrinking a finding; 0 leaves it as it is.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    shrink_for: u64,
    /// Seed of the record lengths; the same seed gives the same records.
    #[arg(long, env = "RELAYBED_SEED", default_value_t = 1)]
    seed: u64,
    /// Folder for the evidence of findings [default: ./relaybed-evidence].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Ways to draw schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyArg {
    /// Random priorities with few changes: finds races of small depth with a known minimum probability.
    Pct,
    /// A random choice at every stop point.
    Random,
    /// All in a fixed order, those with the fewest preemptions first.
    Dfs,
}

/// `A..B`, or `N` for `0..N`.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| {
        let parsed = text.trim().parse::<u64>();
        parsed.map_err(|_| format!("'{text}' is not a number; give seeds as 0..1000"))
    };
    let (first, end) = match text.split_once("..") {
        Some((first, end)) => (number(first)?, number(end)?),
        None => (0, number(text)?),
    };
    if first >= end {
        return Err(format!(
            "{first}..{end} has no seeds: the second number must be larger"
        ));
    }
    Ok(first..end)
}

/// The id of a known issue, the code of a finding, or the name of a property.
fn wanted(text: &str) -> Result<Wanted, String> {
    if issues().iter().any(|issue| issue.id == text) {
        return Ok(Wanted::Known(text.to_owned()));
    }
    if let Some(entry) = text.parse().ok().and_then(explain) {
        return Ok(Wanted::Code(entry.code));
    }
    let mut properties = Property::ALL.iter().copied();
    let property = properties.find(|property| property.name() == text);
    property.map(Wanted::Property).ok_or_else(|| {
        format!(
            "'{text}' is not a known issue (`relaybed known`), a code (`relaybed explain`) or a property"
        )
    })
}

/// `dfs` cannot start in the middle.
#[derive(Debug, thiserror::Error)]
#[error(
    "dfs runs schedules in a fixed order, each derived from those before: --seeds must start at 0"
)]
struct FromTheBeginning;

/// One machine for each core: one vCPU of a machine runs at a time.
fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(1).min(64)
}

pub(super) fn run(args: &ExploreArgs) -> Result<Exit, Stop> {
    super::interruptible()?;
    let kind = match args.strategy {
        StrategyArg::Pct => Kind::Pct { depth: args.depth },
        StrategyArg::Random => Kind::Random,
        StrategyArg::Dfs if args.seeds.start != 0 => {
            return Err(Stop::new(Exit::Usage, FromTheBeginning));
        }
        StrategyArg::Dfs => Kind::Dfs {
            preemptions: args.preemptions,
        },
    };
    let mut cases = scenarios::load(&args.patterns)?;
    for loaded in &mut cases {
        loaded.case.seed = args.seed;
    }
    args.machine.check_room(&cases)?;
    let out = places::evidence(args.out.as_deref())?;
    let plan = args.machine.controlled_plan()?;
    if args.format == Format::Human {
        let what = if args.in_model {
            "all orders in the model".to_owned()
        } else {
            format!("schedules {} to {}", args.seeds.start, args.seeds.end - 1)
        };
        say(&format!(
            "{what} of {} scenarios on {} ({})\n",
            cases.len(),
            plan.guest().release,
            plan.kernel_origin(),
        ));
    }
    let options = Options {
        fail_fast: !args.keep_going,
        out,
        keep_all: false,
        plant: None,
        again: args.machine.again().line(),
        seed: args.seed,
        repeat: 1,
        deterministic: false,
        isolate: None,
        jobs: Some(1),
        known: Default::default(),
        hold: false,
    };
    let wish = Explore {
        kind,
        seeds: args.seeds.clone(),
        until: match (&args.until, args.keep_going) {
            (Some(wanted), _) => Until::First(wanted.clone()),
            (None, true) => Until::Never,
            (None, false) => Until::Any,
        },
        jobs: args.jobs.unwrap_or_else(cores),
        shrink_for: Duration::from_secs(args.shrink_for),
        in_model: args.in_model.then_some(args.states),
    };
    let mut reporter = Reporter::new(args.format, anstream::stdout().lock(), cases.len())?;
    let mut tell = |text: &str| say(&format!("{text}\n"));
    let end = explore(&plan, &options, &wish, &cases, &mut reporter, &mut tell).map_err(stop)?;
    reporter.end(&end.summary)?;
    say_unsaved(&end);
    Ok(end.exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_an_issue_a_code_or_a_property() {
        assert_eq!(wanted("K2"), Ok(Wanted::Known("K2".to_owned())));
        assert_eq!(
            wanted("R0301"),
            Ok(Wanted::Code("R0301".parse().expect("a code")))
        );
        assert_eq!(
            wanted("integrity"),
            Ok(Wanted::Property(Property::Integrity))
        );
        for bad in ["", "K", "K0", "R9999", "R301", "integ"] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seeds_are_a_range_or_a_count() {
        assert_eq!(seeds("3..20"), Ok(3..20));
        assert_eq!(seeds("50"), Ok(0..50));
        for bad in ["", "..", "5..5", "7..3", "a..b", "-1..3", "0"] {
            assert!(seeds(bad).is_err(), "{bad}");
        }
    }
}
