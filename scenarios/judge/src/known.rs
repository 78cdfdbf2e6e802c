//! Known issues: documented defects of kernels, and how a run that shows nothing else is recognised.
//!
//! The list is data (`known-issues.toml`); what tells an issue from everything else is code, one file each
//! below this. The model says what relay documents. Where a kernel is known to break that, the findings
//! are still told, under the issue's id; whatever goes beyond it stays a finding. An issue that a kernel
//! should no longer have is a finding too, and one that it should have and does not show is told.

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

use relaybed_case::errno::Errno;
use relaybed_case::finding::{
    Bytes, Expectation, Finding, Lifetime, Model, Outcome, Reading, Regression, What,
};
use relaybed_case::verdict::{Property, Verdict};
use relaybed_case::{Channel, Op};

use super::matter::Matter;

pub use data::{Issue, issues};
pub use range::{Affected, Release};

/// Whether the issue explains one finding, which may depend on all that failed beside it.
type Explains = fn(&Matter<'_>, all: &[Finding], &Finding) -> bool;

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
    mut findings: Vec<Finding>,
) -> Verdict {
    let linux = matter.evidence.setting.linux_version;
    if findings.is_empty() {
        return passed(issues, &matter.case.name, linux);
    }
    let Some(found) = explain(issues, matter, &findings) else {
        return Verdict::Failed { findings };
    };
    let ids: Vec<&str> = found.iter().map(|issue| issue.id.as_str()).collect();
    let back = found
        .iter()
        .find(|issue| !issue.kernels.includes(linux))
        .zip(findings.first());
    if let Some((issue, first)) = back {
        let back = Regression::Back {
            id: issue.id.as_str().into(),
            kernels: issue.kernels.to_string().into(),
        };
        let back = Finding::new(first.at.clone(), back);
        findings.insert(0, back);
        return Verdict::Failed { findings };
    }
    Verdict::Known {
        id: ids.join("+"),
        findings,
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

/// The issues that explain all findings together, as few as there may be: one for all of them if
/// there is one, those of this kernel before others.
fn explain<'a>(
    issues: &'a [Issue],
    matter: &Matter<'_>,
    findings: &[Finding],
) -> Option<Vec<&'a Issue>> {
    let linux = matter.evidence.setting.linux_version;
    let mut order: Vec<&Issue> = issues.iter().collect();
    order.sort_by_key(|issue| !issue.kernels.includes(linux));
    let explains = |issue: &Issue, finding: &Finding| {
        issue
            .recogniser
            .is_some_and(|known| (known.explains)(matter, findings, finding))
    };
    let one = order
        .iter()
        .find(|issue| findings.iter().all(|finding| explains(issue, finding)));
    if let Some(issue) = one {
        return Some(vec![issue]);
    }
    let mut found: Vec<&Issue> = Vec::new();
    for finding in findings {
        let issue = order.iter().find(|issue| explains(issue, finding))?;
        if !found.iter().any(|other| other.id == issue.id) {
            found.push(issue);
        }
    }
    Some(found)
}

/// Whether a finding may follow from a channel or buffer that is there and should not be, or the other way
/// round: bytes that nobody wrote or that stand in a wrong place, and a kernel that dies, do not.
fn may_follow(finding: &Finding) -> bool {
    !matches!(
        finding.property(),
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

/// What a call was to come to, and what it came to, of findings about that.
fn outcomes(finding: &Finding) -> Option<(Outcome, Outcome)> {
    match finding.what {
        What::Reading(
            Reading::Result { expected, seen, .. } | Reading::Value { expected, seen, .. },
        )
        | What::Lifetime(
            Lifetime::Result { expected, seen, .. } | Lifetime::Value { expected, seen, .. },
        )
        | What::Model(Model::Result { expected, seen, .. } | Model::Value { expected, seen, .. })
        | What::Expectation(
            Expectation::Result { expected, seen } | Expectation::Value { expected, seen },
        ) => Some((expected, seen)),
        What::Reading(Reading::Amount { expected, seen, .. }) => {
            Some((Outcome::Gives(expected), seen))
        }
        What::Reading(Reading::Extra { gave, .. }) => Some((Outcome::Gives(Bytes(0)), gave)),
        _ => None,
    }
}

/// Whether the call was to fail with this error.
fn expects(finding: &Finding, error: Errno) -> bool {
    outcomes(finding).is_some_and(|(expected, _)| expected.error() == Some(error))
}

/// Whether the call failed with this error.
fn shows(finding: &Finding, error: Errno) -> bool {
    outcomes(finding).is_some_and(|(_, seen)| seen.error() == Some(error))
}

/// Whether it is about how much the readers of a buffer have taken.
fn is_count_of_reads(finding: &Finding) -> bool {
    matches!(
        finding.what,
        What::Model(Model::Consumed { .. } | Model::BytesConsumed { .. })
    )
}

/// The channel that a finding is about: by its name, by its operation, or by the operation's descriptor.
fn channel<'a>(matter: &Matter<'a>, finding: &Finding) -> Option<&'a Channel> {
    let channels = &matter.case.channels;
    if let Some(name) = &finding.at.channel {
        return channels.iter().find(|channel| channel.name == *name);
    }
    let op = operation(matter, finding)?;
    let bound = || buffer(matter, finding).map(|(channel, _)| channel);
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

/// The buffer that a finding is about: by its location, or by the descriptor of its operation.
fn buffer(matter: &Matter<'_>, finding: &Finding) -> Option<(usize, u32)> {
    let channels = &matter.case.channels;
    if let (Some(name), Some(cpu)) = (&finding.at.channel, finding.at.cpu) {
        let channel = channels.iter().position(|channel| channel.name == *name)?;
        return Some((channel, cpu));
    }
    let name = finding.at.actor.as_ref()?;
    let actor = matter.case.actors.iter().position(|a| a.name == *name)?;
    let op = finding.at.op?;
    let at = relaybed_contract::order::At { actor, op };
    relaybed_contract::predict::bound(matter.case, at).map(|(channel, cpu, _)| (channel, cpu))
}

/// The operation that a finding is about.
fn operation<'a>(matter: &Matter<'a>, finding: &Finding) -> Option<&'a Op> {
    let name = finding.at.actor.as_ref()?;
    let actor = matter.case.actors.iter().find(|a| a.name == *name)?;
    actor.ops.get(finding.at.op?)
}
