//! What takes effect in a run, one after another.

use relaybed_contract::order::At;

/// One thing that takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fired {
    /// An operation, wholly.
    Done(At),
    /// What is done for a CPU before it comes online.
    Prepared(At),
    /// A CPU that was prepared is online.
    Online(At),
    /// A poll begins.
    Polls(At),
    /// A poll ends.
    Polled(At),
}
