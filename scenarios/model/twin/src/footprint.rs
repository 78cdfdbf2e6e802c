//! Which steps matter to each other.

use crate::{Effect, Lock, Member, Op, Step};

/// What is loaded and what is stored of a buffer: members, the ring's bytes, locks, `wakeup_work`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    loads: u32,
    stores: u32,
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
    /// Everything is loaded and stored.
    pub const ALL: Self = Self {
        loads: u32::MAX,
        stores: u32::MAX,
    };

    /// What one step accesses.
    #[must_use]
    pub const fn of_step(step: &Step) -> Self {
        match step {
            Step::Load { member, .. } => Self::loading(bit(*member)),
            Step::Store { member, .. } => Self::storing(bit(*member)),
            Step::Update { member, .. } => {
                Self::storing(bit(*member)).and(Self::loading(bit(*member)))
            }
            Step::Effect(effect) => match effect {
                Effect::Locked(which) | Effect::Unlocked(which) => Self::storing(lock(*which)),
                Effect::CopiedIn { .. } => Self::storing(RING),
                Effect::CopiedOut { .. } => Self::loading(RING),
                Effect::Called(_) => Self::storing(bit(Member::Calls)),
                Effect::Queued => Self::storing(bit(Member::ReadWait)),
                Effect::WakeQueued | Effect::WakeSynced => Self::storing(WAKE),
                Effect::Barrier
                | Effect::Reserved { .. }
                | Effect::NotCopied
                | Effect::Answered(_)
                | Effect::FileRemoved
                | Effect::Released => Self::loading(0),
            },
            Step::Blocked(_) | Step::Done(_) => Self::loading(0),
        }
    }

    /// All that an operation may access, in whatever state it meets the buffer.
    #[must_use]
    pub fn of_op(op: &Op, has_header: bool) -> Self {
        use Member::{
            BigCount, BytesConsumed, Calls, Consumed, Data, FileSize, Finalized, FullCount,
            LastToobig, Offset, Padding, PrevPadding, Produced, ReadWait,
        };
        let all = |members: &[Member]| members.iter().fold(0, |bits, member| bits | bit(*member));
        let callback = {
            let loads = Self::loading(all(&[Produced, Consumed, FullCount]));
            let header = if has_header {
                Self::storing(all(&[Offset]) | RING)
            } else {
                Self::default()
            };
            let counts = Self::storing(all(&[Calls, FullCount]));
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
        let switch = Self::storing(all(&counted) | WAKE)
            .and(Self::loading(all(&counted) | all(&[ReadWait])))
            .and(callback);
        let channels = Self::storing(CHANNELS);
        match op {
            Op::Write { .. } | Op::Reserve { .. } => switch.and(Self::storing(RING)),
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
                Self::storing(all(&zeroed) | WAKE)
                    .and(Self::loading(all(&[Data])))
                    .and(callback)
                    .and(channels)
            }
            Op::Close => Self::storing(all(&[Finalized]) | WAKE).and(channels),
            Op::Consumed { .. } => Self::storing(all(&[Consumed, BytesConsumed]))
                .and(Self::loading(all(&[Produced, Consumed]))),
            Op::BufFull => Self::loading(all(&[Produced, Consumed])),
            Op::Poll { .. } => Self::loading(all(&[Finalized, Produced, Consumed]))
                .and(Self::storing(all(&[ReadWait]))),
            Op::Read { .. } => {
                let loads = [Produced, Consumed, Offset, BytesConsumed, Padding, Data];
                Self::loading(all(&loads) | RING)
                    .and(Self::storing(all(&[Consumed, BytesConsumed]) | INODE))
            }
        }
    }

    /// Whether the two can come in either order without a difference.
    #[must_use]
    pub const fn commutes(&self, other: &Self) -> bool {
        self.stores & (other.loads | other.stores) == 0 && self.loads & other.stores == 0
    }

    /// What both access.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            loads: self.loads | other.loads,
            stores: self.stores | other.stores,
        }
    }

    /// Whether nothing is accessed that the other does not access in this way too.
    #[must_use]
    pub const fn is_within(&self, other: &Self) -> bool {
        self.loads & !other.loads == 0 && self.stores & !other.stores == 0
    }

    const fn loading(loads: u32) -> Self {
        Self { loads, stores: 0 }
    }

    const fn storing(stores: u32) -> Self {
        Self { loads: 0, stores }
    }
}
