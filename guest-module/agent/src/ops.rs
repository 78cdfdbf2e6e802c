//! The operations of user actors, one system call or a few each.

use std::thread;
use std::time::Duration;

use relaybed_abi::{
    Context, Event, EventKind, Op, OpCode, OpResult, RB_CHAN_ROOT, RB_DATA_SIZE, RB_NONE32,
    RB_NONE64,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, SeekFrom, open, seek};
use rustix::io::{Errno, read, write};
use rustix::thread::sched_getcpu;

use crate::actor::{UserActor, now_ns};

/// Where debugfs shows the channels of the module.
const CHANNELS: &str = "/sys/kernel/debug/relaybed";

/// Where files lie whose channel was given no parent directory.
const DEBUGFS: &str = "/sys/kernel/debug";

/// Where the kernel takes emergency actions.
const SYSRQ: &str = "/proc/sysrq-trigger";

/// What an operation came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    value: u64,
    error: i32,
    data_offset: u32,
    data_bytes: u32,
}

impl Outcome {
    fn value(value: u64) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }

    /// Enters it into the operation's result.
    pub(crate) fn note(&self, result: &mut OpResult) {
        result.value = self.value;
        result.error = self.error;
        result.data_offset = self.data_offset;
        result.data_bytes = self.data_bytes;
    }
}

impl From<Result<Outcome, Errno>> for Outcome {
    fn from(result: Result<Outcome, Errno>) -> Self {
        result.unwrap_or_else(|error| Self {
            error: -error.raw_os_error(),
            ..Self::default()
        })
    }
}

/// Asks the kernel for one of its emergency actions (Documentation/admin-guide/sysrq.rst).
fn sysrq(key: u32) -> Result<Outcome, Errno> {
    let key = u8::try_from(key).map_err(|_| Errno::INVAL)?;
    let trigger = open(SYSRQ, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&trigger, &[key]).map(|_| Outcome::default())
}

/// One read(), told at the end of its operation, when the place of its bytes is known.
struct ReadCall {
    slot: usize,
    event: Event,
    bytes: u64,
}

/// What the reads of one operation gave. Bounded by the data area and the event log, however long a
/// reader keeps up with its writers.
#[derive(Default)]
struct Take {
    bytes: Vec<u8>,
    total: u64,
    calls: Vec<ReadCall>,
    error: i32,
}

impl Take {
    fn keep(&mut self, bytes: &[u8]) {
        let room = RB_DATA_SIZE - self.bytes.len();
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.total += bytes.len() as u64;
    }
}

impl UserActor {
    /// Performs operation `index`; what failed is in the outcome.
    pub(crate) fn perform(&self, index: u32, op: &Op) -> Outcome {
        match OpCode::try_from(u32::from(op.code)) {
            Ok(OpCode::FileRead) => self.read(index, op),
            Ok(code) => self.call(code, index, op).into(),
            Err(_) => Err(Errno::NOSYS).into(),
        }
    }

    fn call(&self, code: OpCode, index: u32, op: &Op) -> Result<Outcome, Errno> {
        match code {
            OpCode::Nop => Ok(Outcome::default()),
            OpCode::Signal => self.mailbox.signal(op.arg0).map(|()| Outcome::default()),
            OpCode::Wait => {
                let wait = self.mailbox.gate(op.arg0, op.arg1);
                wait.map(|()| Outcome::default())
            }
            OpCode::Checkpoint => {
                let reached = self.mailbox.checkpoint(op.arg0, index);
                reached.map(|()| Outcome::default())
            }
            OpCode::Delay => {
                thread::sleep(Duration::from_micros(op.arg0.into()));
                Ok(Outcome::default())
            }
            OpCode::Sysrq => sysrq(op.arg0),
            OpCode::FileOpen => self.open(op),
            OpCode::FileClose => self.files.close(op.file).map(|()| Outcome::default()),
            OpCode::FilePoll => self.poll(op),
            OpCode::FileMmap => {
                let mapped = self.files.map(op.file, op.len64);
                mapped.map(|()| Outcome::value(1))
            }
            OpCode::FileMunmap => self.files.unmap(op.file).map(|()| Outcome::default()),
            OpCode::FileCopy => self.copy(op),
            OpCode::FileLseek => {
                let file = self.files.get(op.file)?;
                seek(&*file, SeekFrom::Start(0)).map(Outcome::value)
            }
            _ => Err(Errno::NOSYS),
        }
    }

