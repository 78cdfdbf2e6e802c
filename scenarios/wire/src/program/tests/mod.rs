//! What is written is what was meant, and what cannot be meant is named.

mod property;

use relaybed_abi::{
    Actor as AbiActor, Op as AbiOp, RB_BASE_SIZE, RB_MAX_CHANNELS, RB_MAX_OPS, RB_NONE16,
    RB_NONE32, RB_OFF_BLOB, RB_OFF_OPS, RB_OFF_REQUEST, RB_OP_BLOB, RB_REQ_POWER_OFF, Request,
};
use zerocopy::FromBytes;

use super::{Program, ProgramError, compile, power_off};
use relaybed_case::evidence::Planted;
use relaybed_case::{
    Actor, Case, Channel, Context, Expect, FileCall, Files, Map, Mode, Op, Payload, Place, Via,
};

fn channel(name: &str) -> Channel {
    Channel {
        name: name.to_owned(),
        subbuf_size: 4096,
        n_subbufs: 4,
        mode: Mode::Overwrite,
        header_bytes: 16,
        files: Files::None,
        open_at_start: true,
        client: relaybed_case::Client::default(),
    }
}

fn write(payload: Payload, count: u32) -> Op {
    Op::Write {
        channel: 0,
        via: Via::Reserve,
        payload,
        count,
    }
}

fn hello() -> Payload {
    Payload::Bytes(b"Hello world\n".to_vec())
}

fn kernel(name: &str, cpu: u32, ops: Vec<Op>) -> Actor {
    let place = Place::Kernel {
        cpu,
        context: Context::Softirq,
    };
    Actor {
        name: name.to_owned(),
        place,
        source: None,
        ops,
    }
}

fn user(ops: Vec<Op>) -> Actor {
    Actor {
        name: "reader".to_owned(),
        place: Place::User { cpu: None },
        source: None,
        ops,
    }
}

fn case(actors: Vec<Actor>) -> Case {
    Case {
        name: "suite/case".to_owned(),
        summary: "A case.".to_owned(),
        vcpus: 2,
        seed: 77,
        needs: Vec::new(),
        channels: vec![channel("cpu")],
        actors,
        gates: vec!["go".to_owned()],
        expect: Vec::new(),
        may_fail: true,
        schedule: Vec::new(),
    }
}

fn section(program: &Program, at: usize) -> &[u8] {
    let at = u32::try_from(at).unwrap();
    &program
        .writes
        .iter()
        .find(|(offset, _)| *offset == at)
        .unwrap()
        .1
}

fn request(program: &Program) -> Request {
    Request::read_from_bytes(section(program, RB_OFF_REQUEST)).unwrap()
}

fn ops(program: &Program) -> Vec<AbiOp> {
    let bytes = section(program, RB_OFF_OPS);
    bytes
        .chunks(48)
        .map(|one| AbiOp::read_from_bytes(one).unwrap())
        .collect()
}

fn writer_and_reader() -> Case {
    case(vec![
        kernel(
            "writer",
            1,
            vec![
                write(
                    Payload::Record {
                        len_min: 8,
                        len_max: 100,
                    },
                    10,
                ),
                Op::Checkpoint {
                    label: "middle".to_owned(),
                },
                write(hello(), 3),
                Op::Signal { gate: 0 },
            ],
        ),
        user(vec![
            Op::Wait { gate: 0, count: 1 },
            Op::FileOpen {
                file: 3,
                channel: 0,
                cpu: 1,
            },
            Op::FilePoll {
                file: 3,
                timeout_ms: None,
            },
            Op::FileRead {
                file: 3,
                size: 512,
                times: 0,
            },
            Op::File {
                file: 3,
                call: FileCall::Map(Map {
                    len: 16384,
                    offset: 1 << 33,
                    writable: true,
                    private: false,
                    hidden: false,
                }),
            },
            Op::Checkpoint {
                label: "middle".to_owned(),
            },
        ]),
    ])
}

#[test]
fn a_case_becomes_the_request_it_means() {
    let program = compile(&writer_and_reader(), None).unwrap();
    assert_eq!(program.ops_of_actor, [0..4, 4..10]);
    let labels: Vec<_> = program
        .checkpoints
        .iter()
        .map(|c| (c.actor, c.op))
        .collect();
    assert_eq!(labels, [(0, 1), (1, 5)]);

    let request = request(&program);
    assert_eq!(
        (request.n_channels, request.n_actors, request.n_ops),
        (1, 2, 10)
    );
    assert_eq!((request.n_gates, request.n_blob, request.seed), (1, 12, 77));
    let spec = &request.channels[0];
    assert_eq!(spec.base[..4], *b"cpu\0");
    assert_eq!((spec.mode, spec.flags, spec.header_bytes), (1, 3, 16));
    let head = |context, cpu, first_op, n_ops| AbiActor {
        context,
        cpu,
        first_op,
        n_ops,
        source: 0,
        reserved: 0,
    };
    assert_eq!(request.actors[0], head(1, 1, 0, 4));
    assert_eq!(request.actors[1], head(4, RB_NONE32, 4, 6));

    let ops = ops(&program);
    assert_eq!((ops[0].len_min, ops[0].len_max, ops[0].count), (8, 100, 10));
    assert_eq!(
        (ops[1].arg0, ops[9].arg0),
        (0, 1),
        "checkpoints by their index"
    );
    assert_eq!(
        (ops[2].seq_first, ops[2].flags, ops[2].len_min),
        (10, RB_OP_BLOB, 12)
    );
    assert_eq!((ops[5].channel, ops[5].file, ops[5].arg0), (0, 3, 1));
    assert_eq!((ops[6].channel, ops[6].arg0), (RB_NONE16, RB_NONE32));
    assert_eq!((ops[7].arg0, ops[7].arg1), (512, 0));
    assert_eq!(ops[8].len64, 16384);
    assert_eq!(section(&program, RB_OFF_BLOB), b"Hello world\n");
}

