//! The end-to-end proof that green means something: for every defect that the module plants in its own
//! output on a real kernel, the run ends red and names the right property.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use relaybed_tests::call;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// Runs the suites with one planted defect: exit code 1, and every failure names `property` first.
#[track_caller]
fn must_be_caught(kind: &str, property: &str) {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let ran = call(
        RELAYBED,
        &["run", "--format", "json", "--plant", kind, "--out", folder],
    );
    let ran = ran.expect_code(1);
    let rows = ran.rows();
    let failed: Vec<_> = rows
        .iter()
        .filter(|row| row["outcome"] == "failed")
        .collect();
    assert!(!failed.is_empty());
    for row in &failed {
        assert_eq!(row["property"], property, "{row:#}");
    }
    // Where the defect was planted it was noticed: what is left was skipped for want of a target.
    for row in rows.iter().filter(|row| row.get("name").is_some()) {
        assert_ne!(
            row["outcome"], "passed",
            "the planted defect went unnoticed: {row:#}"
        );
    }
}

macro_rules! plants {
    ($($name:ident: $kind:literal => $property:literal,)+) => {
        $(#[test] fn $name() { must_be_caught($kind, $property); })+
    };
}

plants! {
    a_torn_record_breaks_integrity: "torn" => "integrity",
    a_lost_record_breaks_conservation: "lost" => "conservation",
    a_repeated_record_breaks_conservation: "repeat" => "conservation",
    swapped_records_break_ordering: "reorder" => "ordering",
    a_misplaced_record_breaks_placement: "misplace" => "placement",
    wrong_padding_breaks_padding: "padding" => "padding",
    a_stale_slot_breaks_overwrite: "stale" => "overwrite",
    a_record_of_another_cpu_breaks_affinity: "wrong-cpu" => "affinity",
}
