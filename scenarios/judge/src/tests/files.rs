//! What user actors do with files, beyond plain reading: clean evidence passes, a lie about each call is
//! found, and what kernels are known to do is known.

use super::cases::{OLD, case, channel, first, producer, records};
use crate::forge::synthesize;
use crate::judge;
use relaybed_case::evidence::Evidence;
use relaybed_case::verdict::{Property, Verdict};
use relaybed_case::{Actor, Case, FileCall, Map, Mode, Op, Place};
use relaybed_contract::behaviour::version;

fn file(call: FileCall) -> Op {
    Op::File { file: 0, call }
}

/// A writer of two sub-buffers and a bit, and a user who then makes these calls on its file.
fn user_of(calls: Vec<Op>) -> Case {
    let mut ops = vec![
        Op::Wait { gate: 0, count: 1 },
        Op::FileOpen {
            file: 0,
            channel: 0,
            cpu: 0,
        },
    ];
    ops.extend(calls);
    let user = Actor {
        name: "user".to_owned(),
        place: Place::User { cpu: None },
        source: None,
        ops,
    };
    let writer = producer(
        "writer",
        0,
        vec![records(1000, 1000, 9), Op::Signal { gate: 0 }],
    );
    case(channel(4096, 4, Mode::NoOverwrite), vec![writer, user], 1)
}

fn map(offset: u64) -> FileCall {
    FileCall::Map(Map {
        len: 16384,
        offset,
        writable: false,
        private: false,
        hidden: false,
    })
}

fn splice(size: u32, times: u32) -> FileCall {
    FileCall::Splice {
        size,
        times,
        nonblock: false,
        late: false,
    }
}

/// Evidence of the case on a kernel, which must pass, with the result of the user's first call changed.
fn with_first(
    case: &Case,
    linux: u32,
    change: impl FnOnce(&mut relaybed_abi::OpResult),
) -> Evidence {
    let mut evidence = synthesize(case, linux, 2);
    assert_eq!(judge(case, &evidence).0, Verdict::Passed);
    change(&mut evidence.results[1][2]);
    evidence
}

fn id(case: &Case, evidence: &Evidence) -> Option<String> {
    match judge(case, evidence).0 {
        Verdict::Known { id, .. } => Some(id),
        _ => None,
    }
}

#[test]
fn a_call_that_must_be_refused_and_is_not_is_found() {
    for call in [
        FileCall::Pread { size: 8, offset: 0 },
        FileCall::Write { size: 8 },
        FileCall::Truncate { len: 0 },
    ] {
        let case = user_of(vec![file(call)]);
        let lie = with_first(&case, OLD, |result| (result.error, result.value) = (0, 8));
        assert_eq!(first(&case, &lie), Some(Property::Reading));
    }
}

#[test]
fn a_wrong_size_mode_or_name_is_found() {
    let stat = Op::Stat { channel: 0, cpu: 0 };
    for op in [stat, file(FileCall::Stat)] {
        let case = user_of(vec![op]);
        let clean = synthesize(&case, OLD, 2);
        assert_eq!(clean.results[1][2].value, 8000);
        let lie = with_first(&case, OLD, |result| result.value = 8192);
        assert_eq!(first(&case, &lie), Some(Property::Reading));
        // Size, mode, names, owner, group: in this order, as struct rb_stat has them.
        for at in [8, 12, 16, 20] {
            let mut lie = clean.clone();
            lie.data[lie.results[1][2].data_offset as usize + at] ^= 1;
            assert_eq!(first(&case, &lie), Some(Property::Lifetime), "byte {at}");
        }
    }
    let case = user_of(vec![Op::List { channel: 0 }]);
    let clean = synthesize(&case, OLD, 2);
    assert_eq!(clean.data, b"cpu0\ncpu1\n");
    let mut lie = clean.clone();
    lie.data[3] = b'9';
    assert_eq!(first(&case, &lie), Some(Property::Lifetime));
    let lie = with_first(&case, OLD, |result| result.value = 1);
    assert_eq!(first(&case, &lie), Some(Property::Lifetime));
}

#[test]
fn splice_moves_what_it_says_and_old_kernels_alone_have_it() {
    let case = user_of(vec![file(splice(4096, 2))]);
    let clean = synthesize(&case, OLD, 2);
    assert_eq!(clean.results[1][2].value, 8000);
    let lie = with_first(&case, OLD, |result| result.value += 96);
    assert_eq!(first(&case, &lie), Some(Property::Reading));
    let none = synthesize(&case, version(6, 9), 2);
    assert_eq!(none.results[1][2].error, -22);
    assert_eq!(judge(&case, &none).0, Verdict::Passed);
}

#[test]
fn known_defects_of_calls_are_known_on_the_kernels_that_have_them() {
    let nowhere = user_of(vec![file(FileCall::ReadNowhere { size: 8 })]);
    let seen = with_first(&nowhere, OLD, |result| result.error = 0);
    assert_eq!(id(&nowhere, &seen).as_deref(), Some("K20"));

    let offset = user_of(vec![file(map(4096))]);
    let seen = with_first(&offset, OLD, |result| (result.error, result.value) = (0, 1));
    assert_eq!(id(&offset, &seen).as_deref(), Some("K21"));
    let whole = user_of(vec![file(map(0))]);
    let seen = with_first(&whole, OLD, |result| {
        (result.error, result.value) = (-22, 0);
    });
    assert_eq!(first(&whole, &seen), Some(Property::Reading));

    let sendfile = user_of(vec![file(FileCall::Sendfile { size: 8192 })]);
    let refuse = |linux| {
        let mut seen = with_first(&sendfile, linux, |result| {
            (result.error, result.value, result.data_bytes) = (-22, 0, 0);
        });
        let read = relaybed_abi::EventKind::Read.code();
        seen.events.retain(|event| event.kind != read);
        seen.observations[0].channels[0].buffers[0].consumed = 0;
        seen
    };
    assert_eq!(id(&sendfile, &refuse(OLD)).as_deref(), Some("K25"));
    // 5.10 has no such check yet: there the same is a failure, named as the issue that it should not have.
    let early = version(5, 10);
    assert_eq!(first(&sendfile, &refuse(early)), Some(Property::Regression));
}
