//! `relaybed matrix`: the suites on several kernels, one table.

use std::path::PathBuf;

use clap::Args;
use relaybed_guest::{Cache, RelayFrom, Terminal};
use relaybed_vmm::{MEMORY_MAX_MIB, MEMORY_MIN_MIB, VCPUS_MAX};
use serde::Deserialize;

use super::{
    Accel, Backend, MachineArgs, RelayArgs, SideArgs, Stop, places, say, scenarios, within,
};
use crate::run::matrix::{KernelWish, column, interrupted};
use crate::run::{Known, Options};
use relaybed_report::Format;
use relaybed_report::exit::Exit;
use relaybed_report::matrix::{Column, Matrix};

/// The kernels that are tested unless others are named.
const KERNELS: &str = include_str!("../../../fixtures/kernels.toml");

/// Arguments of `matrix`.
#[derive(Clone, Debug, Args)]
pub(crate) struct MatrixArgs {
    /// Names, patterns (`*` and `?`) or suites of built-in scenarios, .toml files, or folders of them
    /// [default: all suites].
    patterns: Vec<String>,
    /// Leave these scenarios out: names, patterns or suites; may be given again.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Kernels, separated by commas: names of the default list, or what `run --kernel` takes
    /// [default: 5.10,6.1,6.1-rt,6.12,7.2,7.3].
    #[arg(long, value_delimiter = ',', value_name = "KERNELS")]
    kernels: Vec<String>,
    #[command(flatten)]
    relay: RelayArgs,
    /// Run each kernel twice, with its built-in relay and with a relay.c in a module, and fail if the verdicts
    /// differ [default of --relay here: source:kernel, the relay.c that the kernel was built from].
    #[arg(long)]
    parity: bool,
    /// Number of vCPUs of every machine; scenarios that need more are skipped [default: as many as each
    /// scenario needs].
    #[arg(long, value_parser = within(1, VCPUS_MAX))]
    vcpus: Option<u32>,
    /// Guest memory in MiB.
    #[arg(long, default_value_t = 256, value_parser = within(MEMORY_MIN_MIB, MEMORY_MAX_MIB))]
    memory: u32,
    /// What executes the guests' instructions.
    #[arg(long, value_enum, default_value_t = Accel::Auto)]
    accel: Accel,
    /// Longest time in seconds without a sign of life from a guest.
    #[arg(long, default_value_t = 15, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    deadline: u64,
    /// Boot every machine from reset instead of forking the cached image of a ready guest.
    #[arg(long)]
    no_image: bool,
    /// Add this to the guests' kernel command line.
    #[arg(long, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    cmdline: Option<String>,
    #[command(flatten)]
    side: SideArgs,
    /// Seed of the record lengths; the same seed gives the same records.
    #[arg(long, env = "RELAYBED_SEED", default_value_t = 1)]
    seed: u64,
    /// Keep the evidence of every scenario in this folder, one folder per kernel [default: of
    /// failures only, in ./relaybed-evidence].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Whether known issues pass or fail: `pass`, `fail`, or `K2,K5=fail` for some [default: pass].
    #[arg(long, value_name = "pass|fail|K2,…=fail")]
    known: Option<Known>,
}

#[derive(Deserialize)]
struct List {
    kernel: Vec<Listed>,
}

#[derive(Clone, Deserialize)]
struct Listed {
    name: String,
    request: String,
}

/// The default list.
#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a unit test parses it"
)]
fn listed() -> Vec<Listed> {
    let list: List = toml::from_str(KERNELS).expect("the embedded list of kernels is well formed");
    list.kernel
}

