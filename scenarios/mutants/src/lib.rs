//! Mutants of a C source: small wrong changes, each of which some test should notice.
//!
//! A source's text comes in, and [`Mutant`]s come out: what is changed, where, and by which [`Operator`]. They are a
//! pure function of the text, and the name of each stays when other functions change. Nothing here builds or runs.

#![forbid(unsafe_code)]

mod choose;
mod diff;
mod masks;
mod mutant;
mod operator;
mod operators;
mod source;

pub use choose::{Shard, ShardError, sample, spread};
pub use diff::{Changed, DiffError};
pub use mutant::{Edit, Mutant};
pub use operator::{Operator, UnknownOperator};
pub use source::{NoSource, Source};
