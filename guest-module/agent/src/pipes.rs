//! `splice()` and `sendfile()`: bytes that leave the file without passing through a buffer of ours.

use std::os::fd::OwnedFd;

use relaybed_abi::{Op, RB_OP_LATE, RB_OP_NONBLOCK};
use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create, sendfile};
use rustix::io::{Errno, pread, read};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::actor::UserActor;
use crate::ops::Outcome;
use crate::reads::Take;

/// Room asked for in a pipe that is drained late: as much as the kernel allows without privileges' questions.
const PIPE_BYTES: usize = 1 << 20;
/// Bytes taken out of the pipe at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Everything that lies in the pipe.
fn drain(pipe: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match read(pipe, &mut chunk) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(all),
            Ok(n) => all.extend_from_slice(&chunk[..n]),
            Err(errno) => return Err(errno),
        }
    }
}

impl UserActor {
    /// Splices as often as asked, or until there is nothing, and takes the bytes out of the pipe after
    /// each call or after the last.
    pub(crate) fn splice(&self, index: u32, op: &Op) -> Outcome {
        let mut take = Take::default();
        let mut sum = 0;
        if let Err(errno) = self.splice_into(&mut take, &mut sum, index, op) {
            take.fail(errno);
        }
        let outcome = self.tell(take);
        Outcome {
            value: sum,
            ..outcome
        }
    }

    fn splice_into(
        &self,
        take: &mut Take,
        sum: &mut u64,
        index: u32,
        op: &Op,
    ) -> Result<(), Errno> {
        let file = self.files.get(op.file)?;
        let (out, into) = pipe_with(PipeFlags::CLOEXEC)?;
        // What splice() says is there may not be; the other end is left alone, since it decides too
        // whether splice() may block.
        fcntl_setfl(&out, OFlags::NONBLOCK)?;
        let mut flags = SpliceFlags::empty();
        flags.set(SpliceFlags::NONBLOCK, op.flags & RB_OP_NONBLOCK != 0);
        let late = op.flags & RB_OP_LATE != 0;
        if late {
            let _ = fcntl_setpipe_size(&into, PIPE_BYTES);
        }
        let mut done = 0;
        while op.arg1 == 0 || done < op.arg1 {
            let result = splice(&*file, None, &into, None, op.arg0 as usize, flags);
            *sum += result.unwrap_or(0) as u64;
            done += 1;
            if !late {
                self.note_drained(take, &out, index, op)?;
            }
            match result {
                Ok(0) if op.arg1 == 0 => break,
                Ok(_) => {}
                Err(errno) => {
                    take.fail(errno);
                    break;
                }
            }
        }
        if late {
            self.note_drained(take, &out, index, op)?;
        }
        Ok(())
    }

    fn note_drained(
        &self,
        take: &mut Take,
        pipe: &OwnedFd,
        index: u32,
        op: &Op,
    ) -> Result<(), Errno> {
        let bytes = drain(pipe)?;
        self.note_call(take, index, op, Ok(bytes.len()));
        take.keep(&bytes);
        Ok(())
    }

    /// `sendfile()` to a file in memory, which is read back.
    pub(crate) fn sendfile(&self, index: u32, op: &Op) -> Result<Outcome, Errno> {
        let file = self.files.get(op.file)?;
        let into = memfd_create(c"sendfile", MemfdFlags::CLOEXEC)?;
        let sent = sendfile(&into, &*file, None, op.arg0 as usize)?;
        let mut bytes = vec![0; op.arg0 as usize];
        let mut got = 0;
        while got < bytes.len() {
            match pread(&into, &mut bytes[got..], got as u64)? {
                0 => break,
                n => got += n,
            }
        }
        let mut take = Take::default();
        self.note_call(&mut take, index, op, Ok(got));
        take.keep(&bytes[..got]);
        let outcome = self.tell(take);
        Ok(Outcome {
            value: sent as u64,
            ..outcome
        })
    }
}
