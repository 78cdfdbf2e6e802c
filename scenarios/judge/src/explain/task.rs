//! One operation under way that others meet half way: frames on buffers, one after another.

use relaybed_case::{Case, Op, Stall, Via};
use relaybed_contract::order::At;
use relaybed_contract::predict::Key;
use relaybed_contract::simulate::{record_calls, refused};
use relaybed_contract::{Fate, OpPrediction, Piece, ReadPrediction, Simulation, Source};
use relaybed_twin::{
    self as twin, Around, AsBuilt, Defect, Defects, Effect, Frame, Log, Outcome, Pending, Setting,
    Site, Step,
};

use super::fed::Fed;
use super::jobs::{Job, Jobs};
use super::own::Seen;
use super::policy::Policy;

/// Why a task does not make its next access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Nothing holds it.
    No,
    /// It has made all of them.
    Over,
    /// Its callback looks at the counts next, which has its mark.
    Called,
    /// Its callback, or the filling of its slot, waits at a gate.
    Stalled,
    /// A call of `read()` has returned.
    Returned,
    /// A lock that another holds.
    Locked,
}

/// An operation under way.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) at: At,
    jobs: Jobs,
    now: Option<(Job, Frame, Setting)>,
    log: Log,
    /// Stores that others do not see yet: those of a section that a fix makes one.
    pending: Pending,
    pub(super) holds: Holds,
    /// The mark of the callback's look has passed.
    may_look: bool,
    reads: Vec<ReadPrediction>,
    fates: Vec<Fate>,
    value: u64,
    too_big: Option<u64>,
    /// Accesses made before their turn, since a fix makes a section one.
    pub(super) ahead: u32,
    /// What its next step loads, where that is known.
    pub(super) feed: Option<Seen>,
}

impl Task {
    /// The operation's frames; `None` where it is refused before it comes to relay.
    pub(super) fn begin(run: &Simulation<'_>, at: At) -> Option<Self> {
        Some(Self {
            at,
            jobs: Jobs::of(run, at)?,
            now: None,
            log: Log::default(),
            pending: Pending::default(),
            holds: Holds::No,
            may_look: false,
            reads: Vec::new(),
            fates: Vec::new(),
            value: 0,
            too_big: None,
            ahead: 0,
            feed: None,
        })
    }

    /// The buffer that its next access is to.
    pub(super) fn key(&self) -> Option<Key> {
        let job = self
            .now
            .map(|(job, ..)| job)
            .or(self.jobs.left.front().copied());
        job.map(|job| (job.channel, job.of.cpu))
    }

    /// What can be compared of two states.
    pub(super) fn fingerprint(&self, hash: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        (
            self.at,
            self.jobs.left.len(),
            self.reads.len(),
            self.fates.len(),
        )
            .hash(hash);
        (self.holds as u8, self.may_look).hash(hash);
        self.now.map(|(_, frame, _)| frame).hash(hash);
        self.pending.hash(hash);
    }

    /// Whether it can go on and is in the middle of a record or a call.
    pub(super) fn is_within(&self) -> bool {
        self.holds == Holds::No && self.now.is_some()
    }

    /// The next step of the record or call that it is in the middle of, if nothing holds it.
    pub(super) fn goes_on(&self, policy: Policy) -> Option<Step> {
        let (_, frame, set) = self.now.as_ref().filter(|_| self.holds == Holds::No)?;
        Some(frame.next(&policy.on(set)))
    }

    /// Lets it go past the mark that it stands at.
    pub(super) fn pass(&mut self) {
        self.may_look = self.holds == Holds::Called;
        self.holds = Holds::No;
    }

    /// Begins the next of its frames, if none is under way; `None` where none is left.
    pub(super) fn ready(&mut self, run: &Simulation<'_>, built: &AsBuilt) -> Option<()> {
        if self.now.is_none() {
            let job = self.jobs.left.pop_front()?;
            let mut set = built.setting(&run.case.channels[job.channel]);
            set.is_listed = run.live[job.channel].there.get(job.of.cpu) == Some(&true);
            self.now = Some((job, Frame::new(job.op), set));
        }
        Some(())
    }

