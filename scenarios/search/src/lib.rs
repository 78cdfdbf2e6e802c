//! Drawing cases and schedules, and making what they find small.
//!
//! Pure: values in, values out.

#![forbid(unsafe_code)]

pub mod generate;
pub mod in_model;
pub mod schedule;
pub mod shrink;
