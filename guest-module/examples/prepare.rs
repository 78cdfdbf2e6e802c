//! Prepares guests and prints them as JSON: `prepare [--w1] [--qemu] [--relay=FROM] [KERNEL...]`.

use std::process::ExitCode;

use relaybed_guest::{
    Cache, Error, KernelRequest, Options, RelayFrom, RelayRequest, Terminal, prepare_with, qemu,
};

fn run() -> Result<Vec<serde_json::Value>, Error> {
    let cache = Cache::open(None)?;
    let progress = Terminal::new();
    let mut made = Vec::new();
    let (flags, mut kernels): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    let relay = flags.iter().find_map(|flag| flag.strip_prefix("--relay="));
    let relay = relay.map(|from| RelayRequest {
        // A text that names nothing is a path that is not there, and reported as such.
        from: from.parse().unwrap_or(RelayFrom::File(from.into())),
        header: None,
        version: None,
        changed: None,
    });
    let options = Options {
        module_warnings: flags.iter().any(|flag| flag == "--w1"),
        relay,
    };
    if flags.iter().any(|flag| flag == "--qemu") {
        made.push(serde_json::json!(qemu(&cache, &progress)?));
    } else if kernels.is_empty() {
        kernels.push(KernelRequest::default().to_string());
    }
    for kernel in kernels {
        let guest = prepare_with(&kernel.parse()?, &cache, &progress, &options)?;
        made.push(serde_json::json!(guest));
    }
    Ok(made)
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this example is for"
)]
fn main() -> ExitCode {
    match run() {
        Ok(made) => {
            for value in made {
                println!("{value:#}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(3)
        }
    }
}
