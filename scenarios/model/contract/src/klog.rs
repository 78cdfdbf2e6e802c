//! Simulating klog: logging that goes to whatever channel is registered, or nowhere.

use relaybed_abi::ChanState;

use relaybed_case::errno::ENXIO;
use relaybed_case::{Payload, Via};

use super::order::At;
use super::predict::Key;
use super::prediction::OpPrediction;
use super::simulate::{Producer, Simulation};

impl Simulation<'_> {
    pub(super) fn op_klog_register(&mut self, channel: usize) -> OpPrediction {
        if self.live[channel].state == ChanState::Open {
            self.klog = Some(channel);
        }
        self.if_open(channel, OpPrediction::ok(None))
    }

    pub(super) fn op_klog_unregister(&mut self, channel: usize) -> OpPrediction {
        if self.klog == Some(channel) && self.live[channel].state == ChanState::Open {
            self.klog = None;
        }
        self.if_open(channel, OpPrediction::ok(None))
    }

    /// Nobody registered: dropped, and the caller is not troubled with it.
    pub(super) fn op_klog(
        &mut self,
        at: At,
        keys: &[Key],
        (payload, count): (&Payload, u32),
        producer: &mut dyn Producer,
    ) -> OpPrediction {
        if !self.all_certain(keys, at) {
            return OpPrediction::default();
        }
        match self.klog {
            Some(channel) => self.op_write(at, channel, (Via::RawWrite, payload, count), producer),
            None if self.is_offline(at) => OpPrediction::failed(ENXIO),
            None => OpPrediction::ok(Some(0)),
        }
    }
}
