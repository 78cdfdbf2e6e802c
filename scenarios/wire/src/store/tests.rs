//! What was saved is what is loaded, and nothing else is loaded.

mod schedules;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use relaybed_abi::{ChanState, Event, OpResult};
use zerocopy::FromZeros;

use super::files::{CASE, CONSOLE, DATA, EVENTS, INDEX, RESULTS, SCENARIO, SCHEDULE};
use super::{Extra, StoreError, load, save};
use relaybed_case::access::{Access, AccessKind, Code};
use relaybed_case::evidence::{
    BufferSeen, ChannelSeen, Evidence, Held, Observation, OwnRelay, Setting,
};
use relaybed_case::field::Field;
use relaybed_case::place::{Place as At, Stop};
use relaybed_case::trace::{Accessed, Step, Trace};
use relaybed_case::{Actor, Case, Channel, Context, Files, Mode, Op, Place};

const SOURCE: &str = "summary = \"A case.\"\n";
const BUFFER: &str = "obs1-ch0-cpu1.bin";

fn case() -> Case {
    let ops = vec![
        Op::Checkpoint {
            label: "middle".to_owned(),
        },
        Op::Flush { channel: 0 },
    ];
    let place = Place::Kernel {
        cpu: 1,
        context: Context::Task,
    };
    Case {
        name: "suite/case".to_owned(),
        summary: "A case.".to_owned(),
        vcpus: 2,
        seed: u64::MAX,
        needs: Vec::new(),
        channels: vec![Channel {
            name: "../cpu".replace('/', "-"),
            subbuf_size: 2000,
            n_subbufs: 3,
            mode: Mode::Default,
            header_bytes: 0,
            files: Files::Direct,
            open_at_start: true,
            client: relaybed_case::Client::default(),
        }],
        actors: vec![Actor {
            name: "writer".to_owned(),
            place,
            source: None,
            ops,
        }],
        gates: Vec::new(),
        expect: Vec::new(),
        may_fail: true,
        schedule: Vec::new(),
    }
}

fn buffer(cpu: u32, stats: Option<(u64, u64)>) -> BufferSeen {
    BufferSeen {
        cpu,
        produced: 3,
        consumed: u64::MAX,
        offset: 2001,
        data: 4000,
        padding: vec![1, 2, 3],
        bytes_consumed: 4,
        finalized: 0,
        prev_padding: None,
        early_bytes: 5,
        stats,
        file_size: Some(6),
        bytes: (0..8192u32)
            .map(|i| i.to_le_bytes()[usize::from(cpu == 1)])
            .collect(),
    }
}

fn observation(label: Option<&str>, at: Option<(usize, usize)>) -> Observation {
    let channel = ChannelSeen {
        state: ChanState::Open,
        version: 7,
        subbuf_size: 2000,
        n_subbufs: 3,
        alloc_size: 8192,
        last_toobig: Some(9),
        held: Some(Held {
            pieces: 6,
            bytes: 900,
            at: "relay_open".to_owned(),
        }),
        is_global: false,
        buffers: vec![buffer(0, None), buffer(1, Some((1, 2)))],
    };
    Observation {
        label: label.map(str::to_owned),
        at,
        channels: vec![channel],
    }
}

fn evidence() -> Evidence {
    let mut results = vec![OpResult::new_zeroed(); 2];
    results[1].error = -22;
    results[1].start_ns = u64::MAX;
    (results[1].data_offset, results[1].data_bytes) = (6, 5);
    let mut events = vec![Event::new_zeroed(); 3];
    events[2].kind = 1;
    events[2].prev_padding = u64::MAX;
    Evidence {
        setting: Setting {
            release: "6.1.0-99-amd64".to_owned(),
            linux_version: 0x0006_0101,
            vcpus: 2,
            backend: "qemu".to_owned(),
            accel: "tcg".to_owned(),
            plant: None,
            relay: Some(OwnRelay {
                origin: "/src/linux/kernel/relay.c".to_owned(),
                sha256: "00ff".to_owned(),
                version: None,
            }),
        },
        observations: vec![
            observation(Some("middle"), Some((0, 0))),
            observation(None, None),
        ],
        results: vec![results],
        events,
        events_lost: 1,
        data: b"Hello world".to_vec(),
        data_lost: 2,
        console: "[    0.0] Linux\u{fffd}\n".to_owned(),
        taint_before: 0x1000,
        taint_after: 0x1001,
        trace: Some(trace()),
    }
}

fn extra() -> Extra {
    let notes = [("worth".to_owned(), "keeping".to_owned())].into();
    let repeat = "relaybed run suite/case --seed 3".to_owned();
    Extra {
        repeat,
        seed: 3,
        duration_ms: 12,
        notes,
        ..Extra::default()
    }
}

