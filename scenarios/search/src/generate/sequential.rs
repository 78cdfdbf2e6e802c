//! Sequential cases: many actors, one order.

use super::files::Desk;
use super::hotplug::Cpus;
use super::kernel_ops::{self, Who};
use super::order::{Step, in_line};
use super::random::Random;
use super::shadow::Shadow;
use super::{Limits, channels};
use relaybed_case::{Actor, Case, Context, Cpu, Op, Place, Source};

/// Gates that a request has room for, and so hand-overs with one of their own.
const HANDOVERS_MAX: usize = 60;

/// A blank case of as many CPUs as drawn.
pub(super) fn blank(random: &mut Random, limits: &Limits) -> Case {
    let vcpus = if random.chance(70) {
        limits.vcpus
    } else {
        random.between32(1, limits.vcpus)
    };
    let vcpus = vcpus.max(1);
    Case {
        name: String::new(),
        summary: String::new(),
        vcpus,
        seed: random.between(1, 1 << 32),
        needs: Vec::new(),
        channels: channels::draw(random, vcpus, limits),
        actors: Vec::new(),
        gates: Vec::new(),
        expect: Vec::new(),
        may_fail: true,
        schedule: Vec::new(),
    }
}

/// A kernel actor without operations.
pub(super) fn kernel_actor(random: &mut Random, name: String, cpu: Cpu) -> Actor {
    let context = random.weighted(&[
        (57, Context::Task),
        (19, Context::Softirq),
        (19, Context::Hardirq),
        (5, Context::Nmi),
    ]);
    Actor {
        name,
        place: Place::Kernel { cpu, context },
        source: source(random, cpu, context),
        ops: Vec::new(),
    }
}

/// What brings the CPU into its context. No function call to CPU 0: its sender may go offline.
pub(super) fn source(random: &mut Random, cpu: Cpu, context: Context) -> Option<Source> {
    let (often, seldom) = match (context, cpu) {
        (Context::Hardirq, 0) => (Some(Source::Hrtimer), None),
        (Context::Hardirq, _) => (Some(Source::Hrtimer), Some(Source::Ipi)),
        (Context::Nmi, 0) => (None, Some(Source::Host)),
        _ => return None,
    };
    random.weighted(&[(50, None), (30, often), (20, seldom)])
}

/// A user actor without operations.
pub(super) fn user_actor(random: &mut Random, name: String, vcpus: u32) -> Actor {
    let cpu = random.chance(30).then(|| random.between32(0, vcpus - 1));
    Actor {
        name,
        place: Place::User { cpu },
        source: None,
        ops: Vec::new(),
    }
}

/// A whole case.
pub(super) fn draw(random: &mut Random, limits: &Limits) -> Case {
    let mut case = blank(random, limits);
    let vcpus = case.vcpus;
    let in_kernel = random.weighted(&[(50, 1), (35, 2), (15, 3)]);
    let in_user = random.weighted(&[(25, 0), (60, 1), (15, 2)]);
    for i in 0..in_kernel {
        let cpu = random.between32(0, vcpus - 1);
        case.actors.push(kernel_actor(random, format!("k{i}"), cpu));
    }
    for i in 0..in_user {
        case.actors.push(user_actor(random, format!("u{i}"), vcpus));
    }
    let steps = steps(random, &case, limits);
    let turn = random.chance(10);
    case.gates = in_line(&mut case.actors, &steps, turn);
    case
}

fn steps(random: &mut Random, case: &Case, limits: &Limits) -> Vec<Step> {
    let (least, most) = random.weighted(&[(45, (2, 8)), (40, (8, 16)), (15, (16, 32))]);
    let count = random.between(least, most);
    let mut shadows: Vec<Shadow> = case
        .channels
        .iter()
        .map(|channel| Shadow::new(channel, case.vcpus))
        .collect();
    let mut desks: Vec<Desk> = case
        .actors
        .iter()
        .map(|_| Desk::new(limits, true))
        .collect();
    let (mut slots, mut labels, mut handovers) = (0, 0, 0);
    let hotplug = case.vcpus > 1 && random.chance(2);
    let mut cpus = Cpus::all(case.vcpus);
    let mut steps: Vec<Step> = Vec::new();
    let mut actor = 0;
    for _ in 0..count {
        let other = random.index(case.actors.len());
        if other != actor && random.chance(50) && handovers < HANDOVERS_MAX {
            actor = other;
            handovers += 1;
        }
        let op = if random.chance(2) {
            anyones_op(random, &mut labels)
        } else if let Place::Kernel { cpu, context } = case.actors[actor].place {
            let who = Who {
                cpu,
                context,
                limits,
                in_order: true,
            };
            kernel_ops::draw(random, &case.channels, &mut shadows, who)
        } else if hotplug && random.chance(25) {
            cpus.draw(random)
        } else {
            desks[actor].draw(random, &mut shadows, &mut slots)
        };
        steps.push(Step { actor, op });
    }
    steps
}

/// A checkpoint, or seldom a delay.
pub(super) fn anyones_op(random: &mut Random, labels: &mut u32) -> Op {
    if random.chance(10) {
        let microseconds = random.between32(0, 300);
        return Op::Delay { microseconds };
    }
    *labels += 1;
    Op::Checkpoint {
        label: format!("c{}", *labels - 1),
    }
}
