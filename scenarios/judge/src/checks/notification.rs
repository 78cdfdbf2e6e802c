//! poll, wake-ups and callbacks come when they must.

use relaybed_abi::{Event, EventKind, RB_NONE32, RB_NONE64};

use crate::matter::{Matter, Report};
use relaybed_case::finding::{Bytes, MaybeStart, Notification, SubbufStart, Yes};
use relaybed_case::unspecified::Why;
use relaybed_case::verdict::Location;
use relaybed_case::{FileCall, Mode, Op};
use relaybed_contract::{Geometry, Slot, SwitchCall};

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
                    report.leave(Why::Met, 1);
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

/// A call as the event log has it.
fn seen(event: &Event) -> SubbufStart {
    SubbufStart {
        new: u64::from(event.new_offset),
        old: (event.old_offset != RB_NONE32).then_some(u64::from(event.old_offset)),
        produced: event.produced,
        consumed: event.consumed,
        prev_padding: (event.prev_padding != RB_NONE64).then_some(event.prev_padding),
        accepted: event.verdict != 0,
    }
}

/// A call as the model has it.
fn predicted(call: &SwitchCall, geometry: &Geometry, prev_padding: bool) -> SubbufStart {
    let place = |slot: Slot| (slot.0 as u64).saturating_mul(geometry.subbuf_size);
    SubbufStart {
        new: place(call.new),
        old: call.old.map(place),
        produced: call.produced.0,
        consumed: call.consumed.0,
        prev_padding: prev_padding.then_some(call.prev_padding),
        accepted: call.accepted,
    }
}

/// Whether the call of this number for a buffer is the predicted one.
pub(crate) fn is_call(
    matter: &Matter<'_>,
    (channel, cpu): (usize, u32),
    number: usize,
    call: &SwitchCall,
) -> bool {
    let geometry = Geometry::of(&matter.case.channels[channel]);
    let argument = matter.prediction.behaviour.prev_padding;
    let events = calls(matter, channel, cpu);
    events
        .get(number)
        .is_some_and(|event| seen(event) == predicted(call, &geometry, argument))
}

fn as_modelled(
    matter: &Matter<'_>,
    report: &mut Report,
    at: &Location,
    channel: usize,
    model: &[SwitchCall],
    events: &[&Event],
) {
    let geometry = Geometry::of(&matter.case.channels[channel]);
    let argument = matter.prediction.behaviour.prev_padding;
    for index in 0..model.len().max(events.len()) {
        let call = model.get(index);
        let expected = call.map(|call| predicted(call, &geometry, argument));
        let seen = events.get(index).map(|event| seen(event));
        if expected != seen {
            let call = Notification::SubbufStart {
                index: index as u64,
                expected: MaybeStart(expected),
                seen: MaybeStart(seen),
            };
            report.fail(at.clone(), call);
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
    let mut before: Option<SubbufStart> = None;
    for event in events {
        let call = seen(event);
        let wrong = contradiction(call, &geometry, argument)
            .or_else(|| before.and_then(|before| breaks_off(call, before)));
        if let Some(wrong) = wrong {
            report.fail(at.clone(), wrong);
        }
        // A refused switch leaves the old sub-buffer current.
        let current = if call.accepted {
            call.new
        } else {
            before.map_or(call.new, |before| before.new)
        };
        before = Some(SubbufStart {
            new: current,
            ..call
        });
    }
}

/// What the call alone shows to be wrong.
fn contradiction(call: SubbufStart, geometry: &Geometry, argument: bool) -> Option<Notification> {
    let (n, size) = (geometry.n_subbufs.max(1), geometry.subbuf_size);
    let place = (call.produced % n).saturating_mul(size);
    let ready = call.produced.saturating_sub(call.consumed);
    if argument != call.prev_padding.is_some() {
        let expected = Yes(argument);
        return Some(Notification::PrevPadding { expected, call });
    }
    if call.prev_padding.is_some_and(|padding| padding > size) {
        let subbuf_size = Bytes(size);
        return Some(Notification::PaddingPassed { subbuf_size, call });
    }
    if geometry.overwrite && !call.accepted && geometry.refuse.is_none() {
        return Some(Notification::CallbackNotRun { call });
    }
    if call.new != place {
        return Some(Notification::NotNext { new: place, call });
    }
    (!geometry.overwrite && call.accepted && ready >= n)
        .then_some(Notification::AcceptedFull { call })
}

/// How the call does not follow from the one before; `before.new` is the sub-buffer current then.
fn breaks_off(call: SubbufStart, before: SubbufStart) -> Option<Notification> {
    if call.old? != before.new {
        let old = before.new;
        return Some(Notification::OldNotPrevious { old, call });
    }
    // A sub-buffer is counted when its end is met first, not again when the next is asked for anew.
    let produced = before.produced.saturating_add(u64::from(before.accepted));
    (call.produced != produced).then_some(Notification::NotAnnounced { produced, call })
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
            .count() as u64
    };
    let called = |kind: EventKind| {
        let events = matter.evidence.events.iter();
        events
            .filter(|event| {
                event.kind == kind.code()
                    && usize::from(event.channel) == channel
                    && u32::from(event.buf_cpu) == cpu
            })
            .count() as u64
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
    let mapped = called(EventKind::Mapped);
    if mapped != made {
        let (expected, seen) = (made, mapped);
        report.fail(at.clone(), Notification::Mapped { expected, seen });
    }
    let seen = called(EventKind::Unmapped);
    let parts = if has && matter.prediction.unmaps_parts {
        done(|op| {
            matches!(
                op,
                Op::File {
                    call: FileCall::Keep { .. },
                    ..
                }
            )
        })
    } else {
        0
    };
    let (least, most) = (taken + parts, made + parts);
    // Those that no program takes away go with their process.
    if !(least..=most).contains(&seen) {
        report.fail(at, Notification::Unmapped { least, most, seen });
    }
}
