//! Saved evidence of real runs, judged again: the format stays readable and the verdicts stay the same.

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
