//! Saved evidence of real runs, judged again: the format stays readable and the verdicts stay the same.

#![expect(
    clippy::expect_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::collections::BTreeSet;
use std::path::Path;

use relaybed_case::Case;
use relaybed_case::evidence::{BufferSeen, Evidence};
use relaybed_case::trace::Accessed;
use relaybed_case::verdict::Verdict;
use relaybed_tests::{Call, call};
use relaybed_wire::store;
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
        ("reserved-not-filled", "K40"),
        ("opened-and-kept", "K45"),
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

/// A folder of several runs gets an index, and each of them its page; what cannot be read is named there.
#[test]
fn a_run_is_shown_as_an_index_and_pages() {
    let run = tempfile::tempdir().expect("a folder");
    for name in ["torn-record", "oldest-cut"] {
        let from = format!("{}/../fixtures/evidence/{name}", env!("CARGO_MANIFEST_DIR"));
        let to = run.path().join("suite").join(name);
        std::fs::create_dir_all(&to).expect("a folder");
        for file in std::fs::read_dir(from).expect("evidence") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
        }
    }
    let broken = run.path().join("broken");
    std::fs::create_dir(&broken).expect("a folder");
    std::fs::write(broken.join("evidence.json"), "{").expect("a file");
    let folder = run.path().display().to_string();
    call(RELAYBED, &["report", &folder]).expect_code(0);
    let index = std::fs::read_to_string(run.path().join("index.html")).expect("an index");
    for part in [
        "2 scenarios",
        "1 failed",
        "known",
        "suite/torn-record/report.html",
        "broken: ",
    ] {
        assert!(index.contains(part), "{part}: {index}");
    }
    let page = run.path().join("suite/oldest-cut/report.html");
    assert!(
        std::fs::read_to_string(page)
            .expect("a page")
            .contains("known issue K2")
    );
    call(RELAYBED, &["report", &folder, "-o", "-"]).expect_code(2);
}

#[test]
fn a_page_of_no_evidence_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().display().to_string();
    let call = call(RELAYBED, &["report", &folder]).expect_code(3);
    assert!(call.stderr.contains("evidence.json"), "{}", call.stderr);
}

/// `schedules/reader-in-the-switch` on kernels that three compilers made.
const LED: [&str; 3] = ["led-5.10", "led-6.1", "led-7.3"];

fn load(name: &str) -> (Case, Evidence) {
    let folder = format!("{}/../fixtures/evidence/{name}", env!("CARGO_MANIFEST_DIR"));
    let (case, evidence, _) = store::load(Path::new(&folder)).expect("saved evidence");
    (case, evidence)
}

fn accesses(evidence: &Evidence) -> &[Accessed] {
    &evidence
        .trace
        .as_ref()
        .expect("a run under control")
        .accesses
}

/// The verdict where the accesses are others.
fn judge_with(case: &Case, evidence: &Evidence, change: impl Fn(&mut Vec<Accessed>)) -> Verdict {
    let mut other = evidence.clone();
    if let Some(trace) = &mut other.trace {
        change(&mut trace.accesses);
    }
    relaybed_judge::judge(case, &other).0
}

/// A name for an access that does not change with the kernel.
fn word(accessed: &Accessed) -> String {
    let access = &accessed.access;
    let symbol = access.by.symbol.split('.').next().unwrap_or_default();
    let verb = if access.kind.stores() {
        "stores"
    } else {
        "loads"
    };
    format!("{symbol} {verb} {}", access.field.word())
}

#[test]
fn a_run_under_control_is_led_on_every_kernel() {
    for name in LED {
        let (case, evidence) = load(name);
        let verdict = relaybed_judge::judge(&case, &evidence).0;
        assert!(
            matches!(&verdict, Verdict::Known { id, .. } if id == "K2"),
            "{name}: {verdict:#?}"
        );
    }
}

/// Two switches of one buffer at once (`fixtures/explore/flush-beside-a-writer.toml`): the padding that one callback
/// got is the other switch's, and in the other run the file grew by one of two sub-buffers only. No trace has
/// these members; where the binary loads and stores them decides.
const UNSEEN: [&str; 2] = ["argument-of-another-switch", "size-grown-once"];

#[test]
fn members_that_no_trace_has_are_accessed_where_binaries_do() {
    for name in UNSEEN {
        let (case, evidence) = load(name);
        let verdict = relaybed_judge::judge(&case, &evidence).0;
        assert_eq!(verdict, Verdict::Passed, "{name}");
    }
}

/// gcc 14 adds to the size in one instruction, and both switches count.
#[test]
fn the_size_may_be_as_another_compiler_would_have_it() {
    let (case, mut evidence) = load("size-grown-once");
    let seen = &mut evidence.observations[0].channels[0].buffers[0];
    assert_eq!(seen.file_size, Some(120));
    seen.file_size = Some(160);
    let verdict = relaybed_judge::judge(&case, &evidence).0;
    assert_eq!(verdict, Verdict::Passed);
}