#[test]
fn equal_literals_are_stored_once() {
    let other = Payload::Bytes(b"other".to_vec());
    let list = vec![write(hello(), 1), write(other, 1), write(hello(), 1)];
    let program = compile(&case(vec![kernel("w", 0, list)]), None).unwrap();
    let places: Vec<u32> = ops(&program).iter().map(|op| op.blob).collect();
    assert_eq!(places, [0, 12, 0]);
    assert_eq!(section(&program, RB_OFF_BLOB), b"Hello world\nother");
}

#[test]
fn power_off_asks_for_nothing_else() {
    let request = request(&power_off());
    assert_eq!(
        (request.flags, request.n_ops, request.n_actors),
        (RB_REQ_POWER_OFF, 0, 0)
    );
}

/// Compiles after a change to a good case and gives the error's text.
fn refused(change: impl FnOnce(&mut Case)) -> String {
    let mut case = case(vec![
        kernel("w", 0, vec![write(hello(), 2)]),
        user(Vec::new()),
    ]);
    compile(&case, None).unwrap();
    change(&mut case);
    compile(&case, None).unwrap_err().to_string()
}

fn assert_refused(change: impl FnOnce(&mut Case), part: &str) {
    let text = refused(change);
    assert!(text.contains(part), "{text:?} does not contain {part:?}");
}

#[test]
fn every_limit_has_its_error() {
    assert_refused(|c| c.vcpus = 65, "CPUs: 65");
    assert_refused(
        |c| c.channels = vec![channel("a"); RB_MAX_CHANNELS + 1],
        "channels: 9",
    );
    assert_refused(|c| c.actors = vec![user(Vec::new()); 65], "actors: 65");
    assert_refused(|c| c.gates = vec![String::new(); 65], "gates: 65");
    let delays = vec![Op::Delay { microseconds: 1 }; RB_MAX_OPS];
    assert_refused(
        |c| c.actors[1].ops = delays,
        "operations of all actors: 4097",
    );
    assert_refused(
        |c| c.channels[0].n_subbufs = 20_000,
        "pages of all channel buffers: 40000",
    );
}

#[test]
fn each_opening_takes_its_pages() {
    let mut case = case(vec![kernel("w", 0, vec![Op::Open { channel: 0 }; 4])]);
    case.channels[0].n_subbufs = 3276;
    compile(&case, None).unwrap();
    case.actors[0].ops.push(Op::Open { channel: 0 });
    let error = compile(&case, None).unwrap_err().to_string();
    assert!(error.contains("39312 are asked for"), "{error}");
}

#[test]
fn the_last_record_number_is_below_none() {
    let tail = write(hello(), 1);
    let of = |count| {
        case(vec![kernel(
            "w",
            0,
            vec![write(hello(), count), tail.clone()],
        )])
    };
    // Numbers would do, but it is more than a scenario may write.
    let error = compile(&of(u32::MAX - 1), None).unwrap_err();
    assert_eq!(error, ProgramError::OutOfBounds);
    let error = compile(&of(u32::MAX), None).unwrap_err();
    assert!(matches!(
        error,
        ProgramError::TooMany {
            what: "records of one actor",
            ..
        }
    ));
}

