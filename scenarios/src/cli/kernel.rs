//! `relaybed kernel`: kernels of the user's own.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Subcommand;

use super::Stop;
use relaybed_report::exit::Exit;

/// What can be asked about a kernel.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KernelCommand {
    /// Say what a kernel lacks that is needed, and what would be good to have, with what is lost without it.
    ///
    /// Ends with 3 where something that is needed is missing.
    Check {
        /// The tree that it is built in, or its configuration.
        #[arg(value_name = "TREE|CONFIG")]
        what: PathBuf,
    },
}

pub(super) fn kernel(command: &KernelCommand) -> Result<Exit, Stop> {
    let KernelCommand::Check { what } = command;
    let lacks = relaybed_guest::examine(what).map_err(|error| Stop::new(Exit::SetUp, error))?;
    let mut out = anstream::stdout().lock();
    let path = what.display();
    let (exit, word) = match lacks.needed.is_empty() {
        true => (Exit::Passed, "has all that is needed"),
        false => (Exit::SetUp, "cannot be tested"),
    };
    writeln!(out, "{path}: the kernel {word}")?;
    for (title, lines) in [("needed", &lacks.needed), ("good to have", &lacks.good)] {
        if !lines.is_empty() {
            writeln!(out, "{title}:")?;
        }
        for line in lines {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(exit)
}
