//! Findings about counters that do not agree with each other.

use super::table::findings;
use super::value::{Bytes, Yes};

findings! {
    /// Counters agree with each other and with what happened.
    Accounting of Accounting {
        /// The channel's version is not relay's.
        Version { expected: u64, seen: u64 } = 1301 {
            "the channel has the wrong version";
            expected "{expected}";
            seen "{seen}";
            correct "`version` is RELAYFS_CHANNEL_VERSION.";
            cause "struct rchan was overwritten, or relaybed reads it at the wrong place.";
            source "relay_open";
        }
        /// The size of the channel's sub-buffers is not as asked.
        SubbufSize { expected: Bytes, seen: Bytes } = 1302 {
            "subbuf_size is not as requested";
            expected "{expected}";
            seen "{seen}";
            correct "`subbuf_size` is what relay_open() was given.";
            cause "struct rchan was overwritten.";
            source "relay_open";
        }
        /// The number of the channel's sub-buffers is not as asked.
        Subbufs { expected: u64, seen: u64 } = 1303 {
            "n_subbufs is not as requested";
            expected "{expected}";
            seen "{seen}";
            correct "`n_subbufs` is what relay_open() was given.";
            cause "struct rchan was overwritten.";
            source "relay_open";
        }
        /// The channel buffer is too small or too large.
        AllocSize { expected: Bytes, seen: Bytes } = 1304 {
            "alloc_size is not all sub-buffers, rounded up to pages";
            expected "{expected}";
            seen "{seen}";
            correct "`alloc_size` is all sub-buffers, rounded up to whole pages.";
            cause "The product overflowed.";
            source "relay_open";
        }
        /// The channel is global and should not be, or the other way round.
        Global { expected: Yes, seen: Yes } = 1305 {
            "the channel is global without a request for it, or the other way round";
            expected "global: {expected}";
            seen "global: {seen}";
            correct "`is_global` is what create_buf_file says.";
            cause "The callback's answer was lost.";
            source "relay_open_buf, relay_create_buf_file";
        }
        /// The release has `last_toobig` and should not, or the other way round.
        HasLastTooBig { expected: Yes, seen: Yes } = 1306 {
            "the release has last_toobig although it should not, or the other way round";
            expected "last_toobig: {expected}";
            seen "last_toobig: {seen}";
            correct "struct rchan has `last_toobig` until 6.16.";
            cause "relaybed takes this kernel for another release, or a patch was backported.";
            source "struct rchan";
        }
        /// More sub-buffers are consumed than were produced.
        ConsumedAhead { produced: u64, consumed: u64 } = 1307 {
            "more sub-buffers are consumed than were produced";
            expected "at most {produced}";
            seen "{consumed}";
            correct "`subbufs_consumed` never passes `subbufs_produced`, unless a client says so.";
            cause "A reader and a reset or a switch met, or the read position wrapped.";
            source "relay_subbufs_consumed, relay_file_read_consume, relay_file_read_avail";
        }
        /// In no-overwrite mode more sub-buffers are ready than the buffer has.
        TooManyReady { n_subbufs: u64, consumed: u64, produced: u64 } = 1308 {
            "in no-overwrite mode more sub-buffers are ready than there are";
            expected "at most {n_subbufs} more than consumed ({consumed})";
            seen "{produced}";
            correct "In no-overwrite mode a switch is refused while all sub-buffers are unread.";
            cause "A switch into a full buffer was accepted.";
            source "relay_buf_full, relay_switch_subbuf";
        }
        /// The offset is beyond the sub-buffer.
        OffsetBeyond { most: u64, offset: u64 } = 1309 {
            "the offset is beyond the sub-buffer";
            expected "at most {most}";
            seen "{offset}";
            correct "`offset` is at most the sub-buffer's size, or one more as the mark of a full buffer.";
            cause "A switch was refused in overwrite mode, or `offset` was moved twice.";
            source "relay_switch_subbuf";
        }
        /// The current sub-buffer does not follow from the count.
        CurrentStart { expected: u64, seen: u64 } = 1310 {
            "the current sub-buffer is not the one that the counts say";
            expected "start at {expected}";
            seen "start at {seen}";
            correct "The current sub-buffer is number `subbufs_produced` modulo `n_subbufs`.";
            cause "`data` and `subbufs_produced` were not changed together.";
            source "relay_switch_subbuf, __relay_reset";
        }
        /// More bytes of a sub-buffer are read than it has.
        ReadBeyond { subbuf_size: u64, bytes_consumed: u64 } = 1311 {
            "more bytes of a sub-buffer are read than it has";
            expected "at most {subbuf_size}";
            seen "{bytes_consumed}";
            correct "`bytes_consumed` is at most the sub-buffer's size.";
            cause "The end of a sub-buffer was passed without counting it.";
            source "relay_file_read_consume";
        }
        /// The buffer's pages are too few or too many.
        BytesAtHand { expected: Bytes, seen: Bytes } = 1312 {
            "the buffer has too few or too many bytes";
            expected "{expected}";
            seen "{seen}";
            correct "A channel buffer is `alloc_size` bytes of pages.";
            cause "The evidence was cut, or the page array is too short.";
            source "relay_alloc_buf";
        }
        /// A buffer has a file and should not, or the other way round.
        HasFile { expected: Yes, seen: Yes } = 1313 {
            "the buffer has a file although it should not, or the other way round";
            expected "file: {expected}";
            seen "file: {seen}";
            correct "Each buffer has a file once create_buf_file made it.";
            cause "The callback failed, or was not called.";
            source "relay_open_buf, relay_late_setup_files";
        }
        /// `early_bytes` is not what was completed before there was a file.
        EarlyBytes { expected: Bytes, seen: Bytes } = 1314 {
            "early_bytes is not what was completed before there was a file";
            expected "{expected}";
            seen "{seen}";
            correct "`early_bytes` is the sum of what complete sub-buffers hold while there is no file.";
            cause "A switch added the wrong amount, or to the wrong counter.";
            source "relay_switch_subbuf, relay_set_buf_dentry";
        }
        /// The file's size is not the sum of what complete sub-buffers hold.
        FileSize { expected: Bytes, seen: Bytes } = 1315 {
            "the file's size is not the sum of what complete sub-buffers hold";
            expected "{expected}";
            seen "{seen}";
            correct "Each switch adds what the old sub-buffer holds to the file's size.";
            cause "Padding was added too, or a switch counted twice.";
            source "relay_switch_subbuf, relay_update_filesize";
        }
        /// The release has statistics and should not, or the other way round.
        HasStats { expected: Yes, seen: Yes } = 1316 {
            "the release has statistics although it should not, or the other way round";
            expected "statistics: {expected}";
            seen "statistics: {seen}";
            correct "struct rchan_buf has `stats` from 6.17.";
            cause "relaybed takes this kernel for another release, or a patch was backported.";
            source "struct rchan_buf";
        }
        /// The release has `prev_padding` and should not, or the other way round.
        HasPrevPadding { expected: Yes, seen: Yes } = 1317 {
            "the release has prev_padding although it should not, or the other way round";
            expected "prev_padding: {expected}";
            seen "prev_padding: {seen}";
            correct "struct rchan_buf has `prev_padding` until 6.16.";
            cause "relaybed takes this kernel for another release, or a patch was backported.";
            source "struct rchan_buf";
        }
        /// `full_count` grew more often than `subbuf_start` was called.
        FullCount { calls: u64, full_count: u64 } = 1318 {
            "full_count grew more often than subbuf_start was called";
            expected "at most {calls}";
            seen "{full_count}";
            correct "`full_count` counts refused switches, each of which asks the callback.";
            cause "A refusal counted twice, or without asking.";
            source "relay_switch_subbuf, relay_subbuf_start";
        }
    }
}