    fn open(&self, op: &Op) -> Result<Outcome, Errno> {
        let spec = self.request.channels.get(usize::from(op.channel));
        let spec = spec.ok_or(Errno::CHRNG)?;
        let folder = match spec.flags & RB_CHAN_ROOT {
            0 => format!("{CHANNELS}/ch{}/", op.channel),
            _ => format!("{DEBUGFS}/"),
        };
        let mut path = folder.into_bytes();
        path.extend(spec.base.iter().take_while(|byte| **byte != 0));
        path.extend(op.arg0.to_string().bytes());
        let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        self.files.put(op.file, file)?;
        Ok(Outcome::value(1))
    }

    fn poll(&self, op: &Op) -> Result<Outcome, Errno> {
        let file = self.files.get(op.file)?;
        let timeout = (op.arg0 != RB_NONE32).then(|| Timespec {
            tv_sec: (op.arg0 / 1000).into(),
            tv_nsec: (op.arg0 % 1000 * 1_000_000).into(),
        });
        let mut fds = [PollFd::new(&*file, PollFlags::IN | PollFlags::RDNORM)];
        poll(&mut fds, timeout.as_ref())?;
        Ok(Outcome::value(fds[0].revents().bits().into()))
    }

    fn copy(&self, op: &Op) -> Result<Outcome, Errno> {
        let bytes = self.files.mapping(op.file)?.copy();
        let (data_offset, data_bytes) = self.mailbox.append(&bytes);
        Ok(Outcome {
            value: bytes.len() as u64,
            error: 0,
            data_offset,
            data_bytes,
        })
    }

    /// Reads as often as asked, or until there is nothing. All bytes of the operation go to one
    /// place of the data area, whoever else reads at the same time.
    fn read(&self, index: u32, op: &Op) -> Outcome {
        let file = match self.files.get(op.file) {
            Ok(file) => file,
            Err(error) => return Err(error).into(),
        };
        let mut buffer = vec![0; op.arg0 as usize];
        let mut take = Take::default();
        let mut done = 0;
        while op.arg1 == 0 || done < op.arg1 {
            let result = read(&*file, &mut buffer);
            take.calls.extend(self.read_call(index, op, result));
            match result {
                Ok(0) if op.arg1 == 0 => break,
                Ok(n) => take.keep(&buffer[..n]),
                Err(errno) => {
                    take.error = -errno.raw_os_error();
                    break;
                }
            }
            done += 1;
        }
        self.tell(take)
    }

    /// Takes the event's slot and time now; the rest follows with [`Self::tell`]. `None`: the log is
    /// full.
    fn read_call(&self, index: u32, op: &Op, result: Result<usize, Errno>) -> Option<ReadCall> {
        let order = self.mailbox.order();
        let slot = self.mailbox.take_event()?;
        let produced = match result {
            Ok(n) => n as u64,
            Err(errno) => i64::from(-errno.raw_os_error()).cast_unsigned(),
        };
        let event = Event {
            kind: EventKind::Read.code(),
            cpu: u16::try_from(sched_getcpu()).unwrap_or(u16::MAX),
            actor: u16::try_from(self.index).unwrap_or(u16::MAX),
            op: index,
            seq: RB_NONE32,
            context: u8::try_from(Context::User.code()).unwrap_or(u8::MAX),
            channel: u8::try_from(op.channel).unwrap_or(u8::MAX),
            verdict: 0,
            buf_cpu: u8::MAX,
            order,
            time_ns: now_ns(),
            new_offset: 0,
            old_offset: 0,
            produced,
            consumed: 0,
            prev_padding: RB_NONE64,
        };
        let bytes = result.unwrap_or(0) as u64;
        Some(ReadCall { slot, event, bytes })
    }

    fn tell(&self, take: Take) -> Outcome {
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
