//! States that findings name: of channels, of operations, of the kernel.

use std::fmt;

use relaybed_abi::{ChanState, State};
use serde::{Deserialize, Serialize};

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// Nothing opened it.
    Never,
    /// It is open.
    Open,
    /// It was closed.
    Closed,
    /// `relay_open()` refused it.
    Refused,
}

impl From<ChanState> for ChannelState {
    fn from(state: ChanState) -> Self {
        match state {
            ChanState::Never => Self::Never,
            ChanState::Open => Self::Open,
            ChanState::Closed => Self::Closed,
            ChanState::Refused => Self::Refused,
        }
    }
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never opened",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Refused => "refused by relay_open()",
        })
    }
}

/// How far an operation got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpState {
    /// There is no result of it.
    Nothing,
    /// It never started.
    Idle,
    /// It was under way.
    Running,
    /// It was done.
    Done,
    /// The guest wrote a number that means nothing.
    Unknown(u32),
}

impl OpState {
    /// By the number in an operation's result.
    #[must_use]
    pub fn of(state: u32) -> Self {
        let known = [
            (State::Idle, Self::Idle),
            (State::Running, Self::Running),
            (State::Done, Self::Done),
        ];
        let known = known.iter().find(|(known, _)| known.code() == state);
        known.map_or(Self::Unknown(state), |(_, state)| *state)
    }
}

impl fmt::Display for OpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no result"),
            Self::Idle => f.write_str("never started"),
            Self::Running => f.write_str("still under way"),
            Self::Done => f.write_str("done"),
            Self::Unknown(state) => write!(f, "unknown state {state}"),
        }
    }
}

/// A call of `subbuf_start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubbufStart {
    /// Offset of the new sub-buffer in the channel buffer.
    pub new: u64,
    /// Offset of the old one; `None`: none was passed.
    pub old: Option<u64>,
    /// Sub-buffers produced at the call.
    pub produced: u64,
    /// Sub-buffers consumed at the call.
    pub consumed: u64,
    /// The argument `prev_padding`, on releases that have it.
    pub prev_padding: Option<u64>,
    /// Whether it returned 1.
    pub accepted: bool,
}

impl fmt::Display for SubbufStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subbuf_start(new {}, ", self.new)?;
        match self.old {
            Some(old) => write!(f, "old {old}")?,
            None => f.write_str("old none")?,
        }
        if let Some(padding) = self.prev_padding {
            write!(f, ", prev_padding {padding}")?;
        }
        let returns = u8::from(self.accepted);
        let (produced, consumed) = (self.produced, self.consumed);
        write!(
            f,
            ") at produced {produced} consumed {consumed} returns {returns}"
        )
    }
}

/// A call of `subbuf_start`, or its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaybeStart(pub Option<SubbufStart>);

impl fmt::Display for MaybeStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(call) => write!(f, "{call}"),
            None => f.write_str("no call"),
        }
    }
}

/// The kernel's taint mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Taint(pub u64);

/// Taint bits by the kernel's documentation.
const TAINTS: &[&str] = &[
    "proprietary module",
    "module was force loaded",
    "kernel running on an out of specification system",
    "module was force unloaded",
    "machine check exception",
    "bad page",
    "user asked for taint",
    "kernel died recently",
    "ACPI table overridden",
    "kernel issued warning",
    "staging driver",
    "workaround for platform firmware bug",
    "externally-built module",
    "unsigned module",
    "soft lockup occurred",
    "kernel has been live patched",
    "auxiliary taint",
    "struct randomization",
    "in-kernel test has been run",
];

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("no taint");
        }
        let mut comma = "";
        for bit in (0..u64::BITS).filter(|bit| self.0 >> bit & 1 == 1) {
            f.write_str(comma)?;
            match TAINTS.get(bit as usize) {
                Some(name) => f.write_str(name)?,
                None => write!(f, "bit {bit}")?,
            }
            comma = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_names() {
        assert_eq!(
            OpState::of(State::Running.code()).to_string(),
            "still under way"
        );
        assert_eq!(OpState::of(77).to_string(), "unknown state 77");
        assert_eq!(Taint(0x200).to_string(), "kernel issued warning");
        assert_eq!(Taint(1 << 40 | 1).to_string(), "proprietary module, bit 40");
    }
}
