//! Saved evidence of real runs, judged again: the format stays readable and the verdicts stay the same.

#![expect(
    clippy::expect_used,
    reason = "a test's helper fails the test by panicking"
)]

use relaybed_tests::{Call, call};
use serde_json::Value;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

fn judge(name: &str) -> Call {
    let folder = format!("{}/../fixtures/evidence/{name}", env!("CARGO_MANIFEST_DIR"));
    call(RELAYBED, &["judge", "--format", "json", &folder])
}

fn row(call: &Call) -> Value {
    call.rows().remove(0)
}

#[test]
fn two_empty_flushes_on_6_1_are_known_issue_k1() {
    let judged = judge("two-empty-flushes").expect_code(0);
    assert_eq!(row(&judged)["outcome"], "known");
    assert_eq!(row(&judged)["known"], "K1");
}

#[test]
fn a_torn_record_is_found_with_its_place() {
    let judged = judge("torn-record").expect_code(1);
    let row = row(&judged);
    assert_eq!(row["property"], "integrity");
    assert_eq!(row["cpu"], 1);
    let at = &row["failures"][0]["at"];
    assert_eq!(
        (&at["subbuf"], &at["offset"]),
        (&Value::from(3), &Value::from(15665))
    );
}

/// The evidence with the last byte of its data area changed: one of a record that was read.
fn judge_with_a_wrong_byte(name: &str) -> Call {
    let from = format!("{}/../fixtures/evidence/{name}", env!("CARGO_MANIFEST_DIR"));
    let to = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(from).expect("the evidence") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.path().join(file.file_name())).expect("a copy");
    }
    let data = to.path().join("data.bin");
    let mut bytes = std::fs::read(&data).expect("the data area");
    let saved = crc32fast::hash(&bytes).to_string();
    *bytes.last_mut().expect("bytes were read") ^= 0x20;
    std::fs::write(&data, &bytes).expect("the spoilt data area");
    let index = to.path().join("evidence.json");
    let text = std::fs::read_to_string(&index).expect("the index");
    let text = text.replace(&saved, &crc32fast::hash(&bytes).to_string());
    std::fs::write(&index, text).expect("the index of the spoilt data area");
    let folder = to.path().display().to_string();
    call(RELAYBED, &["judge", "--format", "json", &folder])
}

#[test]
fn readers_that_got_too_much_are_known_and_nothing_beyond_it_is() {
    for (name, id) in [
        ("reader-starts-over", "K31"),
        ("unwritten-in-the-switch", "K32"),
        ("oldest-cut", "K2"),
        ("unwritten-begin", "K33"),
        ("read-not-counted", "K37"),
    ] {
        let judged = judge(name).expect_code(0);
        assert_eq!(row(&judged)["outcome"], "known", "{name}");
        assert_eq!(row(&judged)["known"], id);
        let spoilt = judge_with_a_wrong_byte(name).expect_code(1);
        assert_eq!(row(&spoilt)["outcome"], "failed", "{name}");
    }
}

/// relay is asked for each part of a readv() on its own, and another reader came between two of them.
#[test]
fn parts_of_a_readv_may_have_other_reads_between_them() {
    let name = "readv-beside-a-read";
    let judged = judge(name).expect_code(0);
    assert_eq!(row(&judged)["outcome"], "passed");
    let spoilt = judge_with_a_wrong_byte(name).expect_code(1);
    assert_eq!(row(&spoilt)["outcome"], "failed");
}

#[test]
fn saved_evidence_is_shown_as_a_table_and_as_a_page() {
    for (name, word, code) in [
        ("two-empty-flushes", "known issue K1", 0),
        ("torn-record", "failed", 1),
    ] {
        let folder = format!("{}/../fixtures/evidence/{name}", env!("CARGO_MANIFEST_DIR"));
        let table = call(RELAYBED, &["trace", &folder]).expect_code(code);
        assert!(table.stdout.contains(word) && table.stdout.contains("✗1"));
        assert!(!table.stdout.contains('\u{1b}'), "colours in a pipe");
        let page = call(RELAYBED, &["report", &folder, "-o", "-"]).expect_code(0);
        assert!(page.stdout.starts_with("<!DOCTYPE html>") && page.stdout.contains(word));
    }
}

#[test]
fn a_page_of_no_evidence_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().display().to_string();
    let call = call(RELAYBED, &["report", &folder]).expect_code(3);
    assert!(call.stderr.contains("evidence.json"), "{}", call.stderr);
}
