//! Evidence that somebody has changed, with checksums that fit: judged or refused within bounds, never a panic.
//!
//! It is judged in a process of its own, whose memory is limited.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use relaybed_case::select::Loaded;
use relaybed_wire::store;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::Value;

use super::lots::Lots;

/// Names the process that judges, and says how often.
const JUDGE: &str = "RELAYBED_FAULT_JUDGE";

/// Where it writes how many it has judged.
const JUDGED: &str = "judged";

/// Memory that it may have: what the search of a judgement may hold at most, and as much again as all else needs.
const MEMORY_BYTES: u64 = 768 << 20;

/// Longest time for one, on a busy host.
const LIMIT: Duration = Duration::from_secs(20);

/// So many judgements.
pub(crate) fn round(times: u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let status = command
        .args(["--exact", "evidence::judge_mutated", "--nocapture"])
        .env(JUDGE, times.to_string())
        .current_dir(dir.path())
        .status()
        .unwrap();
    let judged = fs::read_to_string(dir.path().join(JUDGED)).unwrap_or_default();
    // The one that it ended with stays, to be judged by hand.
    assert!(status.success(), "{status}: {}", dir.keep().display());
    assert_eq!(judged, times.to_string(), "not all were judged");
}

/// Not a test by itself: what the process above does.
#[test]
fn judge_mutated() {
    let Ok(times) = std::env::var(JUDGE) else {
        return;
    };
    let limit = Some(MEMORY_BYTES);
    let limit = Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::As, limit).unwrap();
    let mut lots = Lots::new("mutated evidence");
    let all = originals();
    let mut figures: BTreeMap<&str, u32> = BTreeMap::new();
    let mut longest = Duration::ZERO;
    let dir = std::env::current_dir().unwrap();
    for number in 0..times.parse().unwrap() {
        let original = lots.of(&all);
        let mut folder = original.clone();
        let said = mutate(&mut folder, &mut lots);
        write(&dir, &folder);
        let begun = Instant::now();
        let came = judge(&dir);
        let took = begun.elapsed();
        longest = longest.max(took);
        assert!(took < LIMIT, "{number}: {said}: {took:?}");
        *figures.entry(came).or_default() += 1;
    }
    fs::write(dir.join(JUDGED), &times).unwrap();
    println!("{times} judgements, the longest in {longest:?}: {figures:?}");
}

/// Files by name.
type Folder = BTreeMap<String, Vec<u8>>;

fn originals() -> Vec<Folder> {
    let all = PathBuf::from(format!(
        "{}/../fixtures/evidence",
        env!("CARGO_MANIFEST_DIR")
    ));
    let folders = fs::read_dir(all).unwrap().flatten();
    let read = |folder: fs::DirEntry| {
        let files = fs::read_dir(folder.path()).unwrap().flatten();
        files
            .map(|file| {
                let name = file.file_name().into_string().unwrap();
                (name, fs::read(file.path()).unwrap())
            })
            .collect::<Folder>()
    };
    let mut all: Vec<Folder> = folders.map(read).collect();
    all.retain(|folder| folder.contains_key("evidence.json"));
    assert!(!all.is_empty());
    all.sort();
    all
}

/// Loads, judges, tabulates and draws it, as the commands do.
fn judge(folder: &Path) -> &'static str {
    let Ok((case, evidence, extra)) = store::load(folder) else {
        return "refused";
    };
    let (verdict, amount) = relaybed_judge::judge(&case, &evidence);
    let loaded = Loaded {
        source: fs::read_to_string(folder.join("scenario.toml"))
            .unwrap_or_default()
            .into(),
        path: folder.display().to_string().into(),
        origin: case.name.clone(),
        case,
    };
    for fold in [true, false] {
        let timeline = relaybed_report::timeline::Timeline::of(&loaded, &evidence, &verdict, fold);
        let told = relaybed_report::trace::Told {
            loaded: &loaded,
            evidence: &evidence,
            timeline: &timeline,
            verdict: &verdict,
        };
        relaybed_report::trace::write(&mut std::io::sink(), &told, 60).unwrap();
    }
    let page = relaybed_report::page::page(&relaybed_report::page::Shown {
        loaded: &loaded,
        evidence: &evidence,
        extra: &extra,
        verdict: &verdict,
        amount,
    });
    assert!(page.starts_with("<!DOCTYPE html>"));
    relaybed_report::outcome(&verdict)
}

