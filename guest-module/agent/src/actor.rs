//! User-space actors: one thread each, which goes through its operations and reports every one.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use relaybed_abi::{Actor, OpResult, RB_NONE32, Request, State};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::files::Files;
use crate::mailbox::Mailbox;
use crate::watch::Watch;

/// Enough for the calls made here; the default would be mostly unused.
const STACK_BYTES: usize = 128 << 10;

/// One actor of the request, with all it needs.
pub(crate) struct UserActor {
    /// Its index in the request.
    pub(crate) index: u32,
    /// What the request says of it.
    pub(crate) actor: Actor,
    /// The whole request: operations name its channels.
    pub(crate) request: Arc<Request>,
    /// Where to report.
    pub(crate) mailbox: Arc<Mailbox>,
    /// Descriptors and mappings, shared by all user actors.
    pub(crate) files: Arc<Files>,
    /// Ends polls that nobody ends.
    pub(crate) watch: Arc<Watch>,
}

/// The threads of one request.
#[derive(Default)]
pub(crate) struct Crew {
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Starts an actor at once: only gates hold it back.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(crate) fn start(&mut self, actor: UserActor) -> io::Result<()> {
        let thread = Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || actor.go())?;
        self.threads.push(thread);
        Ok(())
    }

    /// Waits for the last operation of the last actor.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panic has rung the doorbell and never returns, so there is no error to see here.
            let _ = thread.join();
        }
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let rest = u64::try_from(now.tv_nsec).unwrap_or(0);
    Duration::from_secs(seconds).as_secs() * 1_000_000_000 + rest
}

/// A result that says only that its operation has begun.
fn running(start_ns: u64, order_start: u32) -> OpResult {
    OpResult {
        state: State::Running.code(),
        error: 0,
        value: 0,
        refused: 0,
        start_ns,
        end_ns: 0,
        order_start,
        order_end: 0,
        data_offset: 0,
        data_bytes: 0,
        reserved: 0,
    }
}

impl UserActor {
    fn go(&self) {
        self.bind();
        let first = self.actor.first_op;
        for index in first..first.saturating_add(self.actor.n_ops) {
            self.step(index);
        }
    }

    /// Binding can fail only for a CPU that went away; the events then show another CPU.
    fn bind(&self) {
        if self.actor.cpu == RB_NONE32 {
            return;
        }
        let mut cpus = CpuSet::new();
        cpus.set(self.actor.cpu as usize);
        let _ = sched_setaffinity(None, &cpus);
    }

    fn step(&self, index: u32) {
        let Some(op) = self.mailbox.op(index) else {
            return;
        };
        let mut result = running(now_ns(), self.mailbox.order());
        self.mailbox.set_result(index, &result);
        let outcome = self.perform(index, &op);
        result.order_end = self.mailbox.order();
        result.end_ns = now_ns();
        outcome.note(&mut result);
        result.state = State::Done.code();
        self.mailbox.set_result(index, &result);
    }
}
