//! Checkers are tested with forged evidence: clean evidence passes, each planted defect is found
//! under its own name.

use proptest::prelude::*;
use relaybed_abi::{ChanState, Plant, State};

use crate::case::{Actor, Case, Channel, Context, Expect, Files, Mode, Op, Payload, Place, Via};
use crate::evidence::Evidence;
use crate::model::Behaviour;
use crate::model::behaviour::version;
use crate::verdict::{Property, Verdict};

use super::forge::{Spoil, plant, synthesize};
use super::{claims, judge, pick_plant, property_of, streams, written};

const OLD: u32 = version(6, 1);
const NEW: u32 = version(7, 2);

pub(crate) fn channel(subbuf_size: u64, n_subbufs: u64, mode: Mode) -> Channel {
    Channel {
        name: "cpu".to_owned(),
        subbuf_size,
        n_subbufs,
        mode,
        header_bytes: 0,
        files: Files::Direct,
        open_at_start: true,
    }
}

pub(crate) fn records(len_min: u32, len_max: u32, count: u32) -> Op {
    Op::Write {
        channel: 0,
        via: Via::Write,
        payload: Payload::Record { len_min, len_max },
        count,
    }
}

pub(crate) fn producer(name: &str, cpu: u32, ops: Vec<Op>) -> Actor {
    Actor {
        name: name.to_owned(),
        place: Place::Kernel {
            cpu,
            context: Context::Task,
        },
        ops,
    }
}

pub(crate) fn case(channel: Channel, actors: Vec<Actor>, gates: usize) -> Case {
    Case {
        name: "test/case".to_owned(),
        summary: "A case of a test.".to_owned(),
        vcpus: 2,
        seed: 7,
        channels: vec![channel],
        actors,
        gates: (0..gates).map(|gate| format!("g{gate}")).collect(),
        expect: Vec::new(),
    }
}

/// One producer a CPU, several laps.
fn laps(mode: Mode) -> Case {
    let each = |cpu| producer(&format!("p{cpu}"), cpu, vec![records(64, 200, 100)]);
    case(channel(1000, 4, mode), vec![each(0), each(1)], 0)
}

/// A writer and a user that reads everything after it.
fn read_after(mode: Mode) -> Case {
    let reader = Actor {
        name: "reader".to_owned(),
        place: Place::User { cpu: None },
        ops: vec![
            Op::Wait { gate: 0, count: 1 },
            Op::FileOpen {
                file: 0,
                channel: 0,
                cpu: 0,
            },
            Op::FilePoll {
                file: 0,
                timeout_ms: Some(10),
            },
            Op::FileRead {
                file: 0,
                size: 300,
                times: 0,
            },
            Op::FileMmap { file: 0, len: 4096 },
            Op::FileCopy { file: 0 },
            Op::FileLseek { file: 0 },
            Op::FileClose { file: 0 },
        ],
    };
    let writer = producer(
        "writer",
        0,
        vec![
            records(64, 90, 20),
            Op::Checkpoint {
                label: "written".to_owned(),
            },
            Op::Signal { gate: 0 },
        ],
    );
    case(channel(1000, 4, mode), vec![writer, reader], 1)
}

/// Two producers in one buffer and a reader beside them: nothing is determined.
fn race() -> Case {
    let softirq = Actor {
        place: Place::Kernel {
            cpu: 0,
            context: Context::Softirq,
        },
        ..producer("soft", 0, vec![records(64, 128, 30)])
    };
    let reader = Actor {
        name: "reader".to_owned(),
        place: Place::User { cpu: Some(1) },
        ops: vec![
            Op::FileOpen {
                file: 0,
                channel: 0,
                cpu: 0,
            },
            Op::FileRead {
                file: 0,
                size: 4096,
                times: 0,
            },
        ],
    };
    case(
        channel(1024, 16, Mode::NoOverwrite),
        vec![
            producer("task", 0, vec![records(64, 128, 30)]),
            softirq,
            reader,
        ],
        0,
    )
}

