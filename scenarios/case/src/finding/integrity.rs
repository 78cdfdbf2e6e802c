//! Findings about the bytes of records, and about their order and place.

use super::table::findings;
use super::value::{Bytes, Plain, Record};

findings! {
    /// A record's bytes are what its producer wrote.
    Integrity of Integrity {
        /// A record is there, but some of its bytes are not what its producer wrote.
        Torn { record: Record, len: Bytes, wrong_at: u64 } = 301 {
            "{record} is torn";
            expected "{len} as written";
            seen "wrong from its byte {wrong_at} on";
            correct "relay_write() copies the whole record into space that no other writer of that buffer has, with interrupts off.";
            cause "Two writers got the same space, or a reader was given a sub-buffer that was still being written.";
            source "relay_write, __relay_write, relay_reserve, relay_switch_subbuf";
        }
        /// There are bytes that no producer wrote, where a record should be.
        Junk { record: Record, len: Bytes } = 302 {
            "bytes that no producer wrote";
            expected "{record}";
            seen "{len} that are no record";
            correct "Readers get, and complete sub-buffers hold, nothing but records and the headers that the client reserved.";
            cause "A reader came while the counts did not fit the bytes: in the middle of a switch of sub-buffers, or between a reservation and its filling.";
            source "relay_switch_subbuf, relay_file_read_subbuf_avail, relay_file_read_end_pos";
        }
        /// A sub-buffer starts with bytes that are not the header which the callback wrote there.
        BadHeader { len: Bytes } = 303 {
            "the header at the start of the sub-buffer is not what the callback wrote";
            expected "the header's pattern";
            seen "other bytes in its last {len}";
            correct "Space that the callback reserves with subbuf_start_reserve() belongs to the client; records follow after it.";
            cause "relay placed a record over the reserved header, or gave out a sub-buffer whose header was not written yet.";
            source "relay_switch_subbuf, subbuf_start_reserve";
        }
    }
}

findings! {
    /// Records of one producer stand in the order written.
    Ordering of Ordering {
        /// A record stands behind one that its producer wrote later.
        Behind { record: Record, number: u64, after: u64 } = 401 {
            "{record} comes after a later one of the same producer";
            expected "a number above {after}";
            seen "{number}";
            correct "A writer's records are in its buffer in the order of its calls.";
            cause "Sub-buffers were read in a wrong order, or bytes of an earlier lap were read as new.";
            source "relay_file_read_start_pos, relay_file_read_consume";
        }
        /// A record carries a time before that of the record in front of it.
        Older { record: Record, time_ns: u64, before_ns: u64 } = 402 {
            "{record} is older than the one in front of it of the same producer";
            expected "a time of at least {before_ns} ns";
            seen "{time_ns} ns";
            correct "The kernel's clock does not run backwards by more than its adjustment.";
            cause "As R0401; or the clock of the guest is unstable.";
            source "";
        }
    }
}

findings! {
    /// Each record stands where the one before ends.
    Placement of Placement {
        /// A whole record starts some bytes behind its place.
        Displaced { record: Record, by: Bytes } = 601 {
            "{record} does not start where the one before ends";
            expected "right after the one before";
            seen "{by} further on";
            correct "relay_reserve() moves `offset` by exactly the record's length.";
            cause "`offset` was moved by more than was written, or set by something else in between.";
            source "relay_write, relay_reserve";
        }
    }
}

findings! {
    /// A record is in the buffer of the CPU that wrote it.
    Affinity of Affinity {
        /// A record is in another CPU's buffer of its channel.
        OtherCpu { record: Record, home: u32, cpu: u32 } = 701 {
            "{record} is in the buffer of another CPU";
            expected "buffer of CPU {home}";
            seen "buffer of CPU {cpu}";
            correct "relay_write() writes to the buffer of the CPU that it runs on; of a global channel there is only CPU 0's.";
            cause "The buffer was looked up on one CPU and used on another.";
            source "relay_write, relay_reserve, relay_open_buf";
        }
        /// A record is in another channel.
        OtherChannel { record: Record, home: Plain, channel: Plain } = 702 {
            "{record} is in another channel";
            expected "channel {home}";
            seen "channel {channel}";
            correct "Channels share nothing.";
            cause "A buffer's memory was freed and given to another channel while it was still written to.";
            source "relay_destroy_buf, relay_close";
        }
    }
}

findings! {
    /// What a lap replaces and what it keeps, and that a refused record changes nothing.
    Overwrite of Overwrite {
        /// The place of a record still shows what was there before it.
        Stale { record: Record, len: Bytes } = 901 {
            "the place of {record} still shows what was there before";
            expected "{len} of the record";
            seen "bytes of an earlier lap, or of nothing";
            correct "What was accepted is written before the sub-buffer is counted as produced, and readers are not given more than that.";
            cause "A reader got a sub-buffer before it was written, or the record was accepted and not copied.";
            source "relay_switch_subbuf, relay_file_read_subbuf_avail";
        }
    }
}
