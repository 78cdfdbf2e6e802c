//! `relaybed report`: a run as a page of HTML.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::Stop;
use super::taken::Taken;
use relaybed_judge as judge;
use relaybed_report::exit::Exit;
use relaybed_report::page::{Shown, page};

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportArgs {
    /// Folder that `run --out` or a failure wrote.
    evidence: PathBuf,
    /// File to write; `-` for standard output [default: report.html in the folder].
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The page cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; -o FILE writes it elsewhere")]
struct Unwritable {
    path: String,
    source: std::io::Error,
}

pub(super) fn report(args: &ReportArgs) -> Result<Exit, Stop> {
    let taken = Taken::folder(&args.evidence)?;
    let (verdict, amount) = judge::judge(&taken.loaded.case, &taken.evidence);
    let text = page(&Shown {
        loaded: &taken.loaded,
        evidence: &taken.evidence,
        extra: &taken.extra,
        verdict: &verdict,
        amount,
    });
    let mut stdout = anstream::stdout().lock();
    let out = match &args.out {
        Some(out) => out.clone(),
        None => args.evidence.join("report.html"),
    };
    if out.as_os_str() == "-" {
        stdout.write_all(text.as_bytes())?;
        return Ok(Exit::Passed);
    }
    std::fs::write(&out, text).map_err(|source| {
        let path = out.display().to_string();
        Stop::new(Exit::SetUp, Unwritable { path, source })
    })?;
    writeln!(stdout, "{}", out.display())?;
    Ok(Exit::Passed)
}
