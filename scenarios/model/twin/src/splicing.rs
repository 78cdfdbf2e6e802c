//! Relay's own `splice_read`, as it was until 6.8: `subbuf_splice_actor()`, `relay_pipe_buf_release()`.

use relaybed_case::errno::EAGAIN;
use relaybed_contract::relay::{Spliced, Splicing, joined};
use relaybed_contract::{Buffer, ReadPrediction};

use crate::defects::{Defect, Defects};
use crate::reading::bytes_at;

const PAGE: u64 = relaybed_abi::RB_PAGE_SIZE as u64;
/// Calls of one operation that are simulated.
const CALLS_MAX: u32 = 1 << 16;

/// One piece in the pipe: what it holds, and how many bytes count as consumed when it goes.
struct InPipe {
    read: ReadPrediction,
    counts: u64,
}

/// Calls of `splice()`. K22, K23 and K24 are one algorithm: it goes by the open file's position and
/// counts bytes when they leave the pipe. Each has its switch; with all fixed it is as documented.
pub(crate) fn splice(
    defects: Defects,
    buffer: &mut Buffer,
    position: &mut u64,
    how: Splicing,
) -> Spliced {
    let mut run = Run {
        defects,
        buffer,
        position,
        room: how.room().into(),
    };
    run.splice(how)
}

/// One `sendfile()`, until 5.19: `splice_direct_to_actor()`, which drains the pipe after each piece.
pub(crate) fn sendfile(
    defects: Defects,
    buffer: &mut Buffer,
    position: &mut u64,
    size: u32,
) -> Spliced {
    let mut sum = 0u32;
    let mut reads = Vec::new();
    let mut error = 0;
    while sum < size {
        let once = Splicing {
            size: size - sum,
            times: 1,
            nonblock: false,
            late: false,
        };
        let mut run = Run {
            defects,
            buffer: &mut *buffer,
            position: &mut *position,
            room: once.room().into(),
        };
        let spliced = run.splice(once);
        let got = joined(&spliced.reads);
        if spliced.error != 0 && sum == 0 {
            error = spliced.error;
        }
        if spliced.error != 0 || spliced.value == 0 {
            break;
        }
        sum += got.bytes;
        reads.push(got);
    }
    Spliced {
        error,
        value: u64::from(sum),
        reads: if error == 0 { reads } else { Vec::new() },
    }
}

struct Run<'a> {
    defects: Defects,
    buffer: &'a mut Buffer,
    position: &'a mut u64,
    /// Pieces that the pipe takes.
    room: u64,
}

impl Run<'_> {
    fn splice(&mut self, how: Splicing) -> Spliced {
        let (mut value, mut error, mut done) = (0, 0, 0);
        let mut reads = Vec::new();
        let mut pipe: Vec<InPipe> = Vec::new();
        while done < CALLS_MAX && (how.times == 0 || done < how.times) {
            let result = self.call(how, &mut pipe);
            done += 1;
            // K24 fixed: what is in the pipe counts at once.
            let late = how.late && self.defects.has(Defect::K24);
            if !late {
                let drained = self.drain(&mut pipe);
                reads.push(drained);
            }
            match result {
                Ok(0) if how.times == 0 => break,
                Ok(bytes) => value += bytes,
                Err(errno) => {
                    error = errno;
                    break;
                }
            }
        }
        if !pipe.is_empty() || reads.is_empty() {
            let drained = self.drain(&mut pipe);
            reads.push(drained);
        }
        Spliced {
            error,
            value,
            reads,
        }
    }

    /// `relay_file_splice_read()`: bytes moved, or an errno.
    fn call(&mut self, how: Splicing, pipe: &mut Vec<InPipe>) -> Result<u64, u32> {
        loop {
            let room = self.room.saturating_sub(pipe.len() as u64);
            let len = u64::from(how.size).min(room * PAGE);
            if !self.defects.has(Defect::K22) {
                *self.position = self.read_position();
            }
            let (moved, past) = self.actor(len, pipe)?;
            if past == 0 {
                return if how.nonblock { Err(EAGAIN) } else { Ok(0) };
            }
            *self.position += past;
            if moved != 0 {
                return Ok(moved);
            }
            // K23 fixed: an empty sub-buffer is passed over.
            self.drain(pipe);
        }
    }

    /// K22 fixed: the position that all who read the buffer have.
    fn read_position(&mut self) -> u64 {
        let (size, n) = (
            self.buffer.geometry.subbuf_size,
            self.buffer.geometry.n_subbufs,
        );
        let kept = if self.buffer.is_marked_full() {
            n
        } else {
            n - 1
        };
        if self.buffer.produced.ready(self.buffer.consumed) > kept {
            self.buffer.consumed.0 = self.buffer.produced.0 - kept;
            self.buffer.bytes_consumed = 0;
        }
        self.buffer.consumed.0 % n * size + self.buffer.bytes_consumed
    }

    /// `subbuf_splice_actor()`: bytes that went into the pipe, and how far the position moves.
    fn actor(&mut self, len: u64, pipe: &mut Vec<InPipe>) -> Result<(u64, u64), u32> {
        let size = self.buffer.geometry.subbuf_size;
        let alloc_size = self.buffer.geometry.alloc_size();
        if self.buffer.produced.ready(self.buffer.consumed) == 0 {
            return Ok((0, 0));
        }
        let start = *self.position % alloc_size.max(1);
        let subbuf = start / size;
        // What lies behind the array is zero, since the allocator gives it out so or nothing wrote there.
        let slot = usize::try_from(subbuf).unwrap_or(usize::MAX);
        let padding = self.buffer.padding.get(slot).copied().unwrap_or(0);
        let nonpad_end = subbuf * size + size - padding;
        let mut len = len.min(size - start % size);
        let pages = (alloc_size / PAGE).min(self.room);
        let (mut total, mut moved, mut offset) = (0, 0, start % PAGE);
        let mut pieces = Vec::new();
        while (pieces.len() as u64) < pages && len > 0 {
            let at = start + total;
            let page_len = len.min(PAGE - offset);
            let last = at + page_len >= nonpad_end;
            let (this, counts) = if last {
                let this = nonpad_end.saturating_sub(at);
                (this, this + padding)
            } else {
                (page_len, page_len)
            };
            pieces.push(InPipe {
                read: bytes_at(self.buffer, at, this),
                counts,
            });
            moved += this;
            len = len.saturating_sub(this);
            total += this;
            offset = 0;
            if last {
                break;
            }
        }
        if pieces.is_empty() {
            return Ok((0, 0));
        }
        pipe.extend(pieces);
        if moved == 0 && self.defects.has(Defect::K23) {
            // K23: `splice_to_pipe()` takes a piece without bytes, and says that there was none.
            return Err(EAGAIN);
        }
        let past = if start + moved == nonpad_end {
            moved + padding
        } else {
            moved
        };
        Ok((moved, past))
    }

    /// `relay_consume_bytes()` for everything in the pipe.
    fn drain(&mut self, pipe: &mut Vec<InPipe>) -> ReadPrediction {
        let size = self.buffer.geometry.subbuf_size;
        let reads: Vec<ReadPrediction> = pipe
            .drain(..)
            .map(|piece| {
                self.buffer.bytes_consumed += piece.counts;
                if self.buffer.bytes_consumed >= size {
                    let ready = self.buffer.produced.ready(self.buffer.consumed);
                    self.buffer.consumed.0 += ready.min(1);
                    self.buffer.bytes_consumed %= size;
                }
                piece.read
            })
            .collect();
        joined(&reads)
    }
}
