//! Schedules: which vCPU goes on at each place where one stops.
//!
//! While a schedule is in control exactly one vCPU runs, up to its next [`Stop`]; then a [`Strategy`] is
//! asked which of the enabled vCPUs goes on. What was asked and answered is the run's [`Trace`]; the answers
//! alone are its [`Schedule`], which gives the same run again on the same machine, and fits into a [`Token`].
//!
//! An [`Explorer`] draws schedules one after another; [`shrink()`] makes one that fails plain.
//!
//! [`Stop`]: relaybed_case::place::Stop
//! [`Trace`]: relaybed_case::trace::Trace
//!
//! Pure: machines and their clocks are the executor's matter (`run`). What comes in are stops, what goes
//! out are numbers of vCPUs.

mod commute;
mod coverage;
mod decisions;
mod explorer;
mod in_turn;
mod lot;
mod pct;
mod replay;
mod script;
mod search;
mod segments;
mod shrink;
mod strategy;
#[cfg(test)]
mod tests;
pub mod token;
mod turns;

pub use coverage::{Coverage, Covered};
pub use decisions::{Decided, Decision, Schedule, default_next};
pub use explorer::{Drawn, Explorer, Kind};
pub use in_turn::InTurn;
pub use lot::Lot;
pub use pct::{Pct, PctShape};
pub use replay::{Checked, Divergence, Marks, Replay};
#[cfg(test)]
pub(crate) use script::READER_AND_WRITER;
pub use script::{NotReached, Script};
pub use search::{Candidate, Search};
pub use segments::Alike;
pub use shrink::{Asked, Tried, shrink};
pub use strategy::Strategy;
pub use token::{Token, TokenError};
pub use turns::turns;
