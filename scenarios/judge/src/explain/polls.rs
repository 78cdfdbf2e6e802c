//! What a `poll()` may report that waits while others work.

use relaybed_case::errno::{EBADF, ECANCELED};
use relaybed_case::pollbits::{self, POLLERR, POLLHUP};
use relaybed_case::{Files, Op};
use relaybed_contract::order::At;
use relaybed_contract::predict::bound;
use relaybed_contract::{OpPrediction, Simulation};
use relaybed_twin::{Defect, Defects};

/// What relay reports where there is something to read.
const POLLIN: u64 = pollbits::POLLIN | pollbits::POLLRDNORM;

/// A poll under way, and what its buffer had to report since it began.
#[derive(Clone, Debug)]
pub(super) struct Poll {
    pub(super) at: At,
    /// What may have been found at each look, the first one first.
    masks: Vec<u64>,
}

impl Poll {
    /// A poll that begins now.
    pub(super) fn begin(run: &Simulation<'_>, at: At) -> Self {
        let mut poll = Self {
            at,
            masks: Vec::new(),
        };
        poll.look(run);
        poll
    }

    /// Something may have changed.
    pub(super) fn look(&mut self, run: &Simulation<'_>) {
        let mask = mask(run, self.at);
        if self.masks.last() != Some(&mask) {
            self.masks.push(mask);
        }
    }

    /// What it reports if nothing else is known of it, if it ends by now or must.
    pub(super) fn reports(&self, run: &Simulation<'_>, must: bool) -> Option<u64> {
        let op = &run.case.actors[self.at.actor].ops[self.at.op];
        let timed = matches!(
            op,
            Op::FilePoll {
                timeout_ms: Some(_),
                ..
            }
        );
        let must = must || timed || refused(run, self.at).is_some();
        let something = self.masks.iter().copied().find(|mask| *mask != 0);
        something
            .filter(|mask| self.masks[0] != 0 || *mask & POLLIN != 0)
            .or(must.then_some(0))
    }

    /// What it reports, given what it was seen to report, if it may.
    pub(super) fn end(
        &self,
        run: &Simulation<'_>,
        defects: Defects,
        seen: (u32, u64),
    ) -> OpPrediction {
        if let Some(refused) = refused(run, self.at) {
            return refused;
        }
        let Op::FilePoll { timeout_ms, .. } = run.case.actors[self.at.actor].ops[self.at.op] else {
            return OpPrediction::default();
        };
        let waited = self.masks.contains(&0);
        let (error, value) = seen;
        let something = self.masks.iter().copied().find(|mask| {
            *mask != 0 && *mask & !pollbits::POLLRDNORM == value & !pollbits::POLLRDNORM
        });
        if let (0, Some(mask)) = (error, something) {
            return OpPrediction::ok(Some(mask));
        }
        if error == 0 && value == 0 && timeout_ms.is_some() && waited {
            return OpPrediction::ok(Some(0));
        }
        // Producing wakes; closing does not (K4).
        let woken = self.masks.iter().any(|mask| *mask & POLLIN == POLLIN);
        let closed = self
            .masks
            .iter()
            .any(|mask| mask & (POLLERR | POLLHUP) != 0);
        let asleep = waited && !woken && (!closed || defects.has(Defect::K4));
        if error == ECANCELED && timeout_ms.is_none() && asleep {
            return OpPrediction::failed(ECANCELED);
        }
        // What it ought to be.
        match self.masks.iter().copied().find(|mask| *mask != 0) {
            Some(mask) => OpPrediction::ok(Some(mask)),
            None if timeout_ms.is_some() => OpPrediction::ok(Some(0)),
            None => OpPrediction::failed(ECANCELED),
        }
    }
}

/// Without a descriptor there is nothing to poll.
fn refused(run: &Simulation<'_>, at: At) -> Option<OpPrediction> {
    let file = run.case.actors[at.actor].ops[at.op].file()?;
    match run.slots.get(&file) {
        Some(relaybed_contract::world::Slot::Open(_)) => None,
        _ => Some(OpPrediction::failed(EBADF)),
    }
}

/// `relay_file_poll()` as things are.
fn mask(run: &Simulation<'_>, at: At) -> u64 {
    let file = run.case.actors[at.actor].ops[at.op].file();
    let Some(relaybed_contract::world::Slot::Open(descriptor)) =
        file.and_then(|file| run.slots.get(&file))
    else {
        return 0;
    };
    let proxy = bound(run.case, at)
        .is_some_and(|(channel, _, _)| run.case.channels[channel].files == Files::Proxy);
    let Some(buffer) = run.live[descriptor.key.0].buffer(descriptor.of()) else {
        return 0;
    };
    match (buffer.finalized, buffer.is_readable()) {
        (true, _) if proxy => POLLHUP,
        (true, _) => POLLERR,
        (false, true) if descriptor.access != relaybed_case::Access::Write => POLLIN,
        _ => 0,
    }
}
