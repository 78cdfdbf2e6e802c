//! Cases of relay's own splice, which kernels before 6.9 have.
//!
//! It is sound where one descriptor is the only consumer, from the opening on, of a buffer of whole pages
//! without sub-buffers that were flushed empty; everything else about it is a known issue (K22 to K25), which
//! its own scenarios tell apart. So these cases are drawn by themselves.

use super::order::{Step, in_line};
use super::random::Random;
use super::sequential::{blank, kernel_actor};
use super::shadow::Shadow;
use super::{Limits, sequential};
use relaybed_case::{Case, Channel, Client, Context, FileCall, Files, Mode, Op, Payload, Via};

/// Sizes of sub-buffers, and counts with which they fill whole pages.
const SHAPES: [(u64, u64); 7] = [
    (4096, 1),
    (4096, 2),
    (4096, 4),
    (8192, 2),
    (2048, 4),
    (1024, 4),
    (512, 8),
];
/// The file's slot.
const FILE: usize = 0;

/// A whole case.
pub(super) fn draw(random: &mut Random, limits: &Limits) -> Case {
    let mut case = blank(random, limits);
    let cpu = random.between32(0, case.vcpus - 1);
    case.channels = vec![channel(random)];
    case.actors = vec![
        kernel_actor(random, "k0".to_owned(), cpu),
        sequential::user_actor(random, "u0".to_owned(), case.vcpus),
    ];
    let is_task = |(_, context)| context == Context::Task;
    let is_task = case.actors[0].producer().is_some_and(is_task);
    let mut shadow = Shadow::new(&case.channels[0], case.vcpus);
    let open = Op::FileOpen {
        file: FILE,
        channel: 0,
        cpu,
    };
    let mut steps = vec![Step { actor: 1, op: open }];
    for _ in 0..random.between(4, 20) {
        let step = if random.chance(60) {
            let op = written(random, &mut shadow, cpu, is_task);
            Step { actor: 0, op }
        } else {
            let op = taken(random);
            Step { actor: 1, op }
        };
        steps.push(step);
    }
    case.gates = in_line(&mut case.actors, &steps, true);
    case
}

fn channel(random: &mut Random) -> Channel {
    let (subbuf_size, n_subbufs) = random.pick(&SHAPES);
    Channel {
        name: "a".to_owned(),
        subbuf_size,
        n_subbufs,
        mode: random.pick(&[Mode::NoOverwrite, Mode::Default]),
        header_bytes: 0,
        files: Files::Direct,
        open_at_start: true,
        client: Client::default(),
    }
}

/// Records, or the end of a sub-buffer that holds some.
fn written(random: &mut Random, shadow: &mut Shadow, cpu: u32, is_task: bool) -> Op {
    // As long as there is room, whatever was taken: then it is certain what the sub-buffer holds.
    let has_room = shadow.ring(cpu).ready + 1 < shadow.n_subbufs;
    if is_task && has_room && shadow.ring(cpu).offset > 0 && random.chance(30) {
        shadow.switched(cpu);
        return Op::Switch { channel: 0, len: 0 };
    }
    let size = u32::try_from(shadow.subbuf_size).unwrap_or(u32::MAX);
    let len = match random.below(5) {
        0 => size,
        1 => size / 2,
        2 => random.between32(1, 100),
        _ => random.between32(1, size),
    };
    let count = random.between32(1, 4);
    shadow.write(cpu, len.into(), count);
    Op::Write {
        channel: 0,
        via: random.pick(&[Via::Write, Via::RawWrite, Via::Reserve]),
        payload: Payload::Record {
            len_min: len,
            len_max: len,
        },
        count,
    }
}

/// A splice, or a look that takes nothing.
fn taken(random: &mut Random) -> Op {
    if random.chance(15) {
        return Op::FilePoll {
            file: FILE,
            timeout_ms: Some(0),
        };
    }
    let call = FileCall::Splice {
        size: random.pick(&[1, 100, 512, 4095, 4096, 10_000, 100_000]),
        times: random.between32(1, 4),
        nonblock: random.chance(50),
        late: false,
    };
    Op::File { file: FILE, call }
}
