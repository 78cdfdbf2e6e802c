//! K34: a CPU whose file could not be made did not come online, and CPU 0 has lost its buffer since. What
//! follows from that is about CPU 0's buffer in that channel.

use crate::matter::Matter;
use relaybed_case::finding::{Finding, Lifetime, What};
use relaybed_case::{Channel, Op};

pub(super) fn explains(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let Some(channel) = super::channel(matter, finding) else {
        return false;
    };
    comes_up_without_file(matter, channel)
        && all.iter().any(|other| is_lost(matter, channel, other))
        && super::may_follow(finding)
        && (is_about_first(matter, finding) || is_lost(matter, channel, finding))
}

fn comes_up_without_file(matter: &Matter<'_>, channel: &Channel) -> bool {
    let denied = channel.client.create.map(|create| create.cpu);
    let mut ops = matter.case.actors.iter().flat_map(|actor| &actor.ops);
    denied.is_some_and(|cpu| cpu > 0)
        && ops.any(|op| matches!(op, Op::CpuOn { cpu, .. } if Some(*cpu) == denied))
}

/// The channel is open and CPU 0's buffer is the only one that is not there.
fn is_lost(matter: &Matter<'_>, channel: &Channel, finding: &Finding) -> bool {
    let (Some(name), Some(observation)) = (&finding.at.channel, finding.at.observation) else {
        return false;
    };
    let of = matter
        .case
        .channels
        .iter()
        .position(|spec| spec.name == *name);
    let seen = matter.evidence.observations.get(observation);
    let Some((buffers, of)) = seen.map(|seen| &seen.channels).zip(of) else {
        return false;
    };
    let has_first = buffers
        .get(of)
        .is_some_and(|seen| seen.buffers.iter().any(|buffer| buffer.cpu == 0));
    let What::Lifetime(Lifetime::Buffers { expected, seen }) = &finding.what else {
        return false;
    };
    *name == channel.name
        && !has_first
        && !seen.0.is_empty()
        && expected.0.split_first() == Some((&0, seen.0.as_slice()))
}

fn is_about_first(matter: &Matter<'_>, finding: &Finding) -> bool {
    if let Some((_, cpu)) = super::buffer(matter, finding) {
        return cpu == 0;
    }
    let name = finding.at.actor.as_ref();
    let actor = matter.case.actors.iter().find(|a| Some(&a.name) == name);
    actor
        .and_then(|actor| actor.producer())
        .is_some_and(|(cpu, _)| cpu == 0)
}

#[cfg(test)]
mod tests {
    use crate::forge::synthesize;
    use crate::judge;
    use relaybed_case::verdict::Verdict;
    use relaybed_contract::behaviour::version;
    use relaybed_lang::{embedded, load};

    #[test]
    fn cpu_0_s_lost_buffer_is_known_and_another_s_is_not() {
        let (path, text) = embedded()
            .find(|(path, _)| path.contains("create-fails-coming-up"))
            .expect("the suite has it");
        let case = load(path, text).expect(path).remove(0);
        let without = |cpu: u32| {
            let mut evidence = synthesize(&case, version(6, 1), 2);
            let end = evidence.observations.last_mut().expect("an end");
            end.channels[0].buffers.retain(|buffer| buffer.cpu != cpu);
            judge(&case, &evidence).0
        };
        assert!(matches!(without(0), Verdict::Known { id, .. } if id == "K34"));
        assert!(matches!(without(1), Verdict::Failed { .. }));
    }
}
