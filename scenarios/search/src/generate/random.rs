//! The generator's own stream of numbers: the same seed gives the same stream on every host, in every
//! release. No crate stands between a saved seed and the case it means.

/// splitmix64 (Steele, Lea, Flood 2014): one addition and three mixing steps a number.
///
/// Small and of one word of state; its quality is ample for drawing sizes and choices.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream of number `index` under `seed`. Streams of neighbours have nothing in common.
    pub(crate) fn new(seed: u64, index: u64) -> Self {
        let mut outer = Self { state: seed };
        let seed = outer.next();
        let mut inner = Self {
            state: seed ^ index.wrapping_mul(0xd134_2543_de82_ef95),
        };
        Self {
            state: inner.next(),
        }
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 for an `end` of 0. The bias of the multiplication is below 2^-32.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// As [`Self::between`], in 32 bits.
    pub(crate) fn between32(&mut self, least: u32, most: u32) -> u32 {
        u32::try_from(self.between(least.into(), most.into())).unwrap_or(most)
    }

    /// An index below `len`; 0 for a `len` of 0.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// One of the values, as often as its weight says. At least one weight must not be 0.
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(u64, T)]) -> T {
        let total = items.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(total);
        for (weight, item) in items {
            if at < *weight {
                return *item;
            }
            at -= weight;
        }
        items[items.len() - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of splitmix64 for seed 1234567, as in its authors' test vectors.
        let mut random = Random { state: 1_234_567 };
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        assert_eq!(random.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn neighbours_differ_and_bounds_hold() {
        assert_ne!(Random::new(1, 0).next(), Random::new(1, 1).next());
        assert_ne!(Random::new(1, 0).next(), Random::new(2, 0).next());
        let mut random = Random::new(7, 7);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            let n = random.between(3, 7);
            seen[usize::try_from(n).unwrap() - 3] = true;
            assert!(random.weighted(&[(0, false), (1, true)]));
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.between(u64::MAX, u64::MAX), u64::MAX);
    }
}
