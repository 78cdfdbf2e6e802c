//! The command line: what can be asked of `relaybed`, and the texts that say so.

mod again;
mod bench;
mod bisect;
mod cache;
mod capture;
mod check;
mod coverage;
mod doctor;
mod examples;
mod explain;
mod explore;
mod fuzz;
mod help;
mod input;
mod judge;
mod kernel;
mod known;
mod list;
mod machine;
mod matrix;
mod mutate;
mod places;
mod plant;
mod relay;
mod replay;
mod report;
mod room;
mod run;
mod scenarios;
mod schema;
mod stats;
mod taken;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use relaybed_vmm::{MEMORY_MAX_MIB, MEMORY_MIN_MIB, VCPUS_MAX};

use crate::run::{Isolate, Known};
pub(crate) use plant::PlantKind;

use examples::{EXPLORE_EXAMPLES, RUN_EXAMPLES};
use relay::RelayArgs;
use relaybed_report::Format;
use relaybed_report::exit::{self, Exit};
use schema::SchemaOf;

/// A testbed for the Linux kernel's relay interface.
///
/// Boots a real, unmodified kernel in a small virtual machine, drives scripted producers of relay on
/// several CPUs, reads relay's per-CPU buffers in place through shared guest memory, and judges what it
/// sees against an exact model.
#[derive(Debug, Parser)]
#[command(name = "relaybed", version, after_help = exit::HELP, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios on a kernel and report what passed and what failed.
    #[command(after_help = RUN_EXAMPLES, after_long_help = format!("{RUN_EXAMPLES}\n\n{}", exit::HELP))]
    Run(RunArgs),
    /// Draw scenarios from a seed, run them, and shrink what fails.
    ///
    /// Everything is drawn: sizes, counts, modes, contexts, operations, gates. Scenarios that pass leave
    /// nothing behind; a failure is saved, run again and shrunk to a minimal scenario file.
    #[command(after_long_help = exit::HELP)]
    Fuzz(fuzz::FuzzArgs),
    /// Look for races: run a scenario many times, each time with another schedule of its vCPUs.
    ///
    /// One vCPU runs at a time; each time one reaches data that vCPUs share, a strategy decides which runs
    /// next. A finding is shrunk, saved, and named by a token that `replay` takes. Known issues
    /// count as findings.
    #[command(after_help = EXPLORE_EXAMPLES, after_long_help = format!("{EXPLORE_EXAMPLES}\n\n{}", exit::HELP))]
    Explore(explore::ExploreArgs),
    /// Run exactly one schedule again, given by its token or by saved evidence.
    ///
    /// Exits with 3 if the run differs from the recorded one, and names the first step that differs.
    #[command(after_long_help = exit::HELP)]
    Replay(replay::ReplayArgs),
    /// Run scenarios on several kernels and show them side by side, differences first.
    #[command(after_long_help = exit::HELP)]
    Matrix(matrix::MatrixArgs),
    /// Show which of relay's instructions in the kernel the scenarios execute.
    ///
    /// QEMU's translator lists what it translates; the kernel is not changed and runs no slower. Translated code
    /// counts as executed, which is wrong only for the rest of a block that a fault left early.
    #[command(after_long_help = exit::HELP)]
    Coverage(coverage::CoverageArgs),
    /// Find out what the scenarios would miss: make small wrong changes to relay.c, one at a time, and see which of
    /// them no scenario notices.
    ///
    /// Each mutant is built into our module and run against the scenarios until one fails. Results are kept, and an
    /// interrupted call resumes where it stopped. Exits with 1 if a mutant survived.
    #[command(after_long_help = exit::HELP)]
    Mutate(mutate::MutateArgs),
    /// Measure instead of judging.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// List scenarios, with one sentence on what each shows.
    List {
        /// Names, patterns (`*` and `?`) or suites of built-in scenarios, .toml files, or folders of them.
        patterns: Vec<String>,
    },
    /// List the known issues of relay, which kernels have them, and which scenarios show them.
    Known,
    /// Explain a finding's code: what it means, what a correct kernel does, what usually causes it.
    Explain {
        /// A code, such as R0301; without one, all codes are listed.
        code: Option<String>,
    },
    /// Check scenario files without running them.
    Check {
        /// Scenario files, or folders of them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show a run as a table: operations, callbacks and checkpoints in order, one column per CPU, with
    /// relay's counters after each.
    #[command(after_long_help = exit::HELP)]
    Trace(trace::TraceArgs),
    /// Write saved evidence as one self-contained HTML page: what each CPU did, the sub-buffers, what readers got,
    /// and what failed.
    Report(report::ReportArgs),
    /// Judge saved evidence again, without a machine.
    Judge {
        /// Folder that `run --out` or a failure wrote.
        evidence: PathBuf,
        /// Format of the report.
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Write the per-CPU streams of one scenario to disk, as a user of relay would have them.
    ///
    /// Writes cpu0.out … cpuN.out (padding removed) and index.json into the folder. On a no-overwrite
    /// channel they are byte for byte what the producers wrote.
    Capture {
        /// Name of one scenario, or a file ending in .toml.
        scenario: String,
        /// The machine to run it on.
        #[command(flatten)]
        machine: MachineArgs,
        /// Folder for the streams; created if missing.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Seed of the record lengths.
        #[arg(long, env = "RELAYBED_SEED", default_value_t = 1)]
        seed: u64,
    },
    /// Ask about kernels of your own, before anything boots.
    #[command(subcommand)]
    Kernel(kernel::KernelCommand),
    /// Show what the cache holds, or make room in it.
    #[command(subcommand)]
    Cache(cache::CacheCommand),
    /// Report what was found on this host, what relaybed would use, and why.
    Doctor {
        /// The kernel to ask about.
        #[command(flatten)]
        machine: MachineArgs,
        /// Also boot a guest and measure: boot time, memory, and why vCPUs leave the guest in each phase.
        #[arg(long)]
        stats: bool,
    },
    /// Print the help of a command; after `language`, the reference of the scenario language, or of one WORD of it.
    Help {
        /// A command, or `language` and a word of it.
        words: Vec<String>,
    },
    /// Print a JSON Schema: of scenario files (for editors), or of the lines of `--format json`.
    Schema {
        /// What to describe.
        #[arg(value_enum, default_value_t = SchemaOf::Scenario)]
        of: SchemaOf,
    },
    /// Print a completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Which machine to run on.
#[derive(Clone, Debug, Args)]
pub(crate) struct MachineArgs {
    /// SUITE:VERSION, a SUITE alone for its own version, a package name, or a bzImage or vmlinux file (with --build-dir).
    #[arg(
        long,
        env = "RELAYBED_KERNEL",
        default_value = machine::DEFAULT_KERNEL,
        value_name = "KERNEL"
    )]
    pub kernel: String,
    /// Build tree of a kernel: its image is run, and the module built against it. Or the headers of one given as a file.
    #[arg(long, value_name = "TREE")]
    pub build_dir: Option<PathBuf>,
    #[command(flatten)]
    pub relay: RelayArgs,
    /// Number of vCPUs of every machine; scenarios that need more are skipped [default: as many as each
    /// scenario needs].
    #[arg(long, value_parser = within(1, VCPUS_MAX))]
    pub vcpus: Option<u32>,
    /// Guest memory in MiB.
    #[arg(long, default_value_t = machine::DEFAULT_MEMORY_MIB, value_parser = within(MEMORY_MIN_MIB, MEMORY_MAX_MIB))]
    pub memory: u32,
    /// Virtual machine monitor.
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    pub backend: Backend,
    /// What executes the guest's instructions.
    #[arg(long, value_enum, default_value_t = Accel::Auto)]
    pub accel: Accel,
    /// Longest time in seconds without a sign of life from the guest.
    #[arg(long, default_value_t = machine::DEFAULT_DEADLINE_S, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub deadline: u64,
    /// Show the guest's console on standard error.
    #[arg(long)]
    pub console: bool,
    /// Boot every machine from reset instead of forking the cached image of a ready guest.
    #[arg(long)]
    pub no_image: bool,
    /// Add this to the guest's kernel command line, such as `slub_debug=FZPU`.
    #[arg(long, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    pub cmdline: Option<String>,
}

