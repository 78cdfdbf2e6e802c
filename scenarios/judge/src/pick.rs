//! Which record to strike so that a planted defect is sure to be seen.

use std::collections::HashSet;

use relaybed_abi::Plant;

use relaybed_case::finding::Finding;
use relaybed_case::verdict::{Property, Verdict};
use relaybed_case::{Actor, Case, Mode, Op, Payload};
use relaybed_contract::{Behaviour, predict};

use super::forge::{Spoil, plant};
use super::identify::{NO_CHANNEL, Writer, Writers};
use relaybed_twin::{Issue, issues};

/// Records tried before the defect is called not applicable.
const TRIES_MAX: usize = 48;
/// Records of this many bytes carry a header in their first half.
const LONG: u32 = 64;

/// The property under which a planted defect must be found first.
#[must_use]
pub fn property_of(kind: Plant) -> Option<Property> {
    Some(match kind {
        Plant::None => return None,
        Plant::Torn => Property::Integrity,
        Plant::Lost | Plant::Repeat => Property::Conservation,
        Plant::Reorder => Property::Ordering,
        Plant::Misplace => Property::Placement,
        Plant::Padding => Property::Padding,
        Plant::Stale => Property::Overwrite,
        Plant::WrongCpu => Property::Affinity,
    })
}

/// Actor and number of a record of the case at which the defect `kind` is visible in what is observed
/// or read; `None`: it does not apply to this case.
///
/// Found by trying: the defect is planted in forged evidence, and the judge must name it.
#[must_use]
pub fn pick_plant(
    case: &Case,
    kind: Plant,
    linux_version: u32,
    online_cpus: u32,
) -> Option<(u32, u32)> {
    let property = property_of(kind)?;
    if kind == Plant::WrongCpu && (online_cpus < 2 || may_lap(case)) {
        return None;
    }
    // Where a kernel is known to do something else, what it does with a spoilt record nobody can say.
    let shown =
        |issue: &Issue| issue.kernels.includes(linux_version) && issue.is_shown_by(&case.name);
    if issues().iter().any(shown) {
        return None;
    }
    // A record that goes elsewhere may be the one whose callback signals: the case would stand still.
    let mut ops = case.actors.iter().flat_map(|actor| &actor.ops);
    let is_held = |op: &Op| matches!(op, Op::Write { via, .. } if via.hold().is_some());
    if case.stalls().next().is_some() || ops.any(is_held) {
        return None;
    }
    // What is nested is not written by the thread that plants.
    if case.actors.iter().any(Actor::is_nested) {
        return None;
    }
    if kind == Plant::WrongCpu && (0..online_cpus).any(|cpu| case.changes_cpu(cpu)) {
        return None;
    }
    if laps_by_chance(case, linux_version, online_cpus) {
        return None;
    }
    let writers = Writers::of(case);
    candidates(&writers, kind)
        .into_iter()
        .take(TRIES_MAX)
        .find(|(actor, seq)| {
            let spoil = Spoil {
                kind,
                actor: *actor,
                seq: *seq,
            };
            let evidence = plant(case, linux_version, online_cpus, spoil);
            let struck = evidence.setting.plant.is_some_and(|planted| {
                planted.done > 0 || matches!(kind, Plant::Torn | Plant::Stale)
            });
            let first = match super::run::judge(case, &evidence).0 {
                Verdict::Failed { findings } => findings.first().map(Finding::property),
                _ => None,
            };
            struck && first == Some(property)
        })
        .map(|(actor, seq)| (u32::from(actor), seq))
}

/// Whether the other CPU's producer may replace a record that strayed into its buffer.
fn may_lap(case: &Case) -> bool {
    case.channels.iter().enumerate().any(|(index, channel)| {
        let writes = |op: &Op| matches!(op, Op::Write { channel, .. } if *channel == index);
        let writers = case
            .actors
            .iter()
            .filter(|actor| actor.ops.iter().any(writes));
        let cpus: HashSet<_> = writers.map(Actor::cpu).collect();
        channel.mode == Mode::Overwrite && cpus.len() > 1
    })
}

/// Whether some buffer is both lapped and raced for: which records survive in it is chance, so no
/// record is sure to be seen.
fn laps_by_chance(case: &Case, linux_version: u32, online_cpus: u32) -> bool {
    let prediction = predict(case, &Behaviour::of(linux_version), online_cpus);
    case.channels.iter().enumerate().any(|(channel, spec)| {
        spec.mode == Mode::Overwrite
            && (0..online_cpus as usize).any(|cpu| !prediction.is_exact(channel, cpu))
    })
}

/// Records worth trying: long ones, and late ones first, since they stay.
fn candidates(writers: &Writers<'_>, kind: Plant) -> Vec<(u16, u32)> {
    let mut all = Vec::new();
    for writer in writers.all().iter().rev() {
        for back in offsets(writer.count) {
            let seq = writer.first + (writer.count - 1 - back);
            if suits(writers, writer, seq, kind) {
                all.push((writer.actor, seq));
            }
        }
    }
    // A few of each writer before many of one.
    let each = (TRIES_MAX / writers.all().len().max(1)).max(4);
    let mut taken = std::collections::HashMap::new();
    all.retain(|(actor, _)| {
        let count = taken.entry(*actor).or_insert(0usize);
        *count += 1;
        *count <= each
    });
    all
}

/// Distances from the last record: the near ones, then ever farther.
fn offsets(count: u32) -> Vec<u32> {
    let mut offsets: Vec<u32> = (1..count.min(9)).collect();
    offsets.extend([0]);
    let mut far = 12;
    while far < count {
        offsets.push(far);
        far += far / 2;
    }
    offsets.retain(|back| *back < count);
    offsets
}

fn suits(writers: &Writers<'_>, writer: &Writer<'_>, seq: u32, kind: Plant) -> bool {
    let len = writers.len(writer, seq);
    let followed = seq - writer.first + 1 < writer.count;
    let named = matches!(writer.payload, Payload::Record { .. });
    let long_enough = match kind {
        Plant::Torn => len >= LONG,
        Plant::Padding => len > 0,
        _ => len >= 8,
    };
    (named || kind == Plant::Padding)
        && writer.channel != NO_CHANNEL
        && long_enough
        && (kind != Plant::Reorder || followed)
        && !matches!(writer.payload, Payload::Bytes(bytes) if bytes.is_empty())
}
