//! Places where a vCPU is stopped.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::field::Field;
use crate::fnv::Fnv;

/// A place in the kernel's code or data where a vCPU is stopped and control may pass to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// Before an instruction of the kernel or of a module.
    Code {
        /// The function, by its name in the kernel's symbol table.
        symbol: String,
        /// Bytes from the function's begin to the instruction.
        offset: u64,
    },
    /// Inside a function or its callees, so many instructions after its first.
    Instruction {
        /// The function.
        symbol: String,
        /// How many.
        nth: u32,
    },
    /// After an access to relay's own data.
    Data {
        /// The channel's slot in the case.
        channel: u32,
        /// Whose channel buffer it is.
        cpu: u32,
        /// What was accessed.
        field: Field,
        /// Whether it was stored to, perhaps after a load by the same instruction; otherwise it was loaded.
        write: bool,
    },
    /// Before an operation of an actor; the one after its last is its end.
    Operation {
        /// The actor's index in the case.
        actor: u32,
        /// The operation's index in the actor.
        op: u32,
    },
    /// The vCPU has nothing to run.
    Idle,
    /// The vCPU's timer interrupt.
    Tick,
    /// The vCPU spins for something that a standing vCPU holds: a lock, an answer to an interrupt.
    Waits,
    /// The program has ended.
    Done,
}

impl Place {
    /// Whether control may pass to another vCPU here for no other reason than that it may: what vCPUs
    /// share lies before or behind. Elsewhere control passes only because a vCPU cannot go on.
    #[must_use]
    pub const fn is_switch_point(&self) -> bool {
        matches!(
            self,
            Self::Code { .. }
                | Self::Instruction { .. }
                | Self::Data { .. }
                | Self::Operation { .. }
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code { symbol, offset: 0 } => write!(f, "{symbol}"),
            Self::Code { symbol, offset } => write!(f, "{symbol}+{offset:#x}"),
            Self::Instruction { symbol, nth } => write!(f, "{symbol} after {nth} instructions"),
            Self::Data {
                channel,
                cpu,
                field,
                write,
            } => {
                let verb = if *write { "wrote" } else { "read" };
                write!(f, "{verb} {} of channel {channel} CPU {cpu}", field.word())
            }
            Self::Operation { actor, op } => write!(f, "actor {actor} before operation {op}"),
            Self::Idle => write!(f, "idle"),
            Self::Tick => write!(f, "tick"),
            Self::Waits => write!(f, "waits"),
            Self::Done => write!(f, "done"),
        }
    }
}

/// One halt of a vCPU at a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Who halted.
    pub vcpu: u32,
    /// Where.
    pub place: Place,
}

impl Stop {
    /// A number for this stop, the same on every host and in every release.
    ///
    /// It goes over the text, since people see the text: places that read alike count as one.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hash = Fnv::default();
        hash.write(&self.vcpu.to_le_bytes());
        hash.write(self.place.to_string().as_bytes());
        hash.0
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vCPU {} at {}", self.vcpu, self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_well_and_digests_tell_them_apart() {
        let data = |write| Place::Data {
            channel: 0,
            cpu: 1,
            field: Field::Produced,
            write,
        };
        let code = |offset| Place::Code {
            symbol: "relay_switch_subbuf".to_owned(),
            offset,
        };
        let places = [
            data(true),
            data(false),
            code(0),
            code(0x1a),
            Place::Operation { actor: 0, op: 2 },
            Place::Idle,
        ];
        let texts: Vec<String> = places.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "wrote produced of channel 0 CPU 1",
                "read produced of channel 0 CPU 1",
                "relay_switch_subbuf",
                "relay_switch_subbuf+0x1a",
                "actor 0 before operation 2",
                "idle",
            ]
        );
        let mut digests: Vec<u64> = (0..2)
            .flat_map(|vcpu| {
                let stop = |place: &Place| Stop {
                    vcpu,
                    place: place.clone(),
                };
                places
                    .iter()
                    .map(|place| stop(place).digest())
                    .collect::<Vec<_>>()
            })
            .collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 12);
    }
}
