//! The twin: relay's algorithm as the kernels have it, with their defects as switches.

#![forbid(unsafe_code)]

mod as_built;
mod defects;
mod issues;
mod opening;
mod reading;
mod releases;
mod splicing;

pub use as_built::AsBuilt;
pub use defects::{Defect, Defects};
pub use issues::{Issue, defects_of, issues};
pub use releases::{Affected, Release};
