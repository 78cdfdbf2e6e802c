//! The calls of `/dev/relaybed`, between agent and module.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Argument of [`RB_IOC_SIGNAL`] and [`RB_IOC_GATE`]. Mirror of `struct rb_gate_arg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GateArg {
    /// Which gate.
    pub gate: u32,
    /// The count to wait for; signalling ignores it.
    pub count: u32,
}

/// Argument of [`RB_IOC_CHECKPOINT`]. Mirror of `struct rb_checkpoint_arg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CheckpointArg {
    /// The checkpoint's label, `arg0` of the operation.
    pub label: u32,
    /// Index of the operation.
    pub op: u32,
}

/// Argument of [`RB_IOC_HOLD`]. Mirror of `struct rb_hold_arg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HoldArg {
    /// The CPU whose next way up is held.
    pub cpu: u32,
    /// Gate that it raises half way.
    pub reached: u32,
    /// Gate that it waits for there.
    pub until: u32,
    /// 0.
    pub reserved: u32,
}

/// Argument of [`RB_IOC_STEP`]. Mirror of `struct rb_step_arg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StepArg {
    /// The actor.
    pub actor: u32,
    /// Its operation, counted from its first; behind its last their number.
    pub op: u32,
}

/// Announces the mailbox on the doorbell.
pub const RB_IOC_READY: u32 = 0x6201;
/// Sleeps until the host has asked for something new.
pub const RB_IOC_WAIT: u32 = 0x6202;
/// Releases what the last request left, takes the new one and opens its channels.
pub const RB_IOC_BEGIN: u32 = 0x6203;
/// Lets the kernel actors go and returns when all are through.
pub const RB_IOC_RUN: u32 = 0x6204;
/// Publishes the end and rings the doorbell.
pub const RB_IOC_DONE: u32 = 0x6205;
/// Raises a gate by one.
pub const RB_IOC_SIGNAL: u32 = 0x4008_6206;
/// Waits at a gate.
pub const RB_IOC_GATE: u32 = 0x4008_6207;
/// Reaches a checkpoint and waits until the host has looked.
pub const RB_IOC_CHECKPOINT: u32 = 0x4008_6208;
/// Releases what the last request left.
pub const RB_IOC_RELEASE: u32 = 0x6209;
/// Has the next way up of a CPU held half way.
pub const RB_IOC_HOLD: u32 = 0x4010_620a;
/// Does nothing: a debugger of the machine sees an actor before an operation.
pub const RB_IOC_STEP: u32 = 0x4008_620b;
