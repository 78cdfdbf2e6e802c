//! What became of the records, by channel buffer.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use relaybed_case::Case;
use relaybed_case::evidence::Evidence;
use relaybed_judge::matter::Matter;
use relaybed_judge::{flow, flow_of};

/// Records of one channel buffer: written = kept + refused + overwritten + lost. `None`: it cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Flow {
    /// Name of the channel.
    pub channel: String,
    /// CPU of the buffer.
    pub cpu: u32,
    /// Offered by producers.
    pub written: u64,
    /// In the buffer at the end, or read before.
    pub kept: Option<u64>,
    /// Refused by the callback, or too big for a sub-buffer.
    pub refused: Option<u64>,
    /// Gone as relay documents it: a lap, a reset or another opening took their place.
    pub overwritten: Option<u64>,
    /// Gone otherwise.
    pub lost: Option<u64>,
    /// Of those kept, read by somebody.
    pub read: Option<u64>,
}

impl Flow {
    /// The flow of every channel buffer that is there at the end and was written to.
    #[must_use]
    pub fn all(case: &Case, evidence: &Evidence) -> Vec<Self> {
        Self::named(case, flow(case, evidence))
    }

    /// The same of what was parsed already.
    pub(super) fn of(matter: &Matter<'_>) -> Vec<Self> {
        Self::named(matter.case, flow_of(matter))
    }

    fn named(case: &Case, flows: Vec<relaybed_judge::Flow>) -> Vec<Self> {
        let flows = flows.into_iter();
        let flows = flows.filter(|flow| flow.written > 0);
        flows
            .map(|flow| Self {
                channel: case
                    .channels
                    .get(flow.channel)
                    .map_or_else(String::new, |spec| spec.name.clone()),
                cpu: flow.cpu,
                written: flow.written,
                kept: flow.kept,
                refused: flow.refused,
                overwritten: flow.overwritten,
                lost: flow.lost,
                read: flow.read,
            })
            .collect()
    }
}

impl fmt::Display for Flow {
    /// `channel cpu, CPU 0: written 12 = kept 10 + refused 2 + overwritten 0 + lost 0, read 5`; `?` where it cannot be told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |n| n.to_string());
        write!(
            f,
            "channel {}, CPU {}: written {} = kept {} + refused {} + overwritten {} + lost {}, read {}",
            self.channel,
            self.cpu,
            self.written,
            number(self.kept),
            number(self.refused),
            number(self.overwritten),
            number(self.lost),
            number(self.read),
        )
    }
}