fn all_cases() -> Vec<Case> {
    let mut headers = laps(Mode::Overwrite);
    headers.channels[0].header_bytes = 24;
    let mut short = laps(Mode::Overwrite);
    for actor in &mut short.actors {
        actor.ops = vec![records(1, 40, 300), Op::Flush { channel: 0 }];
    }
    short.actors.truncate(1);
    let mut racing_laps = race();
    racing_laps.channels[0].mode = Mode::Overwrite;
    racing_laps.channels[0].n_subbufs = 3;
    racing_laps.actors.truncate(2);
    vec![
        laps(Mode::Overwrite),
        laps(Mode::NoOverwrite),
        laps(Mode::Default),
        read_after(Mode::NoOverwrite),
        read_after(Mode::Overwrite),
        headers,
        short,
        race(),
        racing_laps,
    ]
}

fn first(case: &Case, evidence: &Evidence) -> Option<Property> {
    match judge(case, evidence).0 {
        Verdict::Failed { failures } => failures.first().map(|failure| failure.property),
        _ => None,
    }
}

#[test]
fn clean_evidence_passes() {
    for case in all_cases() {
        for linux in [OLD, NEW] {
            let evidence = synthesize(&case, linux, 2);
            let (verdict, amount) = judge(&case, &evidence);
            assert_eq!(verdict, Verdict::Passed, "{case:#?}");
            assert!(amount.records > 0 && amount.bytes > 0);
        }
    }
}

#[test]
fn each_planted_defect_is_named_first_where_the_model_is_exact() {
    for kind in Plant::ALL.iter().filter(|kind| **kind != Plant::None) {
        for mode in [Mode::Overwrite, Mode::NoOverwrite] {
            let case = laps(mode);
            let picked = pick_plant(&case, *kind, OLD, 2);
            assert!(picked.is_some(), "{kind:?} {mode:?}");
        }
    }
}

#[test]
fn each_planted_defect_is_named_first_where_only_invariants_hold() {
    for kind in Plant::ALL.iter().filter(|kind| **kind != Plant::None) {
        let picked = pick_plant(&race(), *kind, OLD, 2);
        assert!(picked.is_some(), "{kind:?}");
    }
}

#[test]
fn most_records_show_the_defect_not_only_the_picked_one() {
    let case = laps(Mode::Overwrite);
    for kind in Plant::ALL.iter().filter(|kind| **kind != Plant::None) {
        let mut wrong = Vec::new();
        for seq in 85..98 {
            let spoil = Spoil {
                kind: *kind,
                // The producer that runs last in a forged run: nothing laps its records.
                actor: 1,
                seq,
            };
            let evidence = plant(&case, OLD, 2, spoil);
            let found = first(&case, &evidence);
            if found != property_of(*kind) {
                wrong.push((seq, found));
            }
        }
        assert!(wrong.len() <= 1, "{kind:?}: {wrong:?}");
    }
}

#[test]
fn wrong_cpu_does_not_apply_to_one_cpu() {
    let mut one = laps(Mode::Overwrite);
    one.actors.truncate(1);
    assert_eq!(pick_plant(&one, Plant::WrongCpu, OLD, 1), None);
}

#[test]
fn health_sees_warnings_and_taint() {
    let case = laps(Mode::Overwrite);
    let mut evidence = synthesize(&case, OLD, 2);
    evidence.console =
        "[    3.1] WARNING: CPU: 0 PID: 1 at kernel/relay.c:5 relay_open\n".to_owned();
    assert_eq!(first(&case, &evidence), Some(Property::Health));
    let mut evidence = synthesize(&case, OLD, 2);
    (evidence.taint_before, evidence.taint_after) = (0x1000, 0x1200);
    assert_eq!(first(&case, &evidence), Some(Property::Health));
}

