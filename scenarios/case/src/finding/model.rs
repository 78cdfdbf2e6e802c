//! Findings about what the contract predicts exactly, and about the scenario's own expectations.

use super::call::Call;
use super::state::ChannelState;
use super::table::findings;
use super::value::{Byte, Bytes, Due, List, Offset, Outcome, Plain, Quoted};

findings! {
    /// Everything is as the exact model predicts.
    Model of Model {
        /// A call of relay failed, or succeeded, otherwise than predicted.
        Result { call: Call, expected: Outcome, seen: Outcome } = 1401 {
            "unexpected result of {call}";
            expected "{expected}";
            seen "{seen}";
            correct "The call ends as relay documents.";
            cause "A check is missing, or the state that it looks at is wrong.";
            source "relay_late_setup_files, relay_open";
        }
        /// A call of relay returned another number.
        Value { call: Call, expected: Outcome, seen: Outcome } = 1402 {
            "unexpected return value of {call}";
            expected "{expected}";
            seen "{seen}";
            correct "The call returns what relay documents: space, counts, or how many records were taken.";
            cause "One of the counts that it is computed from is off.";
            source "relay_buf_full, relay_switch_subbuf, relay_write";
        }
        /// Another number of records was refused.
        Refused { expected: u64, seen: u64 } = 1403 {
            "the wrong number of records was refused";
            expected "{expected}";
            seen "{seen}";
            correct "A record is refused where no sub-buffer is free for it, or none can hold it.";
            cause "The buffer counted as full too early or too late.";
            source "relay_buf_full, relay_switch_subbuf";
        }
        /// `subbufs_produced` of the buffer is not what the model predicts.
        Produced { expected: u64, seen: u64 } = 1404 {
            "subbufs_produced is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "Each completed sub-buffer counts once.";
            cause "A switch happened too often or not at all.";
            source "relay_switch_subbuf, relay_flush";
        }
        /// `offset` of the buffer is not what the model predicts.
        Offset { expected: u64, seen: u64 } = 1405 {
            "the offset in the current sub-buffer is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "`offset` is where the next record goes.";
            cause "A record was counted with another length, or written elsewhere.";
            source "relay_write, relay_reserve, relay_switch_subbuf";
        }
        /// `data` of the buffer is not what the model predicts.
        Data { expected: u64, seen: u64 } = 1406 {
            "the current sub-buffer starts at the wrong byte";
            expected "{expected}";
            seen "{seen}";
            correct "`data` is the start of the current sub-buffer.";
            cause "`data` and `subbufs_produced` were not changed together.";
            source "relay_switch_subbuf, __relay_reset";
        }
        /// `finalized` of the buffer is not what the model predicts.
        Finalized { expected: u64, seen: u64 } = 1407 {
            "finalized is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "`finalized` is set when the channel is closed.";
            cause "A buffer was closed without its channel, or reopened.";
            source "relay_close_buf, __relay_reset";
        }
        /// The file's size, or `early_bytes`, is not what the model predicts.
        FileBytes { expected: u64, seen: u64 } = 1408 {
            "the bytes in the file, by its size, are wrong";
            expected "{expected}";
            seen "{seen}";
            correct "Each switch adds what the old sub-buffer holds.";
            cause "Padding was added too, or the size was not carried over when the file came late.";
            source "relay_switch_subbuf, relay_set_buf_dentry";
        }
        /// `subbufs_consumed` of the buffer is not what the model predicts.
        Consumed { expected: u64, seen: u64 } = 1409 {
            "subbufs_consumed is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "Each sub-buffer that was read to its padding counts once.";
            cause "A reader did not count what it got, or counted it twice.";
            source "relay_file_read_consume, relay_file_read_avail, relay_subbufs_consumed";
        }
        /// `bytes_consumed` of the buffer is not what the model predicts.
        BytesConsumed { expected: u64, seen: u64 } = 1410 {
            "bytes_consumed of the first unread sub-buffer is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "`bytes_consumed` is what was read of the first sub-buffer that is not consumed.";
            cause "A reader did not count what it got, or counted it twice.";
            source "relay_file_read_consume";
        }
        /// `prev_padding` of the buffer is not what the model predicts.
        PrevPadding { expected: u64, seen: u64 } = 1411 {
            "prev_padding is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "`prev_padding` is the padding of the sub-buffer completed last.";
            cause "`offset` was off at the switch.";
            source "relay_switch_subbuf";
        }
        /// `full_count` of the buffer is not what the model predicts.
        FullCount { expected: u64, seen: u64 } = 1412 {
            "full_count is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "`full_count` counts each refusal of a full buffer.";
            cause "A refusal was not counted, or counted twice.";
            source "relay_switch_subbuf, relay_subbuf_start";
        }
        /// `big_count` of the buffer is not what the model predicts.
        BigCount { expected: u64, seen: u64 } = 1413 {
            "big_count is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "`big_count` counts each record that no sub-buffer can hold.";
            cause "A record was not counted, or counted twice.";
            source "relay_switch_subbuf";
        }
        /// The padding of one sub-buffer is off.
        Padding { expected: Bytes, seen: Bytes } = 1414 {
            "the padding of the sub-buffer is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "padding[i] is the sub-buffer's size less what was written to it.";
            cause "`offset` was off at the switch, or the padding of another sub-buffer was set.";
            source "relay_switch_subbuf";
        }
        /// A byte of the channel buffer is not the one that was written last, or not zero where nothing was written.
        Byte { expected: Due, seen: Byte } = 1415 {
            "a byte of the channel buffer is wrong";
            expected "{expected}";
            seen "{seen}";
            correct "The buffer holds what was written last at each place, and zeroes elsewhere.";
            cause "A record was written to another place, or not at all.";
            source "relay_write, relay_reserve, relay_alloc_buf";
        }
        /// `last_toobig` of the channel is not what the model predicts.
        LastTooBig { expected: Bytes, seen: Bytes } = 1416 {
            "last_toobig is not the length of the last record that was too big";
            expected "{expected}";
            seen "{seen}";
            correct "`last_toobig` is the length of the last record that no sub-buffer can hold.";
            cause "A record that fits was refused as too big, or the other way round.";
            source "relay_switch_subbuf";
        }
        /// Under control: an access to a channel buffer is not one that relay makes there.
        Unled { number: u64, access: Plain, due: Plain } = 1417 {
            "access {number} of the trace is not relay's: {access}";
            expected "{due}";
            seen "{access}";
            correct "Each access is a step of relay's functions, in source order or in an order that compilers are known to produce.";
            cause "This kernel's relay differs from the known ones, the defect is new, or the compiler moved an access in a way not seen before.";
            source "relay_file_read, relay_switch_subbuf, relay_write";
        }
        /// Under control: relay makes the accesses of the trace, and they do not come to what was seen.
        UnledEnd { due: Plain } = 1418 {
            "what was seen does not follow from the accesses of the trace";
            expected "{due}";
            seen "something else, or an access is missing";
            correct "What operations return and what is in the buffers follows from the accesses that were made.";
            cause "Something else than relay's functions wrote to the buffer, a defect is new, or the trace is of another run.";
            source "";
        }
    }
}

