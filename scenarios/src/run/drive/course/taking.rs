//! What the guest asks for in the course of a run, and what is taken at its end.

use super::Course;
use crate::run::console::Console;
use crate::run::error::{Cause, Ended};
use crate::run::exchange::{evidence, look_at_checkpoint, refusal, send_nmi};
use crate::run::ram::View;
use relaybed_case::evidence::{Evidence, Planted, Setting};
use relaybed_wire::observe;

impl Course<'_, '_> {
    /// What the module is about to ring for: whether the program is through. What else it asks for is served.
    pub(super) fn answer(&mut self) -> Result<bool, Cause> {
        let paused = self.debugger.paused()?;
        let now = self.mailbox.handshake(&View(paused.ram()))?;
        if now.done_seq == now.request_seq {
            refusal(&now)?;
            return Ok(true);
        }
        if now.is_at_checkpoint() {
            let seen = look_at_checkpoint(paused, self.mailbox, self.case, self.program)?;
            self.observations.push(seen);
        }
        if now.awaits_nmi() {
            send_nmi(paused, self.mailbox, self.case)?;
        }
        Ok(false)
    }

    /// Takes the evidence, and the machine's digest if requested.
    pub(in crate::run::drive) fn take(
        &mut self,
        driven: Result<(), Cause>,
        (setting, plant): (&Setting, Option<Planted>),
        console: &Console,
        digest: bool,
    ) -> Result<(Evidence, Option<String>), Ended> {
        let mut observations = std::mem::take(&mut self.observations);
        let gather = |run: &mut Self, observations| -> Result<Evidence, Cause> {
            let view = View(run.debugger.paused()?.ram());
            let parts = observe::evidence_parts(&view, run.mailbox, run.case)?;
            let console = console.since_mark();
            Ok(evidence(setting, plant, observations, parts, console))
        };
        let ended = |run: &mut Self, cause, observations| Ended {
            cause,
            evidence: gather(run, observations).ok().map(Box::new),
        };
        let last = driven.and_then(|()| {
            let view = View(self.debugger.paused()?.ram());
            Ok(observe::observation(
                &view,
                self.mailbox,
                self.case,
                None,
                None,
            )?)
        });
        let last = match last {
            Ok(last) => last,
            Err(cause) => return Err(ended(self, cause, observations)),
        };
        observations.push(last);
        let word = if digest {
            let word = self.debugger.digest().map_err(Cause::from);
            Some(word.map_err(|cause| Ended {
                cause,
                evidence: None,
            })?)
        } else {
            None
        };
        let evidence = gather(self, observations);
        let evidence = evidence.map_err(|cause| Ended {
            cause,
            evidence: None,
        })?;
        Ok((evidence, word))
    }
}
