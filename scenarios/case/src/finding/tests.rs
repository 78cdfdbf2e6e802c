//! What holds for every finding: a code that stays, an explanation, text that is safe to print.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::draw::{Draw, Lots};
use super::*;

fn finding() -> impl Strategy<Value = Finding> {
    prop::collection::vec(any::<u64>(), 0..60).prop_map(|lots| Finding::draw(&mut Lots(lots)))
}

proptest! {
    #[test]
    fn any_finding_comes_back_from_json(finding in finding()) {
        let text = serde_json::to_string(&finding).unwrap();
        let back: Finding = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back, finding);
    }

    #[test]
    fn any_text_is_on_one_line_and_harmless(finding in finding()) {
        for text in [
            finding.to_string(),
            finding.expected(),
            finding.seen(),
            finding.at.to_string(),
            finding.identity().to_string(),
        ] {
            prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
            prop_assert!(!text.is_empty());
        }
    }

    #[test]
    fn any_code_is_explained_and_belongs_to_its_property(finding in finding()) {
        let entry = explain(finding.code()).expect("an explanation");
        prop_assert_eq!(entry.property, finding.property());
        prop_assert_eq!(finding.code().property(), Some(finding.property()));
    }
}

#[test]
fn codes_are_as_they_were() {
    let mut lines = String::new();
    for entry in explanations() {
        lines.push_str(&format!(
            "{} {}: {}\n",
            entry.code, entry.property, entry.sentence
        ));
    }
    // New codes are added; what stands there stays, though its sentence may be put better.
    insta::assert_snapshot!("codes", lines);
}

#[test]
fn every_code_is_explained_once_and_in_full() {
    let mut codes = BTreeSet::new();
    let mut last = None;
    for entry in explanations() {
        assert!(codes.insert(entry.code), "{} is there twice", entry.code);
        assert_eq!(entry.code.property(), Some(entry.property));
        for text in [entry.means, entry.correct, entry.cause] {
            let text = text.trim();
            assert!(text.len() > 15, "{}: {text:?}", entry.code);
            assert!(text.ends_with('.'), "{}: {text:?}", entry.code);
        }
        if last.is_some_and(|last: Property| last == entry.property) {
            assert!(codes.iter().next_back() == Some(&entry.code));
        }
        last = Some(entry.property);
    }
    let properties: BTreeSet<Property> = explanations().map(|entry| entry.property).collect();
    assert_eq!(properties, Property::ALL.iter().copied().collect());
}

#[test]
fn codes_are_read_as_they_are_written_and_near_ones_are_offered() {
    for entry in explanations() {
        assert_eq!(entry.code.to_string().parse(), Ok(entry.code));
    }
    let code = |text: &str| text.parse::<Code>();
    assert_eq!(code("r0301"), code("R0301"));
    for bad in ["", "R", "301", "R301", "R03011", "R+301", "K0301"] {
        assert!(code(bad).is_err(), "{bad}");
    }
    assert_eq!(Code::near("R0399").first(), code("R0303").ok().as_ref());
    assert_eq!(Code::near("301").first(), code("R0301").ok().as_ref());
    assert_eq!(Code::near("padding"), []);
}

#[test]
fn what_two_runs_have_in_common_is_code_and_place() {
    let at = |cpu| Location {
        channel: Some("cpu".to_owned()),
        cpu: Some(cpu),
        offset: Some(u64::from(cpu)),
        ..Location::default()
    };
    let torn = |cpu, wrong_at| {
        let what = Integrity::Torn {
            record: Record::Unnamed,
            len: Bytes(9),
            wrong_at,
        };
        Finding::new(at(cpu), what)
    };
    assert_eq!(torn(1, 5).identity(), torn(1, 6).identity());
    assert_ne!(torn(1, 5).identity(), torn(0, 5).identity());
    assert_eq!(
        torn(1, 5).identity().to_string(),
        "R0301 integrity, channel cpu CPU 1"
    );
}
