//! Which steps matter to each other.

use super::Scene;
use crate::{Effect, Lock, Member, Op, Step};

/// What is loaded and what is stored: a bit a member, and a few more. Locks, the ring's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    loads: u32,
    stores: u32,
    /// The checks look at it.
    pub(crate) is_seen: bool,
}

const RING: u32 = 1 << 16;
const INODE: u32 = 1 << 17;
const CHANNELS: u32 = 1 << 18;
const WAKE: u32 = 1 << 19;

const fn bit(member: Member) -> u32 {
    1 << member as u32
}

const fn lock(lock: Lock) -> u32 {
    match lock {
        Lock::Inode => INODE,
        Lock::Channels => CHANNELS,
    }
}

impl Footprint {
    /// Whether the two can come in either order without a difference.
    pub(crate) const fn commutes(&self, other: &Self) -> bool {
        self.stores & (other.loads | other.stores) == 0 && self.loads & other.stores == 0
    }

    const fn loading(loads: u32) -> Self {
        Self {
            loads,
            stores: 0,
            is_seen: false,
        }
    }

    const fn storing(stores: u32) -> Self {
        Self {
            loads: 0,
            stores,
            is_seen: false,
        }
    }

    const fn and(self, other: Self) -> Self {
        Self {
            loads: self.loads | other.loads,
            stores: self.stores | other.stores,
            is_seen: self.is_seen | other.is_seen,
        }
    }

    const fn seen(self) -> Self {
        Self {
            is_seen: true,
            ..self
        }
    }
}

/// What a step accesses.
pub(crate) const fn of_step(step: &Step) -> Footprint {
    match step {
        Step::Load { member, .. } => Footprint::loading(bit(*member)),
        Step::Store { member, .. } => Footprint::storing(bit(*member)),
        Step::Update { member, .. } => {
            Footprint::storing(bit(*member)).and(Footprint::loading(bit(*member)))
        }
        Step::Effect(effect) => match effect {
            Effect::Locked(which) => Footprint::storing(lock(*which)).seen(),
            Effect::Unlocked(which) => Footprint::storing(lock(*which)),
            Effect::CopiedIn { .. } => Footprint::storing(RING).seen(),
            Effect::CopiedOut { .. } => Footprint::loading(RING).seen(),
            Effect::Called(_) => Footprint::storing(bit(Member::Calls)),
            Effect::Queued => Footprint::storing(bit(Member::ReadWait)).seen(),
            Effect::WakeQueued | Effect::WakeSynced => Footprint::storing(WAKE).seen(),
            Effect::Barrier
            | Effect::Reserved { .. }
            | Effect::NotCopied
            | Effect::Answered(_)
            | Effect::FileRemoved
            | Effect::Released => Footprint::loading(0),
        },
        Step::Blocked(_) | Step::Done(_) => Footprint::loading(0),
    }
}

/// All that each thread may access from each of its operations on.
pub(crate) struct Ahead(Vec<Vec<Footprint>>);

impl Ahead {
    pub(crate) fn of_scene(scene: &Scene) -> Self {
        let rest = |ops: &[Op]| {
            ops.iter()
                .map(|op| of_op(op, scene))
                .fold(Footprint::default(), Footprint::and)
        };
        let thread = |ops: &Vec<Op>| (0..ops.len()).map(|first| rest(&ops[first..])).collect();
        Self(scene.threads.iter().map(thread).collect())
    }

    /// What a thread at this operation may still access; nothing once it is over.
    pub(crate) fn of(&self, thread: usize, op: Option<u8>) -> Footprint {
        op.and_then(|op| self.0.get(thread)?.get(usize::from(op)).copied())
            .unwrap_or_default()
    }
}

fn of_op(op: &Op, scene: &Scene) -> Footprint {
    use Member::{
        BigCount, BytesConsumed, Calls, Consumed, Data, FileSize, Finalized, FullCount, LastToobig,
        Offset, Padding, PrevPadding, Produced, ReadWait,
    };
    let all = |members: &[Member]| members.iter().fold(0, |bits, member| bits | bit(*member));
    let callback = {
        let loads = Footprint::loading(all(&[Produced, Consumed, FullCount]));
        let header = if scene.set.geometry.header_bytes > 0 {
            Footprint::storing(all(&[Offset]) | RING)
        } else {
            Footprint::default()
        };
        let counts = Footprint::storing(all(&[Calls, FullCount]));
        loads.and(counts).and(header)
    };
    let counted = [
        Produced,
        PrevPadding,
        Padding,
        FileSize,
        Data,
        Offset,
        LastToobig,
        BigCount,
    ];
    let switch = Footprint::storing(all(&counted) | WAKE)
        .and(Footprint::loading(all(&counted) | all(&[ReadWait])))
        .and(callback);
    let channels = Footprint::storing(CHANNELS);
    let plain = match op {
        Op::Write { .. } | Op::Reserve { .. } => switch.and(Footprint::storing(RING)),
        Op::Switch { .. } => switch,
        Op::Flush => switch.and(channels),
        Op::Reset => {
            let zeroed = [
                Produced,
                Consumed,
                BytesConsumed,
                Finalized,
                Data,
                Offset,
                Padding,
                FullCount,
                BigCount,
            ];
            Footprint::storing(all(&zeroed) | WAKE)
                .and(Footprint::loading(all(&[Data])))
                .and(callback)
                .and(channels)
        }
        Op::Close => Footprint::storing(all(&[Finalized]) | WAKE).and(channels),
        Op::Consumed { .. } => Footprint::storing(all(&[Consumed, BytesConsumed]))
            .and(Footprint::loading(all(&[Produced, Consumed]))),
        Op::BufFull => Footprint::loading(all(&[Produced, Consumed])),
        Op::Poll { .. } => Footprint::loading(all(&[Finalized, Produced, Consumed]))
            .and(Footprint::storing(all(&[ReadWait]))),
        Op::Read { .. } => {
            let loads = [Produced, Consumed, Offset, BytesConsumed, Padding, Data];
            Footprint::loading(all(&loads) | RING)
                .and(Footprint::storing(all(&[Consumed, BytesConsumed]) | INODE))
        }
    };
    // Ends of operations and locks are seen, in whatever order.
    plain
}
