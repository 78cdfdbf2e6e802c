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
    /// Most characters in a line [default: the terminal's, 140 elsewhere].
    #[arg(long, value_name = "COLUMNS", value_parser = super::within(40, 1000))]
    width: Option<u32>,
    /// Give each stop of a run under control a row of its own.
    #[arg(long)]
    unfold: bool,
}

/// How wide the table may be.
fn width(args: &TraceArgs) -> usize {
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let asked = args.width.and_then(|width| usize::try_from(width).ok());
    asked.or_else(terminal).unwrap_or(trace::WIDTH)
}

pub(super) fn trace(args: &TraceArgs) -> Result<Exit, Stop> {
    let taken = Taken::of(&args.what, &args.machine, args.seed)?;
    let (verdict, _) = relaybed_judge::judge(&taken.loaded.case, &taken.evidence);
    let timeline = Timeline::of(&taken.loaded, &taken.evidence, &verdict, !args.unfold);
    let mut out = anstream::stdout().lock();
    let told = trace::Told {
        loaded: &taken.loaded,
        evidence: &taken.evidence,
        timeline: &timeline,
        verdict: &verdict,
    };
    trace::write(&mut out, &told, width(args))?;
    if let Some(cause) = taken.ended {
        say(&format!("the scenario did not finish: {cause}\n"));
        return Ok(cause.exit());
    }
    Ok(match verdict {
        Verdict::Failed { .. } => Exit::Failed,
        _ => Exit::Passed,
    })
}
