//! `relaybed mutate`.

mod chosen;
mod kept;
mod pace;
mod queue;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;
use relaybed_guest::{
    Cache, RelayError, RelayFiles, RelayFrom, RelayRequest, Terminal, relay_files,
};
use relaybed_mutants::{Mutant, NoSource, Operator, Shard, Source, spread};
use relaybed_report::exit::Exit;
use relaybed_report::mutation::{MutantOutcome, MutantRow, Mutation};

use super::run::stop;
use super::{MachineArgs, Stop, say, scenarios};
use crate::run::mutate::{Campaign, History, Stock, Trials};
use crate::run::{Plan, SessionError, Wish};
use kept::Kept;
use pace::Pace;
use queue::{LAG, Queue};

/// A function that every relay.c defines.
const RELAY_OPEN: &str = "relay_open";

/// A function that every relay.h defines.
const RELAY_WRITE: &str = "relay_write";

/// Where results are kept when no folder is named.
const DEFAULT_OUT: &str = "relaybed-mutants";

/// Default deadline in seconds: many mutants hang, and each hang costs this much.
const DEADLINE_S: u64 = 3;

/// Longest wait for a guest altogether, in deadlines.
const PATIENCE: u32 = 10;

/// The longest time in seconds that a machine may be idle unless the user says otherwise, as in [`MachineArgs`].
const DEADLINE_OF_RUN_S: u64 = 15;

/// Arguments of `mutate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct MutateArgs {
    /// The scenarios that must notice: names, patterns (`*` and `?`) or suites of built-in ones, .toml files, or
    /// folders of them [default: all suites].
    patterns: Vec<String>,
    #[command(flatten)]
    machine: MachineArgs,
    /// Keep results in this folder; mutants with a result there are not tried again.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT)]
    out: PathBuf,
    /// Mutants of the functions that relay.h inlines into its clients, in place of those of relay.c.
    #[arg(long)]
    inlined: bool,
    /// Only mutants of these kinds, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "OPERATOR")]
    operator: Vec<Operator>,
    /// Only mutants of these functions, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    function: Vec<String>,
    /// Only these mutants, by their names, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    id: Vec<String>,
    /// Only mutants on lines that this unified diff adds or changes.
    #[arg(long, value_name = "FILE")]
    in_diff: Option<PathBuf>,
    /// At most N mutants, a sample spread over all functions, drawn by the seed.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only part I of N of the mutants, as in 1/2.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// List the mutants without trying them.
    #[arg(long)]
    list: bool,
    /// Try mutants with these results again, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "OUTCOME", value_parser = MutantOutcome::NAMES)]
    again: Vec<String>,
    /// Try N mutants side by side, each in a guest of its own. The results are the same for every number. With
    /// more than half as many as there are cores, guests slow each other down.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=LAG as u64))]
    jobs: u64,
    /// Longest time in seconds that one mutant may take in the suites, in drawn scenarios, and in schedules.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    bound: u64,
    /// After the suites, run N drawn scenarios.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fuzz: u64,
    /// After suites and drawn scenarios, run N schedules of each of the scenarios that race (`fixtures/explore`).
    #[arg(long, value_name = "N", default_value_t = 0)]
    explore: u64,
    /// Seed of the sample and of record lengths.
    #[arg(long, env = "RELAYBED_SEED", default_value_t = 1)]
    seed: u64,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// What keeps mutants from being made.
#[derive(Debug, thiserror::Error)]
#[error("no mutants can be made from {origin}")]
struct NoMutants {
    origin: String,
    #[source]
    why: NoSource,
}

