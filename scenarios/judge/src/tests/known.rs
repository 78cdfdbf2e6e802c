//! Documented defects are explained, and nothing that goes beyond them.

use super::cases::{OLD, case, channel, first, producer, reader_behind_the_gate};
use crate::forge::{as_built, synthesize};
use crate::judge;
use relaybed_abi::EventKind;
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::{Regression, What};
use relaybed_case::verdict::{Property, Verdict};
use relaybed_case::{Case, Mode, Op, Payload, Via};
use relaybed_contract::Behaviour;
use relaybed_contract::behaviour::version;
use relaybed_lang as lang;
use relaybed_twin::{Defect, Defects, Issue, defects_of, issues};

/// Kernels of which scenarios are judged here.
const KERNELS: [u32; 4] = [version(5, 10), version(6, 1), version(6, 12), version(7, 2)];

/// Scenarios that show the issue surely, each with a kernel that has it.
fn shown(issue: &Issue) -> Vec<(Case, u32)> {
    let cases = lang::embedded().flat_map(|(path, text)| lang::load(path, text).expect(path));
    cases
        .filter(|case| issue.is_shown_by(&case.name) && case.schedule.is_empty())
        .filter_map(|case| {
            let has = |linux: &u32| {
                issue.kernels.includes(*linux) && Behaviour::of(*linux).lacks(&case.needs).is_none()
            };
            let linux = KERNELS.into_iter().find(has)?;
            Some((case, linux))
        })
        .collect()
}

/// What a kernel leaves that has all the defects it should have.
fn left(case: &Case, linux: u32) -> Evidence {
    as_built(case, linux, case.vcpus, defects_of(linux))
}

/// Issues that show themselves where one operation follows another.
fn sequential() -> impl Iterator<Item = &'static Issue> {
    use Defect::{K2, K9, K31, K32, K33, K37, K38, K39, K40, K41, K42, K43, K44};
    let races = [
        K2, K9, K31, K32, K33, K37, K38, K39, K40, K41, K42, K43, K44,
    ];
    issues()
        .iter()
        .filter(move |issue| issue.defect.is_some_and(|defect| !races.contains(&defect)))
}

