//! Which mutants are run: a spread sample, and a part of the work for one of several machines.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::Mutant;

/// At most `limit` mutants, the first that are [`spread`]; in their order.
#[must_use]
pub fn sample(mutants: Vec<Mutant>, limit: usize, seed: u64) -> Vec<Mutant> {
    if mutants.len() <= limit {
        return mutants;
    }
    let mut chosen = spread(&mutants, seed);
    chosen.truncate(limit);
    chosen.sort_unstable();
    let mut chosen = chosen.into_iter().peekable();
    let keep = |(at, mutant)| chosen.next_if_eq(&at).map(|_| mutant);
    mutants.into_iter().enumerate().filter_map(keep).collect()
}

/// The places of all mutants in an order in which the first ones, however many, are spread over functions as all
/// mutants are; drawn by `seed`.
#[must_use]
pub fn spread(mutants: &[Mutant], seed: u64) -> Vec<usize> {
    let mut by_function: BTreeMap<&str, Vec<(u64, usize)>> = BTreeMap::new();
    for (at, mutant) in mutants.iter().enumerate() {
        let lot = lot(seed, &mutant.id);
        by_function
            .entry(&mutant.function)
            .or_default()
            .push((lot, at));
    }
    let mut ranked: Vec<(f64, u64, usize)> = Vec::new();
    for drawn in by_function.values_mut() {
        drawn.sort_unstable();
        let share = 1.0 / as_float(drawn.len());
        for (rank, (lot, at)) in drawn.iter().enumerate() {
            ranked.push(((as_float(rank) + 0.5) * share, *lot, *at));
        }
    }
    ranked.sort_by(|a, b| {
        a.0.partial_cmp(&b.0)
            .unwrap_or(Ordering::Equal)
            .then((a.1, a.2).cmp(&(b.1, b.2)))
    });
    ranked.into_iter().map(|(_, _, at)| at).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of mutants are far below 2^52"
)]
fn as_float(count: usize) -> f64 {
    count as f64
}

fn lot(seed: u64, id: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(id.as_bytes());
    let hash = hash.finalize();
    hash.iter()
        .take(8)
        .fold(0, |lot, byte| lot << 8 | u64::from(*byte))
}

/// One of several parts of the work: `1/3` to `3/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    number: usize,
    /// Of how many.
    of: usize,
}

/// A text that names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no shard; write I/N with I from 1 to N, as in 2/3")]
pub struct ShardError {
    text: String,
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parsed = text.split_once('/').and_then(|(number, of)| {
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&number).then_some(Self { number, of })
        });
        parsed.ok_or_else(|| ShardError {
            text: text.to_owned(),
        })
    }
}

impl Shard {
    /// The mutants of this part.
    #[must_use]
    pub fn of(self, mutants: Vec<Mutant>) -> Vec<Mutant> {
        let mine = |(at, mutant)| (at % self.of + 1 == self.number).then_some(mutant);
        mutants.into_iter().enumerate().filter_map(mine).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operator;

    fn mutants() -> Vec<Mutant> {
        let of = |(function, count): (&str, usize)| {
            let one = |n: usize| Mutant {
                id: format!("{function}{n}"),
                function: function.to_owned(),
                line: n,
                column: 1,
                operator: Operator::Drop,
                before: String::new(),
                after: String::new(),
                edits: Vec::new(),
            };
            (0..count).map(one).collect::<Vec<_>>()
        };
        [("large", 80), ("small", 20)]
            .into_iter()
            .flat_map(of)
            .collect()
    }

    #[test]
    fn a_sample_is_spread_and_always_the_same() {
        let chosen = sample(mutants(), 10, 1);
        let small = chosen.iter().filter(|m| m.function == "small").count();
        assert_eq!((chosen.len(), small), (10, 2));
        assert_eq!(chosen, sample(mutants(), 10, 1));
        assert_ne!(chosen, sample(mutants(), 10, 2));
        assert_eq!(sample(mutants(), 1000, 1), mutants());
        // More of it holds all of less of it.
        let more = sample(mutants(), 30, 1);
        assert!(chosen.iter().all(|mutant| more.contains(mutant)));
    }

    #[test]
    fn parts_are_the_whole() {
        let parts = ["1/3", "2/3", "3/3"].map(|text| text.parse::<Shard>().unwrap().of(mutants()));
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 100);
        for text in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