#[test]
fn evidence_that_is_not_whole_is_named() {
    let case = laps(Mode::Overwrite);
    let spoilers: [fn(&mut Evidence); 4] = [
        |evidence| evidence.events_lost = 1,
        |evidence| evidence.data_lost = 1,
        |evidence| evidence.results[0][0].state = State::Running.code(),
        |evidence| evidence.observations.clear(),
    ];
    for spoil in spoilers {
        let mut evidence = synthesize(&case, OLD, 2);
        spoil(&mut evidence);
        assert_eq!(first(&case, &evidence), Some(Property::Evidence));
    }
}

#[test]
fn lifetime_notification_accounting_reading_and_model_are_named() {
    type Spoiler = fn(&mut Evidence);
    let table: &[(Property, Spoiler)] = &[
        (Property::Lifetime, |evidence| {
            evidence.observations[1].channels[0].state = ChanState::Closed;
        }),
        (Property::Lifetime, |evidence| {
            evidence.observations[1].channels[0].buffers[1].finalized = 1;
        }),
        (Property::Notification, |evidence| {
            let switch = evidence.events.iter().rposition(|event| event.kind == 1);
            evidence.events.remove(switch.unwrap());
        }),
        (Property::Notification, |evidence| {
            evidence.results[1][2].value = 0;
        }),
        (Property::Accounting, |evidence| {
            evidence.observations[1].channels[0].buffers[0].file_size = Some(3);
        }),
        (Property::Accounting, |evidence| {
            evidence.observations[1].channels[0].buffers[0].consumed = 99;
        }),
        (Property::Reading, |evidence| evidence.data[500] ^= 1),
        (Property::Reading, |evidence| {
            evidence.results[1][6].error = 0;
        }),
        (Property::Model, |evidence| {
            evidence.observations[1].channels[0].buffers[0].prev_padding = Some(1);
        }),
        (Property::Model, |evidence| {
            evidence.observations[1].channels[0].buffers[1].bytes[77] = 1;
        }),
        (Property::Model, |evidence| {
            evidence.observations[1].channels[0].last_toobig = Some(9);
        }),
    ];
    let case = read_after(Mode::NoOverwrite);
    for (index, (property, spoil)) in table.iter().enumerate() {
        let mut evidence = synthesize(&case, OLD, 2);
        spoil(&mut evidence);
        let (verdict, _) = judge(&case, &evidence);
        assert_eq!(
            first(&case, &evidence),
            Some(*property),
            "{index} {verdict:#?}"
        );
    }
}

#[test]
fn an_expectation_that_the_run_does_not_meet_is_named() {
    let mut case = read_after(Mode::NoOverwrite);
    case.expect = vec![Expect::Refused {
        actor: 0,
        records: 3,
    }];
    let evidence = synthesize(&case, OLD, 2);
    assert_eq!(first(&case, &evidence), Some(Property::Expectation));
    assert_eq!(claims(&case, &Behaviour::of(OLD)).len(), 1);
}

#[test]
fn streams_are_what_the_producers_wrote_in_no_overwrite_mode() {
    for case in [laps(Mode::NoOverwrite), read_after(Mode::NoOverwrite)] {
        let evidence = synthesize(&case, OLD, 2);
        let streams = streams(&case, &evidence);
        let written = written(&case, &evidence);
        assert_eq!(streams.len(), 2);
        for (stream, written) in streams.iter().zip(&written) {
            assert_eq!(stream.bytes, written.bytes);
        }
        assert!(!streams[0].bytes.is_empty());
    }
}

