//! From a case to its prediction: which operations are determined, and for how long.

use std::collections::{HashMap, HashSet};

use relaybed_case::{Case, ChannelIndex, Cpu, Op};

use super::behaviour::Behaviour;
use super::order::{At, Order};
use super::prediction::Prediction;
use super::races::is_open_nest;
use super::relay::Documented;
use super::simulate::{Honest, Producer, Simulation};

/// A channel buffer of a case.
pub type Key = (ChannelIndex, usize);

/// What a correct kernel with `online_cpus` CPUs does with the case.
#[must_use]
pub fn predict(case: &Case, behaviour: &Behaviour, online_cpus: u32) -> Prediction {
    let order = Order::of(case);
    let touch = Touch::of(case, &order, online_cpus);
    Simulation::new(case, *behaviour, online_cpus, order, touch, &Documented).run(&mut Honest)
}

/// One possible run of the case, with the records handed over by `producer`: what is not determined is
/// chosen. For making evidence, never for judging it.
pub fn one_run(
    case: &Case,
    behaviour: &Behaviour,
    online_cpus: u32,
    producer: &mut dyn Producer,
) -> Prediction {
    let order = Order::of(case);
    let touch = Touch::default();
    Simulation::new(case, *behaviour, online_cpus, order, touch, &Documented).run(producer)
}

/// Which operations change which buffer, and how far their order is certain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touch {
    /// By buffer: the operations that change it, in one possible order.
    mutators: HashMap<Key, Vec<At>>,
    /// By buffer: how many of them, from the first, are ordered before all others.
    certain: HashMap<Key, usize>,
    /// Uncertainty counts; else everything is taken as it comes.
    strict: bool,
    /// Buffers of which nothing is determined any more.
    lost: HashSet<Key>,
}

/// The buffer that a descriptor's operations concern, and the operation that opened its file.
pub fn bound(case: &Case, at: At) -> Option<(ChannelIndex, Cpu, At)> {
    let (channel, cpu, op) = case.actors.get(at.actor)?.bound(at.op)?;
    Some((
        channel,
        cpu,
        At {
            actor: at.actor,
            op,
        },
    ))
}

/// Whether the operation changes the buffer that its descriptor is of.
pub(super) fn changes_by_file(op: &Op) -> bool {
    match op {
        Op::FileRead { .. } => true,
        Op::File { call, .. } => call.is_changing(),
        _ => false,
    }
}

/// The channels that klog may go to.
fn logged(case: &Case) -> impl Iterator<Item = ChannelIndex> + '_ {
    let registers = |op: &Op| match op {
        Op::KlogRegister { channel } => Some(*channel),
        _ => None,
    };
    let ops = case.actors.iter().flat_map(|actor| &actor.ops);
    let all: std::collections::BTreeSet<_> = ops.filter_map(registers).collect();
    all.into_iter()
}

