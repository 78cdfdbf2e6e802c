//! `relaybed report`: a run as pages of HTML.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Stop;
use super::taken::Taken;
use relaybed_judge as judge;
use relaybed_report::exit::Exit;
use relaybed_report::page::{Entry, Shown, index, page};

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportArgs {
    /// Folder that `run --out` or a failure wrote: of one scenario, or of a run.
    evidence: PathBuf,
    /// File to write; `-` for standard output [default: report.html in the folder, of a run index.html and a report.html for
    /// each scenario].
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

/// What only a folder of one scenario can have.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} is a run of several scenarios, which makes several pages; give the folder of one with -o"
)]
struct Several(String);

/// Every evidence folder has this.
const EVIDENCE: &str = "evidence.json";
/// The page of one scenario.
const PAGE: &str = "report.html";

pub(super) fn report(args: &ReportArgs) -> Result<Exit, Stop> {
    let folder = &args.evidence;
    let folders = match folder.join(EVIDENCE).exists() {
        true => Vec::new(),
        false => within(folder),
    };
    if folders.is_empty() {
        let (text, _) = one(folder)?;
        let out = args.out.clone().unwrap_or_else(|| folder.join(PAGE));
        return write(&out, &text);
    }
    if args.out.is_some() {
        let error = Several(folder.display().to_string());
        return Err(Stop::new(Exit::Usage, error));
    }
    let (mut entries, mut left_out) = (Vec::new(), Vec::new());
    for of in &folders {
        let name = of.strip_prefix(folder).unwrap_or(of).display().to_string();
        match one(of) {
            Ok((text, entry)) => {
                put(&of.join(PAGE), &text)?;
                let page = format!("{}/{PAGE}", name.replace('%', "%25"));
                entries.push(Entry { page, ..entry });
            }
            Err(stop) => left_out.push((
                name,
                stop.why.map_or_else(String::new, |why| why.to_string()),
            )),
        }
    }
    write(&folder.join("index.html"), &index(&entries, &left_out))
}

/// The page of one folder of evidence, and what the index says of it.
fn one(folder: &Path) -> Result<(String, Entry), Stop> {
    let taken = Taken::folder(folder)?;
    let (verdict, amount) = judge::judge(&taken.loaded.case, &taken.evidence);
    let text = page(&Shown {
        loaded: &taken.loaded,
        evidence: &taken.evidence,
        extra: &taken.extra,
        verdict: &verdict,
        amount,
    });
    let entry = Entry {
        name: taken.loaded.case.name.clone(),
        page: PAGE.to_owned(),
        verdict,
        amount,
        kernel: taken.evidence.setting.release.clone(),
        duration_ms: taken.extra.duration_ms,
    };
    Ok((text, entry))
}

/// Folders of evidence below one, in the order of their names. Links are not followed.
fn within(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for below in folders.map(|entry| entry.path()) {
            match below.join(EVIDENCE).exists() {
                true => found.push(below),
                false => waiting.push(below),
            }
        }
    }
    found.sort();
    found
}

fn put(out: &Path, text: &str) -> Result<(), Stop> {
    std::fs::write(out, text).map_err(|source| {
        let path = out.display().to_string();
        Stop::new(Exit::SetUp, Unwritable { path, source })
    })
}

/// Writes the page that was asked for, and says where it is.
fn write(out: &Path, text: &str) -> Result<Exit, Stop> {
    let mut stdout = anstream::stdout().lock();
    if out.as_os_str() == "-" {
        stdout.write_all(text.as_bytes())?;
    } else {
        put(out, text)?;
        writeln!(stdout, "{}", out.display())?;
    }
    Ok(Exit::Passed)
}
