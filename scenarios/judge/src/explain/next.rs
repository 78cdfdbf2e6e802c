//! What an operation of a run under control does next, its own accesses being known.
//!
//! Whether the kernel's binary leaves a load out, or adds in one instruction, its accesses say: see [`Site`].

use relaybed_case::access::AccessKind;
use relaybed_contract::predict::Key;
use relaybed_twin::{Frame, Member, Setting, Site, Sites, Spot, Step};

use super::own::{Own, Seen, is_in_trace};

/// What a step needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// No access of the trace.
    Nothing,
    /// An own load of this member.
    Load(Member, u64),
    /// An own store.
    Store,
}

/// The next step, as this binary makes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    /// The step; values in it mean nothing.
    pub(super) step: Step,
    pub(super) spot: Spot,
    /// What is left out before it.
    pub(super) merged: Sites,
    /// An addition is a load and a store.
    pub(super) is_split: bool,
}

impl Next {
    /// The next step of a frame on a buffer. A store may be under way: the access at which the trace is.
    pub(super) fn of(
        (frame, set): (&Frame, &Setting),
        key: Key,
        (own, now): (&Own, Option<&Seen>),
    ) -> Self {
        let mut next = Self::plain(frame, set, (Sites::NONE, false));
        loop {
            let (merged, is_split) = (next.merged, next.is_split);
            let other = match next.step {
                Step::Load {
                    member,
                    slot,
                    site: Some(site),
                    ..
                } if !next.spot.is_clients() => {
                    let is_made = match site {
                        Site::CountSum | Site::SwitchUnused => {
                            own.loads_to_store(key, member, now.is_some()) > 1
                        }
                        _ => own.find(key, (member, slot)).is_some(),
                    };
                    (!is_made && !merged.has(site)).then(|| (merged.with(site), is_split))
                }
                Step::Store {
                    site: Some(Site::AvailLap),
                    ..
                } if now.is_some_and(|now| now.member == Member::BytesConsumed) => {
                    Some((merged.with(Site::AvailLap), is_split))
                }
                Step::Update { member, site, .. } if is_in_trace(member) && !is_split => {
                    match own.next_to(key, member, now) {
                        Some(AccessKind::Load) => Some((merged, true)),
                        Some(AccessKind::Store) => site.map(|site| (merged.with(site), false)),
                        _ => None,
                    }
                }
                _ => None,
            };
            match other {
                Some(other) => next = Self::plain(frame, set, other),
                None => return next,
            }
        }
    }

    fn plain(frame: &Frame, set: &Setting, (merged, is_split): (Sites, bool)) -> Self {
        let set = Setting {
            merged,
            is_split,
            ..*set
        };
        Self {
            step: frame.next(&set),
            spot: frame.spot(&set),
            merged,
            is_split,
        }
    }

    /// What it needs.
    pub(super) const fn needs(&self) -> Needs {
        match self.step {
            Step::Load { member, slot, .. } if is_in_trace(member) && !self.spot.is_clients() => {
                Needs::Load(member, slot)
            }
            Step::Store { member, .. } | Step::Update { member, .. } if is_in_trace(member) => {
                Needs::Store
            }
            _ => Needs::Nothing,
        }
    }
}
