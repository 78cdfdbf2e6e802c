//! `relaybed capture`: one scenario's per-CPU streams, as files.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::taken::one;
use super::{MachineArgs, Stop, places, run};
use crate::run::Session;
use relaybed_case::Case;
use relaybed_case::verdict::Verdict;
use relaybed_guest::Terminal;
use relaybed_judge::CpuStream;
use relaybed_report::exit::Exit;

pub(super) fn capture(
    scenario: &str,
    machine: &MachineArgs,
    out: &Path,
    seed: u64,
) -> Result<Exit, Stop> {
    super::interruptible()?;
    let mut case = one(scenario)?.case;
    case.seed = seed;
    places::folder("out", out)?;
    let plan = machine.plan()?;
    let vcpus = plan.vcpus_for(&case);
    let mut session = Session::open(&plan, vcpus, &Terminal::new()).map_err(run::stop)?;
    let evidence = session.run(&case, None).map_err(|ended| {
        let exit = ended.cause.exit();
        Stop::new(exit, ended.cause)
    })?;
    session.close();
    let (verdict, _) = relaybed_judge::judge(&case, &evidence);
    let streams = relaybed_judge::streams(&case, &evidence);
    save(out, &case, &streams).map_err(|error| Stop::new(Exit::SetUp, error))?;
    let mut stdout = anstream::stdout().lock();
    for stream in &streams {
        let path = out.join(file_name(&case, stream));
        let note = if stream.complete {
            ""
        } else {
            " (closed before its unread rest was seen)"
        };
        writeln!(
            stdout,
            "{}  {} bytes{note}",
            path.display(),
            stream.bytes.len()
        )?;
    }
    match verdict {
        Verdict::Failed { findings } => {
            for finding in findings {
                writeln!(stdout, "failed: {} {finding}", finding.code())?;
            }
            Ok(Exit::Failed)
        }
        _ => Ok(Exit::Passed),
    }
}

/// The streams' folder cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
struct Unwritable {
    path: String,
    source: std::io::Error,
}

/// `cpuN.out`; below a folder of the channel's name where a case has several channels.
fn file_name(case: &Case, stream: &CpuStream) -> PathBuf {
    let file = format!("cpu{}.out", stream.cpu);
    match case.channels.get(stream.channel) {
        Some(channel) if case.channels.len() > 1 => Path::new(&channel.name).join(file),
        _ => PathBuf::from(file),
    }
}

/// Writes the streams and their index.
fn save(out: &Path, case: &Case, streams: &[CpuStream]) -> Result<(), Unwritable> {
    let mut rows = Vec::new();
    for stream in streams {
        let name = file_name(case, stream);
        write(&out.join(&name), &stream.bytes)?;
        let parts: Vec<_> = stream
            .index
            .iter()
            .map(|part| json!({ "start": part.start, "len": part.len, "subbuf": part.subbuf }))
            .collect();
        rows.push(json!({
            "file": name,
            "channel": case.channels.get(stream.channel).map(|channel| &channel.name),
            "cpu": stream.cpu,
            "bytes": stream.bytes.len(),
            "complete": stream.complete,
            "parts": parts,
        }));
    }
    let index = json!({ "scenario": case.name, "streams": rows });
    write(&out.join("index.json"), format!("{index:#}\n").as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Unwritable> {
    let unwritable = |source| Unwritable {
        path: path.display().to_string(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    std::fs::write(path, bytes).map_err(unwritable)
}