/// The buffers that an operation changes.
pub fn changes(case: &Case, at: At, online_cpus: u32) -> Vec<Key> {
    let script = &case.actors[at.actor];
    let every = |channel: ChannelIndex| {
        let buffers = case.channels[channel].buffers(online_cpus);
        (0..buffers as usize).map(move |cpu| (channel, cpu))
    };
    let one = |channel: ChannelIndex, cpu: Cpu| {
        vec![(channel, case.channels[channel].buffer_cpu(cpu) as usize)]
    };
    match &script.ops[at.op] {
        Op::Open { channel }
        | Op::Close { channel }
        | Op::Flush { channel }
        | Op::LateSetup { channel }
        | Op::Reset { channel } => every(*channel).collect(),
        Op::Write { channel, .. } | Op::Switch { channel, .. } => match script.producer() {
            Some((cpu, _)) if cpu < online_cpus => one(*channel, cpu),
            _ => Vec::new(),
        },
        // Which channel gets klog's records depends on when handlers come and go.
        Op::KlogRegister { .. } | Op::KlogUnregister { .. } => {
            logged(case).flat_map(every).collect()
        }
        Op::Klog { .. } => match script.producer() {
            Some((cpu, _)) if cpu < online_cpus => {
                logged(case).flat_map(|channel| one(channel, cpu)).collect()
            }
            _ => Vec::new(),
        },
        // A buffer is made, and whether writes on that CPU are possible changes.
        Op::CpuOff { cpu } | Op::CpuOn { cpu, .. } if *cpu < online_cpus => {
            let channels = 0..case.channels.len();
            channels.flat_map(|channel| one(channel, *cpu)).collect()
        }
        Op::Consumed { channel, cpu, .. } if *cpu < online_cpus => one(*channel, *cpu),
        op if changes_by_file(op) => bound(case, at)
            .filter(|(_, cpu, _)| *cpu < online_cpus)
            .map(|(channel, cpu, _)| vec![(channel, cpu as usize)])
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The buffers that an operation looks at and does not change.
#[must_use]
pub fn sees(case: &Case, at: At, online_cpus: u32) -> Vec<Key> {
    let script = &case.actors[at.actor];
    match &script.ops[at.op] {
        Op::BufFull { channel, cpu } if *cpu < online_cpus => {
            vec![(*channel, case.channels[*channel].buffer_cpu(*cpu) as usize)]
        }
        Op::Checkpoint { .. } => {
            let channels = case.channels.iter().enumerate();
            channels
                .flat_map(|(channel, spec)| {
                    (0..spec.buffers(online_cpus) as usize).map(move |cpu| (channel, cpu))
                })
                .collect()
        }
        Op::FilePoll { .. } | Op::FileCopy { .. } | Op::File { .. } => bound(case, at)
            .filter(|(_, cpu, _)| *cpu < online_cpus)
            .map(|(channel, cpu, _)| vec![(channel, cpu as usize)])
            .unwrap_or_default(),
        Op::Stat { channel, cpu } if *cpu < online_cpus => vec![(*channel, *cpu as usize)],
        _ => Vec::new(),
    }
}

impl Touch {
    fn of(case: &Case, order: &Order, online_cpus: u32) -> Self {
        let mut mutators: HashMap<Key, Vec<At>> = HashMap::new();
        for at in order.line.iter().chain(&order.stuck) {
            for key in changes(case, *at, online_cpus) {
                mutators.entry(key).or_default().push(*at);
            }
        }
        let certain = mutators
            .iter()
            .map(|(key, ops)| {
                let sure = (0..ops.len())
                    .take_while(|i| ops[i + 1..].iter().all(|b| order.is_before(ops[*i], *b)))
                    .take_while(|i| !is_open_nest(case, ops[*i]))
                    .count();
                (*key, sure)
            })
            .collect();
        Self {
            mutators,
            certain,
            strict: true,
            lost: HashSet::new(),
        }
    }

    /// From here on nothing of the buffer is determined.
    pub(super) fn lose(&mut self, key: Key) {
        self.lost.insert(key);
    }

    fn is_lost(&self, key: Key) -> bool {
        self.strict && self.lost.contains(&key)
    }

    /// Whether everything is taken as certain.
    pub(super) fn is_assumed(&self) -> bool {
        !self.strict
    }

    /// Whether the state that a changing operation meets, and so its effect, is determined.
    pub(super) fn is_certain(&self, key: Key, at: At) -> bool {
        let sure = self.certain.get(&key).copied().unwrap_or(0);
        !self.strict
            || !self.is_lost(key)
                && self
                    .mutators
                    .get(&key)
                    .is_some_and(|ops| ops[..sure].contains(&at))
    }

    /// Whether the state that an operation sees that changes nothing is determined.
    pub(super) fn is_seen_certainly(&self, order: &Order, key: Key, at: Option<At>) -> bool {
        if self.is_lost(key) {
            return false;
        }
        let Some(ops) = self.mutators.get(&key) else {
            return true;
        };
        let sure = self.certain.get(&key).copied().unwrap_or(0);
        let Some(at) = at else {
            return self.is_exact(key);
        };
        ops.iter().enumerate().all(|(i, op)| {
            *op == at || order.is_before(at, *op) || (i < sure && order.is_before(*op, at))
        })
    }

    /// The operations that may change the buffer while `at` is under way; empty as well where one of
    /// those before it is not determined.
    pub(super) fn beside(&self, order: &Order, key: Key, at: At) -> Vec<At> {
        let Some(ops) = self.mutators.get(&key) else {
            return Vec::new();
        };
        let sure = self.certain.get(&key).copied().unwrap_or(0);
        let open = |i: usize, op: &At| i >= sure && order.is_before(*op, at);
        if ops.iter().enumerate().any(|(i, op)| open(i, op)) {
            return Vec::new();
        }
        let beside = ops.iter().filter(|op| !order.is_ordered(**op, at));
        beside.copied().collect()
    }

    /// Whether all operations on the buffer are totally ordered.
    pub(super) fn is_exact(&self, key: Key) -> bool {
        let all = self.mutators.get(&key).map_or(0, Vec::len);
        self.certain.get(&key).copied().unwrap_or(0) == all && !self.is_lost(key)
    }
}
