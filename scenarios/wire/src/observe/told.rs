//! What the module says that a CPU has come to, in a word that a host watches.

use std::mem::offset_of;

use relaybed_abi::{
    Header, RB_STOP_ACTOR_SHIFT, RB_STOP_BELL, RB_STOP_IDLE, RB_STOP_KIND_SHIFT, RB_STOP_STEP,
};

use super::ram::get;
use super::{Mailbox, ObserveError, Ram, Where};

/// A place that the CPU which wrote the word has come to; an allegation of the guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// An actor is before an operation of its own.
    Operation {
        /// Index of the actor.
        actor: u32,
        /// Index of the operation among its own; their number: it is through.
        op: u32,
    },
    /// The doorbell is about to be rung.
    Bell,
    /// The CPU is about to idle.
    Idle,
}

impl Mailbox {
    /// Kernel address of the word: 8 bytes that are written at once.
    #[must_use]
    pub fn stop_word(&self) -> u64 {
        let at = self.address() + offset_of!(Header, stop) as u64;
        self.direct_map().wrapping_add(at)
    }

    /// What the word says now; `None`: nothing that there is.
    ///
    /// # Errors
    /// [`ObserveError::OutOfRam`].
    pub fn told(&self, ram: &dyn Ram) -> Result<Option<Told>, ObserveError> {
        let at = self.address() + offset_of!(Header, stop) as u64;
        Ok(parse(get(ram, at, "the stop word", Where::Mailbox)?))
    }

    /// The last number of the guest's order that was given out; an allegation of the guest's.
    ///
    /// # Errors
    /// [`ObserveError::OutOfRam`].
    pub fn order(&self, ram: &dyn Ram) -> Result<u32, ObserveError> {
        let at = self.address() + offset_of!(Header, order) as u64;
        get(ram, at, "the order", Where::Mailbox)
    }
}

fn parse(word: u64) -> Option<Told> {
    let part = |shift: u32, mask: u64| u32::try_from(word >> shift & mask).unwrap_or(0);
    match word >> RB_STOP_KIND_SHIFT {
        RB_STOP_STEP => Some(Told::Operation {
            actor: part(RB_STOP_ACTOR_SHIFT, 0xffff),
            op: part(0, 0xffff_ffff),
        }),
        RB_STOP_BELL => Some(Told::Bell),
        RB_STOP_IDLE => Some(Told::Idle),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let step = RB_STOP_STEP << RB_STOP_KIND_SHIFT | 7 << RB_STOP_ACTOR_SHIFT | 0xffff_fffe;
        let told = Told::Operation {
            actor: 7,
            op: 0xffff_fffe,
        };
        assert_eq!(parse(step), Some(told));
        assert_eq!(parse(RB_STOP_BELL << RB_STOP_KIND_SHIFT), Some(Told::Bell));
        assert_eq!(parse(RB_STOP_IDLE << RB_STOP_KIND_SHIFT), Some(Told::Idle));
        assert_eq!(parse(0), None);
        assert_eq!(parse(u64::MAX), None);
    }
}
