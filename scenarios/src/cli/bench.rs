//! `relaybed bench`: measurements.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use relaybed_guest::{Cache, Terminal};
use relaybed_vmm::Clock;
use relaybed_vmm::probe::AccelRequest;

use super::{MachineArgs, Stop, places, say};
use crate::run::transports::{BenchError, transports};
use crate::run::{BackendWish, Plan};
use relaybed_report::Format;
use relaybed_report::exit::Exit;
use relaybed_report::transports::{Where, plot, write};
use relaybed_wire::program::lengths;

/// What can be measured.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Compare relay with other ways out of the kernel: a character device's read, an ioctl, a file in
    /// /proc, a seq_file, a shared ring.
    ///
    /// The same records go through each of them on the same guest, timed by the host's clock and, in a second
    /// boot, by the instruction clock, which the host's load does not affect. All bytes are checked.
    Transports(TransportArgs),
}

/// Arguments of `bench transports`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TransportArgs {
    #[command(flatten)]
    machine: MachineArgs,
    /// Lengths of records in bytes, separated by commas.
    #[arg(
        long,
        value_name = "BYTES",
        value_delimiter = ',',
        default_value = "16,64,256,1024,4096",
        value_parser = clap::value_parser!(u32).range(i64::from(lengths().start)..i64::from(lengths().end))
    )]
    sizes: Vec<u32>,
    /// Draw a plot into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = BenchFormat::Human)]
    format: BenchFormat,
}

/// Formats that have words for figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

pub(super) fn bench(command: &BenchCommand) -> Result<Exit, Stop> {
    match command {
        BenchCommand::Transports(args) => of_transports(args),
    }
}

fn of_transports(args: &TransportArgs) -> Result<Exit, Stop> {
    super::interruptible()?;
    if let Some(path) = &args.svg {
        places::file("svg", path)?;
    }
    let wall = args.machine.plan()?;
    let counted = counted(args)?;
    let mut tell = |text: &str| say(&format!("{text}\n"));
    let rows = transports(&wall, &counted, &args.sizes, &mut tell).map_err(stop)?;
    if rows.is_empty() {
        // There is always something to measure, so this was interrupted before it was.
        return Ok(Exit::Interrupted);
    }
    let on = Where {
        kernel: wall.guest().release.clone(),
        kernel_origin: wall.kernel_origin(),
        backend: wall.backend().to_owned(),
        accel: wall.accel().to_owned(),
    };
    let format = match args.format {
        BenchFormat::Human => Format::Human,
        BenchFormat::Json => Format::Json,
    };
    write(format, &rows, &on, &mut anstream::stdout().lock())?;
    if let Some(path) = &args.svg {
        let svg = plot(&rows, &on.kernel).map_err(|error| Stop::new(Exit::SetUp, error))?;
        std::fs::write(path, svg).map_err(|source| {
            let path = path.display().to_string();
            Stop::new(Exit::SetUp, Unwritable { path, source })
        })?;
    }
    Ok(Exit::Passed)
}

/// The machine that counts instructions: the translator's, with one vCPU, whose clock is all its own.
fn counted(args: &TransportArgs) -> Result<Plan, Stop> {
    let mut wish = args.machine.wish()?;
    wish.accel = AccelRequest::Tcg;
    wish.backend = BackendWish::Qemu;
    wish.vcpus = Some(1);
    wish.clock = Clock::Instructions;
    // Every instruction is counted: a guest is several times slower.
    wish.deadline = wish.deadline.saturating_mul(6);
    let set_up = |error| Stop::new(Exit::SetUp, error);
    let cache = Cache::open(None).map_err(|error| Stop::new(Exit::SetUp, error))?;
    Plan::make(wish, &cache, &Terminal::new()).map_err(set_up)
}

/// The plot's file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the plot to {path}: {source}")]
struct Unwritable {
    path: String,
    source: std::io::Error,
}

/// Bytes that came out wrong are the kernel's misbehaviour, everything else kept us from measuring.
fn stop(error: BenchError) -> Stop {
    let exit = match &error {
        BenchError::Wrong(_) | BenchError::Failed { .. } => Exit::Failed,
        BenchError::Session(error) => error.exit(),
        BenchError::Ended { cause, .. } => cause.exit(),
    };
    Stop::new(exit, error)
}