pub(super) fn mutate(args: &MutateArgs) -> Result<Exit, Stop> {
    super::interruptible()?;
    let cases = scenarios::load(&args.patterns)?;
    let changed = chosen::changed(args)?;
    let kept = match args.list {
        true => None,
        false => Some(Kept::open(&args.out).map_err(|error| Stop::new(Exit::SetUp, error))?),
    };
    let cache = Cache::open(None).map_err(|error| Stop::new(Exit::SetUp, error))?;
    let wish = wish(args)?;
    let mut plan = None;
    // A file that is not a relay.c is refused before a compiler is asked.
    let files = match &wish.relay {
        Some(request) if request.from != RelayFrom::Kernel => {
            let files = relay_files(request, &cache, &Terminal::new());
            Some(files.map_err(|error| Stop::new(Exit::SetUp, error))?)
        }
        _ => plan
            .insert(make(&wish, &cache)?)
            .guest()
            .relay_files
            .clone(),
    };
    let mutated = Mutated::of(files, args.inlined)?;
    let source = &mutated.source;
    let all = source.mutants();
    let made = all.len();
    let mutants = chosen::of(args, changed.as_ref(), all)?;
    let Some(kept) = kept else {
        return list(source, &mutants, args.json);
    };
    let plan = match plan {
        Some(plan) => plan,
        None => make(&wish, &cache)?,
    };
    let trials = Trials {
        wish,
        inlined: args.inlined,
        cases,
        bound: Duration::from_secs(args.bound),
        fuzz: args.fuzz,
        seed: args.seed,
        races: scenarios::races(),
        explore: args.explore,
    };
    let mut work = Work {
        args,
        mutated: &mutated,
        trials: &trials,
        plan: &plan,
        kept,
    };
    let rows = work.all(&mutants)?;
    let mutation = Mutation {
        origin: mutated.origin.clone(),
        kernel: plan.guest().release.clone(),
        made,
        chosen: mutants.len(),
        rows,
    };
    let mut out = anstream::stdout().lock();
    if args.json {
        mutation.json(&mut out)?;
    } else {
        mutation.human(&mut out)?;
    }
    let counts = mutation.counts();
    Ok(match (counts.trouble, counts.survived + counts.timed_out) {
        (0, 0) => Exit::Passed,
        (0, _) => Exit::Failed,
        _ => Exit::SetUp,
    })
}

/// The relay of the kernel's own source package.
fn of_kernel() -> RelayRequest {
    RelayRequest {
        from: RelayFrom::Kernel,
        header: None,
        version: None,
        changed: None,
    }
}

fn wish(args: &MutateArgs) -> Result<Wish, Stop> {
    let mut wish = args.machine.wish()?;
    if args.machine.deadline == DEADLINE_OF_RUN_S {
        wish.deadline = Duration::from_secs(DEADLINE_S);
    }
    // A guest that is broken may print for ever.
    wish.patience = PATIENCE;
    // A machine that is used once is not worth an image.
    wish.images = false;
    wish.relay.get_or_insert_with(of_kernel);
    Ok(wish)
}

fn make(wish: &Wish, cache: &Cache) -> Result<Plan, Stop> {
    Plan::make(wish.clone(), cache, &Terminal::new()).map_err(|error| Stop::new(Exit::SetUp, error))
}

/// The file that mutants are made of.
struct Mutated {
    source: Source,
    origin: String,
    sha256: String,
}

impl Mutated {
    fn of(files: Option<RelayFiles>, inlined: bool) -> Result<Self, Stop> {
        let set_up = |error: RelayError| Stop::new(Exit::SetUp, error);
        let RelayFiles {
            relay,
            source,
            header,
        } = files.ok_or_else(|| set_up(RelayError::NoPackage))?;
        let (text, origin, sha256, function) = if inlined {
            let header = header.zip(relay.header).zip(relay.header_sha256);
            let ((text, origin), sha256) = header.ok_or_else(|| set_up(RelayError::NoHeader))?;
            (text, origin, sha256, RELAY_WRITE)
        } else {
            (source, relay.origin, relay.sha256, RELAY_OPEN)
        };
        match Source::parse(text, function) {
            Ok(source) => Ok(Self {
                source,
                origin,
                sha256,
            }),
            Err(why) => Err(Stop::new(Exit::SetUp, NoMutants { origin, why })),
        }
    }
}

fn list(source: &Source, mutants: &[Mutant], json: bool) -> Result<Exit, Stop> {
    let mut out = anstream::stdout().lock();
    for mutant in mutants {
        let Mutant {
            id,
            function,
            line,
            column,
            operator,
            ..
        } = mutant;
        let diff = mutant.diff(source.text());
        if json {
            let row = serde_json::json!({
                "id": id, "function": function, "line": line, "column": column, "operator": operator,
                "before": mutant.before, "after": mutant.after, "diff": diff,
            });
            writeln!(out, "{row}")?;
        } else {
            let change = format!("{} -> {}", mutant.before, mutant.after);
            writeln!(
                out,
                "{id}  {function}:{line}:{column}  {operator}  {change}"
            )?;
        }
    }
    if !json {
        writeln!(out, "{} mutants", mutants.len())?;
    }
    Ok(Exit::Passed)
}

