//! The operations of user actors, one system call or a few each.

use std::thread;
use std::time::Duration;

use relaybed_abi::{Op, OpCode, OpResult, RB_OP_HOLD};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, write};

use crate::actor::UserActor;

/// Where the kernel takes emergency actions.
const SYSRQ: &str = "/proc/sysrq-trigger";

/// What an operation came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the operation gives.
    pub(crate) value: u64,
    /// -errno of the call that failed, else 0.
    pub(crate) error: i32,
    /// Where in the data area its bytes lie.
    pub(crate) data_offset: u32,
    /// How many of them found room.
    pub(crate) data_bytes: u32,
}

impl Outcome {
    /// Success with a value.
    pub(crate) fn value(value: u64) -> Self {
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

impl UserActor {
    /// Performs operation `index`; what failed is in the outcome.
    pub(crate) fn perform(&self, index: u32, op: &Op) -> Outcome {
        match OpCode::try_from(u32::from(op.code)) {
            Ok(OpCode::FileRead) => self.read(index, op),
            Ok(OpCode::FileReadv) => self.readv(index, op),
            Ok(OpCode::FileSplice) => self.splice(index, op),
            Ok(OpCode::Transfer) => self.transfer(index, op).into(),
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
            OpCode::CpuOff => self.cpus.set(op.arg0, false).map(|()| Outcome::default()),
            OpCode::CpuOn => self.cpu_on(op),
            OpCode::FileOpen => self.open(op),
            OpCode::FileClose => self.files.close(op.file).map(|()| Outcome::default()),
            OpCode::FilePoll => {
                let file = self.files.get(op.file)?;
                self.watch.poll(&file, op.arg0).map(Outcome::value)
            }
            OpCode::FileMmap => self.map(op),
            OpCode::FileMunmap => self.unmap(op),
            OpCode::FileCopy => self.copy(op),
            OpCode::FileMremap => self.remap(op),
            OpCode::FileLseek => self.seek(op),
            OpCode::FileDup => {
                let to = u16::try_from(op.arg0).map_err(|_| Errno::BADF)?;
                self.files.dup(op.file, to).map(|()| Outcome::value(1))
            }
            OpCode::FilePread => self.pread(op),
            OpCode::FileWrite => self.write(op),
            OpCode::FileTruncate => self.truncate(op),
            OpCode::FileStore => self.store(op),
            OpCode::FileStat => self.stat_file(op),
            OpCode::Stat => self.stat_path(op),
            OpCode::List => self.list(op),
            OpCode::Symbols => self.symbols(op),
            OpCode::FileSendfile => self.sendfile(index, op),
            _ => Err(Errno::NOSYS),
        }
    }

    fn cpu_on(&self, op: &Op) -> Result<Outcome, Errno> {
        if op.flags & RB_OP_HOLD != 0 {
            self.mailbox.hold(op.arg0, op.arg1, op.nest)?;
        }
        self.cpus.set(op.arg0, true).map(|()| Outcome::default())
    }
}
