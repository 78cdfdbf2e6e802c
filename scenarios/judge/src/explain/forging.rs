//! One run of relay as the kernels have it, in an order that the case's gates allow: for forged evidence.

use relaybed_case::{Case, Op};
use relaybed_contract::Prediction;
use relaybed_contract::order::At;
use relaybed_twin::Defects;

use super::fired::Fired;
use super::stepping::Stepping;

/// What takes effect, and what comes of it.
pub(crate) fn one_run(
    case: &Case,
    vcpus: u32,
    linux_version: u32,
    defects: Defects,
) -> (Vec<Fired>, Prediction) {
    let built = super::stepping::built(linux_version, defects);
    let mut state = Stepping::new(case, vcpus, &built);
    state.run.start();
    let line = state.run.done.order.line.clone();
    let op = |at: At| &case.actors[at.actor].ops[at.op];
    let mut next = vec![0; case.actors.len()];
    let mut rest: Vec<At> = line
        .into_iter()
        .filter(|at| !case.actors[at.actor].is_nested())
        .collect();
    loop {
        state.begin_halves(case, &next);
        state.end_polls(false);
        // Who polls does nothing else.
        let free = |at: &At| state.polls.iter().all(|poll| poll.at.actor != at.actor);
        let Some(index) = rest.iter().position(free) else {
            if state.polls.is_empty() {
                break;
            }
            state.end_polls(true);
            continue;
        };
        let at = rest.remove(index);
        next[at.actor] = at.op + 1;
        match op(at) {
            Op::CpuOn { .. } => state.fire(Fired::Online(at), |_| (0, 0)),
            Op::Open { .. } if case.hold(op(at)).is_some() => {
                state.fire(Fired::Opened(at), |_| (0, 0))
            }
            Op::FilePoll { .. } => None,
            _ => state.fire(Fired::Done(at), |_| (0, 0)),
        };
    }
    let fired = state.fired.clone();
    (fired, state.finish())
}

impl Stepping<'_> {
    /// Has every actor that has come to an operation of two halves begin it.
    fn begin_halves(&mut self, case: &Case, next: &[usize]) {
        for (actor, op) in next.iter().enumerate() {
            let at = At { actor, op: *op };
            let begins = match case.actors[actor].ops.get(*op) {
                Some(Op::FilePoll { .. }) => Fired::Polls(at),
                Some(Op::CpuOn { .. }) => Fired::Prepared(at),
                Some(op @ Op::Open { channel }) if case.hold(op).is_some() => {
                    let created = case.channels[*channel].client.created;
                    let first = created.and_then(|created| created.cpu).unwrap_or(0);
                    Fired::Makes(at, first as usize)
                }
                _ => continue,
            };
            if !self.fired.contains(&begins) {
                self.fire(begins, |_| (0, 0));
            }
        }
    }

    /// Ends the polls that have something to report, or all.
    fn end_polls(&mut self, all: bool) {
        let ready: Vec<(At, u64)> = self
            .polls
            .iter()
            .filter_map(|poll| poll.reports(&self.run, all).map(|mask| (poll.at, mask)))
            .collect();
        for (at, mask) in ready {
            let error = if mask == 0 {
                relaybed_case::errno::ECANCELED
            } else {
                0
            };
            self.fire(Fired::Polled(at), |_| (error, mask));
        }
    }
}
