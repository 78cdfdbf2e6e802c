//! The scenario language: TOML files in, cases out.
//!
//! Pure: text comes in, [`Case`](relaybed_case::Case)s or [`Diagnostics`] go out; no files, clock, threads
//! or environment. The suites are carried inside the binary, see [`embedded`].
//!
//! # A scenario file
//!
//! ```toml
//! #:schema relaybed.schema.json
//! summary = "A record that does not fit switches to the next sub-buffer and leaves padding."
//! vcpus = 2
//!
//! [params]
//! len = [30, 31]
//!
//! [channel.cpu]
//! subbuf_size = 64
//! n_subbufs = 4
//!
//! [[actor]]
//! name = "writer"
//! cpu = "each"
//! script = [
//!     { write = "cpu", len = "len", count = 3 },
//!     { signal = "written" },
//! ]
//!
//! [[actor]]
//! name = "reader"
//! context = "user"
//! script = [
//!     { wait = "written", count = "cpus" },
//!     { open_file = "cpu", cpu = 1, as = "f" },
//!     { poll = "f", timeout_ms = 0, gives = "POLLIN + POLLRDNORM" },
//!     { read = "f", size = 4096, gives = "3 * len" },
//! ]
//!
//! [[expect]]
//! buffer = "cpu"
//! cpu = 0
//! produced = 1
//! offset = "len"
//! padding = ["S - 2 * len", 0, 0, 0]
//! ```
//!
//! The first line is a hint that editors with TOML support follow; `relaybed schema` prints the schema. All
//! keys, operations and words are in the [`reference()`], which is published as `scenarios/LANGUAGE.md`.
//!
//! # What is checked
//!
//! All of it in one pass, each with its place: unknown keys and words (with the near one), types, CPUs that
//! do not exist, sizes beyond the limits of the ABI, operations of the wrong kind of actor, files used
//! before they are opened, gates that can never be reached, parameters without use, and more evidence
//! than the guest has room for.
//!
//! # Example
//!
//! ```
//! let text = r#"
//! summary = "One record."
//! channel.cpu = { subbuf_size = 64, n_subbufs = 4 }
//! [[actor]]
//! name = "writer"
//! cpu = 0
//! script = [{ write = "cpu", len = 48 }]
//! "#;
//! let cases = relaybed_lang::load("my/case.toml", text)?;
//! assert_eq!(cases[0].actors[0].name, "writer");
//!
//! let wrong = relaybed_lang::load("my/case.toml", &text.replace("len", "lem"));
//! assert!(wrong.is_err_and(|errors| format!("{errors:?}").contains("did you mean `len`?")));
//! # Ok::<(), relaybed_lang::Diagnostics>(())
//! ```

#![forbid(unsafe_code)]

mod actors;
mod canonical;
mod check;
mod client;
mod diagnostic;
mod embedded;
mod expect;
mod expr;
mod files;
mod form;
mod hotplug;
mod load;
mod nest;
mod ops;
mod parse;
mod places;
mod reference;
mod resolve;
mod schedule;
mod schema;
mod script;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod walk;
mod words;
mod write;

pub use canonical::canonical;
pub use diagnostic::{Diagnostics, Problem};
pub use embedded::{embedded, races};
pub use load::load;
pub use places::{ClaimPlaces, OpPlace, Places, Round, line_and_column, places};
pub use reference::{reference, section};
pub use relaybed_case::bounds::fits;
pub use schema::schema;
pub use write::{Unwritable, operation_text, write};