struct Work<'a> {
    args: &'a MutateArgs,
    mutated: &'a Mutated,
    trials: &'a Trials,
    plan: &'a Plan,
    kept: Kept,
}

impl Work<'_> {
    /// Tries all mutants that have no result yet, and gives the results of all in their order.
    fn all(&mut self, mutants: &[Mutant]) -> Result<Vec<MutantRow>, Stop> {
        let set_up = |error| Stop::new(Exit::SetUp, error);
        let relay = self.mutated.sha256.clone();
        let mut rows: BTreeMap<String, MutantRow> = self.kept.rows(&relay).map_err(set_up)?;
        let again = |row: &MutantRow| {
            self.args
                .again
                .iter()
                .any(|word| word == row.outcome.name())
        };
        rows.retain(|_, row| !again(row));
        let mut history = History::default();
        for row in rows.values() {
            history.add(row);
        }
        // A call that is interrupted has then tried some of each function.
        let left: Vec<&Mutant> = spread(mutants, self.args.seed)
            .into_iter()
            .filter_map(|at| mutants.get(at))
            .filter(|mutant| !rows.contains_key(&mutant.id))
            .collect();
        say(&format!(
            "{} mutants, {} of them with a result\n",
            mutants.len(),
            mutants.len() - left.len()
        ));
        if !left.is_empty() {
            for row in self.side_by_side(left, history)? {
                rows.insert(row.id.clone(), row);
            }
        }
        let mut ordered = Vec::new();
        for mutant in mutants {
            ordered.extend(rows.remove(&mutant.id));
        }
        Ok(ordered)
    }

    /// Tries mutants, as many at a time as asked for. Those that have a result when it is interrupted are given.
    fn side_by_side(&self, left: Vec<&Mutant>, history: History) -> Result<Vec<MutantRow>, Stop> {
        let set_up = |error| Stop::new(Exit::SetUp, error);
        let stock = self.stock()?;
        let campaign = |_| Campaign::begin(self.trials, self.plan, &stock);
        let campaigns: Result<Vec<Campaign<'_>>, _> = (0..self.args.jobs).map(campaign).collect();
        let campaigns = campaigns.map_err(|error| Stop::new(Exit::SetUp, error))?;
        let mut pace = Pace::new(left.len());
        let reasons = chosen::reasons();
        let queue = Queue::new(self.mutated.source.text(), &reasons, left, history);
        let mut rows = Vec::new();
        thread::scope(|scope| {
            let (sender, tried) = mpsc::channel();
            for campaign in &campaigns {
                let (sender, queue) = (sender.clone(), &queue);
                scope.spawn(move || queue.work(campaign, &sender));
            }
            drop(sender);
            for tried in tried {
                let row = match tried {
                    // The others end by themselves, each with what it just did.
                    Err(SessionError::Interrupted) => continue,
                    tried => tried.map_err(stop)?,
                };
                let row = MutantRow {
                    relay: self.mutated.sha256.clone(),
                    ..row
                };
                if !matches!(row.outcome, MutantOutcome::Trouble { .. }) {
                    self.kept.add(&row).map_err(set_up)?;
                }
                pace.report(&row);
                rows.push(row);
            }
            Ok(rows)
        })
    }

    /// What the scenarios say about the unchanged relay: kept from an earlier call, or found by running them.
    fn stock(&self) -> Result<Stock, Stop> {
        let kept = self.kept.stock();
        let stock = match kept.filter(|stock| stock.holds(self.plan, self.trials)) {
            Some(stock) => stock,
            None => {
                let cases = self.trials.cases.len();
                say(&format!(
                    "running {cases} scenarios with the unchanged relay first\n"
                ));
                let stock = Stock::find(self.plan, self.trials, &self.args.out.join("stock"))
                    .map_err(stop)?;
                self.kept
                    .keep_stock(&stock)
                    .map_err(|error| Stop::new(Exit::SetUp, error))?;
                stock
            }
        };
        stock
            .is_good()
            .map_err(|error| Stop::new(Exit::Failed, error))?;
        say(&format!(
            "the unchanged relay passes: {:.0} s of scenarios\n",
            stock.all_ms() / 1000.0
        ));
        Ok(stock)
    }
}
