//! Searching the twin: all orders in which a few operations on one buffer can meet, or some at random.
//!
//! A [`Scene`] is a small buffer and up to three threads; [`interleave`] goes through all its interleavings and
//! says which break what relay promises there; [`survey`] names the causes.

mod ahead;
mod all;
mod cause;
mod order;
mod random;
mod scene;
mod scenes;
mod small;
mod state;
mod survey;
mod turns;
mod watch;

pub use all::{Tried, Violation, interleave, interleave_while};
pub use cause::{Order, causes};
pub use order::{Path, Played, Shown, minimised, replay};
pub use random::draw;
pub use scene::{Numbers, Promise, Scene, THREADS, Wait, read};
pub use scenes::{Named, scenes};
pub use survey::{Found, Survey, survey, survey_while};
pub use turns::{Stop, ThreadTurn, by_operation, play, turn_lists, turns_of};
pub use watch::Broken;
