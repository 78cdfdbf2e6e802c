//! Strategies, replay, shrinking and tokens, on programs small enough that every answer is known.

mod commute;
mod machine;
mod plain;
mod races;
mod replayed;
mod seeds;
mod tokens;
