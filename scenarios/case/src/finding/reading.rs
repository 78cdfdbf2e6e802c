//! Findings about what reads gave.

use super::call::Call;
use super::table::findings;
use super::value::{Byte, Bytes, Due, Outcome};

findings! {
    /// Reads give the bytes, in the amounts, that relay documents.
    Reading of Reading {
        /// A call on the file failed, or succeeded, other than relay documents.
        Result { call: Call, expected: Outcome, seen: Outcome } = 1501 {
            "unexpected result of {call}";
            expected "{expected}";
            seen "{seen}";
            correct "The call ends as the documentation of relay and of the system call says.";
            cause "relay's file operation returns another error, or does not check an argument.";
            source "relay_file_read, relay_file_mmap, relay_file_poll, relay_file_open";
        }
        /// A call on the file returned another number.
        Value { call: Call, expected: Outcome, seen: Outcome } = 1502 {
            "unexpected return value of {call}";
            expected "{expected}";
            seen "{seen}";
            correct "The call returns what it did: bytes moved, the new position, the size.";
            cause "The read position, or what counts as available, is off.";
            source "relay_file_read, relay_file_read_avail";
        }
        /// A `read()` gave more bytes than were asked for.
        TooMuch { asked: Bytes, seen: Outcome } = 1503 {
            "a read() returned more than was requested";
            expected "at most {asked}";
            seen "{seen}";
            correct "A read() returns at most as many bytes as were requested.";
            cause "The rest of the sub-buffer was not limited by the count.";
            source "relay_file_read";
        }
        /// A program stopped reading although there was more.
        Unmade { expected: u64, seen: u64 } = 1504 {
            "not every read() was made";
            expected "{expected} calls";
            seen "{seen} calls";
            correct "A read() gives bytes as long as there are complete sub-buffers, or written bytes, that were not read.";
            cause "A read() gave 0 although there was more, so that the reader stopped.";
            source "relay_file_read_avail";
        }
        /// One call gave another amount than relay documents.
        Amount { call: u64, expected: Bytes, seen: Outcome } = 1505 {
            "call {call} of read() gave another amount";
            expected "{expected}";
            seen "{seen}";
            correct "One read() gives bytes of one sub-buffer, at most to its padding.";
            cause "The end of the sub-buffer's data, or the read position, is computed wrongly.";
            source "relay_file_read_subbuf_avail, relay_file_read_start_pos";
        }
        /// One call gave other bytes than those that were to be read next.
        Bytes { call: u64, expected: Due, seen: Byte } = 1506 {
            "call {call} of read() gave other bytes";
            expected "{expected}";
            seen "{seen}";
            correct "Bytes are read in the order written, without padding.";
            cause "The read position is wrong, or the sub-buffer was written again while it was read.";
            source "relay_file_read_start_pos, relay_file_read_end_pos";
        }
        /// A call gave bytes where relay has none left to give.
        Extra { expected: u64, seen: u64, gave: Outcome } = 1507 {
            "a read() gave bytes after the last that there were";
            expected "{expected} calls";
            seen "{seen} calls, the first unexpected one gave {gave}";
            correct "After the last byte a read() gives 0.";
            cause "What was read was not counted, or what counts as available is too much.";
            source "relay_file_read_consume, relay_file_read_avail";
        }
        /// A call returned another number of bytes than came out of it.
        NotMoved { moved: Bytes, returned: Bytes } = 1508 {
            "a call did not return as many bytes as it moved";
            expected "{moved}";
            seen "{returned}";
            correct "What the call returns is what it moved.";
            cause "The file operation adds up its parts wrongly.";
            source "relay_file_read, relay_file_splice_read";
        }
        /// A mapping shows another number of bytes.
        MappingLength { expected: Bytes, seen: Bytes } = 1509 {
            "the mapping does not show as many bytes as were mapped";
            expected "{expected}";
            seen "{seen}";
            correct "A mapping shows the whole channel buffer.";
            cause "Pages of the mapping could not be reached.";
            source "relay_mmap_buf, relay_buf_fault";
        }
        /// A mapping shows other bytes than the buffer holds.
        MappingBytes { expected: Due, seen: Byte } = 1510 {
            "the mapping shows other bytes than the buffer holds";
            expected "{expected}";
            seen "{seen}";
            correct "The mapping and the buffer are the same pages.";
            cause "A page of the mapping is not the buffer's page at that offset.";
            source "relay_buf_fault";
        }
        /// A read beside live writers gave a byte that its place never held.
        NeverHeld { followed: Bytes, len: Bytes } = 1511 {
            "a read beside live writers gave a byte that the buffer never held there";
            expected "bytes in the order in which the buffer held them";
            seen "the first {followed} of {len} follow the buffer, the next byte does not";
            correct "In overwrite mode a read beside writers may be torn, but each byte is one that the buffer held.";
            cause "The read came from memory outside the sub-buffer that it was about.";
            source "relay_file_read";
        }
    }
}
