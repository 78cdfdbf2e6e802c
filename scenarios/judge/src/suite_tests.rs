//! The suites that come with the tool, judged without a machine.

use relaybed_case::Case;
use relaybed_case::select::matches;
use relaybed_case::verdict::{Property, Verdict};
use relaybed_contract::Behaviour;
use relaybed_contract::behaviour::version;
use relaybed_lang as lang;

use super::forge::synthesize;
use super::{claims, flow, judge};

fn suites() -> Vec<Case> {
    lang::embedded()
        .flat_map(|(path, text)| lang::load(path, text).expect(path))
        .collect()
}

/// No expectation of a scenario contradicts relay as documented.
#[test]
fn no_suite_claims_what_relay_does_not_do() {
    let mut wrong = Vec::new();
    for case in suites() {
        for linux in [version(5, 10), version(6, 1), version(7, 2)] {
            for claim in claims(&case, &Behaviour::of(linux)) {
                wrong.push(format!("{}: {claim}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A correct kernel loses no record: each is kept, refused or overwritten.
#[test]
fn no_record_of_a_suite_is_lost_on_a_correct_kernel() {
    let (mut told, mut wrong) = (0, Vec::new());
    for case in suites() {
        for flow in flow(&case, &synthesize(&case, version(6, 1), case.vcpus)) {
            let parts = [flow.kept, flow.refused, flow.overwritten, flow.lost];
            let parts: Option<Vec<u64>> = parts.into_iter().collect();
            let Some(parts) = parts else { continue };
            told += 1;
            if parts.iter().sum::<u64>() != flow.written || flow.lost != Some(0) {
                wrong.push(format!("{}: {flow:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty() && told > 300, "{told} told, {wrong:#?}");
}

/// Files whose scenarios are about safety alone: writes nested where relay promises nothing else.
const SAFETY_ONLY: [&str; 3] = [
    "contexts/irqs-on-in-a-switch",
    "contexts/last-subbuf-in-a-switch",
    "contexts/nmi-in-a-switch",
];

/// A scenario in which nothing can be judged says nothing: the suites have none but those.
#[test]
fn something_is_judged_in_every_scenario() {
    let mut empty = Vec::new();
    for case in suites() {
        let evidence = synthesize(&case, version(6, 1), case.vcpus);
        let is_meant = SAFETY_ONLY.iter().any(|file| matches(file, &case.name));
        if judge(&case, &evidence).1.is_nothing() && !is_meant {
            empty.push(case.name);
        }
    }
    assert!(empty.is_empty(), "{empty:?}");
}

/// What a correct kernel leaves of any scenario passes, whichever way the order falls.
#[test]
fn what_a_correct_kernel_leaves_of_each_suite_passes() {
    let mut wrong = Vec::new();
    for case in suites() {
        for linux in [version(6, 1), version(7, 2)] {
            let evidence = synthesize(&case, linux, case.vcpus);
            if let (Verdict::Failed { findings } | Verdict::Known { findings, .. }, _) =
                judge(&case, &evidence)
                // Where the order is open, forged evidence has one that the author may not have meant.
                && findings[0].property() != Property::Expectation
            {
                wrong.push(format!("{}: {:#?}", case.name, findings[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
