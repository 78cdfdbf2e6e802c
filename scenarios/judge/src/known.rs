//! Known issues: documented defects of kernels, and how a run that shows nothing else is recognised.
//!
//! The list is data (`known-issues.toml`); what tells an issue from everything else is code, one file each
//! below this. The model says what relay documents. Where a kernel is known to break that, the failures
//! are still told, under the issue's id; whatever goes beyond it stays a failure. An issue that a kernel
//! should no longer have is a failure too, and one that it should have and does not show is told.

mod close_wakes_nobody;
mod data;
mod first_buffer_lost;
mod late_files_left_out;
mod late_setup_left_half;
mod later_file_fails;
mod name_is_cut;
mod offset_mapped;
mod open_while_coming_up;
mod range;
mod read_not_counted;
mod read_nowhere;
mod reader_during_switch;
mod reader_starts_over;
mod refused_after_a_lap;
mod short_read_in_the_switch;
mod splice;
mod two_empty_flushes;
mod unmapped_in_parts;
mod unwritten_in_the_switch;
mod unwritten_next;
mod without;

use relaybed_case::verdict::{Failure, Property, Verdict};
use relaybed_case::{Channel, Op};

use super::matter::Matter;

pub use data::{Issue, issues};
pub use range::{Affected, Release};

/// Whether the issue explains one failure, which may depend on all that failed beside it.
type Explains = fn(&Matter<'_>, all: &[Failure], &Failure) -> bool;

/// Tells one issue from everything else.
#[derive(Debug)]
pub(super) struct Recogniser {
    name: &'static str,
    explains: Explains,
}

/// The recognisers that the data file may name.
const RECOGNISERS: &[Recogniser] = &[
    Recogniser {
        name: "two_empty_flushes",
        explains: two_empty_flushes::explains,
    },
    Recogniser {
        name: "reader_during_switch",
        explains: reader_during_switch::explains,
    },
    Recogniser {
        name: "close_wakes_nobody",
        explains: close_wakes_nobody::explains,
    },
    Recogniser {
        name: "later_file_fails",
        explains: later_file_fails::explains,
    },
    Recogniser {
        name: "longest_name_is_cut",
        explains: name_is_cut::of_the_longest,
    },
    Recogniser {
        name: "longer_name_is_cut",
        explains: name_is_cut::beyond_the_longest,
    },
    Recogniser {
        name: "refused_after_a_lap",
        explains: refused_after_a_lap::explains,
    },
    Recogniser {
        name: "late_setup_left_half",
        explains: late_setup_left_half::explains,
    },
    Recogniser {
        name: "short_read_in_the_switch",
        explains: short_read_in_the_switch::explains,
    },
    Recogniser {
        name: "read_nowhere",
        explains: read_nowhere::explains,
    },
    Recogniser {
        name: "offset_mapped",
        explains: offset_mapped::explains,
    },
    Recogniser {
        name: "splice_by_own_position",
        explains: splice::by_own_position,
    },
    Recogniser {
        name: "splice_stops_at_empty",
        explains: splice::stops_at_empty,
    },
    Recogniser {
        name: "splice_runs_on",
        explains: splice::runs_on,
    },
    Recogniser {
        name: "sendfile_refused",
        explains: splice::sendfile_refused,
    },
    Recogniser {
        name: "open_while_coming_up",
        explains: open_while_coming_up::explains,
    },
    Recogniser {
        name: "reader_starts_over",
        explains: reader_starts_over::explains,
    },
    Recogniser {
        name: "unwritten_in_the_switch",
        explains: unwritten_in_the_switch::explains,
    },
    Recogniser {
        name: "unwritten_next",
        explains: unwritten_next::explains,
    },
    Recogniser {
        name: "read_not_counted",
        explains: read_not_counted::explains,
    },
    Recogniser {
        name: "first_buffer_lost",
        explains: first_buffer_lost::explains,
    },
    Recogniser {
        name: "late_files_left_out",
        explains: late_files_left_out::explains,
    },
    Recogniser {
        name: "unmapped_in_parts",
        explains: unmapped_in_parts::explains,
    },
];

/// The verdict on a case, from all that failed in it and the issues that are known.
pub(super) fn verdict(
    issues: &[Issue],
    matter: &Matter<'_>,
    mut failures: Vec<Failure>,
) -> Verdict {
    let linux = matter.evidence.setting.linux_version;
    if failures.is_empty() {
        return passed(issues, &matter.case.name, linux);
    }
    let Some(found) = explain(issues, matter, &failures) else {
        return Verdict::Failed { failures };
    };
    let ids: Vec<&str> = found.iter().map(|issue| issue.id.as_str()).collect();
    let back = found
        .iter()
        .find(|issue| !issue.kernels.includes(linux))
        .zip(failures.first_mut());
    if let Some((issue, first)) = back {
        first.what = format!(
            "known issue {} is back, which this kernel should not have ({}): {}",
            issue.id, issue.kernels, first.what
        );
        return Verdict::Failed { failures };
    }
    Verdict::Known {
        id: ids.join("+"),
        failures,
    }
}

/// Nothing failed; where the case would show an issue that this kernel should have, that is news.
fn passed(issues: &[Issue], case: &str, linux: u32) -> Verdict {
    let missed = issues.iter().find(|issue| {
        issue.is_recognised() && issue.kernels.includes(linux) && issue.is_shown_by(case)
    });
    match missed {
        Some(issue) => Verdict::Fixed {
            id: issue.id.clone(),
        },
        None => Verdict::Passed,
    }
}

/// The issues that explain all failures together, as few as there may be: one for all of them if
/// there is one, those of this kernel before others.
fn explain<'a>(
    issues: &'a [Issue],
    matter: &Matter<'_>,
    failures: &[Failure],
) -> Option<Vec<&'a Issue>> {
    let linux = matter.evidence.setting.linux_version;
    let mut order: Vec<&Issue> = issues.iter().collect();
    order.sort_by_key(|issue| !issue.kernels.includes(linux));
    let explains = |issue: &Issue, failure: &Failure| {
        issue
            .recogniser
            .is_some_and(|known| (known.explains)(matter, failures, failure))
    };
    let one = order
        .iter()
        .find(|issue| failures.iter().all(|failure| explains(issue, failure)));
    if let Some(issue) = one {
        return Some(vec![issue]);
    }
    let mut found: Vec<&Issue> = Vec::new();
    for failure in failures {
        let issue = order.iter().find(|issue| explains(issue, failure))?;
        if !found.iter().any(|other| other.id == issue.id) {
            found.push(issue);
        }
    }
    Some(found)
}