    /// The frame under way, and what it runs under.
    pub(super) fn frame(&self) -> Option<(&Frame, &Setting)> {
        self.now.as_ref().map(|(_, frame, set)| (frame, set))
    }

    /// Makes the next access.
    pub(super) fn step(
        &mut self,
        run: &mut Simulation<'_>,
        around: &mut Around,
        (built, policy): (&AsBuilt, &Policy),
    ) -> Option<Step> {
        if self.ready(run, built).is_none() {
            self.holds = Holds::Over;
            return None;
        }
        let (job, frame, set) = self.now.as_mut()?;
        *set = policy.on(set);
        if !self.may_look && looks_next(frame, set) {
            self.holds = Holds::Called;
            return None;
        }
        let case = run.case;
        let Some(buffer) = run.live[job.channel].buffer_mut(job.of) else {
            self.holds = Holds::Over;
            return None;
        };
        let step = if let Some(seen) = self.feed.take() {
            let mut fed = Fed { buffer, seen };
            frame.step(&mut fed, around, set)
        } else {
            let mut behind = self.pending.on(buffer);
            frame.step(&mut behind, around, set)
        };
        if !is_held(frame.inside(), built.defects) {
            self.pending.drain(buffer);
        }
        self.log.note(&step, buffer);
        let last_toobig = buffer.last_toobig;
        let job = *job;
        match step {
            Step::Blocked(_) => self.holds = Holds::Locked,
            Step::Effect(Effect::Answered(_)) => {
                self.may_look = false;
                let mode = case.channels[job.channel].mode;
                let calls = std::mem::take(&mut self.log.calls);
                record_calls(&mut run.done, mode, (job.channel, job.of.cpu), calls);
            }
            Step::Effect(Effect::Called(number)) if stalls(case, &job, false, Some(number)) => {
                self.holds = Holds::Stalled;
            }
            Step::Effect(Effect::CopiedIn { bytes, .. })
                if matches!(bytes.source, Source::Header { .. })
                    && stalls(case, &job, true, Some(buffer_calls(run, &job))) =>
            {
                self.holds = Holds::Stalled;
            }
            Step::Effect(Effect::Reserved { .. }) if is_held_op(case, self.at) => {
                self.holds = Holds::Stalled;
            }
            Step::Done(outcome) => self.end_job(outcome, last_toobig),
            _ => {}
        }
        Some(step)
    }

    fn end_job(&mut self, outcome: Outcome, last_toobig: u64) {
        let job = self.now.take().map(|(job, ..)| job);
        match outcome {
            Outcome::Written { fate } => {
                self.too_big = (fate == Fate::TooBig)
                    .then_some(last_toobig)
                    .or(self.too_big);
                self.fates.push(fate);
                self.value += 1;
            }
            Outcome::Switched { value, fate } => {
                self.too_big = (fate == Fate::TooBig).then_some(last_toobig);
                self.fates.push(fate);
                self.value = value;
            }
            Outcome::Read { bytes } => {
                let read = ReadPrediction {
                    pieces: std::mem::take(&mut self.log.pieces),
                    bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
                };
                self.value += bytes;
                if let Some(size) = self.jobs.part {
                    self.end_part(read, size);
                    return;
                }
                self.reads.push(read);
                self.holds = Holds::Returned;
                if let (true, true, Some(job)) = (self.jobs.until_empty, bytes > 0, job) {
                    self.jobs.left.push_back(job);
                }
            }
            Outcome::Full(full) => self.value = u64::from(full),
            Outcome::Polled { .. } | Outcome::Nothing => {}
        }
        if self.jobs.left.is_empty() && self.holds == Holds::No {
            self.holds = Holds::Over;
        }
    }

    /// One part more of the call's answer; one that gives less than it might is the last.
    fn end_part(&mut self, part: ReadPrediction, size: u32) {
        if part.bytes < size {
            self.jobs.left.clear();
        }
        if self.jobs.left.is_empty() {
            self.holds = Holds::Returned;
        }
        let Some(whole) = self.reads.first_mut() else {
            self.reads.push(part);
            return;
        };
        let pieces = part.pieces.iter().map(|piece| Piece {
            start: piece.start + whole.bytes,
            ..*piece
        });
        whole.pieces.extend(pieces);
        whole.bytes += part.bytes;
    }