impl MatrixArgs {
    /// The kernels that are meant: of the default list by name, others as they are called.
    fn kernels(&self) -> Result<Vec<(KernelWish, String)>, Stop> {
        let known = listed();
        let named = |asked: &String| {
            let of_list = known.iter().find(|listed| listed.name == *asked).cloned();
            of_list.unwrap_or_else(|| Listed {
                name: asked.clone(),
                request: asked.clone(),
            })
        };
        let chosen: Vec<Listed> = if self.kernels.is_empty() {
            known.clone()
        } else {
            self.kernels.iter().map(named).collect()
        };
        let mut wishes = Vec::new();
        for listed in chosen {
            if self.parity {
                wishes.push(self.wish(listed.clone(), &RelayArgs::default())?);
                let name = format!("{}+relay.c", listed.name);
                let mut relay = self.relay.clone();
                relay.relay.get_or_insert(RelayFrom::Kernel);
                wishes.push(self.wish(Listed { name, ..listed }, &relay)?);
            } else {
                wishes.push(self.wish(listed, &self.relay)?);
            }
        }
        Ok(wishes)
    }

    /// The machine for one kernel, and the options that a line to paste must carry.
    fn wish(&self, listed: Listed, relay: &RelayArgs) -> Result<(KernelWish, String), Stop> {
        let machine = MachineArgs {
            kernel: listed.request,
            build_dir: None,
            relay: relay.clone(),
            vcpus: self.vcpus,
            memory: self.memory,
            backend: Backend::Auto,
            accel: self.accel,
            deadline: self.deadline,
            console: false,
            no_image: self.no_image,
            cmdline: self.cmdline.clone(),
        };
        let mut again = machine.again();
        if self.seed != 1 {
            again.option("--seed", self.seed);
        }
        again.given("--known", self.known.as_ref());
        let (name, wish) = (listed.name, machine.wish()?);
        Ok((KernelWish { name, wish }, again.line()))
    }
}

pub(super) fn matrix(args: &MatrixArgs) -> Result<Exit, Stop> {
    super::interruptible()?;
    let kernels = args.kernels()?;
    let mut cases = scenarios::load_without(&args.patterns, &args.exclude)?;
    for loaded in &mut cases {
        loaded.case.seed = args.seed;
    }
    let cache = Cache::open(None).map_err(|error| Stop::new(Exit::SetUp, error))?;
    let out = places::evidence(args.out.as_deref())?;
    let mut matrix = Matrix {
        pairs: args.parity,
        ..Matrix::default()
    };
    for (at, (kernel, again)) in kernels.iter().enumerate() {
        if relaybed_vmm::signals::interrupted().is_some() {
            matrix.columns.push(interrupted(kernel));
            continue;
        }
        say(&format!(
            "kernel {} of {}: {} ({}), {} scenarios\n",
            at + 1,
            kernels.len(),
            kernel.name,
            kernel.wish.kernel,
            cases.len()
        ));
        let options = Options {
            fail_fast: false,
            out: out.join(folder(&kernel.name)),
            keep_all: args.out.is_some(),
            plant: None,
            again: again.clone(),
            seed: args.seed,
            repeat: 1,
            deterministic: false,
            isolate: args.side.isolate,
            jobs: args.side.jobs,
            known: args.known.clone().unwrap_or_default(),
            hold: false,
        };
        let column = column(kernel, &options, &cases, &cache, &Terminal::new());
        say(&format!("  {}\n", came_to(&column)));
        matrix.columns.push(column);
    }
    matrix.write(args.format, &mut anstream::stdout().lock())?;
    Ok(matrix.exit())
}

/// A kernel's name as a folder.
fn folder(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    let name: String = name
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect();
    format!("on-{name}")
}

fn came_to(column: &Column) -> String {
    match (&column.summary, column.trouble.first()) {
        (Some(summary), _) => format!(
            "{} passed, {} failed, {} known in {:.1} s",
            summary.passed,
            summary.failed,
            summary.known,
            summary.total_ms / 1000.0
        ),
        (None, Some(why)) => format!("not tested: {why}"),
        (None, None) => "not tested".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_of_the_default_list_can_be_asked_for() {
        let kernels = listed();
        assert!(kernels.len() >= 6);
        for listed in kernels {
            let request: Result<relaybed_guest::KernelRequest, _> = listed.request.parse();
            assert!(request.is_ok(), "{}: {request:?}", listed.name);
        }
    }

    #[test]
    fn a_kernel_s_folder_stays_where_it_belongs() {
        assert_eq!(folder("6.1-rt"), "on-6.1-rt");
        assert_eq!(folder("../x"), "on-.._x");
    }
}
