//! Streams on disk: what a user of relay would have is, on a no-overwrite channel, byte for byte what the
//! producers wrote. Checked here against the records' own definition, not against the judge.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fs;

use relaybed_abi::{RB_RECORD_HEADER, RecordHeader, pattern_mismatch, record_len};
use relaybed_tests::call;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");
const SEED: u64 = 11;
const RECORDS: u32 = 300;

/// Two producers; a reader empties the first one's buffer while both write.
const SCENARIO: &str = r#"
summary = "Two CPUs fill their buffers; a program reads one of them meanwhile."
vcpus = 2

[channel.cpu]
subbuf_size = 8192
n_subbufs = 16

[[actor]]
name = "writer"
cpu = "each"
script = [{ write = "cpu", len = { min = 32, max = 300 }, count = 300 }]

[[actor]]
name = "reader"
context = "user"
script = [
    { open_file = "cpu", cpu = 0, as = "f" },
    { repeat = 20, steps = [{ read = "f", size = 5000 }] },
]
"#;

/// The bytes are the records of `actor`, each whole, all of them, in order, and nothing else.
#[track_caller]
fn are_the_records_of(bytes: &[u8], actor: u32, cpu: u16) {
    let mut at = 0;
    for seq in 0..RECORDS {
        let rest = &bytes[at..];
        let header = RecordHeader::parse(rest).unwrap();
        assert_eq!(
            (u32::from(header.actor), header.cpu, header.seq),
            (actor, cpu, seq)
        );
        assert_eq!(header.len, record_len(SEED, actor, seq, 32, 300));
        let payload = &rest[RB_RECORD_HEADER..header.len as usize];
        assert_eq!(
            pattern_mismatch(actor, seq, RB_RECORD_HEADER, payload),
            None,
            "record {seq}"
        );
        at += header.len as usize;
    }
    assert_eq!(at, bytes.len(), "something follows the last record");
}

#[test]
fn streams_are_what_the_producers_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.toml");
    fs::write(&file, SCENARIO).unwrap();
    let out = folder.path().join("out");
    let seed = SEED.to_string();
    let arguments = [
        "capture",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--seed",
        &seed,
    ];
    let said = call(RELAYBED, &arguments).expect_code(0).stdout;
    for cpu in 0..2u16 {
        let name = format!("cpu{cpu}.out");
        assert!(said.contains(&name), "{said}");
        are_the_records_of(&fs::read(out.join(name)).unwrap(), cpu.into(), cpu);
    }
    let index = fs::read_to_string(out.join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    for stream in index["streams"].as_array().unwrap() {
        let parts = stream["parts"].as_array().unwrap();
        let sum: u64 = parts.iter().map(|part| part["len"].as_u64().unwrap()).sum();
        assert_eq!(Some(sum), stream["bytes"].as_u64(), "{stream:#}");
    }
}

#[test]
fn capture_takes_exactly_one_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let ran = call(
        RELAYBED,
        &["capture", "ordering", "--out", out.to_str().unwrap()],
    );
    assert!(ran.expect_code(2).stderr.contains("exactly one"));
    assert!(!out.exists());
}
