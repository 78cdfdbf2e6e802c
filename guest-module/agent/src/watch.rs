//! Polls without a timeout, and their end when nobody is left to end them.
//!
//! A kernel that forgets to wake a poller must not take the whole run with it. A watcher looks whether
//! every actor is through, waits at a gate or polls without a timeout; when that stays so, and every CPU
//! has run since, so that no interrupt can still be on its way, it calls the polls off.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use relaybed_abi::{Op, OpCode, RB_NONE32, Request, State};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, write};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::mailbox::Mailbox;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Looks in a row that must find nothing moving.
const STILL_LOOKS: u32 = 5;

/// Calls polls off.
pub(crate) struct Watch {
    bell: OwnedFd,
    over: AtomicBool,
}

/// What an actor is at.
#[derive(PartialEq, Eq)]
enum Doing {
    Through,
    Waits,
    Polls,
    Works,
}

impl Watch {
    /// One request's watch.
    ///
    /// # Errors
    /// When the kernel has no descriptor left.
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self {
            bell: eventfd(0, EventfdFlags::CLOEXEC)?,
            over: AtomicBool::new(false),
        })
    }

    /// Polls `file` for data.
    ///
    /// # Errors
    /// What poll says; `ECANCELED` when the poll was called off.
    pub(crate) fn poll(&self, file: &OwnedFd, timeout_ms: u32) -> Result<u64, Errno> {
        let wanted = PollFd::new(file, PollFlags::IN | PollFlags::RDNORM);
        if timeout_ms != RB_NONE32 {
            let timeout = Timespec {
                tv_sec: (timeout_ms / 1000).into(),
                tv_nsec: (timeout_ms % 1000 * 1_000_000).into(),
            };
            let mut fds = [wanted];
            poll(&mut fds, Some(&timeout))?;
            return Ok(fds[0].revents().bits().into());
        }
        let mut fds = [wanted, PollFd::new(&self.bell, PollFlags::IN)];
        poll(&mut fds, None)?;
        // Nothing moved when the bell was rung, so it was not the file that ended this.
        if !fds[1].revents().is_empty() {
            return Err(Errno::CANCELED);
        }
        Ok(fds[0].revents().bits().into())
    }

    /// Ends the watch: all actors are through.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Watches the request's actors until [`Self::end`] or until polls had to be called off.
    pub(crate) fn keep(self: &Arc<Self>, mailbox: &Mailbox, request: &Request) {
        let mut still = 0;
        let mut last = 0;
        while !self.over.load(Ordering::Acquire) {
            thread::sleep(LOOK);
            let now = mailbox.order_now();
            still = if now == last && is_stuck(mailbox, request) {
                still + 1
            } else {
                0
            };
            last = now;
            if still >= STILL_LOOKS && visit_all_cpus().is_ok() {
                thread::sleep(LOOK);
                if mailbox.order_now() == last && is_stuck(mailbox, request) {
                    // It can fail only when the count is at its top: then the bell has rung.
                    let _ = write(&self.bell, &1u64.to_ne_bytes());
                    return;
                }
                still = 0;
            }
        }
    }
}

/// Whether an operation of the request polls without a timeout.
pub(crate) fn is_needed(mailbox: &Mailbox, request: &Request) -> bool {
    (0..request.n_ops).any(|index| mailbox.op(index).is_some_and(|op| is_endless(&op)))
}

fn is_endless(op: &Op) -> bool {
    u32::from(op.code) == OpCode::FilePoll.code() && op.arg0 == RB_NONE32
}

/// Whether somebody polls and nobody is at work.
fn is_stuck(mailbox: &Mailbox, request: &Request) -> bool {
    let actors = request.actors.iter().take(request.n_actors as usize);
    let mut polls = false;
    for actor in actors {
        match doing(mailbox, actor.first_op, actor.n_ops) {
            Doing::Works => return false,
            Doing::Polls => polls = true,
            Doing::Through | Doing::Waits => {}
        }
    }
    polls
}

fn doing(mailbox: &Mailbox, first: u32, count: u32) -> Doing {
    let at = (first..first.saturating_add(count))
        .find(|index| mailbox.state(*index) != Some(State::Done.code()));
    let Some(index) = at else {
        return Doing::Through;
    };
    let Some(op) = mailbox.op(index) else {
        return Doing::Works;
    };
    if mailbox.state(index) != Some(State::Running.code()) {
        return Doing::Works;
    }
    match OpCode::try_from(u32::from(op.code)) {
        Ok(OpCode::Wait) => Doing::Waits,
        Ok(OpCode::FilePoll) if is_endless(&op) => Doing::Polls,
        _ => Doing::Works,
    }
}

/// Runs on every CPU once: what interrupts had in store for it has then happened.
fn visit_all_cpus() -> Result<(), Errno> {
    let all = sched_getaffinity(None)?;
    for cpu in (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)) {
        let mut one = CpuSet::new();
        one.set(cpu);
        sched_setaffinity(None, &one)?;
        thread::yield_now();
    }
    sched_setaffinity(None, &all)
}
