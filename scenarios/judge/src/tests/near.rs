//! What a failure says beside its finding: bytes from near, neighbours, causes first, where records went.

use relaybed_abi::Plant;

use super::cases::{OLD, case, channel, laps, producer, race, read_after};
use crate::forge::{Spoil, plant, synthesize};
use crate::{Area, close_up, flow, judge, pick_plant};
use relaybed_case::errno::{EBADF, EBUSY, ENOENT};
use relaybed_case::evidence::Evidence;
use relaybed_case::finding::{Conservation, Finding, Record, What};
use relaybed_case::{Actor, Case, Expect, FlowPart, Mode, Op, Place};

fn planted(case: &Case, kind: Plant) -> (Evidence, (u16, u32)) {
    let (actor, seq) = pick_plant(case, kind, OLD, 2).unwrap();
    let actor = u16::try_from(actor).unwrap();
    let spoil = Spoil { kind, actor, seq };
    (plant(case, OLD, 2, spoil), (actor, seq))
}

#[test]
fn a_torn_record_is_shown_beside_what_was_written() {
    // With an exact model and without one.
    for case in [laps(Mode::NoOverwrite), race()] {
        let (evidence, _) = planted(&case, Plant::Torn);
        let verdict = judge(&case, &evidence).0;
        let near = close_up(&case, &evidence, &verdict.findings()[0]);
        let bytes = near.bytes.unwrap();
        assert_eq!(bytes.area, Area::Buffer);
        let due = bytes.expected[bytes.mark].unwrap();
        assert_ne!(due, bytes.seen[bytes.mark]);
        // Up to there all is as it was written, as far as that is known.
        let pairs = bytes.expected.iter().zip(&bytes.seen).take(bytes.mark);
        assert!(
            pairs
                .filter_map(|(due, is)| Some(due.as_ref()? == is))
                .all(|same| same)
        );
    }
}

#[test]
fn a_missing_record_has_its_place_between_its_neighbours() {
    let case = laps(Mode::NoOverwrite);
    let (evidence, (actor, seq)) = planted(&case, Plant::Lost);
    let verdict = judge(&case, &evidence).0;
    let mut findings = verdict.findings().iter();
    let missing = findings.find(|finding| {
        matches!(
            finding.what,
            What::Conservation(Conservation::Missing { .. })
        )
    });
    let between = close_up(&case, &evidence, missing.unwrap())
        .between
        .unwrap();
    let name = &case.actors[usize::from(actor)].name;
    let named = |number| Record::Named {
        number,
        actor: name.as_str().into(),
    };
    let ((before, from), (behind, to)) = (between.0.unwrap(), between.1.unwrap());
    assert_eq!((before, behind), (named(seq - 1), named(seq + 1)));
    assert!(from < to || from % 1000 > 500, "{from} {to}");
}

#[test]
fn a_cause_comes_before_what_it_brings_about() {
    let reader = Actor {
        name: "reader".to_owned(),
        place: Place::User { cpu: None },
        source: None,
        ops: vec![
            Op::Wait { gate: 0, count: 1 },
            Op::FileOpen {
                file: 0,
                channel: 0,
                cpu: 0,
            },
            Op::FilePoll {
                file: 0,
                timeout_ms: Some(0),
            },
        ],
    };
    let open = vec![Op::Open { channel: 0 }, Op::Signal { gate: 0 }];
    let mut spec = channel(1024, 4, Mode::NoOverwrite);
    spec.open_at_start = false;
    let mut case = case(spec, vec![reader, producer("opener", 0, open)], 1);
    // Judged by its author's claims, of which there are none.
    case.may_fail = false;
    let mut evidence = synthesize(&case, OLD, 2);
    for ((actor, op), error) in [((1, 0), EBUSY), ((0, 1), ENOENT), ((0, 2), EBADF)] {
        let result = &mut evidence.results[actor][op];
        (result.error, result.value) = (-error.cast_signed(), 0);
    }
    let findings = judge(&case, &evidence).0.findings().to_vec();
    let first = |actor: &str, op| {
        let is_it = |finding: &&Finding| {
            finding.at.actor.as_deref() == Some(actor) && finding.at.op == Some(op)
        };
        let at = findings.iter().position(|finding| is_it(&finding));
        at.unwrap_or_else(|| panic!("{actor} {op}: {findings:#?}"))
    };
    let order = [first("opener", 0), first("reader", 1), first("reader", 2)];
    assert!(order.is_sorted(), "{order:?} {findings:#?}");
}

#[test]
fn every_record_that_was_written_went_somewhere() {
    let all = [
        laps(Mode::NoOverwrite),
        laps(Mode::Overwrite),
        race(),
        read_after(Mode::NoOverwrite),
    ];
    for case in all {
        for flow in flow(&case, &synthesize(&case, OLD, 2)) {
            let parts = [flow.kept, flow.refused, flow.overwritten, flow.lost];
            let known: Option<Vec<u64>> = parts.into_iter().collect();
            if let Some(parts) = known {
                assert_eq!(parts.iter().sum::<u64>(), flow.written, "{flow:?}");
            }
            assert!(flow.lost.is_none_or(|lost| lost == 0), "{flow:?}");
        }
    }
    let of = |mode| flow(&laps(mode), &synthesize(&laps(mode), OLD, 2)).remove(0);
    let (kept, lapped) = (of(Mode::NoOverwrite), of(Mode::Overwrite));
    assert_eq!((kept.written, kept.overwritten), (100, Some(0)), "{kept:?}");
    assert!(kept.refused > Some(0), "{kept:?}");
    assert_eq!(
        (lapped.refused, lapped.lost),
        (Some(0), Some(0)),
        "{lapped:?}"
    );
    assert!(lapped.overwritten > Some(0), "{lapped:?}");
    let case = read_after(Mode::NoOverwrite);
    let read = flow(&case, &synthesize(&case, OLD, 2)).remove(0);
    assert!(read.read.is_some() && read.read == read.kept, "{read:?}");
}

#[test]
fn a_record_that_was_lost_is_counted_as_lost() {
    let case = laps(Mode::NoOverwrite);
    let (evidence, (actor, _)) = planted(&case, Plant::Lost);
    let cpu = case.actors[usize::from(actor)].cpu();
    let flows = flow(&case, &evidence);
    let of = flows.iter().find(|flow| Some(flow.cpu) == cpu).unwrap();
    assert_eq!(of.lost, Some(1), "{of:?}");
}

/// Each part of the flow may be claimed; what is claimed wrongly fails, and nothing else does.
#[test]
fn where_records_go_can_be_claimed() {
    let plain = laps(Mode::NoOverwrite);
    let of = flow(&plain, &synthesize(&plain, OLD, 2)).remove(0);
    let all = FlowPart::ALL.map(|(_, part)| (part, of.part(part).unwrap()));
    let claiming = |parts: &[(FlowPart, u64)]| {
        let mut case = plain.clone();
        case.expect.push(Expect::Flow {
            channel: 0,
            cpu: of.cpu,
            parts: parts.to_vec(),
        });
        let (verdict, _) = judge(&case, &synthesize(&case, OLD, 2));
        let findings = verdict.findings().iter();
        findings.map(|f| f.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(claiming(&all), [""; 0]);
    for (word, part) in FlowPart::ALL {
        let wrong = all.map(|(of, records)| (of, records + u64::from(of == part)));
        let text = format!("the number of records {word} is not as claimed");
        assert_eq!(claiming(&wrong), [text]);
    }
}
