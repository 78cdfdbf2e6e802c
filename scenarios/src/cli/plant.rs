//! The defects that can be planted, as words of the command line.

use clap::ValueEnum;

/// Defects that the module plants in its own output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlantKind {
    /// The second half of a record is not written.
    Torn,
    /// A record is not written at all.
    Lost,
    /// A record is written twice.
    Repeat,
    /// Two records change places.
    Reorder,
    /// A record lands 8 bytes after its place.
    Misplace,
    /// The padding of a sub-buffer is one too many.
    Padding,
    /// A slot keeps what was there before.
    Stale,
    /// A record goes to another CPU's buffer.
    WrongCpu,
}
