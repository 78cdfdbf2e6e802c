//! A case: one scenario file with its parameters resolved, in the terms of the model.
//!
//! `lang` makes cases out of files, `program` makes operations for the guest out of a case, `model`
//! predicts what a correct kernel does with it and `judge` compares that with the evidence. A case is
//! a plain value: indices are valid, names are resolved, sizes are checked against the limits of the
//! ABI. What relay itself must refuse (a sub-buffer size of 0, say) is kept, since refusal is a result.
//!
//! Findings have codes that never change their meaning:
//!
//! ```
//! use relaybed_case::finding::Code;
//! use relaybed_case::verdict::Property;
//!
//! let code: Code = "R0301".parse()?;
//! assert_eq!(code.property(), Some(Property::Integrity));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

pub mod access;
pub mod bounds;
pub mod errno;
pub mod evidence;
pub mod field;
pub mod finding;
pub mod fnv;
pub mod hex;
pub mod place;
pub mod pollbits;
pub mod select;
pub mod trace;
pub mod transports;
pub mod unspecified;
pub mod verdict;

mod actor;
mod calls;
mod channel;
mod client;
mod expect;
mod op;
mod schedule;
mod turns;

pub use actor::{Actor, Context, NestPoint, Place, Source};
pub use calls::{Access, FileCall, Map, Whence};
pub use channel::{Channel, Files, Mode};
pub use client::{
    Answer, Callbacks, Client, Created, Denied, Need, NoMemory, Refuse, Stall, Wanted,
};
pub use expect::{Expect, FlowPart};
pub use op::{Hold, NullCall, Op, Payload, Via, formatted};
pub use schedule::{Turn, Until};
pub use turns::take_turns;

/// Index of a channel in [`Case::channels`].
pub type ChannelIndex = usize;
/// Index of an actor in [`Case::actors`].
pub type ActorIndex = usize;
/// Index of a gate in [`Case::gates`].
pub type GateIndex = usize;
/// Number of a CPU as the kernel counts them.
pub type Cpu = u32;
/// CPUs of the machine of a case that asks for no number of them.
pub const DEFAULT_VCPUS: u32 = 2;
/// Slot of a descriptor, unique over all user actors of a case.
pub type FileSlot = usize;

/// One scenario with all its parameters chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// `suite/file` and, where the file has parameters, `[len=100,mode=overwrite]`. Stable and unique.
    pub name: String,
    /// The sentence that says what the scenario shows.
    pub summary: String,
    /// CPUs of the machine it is for: it gets at least so many, and every CPU named below is smaller.
    pub vcpus: u32,
    /// Draws record lengths.
    pub seed: u64,
    /// What the kernel must have; where it lacks something the case is skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// Channels, in the order of the file.
    pub channels: Vec<Channel>,
    /// Actors, in the order of the file; `cpu = "each"` is expanded to one for every CPU.
    pub actors: Vec<Actor>,
    /// Names of gates.
    pub gates: Vec<String>,
    /// What the author claims beyond the model; checked against the observation, and at check time
    /// against the model where that is exact.
    pub expect: Vec<Expect>,
    /// Operations may fail and channels may be refused without a claim by the author: only the model judges
    /// them. True of drawn cases, and of evidence saved before this member existed.
    #[serde(default = "yes")]
    pub may_fail: bool,
    /// Whose turn it is, and until where; empty: nobody says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Turn>,
}

const fn yes() -> bool {
    true
}

impl Case {
    /// Whether the author says what comes of this operation.
    #[must_use]
    pub fn claims_result(&self, actor: ActorIndex, op: usize) -> bool {
        self.expect.iter().any(|expect| {
            matches!(expect, Expect::Result { actor: of, op: at, .. } if (*of, *at) == (actor, op))
        })
    }

    /// Whether the author says what comes of opening this channel.
    #[must_use]
    pub fn claims_opening(&self, channel: ChannelIndex) -> bool {
        self.expect.iter().any(|expect| match expect {
            Expect::OpenRefused { channel: of } => *of == channel,
            Expect::Result { actor, op, .. } => {
                let op = self.actors.get(*actor).and_then(|of| of.ops.get(*op));
                matches!(op, Some(Op::Open { channel: of }) if *of == channel)
            }
            _ => false,
        })
    }

    /// How often callbacks in the middle of these operations, and those of switches, may raise a gate, whenever that is.
    pub fn raised_by_calls(&self, gate: GateIndex, of: impl Fn(&Op) -> bool) -> usize {
        let stalls = self.stalls().filter(|stall| stall.signal == gate).count();
        let ops = || self.actors.iter().flat_map(|actor| &actor.ops);
        let makes = |op: &&Op, of: ChannelIndex| match op {
            Op::Open { channel } | Op::LateSetup { channel } => *channel == of,
            Op::CpuOn { .. } => true,
            _ => false,
        };
        let channels = self.channels.iter().enumerate();
        let created = channels.filter_map(|(index, channel)| {
            let created = channel
                .client
                .created
                .filter(|created| created.signal == gate)?;
            let calls = created.cpu.map_or(self.vcpus as usize, |_| 1);
            Some(calls * ops().filter(|op| of(op) && makes(op, index)).count())
        });
        stalls + created.sum::<usize>()
    }

    /// How often an operation raises the gate at which it stands half way.
    #[must_use]
    pub fn raises(&self, op: &Op) -> usize {
        let Op::Open { channel } = op else {
            return 1;
        };
        let created = |spec: &Channel| {
            let cpus = 0..spec.buffers(self.vcpus) as usize;
            let created = spec.client.created?;
            Some(cpus.filter(|cpu| created.covers(*cpu)).count())
        };
        self.channels.get(*channel).and_then(created).unwrap_or(0)
    }

    /// Where an operation stands half way, by itself or in a callback that it is sure to bring about.
    #[must_use]
    pub fn hold(&self, op: &Op) -> Option<Hold> {
        let Op::Open { channel } = op else {
            return op.hold();
        };
        let created = self.channels.get(*channel)?.client.created?;
        // Nobody asks for the file of a CPU that is offline.
        let mut ops = self.actors.iter().flat_map(|actor| &actor.ops);
        let all_online = !ops.any(|op| matches!(op, Op::CpuOff { .. }));
        let is_asked = self.raises(op) > 0;
        (is_asked && all_online).then_some(Hold {
            reached: created.signal,
            until: created.wait,
        })
    }

    /// Callbacks that wait at a gate in the middle of a switch.
    pub fn stalls(&self) -> impl Iterator<Item = Stall> + '_ {
        let channels = self.channels.iter();
        channels.filter_map(|channel| channel.client.stall)
    }

    /// Whether the actor is nested on this operation of another.
    #[must_use]
    pub fn is_nested_on(&self, guest: ActorIndex, actor: ActorIndex, op: usize) -> bool {
        self.guest(actor, op)
            .is_some_and(|(index, _)| index == guest)
    }

    /// The actor that is nested on a write operation, and where.
    #[must_use]
    pub fn guest(&self, actor: ActorIndex, op: usize) -> Option<(ActorIndex, NestPoint)> {
        self.actors.iter().enumerate().find_map(|(guest, script)| {
            let Place::Nested {
                host, op: on, at, ..
            } = script.place
            else {
                return None;
            };
            ((host, on) == (actor, op)).then_some((guest, at))
        })
    }

    /// Whether the CPU goes offline or online in it.
    #[must_use]
    pub fn changes_cpu(&self, cpu: Cpu) -> bool {
        self.actors
            .iter()
            .flat_map(|actor| &actor.ops)
            .any(|op| op.changed_cpu() == Some(cpu))
    }
}
