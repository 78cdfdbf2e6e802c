//! Boots one guest on several virtual machine monitors in turn, on the KVM that is here: what the nest
//! runs for the comparison in the documentation of `relaybed-vmm`.

use std::process::ExitCode;

use relaybed_tests::nest::monitors;

#[expect(
    clippy::print_stderr,
    reason = "the console, where the host's test shows it"
)]
fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok());
    match monitors::compare(rounds.unwrap_or(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
