//! User-space actors: one thread each, which goes through its operations and reports every one.
//!
//! Threads outlive their request: making and ending one takes longer than a small request runs.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use relaybed_abi::{
    Actor, Context, Event, EventKind, Op, OpResult, RB_NONE32, RB_NONE64, RB_REQ_STEPS, Request,
    State,
};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::cpus::Cpus;
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
    /// CPUs that went off and on, of all user actors.
    pub(crate) cpus: Arc<Cpus>,
}

/// A thread that goes through one actor after the other.
struct Worker {
    actors: Sender<UserActor>,
    /// One word an actor that is through.
    through: Receiver<()>,
    /// The CPU that its last actor was bound to; `RB_NONE32`: none.
    cpu: u32,
}

/// Threads that wait, beyond which one is bound anew rather than another made.
const IDLE_MAX: usize = 16;

/// What a thread is bound to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Binding {
    /// The CPU; `RB_NONE32`: none.
    cpu: u32,
    /// CPUs had changed so often by then.
    changes: u32,
}

impl Default for Binding {
    fn default() -> Self {
        Self {
            cpu: RB_NONE32,
            changes: 0,
        }
    }
}

/// Threads that wait for their next actor.
static IDLE: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

impl Worker {
    /// Rather one that is bound already as `cpu` says: binding one moves it from CPU to CPU.
    fn idle(cpu: u32) -> io::Result<Self> {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let same = idle.iter().position(|worker| worker.cpu == cpu);
        let worker = match same {
            Some(at) => Some(idle.swap_remove(at)),
            None if idle.len() < IDLE_MAX => None,
            None => idle.pop(),
        };
        drop(idle);
        let mut worker = worker.map_or_else(Self::new, Ok)?;
        worker.cpu = cpu;
        Ok(worker)
    }

    fn new() -> io::Result<Self> {
        let (actors, next) = channel::<UserActor>();
        let (tell, through) = channel();
        Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let mut bound = Binding::default();
            for actor in next {
                actor.bind(&mut bound);
                actor.go();
                // What the actor holds goes before anybody hears that it is through.
                drop(actor);
                if tell.send(()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self {
            actors,
            through,
            cpu: RB_NONE32,
        })
    }
}

/// The threads of one request.
#[derive(Default)]
pub(crate) struct Crew {
    workers: Vec<Worker>,
}

impl Crew {
    /// Starts an actor at once: only gates hold it back.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(crate) fn start(&mut self, actor: UserActor) -> io::Result<()> {
        let worker = Worker::idle(actor.actor.cpu)?;
        // A worker ends only with the agent, so somebody takes the actor.
        let _ = worker.actors.send(actor);
        self.workers.push(worker);
        Ok(())
    }

    /// Waits for the last operation of the last actor.
    pub(crate) fn join(self) {
        for worker in &self.workers {
            // A panic has rung the doorbell and never returns, so there is no error to see here.
            let _ = worker.through.recv();
        }
        IDLE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(self.workers);
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
    /// An event of this actor's operation `index`, here and now; its kind's own members are left empty.
    pub(crate) fn event(&self, kind: EventKind, index: u32, op: &Op) -> Event {
        Event {
            kind: kind.code(),
            cpu: u16::try_from(sched_getcpu()).unwrap_or(u16::MAX),
            actor: u16::try_from(self.index).unwrap_or(u16::MAX),
            op: index,
            seq: RB_NONE32,
            context: u8::try_from(Context::User.code()).unwrap_or(u8::MAX),
            channel: u8::try_from(op.channel).unwrap_or(u8::MAX),
            verdict: 0,
            buf_cpu: u8::MAX,
            order: self.mailbox.order(),
            time_ns: now_ns(),
            new_offset: 0,
            old_offset: 0,
            produced: 0,
            consumed: 0,
            prev_padding: RB_NONE64,
        }
    }

    fn go(&self) {
        for op in 0..self.actor.n_ops {
            self.announce(op);
            self.step(self.actor.first_op.saturating_add(op));
        }
        self.announce(self.actor.n_ops);
    }

    /// For a host that asked to see it.
    fn announce(&self, op: u32) {
        if self.request.flags & RB_REQ_STEPS != 0 {
            // The module has nothing to refuse here.
            let _ = self.mailbox.step(self.index, op);
        }
    }

    /// Binds the thread to the actor's CPU, or frees it for all of them, unless it is so already. That can
    /// fail only for a CPU that went away; the events then show another CPU.
    fn bind(&self, bound: &mut Binding) {
        let wanted = Binding {
            cpu: self.actor.cpu,
            changes: self.cpus.changes(),
        };
        // A CPU that went off has set free whoever was bound to it.
        if *bound == wanted || (bound.cpu == RB_NONE32 && wanted.cpu == RB_NONE32) {
            return;
        }
        let mut cpus = CpuSet::new();
        if wanted.cpu == RB_NONE32 {
            (0..CpuSet::MAX_CPU).for_each(|cpu| cpus.set(cpu));
        } else {
            cpus.set(wanted.cpu as usize);
        }
        let _ = sched_setaffinity(None, &cpus);
        *bound = wanted;
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
