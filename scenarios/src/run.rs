//! Running cases on a machine: planning what to use, one session a boot, one loop over the cases.
//!
//! This is where the pure rooms meet machines, files and clocks.

mod batches;
mod console;
mod coverage;
mod crash;
mod drive;
mod driven;
mod ended;
mod error;
mod exchange;
mod explore;
mod finding;
mod fuzz;
mod hold;
mod image;
mod known;
mod landmarks;
mod logs;
pub mod matrix;
mod memory;
pub mod mutate;
mod names;
mod options;
mod plan;
mod ram;
mod remembered;
mod repeat;
mod replay;
mod session;
mod shown;
mod shrink;
mod stops;
mod suite;
mod symbols;
pub mod transports;
mod unsaved;
mod warm;
mod watched;

pub use batches::{Isolate, run_all};
pub use coverage::{Cover, NoCover};
pub use drive::{Controlled, Driven, NoControl, Stuck, Undriven};
pub use error::{Cause, Ended, SessionError};
pub use explore::{Explore, Until, Wanted, explore};
pub use fuzz::{Fuzz, Telling, fuzz};
pub use image::ReadyImage;
pub use known::{Known, NotKnown};
pub use memory::own_rss_kib;
pub use options::Options;
pub use plan::{BackendWish, PATIENCE, Plan, PlanError, Wish, choose};
pub use replay::{Recording, replay};
pub use session::{Sent, Session};
pub use stops::{CodeStop, DataStop, Stops};
pub use suite::SuiteEnd;
pub use unsaved::Unsaved;