/// Changes one to three things; what.
fn mutate(folder: &mut Folder, lots: &mut Lots) -> String {
    let mut said = Vec::new();
    for _ in 0..1 + lots.below(3) {
        let names: Vec<String> = folder.keys().cloned().collect();
        let name = lots.of(&names).clone();
        let bytes = folder.get_mut(&name).unwrap();
        let change = if name.ends_with(".json") || name.ends_with(".jsonl") {
            number(bytes, lots)
        } else {
            byte(bytes, lots)
        };
        said.push(format!("{name}: {change}"));
    }
    sums(folder);
    said.join("; ")
}

/// Numbers that ask for too much, or turn into other things when they are counted with.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "2",
    "31",
    "32",
    "255",
    "256",
    "65536",
    "2147483647",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
];

/// Replaces a number by another, a line by its neighbour, or a byte.
fn number(bytes: &mut Vec<u8>, lots: &mut Lots) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let digits: Vec<(usize, usize)> = runs(&text);
    match lots.below(8) {
        0 => {
            let mut lines: Vec<&str> = text.lines().collect();
            let (a, b) = (lots.below(lines.len()), lots.below(lines.len()));
            lines[a] = lines[b];
            *bytes = format!("{}\n", lines.join("\n")).into_bytes();
            format!("line {a} is line {b}")
        }
        1 => byte(bytes, lots),
        2 if digits.len() > 1 => {
            // A number from elsewhere in the file, which is likelier to fit.
            let (from, to) = (*lots.of(&digits), *lots.of(&digits));
            let value = text[from.0..from.1].to_owned();
            bytes.splice(to.0..to.1, value.bytes());
            format!("{value} at {}", to.0)
        }
        _ if !digits.is_empty() => {
            let (start, end) = *lots.of(&digits);
            let value = lots.of(&NUMBERS);
            bytes.splice(start..end, value.bytes());
            format!("{} is {value} at {start}", &text[start..end])
        }
        _ => byte(bytes, lots),
    }
}

/// Where numbers begin and end.
fn runs(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, c.is_ascii_digit()) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn byte(bytes: &mut Vec<u8>, lots: &mut Lots) -> String {
    if bytes.is_empty() {
        bytes.push(0);
        return "a byte".to_owned();
    }
    let at = lots.below(bytes.len());
    match lots.below(4) {
        0 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        1 => {
            bytes.insert(at, 0xff);
            format!("a byte more at {at}")
        }
        _ => {
            bytes[at] ^= 1 << lots.below(8);
            format!("a bit at {at}")
        }
    }
}

/// Writes the lengths and checksums that the files have now into the index, where that can still be read.
fn sums(folder: &mut Folder) {
    let Ok(mut index) = serde_json::from_slice::<Value>(&folder["evidence.json"]) else {
        return;
    };
    let Some(files) = index.get_mut("files").and_then(Value::as_object_mut) else {
        return;
    };
    for (name, sum) in files {
        if let (Some(bytes), Some(sum)) = (folder.get(name), sum.as_object_mut()) {
            sum.insert("bytes".to_owned(), bytes.len().into());
            sum.insert("crc32".to_owned(), crc32fast::hash(bytes).into());
        }
    }
    let text = serde_json::to_vec_pretty(&index).unwrap();
    folder.insert("evidence.json".to_owned(), text);
}

fn write(dir: &Path, folder: &Folder) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        fs::remove_file(entry.path()).unwrap();
    }
    for (name, bytes) in folder {
        fs::write(dir.join(name), bytes).unwrap();
    }
}
