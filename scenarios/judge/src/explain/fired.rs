//! What takes effect in a run, one after another.

use relaybed_contract::order::At;
use relaybed_twin::Sites;

/// One thing that takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fired {
    /// An operation, wholly.
    Done(At),
    /// What is done for a CPU before it comes online.
    Prepared(At),
    /// An opening has this CPU's file made, behind which its client waits.
    Makes(At, usize),
    /// It goes on, and begins with that CPU's buffer.
    Goes(At),
    /// It comes to its end.
    Opened(At),
    /// A CPU that was prepared is online.
    Online(At),
    /// A poll begins.
    Polls(At),
    /// A poll ends.
    Polled(At),
    /// An operation begins that others meet half way.
    Starts(At),
    /// Such an operation makes one access, with these left out by the compiler before it.
    Step(At, Sites),
    /// Such an operation ends.
    Ends(At),
}

impl Fired {
    /// The operation.
    pub(crate) const fn at(self) -> At {
        match self {
            Self::Done(at)
            | Self::Prepared(at)
            | Self::Makes(at, _)
            | Self::Goes(at)
            | Self::Opened(at)
            | Self::Online(at)
            | Self::Polls(at)
            | Self::Polled(at)
            | Self::Starts(at)
            | Self::Step(at, _)
            | Self::Ends(at) => at,
        }
    }

    /// Whether the operation is over with it.
    pub(crate) const fn is_last(self) -> bool {
        matches!(
            self,
            Self::Done(_) | Self::Opened(_) | Self::Online(_) | Self::Polled(_) | Self::Ends(_)
        )
    }
}