#[test]
fn members_that_no_trace_has_may_not_have_any_value() {
    let fails = |name: &str, what: &str, change: &dyn Fn(&mut Evidence)| {
        let (case, mut evidence) = load(name);
        let as_it_was = evidence.clone();
        change(&mut evidence);
        assert_ne!(evidence, as_it_was, "{name}: {what}");
        let verdict = relaybed_judge::judge(&case, &evidence).0;
        assert!(matches!(verdict, Verdict::Failed { .. }), "{name}: {what}");
    };
    for name in UNSEEN {
        let events = load(name).1.events.len();
        // The first four are of the buffers' setting up.
        for number in 4..events {
            let what = format!("the argument of event {number}");
            fails(name, &what, &|evidence| {
                evidence.events[number].prev_padding ^= 8;
            });
        }
        for cpu in 0..2 {
            let buffer = |evidence: &mut Evidence, change: &dyn Fn(&mut BufferSeen)| {
                change(&mut evidence.observations[0].channels[0].buffers[cpu]);
            };
            fails(name, "prev_padding", &|evidence| {
                buffer(evidence, &|seen| {
                    seen.prev_padding = seen.prev_padding.map(|it| it ^ 8);
                });
            });
            for by in [8, 64] {
                fails(name, "the size", &|evidence| {
                    buffer(evidence, &|seen| {
                        seen.file_size = seen.file_size.map(|it| it + by);
                    });
                });
            }
        }
    }
}

#[test]
fn a_trace_with_a_wrong_value_is_not_relays() {
    for name in LED {
        let (case, evidence) = load(name);
        for index in 0..accesses(&evidence).len() {
            for (before, after) in [(1, 0), (0, 1), (1, 1)] {
                let verdict = judge_with(&case, &evidence, |all| {
                    all[index].access.before ^= before;
                    all[index].access.after ^= after;
                });
                let what = word(&accesses(&evidence)[index]);
                assert!(
                    matches!(verdict, Verdict::Failed { .. }),
                    "{name}: access {index}, {what}: {before} {after}"
                );
            }
        }
    }
}

/// Loads that another compiler might leave out: the source names the member there once more, or has no use for
/// its value.
const LEFT_OUT: [&str; 7] = [
    "relay_file_read loads consumed",
    "relay_file_read loads padding",
    "relay_file_read_consume loads consumed",
    "relay_file_read_consume loads offset",
    "relay_file_read_consume loads produced",
    "relay_subbufs_consumed loads consumed",
    "relay_switch_subbuf loads padding",
];

/// Loads behind which another compiler might make one more.
const AGAIN: [&str; 4] = [
    "bed_relay_write loads offset",
    "relay_file_read loads padding",
    "relay_subbufs_consumed loads consumed",
    "relay_switch_subbuf loads offset",
];

/// Neighbours that another compiler might have the other way round: pairs of `Spot::may_pass`, and loads of one
/// member.
const EITHER_WAY: [&str; 14] = [
    "bed_relay_write loads offset | bed_relay_write loads data",
    "bed_relay_write loads offset | relay_switch_subbuf loads offset",
    "relay_file_read loads consumed | relay_file_read loads produced",
    "relay_file_read loads offset | relay_file_read loads consumed",
    "relay_file_read stores bytes_consumed | relay_file_read stores consumed",
    "relay_file_read_consume loads bytes_consumed | relay_file_read_consume loads consumed",
    "relay_file_read_consume loads consumed | relay_file_read_consume loads produced",
    "relay_file_read_consume loads offset | relay_file_read loads offset",
    "relay_file_read_consume loads produced | relay_subbufs_consumed loads produced",
    "relay_subbufs_consumed loads consumed | relay_subbufs_consumed loads consumed",
    "relay_switch_subbuf loads data | relay_switch_subbuf stores offset",
    "relay_switch_subbuf loads offset | bed_relay_write loads offset",
    "relay_switch_subbuf loads produced | relay_switch_subbuf loads data",
    "relay_switch_subbuf stores offset | relay_switch_subbuf loads data",
];

/// Relay's own accesses by which a changed trace is still relay's.
fn passing(
    name: &str,
    change: impl Fn(&mut Vec<Accessed>, usize),
    word: impl Fn(&[Accessed], usize) -> Option<String>,
) -> BTreeSet<String> {
    let (case, evidence) = load(name);
    let all = accesses(&evidence);
    let mut passing = BTreeSet::new();
    for index in 0..all.len() {
        let Some(word) = word(all, index).filter(|word| !passing.contains(word)) else {
            continue;
        };
        let verdict = judge_with(&case, &evidence, |all| change(all, index));
        if !matches!(verdict, Verdict::Failed { .. }) {
            passing.insert(word);
        }
    }
    passing
}

