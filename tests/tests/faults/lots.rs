//! Drawing lots: the same seed draws the same.

use std::time::{SystemTime, UNIX_EPOCH};

/// A generator of the kind that `xorshift64*` is.
pub(crate) struct Lots(u64);

impl Lots {
    /// By `RELAYBED_FAULT_SEED`, or by the clock; printed either way.
    pub(crate) fn new(what: &str) -> Self {
        let asked = std::env::var("RELAYBED_FAULT_SEED").ok();
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = asked.map_or(clock.as_secs(), |seed| seed.parse().unwrap());
        println!("{what}: RELAYBED_FAULT_SEED={seed}");
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Another one, which draws something else.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next() | 1)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }

    /// One of them.
    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
