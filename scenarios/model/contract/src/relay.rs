//! What relay does, a method a matter. The defaults are what is documented.
//!
//! A [`Simulation`] runs a case on whatever implements this; the contract is [`Documented`], which has
//! nothing but the defaults.

use relaybed_case::errno::{EAGAIN, EFAULT};
use relaybed_case::{Channel, Via};

use super::buffer::{Buffer, Fate, Geometry, Piece, Source, SwitchCall};
use super::prediction::{OpPrediction, ReadPrediction};
use super::simulate::Simulation;
use super::world::Descriptor;

/// Longest name of a file in bytes.
pub const NAME_MAX: usize = 255;

/// Calls of one operation that are simulated.
const CALLS_MAX: usize = 1 << 16;

/// Calls of `splice()` in one operation.
#[derive(Clone, Copy, Debug)]
pub struct Splicing {
    /// Bytes asked for by each call; not 0.
    pub size: u32,
    /// How many calls; 0: until one gives nothing.
    pub times: u32,
    /// `SPLICE_F_NONBLOCK`.
    pub nonblock: bool,
    /// The pipe is drained after the last call, not after each.
    pub late: bool,
}

/// Pieces that a pipe has room for as it comes.
const PIPE_PIECES: u32 = 16;
/// Pieces that the agent's has, which is drained late.
const LATE_PIPE_PIECES: u32 = 256;

impl Splicing {
    /// Pieces of pages that the pipe has room for.
    #[must_use]
    pub fn room(&self) -> u32 {
        if self.late {
            LATE_PIPE_PIECES
        } else {
            PIPE_PIECES
        }
    }
}

/// What calls of `splice()` or `sendfile()` gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spliced {
    /// Positive errno of the last call, 0 for success.
    pub error: u32,
    /// What the calls returned, added up.
    pub value: u64,
    /// Call by call.
    pub reads: Vec<ReadPrediction>,
}

/// What relay does with channels, buffers and files.
///
/// Calls of `subbuf_start` go to `log`.
pub trait Relay: std::fmt::Debug {
    /// A buffer as `relay_open()` leaves it.
    fn new_buffer(&self, spec: &Channel, log: &mut Vec<SwitchCall>) -> Buffer {
        Buffer::open(Geometry::of(spec), log)
    }

    /// A write of `len` bytes by one of the functions that write.
    fn write(
        &self,
        _spec: &Channel,
        buffer: &mut Buffer,
        (source, len, via): (Source, u32, Via),
        log: &mut Vec<SwitchCall>,
    ) -> Fate {
        buffer.write(source, len, via.is_reserve(), log)
    }

    /// `relay_switch_subbuf()` for a record of `len` bytes: what it returns, and the record's fate.
    fn switch(
        &self,
        _spec: &Channel,
        buffer: &mut Buffer,
        len: u64,
        log: &mut Vec<SwitchCall>,
    ) -> (u64, Fate) {
        buffer.switch_for(len, log)
    }

    /// `relay_flush()`, as far as it concerns one buffer.
    fn flush(&self, _spec: &Channel, buffer: &mut Buffer, log: &mut Vec<SwitchCall>) {
        buffer.flush(log);
    }

    /// `relay_reset()`, likewise.
    fn reset(&self, _spec: &Channel, buffer: &mut Buffer, log: &mut Vec<SwitchCall>) {
        buffer.reset(log);
    }

    /// `relay_subbufs_consumed()`.
    fn consumed(&self, _spec: &Channel, buffer: &mut Buffer, n: u64) {
        buffer.subbufs_consumed(n);
    }

    /// One `read()` of up to `size` bytes. There is one position for all who read the buffer, so the open
    /// file's own is not used.
    fn read(
        &self,
        _spec: &Channel,
        buffer: &mut Buffer,
        _position: &mut u64,
        size: u32,
    ) -> ReadPrediction {
        ReadPrediction::of(buffer.read(size))
    }

    /// Whether where a read starts is determined.
    fn knows_position(&self, buffer: &Buffer) -> bool {
        buffer.position_known
    }

