//! What makes a case impossible to ask of the guest.

/// A case that the ABI cannot express.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// More of something than the mailbox has room for.
    #[error(
        "{what}: {count} are asked for, the mailbox has room for {limit}; \
         make the scenario smaller or split it in two"
    )]
    TooMany {
        /// Things that are counted.
        what: &'static str,
        /// How many the case wants.
        count: u64,
        /// How many the ABI allows.
        limit: u64,
    },
    /// More than a request may write or leave.
    #[error(
        "it can write more records, log more events or read more bytes than a scenario may; `relaybed check` says \
         where"
    )]
    OutOfBounds,
    /// A channel name that cannot be the base of a file name.
    #[error(
        "channel {name:?} cannot name files: a base filename has 1 to {limit} bytes, \
         none of them '/' or NUL"
    )]
    ChannelName {
        /// The name.
        name: String,
        /// Longest name in bytes.
        limit: usize,
    },
    /// A member of an actor or operation that names something the case does not have.
    #[error("{at}: there is no {what} {index}, the case has {count}")]
    NoSuch {
        /// Actor and operation, or the expectation.
        at: String,
        /// Kind of thing.
        what: &'static str,
        /// The index used.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// An operation in an actor that cannot do it.
    #[error("{at}: {op} is an operation of {owner} actors, and this one is not")]
    WrongPlace {
        /// Actor and operation.
        at: String,
        /// The operation.
        op: &'static str,
        /// `kernel` or `user`.
        owner: &'static str,
    },
    /// Smallest length above largest length.
    #[error("{at}: the smallest record length, {min}, is above the largest, {max}")]
    LengthRange {
        /// Actor and operation.
        at: String,
        /// Smallest length in bytes.
        min: u32,
        /// Largest length in bytes.
        max: u32,
    },
    /// A number beyond what the operation can carry.
    #[error("{at}: {what} is {value}, the largest possible is {limit}")]
    TooLarge {
        /// Actor and operation.
        at: String,
        /// The argument.
        what: &'static str,
        /// Its value.
        value: u64,
        /// Largest value.
        limit: u64,
    },
    /// A planted defect that names no kind, actor or record of the case.
    #[error("the planted defect cannot strike: {why}; choose a record that the case writes")]
    Plant {
        /// What does not exist.
        why: String,
    },
}
