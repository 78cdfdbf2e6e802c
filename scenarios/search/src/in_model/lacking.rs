//! What the search in the model does not know.

use relaybed_case::{Case, Context, Files, Op, Place};

/// Why a case is not searched in the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotModelled {
    /// An operation that is none of those on a buffer.
    #[error(
        "operation {op} of {actor} is not one of those that the model's search has: write, switch, flush, reset, \
         consumed, buf_full, close, read, poll and gates"
    )]
    Op {
        /// The actor.
        actor: String,
        /// Its operation, from 0.
        op: usize,
    },
    /// An actor that is no thread with a CPU of its own.
    #[error(
        "{actor} must be a kernel thread or a program, with a `cpu` of its own that no other actor uses"
    )]
    Actor {
        /// The actor.
        actor: String,
    },
    /// A channel whose client or files are not plain.
    #[error("channel {channel} is opened by an actor, or what its client does is not modelled")]
    Channel {
        /// The channel.
        channel: String,
    },
    /// An actor that never gets through.
    #[error("{actor} waits for a gate that is never raised so often")]
    Stands {
        /// The actor.
        actor: String,
    },
    /// Several actors raise a gate, and some of them are enough.
    #[error(
        "gate {gate} may be raised by one actor or by another, so what waits for it has no one order"
    )]
    Gate {
        /// The gate.
        gate: String,
    },
    /// How many reads there are depends on the order.
    #[error(
        "{actor} reads until the file is empty while others use it: say how often it reads, with `times`"
    )]
    Endless {
        /// The actor.
        actor: String,
    },
    /// Several actors write into one buffer.
    #[error("several actors write into one buffer, which is for the client to order")]
    Writers,
    /// No buffer has two users.
    #[error("no buffer is used by two actors, so there is nothing to interleave")]
    Alone,
    /// Too much happens.
    #[error(
        "{actors} actors with up to {operations} operations are too many: 3 with 64 can be searched"
    )]
    Many {
        /// How many use the buffer.
        actors: usize,
        /// The most that one of them does.
        operations: usize,
    },
    /// Too many different sizes.
    #[error(
        "sizes are too different: divided by {unit}, which divides them all, a ring has {ring} bytes and records \
         {records}; 32 and 48 can be searched, with records of up to 15 and up to 4 sub-buffers"
    )]
    Sizes {
        /// What divides all sizes.
        unit: u64,
        /// Bytes of the ring then.
        ring: u64,
        /// Bytes of all records then.
        records: u64,
    },
}

/// What of a case the search does not know, whatever the buffer.
pub(super) fn look(case: &Case) -> Result<(), NotModelled> {
    for channel in &case.channels {
        let client = &channel.client;
        let is_plain = client.stall.is_none()
            && client.created.is_none()
            && client.create.is_none()
            && client.no_memory.is_none()
            && channel.open_at_start
            && channel.files == Files::Direct;
        if !is_plain {
            let channel = channel.name.clone();
            return Err(NotModelled::Channel { channel });
        }
    }
    for (number, actor) in case.actors.iter().enumerate() {
        let is_thread = matches!(
            actor.place,
            Place::Kernel {
                context: Context::Task,
                ..
            } | Place::User { cpu: Some(_) }
        );
        let others = case.actors[..number].iter();
        if !is_thread || others.clone().any(|other| other.cpu() == actor.cpu()) {
            let actor = actor.name.clone();
            return Err(NotModelled::Actor { actor });
        }
        if let Some(op) = actor.ops.iter().position(|op| !is_known(op)) {
            let actor = actor.name.clone();
            return Err(NotModelled::Op { actor, op });
        }
    }
    Ok(())
}

fn is_known(op: &Op) -> bool {
    if op.hold().is_some() {
        return false;
    }
    super::script::is_free(op)
        || matches!(
            op,
            Op::Write { .. }
                | Op::Switch { .. }
                | Op::Flush { .. }
                | Op::Reset { .. }
                | Op::Close { .. }
                | Op::Consumed { .. }
                | Op::BufFull { .. }
                | Op::FileRead { .. }
                | Op::FilePoll { .. }
        )
}
