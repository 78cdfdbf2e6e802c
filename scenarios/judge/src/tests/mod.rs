//! Checkers are tested with forged evidence: clean evidence passes, each planted defect is found
//! under its own name.

pub(super) mod cases;
mod clients;
mod early;
mod files;
mod known;
mod led;
mod lies;
mod named;
mod near;
mod planted;
mod streams;