fn own_word(all: &[Accessed], index: usize) -> Option<String> {
    let is_relays = |accessed: &&Accessed| accessed.access.by.is_relay();
    all.get(index).filter(is_relays).map(word)
}

#[track_caller]
fn are_among(name: &str, passing: &BTreeSet<String>, allowed: &[&str]) {
    let mut others = passing.iter();
    let other = others.find(|word| !allowed.contains(&word.as_str()));
    assert_eq!(other, None, "{name}");
}

#[test]
fn a_trace_that_lacks_an_access_is_not_relays() {
    for name in LED {
        let lacks = |all: &mut Vec<Accessed>, index: usize| {
            all.remove(index);
        };
        are_among(name, &passing(name, lacks, own_word), &LEFT_OUT);
    }
}

#[test]
fn a_trace_with_an_access_too_much_is_not_relays() {
    for name in LED {
        let twice = |all: &mut Vec<Accessed>, index: usize| {
            let mut again = all[index].clone();
            again.access.before = again.access.after;
            all.insert(index + 1, again);
        };
        are_among(name, &passing(name, twice, own_word), &AGAIN);
    }
}

#[test]
fn a_trace_in_another_order_is_not_relays() {
    for name in LED {
        let swapped = |all: &mut Vec<Accessed>, index: usize| {
            let before = (all[index].before, all[index + 1].before);
            all.swap(index, index + 1);
            (all[index].before, all[index + 1].before) = before;
        };
        let pair = |all: &[Accessed], index: usize| {
            let (one, other) = (all.get(index)?, all.get(index + 1)?);
            let differ = one.vcpu == other.vcpu && one.access != other.access;
            let words = (own_word(all, index)?, own_word(all, index + 1)?);
            differ.then(|| format!("{} | {}", words.0, words.1))
        };
        are_among(name, &passing(name, swapped, pair), &EITHER_WAY);
    }
}

/// A flush of another CPU in the middle of a write: the offset ends up behind the sub-buffer, and a switch takes a
/// padding from it that is below zero. It is K41 with just this padding.
#[test]
fn a_flush_beside_a_write_is_known_with_the_padding_it_leaves() {
    let (case, evidence) = load("flush-beside-a-write");
    let Verdict::Known { id, .. } = relaybed_judge::judge(&case, &evidence).0 else {
        panic!("not known");
    };
    assert_eq!(id, "K41");
    for padding in [1, 25] {
        let mut other = evidence.clone();
        let end = other.observations.last_mut().expect("the end");
        end.channels[0].buffers[0].padding[0] = padding;
        let verdict = relaybed_judge::judge(&case, &other).0;
        assert!(
            matches!(verdict, Verdict::Failed { .. }),
            "{padding}: {verdict:?}"
        );
    }
}

/// The same two: a flush marks the buffer full between a writer's switch and its copy, so the record is written behind
/// the last sub-buffer, and the offset stays beyond it.
#[test]
fn a_record_behind_the_ring_is_known_to_its_last_byte() {
    let (case, evidence) = load("written-behind-the-ring");
    let Verdict::Known { id, findings } = relaybed_judge::judge(&case, &evidence).0 else {
        panic!("not known");
    };
    assert_eq!(id, "K41");
    let codes: Vec<String> = findings.iter().map(|f| f.code().to_string()).collect();
    assert!(codes.contains(&"R1104".to_owned()), "{codes:?}");
    let ring = 4 * 64;
    for place in [ring, ring + 1, ring + 40, ring + 41] {
        let mut other = evidence.clone();
        let end = other.observations.last_mut().expect("the end");
        end.channels[0].buffers[0].bytes[place] ^= 0x20;
        let verdict = relaybed_judge::judge(&case, &other).0;
        assert!(
            matches!(verdict, Verdict::Failed { .. }),
            "{place}: {verdict:?}"
        );
    }
}

/// Between the two stores by which a reader that was lapped moves (`bytes_consumed`, then `subbufs_consumed`, in this
/// binary) a writer looked at the counts: it was refused by the old one.
#[test]
fn a_writer_between_the_two_stores_of_a_lapped_reader_is_known() {
    let (case, evidence) = load("lapped-between-two-stores");
    let Verdict::Known { id, .. } = relaybed_judge::judge(&case, &evidence).0 else {
        panic!("not known");
    };
    assert_eq!(id, "K2");
    let mut other = evidence.clone();
    let refused = other.events.iter_mut().find(|event| event.verdict == 0);
    refused.expect("a refused switch").consumed = 1;
    let verdict = relaybed_judge::judge(&case, &other).0;
    assert!(matches!(verdict, Verdict::Failed { .. }), "{verdict:?}");
}
