//! Schedules: which vCPU goes on at each place where one stops.
//!
//! While a schedule is in control exactly one vCPU runs, up to its next [`Stop`]; then a [`Strategy`] is
//! asked which of the enabled vCPUs goes on. What was asked and answered is the run's [`Trace`]; the answers
//! alone are its [`Schedule`], which gives the same run again on the same machine.
//!
//! Pure: machines and their clocks are the executor's matter (`run`). What comes in are stops, what goes
//! out are numbers of vCPUs.

mod decisions;
mod place;
mod strategy;
mod trace;

pub use decisions::{Decision, Schedule, default_next};
pub use place::{Field, Place, Stop};
pub use strategy::{Choice, Strategy};
pub use trace::{Step, Trace};
