//! A seed means the same schedule for ever: a finding's line must show it again in a later release.

use std::fmt::Write as _;

use super::machine::{lost_update, run};
use crate::schedule::{Explorer, Kind, Schedule};

#[test]
fn a_seed_means_the_same_for_ever() {
    let programs = lost_update();
    let (_, first) = run(&programs, &mut Schedule::default().strategy());
    let mut text = String::new();
    for kind in [
        Kind::Pct { depth: 3 },
        Kind::Random,
        Kind::Dfs { preemptions: 2 },
    ] {
        let mut explorer = Explorer::new(kind, 0..6, &first);
        while let Some(drawn) = explorer.draw() {
            let (_, trace) = run(&programs, &mut drawn.clone());
            explorer.learn(&drawn, &trace);
            let order: String = trace
                .steps
                .iter()
                .map(|step| step.next.to_string())
                .collect();
            let _ = writeln!(
                text,
                "{kind:?} {}: {order} {:016x}",
                drawn.seed,
                trace.digest()
            );
        }
    }
    insta::assert_snapshot!(text);
}
