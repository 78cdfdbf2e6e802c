//! Documented defects of kernels, and how a run that shows nothing else is recognised.
//!
//! The model says what relay documents. Where a kernel is known to break that, the failures are still
//! told, under the issue's id; whatever goes beyond the issue stays a failure.

use crate::case::Op;
use crate::verdict::{Failure, Property};

use super::matter::Matter;

/// Recognises an issue in the failures of a case.
type Recogniser = fn(&Matter<'_>, &[Failure]) -> bool;

/// One documented defect.
#[derive(Clone, Copy)]
pub struct Issue {
    /// Its id.
    pub id: &'static str,
    /// First `LINUX_VERSION_CODE` that no longer has it; `None`: all have it so far.
    pub fixed_in: Option<u32>,
    /// What it is.
    pub what: &'static str,
    recognise: Recogniser,
}

impl std::fmt::Debug for Issue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.id, self.what)
    }
}

/// All of them. That flushing an idle channel eats its capacity (K5) is documented, so the model does
/// the same and nothing fails.
const ISSUES: &[Issue] = &[
    Issue {
        id: "K1",
        fixed_in: None,
        what: "two empty flushes in a row make a later read return data twice",
        recognise: two_empty_flushes,
    },
    Issue {
        id: "K2",
        fixed_in: None,
        what: "a reader takes a full no-overwrite buffer for an overwritten one while a writer is \
               between counting the sub-buffer and marking the buffer full, and drops the oldest",
        recognise: reader_during_switch,
    },
    Issue {
        id: "K4",
        fixed_in: None,
        what: "relay_close() does not wake a poller that waits without timeout",
        recognise: close_wakes_nobody,
    },
];

/// The documented defects that can be recognised.
#[must_use]
pub fn issues() -> &'static [Issue] {
    ISSUES
}

/// The issue that explains all failures, if one does.
pub(super) fn recognise(matter: &Matter<'_>, failures: &[Failure]) -> Option<&'static Issue> {
    let version = matter.evidence.setting.linux_version;
    ISSUES.iter().find(|issue| {
        issue.fixed_in.is_none_or(|fixed| version < fixed) && (issue.recognise)(matter, failures)
    })
}

/// The buffer that a failure is about: by its location, or by the descriptor of its operation.
fn buffer(matter: &Matter<'_>, failure: &Failure) -> Option<(usize, u32)> {
    let channels = &matter.case.channels;
    if let (Some(name), Some(cpu)) = (&failure.at.channel, failure.at.cpu) {
        let channel = channels.iter().position(|channel| channel.name == *name)?;
        return Some((channel, cpu));
    }
    let name = failure.at.actor.as_ref()?;
    let actor = matter.case.actors.iter().position(|a| a.name == *name)?;
    let op = failure.at.op?;
    let at = crate::model::order::At { actor, op };
    crate::model::predict::bound(matter.case, at).map(|(channel, cpu, _)| (channel, cpu))
}

/// K1: after two empty sub-buffers in a row, reads and the consumed count of that buffer are off.
fn two_empty_flushes(matter: &Matter<'_>, failures: &[Failure]) -> bool {
    let concerned = |failure: &Failure| {
        let property = matches!(
            failure.property,
            Property::Reading | Property::Model | Property::Expectation | Property::Notification
        );
        let off = failure.what.contains("consumed")
            || failure.what.contains("read")
            || failure.what.contains("poll");
        property
            && off
            && buffer(matter, failure).is_some_and(|(channel, cpu)| {
                matter.buffers.iter().any(|parsed| {
                    parsed.channel == channel
                        && parsed.seen.cpu == cpu
                        && parsed.model.is_some_and(|model| model.two_empty)
                })
            })
    };
    failures.iter().any(|f| f.property == Property::Reading) && failures.iter().all(concerned)
}

/// K2: a no-overwrite buffer, not determined, with a reader: the oldest sub-buffer is gone, so
/// records are missing in what was read, and nothing else is wrong.
fn reader_during_switch(matter: &Matter<'_>, failures: &[Failure]) -> bool {
    let filled = |channel: usize, cpu: u32| {
        matter.evidence.events.iter().any(|event| {
            usize::from(event.channel) == channel
                && u32::from(event.buf_cpu) == cpu
                && event.kind == relaybed_abi::EventKind::SubbufStart.code()
                // A reader in the window frees one before the callback looks.
                && event.produced.saturating_sub(event.consumed).saturating_add(1)
                    >= matter.case.channels[channel].n_subbufs
        })
    };
    failures.iter().all(|failure| {
        failure.property == Property::Conservation
            && failure.what.contains("missing")
            && buffer(matter, failure).is_some_and(|(channel, cpu)| {
                matter
                    .streams
                    .iter()
                    .any(|stream| stream.channel == channel && stream.cpu == cpu)
                    && filled(channel, cpu)
            })
    })
}

/// K4: all that is wrong is a poll without timeout that never ended although its channel was closed.
fn close_wakes_nobody(matter: &Matter<'_>, failures: &[Failure]) -> bool {
    failures.iter().all(|failure| {
        failure.property == Property::Evidence
            && failure.what == "the operation was not done"
            && waits_for_close(matter, failure)
    })
}

/// The operation waits for the end of a channel, or stands behind one of its actor that does.
fn waits_for_close(matter: &Matter<'_>, failure: &Failure) -> bool {
    let name = failure.at.actor.as_ref();
    let Some(actor) = matter
        .case
        .actors
        .iter()
        .position(|a| Some(&a.name) == name)
    else {
        return false;
    };
    let ops = &matter.case.actors[actor].ops;
    let stopped =
        (0..ops.len()).find(|op| super::checks::model::result(matter, actor, *op).is_none());
    let Some(op) = stopped.filter(|op| failure.at.op >= Some(*op)) else {
        return false;
    };
    let at = crate::model::order::At { actor, op };
    let forever = matches!(
        ops[op],
        Op::FilePoll {
            timeout_ms: None,
            ..
        }
    );
    forever
        && crate::model::predict::bound(matter.case, at).is_some_and(|(channel, _, _)| {
            matter.has_op(channel, |op| matches!(op, Op::Close { .. }))
        })
}
