//! Scenarios, reference model, judge and runner for the kernel's relay interface.

pub mod case;
pub mod evidence;
pub mod hex;
pub mod lang;
pub mod model;
pub mod observe;
pub mod program;
pub mod verdict;
pub mod exit;
pub mod report;
pub mod select;
pub mod store;
