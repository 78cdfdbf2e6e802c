//! poll, wake-ups and callbacks come when they must.

use relaybed_abi::{Event, EventKind, RB_NONE32, RB_NONE64};

use crate::matter::{Matter, Report};
use relaybed_case::verdict::{Location, Property};
use relaybed_case::{FileCall, Mode, Op};
use relaybed_contract::{Geometry, SwitchCall};

/// Checks it.
pub(crate) fn check(matter: &Matter<'_>, report: &mut Report) {
    super::polling::check(matter, report);
    if matter.evidence.events_lost > 0 {
        return;
    }
    for (channel, spec) in matter.case.channels.iter().enumerate() {
        for cpu in 0..matter.prediction.online_cpus {
            mappings(matter, report, channel, cpu);
            let events = calls(matter, channel, cpu);
            let predicted = matter
                .prediction
                .calls
                .get(channel)
                .and_then(|cpus| cpus.get(cpu as usize))
                .and_then(Option::as_ref);
            let at = Location {
                channel: matter.channel_name(channel),
                cpu: Some(cpu),
                ..Location::default()
            };
            match predicted {
                Some(predicted) => as_modelled(matter, report, &at, channel, predicted, &events),
                None if spec.mode == Mode::Default => {}
                None if !matter.prediction.is_specified(channel, cpu as usize) => {
                    report.amount.unspecified += 1;
                }
                None => plausible(matter, report, &at, channel, &events),
            }
        }
    }
}

/// Calls of `subbuf_start` for one buffer, in their order.
fn calls<'a>(matter: &Matter<'a>, channel: usize, cpu: u32) -> Vec<&'a Event> {
    let mut events: Vec<&Event> = matter
        .evidence
        .events
        .iter()
        .filter(|event| {
            event.kind == EventKind::SubbufStart.code()
                && usize::from(event.channel) == channel
                && u32::from(event.buf_cpu) == cpu
        })
        .collect();
    events.sort_by_key(|event| event.order);
    events
}

/// What a call is, in words that can be compared.
#[derive(PartialEq, Eq)]
struct Call {
    new: u64,
    old: Option<u64>,
    produced: u64,
    consumed: u64,
    prev_padding: Option<u64>,
    accepted: bool,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "subbuf_start(new {}, ", self.new)?;
        match self.old {
            Some(old) => write!(f, "old {old}")?,
            None => write!(f, "old none")?,
        }
        if let Some(padding) = self.prev_padding {
            write!(f, ", prev_padding {padding}")?;
        }
        write!(
            f,
            ") at produced {} consumed {} returns {}",
            self.produced,
            self.consumed,
            u8::from(self.accepted)
        )
    }
}

impl Call {
    fn seen(event: &Event) -> Self {
        Self {
            new: u64::from(event.new_offset),
            old: (event.old_offset != RB_NONE32).then_some(u64::from(event.old_offset)),
            produced: event.produced,
            consumed: event.consumed,
            prev_padding: (event.prev_padding != RB_NONE64).then_some(event.prev_padding),
            accepted: event.verdict != 0,
        }
    }

    fn predicted(call: &SwitchCall, geometry: &Geometry, prev_padding: bool) -> Self {
        let place =
            |slot: relaybed_contract::Slot| (slot.0 as u64).saturating_mul(geometry.subbuf_size);
        Self {
            new: place(call.new),
            old: call.old.map(place),
            produced: call.produced.0,
            consumed: call.consumed.0,
            prev_padding: prev_padding.then_some(call.prev_padding),
            accepted: call.accepted,
        }
    }
}

fn as_modelled(
    matter: &Matter<'_>,
    report: &mut Report,
    at: &Location,
    channel: usize,
    predicted: &[SwitchCall],
    events: &[&Event],
) {
    let geometry = Geometry::of(&matter.case.channels[channel]);
    let argument = matter.prediction.behaviour.prev_padding;
    for index in 0..predicted.len().max(events.len()) {
        let expected = predicted
            .get(index)
            .map(|call| Call::predicted(call, &geometry, argument));
        let seen = events.get(index).map(|event| Call::seen(event));
        if expected != seen {
            let text = |call: Option<Call>| {
                call.map_or_else(|| "no call".to_owned(), |call| call.to_string())
            };
            report.fail(
                Property::Notification,
                at.clone(),
                format!("call {index} of subbuf_start for this buffer"),
                text(expected),
                text(seen),
            );
            return;
        }
    }
}

