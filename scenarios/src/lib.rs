//! Scenarios, reference model, judge and runner for the kernel's relay interface.
//!
//! Data flows one way: `lang` makes a [`case::Case`] of a file, `program` makes the guest's operations
//! of it, `run` boots a machine and gets them done, `observe` takes the [`evidence::Evidence`] from guest
//! memory, `model` predicts, `judge` compares and gives a [`verdict::Verdict`], `report` tells it.

pub mod case;
pub mod cli;
pub mod evidence;
pub mod exit;
pub mod generate;
pub mod hex;
pub mod judge;
pub mod lang;
pub mod model;
pub mod observe;
pub mod program;
pub mod report;
pub mod run;
pub mod schedule;
pub mod select;
pub mod shrink;
pub mod store;
pub mod symbols;
pub mod transports;
pub mod verdict;
