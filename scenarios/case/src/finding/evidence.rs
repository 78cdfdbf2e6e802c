//! Findings about the evidence and the run itself.

use super::said::{Said, Times};
use super::state::OpState;
use super::table::findings;
use super::value::{Bytes, List, Plain};

findings! {
    /// The evidence itself is complete.
    Completeness of Evidence {
        /// The event log was full.
        EventsLost { lost: u64 } = 201 {
            "the event log overflowed";
            expected "0 events lost";
            seen "{lost} events lost";
            correct "The log holds all callbacks and reads of a scenario.";
            cause "The scenario is too long for the mailbox; or a callback was called without end.";
            source "";
        }
        /// The area for bytes that were read was full.
        DataLost { lost: Bytes } = 202 {
            "the data area overflowed";
            expected "0 bytes lost";
            seen "{lost} lost";
            correct "The data area holds all that readers get.";
            cause "Readers got far more than was written.";
            source "relay_file_read";
        }
        /// The buffers were not observed at the end.
        NoEnd { observations: u64 } = 203 {
            "the end was not observed";
            expected "an observation of the end";
            seen "{observations} observations of checkpoints";
            correct "The run reaches its end.";
            cause "The evidence was cut.";
            source "";
        }
        /// An operation has no result.
        NotDone { state: OpState } = 204 {
            "the operation was not done";
            expected "done";
            seen "{state}";
            correct "Every operation ends.";
            cause "An operation in front of it never ended; or the evidence was cut.";
            source "";
        }
        /// A checkpoint, or the end, was not observed exactly once.
        Checkpoint { seen: u64 } = 205 {
            "a checkpoint or the end was not observed exactly once";
            expected "1";
            seen "{seen}";
            correct "The machine stops at every checkpoint once.";
            cause "The evidence was cut or put together.";
            source "";
        }
        /// relaybed spoilt a record on purpose and did not notice.
        PlantUnnoticed { struck: u64 } = 206 {
            "the planted defect went unnoticed";
            expected "a finding that names it";
            seen "no finding, although it struck {struck} times";
            correct "Every planted defect is found.";
            cause "A blind spot of the judge: please report it, with the evidence.";
            source "";
        }
    }
}

findings! {
    /// The same scenario comes to the same verdict every time.
    Repetition of Repetition {
        /// Repetitions came to different verdicts.
        Verdicts { first: Said, odd: Said, number: u64, counts: List<Times> } = 1701 {
            "repetitions of the same scenario had different verdicts";
            expected "{first}, as the first time";
            seen "{odd} at repetition {number}; in all {counts}";
            correct "What a scenario's order decides is the same every time.";
            cause "A race in the kernel; or a scenario that leaves open what it expects.";
            source "";
        }
        /// Repetitions under control ended with different machines.
        Machines { first: Plain, odd: Plain, number: u64 } = 1702 {
            "repetitions of the same run ended in different machines";
            expected "{first}";
            seen "{odd} at repetition {number}";
            correct "A deterministic run ends with the same RAM and registers every time.";
            cause "Something outside of the guest reached it: please report it.";
            source "";
        }
    }
}

findings! {
    /// The scenario's schedule could be kept.
    Schedule of Schedule {
        /// A turn of the schedule did not reach its end.
        NotReached { turn: u64, why: Plain, stands: Plain } = 1801 {
            "turn {turn} of the schedule did not end: {why}";
            expected "every turn reaches its end while the other vCPUs are stopped";
            seen "{stands}";
            correct "The vCPU whose turn it is reaches the stop point that the schedule names.";
            cause "The actor waits for one that is stopped, or this kernel does not have the access that the schedule names.";
            source "";
        }
    }
}

findings! {
    /// Defects that are gone stay gone.
    Regression of Regression {
        /// A known issue shows on a kernel that should not have it.
        Back { id: Plain, kernels: Plain } = 1901 {
            "known issue {id} is back";
            expected "a kernel without it: it is an issue of {kernels}";
            seen "the other findings here, all of which it explains";
            correct "A kernel newer than the fix does not show the issue.";
            cause "The fix was reverted or is incomplete, or the list of known issues has a wrong range.";
            source "";
        }
        /// A known issue shows that must not, as `--known` says.
        Unwanted { id: Plain } = 1902 {
            "known issue {id} shows, and --known says that it must not";
            expected "a kernel without it";
            seen "the other findings here, all of which it explains";
            correct "The kernel has the fix of the issue.";
            cause "The fix is not in this kernel, or does not fix it.";
            source "";
        }
    }
}
