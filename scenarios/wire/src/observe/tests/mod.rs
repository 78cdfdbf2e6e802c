//! Observing a guest memory that was written by hand, and damaging it.

mod fake;
mod hostile;
mod reading;
