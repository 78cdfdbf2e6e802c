//! Which buffers operations reach in ways that relay leaves to its client to keep apart.
//!
//! relay locks nothing but reads against reads. A write with interrupts out is safe against everything on
//! its own CPU; flushing, closing, resetting and consuming reach into buffers of other CPUs, and a client
//! that lets them meet a writer gets what it gets. What is then in the buffer is unspecified.

use relaybed_case::{Case, Context, FileCall, NestPoint, Op, Via};

use super::order::{At, Order, operations};
use super::predict::{Key, changes};

/// What an operation does to a buffer, as far as exclusion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Writes with interrupts out, on the buffer's own CPU.
    Write,
    /// Switches sub-buffers from whatever CPU: flush and close.
    Switch,
    /// Sets everything anew: reset and open.
    Restart,
    /// Moves the consumed count.
    Consume,
    /// Reads, under relay's own lock.
    Read,
}

/// A global channel's client locks whenever it writes or flushes.
fn reach(case: &Case, op: &Op) -> Option<Reach> {
    match op {
        Op::Flush { channel } if case.channels[*channel].client.global => Some(Reach::Write),
        Op::Write { .. } | Op::Switch { .. } | Op::Klog { .. } => Some(Reach::Write),
        Op::Flush { .. } | Op::Close { .. } => Some(Reach::Switch),
        Op::Reset { .. } | Op::Open { .. } => Some(Reach::Restart),
        Op::Consumed { .. } => Some(Reach::Consume),
        Op::FileRead { .. } => Some(Reach::Read),
        Op::File { call, .. } => match call {
            FileCall::Readv { .. } => Some(Reach::Read),
            // relay's own splice takes no lock.
            FileCall::Splice { .. } | FileCall::Sendfile { .. } => Some(Reach::Consume),
            FileCall::Truncate { .. } | FileCall::Store { .. } => Some(Reach::Restart),
            _ => None,
        },
        _ => None,
    }
}

/// Whether relay leaves it to its client that the two never overlap.
fn must_be_apart(a: Reach, b: Reach) -> bool {
    use Reach::{Consume, Read, Restart, Switch, Write};
    match (a, b) {
        (Restart, _) | (_, Restart) | (Switch, Switch) | (Consume, Consume) => true,
        (Switch, Write) | (Write, Switch) | (Consume, Read) | (Read, Consume) => true,
        (Switch | Write, Read | Consume) | (Read | Consume, Switch | Write) => false,
        (Write, Write) | (Read, Read) => false,
    }
}

/// Whether an actor is nested on this write in the middle of a switch, where relay promises nothing:
/// from an NMI, or with interrupts left on.
pub(super) fn is_open_nest(case: &Case, at: At) -> bool {
    let Some(Op::Write { via, .. }) = case.actors[at.actor].ops.get(at.op) else {
        return false;
    };
    let Some((guest, NestPoint::Callback)) = case.guest(at.actor, at.op) else {
        return false;
    };
    let context = case.actors[guest].producer().map(|(_, context)| context);
    *via == Via::RawWriteIrqsOn || context == Some(Context::Nmi)
}

/// The operations that change each buffer.
#[derive(Clone, Debug)]
pub(crate) struct Races<'a> {
    case: &'a Case,
    by_buffer: std::collections::HashMap<Key, Vec<At>>,
}

impl<'a> Races<'a> {
    pub(super) fn of(case: &'a Case, online_cpus: u32) -> Self {
        let mut by_buffer: std::collections::HashMap<Key, Vec<At>> =
            std::collections::HashMap::new();
        for at in operations(case) {
            for key in changes(case, at, online_cpus) {
                by_buffer.entry(key).or_default().push(at);
            }
        }
        Self { case, by_buffer }
    }

    /// Whether operations on the buffer may overlap that must not.
    pub(super) fn is_unsafe(&self, order: &Order, key: Key) -> bool {
        let ops = self.by_buffer.get(&key).map_or(&[][..], Vec::as_slice);
        let kind = |at: &At| reach(self.case, &self.case.actors[at.actor].ops[at.op]);
        ops.iter().enumerate().any(|(i, a)| {
            ops[i + 1..].iter().any(|b| {
                kind(a)
                    .zip(kind(b))
                    .is_some_and(|(a, b)| must_be_apart(a, b))
                    && !order.is_ordered(*a, *b)
            }) || is_open_nest(self.case, *a)
        })
    }

    /// Whether no operation on the buffer may be under way at a checkpoint.
    pub(super) fn is_still(&self, order: &Order, key: Key, checkpoint: At) -> bool {
        let ops = self.by_buffer.get(&key).map_or(&[][..], Vec::as_slice);
        ops.iter().all(|at| order.is_ordered(*at, checkpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use relaybed_case::{Actor, Channel, Files, Mode, Payload, Place};

    fn actor(cpu: u32, ops: Vec<Op>) -> Actor {
        Actor {
            name: format!("a{cpu}"),
            place: Place::Kernel {
                cpu,
                context: Context::Task,
            },
            source: None,
            ops,
        }
    }

    fn case(actors: Vec<Actor>) -> Case {
        Case {
            name: "test/races".to_owned(),
            summary: "A case of a test.".to_owned(),
            vcpus: 2,
            seed: 1,
            needs: Vec::new(),
            channels: vec![Channel {
                name: "cpu".to_owned(),
                subbuf_size: 64,
                n_subbufs: 4,
                mode: Mode::NoOverwrite,
                header_bytes: 0,
                files: Files::Direct,
                open_at_start: true,
                client: relaybed_case::Client::default(),
            }],
            actors,
            gates: vec!["g".to_owned()],
            expect: Vec::new(),
            may_fail: true,
            schedule: Vec::new(),
        }
    }

    fn write() -> Op {
        Op::Write {
            channel: 0,
            via: Via::Write,
            payload: Payload::Record {
                len_min: 8,
                len_max: 8,
            },
            count: 9,
        }
    }

    #[test]
    fn a_flush_beside_a_writer_is_unsafe_and_behind_it_is_not() {
        let flush = Op::Flush { channel: 0 };
        let racing = case(vec![actor(0, vec![write()]), actor(1, vec![flush.clone()])]);
        let races = Races::of(&racing, 2);
        assert!(races.is_unsafe(&Order::of(&racing), (0, 0)));
        assert!(!races.is_unsafe(&Order::of(&racing), (0, 1)));

        let signal = Op::Signal { gate: 0 };
        let wait = Op::Wait { gate: 0, count: 1 };
        let gated = case(vec![
            actor(0, vec![write(), signal]),
            actor(1, vec![wait, flush]),
        ]);
        let races = Races::of(&gated, 2);
        assert!(!races.is_unsafe(&Order::of(&gated), (0, 0)));
    }

    #[test]
    fn writers_and_a_checkpoint_beside_them() {
        let checkpoint = Op::Checkpoint {
            label: "here".to_owned(),
        };
        let case = case(vec![
            actor(0, vec![write()]),
            actor(0, vec![write(), checkpoint]),
            actor(1, vec![write()]),
        ]);
        let (races, order) = (Races::of(&case, 2), Order::of(&case));
        assert!(!races.is_unsafe(&order, (0, 0)));
        let at = At { actor: 1, op: 1 };
        assert!(!races.is_still(&order, (0, 0), at));
        assert!(!races.is_still(&order, (0, 1), at));
        assert!(races.is_still(&order, (0, 2), at));
    }
}
