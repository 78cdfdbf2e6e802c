//! Findings about padding, and about what lies outside its place.

use super::table::findings;
use super::value::{Byte, Bytes};

findings! {
    /// Padding says exactly how much of a sub-buffer is unused, and is never handed out.
    Padding of Padding {
        /// The padding of a complete sub-buffer covers bytes of its last record.
        Covers { by: Bytes } = 801 {
            "the padding of a complete sub-buffer is too large";
            expected "padding after the last record";
            seen "{by} of the record counted as padding";
            correct "padding[i] is the sub-buffer's size less what was written to it.";
            cause "`offset` was not where the records end when the sub-buffer was completed.";
            source "relay_switch_subbuf";
        }
        /// The padding of a complete sub-buffer starts behind the end of its last record.
        TooSmall { gap: Bytes } = 802 {
            "the padding of a complete sub-buffer is too small";
            expected "padding right after the last record";
            seen "{gap} in between that are neither";
            correct "padding[i] is the sub-buffer's size less what was written to it.";
            cause "`offset` was moved without a record being written.";
            source "relay_switch_subbuf, relay_reserve";
        }
        /// The offset in the current sub-buffer lies inside its last record.
        OffsetInside { by: Bytes } = 803 {
            "the offset in the current sub-buffer is inside a record";
            expected "the offset where the records end";
            seen "{by} of the record after it";
            correct "`offset` moves by the length of each record.";
            cause "`offset` was set back, or moved by less than was written.";
            source "relay_write, relay_reserve";
        }
        /// The offset in the current sub-buffer lies behind the end of its records.
        OffsetBehind { gap: Bytes } = 804 {
            "the offset in the current sub-buffer is beyond its records";
            expected "the offset where the records end";
            seen "{gap} in between that are no record";
            correct "`offset` moves by the length of each record.";
            cause "Space was reserved and not written, or `offset` was moved by more than the record's length.";
            source "relay_write, relay_reserve";
        }
        /// A sub-buffer has more padding than bytes.
        BeyondSize { padding: Bytes, subbuf_size: Bytes } = 805 {
            "there is more padding than sub-buffer";
            expected "at most {subbuf_size}";
            seen "{padding}";
            correct "padding[i] is between 0 and the sub-buffer's size.";
            cause "`offset` was beyond the sub-buffer when it was completed, so that the difference wrapped.";
            source "relay_switch_subbuf";
        }
        /// The array of paddings has not one entry a sub-buffer.
        Entries { expected: u64, seen: u64 } = 806 {
            "there is not one padding for each sub-buffer";
            expected "{expected}";
            seen "{seen}";
            correct "relay allocates one padding for each sub-buffer.";
            cause "relaybed read the array with a wrong length: the layout of struct rchan_buf is not what the module says.";
            source "relay_create_buf";
        }
    }
}

findings! {
    /// Nothing lies outside its place, whatever else is unspecified.
    Safety of Safety {
        /// The offset lies outside the sub-buffer.
        Offset { offset: u64, most: u64 } = 1101 {
            "the offset is outside the sub-buffer";
            expected "at most {most}";
            seen "{offset}";
            correct "`offset` is at most the sub-buffer's size, or one more as the mark of a full buffer.";
            cause "The next record is written beyond the sub-buffer, and beyond the last one over foreign memory.";
            source "relay_write, relay_reserve, relay_switch_subbuf";
        }
        /// The start of the current sub-buffer is not the start of any sub-buffer.
        Current { data: u64, subbuf_size: u64, ring: u64 } = 1102 {
            "the current sub-buffer is not one of the buffer's";
            expected "a multiple of {subbuf_size} below {ring}";
            seen "{data}";
            correct "`data` points to the start of one of the sub-buffers.";
            cause "The counts that it is computed from were out of range.";
            source "relay_switch_subbuf, __relay_reset";
        }
        /// A sub-buffer has more padding than bytes.
        Padding { padding: Bytes, subbuf_size: Bytes } = 1103 {
            "a sub-buffer has more padding than bytes";
            expected "at most {subbuf_size}";
            seen "{padding}";
            correct "padding[i] is between 0 and the sub-buffer's size, also in the middle of a write.";
            cause "`offset` was beyond the sub-buffer when it was completed.";
            source "relay_switch_subbuf";
        }
        /// Bytes behind the last sub-buffer were written to.
        Behind { byte: Byte } = 1104 {
            "bytes beyond the last sub-buffer were written";
            expected "zeroes up to the end of the page";
            seen "{byte}";
            correct "relay writes into the sub-buffers and nowhere else.";
            cause "A record, or its end, was written past the last sub-buffer.";
            source "relay_write, relay_reserve";
        }
    }
}