    /// A `read()` of up to `size` bytes into memory that is not there: only one that has something to
    /// give comes to touch the memory, and what it would have given is still there.
    fn read_nowhere(&self, _spec: &Channel, buffer: &mut Buffer, size: u32) -> OpPrediction {
        if size > 0 {
            buffer.look();
        }
        if buffer.clone().read(size).is_empty() {
            OpPrediction::ok(Some(0))
        } else {
            OpPrediction::failed(EFAULT)
        }
    }

    /// Whether a file can be mapped from this byte on.
    fn maps_from(&self, offset: u64) -> bool {
        offset == 0
    }

    /// Calls of `splice()`, for which there is one position as well.
    fn splice(&self, buffer: &mut Buffer, _position: &mut u64, how: Splicing) -> Spliced {
        let calls = if how.times == 0 {
            CALLS_MAX
        } else {
            (how.times as usize).min(CALLS_MAX)
        };
        let mut reads = Vec::new();
        let mut error = 0;
        for _ in 0..calls {
            let read = ReadPrediction::of(buffer.splice(how.size, how.room()));
            let dry = read.bytes == 0;
            reads.push(read);
            // Where there is nothing, a call that must not block says so, and that is the last.
            if dry && how.nonblock {
                error = EAGAIN;
            }
            if dry && (how.times == 0 || how.nonblock) {
                break;
            }
        }
        Spliced {
            error,
            value: sum(&reads),
            reads,
        }
    }

    /// One `sendfile()` of up to `size` bytes.
    fn sendfile(&self, buffer: &mut Buffer, position: &mut u64, size: u32) -> Spliced {
        let mut reads: Vec<ReadPrediction> = Vec::new();
        let mut rest = size;
        loop {
            let once = Splicing {
                size: rest,
                times: 1,
                nonblock: false,
                late: false,
            };
            let spliced = self.splice(buffer, position, once);
            let bytes = spliced.reads.iter().map(|read| read.bytes).sum::<u32>();
            rest = rest.saturating_sub(bytes);
            reads.extend(spliced.reads);
            if bytes == 0 || rest == 0 || spliced.error != 0 {
                break;
            }
        }
        Spliced {
            error: 0,
            value: sum(&reads),
            reads,
        }
    }

    /// The name of a CPU's file; `None`: there is no such name.
    fn file_name(&self, spec: &Channel, cpu: u32) -> Option<String> {
        (spec.file_name_len(cpu) <= NAME_MAX).then(|| format!("{}{cpu}", spec.base()))
    }

    /// `relay_open()`: whether it accepts.
    fn open(&self, run: &mut Simulation<'_>, channel: usize) -> bool {
        run.open_as_documented(channel)
    }

    /// `relay_late_setup_files()` of a channel that is open: errno, 0 for success.
    fn late_setup(&self, run: &mut Simulation<'_>, channel: usize) -> u32 {
        run.late_setup_as_documented(channel)
    }

    /// Whether `buf_unmapped` is called for each part in which a mapping goes.
    fn unmaps_parts(&self) -> bool {
        false
    }

    /// A file was opened, and refers to its buffer.
    fn opened(&self, _run: &mut Simulation<'_>, _file: Descriptor) {}

    /// The last descriptor or mapping of an open file is gone, and so is its reference to the buffer.
    fn released(&self, _run: &mut Simulation<'_>, _file: Descriptor) {}

    /// The channel gives its references to its buffers back.
    fn closes(&self, _run: &mut Simulation<'_>, _channel: usize) {}

    /// What is done for a CPU that comes online before it is: errno, 0 for success.
    fn prepare_cpu(&self, run: &mut Simulation<'_>, cpu: usize) -> u32 {
        run.prepare_cpu_as_documented(cpu)
    }
}

/// Relay as it is documented.
#[derive(Clone, Copy, Debug, Default)]
pub struct Documented;

impl Relay for Documented {}

fn sum(reads: &[ReadPrediction]) -> u64 {
    reads.iter().map(|read| u64::from(read.bytes)).sum()
}

/// Several calls whose bytes come as one.
#[must_use]
pub fn joined(reads: &[ReadPrediction]) -> ReadPrediction {
    let mut at = 0;
    let mut pieces = Vec::new();
    for read in reads {
        pieces.extend(read.pieces.iter().map(|piece| Piece {
            start: piece.start + at,
            ..*piece
        }));
        at += read.bytes;
    }
    ReadPrediction { pieces, bytes: at }
}