    /// The last call of `read()` that has returned, and its number.
    pub(super) fn returned(&self) -> Option<(usize, &ReadPrediction)> {
        let read = self.reads.last()?;
        Some((self.reads.len() - 1, read))
    }

    /// Whether nothing is left of it but its end.
    pub(super) fn is_over(&self) -> bool {
        self.jobs.left.is_empty() && self.now.is_none() && self.holds != Holds::Returned
    }

    /// What it does to a buffer, if its next access is the first of it.
    pub(super) fn begins(&self) -> Option<twin::Op> {
        match self.now {
            Some((_, frame, _)) => frame.is_at_start().then(|| frame.op()),
            None => self.jobs.left.front().map(|job| job.op),
        }
    }

    /// Whether, with what is not among these defects fixed, another such operation waits for this one.
    pub(super) fn keeps_out(&self, op: &twin::Op, defects: Defects) -> bool {
        use Defect::{K41, K42, K43};
        let apart = Defects::of(&[K41, K42, K43]).minus(defects);
        self.now
            .is_some_and(|(_, frame, _)| frame.bars(op).iter().any(|defect| apart.has(defect)))
    }

    /// Whether it is in a section that a fix makes one, and that it can go through at once.
    pub(super) fn must_go_on(&self, defects: Defects) -> bool {
        use Defect::{K31, K37, K38, K39};
        let at_once = Defects::of(&[K31, K37, K38, K39]);
        self.now.is_some_and(|(_, frame, _)| {
            let fixed = frame.inside().minus(defects);
            fixed.iter().any(|defect| at_once.has(defect))
                && matches!(frame.op(), twin::Op::Read { .. })
        })
    }

    /// Writes its answer down.
    pub(super) fn end(self, run: &mut Simulation<'_>) {
        let at = self.at;
        let op = &run.case.actors[at.actor].ops[at.op];
        let answer = match op {
            Op::Write { channel, via, .. } => OpPrediction {
                refused: Some(refused(&self.fates, *via, run.case.channels[*channel].mode)),
                fates: Some(self.fates),
                ..OpPrediction::ok(Some(self.value))
            },
            Op::Switch { channel, .. } => OpPrediction {
                refused: Some(refused(
                    &self.fates,
                    Via::Write,
                    run.case.channels[*channel].mode,
                )),
                ..OpPrediction::ok(Some(self.value))
            },
            Op::BufFull { .. } => OpPrediction::ok(Some(self.value)),
            Op::FileRead { .. } | Op::File { .. } => OpPrediction {
                reads: Some(self.reads),
                ..OpPrediction::ok(Some(self.value))
            },
            _ => OpPrediction::ok(None),
        };
        if let (Some(len), Some(channel)) = (self.too_big, op.channel()) {
            run.note_toobig(channel, at, len);
        }
        run.done.ops[at.actor][at.op] = answer;
    }
}

/// Whether what a frame in these sections stores stays unseen until their end.
fn is_held(inside: Defects, defects: Defects) -> bool {
    !inside.minus(defects).is_empty()
}

/// Whether the callback looks at the counts for its event next.
fn looks_next(frame: &Frame, set: &Setting) -> bool {
    let set = Setting {
        merged: twin::Sites::NONE,
        ..*set
    };
    matches!(
        frame.next(&set),
        Step::Load {
            member: twin::Member::Produced,
            site: Some(Site::CallbackEvent),
            ..
        }
    )
}

/// Whether a slot that the operation reserves waits at a gate before it is filled.
fn is_held_op(case: &Case, at: At) -> bool {
    matches!(&case.actors[at.actor].ops[at.op], Op::Write { via, .. } if via.hold().is_some())
}

fn stalls(case: &Case, job: &Job, late: bool, call: Option<u64>) -> bool {
    let stall = case.channels[job.channel].client.stall;
    stall.is_some_and(|stall: Stall| {
        stall.late == late
            && stall.cpu as usize == job.of.cpu
            && call == Some(u64::from(stall.at))
            && job.op != twin::Op::Reset
    })
}

fn buffer_calls(run: &Simulation<'_>, job: &Job) -> u64 {
    let buffer = run.live[job.channel].buffer(job.of);
    buffer.map_or(0, |buffer| buffer.calls)
}
