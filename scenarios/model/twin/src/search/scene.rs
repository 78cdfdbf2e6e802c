//! What is searched: a buffer in a state, and who does what to it at the same time.

use relaybed_contract::Source;

use crate::{Defect, Defects, Op, Setting};

/// Threads that a scene can have, each on a CPU of its own.
pub const THREADS: usize = 3;

/// A few operations at the same time on one buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The channel and its release.
    pub set: Setting,
    /// What is done before, one after the other.
    pub before: Vec<Op>,
    /// What each thread does, in its order: three at most.
    pub threads: Vec<Vec<Op>>,
    /// What waits for what.
    pub waits: Vec<Wait>,
    /// vCPUs really run in parallel: stores are seen late, and additions are a load and a store.
    pub is_parallel: bool,
}

/// An operation that does not start before another thread has done some of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The thread that waits.
    pub thread: u8,
    /// Index of its operation.
    pub op: u8,
    /// The thread that it waits for.
    pub on: u8,
    /// How many of its operations that one has done by then.
    pub done: u8,
}

/// What relay promises of a scene. The rest is left to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Promise {
    /// Every accepted byte comes to the readers together, once and in order, and no read gives less than
    /// there was when it began.
    pub delivers: bool,
    /// In overwrite mode, once all is quiet, readers get the newest bytes, in order and none again.
    pub keeps_newest: bool,
    /// Once all is quiet the buffer takes records and gives them.
    pub works_after: bool,
}

impl Scene {
    /// The scene on a relay with these defects.
    #[must_use]
    pub fn with(&self, defects: Defects) -> Self {
        let mut scene = self.clone();
        scene.set.defects = defects;
        scene.set.is_split = scene.is_parallel;
        scene
    }

    /// All defects that frames have.
    #[must_use]
    pub const fn all_defects() -> Defects {
        Defects::of(&Defect::OF_FRAMES)
    }

    /// What must hold, beside safety: nothing outside the ring, no byte that was never written, every count
    /// in its range.
    ///
    /// With writers live in overwrite mode nothing is promised to readers until all is quiet, nor where a reset or
    /// `relay_subbufs_consumed()` meets a reader. Flushing beside a writer is documented to be nowhere:
    /// relay's own users do it, so it counts.
    #[must_use]
    pub fn promise(&self) -> Promise {
        let has = |what: fn(&Op) -> bool| self.threads.iter().flatten().any(what);
        let disturbs = has(|op| matches!(op, Op::Reset | Op::Consumed { .. }));
        let refuses = self.set.geometry.refuse.is_some();
        Promise {
            delivers: !self.set.geometry.overwrite && !disturbs,
            keeps_newest: self.set.geometry.overwrite && !disturbs,
            works_after: !refuses && !has(|op| matches!(op, Op::Close)),
        }
    }
}

/// Records as a scene numbers them: in the order in which they are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers(u32);

impl Numbers {
    /// A write of `len` bytes.
    pub fn write(&mut self, len: u32) -> Op {
        Op::Write {
            source: self.next(),
            len,
        }
    }

    /// A reserve of `len` bytes, filled later.
    pub fn reserve(&mut self, len: u32) -> Op {
        Op::Reserve {
            source: self.next(),
            len,
            in_halves: false,
        }
    }

    fn next(&mut self) -> Source {
        self.0 += 1;
        Source::Record {
            actor: 0,
            op: 0,
            seq: self.0,
        }
    }
}

/// A read of `size` bytes.
#[must_use]
pub const fn read(size: u32) -> Op {
    Op::Read {
        size,
        is_nowhere: false,
    }
}
