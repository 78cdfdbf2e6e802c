//! Findings about channels and files that come and go.

use super::call::Call;
use super::state::ChannelState;
use super::table::findings;
use crate::evidence::Held;

use super::value::{Bytes, List, Outcome, Plain};

impl Lifetime {
    /// Memory that a closed channel still holds.
    #[must_use]
    pub fn held(expected: u32, held: &Held) -> Self {
        Self::Memory {
            expected: expected.into(),
            seen: held.pieces.into(),
            bytes: Bytes(held.bytes),
            at: Plain::from(held.at.as_str()),
        }
    }
}

findings! {
    /// Channels and files come and go as documented.
    Lifetime of Lifetime {
        /// A call that makes or removes something ended in another way.
        Result { call: Call, expected: Outcome, seen: Outcome } = 1201 {
            "unexpected result of {call}";
            expected "{expected}";
            seen "{seen}";
            correct "The call ends as the documentation of relay and of the system call says.";
            cause "A channel or file is there that should not be, or the other way round.";
            source "relay_open, relay_close, relay_file_open";
        }
        /// A call that makes or removes something returned another number.
        Value { call: Call, expected: Outcome, seen: Outcome } = 1202 {
            "unexpected return value of {call}";
            expected "{expected}";
            seen "{seen}";
            correct "relay_open() returns a channel, or NULL where it must refuse.";
            cause "relay_open() does not check an argument, or a callback failed.";
            source "relay_open";
        }
        /// Not every channel was observed.
        Channels { expected: u64, seen: u64 } = 1203 {
            "not every channel was observed";
            expected "{expected}";
            seen "{seen}";
            correct "The module publishes every channel of the scenario.";
            cause "The evidence was cut.";
            source "";
        }
        /// A channel is open, closed or refused and should not be.
        State { expected: ChannelState, seen: ChannelState } = 1204 {
            "the channel is in the wrong state";
            expected "{expected}";
            seen "{seen}";
            correct "A channel is open from relay_open() to relay_close(), and refused where its sizes or files cannot be.";
            cause "relay_open() refused or accepted what it should not.";
            source "relay_open, relay_close";
        }
        /// A buffer of an open channel is marked as finalized.
        Finalized { seen: u64 } = 1205 {
            "a buffer of an open channel is finalized";
            expected "0";
            seen "{seen}";
            correct "`finalized` is set when the channel is closed.";
            cause "A buffer was closed without its channel.";
            source "relay_close_buf";
        }
        /// An open channel has too few buffers, or too many.
        Buffers { expected: List<u32>, seen: List<u32> } = 1206 {
            "an open channel has too few buffers, or too many";
            expected "CPUs {expected}";
            seen "CPUs {seen}";
            correct "Each CPU that is online gets its buffer when the channel is opened, others when they come online; buffers stay when their CPU goes.";
            cause "Opening a channel and a CPU coming online missed each other, or a failure removed a buffer.";
            source "relay_open, relay_prepare_cpu, relay_open_buf";
        }
        /// `create_buf_file` was not called once for each buffer and opening.
        FilesMade { expected: u64, seen: u64 } = 1207 {
            "create_buf_file was not called once for each opening";
            expected "{expected}";
            seen "{seen}";
            correct "Each buffer's file is made once, by the client's callback.";
            cause "A file was not made for a CPU, or made again.";
            source "relay_open_buf, relay_create_buf_file, relay_late_setup_files";
        }
        /// `remove_buf_file` was not called once for each file.
        FilesRemoved { expected: u64, seen: u64 } = 1208 {
            "remove_buf_file was not called once for each closing";
            expected "{expected}";
            seen "{seen}";
            correct "Each file that the callback made is removed by the callback.";
            cause "A failure half way left files, or a buffer was put without closing it.";
            source "relay_close_buf, relay_remove_buf, relay_open";
        }
        /// A file's name is too short or too long.
        NameLength { expected: Bytes, seen: Bytes } = 1209 {
            "the file's name is not the base filename and the CPU's number";
            expected "{expected}";
            seen "{seen}";
            correct "The file's name is the base filename followed by the number of the CPU.";
            cause "The base filename was cut to fit into relay's own array.";
            source "relay_create_buf_file, relay_open";
        }
        /// The file has another type or other permissions.
        FileMode { expected: Plain, seen: Plain } = 1210 {
            "the file has the wrong type or permissions";
            expected "{expected}";
            seen "{seen}";
            correct "A buffer's file is a regular file that its owner may read.";
            cause "relay passed another mode to create_buf_file.";
            source "relay_create_buf_file";
        }
        /// The file has another number of names.
        FileLinks { expected: u64, seen: u64 } = 1211 {
            "the file has the wrong number of names";
            expected "{expected}";
            seen "{seen}";
            correct "An open channel's file has one name, a removed one none.";
            cause "The file was not removed, or removed too early.";
            source "relay_close_buf";
        }
        /// The file has another owner.
        FileOwner { expected: u64, seen: u64 } = 1212 {
            "the file has the wrong owner";
            expected "user {expected}";
            seen "user {seen}";
            correct "A buffer's file belongs to root.";
            cause "The inode is not the one that the callback made.";
            source "relay_create_buf_file";
        }
        /// The file has another group.
        FileGroup { expected: u64, seen: u64 } = 1213 {
            "the file has the wrong group";
            expected "group {expected}";
            seen "group {seen}";
            correct "A buffer's file belongs to root's group.";
            cause "The inode is not the one that the callback made.";
            source "relay_create_buf_file";
        }
        /// The channel's directory holds other files.
        Names { expected: List<Plain>, seen: List<Plain> } = 1214 {
            "the channel's directory holds the wrong files";
            expected "{expected}";
            seen "{seen}";
            correct "There is one file for each buffer from its making to the channel's closing.";
            cause "A file was not made, not removed, or has a wrong name.";
            source "relay_create_buf_file, relay_close_buf";
        }
        /// Memory of the channel is still there, or more of it than the model predicts.
        Memory { expected: u64, seen: u64, bytes: Bytes, at: Plain } = 1215 {
            "memory of the channel was not freed";
            expected "{expected} allocations left, with the channel closed and no descriptor or mapping of it";
            seen "{seen}, together {bytes}, the oldest of them allocated by {at}";
            correct "When a channel is closed and none of its files is open, all of its memory is freed, whether its opening succeeded or not.";
            cause "A failure half way freed too little, or a reference was taken and not dropped.";
            source "relay_open, relay_destroy_channel, relay_destroy_buf, relay_create_buf_file";
        }
    }
}
