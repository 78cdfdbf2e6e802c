//! K30: all that is wrong is that a channel lacks the buffers of CPUs that were on their way up when it
//! was opened.

use crate::matter::Matter;
use relaybed_case::Op;
use relaybed_case::finding::{Finding, Lifetime, What};
use relaybed_contract::order::{At, operations};

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    if !matches!(finding.what, What::Lifetime(Lifetime::Buffers { .. })) {
        return false;
    }
    let channels = &matter.case.channels;
    let name = finding.at.channel.as_ref();
    let channel = channels.iter().position(|spec| Some(&spec.name) == name);
    let Some((channel, observation)) = channel.zip(finding.at.observation) else {
        return false;
    };
    let seen = matter.evidence.observations.get(observation);
    let Some(seen) = seen.and_then(|seen| seen.channels.get(channel)) else {
        return false;
    };
    let has = |cpu: u32| seen.buffers.iter().any(|buffer| buffer.cpu == cpu);
    (0..matter.prediction.online_cpus)
        .filter(|cpu| !has(*cpu))
        .all(|cpu| opened_beside(matter, channel, cpu))
}

/// An opening of the channel that may fall into the CPU's way up.
fn opened_beside(matter: &Matter<'_>, channel: usize, cpu: u32) -> bool {
    let op = |at: &At| &matter.case.actors[at.actor].ops[at.op];
    let all: Vec<At> = operations(matter.case).collect();
    let opens = |at: &&At| matches!(op(at), Op::Open { channel: of } if *of == channel);
    let rises = |at: &&At| matches!(op(at), Op::CpuOn { cpu: of, .. } if *of == cpu);
    all.iter().filter(opens).any(|open| {
        all.iter()
            .filter(rises)
            .any(|rise| !matter.prediction.order.is_ordered(*open, *rise))
    })
}

#[cfg(test)]
mod tests {
    use crate::forge::synthesize;
    use crate::judge;
    use relaybed_case::verdict::Verdict;
    use relaybed_contract::behaviour::version;
    use relaybed_lang::{embedded, load};

    #[test]
    fn a_missing_buffer_of_the_cpu_on_its_way_is_known_and_of_another_is_not() {
        let (path, text) = embedded()
            .find(|(path, _)| path.contains("open-while-coming-up"))
            .expect("the suite has it");
        let case = load(path, text).expect(path).remove(0);
        let without = |cpu: u32| {
            let mut evidence = synthesize(&case, version(6, 1), 2);
            let end = evidence.observations.last_mut().expect("an end");
            end.channels[0].buffers.retain(|buffer| buffer.cpu != cpu);
            judge(&case, &evidence).0
        };
        // Which of the two orders the forged evidence has does not matter to what must be there.
        assert!(matches!(without(1), Verdict::Known { id, .. } if id == "K30"));
        assert!(matches!(without(0), Verdict::Failed { .. }));
    }
}
