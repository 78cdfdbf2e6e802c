//! What clients meet whose callbacks fail, refuse or wait: forged as each defect leaves it, and recognised.

use relaybed_abi::EventKind;

use super::cases::{OLD, case, channel, first, producer, reader_behind_the_gate, records};
use crate::forge::{as_built, synthesize};
use crate::judge;
use relaybed_case::evidence::{Evidence, Held};
use relaybed_case::verdict::{Property, Verdict};
use relaybed_case::{
    Answer, Case, Client, Denied, Files, Mode, Need, NoMemory, Op, Refuse, Wanted,
};
use relaybed_contract::Behaviour;
use relaybed_twin::defects_of;

/// Channel 0 opened by an actor on CPU 0, with this client.
fn opened(client: Client) -> Case {
    let mut spec = channel(64, 4, Mode::NoOverwrite);
    spec.open_at_start = false;
    spec.client = client;
    let opener = producer("client", 0, vec![Op::Open { channel: 0 }]);
    case(spec, vec![opener], 0)
}

fn denied(cpu: u32, skip: u32) -> Option<Denied> {
    Some(Denied {
        cpu,
        answer: Answer::Null,
        skip,
        times: 1,
    })
}

#[track_caller]
fn known(case: &Case, evidence: &Evidence) -> String {
    match judge(case, evidence).0 {
        Verdict::Known { id, .. } => id,
        other => panic!("{other:#?}"),
    }
}

/// Without memory for the last CPU's buffer the file of the one before goes again. Only for want of a name
/// relay takes the way on which K3 lies.
#[test]
fn an_opening_without_memory_takes_back_what_it_made() {
    for (word, wanted) in Wanted::ALL {
        let lack = NoMemory {
            wanted: *wanted,
            cpu: u32::from(wanted.is_of_buffer()),
            times: 1,
        };
        let client = Client {
            no_memory: Some(lack),
            ..Client::default()
        };
        let case = opened(client);
        let clean = synthesize(&case, OLD, 2);
        assert_eq!(clean.results[0][0].value, 0, "{word}");
        assert_eq!(judge(&case, &clean).0, Verdict::Passed, "{word}");
        let mut left = clean.clone();
        let removed = EventKind::RemoveFile.code();
        left.events.retain(|event| event.kind != removed);
        let verdict = judge(&case, &left).0;
        match wanted {
            Wanted::Name => {
                let mut left = as_built(&case, OLD, 2, defects_of(OLD));
                assert_eq!(known(&case, &left), "K3");
                left.observations[0].channels[0].held = None;
                assert_eq!(known(&case, &left), "K3");
            }
            // There was no file yet.
            Wanted::Channel | Wanted::Pointers => assert_eq!(verdict, Verdict::Passed, "{word}"),
            _ => assert!(matches!(verdict, Verdict::Failed { .. }), "{word}"),
        }
    }
}

#[test]
fn k3_is_the_file_of_cpu_0_that_stays() {
    let client = Client {
        create: denied(1, 0),
        ..Client::default()
    };
    let case = opened(client);
    let mut evidence = synthesize(&case, OLD, 2);
    assert_eq!(judge(&case, &evidence).0, Verdict::Passed);
    let removed = EventKind::RemoveFile.code();
    evidence.events.retain(|event| event.kind != removed);
    // With the file the buffer stays, and the channel with it.
    assert_eq!(first(&case, &evidence), Some(Property::Lifetime));
    evidence.observations[0].channels[0].held = Some(Held {
        pieces: 6,
        ..Held::default()
    });
    assert_eq!(known(&case, &evidence), "K3");
    // Were the failing CPU the first, nothing could be left behind.
    let client = Client {
        create: denied(0, 0),
        ..Client::default()
    };
    let first_fails = opened(client);
    let clean = synthesize(&first_fails, OLD, 2);
    assert_eq!(judge(&first_fails, &clean).0, Verdict::Passed);
    assert_eq!(first(&first_fails, &evidence), Some(Property::Lifetime));
}

#[test]
fn k10_is_the_longest_name_without_its_end() {
    let client = Client {
        base_bytes: Some(254),
        global: true,
        ..Client::default()
    };
    let case = opened(client);
    let mut evidence = synthesize(&case, OLD, 2);
    assert_eq!(judge(&case, &evidence).0, Verdict::Passed);
    for event in &mut evidence.events {
        if event.kind == EventKind::CreateFile.code() {
            event.new_offset = 254;
        }
    }
    assert_eq!(known(&case, &evidence), "K10");
    for event in &mut evidence.events {
        event.verdict = 0;
    }
    assert_eq!(first(&case, &evidence), Some(Property::Lifetime));
}

#[test]
fn k7_is_a_reader_that_starts_where_a_lap_went_over() {
    let mut spec = channel(64, 2, Mode::Overwrite);
    spec.client.refuse = Some(Refuse { from: 3, count: 9 });
    let mut ops = vec![records(64, 64, 4)];
    ops.push(Op::Signal { gate: 0 });
    let reader = reader_behind_the_gate(64, 2);
    let case = case(spec, vec![producer("writer", 0, ops), reader], 1);
    let clean = synthesize(&case, OLD, 2);
    assert_eq!(judge(&case, &clean).0, Verdict::Passed);
    // Records 1 and 2 are there; the reader gets 2, then 1.
    let evidence = as_built(&case, OLD, 2, defects_of(OLD));
    assert_eq!(evidence.data[..64], clean.data[64..]);
    assert_eq!(known(&case, &evidence), "K7");
}

#[test]
fn k8_is_a_late_set_up_that_cannot_be_repeated() {
    let mut spec = channel(64, 4, Mode::NoOverwrite);
    spec.files = Files::None;
    spec.client.create = denied(1, 1);
    let late = || Op::LateSetup { channel: 0 };
    let client = producer("client", 0, vec![late(), late()]);
    let case = case(spec, vec![client], 0);
    let clean = synthesize(&case, OLD, 2);
    assert_eq!(judge(&case, &clean).0, Verdict::Passed);
    let mut evidence = as_built(&case, OLD, 2, defects_of(OLD));
    assert_eq!(evidence.results[0][1].error, -17);
    assert_eq!(known(&case, &evidence), "K8");
    evidence.results[0][1].error = -5;
    let other = judge(&case, &evidence).0;
    assert!(matches!(other, Verdict::Failed { .. }), "{other:#?}");
}

#[test]
fn a_release_that_lacks_what_a_case_needs_is_said_to() {
    let here = Behaviour::of(relaybed_contract::behaviour::version(7, 3));
    let lack = here.lacks(&[Need::Statistics, Need::LateSetup]);
    assert!(lack.is_some_and(|text| text.contains("relay_late_setup_files()")));
}