fn trace() -> Trace {
    let code = At::Code {
        symbol: "relay_switch_subbuf".to_owned(),
        offset: 0x1a,
    };
    let data = At::Data {
        channel: 0,
        cpu: 1,
        field: Field::Produced,
        write: true,
    };
    let places = [
        At::Operation { actor: 0, op: 2 },
        code,
        data,
        At::Tick,
        At::Idle,
    ];
    let step = |place| Step {
        stop: Stop { vcpu: 1, place },
        enabled: vec![0, 1],
        next: 0,
        order: 9,
    };
    Trace {
        steps: places.into_iter().map(step).collect(),
        accesses: vec![access(2, None), access(2, Some(1)), access(5, None)],
    }
}

fn access(before: usize, slot: Option<u32>) -> Accessed {
    Accessed {
        before,
        vcpu: 1,
        order: 11,
        access: Access {
            channel: 0,
            cpu: 1,
            field: slot.map_or(Field::Produced, |_| Field::Padding),
            slot,
            kind: AccessKind::LoadAndStore,
            before: 7,
            after: u64::MAX,
            by: Code {
                symbol: "relay_switch_subbuf".to_owned(),
                offset: 0x52,
            },
        },
    }
}

fn saved(dir: &Path) {
    save(dir, &case(), SOURCE, &evidence(), &extra()).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let entry = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(entry)
        .map(|name| name.into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_saved_is_loaded() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("deep/er/evidence");
    saved(&dir);
    assert_eq!(load(&dir).unwrap(), (case(), evidence(), extra()));
    assert_eq!(fs::read_to_string(dir.join(SCENARIO)).unwrap(), SOURCE);
    assert_eq!(
        fs::read_to_string(dir.join(EVENTS))
            .unwrap()
            .lines()
            .count(),
        3
    );
    assert_eq!(
        names(dir.parent().unwrap()),
        ["evidence"],
        "nothing is left aside"
    );
}

#[test]
fn a_run_that_left_nothing_is_evidence_too() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("evidence");
    let mut nothing = evidence();
    nothing.observations.clear();
    nothing.events.clear();
    nothing.console.clear();
    save(&dir, &case(), "", &nothing, &Extra::default()).unwrap();
    assert_eq!(load(&dir).unwrap().1, nothing);
}

#[test]
fn evidence_is_replaced_whole_and_nothing_else_is() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("evidence");
    saved(&dir);
    fs::write(dir.join("machine.log"), b"").unwrap();
    let mut second = evidence();
    second.observations.pop();
    save(&dir, &case(), SOURCE, &second, &extra()).unwrap();
    assert_eq!(load(&dir).unwrap().1, second);
    assert!(!dir.join("machine.log").exists() && !dir.join(BUFFER).exists());

    let home = parent.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("letter"), b"dear").unwrap();
    let error = save(&home, &case(), SOURCE, &second, &extra()).unwrap_err();
    assert!(matches!(error, StoreError::Occupied { .. }), "{error}");
    let error = save(&home.join("letter"), &case(), SOURCE, &second, &extra()).unwrap_err();
    assert!(matches!(error, StoreError::Occupied { .. }), "{error}");
    assert_eq!(names(&home), ["letter"]);
    assert_eq!(names(parent.path()), ["evidence", "home"]);
}

/// Loads after a change of a good folder and checks the error's text.
fn assert_named(change: impl FnOnce(&Path), part: &str) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("evidence");
    saved(&dir);
    change(&dir);
    let text = load(&dir).unwrap_err().to_string();
    assert!(text.contains(part), "{text:?} does not contain {part:?}");
}

