//! Requests that no compiler of ours makes: the module refuses each as a whole and names the operation,
//! and the guest lives on.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use relaybed::run::{Cause, Plan, ReadyImage, Session};
use relaybed_abi::{
    Actor, Context, Op, OpCode, RB_MAX_FILES, RB_MAX_GATES, RB_NONE16, RB_OFF_OPS, RB_OFF_REQUEST,
    RB_OP_HOLD, Request, Source,
};
use relaybed_guest::{Cache, Terminal};
use relaybed_wire::program::Program;
use zerocopy::{FromBytes, IntoBytes};

/// One of each operation that came after the first ones.
const SCENARIO: &str = r#"
summary = "A request to be spoilt."
vcpus = 2

[channel.c]
subbuf_size = 256
n_subbufs = 4

[[actor]]
name = "k"
cpu = 0
script = [
    { klog_register = "c" },
    { klog = "text" },
    { reserve = "c", len = 100, nest = { actor = "inner", at = "fill" } },
    { switch = "c", len = 1 },
]

[[actor]]
name = "inner"
cpu = 0
context = "nmi"
script = [{ write = "c", len = 40 }]

[[actor]]
name = "u"
context = "user"
script = [
    { open_file = "c", cpu = 0, as = "f", access = "read-write" },
    { truncate = "f", len = 0 },
    { splice = "f", size = 64 },
    { stat = "c", cpu = 0 },
    { cpu_off = 1 },
    { cpu_on = 1 },
]
"#;

/// Spoils an operation.
type Spoil = fn(&mut Op);

/// The operation that is spoilt, and how.
const SPOILT: [(&str, OpCode, Spoil); 12] = [
    ("klog to a channel", OpCode::Klog, |op| op.channel = 0),
    ("klog of no text", OpCode::Klog, |op| op.flags = 0),
    ("klog beyond the text", OpCode::Klog, |op| {
        op.blob = u32::MAX;
    }),
    ("a handler for no channel", OpCode::KlogRegister, |op| {
        op.channel = 7;
    }),
    ("a nested actor that is not", OpCode::Reserve, |op| {
        op.nest = 99;
    }),
    ("nested on itself", OpCode::Reserve, |op| op.nest = 0),
    ("a switch of no channel", OpCode::Switch, |op| {
        op.channel = RB_NONE16;
    }),
    ("a file beyond all", OpCode::FileTruncate, |op| {
        op.file = u16::try_from(RB_MAX_FILES).unwrap();
    }),
    ("splice with strange flags", OpCode::FileSplice, |op| {
        op.flags = 0xffff;
    }),
    ("CPU 0 offline", OpCode::CpuOff, |op| op.arg0 = 0),
    ("a CPU that is not", OpCode::CpuOn, |op| op.arg0 = 4000),
    ("a CPU held at no gate", OpCode::CpuOn, |op| {
        op.flags = RB_OP_HOLD;
        op.nest = u32::try_from(RB_MAX_GATES).unwrap();
    }),
];

/// Spoils an actor.
type SpoilActor = fn(&mut Actor);

/// The context of the actor that is spoilt, and how: sources that do not bring it about.
const SPOILT_ACTORS: [(&str, Context, SpoilActor); 5] = [
    ("a task by a timer", Context::Task, |actor| {
        actor.source = Source::Hrtimer.code();
    }),
    ("an NMI by a function call", Context::Nmi, |actor| {
        actor.source = Source::Ipi.code();
    }),
    ("an NMI of the host on CPU 1", Context::Nmi, |actor| {
        actor.source = Source::Host.code();
        actor.cpu = 1;
    }),
    ("a user by the host", Context::User, |actor| {
        actor.source = Source::Host.code();
    }),
    ("a source that is none", Context::Nmi, |actor| {
        actor.source = 99;
    }),
];

/// The bytes of a program's section.
fn section(program: &mut Program, offset: usize) -> &mut [u8] {
    let offset = u32::try_from(offset).unwrap();
    let mut sections = program.writes.iter_mut();
    let (_, bytes) = sections.find(|(at, _)| *at == offset).unwrap();
    bytes
}

fn with_spoilt_op(sound: &Program, what: &str, code: OpCode, spoil: Spoil) -> Program {
    let mut program = sound.clone();
    let mut all = section(&mut program, RB_OFF_OPS).chunks_exact_mut(size_of::<Op>());
    let (place, mut op) = all
        .find_map(|place| {
            let op = Op::read_from_bytes(place).unwrap();
            (u32::from(op.code) == code.code()).then_some((place, op))
        })
        .unwrap_or_else(|| panic!("{what}: the request has none"));
    spoil(&mut op);
    place.copy_from_slice(op.as_bytes());
    program
}

fn with_spoilt_actor(sound: &Program, context: Context, spoil: SpoilActor) -> Program {
    let mut program = sound.clone();
    let place = section(&mut program, RB_OFF_REQUEST);
    let mut request = Request::read_from_bytes(place).unwrap();
    let mut actors = request.actors.iter_mut();
    spoil(
        actors
            .find(|actor| actor.context == context.code())
            .unwrap(),
    );
    place.copy_from_slice(request.as_bytes());
    program
}

fn plan() -> Plan {
    Plan::make(
        relaybed_tests::wish(),
        &Cache::open(None).unwrap(),
        &Terminal::new(),
    )
    .unwrap()
}

#[test]
fn spoilt_operations_and_actors_are_refused_and_the_guest_lives_on() {
    let case = relaybed_lang::load("test/hostile", SCENARIO)
        .unwrap()
        .remove(0);
    let sound = relaybed_wire::program::compile(&case, None).unwrap();
    let counts: Vec<usize> = case.actors.iter().map(|actor| actor.ops.len()).collect();
    let plan = plan();
    let image = ReadyImage::obtain(&plan, 2, &Terminal::new()).unwrap();
    let ops = SPOILT.map(|(what, code, spoil)| (what, with_spoilt_op(&sound, what, code, spoil)));
    let actors = SPOILT_ACTORS
        .map(|(what, context, spoil)| (what, with_spoilt_actor(&sound, context, spoil)));
    for (what, program) in ops.iter().chain(&actors) {
        let mut session = Session::fork(&plan, &image).unwrap();
        let refused = session.perform(program, &counts);
        assert!(
            matches!(refused, Err(Cause::Refused { .. })),
            "{what}: {refused:?}"
        );
        session.close();
    }
    let mut session = Session::fork(&plan, &image).unwrap();
    assert!(session.perform(&sound, &counts).is_ok());
}
