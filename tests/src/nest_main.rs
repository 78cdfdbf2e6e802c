//! The `relaybed` command that can also be PID 1 of a nest: there it makes KVM ready and calls itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    if rustix::process::getpid().is_init() {
        return relaybed_tests::nest::init::main().unwrap_or(ExitCode::FAILURE);
    }
    relaybed::cli::main()
}
