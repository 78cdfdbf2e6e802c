//! What is wrong with evidence is told under the property that it breaks.

use relaybed_abi::{ChanState, State};

use super::cases::{
    OLD, case, channel, first, laps, producer, race, read_after, reader_behind_the_gate, records,
};
use crate::forge::synthesize;
use crate::{claims, judge};
use relaybed_case::evidence::{Evidence, Held};
use relaybed_case::verdict::{Property, Verdict};
use relaybed_case::{Expect, Mode, Op};
use relaybed_contract::Behaviour;

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

/// relay rounds the length of a mapping up to pages; a reader sees as much as it asked for.
#[test]
fn a_mapping_shows_the_bytes_asked_for_not_the_pages() {
    for len in [2500, 3000, 4096] {
        let mut case = read_after(Mode::NoOverwrite);
        case.channels[0].n_subbufs = 3;
        case.actors[1].ops[4] = super::cases::map(len);
        let clean = synthesize(&case, OLD, 2);
        let seen = clean.results[1][5];
        assert_eq!(u64::from(seen.data_bytes), len);
        assert_eq!(judge(&case, &clean).0, Verdict::Passed, "{len}");

        let mut evidence = clean.clone();
        evidence.data[(seen.data_offset + seen.data_bytes) as usize - 1] ^= 1;
        assert_eq!(first(&case, &evidence), Some(Property::Reading), "{len}");
        let mut evidence = clean;
        evidence.results[1][5].data_bytes -= 1;
        assert_eq!(first(&case, &evidence), Some(Property::Reading), "{len}");
    }
}

/// A call of `subbuf_start` that does not follow from the one before, where nothing is determined.
#[test]
fn calls_that_do_not_follow_from_each_other_are_named() {
    let case = race();
    let clean = synthesize(&case, OLD, 2);
    let switch = |evidence: &Evidence| {
        let call = |event: &relaybed_abi::Event| event.kind == 1 && event.buf_cpu == 0;
        evidence.events.iter().rposition(call).unwrap()
    };
    let spoilers: [fn(&mut relaybed_abi::Event); 5] = [
        |event| event.old_offset = 0,
        |event| event.new_offset = 0,
        |event| event.produced += 16,
        |event| event.prev_padding = 1025,
        |event| event.consumed = event.produced - 16,
    ];
    for (index, spoil) in spoilers.iter().enumerate() {
        let mut evidence = clean.clone();
        let at = switch(&evidence);
        assert!(evidence.events[at].produced >= 2);
        evidence.events[at].produced += if index == 4 { 16 } else { 0 };
        spoil(&mut evidence.events[at]);
        let named = first(&case, &evidence);
        assert_eq!(named, Some(Property::Notification), "{index}");
    }
}

/// Nothing is claimed about a buffer in which operations met that relay wants kept apart.
#[test]
fn a_flush_that_races_with_a_writer_leaves_its_buffer_unspecified() {
    let mut case = laps(Mode::NoOverwrite);
    case.actors[0].ops = vec![Op::Flush { channel: 0 }];
    let mut evidence = synthesize(&case, OLD, 2);
    let buffer = &mut evidence.observations[0].channels[0].buffers[1];
    buffer.bytes[100] ^= 1;
    buffer.offset = 7;
    let (verdict, amount) = judge(&case, &evidence);
    assert_eq!(verdict, Verdict::Passed);
    assert!(amount.unspecified.total() > 0);
    // The other CPU's buffer only met the flush.
    evidence.observations[0].channels[0].buffers[0].offset = 7;
    assert_eq!(first(&case, &evidence), Some(Property::Padding));
}

/// At a checkpoint beside a writer a record may be half written.
#[test]
fn a_buffer_in_motion_at_a_checkpoint_is_left_alone() {
    let mut case = laps(Mode::Overwrite);
    case.actors[0].ops.push(Op::Checkpoint {
        label: "mid".to_owned(),
    });
    let mut evidence = synthesize(&case, OLD, 2);
    let used = 4 * 1000;
    evidence.observations[0].channels[0].buffers[1].bytes[..used].fill(7);
    assert_eq!(judge(&case, &evidence).0, Verdict::Passed);
    evidence.observations[1].channels[0].buffers[1]
        .bytes
        .fill(7);
    assert!(first(&case, &evidence).is_some());
}

/// Two readers at once: the events do not tell whose bytes come first.
#[test]
fn the_order_of_overlapping_reads_is_open() {
    let mut case = race();
    let mut other = case.actors[2].clone();
    other.name = "other".to_owned();
    case.actors.push(other);
    let mut evidence = synthesize(&case, OLD, 2);
    let mut reads: Vec<usize> = (0..evidence.events.len())
        .filter(|i| evidence.events[*i].kind == relaybed_abi::EventKind::Read.code())
        .filter(|i| evidence.events[*i].produced > 0)
        .collect();
    let (last, before) = (reads.pop().unwrap(), reads.pop().unwrap());
    // The second reader got the middle of the stream, and its call ended last.
    let order = evidence.events[last].order;
    evidence.events[before].order = order + 1;
    assert!(first(&case, &evidence).is_some());
    evidence.events[before].actor = 3;
    evidence.results[3][1].order_start = 0;
    assert_eq!(judge(&case, &evidence).0, Verdict::Passed);
}

/// A closed channel holds no memory, unless a descriptor keeps a buffer of it.
#[test]
fn memory_of_a_closed_channel_is_named_where_nobody_keeps_it() {
    let left = |keeps: bool| {
        let mut reader = reader_behind_the_gate(64, 1);
        if !keeps {
            reader.ops.push(Op::FileClose { file: 0 });
        }
        reader.ops.push(Op::Signal { gate: 1 });
        let ops = vec![
            records(20, 20, 2),
            Op::Signal { gate: 0 },
            Op::Wait { gate: 1, count: 1 },
            Op::Close { channel: 0 },
        ];
        let writer = producer("writer", 0, ops);
        let case = case(channel(64, 4, Mode::NoOverwrite), vec![writer, reader], 2);
        let mut evidence = synthesize(&case, OLD, 2);
        let end = evidence.observations.last_mut().unwrap();
        end.channels[0].held = Some(Held {
            pieces: 1,
            bytes: 8,
            at: "relay_open".to_owned(),
        });
        judge(&case, &evidence).0
    };
    let Verdict::Failed { findings } = left(false) else {
        panic!("a leak passed");
    };
    assert_eq!(findings[0].code().to_string(), "R1215");
    assert_eq!(left(true), Verdict::Passed);
}
