//! Findings about records that are missing, or there too often.

use super::table::findings;
use super::value::{Bytes, Record};

findings! {
    /// Written = read + still there + lost, each loss explained; nothing twice.
    Conservation of Conservation {
        /// One record is there twice.
        Twice { record: Record } = 501 {
            "{record} is there twice";
            expected "once";
            seen "twice";
            correct "Each byte that was accepted is given to readers once.";
            cause "What a read gave was not counted, or the read position went back.";
            source "relay_file_read_consume, relay_file_read_start_pos";
        }
        /// A record that must be in the buffer is not.
        Missing { record: Record, len: Bytes } = 502 {
            "{record} is missing";
            expected "{len} of it";
            seen "nothing of it";
            correct "An accepted record stays until it is read (no-overwrite mode) or until a lap replaces it (overwrite mode).";
            cause "The record was accepted and not written, or something else took its place.";
            source "relay_write, relay_switch_subbuf";
        }
        /// A record that was refused is in the buffer.
        NotDropped { record: Record, len: Bytes } = 503 {
            "{record} is there although it was dropped";
            expected "nothing of it";
            seen "{len} of it";
            correct "A record that relay refuses leaves no trace in the buffer.";
            cause "The callback's refusal was not respected.";
            source "relay_switch_subbuf, relay_write";
        }
        /// More records of a producer are missing than were refused.
        Lost { first: Record, missing: u64, refused: u64 } = 504 {
            "records are missing, the first of them {first}";
            expected "at most {refused} missing, as many as were refused";
            seen "{missing} missing";
            correct "In no-overwrite mode every record is either refused, and its writer knows, or given to the readers.";
            cause "The writer overwrote a sub-buffer that was not read yet, or a reader skipped one.";
            source "relay_buf_full, relay_switch_subbuf, relay_file_read_consume, relay_subbufs_consumed";
        }
    }
}
