//! The judge: from a case and the evidence of one run to a verdict.
//!
//! The sub-buffers' bytes are parsed into records once ([`parse`]); then one checker per property looks
//! at case, prediction, evidence and records, and findings are reported with the most telling property
//! first. Evidence is hostile: nothing in it makes a checker panic or work without bound. Pure: no
//! files, clock, threads or environment.
//!
//! Whole verdicts over buffers of 256-byte records are to be made at 1 GB/s or more on one core;
//! `cargo bench -p relaybed-judge --bench judge` measures that and prints the figure.
//!
//! # Example
//!
//! Evidence as a correct kernel leaves it passes; with a record torn, it fails with that finding first:
//!
//! ```
//! use relaybed_abi::Plant;
//! use relaybed_case::verdict::Verdict;
//! use relaybed_judge::{forge, judge};
//!
//! let text = r#"
//! summary = "One record."
//! channel.cpu = { subbuf_size = 64, n_subbufs = 4 }
//! [[actor]]
//! name = "writer"
//! cpu = 0
//! script = [{ write = "cpu", len = 48 }]
//! "#;
//! let case = &relaybed_lang::load("my/case.toml", text)?[0];
//! let linux_6_1 = relaybed_contract::behaviour::version(6, 1);
//! let (verdict, _) = judge(case, &forge::synthesize(case, linux_6_1, 2));
//! assert_eq!(verdict, Verdict::Passed);
//!
//! let torn = forge::Spoil { kind: Plant::Torn, actor: 0, seq: 0 };
//! let (verdict, _) = judge(case, &forge::plant(case, linux_6_1, 2, torn));
//! let Verdict::Failed { findings } = verdict else { panic!("{verdict:?}") };
//! assert_eq!(findings[0].code().to_string(), "R0301");
//! # Ok::<(), relaybed_lang::Diagnostics>(())
//! ```

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
