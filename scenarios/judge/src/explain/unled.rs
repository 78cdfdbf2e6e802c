//! Why a run under control could not be led, and at which access.

use std::fmt;

use relaybed_case::finding::{Finding, Model};
use relaybed_case::verdict::Location;
use relaybed_contract::order::At;
use relaybed_twin::{Effect, Member, Spot, Step};

use crate::matter::Matter;

/// Where leading came to no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unled {
    /// The access in the trace; none where no access is left.
    pub(super) access: Option<usize>,
    /// The operation.
    pub(super) op: Option<At>,
    pub(super) why: Why,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Marks of the evidence contradict each other.
    Marks,
    /// The access found another value than the one before it left, this one.
    Contradicts(u64),
    /// The operation makes no access now.
    Idle,
    /// The twin would do something else first.
    First(Box<(Spot, Step)>),
    /// The twin stored something else.
    Made(Box<(Spot, Step)>),
    /// No step loads it.
    Extra,
    /// Its step must not pass one that comes earlier in the source.
    Passes(Box<(Spot, Spot)>),
    /// The answer, a callback or the bytes are not those of the evidence.
    Answer,
    /// It goes on and on.
    Endless,
    /// All accesses are right, and what is left at the end is not.
    End,
}

impl Unled {
    /// Of the whole run.
    pub(super) const fn whole(why: Why) -> Self {
        Self {
            access: None,
            op: None,
            why,
        }
    }

    /// What is wrong with the run.
    pub(super) fn finding(&self, matter: &Matter<'_>) -> Finding {
        let trace = matter.evidence.trace.as_ref();
        let accesses = trace.map_or(&[][..], |trace| &trace.accesses);
        let found = self
            .access
            .and_then(|index| Some((index, accesses.get(index)?)));
        let actor = self.op.and_then(|at| matter.case.actors.get(at.actor));
        let mut place = Location {
            actor: actor.map(|actor| actor.name.clone()),
            op: self.op.map(|at| at.op),
            ..Location::default()
        };
        let due = self.why.to_string().into();
        let Some((index, accessed)) = found else {
            return Finding::new(place, Model::UnledEnd { due });
        };
        let access = &accessed.access;
        let channel = matter.case.channels.get(access.channel as usize);
        place.channel = channel.map(|channel| channel.name.clone());
        place.cpu = Some(access.cpu);
        let number = index as u64;
        let access = access.to_string().into();
        Finding::new(
            place,
            Model::Unled {
                number,
                access,
                due,
            },
        )
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marks => write!(f, "an order of the evidence that is possible"),
            Self::Contradicts(left) => {
                write!(f, "{left} there, as the access before it left it")
            }
            Self::Idle => write!(f, "no access: the operation is over, waits or was refused"),
            Self::First(first) => {
                let (spot, step) = &**first;
                write!(f, "that {} {} first", spot.word(), Accessing(step, false))
            }
            Self::Made(made) => {
                let (spot, step) = &**made;
                write!(f, "that {} {}", spot.word(), Accessing(step, true))
            }
            Self::Extra => write!(f, "no such load: no step of the source makes it"),
            Self::Passes(pair) => {
                let (spot, earlier) = **pair;
                let (spot, earlier) = (spot.word(), earlier.word());
                write!(f, "that {spot} makes it behind what {earlier} does before")
            }
            Self::Answer => write!(
                f,
                "the answers, callbacks and bytes of the evidence by then"
            ),
            Self::Endless => write!(f, "that the operation comes to an end"),
            Self::End => write!(f, "the counts, bytes, callbacks and files that were seen"),
        }
    }
}

/// A step as a report has it, with its values where they mean something.
struct Accessing<'a>(&'a Step, bool);

impl fmt::Display for Accessing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = |member: Member, slot: u64| match member {
            Member::Padding => format!("{}[{slot}]", member.word()),
            _ => member.word().to_owned(),
        };
        match *self.0 {
            Step::Load { member, slot, .. } => write!(f, "loads {}", to(member, slot)),
            Step::Store {
                member,
                slot,
                after,
                ..
            } if self.1 => write!(f, "stores {after} to {}", to(member, slot)),
            Step::Update {
                member,
                before,
                after,
                ..
            } if self.1 => write!(f, "makes {after} of {before} in {}", to(member, 0)),
            Step::Store { member, slot, .. } => write!(f, "stores to {}", to(member, slot)),
            Step::Update { member, .. } => write!(f, "adds to {}", to(member, 0)),
            Step::Effect(Effect::Called(_) | Effect::Answered(_)) => write!(f, "calls back"),
            Step::Effect(Effect::CopiedIn { .. } | Effect::CopiedOut { .. }) => {
                write!(f, "copies")
            }
            Step::Effect(_) => write!(f, "goes on"),
            Step::Blocked(_) => write!(f, "waits for a lock"),
            Step::Done(_) => write!(f, "is over"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_well() {
        assert_eq!(
            Why::Contradicts(3).to_string(),
            "3 there, as the access before it left it"
        );
        let load = Step::Load {
            member: Member::Padding,
            slot: 2,
            value: 0,
            site: None,
        };
        assert_eq!(Accessing(&load, true).to_string(), "loads padding[2]");
        let store = Step::Store {
            member: Member::Offset,
            slot: 0,
            before: 1,
            after: 0,
            site: None,
        };
        assert_eq!(Accessing(&store, true).to_string(), "stores 0 to offset");
        assert_eq!(Accessing(&store, false).to_string(), "stores to offset");
    }
}
