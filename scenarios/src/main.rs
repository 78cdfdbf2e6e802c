//! The `relaybed` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    relaybed::cli::main()
}