/// Takes numbers from `least` to `most`, both included: what no machine has is a usage error, reported
/// before anything is fetched.
fn within(least: u32, most: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(least)..=i64::from(most))
}

/// Virtual machine monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Whatever works here; `relaybed doctor` says what that is.
    Auto,
    /// Our own, on /dev/kvm.
    Kvm,
    /// QEMU.
    Qemu,
}

/// Accelerators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accel {
    /// KVM where it passes the probe, else TCG.
    Auto,
    /// QEMU's translator: works everywhere.
    Tcg,
    /// KVM; an error where it does not pass the probe.
    Kvm,
}

/// Which scenarios share a machine, and how many machines run at a time.
#[derive(Clone, Debug, Args)]
pub(crate) struct SideArgs {
    /// What gets a machine of its own [default: per-suite if machines are forked from an image, else none].
    #[arg(long, value_enum, value_name = "WHAT")]
    pub isolate: Option<Isolate>,
    /// Machines that run side by side; the report is the same for every number [default: half of the host's
    /// cores if machines are forked from an image, else 1].
    #[arg(long, value_name = "N", value_parser = within(1, 256))]
    pub jobs: Option<u32>,
}

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// Names, patterns (`*` and `?`) or suites of built-in scenarios, .toml files, or folders of them
    /// [default: all suites].
    patterns: Vec<String>,
    /// Leave these scenarios out: names, patterns or suites; may be given again.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    side: SideArgs,
    /// Seed of the record lengths; the same seed gives the same records.
    #[arg(long, env = "RELAYBED_SEED", default_value_t = 1)]
    seed: u64,
    /// Keep the evidence of every scenario in this folder [default: of failures only, in
    /// ./relaybed-evidence].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Whether known issues pass or fail: `pass`, `fail`, or `K2,K5=fail` for some. The last makes "K2 must not show"
    /// a test, so that the commit that fixes it can be bisected [default: pass].
    #[arg(long, value_name = "pass|fail|K2,…=fail")]
    known: Option<Known>,
    /// Continue after a failure (the default).
    #[arg(long, overrides_with = "fail_fast")]
    keep_going: bool,
    /// Stop at the first failure; the rest is reported as not run.
    #[arg(long)]
    fail_fast: bool,
    /// Run each scenario N times; verdicts that differ are a failure.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within(1, 1_000_000))]
    repeat: u32,
    /// The same machine every time, to the bit: one vCPU runs at a time, clocks count instructions, and the
    /// seed decides which vCPU runs next. Prints a digest of RAM and registers at the end. QEMU's translator only.
    #[arg(long)]
    deterministic: bool,
    /// Spoil the output on purpose, to see that the judge notices.
    #[arg(
        long,
        value_enum,
        value_name = "KIND",
        conflicts_with = "deterministic"
    )]
    plant: Option<PlantKind>,
    /// Hold the machine at a failure, and print the command that connects gdb. A guest that died cannot be held.
    #[arg(long, conflicts_with = "jobs")]
    gdb: bool,
    /// For `git bisect run`: exits with 0 if no scenario failed, 1 if one did or the guest died in it, 125
    /// if this commit cannot be tested (it does not build or boot, or every scenario is skipped), and
    /// 128 or more on trouble of our own, which stops git.
    #[arg(long)]
    bisect: bool,
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    relaybed_vmm::signals::keep_file_limits_from_killing();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Passed
            };
            // If even this cannot be written, there is nowhere left to report it.
            let _ = error.print();
            return code.into();
        }
    };
    let interrupted = || relaybed_vmm::signals::interrupted().is_some();
    let ended = match cli.command {
        Command::Run(args) if args.bisect => {
            let ended = run::run(&args);
            if !interrupted() {
                return bisect::for_git(ended);
            }
            ended.map(|end| end.exit)
        }
        command => done(command),
    };
    match ended {
        // Whatever an interruption broke off, it was the interruption.
        _ if interrupted() => {
            say("relaybed: interrupted\n");
            Exit::Interrupted.into()
        }
        Ok(exit) => exit.into(),
        Err(stop) => {
            stop.print();
            stop.exit.into()
        }
    }
}

