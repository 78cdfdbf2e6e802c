//! The `relaybed` command and what it does: boots machines, runs cases on them, and has what they left judged
//! and reported.
//!
//! Data flows one way: `relaybed_lang` makes a [`relaybed_case::Case`] of a file, `relaybed_wire::program` the
//! guest's operations of it, `run` boots a machine and gets them done, `relaybed_wire::observe` takes the
//! evidence from guest memory, `relaybed_contract` predicts, `relaybed_judge` compares and gives a verdict,
//! `relaybed_report` shows it.
//!
//! ```
//! let symbols = relaybed::symbols::Symbols::parse("ffffffff81000000 relay_open\nffffffff81000200 relay_close\n")?;
//! assert_eq!(symbols.at(0xffff_ffff_8100_0010), Some(("relay_open", 0x10)));
//! # Ok::<(), relaybed::symbols::SymbolError>(())
//! ```

pub mod cli;
pub mod code;
pub mod instruction;
pub mod run;
pub mod symbols;
