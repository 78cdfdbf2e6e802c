//! Events of `poll()`, as Linux counts them: the one table of their names.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! events {
    ($($name:ident = $bit:literal: $means:literal,)+) => {
        $(#[doc = $means] pub const $name: u64 = $bit;)+

        /// All events with a name, by rising bit.
        pub const NAMED: &[(&str, u64)] = &[$((stringify!($name), $bit)),+];
    };
}

events! {
    POLLIN = 0x1: "There is something to read.",
    POLLPRI = 0x2: "There is something urgent to read.",
    POLLOUT = 0x4: "Writing would not wait.",
    POLLERR = 0x8: "An error; relay: the channel is closed.",
    POLLHUP = 0x10: "The other side hung up; debugfs's proxy: the file is gone.",
    POLLNVAL = 0x20: "The descriptor is not open.",
    POLLRDNORM = 0x40: "Normal data can be read.",
}

/// A set of events.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PollBits(pub u64);

/// The event of this name.
#[must_use]
pub fn named(name: &str) -> Option<u64> {
    let known = NAMED.iter().find(|(known, _)| *known == name);
    known.map(|(_, bit)| *bit)
}

impl fmt::Display for PollBits {
    /// `POLLIN|POLLRDNORM`; bits without a name by their number, `bit 11`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("no event");
        }
        let mut bar = "";
        for bit in (0..u64::BITS).filter(|bit| self.0 >> bit & 1 == 1) {
            f.write_str(bar)?;
            match NAMED.iter().find(|(_, known)| *known == 1 << bit) {
                Some((name, _)) => f.write_str(name)?,
                None => write!(f, "bit {bit}")?,
            }
            bar = "|";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_names() {
        assert_eq!(PollBits(0).to_string(), "no event");
        assert_eq!(PollBits(POLLIN).to_string(), "POLLIN");
        let both = PollBits(POLLIN | POLLRDNORM);
        assert_eq!(both.to_string(), "POLLIN|POLLRDNORM");
        assert_eq!(PollBits(POLLERR | 1 << 11).to_string(), "POLLERR|bit 11");
        assert_eq!(PollBits(u64::MAX).to_string().split('|').count(), 64);
    }

    #[test]
    fn each_name_is_of_one_bit() {
        for (name, bit) in NAMED {
            assert_eq!(named(name), Some(*bit));
            assert_eq!(bit.count_ones(), 1);
        }
    }
}
