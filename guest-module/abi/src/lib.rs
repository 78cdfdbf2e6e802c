//! The whole contract between the host, the agent and `relaybed.ko`.
//!
//! Bytes and types only: no I/O. The C side is `include/relaybed_abi.h`; this crate mirrors it,
//! structure by structure. Sizes are asserted on both sides; a test compiles the header and compares
//! every offset.
//!
//! Nothing read from the mailbox is more than an allegation: sizes, counts and addresses are checked
//! by whoever follows them.
//!
//! ```
//! use relaybed_abi::{Decoder, Ring};
//!
//! let mut bell = Decoder::default();
//! let rings: Vec<Ring> = b"R0000000000100000\nD\n".iter().filter_map(|byte| bell.push(*byte)).collect();
//! assert_eq!(rings, [Ring::Ready(0x10_0000), Ring::Done]);
//! ```

mod codes;
mod consts;
mod doorbell;
mod header;
mod ioctl;
mod record;
mod report;
mod request;
mod transport;

pub use codes::{
    Access, ChanState, Context, Create, EventKind, Files, Mode, NoMemory, NullCall, OpCode, Phase,
    Plant, Source, State, Transport, UnknownCode,
};
pub use consts::*;
pub use doorbell::{Decoder, Ring};
pub use header::{BufMembers, ChanMembers, Header, Member};
pub use ioctl::{
    CheckpointArg, GateArg, HoldArg, RB_IOC_BEGIN, RB_IOC_CHECKPOINT, RB_IOC_DONE, RB_IOC_GATE,
    RB_IOC_HOLD, RB_IOC_READY, RB_IOC_RELEASE, RB_IOC_RUN, RB_IOC_SIGNAL, RB_IOC_STEP, RB_IOC_WAIT,
    StepArg,
};
pub use record::{
    HeaderFault, RecordHeader, fill_pattern, mix, pattern_mismatch, pattern_seed, record_len,
};
pub use report::{DirBuf, DirChannel, Event, OpResult, Stat};
pub use request::{Actor, ChannelSpec, Op, Request};
pub use transport::*;

const _: () = {
    assert!(size_of::<BufMembers>() == 64);
    assert!(size_of::<ChanMembers>() == 32);
    assert!(size_of::<Header>() == 304);
    assert!(size_of::<ChannelSpec>() == 368);
    assert!(size_of::<Actor>() == 24);
    assert!(size_of::<Op>() == 48);
    assert!(size_of::<Request>() == 4528);
    assert!(size_of::<OpResult>() == 64);
    assert!(size_of::<Stat>() == 24);
    assert!(size_of::<Event>() == 64);
    assert!(size_of::<DirBuf>() == 32);
    assert!(size_of::<DirChannel>() == 2160);
    assert!(size_of::<RecordHeader>() == RB_RECORD_HEADER);
};
