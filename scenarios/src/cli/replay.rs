//! `relaybed replay`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::run::{say_unsaved, stop};
use super::taken::saved;
use super::{MachineArgs, Stop, places, say, scenarios};
use crate::run::{Options, Recording, replay};
use relaybed_case::select::Loaded;
use relaybed_case::trace::Trace;
use relaybed_guest::Relay;
use relaybed_report::exit::Exit;
use relaybed_report::{Format, Reporter};
use relaybed_search::schedule::{Divergence, Token, token};
use relaybed_wire::store;

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A schedule's token, or a folder of evidence that holds a schedule.
    #[arg(value_name = "TOKEN|EVIDENCE")]
    what: String,
    /// The scenario that a token belongs to, if it is not a built-in one: a .toml file.
    scenario: Option<String>,
    /// The kernel is the recorded one, unless another is asked for here.
    #[command(flatten)]
    machine: MachineArgs,
    /// Keep the evidence of this run in this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Why nothing can be replayed.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error("the evidence in {0} has no schedule: that run was not under control")]
    NoSchedule(String),
    #[error(
        "the scenario {name} has changed since the token was made; give the file as it was then"
    )]
    Changed { name: String },
    #[error("'{0}' names several scenarios; a token belongs to one")]
    Several(String),
}

/// What was recorded.
enum Recorded {
    Token(Token),
    Trace(Trace),
}

pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Stop> {
    super::interruptible()?;
    let usage = |error: ReplayError| Stop::new(Exit::Usage, error);
    let (loaded, recorded, token) = if Path::new(&args.what).is_dir() {
        evidence(&args.what)?
    } else {
        let token: Token = args
            .what
            .parse()
            .map_err(|error| Stop::new(Exit::Usage, Misread::new(&args.what, error)))?;
        let loaded = scenario(&token, args.scenario.as_deref())?;
        (loaded, Recorded::Token(token.clone()), Some(token))
    };
    if let Some(token) = &token
        && token::case_digest(&loaded.case) != token.scenario_digest
    {
        let name = loaded.origin;
        return Err(usage(ReplayError::Changed { name }));
    }
    let mut machine = args.machine.clone();
    if let Some(token) = &token {
        let relay = token.relay.as_ref().map(|(asked, _)| asked.as_str());
        machine.recorded(&token.kernel, relay, token.vcpus);
    }
    let out = places::evidence(args.out.as_deref())?;
    let plan = machine.controlled_plan()?;
    if let Some(token) = &token
        && token.release != plan.guest().release
    {
        say(&format!(
            "recorded on {}, replayed on {}: expect it to diverge\n",
            token.release,
            plan.guest().release
        ));
    }
    if let Some(token) = &token
        && let Some(text) = other_relay(token, plan.guest().relay.as_ref())
    {
        say(&text);
    }
    let options = Options {
        fail_fast: false,
        out,
        keep_all: args.out.is_some(),
        plant: None,
        again: machine.again().line(),
        seed: loaded.case.seed,
        repeat: 1,
        deterministic: false,
        isolate: None,
        jobs: Some(1),
        known: Default::default(),
        hold: false,
    };
    let recording = match &recorded {
        Recorded::Token(token) => Recording::Token(token),
        Recorded::Trace(trace) => Recording::Trace(trace),
    };
    let mut reporter = Reporter::new(args.format, anstream::stdout().lock(), 1)?;
    let (end, diverged) =
        replay(&plan, &options, &loaded, recording, &mut reporter).map_err(stop)?;
    reporter.end(&end.summary)?;
    say_unsaved(&end);
    match diverged {
        None => Ok(end.exit),
        Some(divergence) => Err(Stop::new(Exit::SetUp, Diverged { divergence })),
    }
}

/// What to say where the relay that is tested is not the one that was recorded.
fn other_relay(token: &Token, now: Option<&Relay>) -> Option<String> {
    let then = token.relay.as_ref().map(|(_, sha256)| sha256.as_str());
    if then == now.map(|relay| relay.sha256.as_str()) {
        return None;
    }
    let short = |sha256: &str| sha256.chars().take(12).collect::<String>();
    let name = |sha256: Option<&str>| {
        sha256.map_or("the kernel's own relay".to_owned(), |sha256| {
            format!("a relay.c with SHA-256 {}", short(sha256))
        })
    };
    let now = now.map(|relay| relay.sha256.as_str());
    Some(format!(
        "recorded with {}, replayed with {}: expect it to diverge\n",
        name(then),
        name(now)
    ))
}

/// The run was another one.
#[derive(Debug, thiserror::Error)]
#[error(
    "this run differs from the recorded one: {divergence}; are kernel, relaybed and QEMU the same?"
)]
struct Diverged {
    divergence: Divergence,
}

/// Neither a folder nor a token.
#[derive(Debug, thiserror::Error)]
#[error("'{what}' is neither a folder nor a token")]
struct Misread {
    what: String,
    source: relaybed_search::schedule::TokenError,
}

impl Misread {
    /// Tokens are long; the beginning identifies one.
    fn new(what: &str, source: relaybed_search::schedule::TokenError) -> Self {
        let what = what.chars().take(24).collect();
        Self { what, source }
    }
}

fn evidence(folder: &str) -> Result<(Loaded, Recorded, Option<Token>), Stop> {
    let loaded = store::load(Path::new(folder));
    let (case, evidence, extra) = loaded.map_err(|error| Stop::new(Exit::SetUp, error))?;
    let token = extra.notes.get(store::TOKEN_NOTE);
    let token = token.and_then(|token| token.parse::<Token>().ok());
    let Some(trace) = evidence.trace else {
        let error = ReplayError::NoSchedule(folder.to_owned());
        return Err(Stop::new(Exit::Usage, error));
    };
    let loaded = saved(Path::new(folder), case, &extra);
    Ok((loaded, Recorded::Trace(trace), token))
}

/// The scenario of a token: the one named at the command line, or the built-in one of its name.
fn scenario(token: &Token, named: Option<&str>) -> Result<Loaded, Stop> {
    let pattern = named.unwrap_or(&token.scenario).to_owned();
    let mut cases = scenarios::load(std::slice::from_ref(&pattern))?;
    if cases.len() > 1 {
        cases.retain(|loaded| loaded.case.name == token.scenario);
    }
    let Some(mut loaded) = cases.pop().filter(|_| cases.is_empty()) else {
        return Err(Stop::new(Exit::Usage, ReplayError::Several(pattern)));
    };
    if let Some(seed) = token.seed {
        loaded.case.seed = seed;
    }
    Ok(loaded)
}
