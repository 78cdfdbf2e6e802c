//! The judge: from a case and the evidence of one run to a verdict.
//!
//! The sub-buffers' bytes are parsed into records once ([`parse`]); then one checker per property looks
//! at case, prediction, evidence and records, and findings are reported with the most telling property
//! first. Evidence is hostile: nothing in it makes a checker panic or work without bound. Pure: no
//! files, clock, threads or environment.
//!
//! Whole verdicts over buffers of 256-byte records are to be made at 1 GB/s or more on one core;
//! `cargo bench -p relaybed-judge --bench judge` measures that and prints the figure.

#![forbid(unsafe_code)]

pub mod forge;
pub mod matter;
pub mod parse;

mod cause;
mod checks;
mod claims;
mod close_up;
mod content;
mod explain;
mod flow;
mod gap;
mod history;
mod identify;
mod known;
mod pick;
mod run;
mod settle;
mod streams;
mod written;

pub use checks::health::reported;
pub use claims::{Claimed, Contradiction, claims};
pub use close_up::{Area, Beside, CloseUp, Neighbour, close_up};
pub use flow::{Flow, flow, flow_of};
pub use identify::Writers;
pub use pick::{pick_plant, property_of};
pub use run::judge;
pub use streams::{CpuStream, StreamEntry, streams};
pub use written::written;

#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod tests;
