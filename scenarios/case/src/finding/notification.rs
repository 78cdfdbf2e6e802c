//! Findings about poll, wake-ups and callbacks.

use super::state::{MaybeStart, SubbufStart};
use super::table::findings;
use super::value::{Bytes, Outcome, Yes};
use crate::pollbits::PollBits;

findings! {
    /// poll, wake-ups and callbacks come when they must.
    Notification of Notification {
        /// A `poll()` with a timeout had to be ended by the agent.
        PollOverdue { seen: Outcome } = 1001 {
            "a poll() with a timeout did not end after it";
            expected "an end after its timeout";
            seen "{seen}";
            correct "poll() returns when its time is over.";
            cause "The guest's timers do not run.";
            source "relay_file_poll";
        }
        /// A `poll()` without a timeout was not woken although there was something to report.
        PollNotWoken { owed: PollBits } = 1002 {
            "a poll() without a timeout was not woken";
            expected "{owed}";
            seen "still waiting when nothing was left that could end it";
            correct "A complete sub-buffer, and closing the channel, wake those who wait.";
            cause "The wake-up was not sent, or went to a queue that the poller is not on.";
            source "relay_switch_subbuf, wakeup_readers, relay_close_buf, relay_file_poll";
        }
        /// `poll()` reported other events than it must.
        PollEvents { expected: PollBits, seen: Outcome } = 1003 {
            "poll() did not report what it must";
            expected "{expected}";
            seen "{seen}";
            correct "POLLIN where a complete sub-buffer is unread, POLLERR where the channel is closed.";
            cause "The counts were compared wrongly, or are out of range.";
            source "relay_file_poll";
        }
        /// `poll()` reported events that relay never reports.
        PollImpossible { seen: PollBits } = 1004 {
            "poll() reported what it never can";
            expected "POLLIN, POLLERR, POLLHUP or, after a timeout, no event";
            seen "{seen}";
            correct "relay's files are only ever readable or closed.";
            cause "Another file's poll was called.";
            source "relay_file_poll";
        }
        /// `subbuf_start` was called otherwise than the order of operations decides.
        SubbufStart { index: u64, expected: MaybeStart, seen: MaybeStart } = 1005 {
            "call {index} of subbuf_start for this buffer is not as it must be";
            expected "{expected}";
            seen "{seen}";
            correct "subbuf_start is called once for each switch, with the old and the new sub-buffer and the counts of that moment.";
            cause "A switch happened too early, too late or twice, or a count is off.";
            source "relay_switch_subbuf, __relay_reset";
        }
        /// `subbuf_start` got the argument `prev_padding` on a release without it, or the other way round.
        PrevPadding { expected: Yes, call: SubbufStart } = 1006 {
            "the release and the argument prev_padding do not agree";
            expected "prev_padding passed: {expected}";
            seen "{call}";
            correct "subbuf_start has the argument prev_padding until 6.16.";
            cause "The module was built against another kernel's headers.";
            source "relay_switch_subbuf";
        }
        /// `subbuf_start` got more padding than a sub-buffer has bytes.
        PaddingPassed { subbuf_size: Bytes, call: SubbufStart } = 1007 {
            "subbuf_start got more padding than a sub-buffer has";
            expected "at most {subbuf_size}";
            seen "{call}";
            correct "prev_padding is between 0 and the sub-buffer's size.";
            cause "`offset` was beyond the sub-buffer at the switch.";
            source "relay_switch_subbuf";
        }
        /// A switch was refused though the client's callback always accepts.
        CallbackNotRun { call: SubbufStart } = 1008 {
            "a switch was refused although the client's callback accepts all";
            expected "returns 1";
            seen "{call}";
            correct "The answer of the callback decides.";
            cause "relay's own callback ran instead of the client's.";
            source "relay_switch_subbuf, setup_callbacks";
        }
        /// The new sub-buffer is not the next in the ring.
        NotNext { new: u64, call: SubbufStart } = 1009 {
            "the new sub-buffer is not the next one";
            expected "new {new}";
            seen "{call}";
            correct "Sub-buffers are used one after the other, around the ring.";
            cause "`subbufs_produced` changed between the count and the callback.";
            source "relay_switch_subbuf";
        }
        /// A full buffer in no-overwrite mode took another sub-buffer.
        AcceptedFull { call: SubbufStart } = 1010 {
            "a switch into a full buffer was accepted";
            expected "returns 0";
            seen "{call}";
            correct "In no-overwrite mode the callback refuses while all sub-buffers are unread.";
            cause "relay_buf_full() was computed from counts that were out of step.";
            source "relay_buf_full, relay_switch_subbuf";
        }
        /// The old sub-buffer is not the one that was current.
        OldNotPrevious { old: u64, call: SubbufStart } = 1011 {
            "the old sub-buffer is not the one that was current";
            expected "old {old}";
            seen "{call}";
            correct "The old sub-buffer is the one that the call before made current.";
            cause "Two switches ran beside each other, or a reset came in between.";
            source "relay_switch_subbuf";
        }
        /// `produced` did not grow by one for one switch.
        NotAnnounced { produced: u64, call: SubbufStart } = 1012 {
            "a switch was not announced, or not once";
            expected "produced {produced}";
            seen "{call}";
            correct "Each completed sub-buffer is counted once and announced once.";
            cause "Two switches ran beside each other, or one counted twice.";
            source "relay_switch_subbuf";
        }
        /// `buf_mapped` was not called once for each mapping.
        Mapped { expected: u64, seen: u64 } = 1013 {
            "buf_mapped was not called once for each mapping";
            expected "{expected}";
            seen "{seen}";
            correct "Until 5.10, relay calls buf_mapped at each mmap() that it grants.";
            cause "The callback was left out, or called for a mapping that failed.";
            source "relay_mmap_buf";
        }
        /// `buf_unmapped` was not called once for each mapping that was taken away.
        Unmapped { least: u64, most: u64, seen: u64 } = 1014 {
            "buf_unmapped was not called once for each mapping taken away";
            expected "{least} to {most}";
            seen "{seen}";
            correct "Until 5.10, relay calls buf_unmapped once when a mapping is gone.";
            cause "Unmapping a part splits the mapping, and each part counts.";
            source "relay_file_mmap_close";
        }
    }
}