#[test]
fn k1_is_known_and_what_goes_beyond_it_is_not() {
    let reader = Actor {
        name: "reader".to_owned(),
        place: Place::User { cpu: None },
        ops: vec![
            Op::FileOpen {
                file: 0,
                channel: 0,
                cpu: 0,
            },
            Op::Wait { gate: 0, count: 1 },
            Op::FileRead {
                file: 0,
                size: 5,
                times: 2,
            },
        ],
    };
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
    let case = case(channel(8, 4, Mode::NoOverwrite), vec![writer, reader], 1);
    let mut evidence = synthesize(&case, OLD, 2);
    assert_eq!(judge(&case, &evidence).0, Verdict::Passed);
    evidence.data.extend(b"hello");
    evidence.results[1][2].data_bytes = 10;
    for event in &mut evidence.events {
        if event.kind == relaybed_abi::EventKind::Read.code() && event.produced == 0 {
            event.produced = 5;
        }
    }
    evidence.observations[0].channels[0].buffers[0].consumed = 1;
    match judge(&case, &evidence).0 {
        Verdict::Known { id, .. } => assert_eq!(id, "K1"),
        other => panic!("{other:#?}"),
    }
    evidence.taint_after = 0x200;
    assert_eq!(first(&case, &evidence), Some(Property::Health));
}

/// One way in which a guest can lie.
#[derive(Clone, Copy, Debug)]
struct Lie {
    what: u8,
    at: usize,
    value: u64,
}

fn lie() -> impl Strategy<Value = Lie> {
    let value = prop_oneof![
        any::<u64>(),
        0u64..10,
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1001),
    ];
    (0u8..20, any::<usize>(), value).prop_map(|(what, at, value)| Lie { what, at, value })
}

fn tell(evidence: &mut Evidence, lie: Lie) {
    let Lie { what, at, value } = lie;
    let small = u32::try_from(value & 0xffff_ffff).unwrap();
    let byte = u8::try_from(value & 0xff).unwrap();
    if what < 12 {
        let last = evidence.observations.len() - 1;
        let Some(channel) = evidence.observations[last].channels.first_mut() else {
            return;
        };
        let count = channel.buffers.len();
        if count == 0 {
            return;
        }
        let buffer = &mut channel.buffers[at % count];
        match what {
            0 => buffer.produced = value,
            1 => buffer.consumed = value,
            2 => buffer.offset = value,
            3 => buffer.data = value,
            4 => buffer
                .padding
                .iter_mut()
                .skip(at % 3)
                .take(1)
                .for_each(|padding| *padding = value),
            5 => buffer.padding.clear(),
            6 => buffer.bytes_consumed = value,
            7 => buffer.bytes.truncate(at % 5000),
            8 => buffer.cpu = small,
            9 => buffer.file_size = Some(value),
            10 => drop(channel.buffers.remove(at % count)),
            _ => {
                for i in 0..64 {
                    let len = buffer.bytes.len().max(1);
                    if let Some(hit) = buffer.bytes.get_mut((at % len + i * 61) % len) {
                        *hit ^= byte;
                    }
                }
            }
        }
        return;
    }
    let events = evidence.events.len().max(1);
    match (what, evidence.events.get_mut(at % events)) {
        (12, Some(event)) => event.kind = small % 8,
        (13, Some(event)) => (event.produced, event.consumed) = (value, value),
        (14, Some(event)) => (event.actor, event.op) = (u16::from(byte), small),
        (15, Some(event)) => (event.channel, event.buf_cpu) = (byte, byte),
        (16, _) => evidence.data.truncate(at % 4000),
        (17, _) => evidence.results.truncate(at % 3),
        (18, _) => evidence.setting.vcpus = small,
        _ => evidence.observations[0].channels.truncate(at % 2),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a guest claims, the judge ends, and does not panic.
    #[test]
    fn lies_make_failures_not_panics(
        which in 0usize..9, lies in prop::collection::vec(lie(), 1..6),
    ) {
        let case = &all_cases()[which];
        let mut evidence = synthesize(case, OLD, 2);
        for lie in lies {
            tell(&mut evidence, lie);
        }
        let (verdict, _) = judge(case, &evidence);
        prop_assert!(streams(case, &evidence).len() <= 64 * case.channels.len());
        let passed = verdict == Verdict::Passed;
        prop_assert!(!passed || evidence.setting.vcpus == 2);
    }
}