/// Whether a failure may follow from a channel or buffer that is there and should not be, or the other way
/// round: bytes that nobody wrote or that stand in a wrong place, and a kernel that dies, do not.
fn may_follow(failure: &Failure) -> bool {
    !matches!(
        failure.property,
        Property::Health
            | Property::Integrity
            | Property::Safety
            | Property::Placement
            | Property::Padding
            | Property::Overwrite
            | Property::Ordering
            | Property::Affinity
    )
}

/// The channel that a failure is about: by its name, by its operation, or by the operation's descriptor.
fn channel<'a>(matter: &Matter<'a>, failure: &Failure) -> Option<&'a Channel> {
    let channels = &matter.case.channels;
    if let Some(name) = &failure.at.channel {
        return channels.iter().find(|channel| channel.name == *name);
    }
    let op = operation(matter, failure)?;
    let bound = || buffer(matter, failure).map(|(channel, _)| channel);
    let logged = || matches!(op, Op::Klog { .. }).then(|| logged_to(matter))?;
    channels.get(op.channel().or_else(bound).or_else(logged)?)
}

/// The only channel that klog ever goes to.
fn logged_to(matter: &Matter<'_>) -> Option<usize> {
    let ops = matter.case.actors.iter().flat_map(|actor| &actor.ops);
    let mut registered = ops.filter_map(|op| match op {
        Op::KlogRegister { channel } => Some(*channel),
        _ => None,
    });
    let first = registered.next()?;
    registered.all(|other| other == first).then_some(first)
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
    let at = relaybed_contract::order::At { actor, op };
    relaybed_contract::predict::bound(matter.case, at).map(|(channel, cpu, _)| (channel, cpu))
}

/// The operation that a failure is about.
fn operation<'a>(matter: &Matter<'a>, failure: &Failure) -> Option<&'a Op> {
    let name = failure.at.actor.as_ref()?;
    let actor = matter.case.actors.iter().find(|a| a.name == *name)?;
    actor.ops.get(failure.at.op?)
}
