//! Generated scenarios: from a seed and limits to a [`Case`].
//!
//! Sizes, counts, modes, headers, files, contexts, operations, readers and gates are all drawn, weighted
//! towards boundaries: exact fits and one byte beside them, a single sub-buffer, sub-buffers of one byte,
//! full channels, flush, reset, consumed, close and reopen in odd places. Seldom the client refuses, stalls,
//! fails to make a file, has a long name or shares one buffer, a CPU goes off and on, or an actor interrupts
//! another one's write.
//!
//! There are two families. In a *sequential* case gates put all operations in one order, so the model
//! predicts every byte. In a *concurrent* one writers and readers meet as relay allows, and what the order
//! decides is judged by invariants. What relay leaves to its client to keep apart never meets.
//!
//! Pure: a seed, a number and limits determine the case, on every host. A change of what is drawn raises
//! [`VERSION`], since a seed then means other cases; the file that is written of a case outlives that.

mod calls;
mod channels;
mod concurrent;
mod files;
mod hotplug;
mod kernel_ops;
mod lengths;
mod nest;
mod order;
pub(crate) mod random;
mod sequential;
mod shadow;
mod spliced;
mod stall;
#[cfg(test)]
mod tests;

pub(crate) use order::{Step, in_line, is_gate, line_of};

use random::Random;
use relaybed_case::Case;

/// Version of the generator: with it, a seed and limits mean the same cases for ever.
pub const VERSION: u32 = 5;

/// The two families of generated cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// One order of all operations: every byte is predicted.
    Sequential,
    /// Writers and readers meet: invariants are judged.
    Concurrent,
}

impl Family {
    /// Its name at the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Concurrent => "concurrent",
        }
    }
}

/// What the machine offers, and what is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CPUs of the machine.
    pub vcpus: u32,
    /// `LINUX_VERSION_CODE` of the kernel: some operations exist in some releases only.
    pub linux_version: u32,
    /// Only this family; `None`: three sequential cases to one concurrent.
    pub family: Option<Family>,
}

/// Case number `index` of `seed`.
#[must_use]
pub fn case(seed: u64, index: u64, limits: &Limits) -> Case {
    let mut random = Random::new(seed, index);
    let drawn = random.weighted(&[(3, Family::Sequential), (1, Family::Concurrent)]);
    let family = limits.family.unwrap_or(drawn);
    loop {
        let mut case = match family {
            Family::Sequential if calls::has_own_splice(limits) && random.chance(2) => {
                spliced::draw(&mut random, limits)
            }
            Family::Sequential => sequential::draw(&mut random, limits),
            Family::Concurrent => concurrent::draw(&mut random, limits),
        };
        // Whom no step fell to does nothing.
        case.actors.retain(|actor| !actor.ops.is_empty());
        case.name = format!("fuzz/{seed}-{index}");
        case.summary = format!("Number {index} of seed {seed}, {}.", family.word());
        let mut case = relaybed_lang::canonical(case);
        // Last: what is nested names its host's operation by number.
        if family == Family::Sequential && random.chance(8) {
            nest::draw(&mut random, &mut case);
        }
        // One in hundreds could leave more than the guest has room for; another is drawn then.
        if relaybed_lang::fits(&case) {
            return case;
        }
    }
}