/// Replaces text in the index, which no checksum guards.
fn index(from: &'static str, to: &'static str) -> impl FnOnce(&Path) {
    move |dir| {
        let path = dir.join(INDEX);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

#[test]
fn files_that_are_not_what_was_saved_are_named() {
    for name in [
        RESULTS, EVENTS, DATA, CONSOLE, BUFFER, SCHEDULE, INDEX, CASE,
    ] {
        assert_named(
            |dir| fs::remove_file(dir.join(name)).unwrap(),
            &format!("{name}\" is missing"),
        );
        let replace = |dir: &Path| {
            fs::remove_file(dir.join(name)).unwrap();
            symlink("/dev/zero", dir.join(name)).unwrap();
        };
        assert_named(replace, &format!("{name}\" is not a regular file"));
    }
    for name in [CASE, RESULTS, EVENTS, DATA, CONSOLE, BUFFER, SCHEDULE] {
        let cut = |dir: &Path| {
            let bytes = fs::read(dir.join(name)).unwrap();
            fs::write(dir.join(name), &bytes[..bytes.len() - 1]).unwrap();
        };
        assert_named(cut, &format!("{name}\" is damaged: its length"));
        let flip = |dir: &Path| {
            let mut bytes = fs::read(dir.join(name)).unwrap();
            bytes[0] ^= 1;
            fs::write(dir.join(name), bytes).unwrap();
        };
        assert_named(flip, &format!("{name}\" is damaged: its CRC-32"));
        let grow = |dir: &Path| {
            fs::File::options()
                .write(true)
                .open(dir.join(name))
                .unwrap()
                .set_len(1 << 40)
                .unwrap();
        };
        assert_named(grow, &format!("{name}\" has 1099511627776 bytes, at most"));
    }
}

#[test]
fn an_index_that_makes_no_sense_is_named() {
    assert_named(index("{", "["), "cannot be understood (line 2)");
    assert_named(
        index("\"format\": 1", "\"format\": 2"),
        "has format 2, this program reads 1",
    );
    assert_named(index("\"produced\"", "\"made\""), "cannot be understood");
    assert_named(
        index(BUFFER, "../../etc/passwd"),
        "lists no file \"obs1-ch0-cpu1.bin\"",
    );
    assert_named(index("\"cpu\": 1", "\"cpu\": 0"), "CPU 0 is out of order");
    assert_named(
        index("\"cpu\": 1", "\"cpu\": 4294967295"),
        "CPU 4294967295 is out of order",
    );
    assert_named(index("\"n_subbufs\": 3", "\"n_subbufs\": 4"), "by its case");
    assert_named(
        index("\"alloc_size\": 8192", "\"alloc_size\": 4096"),
        "by its case",
    );
    assert_named(
        index("\"state\": \"open\"", "\"state\": \"closed\""),
        "is not open",
    );
    assert_named(
        index("\"at\": null", "\"at\": [0, 1]"),
        "no checkpoint as its operation 1",
    );
    assert_named(
        index("\"data_lost\": 2", "\"data_lost\": -1"),
        "cannot be understood",
    );
    let extra_file = "\"files\": {\n \"../x\": {\"bytes\": 0, \"crc32\": 0},";
    assert_named(index("\"files\": {", extra_file), "lists a file \"../x\"");
}

/// Writes a file and what the index says of it, as someone who forges evidence would.
fn forge(dir: &Path, name: &str, bytes: &[u8]) {
    fs::write(dir.join(name), bytes).unwrap();
    let path = dir.join(INDEX);
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    index["files"][name]["bytes"] = bytes.len().into();
    index["files"][name]["crc32"] = crc32fast::hash(bytes).into();
    fs::write(path, serde_json::to_vec(&index).unwrap()).unwrap();
}

#[test]
fn forged_files_must_still_fit() {
    assert_named(
        |dir| forge(dir, CASE, b"{}"),
        "case.json\" cannot be understood",
    );
    let bad_case = serde_json::to_vec(&Case { vcpus: 1, ..case() }).unwrap();
    assert_named(
        |dir| forge(dir, CASE, &bad_case),
        "holds a case that cannot be run",
    );
    assert_named(|dir| forge(dir, RESULTS, b""), "one for each operation");
    assert_named(
        |dir| forge(dir, EVENTS, b"{}\n"),
        "events.jsonl\" cannot be understood (line 1)",
    );
    assert_named(|dir| forge(dir, CONSOLE, &[0xff]), "not UTF-8");
    assert_named(
        |dir| forge(dir, BUFFER, &[0; 8191]),
        "has 8191 bytes, not 8192",
    );
    assert_named(
        |dir| forge(dir, DATA, b""),
        "its bytes end at 11, 2 were taken",
    );
}

#[test]
fn what_else_lies_beside_evidence_outlives_its_replacement() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("case");
    save(&folder, &case(), SOURCE, &evidence(), &extra()).unwrap();
    // Of ours, made of the first run.
    fs::write(folder.join("report.html"), "old page").unwrap();
    fs::write(folder.join("obs7-ch0-cpu0.bin"), "old buffer").unwrap();
    // Not ours.
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    fs::create_dir_all(folder.join("mine/deep")).unwrap();
    fs::write(folder.join("mine/deep/file"), "deep").unwrap();
    symlink("/nowhere", folder.join("link")).unwrap();
    save(&folder, &case(), SOURCE, &evidence(), &extra()).unwrap();
    load(&folder).unwrap();
    assert_eq!(fs::read(folder.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(fs::read(folder.join("mine/deep/file")).unwrap(), b"deep");
    assert_eq!(
        fs::read_link(folder.join("link")).unwrap(),
        Path::new("/nowhere")
    );
    assert!(!folder.join("report.html").exists());
    assert!(!folder.join("obs7-ch0-cpu0.bin").exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
