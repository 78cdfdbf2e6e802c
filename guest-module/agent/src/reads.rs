//! Operations that take bytes out of a file: `read()` and its kin, with an event a call.

use relaybed_abi::{Event, EventKind, Op, RB_DATA_SIZE, RB_OP_NOWHERE};
use rustix::io::{Errno, IoSliceMut, pread, read, readv};

use crate::actor::UserActor;
use crate::nowhere::read_nowhere;
use crate::ops::Outcome;

/// One call, told at the end of its operation, when the place of its bytes is known.
struct ReadCall {
    slot: usize,
    event: Event,
    bytes: u64,
}

/// What the calls of one operation gave. Bounded by the data area and the event log, however long a
/// reader keeps up with its writers.
#[derive(Default)]
pub(crate) struct Take {
    bytes: Vec<u8>,
    /// Bytes given, kept or not.
    pub(crate) total: u64,
    calls: Vec<ReadCall>,
    /// -errno of the call that failed, else 0.
    pub(crate) error: i32,
}

impl Take {
    /// Adds what a call gave.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        let room = RB_DATA_SIZE - self.bytes.len();
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.total += bytes.len() as u64;
    }

    /// Notes that the operation ended with a failed call.
    pub(crate) fn fail(&mut self, errno: Errno) {
        self.error = -errno.raw_os_error();
    }
}

impl UserActor {
    /// Reads as often as asked, or until there is nothing. All bytes of the operation go to one
    /// place of the data area, whoever else reads at the same time.
    pub(crate) fn read(&self, index: u32, op: &Op) -> Outcome {
        let file = match self.files.get(op.file) {
            Ok(file) => file,
            Err(error) => return Err(error).into(),
        };
        let mut buffer = vec![0; op.arg0 as usize];
        let mut take = Take::default();
        let mut done = 0;
        while op.arg1 == 0 || done < op.arg1 {
            let result = if op.flags & RB_OP_NOWHERE == 0 {
                read(&*file, &mut buffer)
            } else {
                read_nowhere(&file, buffer.len())
            };
            self.note_call(&mut take, index, op, result);
            match result {
                Ok(0) if op.arg1 == 0 => break,
                Ok(n) => take.keep(&buffer[..n]),
                Err(errno) => {
                    take.fail(errno);
                    break;
                }
            }
            done += 1;
        }
        self.tell(take)
    }

    /// `readv()` of several parts of one size: one call.
    pub(crate) fn readv(&self, index: u32, op: &Op) -> Outcome {
        let file = match self.files.get(op.file) {
            Ok(file) => file,
            Err(error) => return Err(error).into(),
        };
        let (size, parts) = (op.arg0 as usize, op.arg1 as usize);
        let mut buffer = vec![0; size * parts];
        let mut slices: Vec<_> = buffer
            .chunks_mut(size.max(1))
            .map(IoSliceMut::new)
            .collect();
        let result = readv(&*file, &mut slices);
        let mut take = Take::default();
        self.note_call(&mut take, index, op, result);
        match result {
            Ok(n) => take.keep(&buffer[..n]),
            Err(errno) => take.fail(errno),
        }
        self.tell(take)
    }

    /// `pread()`: relay must refuse it, so what it gives is told and not kept.
    pub(crate) fn pread(&self, op: &Op) -> Result<Outcome, Errno> {
        let file = self.files.get(op.file)?;
        let mut buffer = vec![0; op.arg0 as usize];
        let got = pread(&*file, &mut buffer, op.len64)?;
        Ok(Outcome::value(got as u64))
    }

    /// Notes a call: takes the event's slot and time now; the rest follows with [`Self::tell`]. When
    /// the log is full, only the count of events tells.
    pub(crate) fn note_call(
        &self,
        take: &mut Take,
        index: u32,
        op: &Op,
        result: Result<usize, Errno>,
    ) {
        let event = self.event(EventKind::Read, index, op);
        let Some(slot) = self.mailbox.take_event() else {
            return;
        };
        let produced = match result {
            Ok(n) => n as u64,
            Err(errno) => i64::from(-errno.raw_os_error()).cast_unsigned(),
        };
        let event = Event { produced, ..event };
        let bytes = result.unwrap_or(0) as u64;
        take.calls.push(ReadCall { slot, event, bytes });
    }

    /// Puts the bytes into the data area and the events into the log.
    pub(crate) fn tell(&self, take: Take) -> Outcome {
        let (data_offset, data_bytes) = self.mailbox.append(&take.bytes);
        let mut at = u64::from(data_offset);
        for ReadCall { slot, event, bytes } in take.calls {
            let event = Event {
                consumed: at,
                ..event
            };
            self.mailbox.put_event(slot, &event);
            at += bytes;
        }
        Outcome {
            value: take.total,
            error: take.error,
            data_offset,
            data_bytes,
        }
    }
}
