//! Can this host's KVM run a stock kernel? Answered by running a guest, not by looking.
//!
//! `/dev/kvm` can exist, create machines and run a real-mode payload, and still be unable to run a
//! kernel (nested set-ups that emulate what they cannot run are like that). So the probe runs a tiny
//! guest in long mode with paging and measures what a kernel leans on: straight code at real
//! speed, changes of address space, an exception through the guest's own table, port output.

mod choice;
mod guest;
mod judgement;
mod run;

pub use choice::{AccelRequest, Choice, KvmUnusable, choose};
pub use judgement::Measured;
pub use run::{KvmProbe, kvm};