/// Without the model: each call names the places that its counts demand, the old sub-buffer is the one
/// that the last accepted call began, and produced grows by one a sub-buffer.
fn plausible(
    matter: &Matter<'_>,
    report: &mut Report,
    at: &Location,
    channel: usize,
    events: &[&Event],
) {
    let geometry = Geometry::of(&matter.case.channels[channel]);
    let argument = matter.prediction.behaviour.prev_padding;
    let mut before: Option<Call> = None;
    for event in events {
        let call = Call::seen(event);
        let wrong = call
            .contradiction(&geometry, argument)
            .or_else(|| before.as_ref().and_then(|before| call.breaks_off(before)));
        if let Some((what, expected)) = wrong {
            let property = Property::Notification;
            report.fail(property, at.clone(), what, expected, &call);
        }
        // A refused switch leaves the old sub-buffer current.
        let current = if call.accepted {
            call.new
        } else {
            before.as_ref().map_or(call.new, |before| before.new)
        };
        before = Some(Call {
            new: current,
            ..call
        });
    }
}

impl Call {
    /// What the call alone shows to be wrong, and what a right one has.
    fn contradiction(&self, geometry: &Geometry, argument: bool) -> Option<(&'static str, String)> {
        let (n, size) = (geometry.n_subbufs.max(1), geometry.subbuf_size);
        let place = (self.produced % n).saturating_mul(size);
        let ready = self.produced.saturating_sub(self.consumed);
        if argument != self.prev_padding.is_some() {
            let expected = if argument { "prev_padding" } else { "none" };
            return Some((
                "whether the release passes prev_padding",
                expected.to_owned(),
            ));
        }
        if self.prev_padding.is_some_and(|padding| padding > size) {
            let expected = format!("at most {size} bytes");
            return Some(("more padding is told than a sub-buffer has", expected));
        }
        if geometry.overwrite && !self.accepted && geometry.refuse.is_none() {
            return Some(("the client's callback did not run", "returns 1".to_owned()));
        }
        if self.new != place {
            return Some(("the new sub-buffer is not the next", format!("new {place}")));
        }
        if !geometry.overwrite && self.accepted && ready >= n {
            let what = "a switch into a full buffer was accepted";
            return Some((what, "returns 0".to_owned()));
        }
        None
    }

    /// How the call does not follow from the one before; `before.new` is the sub-buffer current then.
    fn breaks_off(&self, before: &Self) -> Option<(&'static str, String)> {
        let old = self.old?;
        if old != before.new {
            let expected = format!("old {}", before.new);
            return Some(("the old sub-buffer is not the one before", expected));
        }
        // A sub-buffer is counted when its end is met first, not again when the next is asked for anew.
        let produced = before.produced.saturating_add(u64::from(before.accepted));
        (self.produced != produced).then(|| {
            (
                "a switch was not announced, or not once",
                format!("produced {produced}"),
            )
        })
    }
}

/// On releases with callbacks for mappings, one call of `buf_mapped` for each mapping that was made, and
/// one of `buf_unmapped` at most; elsewhere none.
fn mappings(matter: &Matter<'_>, report: &mut Report, channel: usize, cpu: u32) {
    let has = matter.prediction.behaviour.buf_mapped;
    let done = |wanted: fn(&Op) -> bool| {
        relaybed_contract::order::operations(matter.case)
            .filter(|at| wanted(&matter.case.actors[at.actor].ops[at.op]))
            .filter(|at| {
                let bound = relaybed_contract::predict::bound(matter.case, *at);
                bound.is_some_and(|(c, on, _)| (c, on) == (channel, cpu))
            })
            .filter_map(|at| super::model::result(matter, at.actor, at.op))
            .filter(|result| result.error == 0)
            .count()
    };
    let seen = |kind: EventKind| {
        let events = matter.evidence.events.iter();
        events
            .filter(|event| {
                event.kind == kind.code()
                    && usize::from(event.channel) == channel
                    && u32::from(event.buf_cpu) == cpu
            })
            .count()
    };
    let made = if has {
        done(|op| {
            matches!(
                op,
                Op::File {
                    call: FileCall::Map(_),
                    ..
                }
            )
        })
    } else {
        0
    };
    let taken = if has {
        done(|op| matches!(op, Op::FileMunmap { .. }))
    } else {
        0
    };
    let at = Location {
        channel: matter.channel_name(channel),
        cpu: Some(cpu),
        ..Location::default()
    };
    let mapped = seen(EventKind::Mapped);
    if mapped != made {
        let what = "calls of buf_mapped, one for each mapping";
        report.fail(Property::Notification, at.clone(), what, made, mapped);
    }
    let unmapped = seen(EventKind::Unmapped);
    // Those that nobody takes away go with their process.
    if !(taken..=made).contains(&unmapped) {
        let what = "calls of buf_unmapped, one for each mapping taken away";
        report.fail(Property::Notification, at, what, taken, unmapped);
    }
}
