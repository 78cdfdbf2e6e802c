//! The gate between the host and the vCPUs' threads: run, stop, leave.
//!
//! The host gives an order; each vCPU's thread looks at it whenever it is outside the guest. A thread
//! that is inside is kicked out by a signal. A signal can come in the moment between the look and
//! `KVM_RUN`, where it has no effect, so the host kicks again until every thread has confirmed:
//! what counts is the confirmation, never the kick.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::KvmError;

/// How long vCPUs may take to leave the guest. Generous: it takes microseconds, except on a host
/// that gives their threads no CPU, and a healthy guest must not fail on that.
const LIMIT: Duration = Duration::from_secs(60);
/// Time between two kicks.
const KICK_INTERVAL: Duration = Duration::from_millis(1);

/// What the vCPUs are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Run the guest.
    Run,
    /// Run this vCPU; all others are stopped.
    RunOne(u32),
    /// Stand still outside the guest.
    Park,
    /// Leave for good.
    Leave,
}

#[derive(Debug)]
struct State {
    order: Order,
    /// Threads that are outside the guest and will not enter it before another order.
    parked: u32,
    /// Threads that have left.
    gone: u32,
}

impl State {
    fn order_of(&self, id: u32) -> Order {
        match self.order {
            Order::RunOne(one) if one == id => Order::Run,
            Order::RunOne(_) => Order::Park,
            order => order,
        }
    }
}

/// The gate of one machine.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    vcpus: u32,
}

impl Gate {
    /// The gate for this many vCPUs, which are stopped at first.
    pub(super) fn new(vcpus: u32) -> Self {
        let state = State {
            order: Order::Park,
            parked: 0,
            gone: 0,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            vcpus,
        }
    }

    /// Host: gives an order. `Leave` is final.
    pub(super) fn give(&self, order: Order) {
        let mut state = self.lock();
        if state.order != Order::Leave {
            state.order = order;
        }
        self.changed.notify_all();
    }

    /// vCPU: what vCPU `id` is to do now; [`Order::RunOne`] is not among it.
    pub(super) fn order(&self, id: u32) -> Order {
        self.lock().order_of(id)
    }

    /// vCPU: is stopped until there is another order for vCPU `id`, and returns it.
    pub(super) fn park(&self, id: u32) -> Order {
        let mut state = self.lock();
        state.parked += 1;
        self.changed.notify_all();
        while state.order_of(id) == Order::Park {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.parked -= 1;
        state.order_of(id)
    }

    /// vCPU: has left the guest for good.
    pub(super) fn gone(&self) {
        self.lock().gone += 1;
        self.changed.notify_all();
    }

    /// Host: waits until every vCPU is stopped or has left, kicking those that may be inside.
    /// On return no vCPU is in the guest, and none enters it before [`Order::Run`].
    pub(super) fn await_still(&self, mut kick: impl FnMut()) -> Result<(), KvmError> {
        let until = Instant::now() + LIMIT;
        let mut state = self.lock();
        loop {
            let still = state.parked + state.gone;
            if still >= self.vcpus {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(KvmError::Silent {
                    running: self.vcpus - still,
                    limit: LIMIT,
                });
            }
            drop(state);
            kick();
            state = self.lock();
            if state.parked + state.gone < self.vcpus {
                let waited = self.changed.wait_timeout(state, KICK_INTERVAL);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each critical section leaves the counts right, so a poisoned lock is still a good one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn no_vcpu_runs_while_the_host_believes_that_all_are_stopped() {
        let gate = Arc::new(Gate::new(3));
        let rounds = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..3)
            .map(|id| {
                let (gate, rounds) = (Arc::clone(&gate), Arc::clone(&rounds));
                std::thread::spawn(move || {
                    loop {
                        match gate.order(id) {
                            Order::Run => drop(rounds.fetch_add(1, Ordering::SeqCst)),
                            Order::Park | Order::RunOne(_) => drop(gate.park(id)),
                            Order::Leave => return gate.gone(),
                        }
                    }
                })
            })
            .collect();
        for _ in 0..200 {
            gate.give(Order::Run);
            std::thread::yield_now();
            gate.give(Order::Park);
            gate.await_still(|| {}).unwrap();
            let before = rounds.load(Ordering::SeqCst);
            std::thread::yield_now();
            assert_eq!(rounds.load(Ordering::SeqCst), before);
        }
        gate.give(Order::Leave);
        gate.give(Order::Run);
        gate.await_still(|| {}).unwrap();
        assert_eq!(gate.order(0), Order::Leave, "leaving is final");
        threads.into_iter().for_each(|t| t.join().unwrap());
    }

    #[test]
    fn one_runs_while_the_others_are_stopped() {
        let gate = Gate::new(3);
        let orders = |gate: &Gate| [0, 1, 2].map(|id| gate.order(id));
        gate.give(Order::RunOne(1));
        assert_eq!(orders(&gate), [Order::Park, Order::Run, Order::Park]);
        gate.give(Order::Run);
        assert_eq!(orders(&gate), [Order::Run; 3]);
    }
}
