//! Records that are handed over with one defect.

use relaybed_abi::Plant;

use super::{MISPLACE_BYTES, Spoil};
use relaybed_case::{Channel, Via};
use relaybed_contract::{Buffer, Fate, Producer, Relay, Source, SwitchCall};

/// Hands records over as the module does when it plants a defect.
pub(super) struct Spoiler {
    spoil: Spoil,
    held: Option<(Source, u32, Via)>,
    /// How often it struck.
    pub(super) done: u32,
}

impl Spoiler {
    pub(super) fn new(spoil: Spoil) -> Self {
        Self {
            spoil,
            held: None,
            done: 0,
        }
    }

    fn strikes(&self, source: Source) -> bool {
        is_target(self.spoil, source)
    }
}

/// Whether the defect strikes at these bytes.
pub(super) fn is_target(spoil: Spoil, source: Source) -> bool {
    matches!(source, Source::Record { actor, seq, .. } if actor == spoil.actor && seq == spoil.seq)
}

impl Producer for Spoiler {
    fn write(
        &mut self,
        (relay, spec): (&dyn Relay, &Channel),
        buffers: &mut [Buffer],
        logs: &mut [Vec<SwitchCall>],
        cpu: usize,
        (source, len, via): (Source, u32, Via),
    ) -> Fate {
        if !self.strikes(source) {
            let fate = relay.write(spec, &mut buffers[cpu], (source, len, via), &mut logs[cpu]);
            if let Some((held, len, via)) = self.held.take() {
                relay.write(spec, &mut buffers[cpu], (held, len, via), &mut logs[cpu]);
                self.done += 1;
            }
            return fate;
        }
        let other = usize::from(cpu == 0);
        self.done += 1;
        match self.spoil.kind {
            Plant::Lost => Fate::Accepted,
            Plant::Repeat => {
                relay.write(spec, &mut buffers[cpu], (source, len, via), &mut logs[cpu]);
                relay.write(spec, &mut buffers[cpu], (source, len, via), &mut logs[cpu])
            }
            Plant::Reorder => {
                self.done -= 1;
                self.held = Some((source, len, via));
                Fate::Accepted
            }
            Plant::Misplace => relay.write(
                spec,
                &mut buffers[cpu],
                (source, len + MISPLACE_BYTES, Via::Reserve),
                &mut logs[cpu],
            ),
            Plant::Padding => {
                let fate = relay.write(spec, &mut buffers[cpu], (source, len, via), &mut logs[cpu]);
                let buffer = &mut buffers[cpu];
                match buffer.produced.0.checked_sub(1) {
                    Some(last) => {
                        let slot =
                            relaybed_contract::Produced(last).slot(buffer.geometry.n_subbufs);
                        buffer.padding[slot.0] += 1;
                    }
                    None => self.done -= 1,
                }
                fate
            }
            Plant::WrongCpu if other < buffers.len() => relay.write(
                spec,
                &mut buffers[other],
                (source, len, via),
                &mut logs[other],
            ),
            Plant::WrongCpu => {
                self.done -= 1;
                relay.write(spec, &mut buffers[cpu], (source, len, via), &mut logs[cpu])
            }
            Plant::None | Plant::Torn | Plant::Stale => {
                relay.write(spec, &mut buffers[cpu], (source, len, via), &mut logs[cpu])
            }
        }
    }
}
