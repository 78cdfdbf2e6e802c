//! Generated scenarios on a real kernel: a fixed seed shows nothing unexplained, and a defect that is
//! planted in them is found, made small, and shown again by the file that is left.

use std::path::Path;

use relaybed_tests::call;

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

#[test]
fn generated_scenarios_show_nothing_unexplained() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let arguments = [
        "fuzz", "--seed", "20261121", "--count", "400", "--format", "json", "--out", folder,
    ];
    let ran = call(RELAYBED, &arguments).expect_code(0);
    let summary = ran.summary();
    assert_eq!(summary["fuzz"]["ran"], 400, "{summary:#}");
    // Most of them are predicted to the last byte, or the proof is worth little.
    assert!(summary["fuzz"]["exact"].as_u64().unwrap() > 250);
    // The seed is kept whatever happens; nothing is left of what passed.
    let kept = std::fs::read_to_string(out.path().join("fuzz/20261121.txt")).unwrap();
    assert!(kept.starts_with("relaybed fuzz --seed 20261121"), "{kept}");
    assert_eq!(
        std::fs::read_dir(out.path().join("fuzz")).unwrap().count(),
        1
    );
}

#[test]
fn a_planted_defect_is_found_made_small_and_shown_again() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let arguments = [
        "fuzz",
        "--seed",
        "1",
        "--count",
        "200",
        "--family",
        "sequential",
        "--plant",
        "torn",
        "--fail-fast",
        "--format",
        "json",
        "--out",
        folder,
    ];
    let ran = call(RELAYBED, &arguments).expect_code(1);
    let rows = ran.rows();
    let failed = rows.iter().find(|row| row["outcome"] == "failed").unwrap();
    assert_eq!(failed["property"], "integrity", "{failed:#}");
    let evidence = failed["evidence"].as_str().unwrap();
    let minimal = Path::new(evidence).join("minimal.toml");
    let text = std::fs::read_to_string(&minimal).unwrap();
    // A record that is torn needs somebody who writes it, and hardly anything else.
    let operations = text.lines().filter(|line| line.starts_with("    {"));
    assert!(operations.count() <= 2, "{text}");

    let again = failed["rerun"].as_str().unwrap();
    assert!(again.contains("minimal.toml"), "{again}");
    let words: Vec<&str> = again.split_whitespace().skip(1).collect();
    let rest = ["--format", "json", "--out", folder];
    let ran = call(RELAYBED, &[&words[..], &rest[..]].concat()).expect_code(1);
    let rows = ran.rows();
    assert_eq!(rows[0]["property"], "integrity", "{:#}", rows[0]);
}
