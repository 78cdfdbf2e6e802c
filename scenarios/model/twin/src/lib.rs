//! The twin: relay's algorithm as the kernels have it, with their defects as switches.
//!
//! Beside the contract, which says what relay documents, the twin says what `kernel/relay.c` and
//! `include/linux/relay.h` do.
//!
//! * [`AsBuilt`] is relay where operations follow one another: channels, files, splice, and buffers.
//! * A [`Frame`] is one operation on one buffer, in single accesses: each [`Frame::step`] is one load or store of a
//!   member or one effect that others see. What frames of several CPUs do when they interleave is what
//!   relay does when they meet: most known issues are nothing but orders of such steps.
//! * [`Defects`] say what is wrong with this relay; without any the twin, with one operation at a time, equals
//!   the contract. [`issues`] is the list of them.
//! * [`search`]: all interleavings of two or three short threads on a small buffer, and which defects cause
//!   what breaks there.
//!
//! [`open`] and [`run_alone`] run one operation after the other; [`Frame`], [`Around`] and [`Memory`] are for a
//! driver's own order of steps: [`Frame::next`] says what the next step accesses, [`Frame::inside`] which defects'
//! sections it is in, [`Site`] where a compiler may leave a load out, [`Spot`] what it may make early, and [`Pending`] holds stores that other CPUs
//! do not see yet. Contents: see [`contents`]. Pure: no files, clock, threads or environment.

#![forbid(unsafe_code)]

pub mod contents;
pub mod search;

mod alone;
mod around;
mod as_built;
mod counting;
mod defects;
mod footprint;
mod frame;
mod io;
mod issues;
mod member;
mod memory;
mod opening;
mod pending;
mod reading;
mod releases;
mod setting;
mod site;
mod splicing;
mod step;

pub use alone::{Log, open, run_alone, run_on};
pub use around::{Around, Lock};
pub use as_built::AsBuilt;
pub use defects::{Defect, Defects, UnknownDefect};
pub use footprint::Footprint;
pub use frame::{Frame, Op, Spot};
pub use issues::{Issue, defects_of, issues};
pub use member::Member;
pub use memory::{Bytes, Memory};
pub use opening::Opening;
pub use pending::{Behind, Held, Pending, drains};
pub use releases::{Affected, Release};
pub use setting::Setting;
pub use site::{Site, Sites};
pub use step::{Effect, Outcome, Step};