/// Does what a command says.
fn done(command: Command) -> Result<Exit, Stop> {
    match command {
        Command::Run(args) => run::run(&args).map(|end| end.exit),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Explore(args) => explore::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Matrix(args) => matrix::matrix(&args),
        Command::Coverage(args) => coverage::coverage(&args),
        Command::Mutate(args) => mutate::mutate(&args),
        Command::Bench(command) => bench::bench(&command),
        Command::List { patterns } => list::list(&patterns),
        Command::Known => known::known(),
        Command::Explain { code } => explain::explain(code.as_deref()),
        Command::Report(args) => report::report(&args),
        Command::Trace(args) => trace::trace(&args),
        Command::Check { files } => check::check(&files),
        Command::Judge { evidence, format } => judge::judge(&evidence, format),
        Command::Capture {
            scenario,
            machine,
            out,
            seed,
        } => capture::capture(&scenario, &machine, &out, seed),
        Command::Kernel(command) => kernel::kernel(&command),
        Command::Cache(command) => cache::cache(&command),
        Command::Doctor { machine, stats } => doctor::doctor(&machine, stats),
        Command::Help { words } => help::help(&words),
        Command::Schema { of } => print(&format!("{:#}", of.schema())),
        Command::Completions { shell } => completions(shell),
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP end every wait of this command, in order.
///
/// # Errors
/// The handlers cannot be installed.
fn interruptible() -> Result<(), Stop> {
    relaybed_vmm::signals::install().map_err(|error| Stop::new(Exit::SetUp, error))?;
    if let Some(source) = relaybed_vmm::signals::readable() {
        relaybed_guest::interrupt_on(source);
    }
    Ok(())
}

/// Why a command ended before its time, and with which code.
#[derive(Debug)]
pub(crate) struct Stop {
    exit: Exit,
    why: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Stop {
    /// Ends with `exit` because of `why`.
    pub(crate) fn new(
        exit: Exit,
        why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            exit,
            why: Some(why.into()),
        }
    }

    /// Ends with `exit`; everything has been printed already.
    pub(crate) const fn said(exit: Exit) -> Self {
        Self { exit, why: None }
    }

    /// Prints the chain of causes once, each on a line of its own.
    fn print(&self) {
        let Some(why) = &self.why else { return };
        let mut last = why.to_string();
        let mut text = format!("relaybed: {last}\n");
        let mut source = why.source();
        while let Some(cause) = source {
            let next = cause.to_string();
            // Errors of other crates sometimes contain their source's text; print it once.
            if !last.contains(&next) {
                text.push_str(&format!("  because: {next}\n"));
            }
            last = next;
            source = cause.source();
        }
        say(&text);
    }
}

impl From<std::io::Error> for Stop {
    /// Standard output that went away ends the command quietly.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::said(Exit::NoReader),
            _ => Self::new(Exit::SetUp, error),
        }
    }
}

/// Writes to standard error; a closed one must not stop anything.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    let _ = anstream::stderr().write_all(text.as_bytes());
}

fn print(text: &str) -> Result<Exit, Stop> {
    use std::io::Write as _;
    writeln!(anstream::stdout(), "{text}")?;
    Ok(Exit::Passed)
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Stop> {
    use std::io::Write as _;
    // Not into standard output at once: clap panics where that is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "relaybed", &mut script);
    anstream::stdout().write_all(&script)?;
    Ok(Exit::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
