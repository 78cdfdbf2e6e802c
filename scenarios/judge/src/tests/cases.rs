//! Cases that the tests judge.

use crate::judge;
use relaybed_case::evidence::Evidence;
use relaybed_case::verdict::{Property, Verdict};
use relaybed_case::{
    Actor, Case, Channel, Context, FileCall, Files, Map, Mode, Op, Payload, Place, Via, Whence,
};
use relaybed_contract::behaviour::version;

pub(crate) const OLD: u32 = version(6, 1);
pub(crate) const NEW: u32 = version(7, 2);

pub(crate) fn channel(subbuf_size: u64, n_subbufs: u64, mode: Mode) -> Channel {
    Channel {
        name: "cpu".to_owned(),
        subbuf_size,
        n_subbufs,
        mode,
        header_bytes: 0,
        files: Files::Direct,
        open_at_start: true,
        client: relaybed_case::Client::default(),
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

/// A reader that has CPU 0's file open before the gate and reads behind it.
pub(crate) fn reader_behind_the_gate(size: u32, times: u32) -> Actor {
    Actor {
        name: "reader".to_owned(),
        place: Place::User { cpu: None },
        source: None,
        ops: vec![
            Op::FileOpen {
                file: 0,
                channel: 0,
                cpu: 0,
            },
            Op::Wait { gate: 0, count: 1 },
            Op::FileRead {
                file: 0,
                size,
                times,
            },
        ],
    }
}

pub(crate) fn producer(name: &str, cpu: u32, ops: Vec<Op>) -> Actor {
    Actor {
        name: name.to_owned(),
        place: Place::Kernel {
            cpu,
            context: Context::Task,
        },
        source: None,
        ops,
    }
}

pub(crate) fn case(channel: Channel, actors: Vec<Actor>, gates: usize) -> Case {
    Case {
        name: "test/case".to_owned(),
        summary: "A case of a test.".to_owned(),
        vcpus: 2,
        seed: 7,
        needs: Vec::new(),
        channels: vec![channel],
        actors,
        gates: (0..gates).map(|gate| format!("g{gate}")).collect(),
        expect: Vec::new(),
        may_fail: true,
        schedule: Vec::new(),
    }
}

/// A read-only mapping of the first file.
pub(crate) fn map(len: u64) -> Op {
    Op::File {
        file: 0,
        call: FileCall::Map(Map {
            len,
            offset: 0,
            writable: false,
            private: false,
            hidden: false,
        }),
    }
}

/// One producer a CPU, several laps.
pub(crate) fn laps(mode: Mode) -> Case {
    let each = |cpu| producer(&format!("p{cpu}"), cpu, vec![records(64, 200, 100)]);
    case(channel(1000, 4, mode), vec![each(0), each(1)], 0)
}

/// A writer and a user that reads everything after it.
pub(crate) fn read_after(mode: Mode) -> Case {
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
                timeout_ms: Some(10),
            },
            Op::FileRead {
                file: 0,
                size: 300,
                times: 0,
            },
            map(4096),
            Op::FileCopy { file: 0 },
            Op::File {
                file: 0,
                call: FileCall::Seek {
                    whence: Whence::Set,
                    offset: 0,
                },
            },
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
pub(crate) fn race() -> Case {
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
        source: None,
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

pub(crate) fn all_cases() -> Vec<Case> {
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

pub(crate) fn first(case: &Case, evidence: &Evidence) -> Option<Property> {
    match judge(case, evidence).0 {
        Verdict::Failed { findings } => findings
            .first()
            .map(relaybed_case::finding::Finding::property),
        _ => None,
    }
}