findings! {
    /// The scenario's own expectations.
    Expectation of Expectation {
        /// The buffer that is claimed to be there is not.
        NoBuffer {} = 1601 {
            "the expected buffer was not observed";
            expected "observed";
            seen "not there";
            correct "The scenario's author claims a buffer there.";
            cause "The channel is not open, or the buffer's CPU was never online.";
            source "";
        }
        /// Another number of sub-buffers was produced than claimed.
        Produced { expected: u64, seen: u64 } = 1602 {
            "the number of sub-buffers produced is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims.";
            cause "The kernel, or the author, is wrong; `relaybed check` compares claims with the model.";
            source "";
        }
        /// Another number of sub-buffers was consumed than claimed.
        Consumed { expected: u64, seen: u64 } = 1603 {
            "the number of sub-buffers consumed is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims.";
            cause "The kernel, or the author, is wrong; `relaybed check` compares claims with the model.";
            source "";
        }
        /// The offset is not as claimed.
        Offset { expected: Offset, seen: Offset } = 1604 {
            "the offset in the current sub-buffer is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims.";
            cause "The kernel, or the author, is wrong; `relaybed check` compares claims with the model.";
            source "";
        }
        /// The paddings are not as claimed.
        Padding { expected: List<u64>, seen: List<u64> } = 1605 {
            "the padding of the sub-buffers is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims.";
            cause "The kernel, or the author, is wrong; `relaybed check` compares claims with the model.";
            source "";
        }
        /// Another number of records was not accepted than claimed.
        Refused { expected: u64, seen: u64 } = 1606 {
            "the number of records not accepted is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims.";
            cause "The buffer counted as full too early or too late, or the author is wrong.";
            source "";
        }
        /// The operation whose result is claimed was not done.
        NotDone {} = 1607 {
            "the operation was not done";
            expected "done";
            seen "not done";
            correct "Every operation ends.";
            cause "An operation in front of it never ended.";
            source "";
        }
        /// The operation failed, or succeeded, otherwise than claimed.
        Result { expected: Outcome, seen: Outcome } = 1608 {
            "the operation's result is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims.";
            cause "The kernel, or the author, is wrong; `relaybed check` compares claims with the model.";
            source "";
        }
        /// The operation returned another value than claimed.
        Value { expected: Outcome, seen: Outcome } = 1609 {
            "the operation's return value is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims.";
            cause "The kernel, or the author, is wrong; `relaybed check` compares claims with the model.";
            source "";
        }
        /// An actor read other text than claimed.
        Text { expected: Quoted, seen: Quoted } = 1610 {
            "the text that the actor read is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims.";
            cause "The kernel, or the author, is wrong; `relaybed check` compares claims with the model.";
            source "";
        }
        /// `relay_open()` did not refuse a channel that it must.
        NotRefused { seen: ChannelState } = 1611 {
            "the channel was not refused as claimed";
            expected "refused by relay_open()";
            seen "{seen}";
            correct "relay_open() refuses a channel without sub-buffers, or with sub-buffers of no size.";
            cause "A check of relay_open() is missing.";
            source "relay_open";
        }
        /// An operation failed, and nobody claims that it does.
        Unclaimed { seen: Outcome } = 1612 {
            "the operation failed, and no claim says that it does";
            expected "a success, since nothing else is claimed";
            seen "{seen}";
            correct "Operations succeed, or the scenario says how they fail.";
            cause "A step of the scenario is wrong. Claim it where it is meant: `fails = \"EBUSY\"` beside the operation, or `failures = \"any\"` at the top of the file.";
            source "";
        }
        /// A channel was not opened, and nobody claims that it is refused.
        NeverOpened {} = 1613 {
            "the channel was never opened, and no claim says that it is refused";
            expected "an open channel, since nothing else is claimed";
            seen "relay_open() gave NULL";
            correct "Channels are opened, or the scenario says that they are refused.";
            cause "Its sizes are ones that relay refuses. Claim it where it is meant: `[[expect]]` with `open_refused`, or `failures = \"any\"` at the top of the file.";
            source "relay_open";
        }
        /// Another number of a buffer's records went one way than claimed.
        Flow { part: Plain, expected: u64, seen: u64 } = 1614 {
            "the number of records {part} is not as claimed";
            expected "{expected}";
            seen "{seen}";
            correct "As the scenario's author claims: written = kept + refused + overwritten + lost.";
            cause "The kernel lost records, overwrote or refused other ones, or the author is wrong.";
            source "";
        }
    }
}
