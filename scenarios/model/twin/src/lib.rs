//! The twin: relay's algorithm as the kernels have it, in single accesses.
//!
//! Beside the contract, which says what relay documents, the twin says what `kernel/relay.c` and
//! `include/linux/relay.h` do with one `struct rchan_buf`. A [`Frame`] is one operation on one buffer; each
//! [`Frame::step`] is one load or store of a member or one effect that others see. What frames of several
//! CPUs do when they interleave is what relay does when they meet: most known issues are nothing but orders
//! of such steps. [`Defects`] in a [`Setting`] say what is wrong with this relay; without any the twin, with one
//! frame at a time, equals the contract.
//!
//! * [`open`], [`run_alone`]: one operation after the other.
//! * [`Frame`], [`Around`], [`Memory`]: a driver's own order of steps. [`Frame::next`] says what the next step
//!   accesses, [`Frame::inside`] which defects' sections it is in, [`Site`] where a compiler may leave a load
//!   out.
//! * [`Pending`]: stores that other CPUs do not see yet.
//! * [`search`]: all interleavings of two or three short threads on a small buffer, and which defects cause
//!   what breaks there.
//!
//! Contents: see [`contents`]. Pure: no files, clock, threads or environment.

#![forbid(unsafe_code)]

pub mod contents;
pub mod search;

mod alone;
mod around;
mod defects;
mod frame;
mod io;
mod member;
mod memory;
mod pending;
mod setting;
mod site;
mod step;

pub use alone::{Log, open, run_alone, run_on};
pub use around::{Around, Lock};
pub use defects::{Defect, Defects, UnknownDefect};
pub use frame::{Frame, Op};
pub use member::Member;
pub use memory::{Bytes, Memory};
pub use pending::{Behind, Held, Pending, drains};
pub use setting::Setting;
pub use site::{Site, Sites};
pub use step::{Effect, Outcome, Step};
