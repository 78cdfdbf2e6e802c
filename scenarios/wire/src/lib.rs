//! Between the case and the machine: a case as operations of the guest, guest memory as evidence, and
//! evidence as a folder of files.
//!
//! ```
//! let no_folder = relaybed_wire::store::load("no/such/folder".as_ref());
//! assert!(no_folder.is_err_and(|error| error.to_string().contains("run the scenario again")));
//! ```

pub mod observe;
pub mod program;
pub mod store;
pub mod swept;
