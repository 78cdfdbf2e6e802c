//! `relaybed trace`: a run as a table.

use clap::Args;

use super::taken::Taken;
use super::{MachineArgs, Stop, say};
use relaybed_case::verdict::Verdict;
use relaybed_report::exit::Exit;
use relaybed_report::timeline::Timeline;
use relaybed_report::trace;

/// Arguments of `trace`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TraceArgs {
    /// Folder with saved evidence, or a scenario to run: its name, or a .toml file.
    what: String,
    /// The machine to run a scenario on.
    #[command(flatten)]
    machine: MachineArgs,
    /// Seed of the record lengths of a scenario that is run.
    #[arg(long, env = "RELAYBED_SEED", default_value_t = 1)]
    seed: u64,
}

pub(super) fn trace(args: &TraceArgs) -> Result<Exit, Stop> {
    let taken = Taken::of(&args.what, &args.machine, args.seed)?;
    let (verdict, _) = relaybed_judge::judge(&taken.loaded.case, &taken.evidence);
    let schedule = taken.evidence.trace.as_ref();
    let timeline = Timeline::of(&taken.loaded.case, &taken.evidence, schedule, &verdict);
    let mut out = anstream::stdout().lock();
    trace::write(
        &mut out,
        &taken.loaded.case,
        &taken.evidence,
        &timeline,
        &verdict,
    )?;
    if let Some(cause) = taken.ended {
        say(&format!("the scenario did not finish: {cause}\n"));
        return Ok(cause.exit());
    }
    Ok(match verdict {
        Verdict::Failed { .. } => Exit::Failed,
        _ => Exit::Passed,
    })
}
