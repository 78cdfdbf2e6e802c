//! The `relaybed` command, built where its tests can find it.

use std::process::ExitCode;

fn main() -> ExitCode {
    relaybed::cli::main()
}