#[test]
fn every_issue_is_explained_in_the_scenarios_that_show_it() {
    let mut wrong = Vec::new();
    for issue in sequential() {
        let all = shown(issue);
        assert!(!all.is_empty(), "no scenario shows {}", issue.id);
        for (case, linux) in all {
            match judge(&case, &left(&case, linux)).0 {
                Verdict::Known { id, .. } if id.split('+').any(|id| id == issue.id) => {}
                other => wrong.push(format!("{} {}: {other:#?}", issue.id, case.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a kernel may do besides, each at its first place in the evidence, if it has one.
type Deviation = (&'static str, fn(&mut Evidence) -> bool);

const DEVIATIONS: &[Deviation] = &[
    ("another errno", |evidence| {
        let mut results = evidence.results.iter_mut().flatten();
        let failed = results.find(|result| result.error != 0);
        failed.is_some_and(|result| {
            result.error = -71;
            true
        })
    }),
    ("a success that was a failure", |evidence| {
        let mut results = evidence.results.iter_mut().flatten();
        let failed = results.find(|result| result.error != 0);
        failed.is_some_and(|result| {
            result.error = 0;
            true
        })
    }),
    ("a failure that was a success", |evidence| {
        let mut results = evidence.results.iter_mut().flatten();
        let done = results.find(|result| result.error == 0 && result.value != 0);
        done.is_some_and(|result| {
            (result.error, result.value) = (-5, 0);
            true
        })
    }),
    ("a value off by one", |evidence| {
        let mut results = evidence.results.iter_mut().flatten();
        let done = results.find(|result| result.error == 0 && result.value != 0);
        done.is_some_and(|result| {
            result.value += 1;
            true
        })
    }),
    ("a byte more read", |evidence| {
        let read = EventKind::Read.code();
        let mut events = evidence.events.iter_mut();
        let call = events.find(|event| event.kind == read && event.produced.cast_signed() >= 0);
        call.is_some_and(|call| {
            call.produced += 1;
            evidence.data.push(0);
            true
        })
    }),
    ("another byte read", |evidence| {
        let read = EventKind::Read.code();
        let mut events = evidence.events.iter();
        let call = events.find(|event| event.kind == read && event.produced.cast_signed() > 0);
        let at = call.and_then(|call| usize::try_from(call.consumed).ok());
        at.and_then(|at| evidence.data.get_mut(at))
            .is_some_and(|byte| {
                *byte ^= 1;
                true
            })
    }),
    ("a stray byte", |evidence| {
        let end = evidence.observations.last_mut();
        let buffers = end.into_iter().flat_map(|end| &mut end.channels);
        let mut buffers = buffers.flat_map(|channel| &mut channel.buffers);
        let last = buffers.next().and_then(|buffer| buffer.bytes.last_mut());
        last.is_some_and(|byte| {
            *byte ^= 0xee;
            true
        })
    }),
    ("produced off by one", |evidence| {
        at_end(evidence, |buffer| buffer.produced += 1)
    }),
    ("consumed off by one", |evidence| {
        at_end(evidence, |buffer| buffer.consumed += 1)
    }),
    ("offset off by one", |evidence| {
        at_end(evidence, |buffer| buffer.offset += 1)
    }),
    ("bytes_consumed off by one", |evidence| {
        at_end(evidence, |buffer| buffer.bytes_consumed += 1)
    }),
    ("padding off by one", |evidence| {
        at_end(evidence, |buffer| buffer.padding[0] += 1)
    }),
    ("finalized", |evidence| {
        at_end(evidence, |buffer| buffer.finalized = 1)
    }),
    ("a file of another size", |evidence| {
        at_end(evidence, |buffer| {
            buffer.file_size = buffer.file_size.map(|size| size + 1);
            buffer.early_bytes += u64::from(buffer.file_size.is_none());
        })
    }),
    ("a callback more", |evidence| {
        again(evidence, EventKind::SubbufStart)
    }),
    ("a callback less", |evidence| {
        less(evidence, EventKind::SubbufStart)
    }),
    ("a file more", |evidence| {
        again(evidence, EventKind::CreateFile)
    }),
    ("a file less", |evidence| {
        less(evidence, EventKind::CreateFile)
    }),
    ("a removal more", |evidence| {
        again(evidence, EventKind::RemoveFile)
    }),
    ("a buffer less", |evidence| {
        let end = evidence.observations.last_mut();
        let mut channels = end.into_iter().flat_map(|end| &mut end.channels);
        let open = channels.find(|channel| !channel.buffers.is_empty());
        open.is_some_and(|channel| channel.buffers.pop().is_some())
    }),
    ("a piece of memory more", |evidence| {
        let end = evidence.observations.last_mut();
        let mut channels = end.into_iter().flat_map(|end| &mut end.channels);
        let held = channels.find_map(|channel| channel.held.as_mut());
        held.is_some_and(|held| {
            held.pieces += 1;
            true
        })
    }),
    ("an oops", |evidence| {
        evidence
            .console
            .push_str("[    1.0] BUG: kernel NULL pointer dereference\n");
        true
    }),
    ("a taint", |evidence| {
        evidence.taint_after |= 0x200;
        true
    }),
];

fn at_end(
    evidence: &mut Evidence,
    change: impl FnOnce(&mut relaybed_case::evidence::BufferSeen),
) -> bool {
    let end = evidence.observations.last_mut();
    let channels = end.into_iter().flat_map(|end| &mut end.channels);
    let buffer = channels.flat_map(|channel| &mut channel.buffers).next();
    buffer.is_some_and(|buffer| {
        change(buffer);
        true
    })
}

fn again(evidence: &mut Evidence, kind: EventKind) -> bool {
    let mut events = evidence.events.iter();
    let last = events.rfind(|event| event.kind == kind.code()).copied();
    last.is_some_and(|event| {
        evidence.events.push(event);
        true
    })
}

fn less(evidence: &mut Evidence, kind: EventKind) -> bool {
    let mut events = evidence.events.iter();
    let last = events.rposition(|event| event.kind == kind.code());
    last.is_some_and(|index| {
        evidence.events.remove(index);
        true
    })
}

#[test]
fn no_issue_covers_for_anything_else() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for issue in sequential() {
        for (case, linux) in shown(issue) {
            let evidence = left(&case, linux);
            for (what, deviate) in DEVIATIONS {
                let mut beyond = evidence.clone();
                if !deviate(&mut beyond) || beyond == evidence {
                    continue;
                }
                tried += 1;
                let verdict = judge(&case, &beyond).0;
                if !matches!(verdict, Verdict::Failed { .. }) {
                    wrong.push(format!(
                        "{} {} with {what}: {verdict:?}",
                        issue.id, case.name
                    ));
                }
            }
        }
    }
    assert!(tried > 300, "only {tried} were tried");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Two empty flushes, five bytes, and a reader that asks twice.
fn two_empty_flushes() -> Case {
    let reader = reader_behind_the_gate(5, 2);
    let writer = producer(
        "writer",
        0,
        vec![
            Op::Flush { channel: 0 },
            Op::Flush { channel: 0 },
            Op::Write {
                channel: 0,
                via: Via::Write,
                payload: Payload::Bytes(b"hello".to_vec()),
                count: 1,
            },
            Op::Signal { gate: 0 },
        ],
    );
    case(channel(8, 4, Mode::NoOverwrite), vec![writer, reader], 1)
}

#[test]
fn k1_gives_the_same_bytes_twice() {
    let case = two_empty_flushes();
    assert_eq!(judge(&case, &synthesize(&case, OLD, 2)).0, Verdict::Passed);
    let mut evidence = left(&case, OLD);
    assert_eq!(evidence.data, b"hellohello");
    match judge(&case, &evidence).0 {
        Verdict::Known { id, .. } => assert_eq!(id, "K1"),
        other => panic!("{other:#?}"),
    }
    evidence.taint_after = 0x200;
    assert_eq!(first(&case, &evidence), Some(Property::Health));
}

#[test]
fn an_issue_that_is_not_shown_where_it_must_be_is_reported() {
    let mut case = two_empty_flushes();
    let clean = synthesize(&case, OLD, 2);
    case.name = "readers/two-empty-flushes".to_owned();
    let fixed = Verdict::Fixed {
        id: "K1".to_owned(),
    };
    assert_eq!(judge(&case, &clean).0, fixed);
    let shown = judge(&case, &left(&case, OLD)).0;
    assert!(matches!(shown, Verdict::Known { .. }), "{shown:#?}");
}

#[test]
fn an_issue_that_comes_back_is_a_failure() {
    // K8 is fixed in 6.16, with the function that had it; K10 in 6.15.
    let (path, text) = lang::embedded()
        .find(|(path, _)| path.contains("known/longest-name"))
        .expect("the suite has it");
    let case = lang::load(path, text).expect(path).remove(0);
    let linux = version(7, 2);
    let defects = defects_of(linux).with(Defect::K10);
    let Verdict::Failed { findings } = judge(&case, &as_built(&case, linux, 2, defects)).0 else {
        panic!("K10 on 7.2 is no failure");
    };
    let What::Regression(Regression::Back { id, .. }) = &findings[0].what else {
        panic!("{findings:#?}");
    };
    assert_eq!(*id, "K10".into());
    assert_eq!(findings[0].at, findings[1].at);
    // And where it is fixed, passing is nothing special.
    let fixed = as_built(&case, linux, 2, defects_of(linux));
    assert_eq!(judge(&case, &fixed).0, Verdict::Passed);
}

#[test]
fn relay_without_defects_passes_whatever_the_twin_does() {
    let mut wrong = Vec::new();
    for (path, text) in lang::embedded() {
        for case in lang::load(path, text).expect(path) {
            let evidence = as_built(&case, OLD, case.vcpus, Defects::NONE);
            let verdict = judge(&case, &evidence).0;
            let failed = match &verdict {
                Verdict::Failed { findings } | Verdict::Known { findings, .. } => findings,
                _ => continue,
            };
            if failed[0].property() != Property::Expectation {
                wrong.push(format!("{}: {:#?}", case.name, failed[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
