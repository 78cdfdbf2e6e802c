//! Where in relay's source a frame stands.

use crate::Outcome;

/// A place: the access that comes next. Its text names the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pc {
    Start,
    Write(Write),
    Switch(Switch),
    Callback(Callback),
    Read(Read),
    Bytes(Bytes),
    Consume(Consume),
    Count(Count),
    Reset(Reset),
    Close(Close),
    Short(Short),
    Done(Outcome),
}

/// `relay_write()`, `__relay_write()`, `relay_reserve()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Write {
    Compare,
    Switched,
    Data,
    Offset,
    Copy,
    Add,
    Slot,
    Fill,
    SecondHalf,
    End,
}

/// `relay_switch_subbuf()`, and `relay_flush()` around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Switch {
    Lock,
    Enter,
    Compare,
    Unused,
    Fill,
    PrevPadding,
    OldSlot,
    Padding,
    Count,
    SizeFirst,
    FillAgain,
    Size,
    Barrier,
    Waiters,
    Wake,
    Data,
    NewSlot,
    ZeroOffset,
    PrevArgument,
    Decide,
    MarkFull,
    StoreData,
    ZeroPadding,
    Again,
    TooBig,
    End,
    Unlock,
}

/// `relay_subbuf_start()` and the client's callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Callback {
    Enter,
    StatProduced,
    StatConsumed,
    StatCount,
    RuleProduced,
    RuleConsumed,
    Called,
    FullProduced,
    FullConsumed,
    EventProduced,
    EventConsumed,
    Answer,
    Reserve,
    HeaderNumber,
    Header,
    Return,
}

/// `relay_file_read()` and `relay_file_read_avail()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Read {
    Lock,
    Kept,
    Consumed,
    Offset,
    LapConsumed,
    LapBytes,
    PosOffset,
    PosBytes,
    EqualOffset,
    EqualProduced,
    EqualConsumed,
    Unlock,
}

/// `relay_file_read_start_pos()`, `relay_file_read_subbuf_avail()`, the copy, `relay_file_read_end_pos()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Bytes {
    Consumed,
    Consume,
    Padding,
    Data,
    Offset,
    OffsetAgain,
    PaddingAgain,
    Copy,
    EndPadding,
}

/// `relay_file_read_consume()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Consume {
    Produced,
    Consumed,
    Offset,
    Bytes,
    Over,
    Zero,
    Add,
    Slot,
    BytesAgain,
    Padding,
    ProducedAgain,
    OffsetAgain,
    ZeroEnd,
    Return,
}

/// `relay_subbufs_consumed()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Count {
    /// Called by `relay_file_read_consume()` before it adds.
    OverProduced,
    OverSum,
    OverConsumed,
    OverProducedAgain,
    OverStore,
    OverAdd,
    /// Called by it at the end, or by a client.
    Produced,
    Sum,
    Consumed,
    ProducedAgain,
    Store,
    Add,
    /// A client's own: K44 fixed.
    Bytes,
}

/// `__relay_reset()`, and `relay_reset()` around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reset {
    Lock,
    Sync,
    Produced,
    Consumed,
    Bytes,
    Finalized,
    Data,
    Offset,
    FullCount,
    BigCount,
    Padding,
    Argument,
    Unlock,
}

/// `relay_close()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Close {
    Lock,
    Finalized,
    Wake,
    Sync,
    Remove,
    Release,
    Unlock,
}

/// `relay_file_poll()`, `relay_buf_full()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Short {
    PollFinalized,
    PollQueue,
    PollProduced,
    PollConsumed,
    FullProduced,
    FullConsumed,
}

impl Pc {
    /// The function of the source.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Start => "before its first step",
            Self::Write(_) => "relay_write()",
            Self::Switch(Switch::Lock | Switch::Unlock) => "relay_flush()",
            Self::Switch(_) => "relay_switch_subbuf()",
            Self::Callback(
                Callback::Enter
                | Callback::StatProduced
                | Callback::StatConsumed
                | Callback::StatCount
                | Callback::RuleProduced
                | Callback::RuleConsumed,
            ) => "relay_subbuf_start()",
            Self::Callback(_) => "the client's subbuf_start()",
            Self::Read(Read::Lock | Read::Unlock) | Self::Bytes(Bytes::Copy) => "relay_file_read()",
            Self::Read(_) => "relay_file_read_avail()",
            Self::Bytes(Bytes::Consumed | Bytes::Consume | Bytes::Padding) => {
                "relay_file_read_start_pos()"
            }
            Self::Bytes(Bytes::EndPadding) => "relay_file_read_end_pos()",
            Self::Bytes(_) => "relay_file_read_subbuf_avail()",
            Self::Consume(_) => "relay_file_read_consume()",
            Self::Count(_) => "relay_subbufs_consumed()",
            Self::Reset(_) => "__relay_reset()",
            Self::Short(
                Short::PollFinalized | Short::PollQueue | Short::PollProduced | Short::PollConsumed,
            ) => "relay_file_poll()",
            Self::Short(Short::FullProduced | Short::FullConsumed) => "relay_buf_full()",
            Self::Close(_) => "relay_close()",
            Self::Done(_) => "over",
        }
    }
}
