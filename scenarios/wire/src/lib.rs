//! Between the case and the machine: a case as operations of the guest, guest memory as evidence, and
//! evidence as a folder of files.

pub mod observe;
pub mod program;
pub mod store;
pub mod swept;