#[test]
fn every_wrong_argument_has_its_error() {
    let set = |op: Op| move |c: &mut Case| c.actors[0].ops[0] = op;
    let set_user = |op: Op| move |c: &mut Case| c.actors[1].ops = vec![op];
    let name = |name: String| move |c: &mut Case| c.channels[0].name = name;
    assert_refused(name(String::new()), "cannot name files");
    assert_refused(name("a/b".to_owned()), "cannot name files");
    assert_refused(name("a".repeat(RB_BASE_SIZE)), "cannot name files");
    assert_refused(
        set(Op::Open { channel: 1 }),
        "actor \"w\", operation 0: there is no channel 1",
    );
    assert_refused(set(Op::Signal { gate: 1 }), "no gate 1");
    assert_refused(set(Op::FileClose { file: 0 }), "operation of user actors");
    assert_refused(
        set_user(Op::Flush { channel: 0 }),
        "operation of kernel actors",
    );
    assert_refused(set_user(Op::FileClose { file: 64 }), "no file slot 64");
    assert_refused(
        set_user(Op::FileRead {
            file: 0,
            size: u32::MAX,
            times: 1,
        }),
        "size of a read",
    );
    let poll = Op::FilePoll {
        file: 0,
        timeout_ms: Some(RB_NONE32),
    };
    assert_refused(set_user(poll), "the timeout");
    assert_refused(
        set(write(
            Payload::Record {
                len_min: 9,
                len_max: 8,
            },
            1,
        )),
        "above the largest",
    );
    let long = Payload::Record {
        len_min: 9,
        len_max: 65537,
    };
    assert_refused(set(write(long, 1)), "largest record length is 65537");
    assert_refused(
        set(write(Payload::Bytes(vec![0; 65537]), 1)),
        "length of the record",
    );
    let full = |byte| write(Payload::Bytes(vec![byte; 40_000]), 1);
    assert_refused(
        |c| c.actors[0].ops = vec![full(1), full(2)],
        "literal bytes",
    );
    assert_refused(|c| c.actors[0] = kernel("w", 2, Vec::new()), "no CPU 2");
    assert_refused(
        |c| c.expect = vec![Expect::OpenRefused { channel: 4 }],
        "no channel 4",
    );
    let result = Expect::Result {
        actor: 0,
        op: 1,
        value: None,
        error: None,
    };
    assert_refused(|c| c.expect = vec![result], "no operation 1");
}

#[test]
fn what_relay_must_refuse_goes_through() {
    for (subbuf_size, n_subbufs) in [(0, 4), (4, 0), (1 << 31, 2), (u64::MAX, u64::MAX)] {
        let mut case = case(Vec::new());
        (case.channels[0].subbuf_size, case.channels[0].n_subbufs) = (subbuf_size, n_subbufs);
        let spec = request(&compile(&case, None).unwrap()).channels[0];
        assert_eq!((spec.subbuf_size, spec.n_subbufs), (subbuf_size, n_subbufs));
    }
}

#[test]
fn a_planted_defect_must_have_its_record() {
    let case = case(vec![kernel("w", 0, vec![write(hello(), 2)])]);
    let planted = |kind, actor, seq| Planted {
        kind,
        actor,
        seq,
        done: 0,
    };
    let good = request(&compile(&case, Some(planted(5, 0, 1))).unwrap());
    assert_eq!((good.plant, good.plant_actor, good.plant_seq), (5, 0, 1));
    for bad in [planted(99, 0, 0), planted(1, 1, 0), planted(1, 0, 2)] {
        let error = compile(&case, Some(bad)).unwrap_err();
        assert!(matches!(error, ProgramError::Plant { .. }), "{error}");
    }
}

/// A count in a stored case would otherwise decide about the memory of whoever judges it.
#[test]
fn a_case_that_writes_without_end_is_refused() {
    let with = |count| {
        let mut case = case(vec![kernel("writer", 0, vec![write(hello(), count)])]);
        case.channels[0].mode = Mode::Overwrite;
        (case.channels[0].subbuf_size, case.channels[0].n_subbufs) = (1 << 20, 2);
        if let Op::Write { via, .. } = &mut case.actors[0].ops[0] {
            *via = Via::Write;
        }
        compile(&case, None).map(drop)
    };
    let most = u32::try_from(relaybed_case::bounds::RECORDS_MAX).unwrap();
    assert_eq!(with(most), Ok(()));
    for count in [most + 1, 1 << 31, u32::MAX] {
        assert_eq!(with(count), Err(ProgramError::OutOfBounds), "{count}");
    }
}

#[test]
fn what_waits_at_a_gate_half_way_says_at_which() {
    let hold = relaybed_case::Hold {
        reached: 0,
        until: 1,
    };
    let reserve = Op::Write {
        channel: 0,
        via: Via::ReserveHeld(hold),
        payload: hello(),
        count: 1,
    };
    let mut case = case(vec![kernel("writer", 0, vec![reserve])]);
    case.gates = vec!["reached".to_owned(), "until".to_owned()];
    case.channels[0].client.created = Some(relaybed_case::Created {
        cpu: None,
        signal: 1,
        wait: 0,
    });
    let compiled = compile(&case, None).unwrap();
    let spec = request(&compiled).channels[0];
    assert_ne!(spec.flags & relaybed_abi::RB_CHAN_CREATED_WAITS, 0);
    let created = (spec.created_cpu, spec.created_signal, spec.created_wait);
    assert_eq!(created, (RB_NONE32, 1, 0));
    let op = ops(&compiled)[0];
    assert_ne!(op.flags & relaybed_abi::RB_OP_HOLD, 0);
    assert_eq!((op.arg0, op.arg1), (0, 1));
    // A gate that there is not is refused.
    case.gates.pop();
    assert!(compile(&case, None).is_err());
}
