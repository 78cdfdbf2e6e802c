//! K36: all that is wrong is that `buf_unmapped` was called once more for each part in which a mapping was
//! taken away.

use crate::matter::Matter;
use relaybed_case::finding::{Finding, Notification, What};
use relaybed_case::{FileCall, Op};
use relaybed_contract::order::operations;

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    let What::Notification(Notification::Unmapped { seen, .. }) = finding.what else {
        return false;
    };
    let Some(buffer) = super::buffer(matter, finding) else {
        return false;
    };
    let count = |wanted: fn(&FileCall) -> bool| {
        operations(matter.case)
            .filter(|at| {
                matches!(&matter.case.actors[at.actor].ops[at.op], Op::File { call, .. } if wanted(call))
            })
            .filter_map(|at| relaybed_contract::predict::bound(matter.case, at))
            .filter(|(channel, cpu, _)| (*channel, *cpu) == buffer)
            .count() as u64
    };
    let made = count(|call| matches!(call, FileCall::Map(_)));
    let parts = count(|call| matches!(call, FileCall::Keep { .. }));
    parts > 0 && (made + 1..=made + parts).contains(&seen)
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
    fn one_call_more_for_a_part_is_known_and_two_are_not() {
        let (path, text) = embedded()
            .find(|(path, _)| path.contains("unmapped-in-parts"))
            .expect("the suite has it");
        let case = load(path, text).expect(path).remove(0);
        let with_more = |more: usize| {
            let mut evidence = synthesize(&case, version(5, 10), 2);
            let mut events = evidence.events.iter();
            let call = *events
                .find(|event| event.kind == EventKind::Unmapped.code())
                .expect("a call");
            evidence.events.extend(vec![call; more]);
            judge(&case, &evidence).0
        };
        assert!(matches!(with_more(1), Verdict::Known { id, .. } if id == "K36"));
        assert!(matches!(with_more(2), Verdict::Failed { .. }));
    }
}
