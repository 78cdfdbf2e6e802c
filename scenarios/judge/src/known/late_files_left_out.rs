//! K35: `relay_late_setup_files()` made no file for a CPU that was offline, though it has a buffer. What
//! follows from that is about that buffer.

use crate::matter::Matter;
use relaybed_case::finding::{Finding, Lifetime, What};
use relaybed_case::{Files, Op};

pub(super) fn explains(matter: &Matter<'_>, all: &[Finding], finding: &Finding) -> bool {
    let opened = match super::operation(matter, finding) {
        Some(Op::FileOpen { channel, cpu, .. }) => Some((*channel, *cpu)),
        _ => None,
    };
    let Some((channel, cpu)) = opened.or_else(|| super::buffer(matter, finding)) else {
        return false;
    };
    let spec = &matter.case.channels[channel];
    let any = |wanted: &dyn Fn(&Op) -> bool| {
        let mut ops = matter.case.actors.iter().flat_map(|actor| &actor.ops);
        ops.any(wanted)
    };
    let not_made = |other: &Finding| {
        other.at.channel.as_ref() == Some(&spec.name)
            && other.at.cpu == Some(cpu)
            && matches!(
                other.what,
                What::Lifetime(Lifetime::FilesMade { seen: 0, .. })
            )
    };
    spec.files == Files::None
        && any(&|op| matches!(op, Op::LateSetup { channel: of } if *of == channel))
        && any(&|op| matches!(op, Op::CpuOff { cpu: of } if *of == cpu))
        && super::may_follow(finding)
        && all.iter().any(not_made)
}

#[cfg(test)]
mod tests {
    use relaybed_abi::EventKind;

    use crate::forge::synthesize;
    use crate::judge;
    use relaybed_case::verdict::Verdict;
    use relaybed_contract::behaviour::version;
    use relaybed_lang::{embedded, load};

    #[test]
    fn a_file_that_did_not_come_for_the_offline_cpu_is_known_and_another_is_not() {
        let (path, text) = embedded()
            .find(|(path, _)| path.contains("late-setup-offline"))
            .expect("the suite has it");
        let case = load(path, text).expect(path).remove(0);
        let without = |cpu: u8| {
            let mut evidence = synthesize(&case, version(6, 1), 2);
            for event in &mut evidence.events {
                if event.kind == EventKind::CreateFile.code() && event.buf_cpu == cpu {
                    event.kind = EventKind::None.code();
                }
            }
            judge(&case, &evidence).0
        };
        assert!(matches!(without(1), Verdict::Known { id, .. } if id == "K35"));
        assert!(matches!(without(0), Verdict::Failed { .. }));
    }
}
