//! Every case that can be drawn is one that a file can say, that fits a request, and that ends.

use proptest::prelude::*;

use super::{Family, Limits, case, line_of};
use relaybed_case::{
    Case, Channel, Context, FileCall, Files, Mode, Op, Place, Source, Via, Wanted,
};
use relaybed_contract::order::Order;
use relaybed_lang::{load, write};

const VERSION_6_1: u32 = 6 << 16 | 1 << 8;

fn limits(vcpus: u32, family: Family) -> Limits {
    Limits {
        vcpus,
        linux_version: VERSION_6_1,
        family: Some(family),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_drawn_case_reads_back_and_ends(seed in any::<u64>(), index in 0u64..1000, vcpus in 1u32..5, mixed in any::<bool>()) {
        let family = if mixed { Family::Concurrent } else { Family::Sequential };
        let drawn = case(seed, index, &limits(vcpus, family));
        let text = write(&drawn).unwrap();
        let again = load(&drawn.name, &text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        prop_assert_eq!(&again[..], std::slice::from_ref(&drawn));
        prop_assert!(relaybed_wire::program::compile(&drawn, None).is_ok());
        prop_assert!(Order::of(&drawn).stuck.is_empty());
        if family == Family::Sequential && !drawn.actors.iter().any(relaybed_case::Actor::is_nested) {
            prop_assert!(line_of(&drawn).is_some(), "{}", text);
        }
    }
}

#[test]
fn everything_is_drawn_at_some_time() {
    let all: Vec<Case> = (0..2000)
        .map(|index| case(1, index, &limits(2, Family::Sequential)))
        .collect();
    let ops = || {
        all.iter()
            .flat_map(|case| &case.actors)
            .flat_map(|a| &a.ops)
    };
    let any = |wanted: fn(&Op) -> bool| assert!(ops().any(wanted));
    any(|op| matches!(op, Op::Open { .. }));
    any(|op| matches!(op, Op::Close { .. }));
    any(|op| matches!(op, Op::Flush { .. }));
    any(|op| matches!(op, Op::Reset { .. }));
    any(|op| matches!(op, Op::Consumed { n, .. } if *n > 1000));
    any(|op| matches!(op, Op::BufFull { .. }));
    any(|op| matches!(op, Op::Switch { .. }));
    any(|op| matches!(op, Op::LateSetup { .. }));
    any(|op| matches!(op, Op::KlogRegister { .. }));
    any(|op| matches!(op, Op::KlogUnregister { .. }));
    any(|op| matches!(op, Op::Klog { .. }));
    any(|op| matches!(op, Op::CpuOff { .. }));
    any(|op| matches!(op, Op::CpuOn { .. }));
    any(|op| matches!(op, Op::Checkpoint { .. }));
    any(|op| {
        matches!(
            op,
            Op::Write {
                via: Via::Reserve,
                ..
            }
        )
    });
    any(|op| matches!(op, Op::FileRead { times: 0, .. }));
    any(|op| matches!(op, Op::FileRead { size: 0, .. }));
    any(|op| matches!(op, Op::FilePoll { .. }));
    let any_call = |wanted: fn(&FileCall) -> bool| {
        let is = |op: &Op| matches!(op, Op::File { call, .. } if wanted(call));
        assert!(ops().any(is));
    };
    any_call(|call| matches!(call, FileCall::Map(_)));
    any(|op| matches!(op, Op::FileCopy { .. }));
    any(|op| matches!(op, Op::FileMunmap { .. }));
    any_call(|call| matches!(call, FileCall::Seek { .. }));
    any_call(|call| matches!(call, FileCall::Truncate { .. }));
    any_call(|call| matches!(call, FileCall::Store { .. }));
    any(|op| matches!(op, Op::FileClose { .. }));
}

#[test]
fn every_kind_of_channel_and_actor_is_drawn_at_some_time() {
    let all: Vec<Case> = (0..2000)
        .map(|index| case(1, index, &limits(2, Family::Sequential)))
        .collect();
    let channels = || all.iter().flat_map(|case| &case.channels);
    assert!(channels().any(|c| c.n_subbufs == 1 && c.subbuf_size == 1));
    assert!(
        channels().any(|c| c.header_bytes > 0 && u64::from(c.header_bytes) + 2 == c.subbuf_size)
    );
    assert!(channels().any(|c| c.subbuf_size == 0));
    for mode in [Mode::NoOverwrite, Mode::Overwrite, Mode::Default] {
        assert!(channels().any(|c| c.mode == mode));
    }
    for files in [Files::Direct, Files::Proxy, Files::None] {
        assert!(channels().any(|c| c.files == files));
    }
    assert!(channels().any(|c| c.client.global));
    assert!(channels().any(|c| c.client.refuse.is_some()));
    assert!(channels().any(|c| c.client.create.is_some_and(|create| create.cpu == 0)));
    assert!(channels().any(|c| c.client.create.is_some_and(|create| create.cpu > 0)));
    for (_, wanted) in Wanted::ALL {
        let lacks = |c: &Channel| {
            c.client
                .no_memory
                .is_some_and(|lack| lack.wanted == *wanted)
        };
        assert!(channels().any(lacks), "{wanted:?}");
    }
    assert!(channels().any(|c| c.base().len() > 250));
    let sources = [Source::Hrtimer, Source::Ipi, Source::Host];
    for source in sources {
        let mut actors = all.iter().flat_map(|case| &case.actors);
        assert!(actors.any(|actor| actor.source == Some(source)));
    }
    let mut concurrent = (0..2000).map(|index| case(1, index, &limits(2, Family::Concurrent)));
    assert!(concurrent.any(|case| case.stalls().count() > 0));
    assert!(
        all.iter()
            .flat_map(|case| &case.actors)
            .any(relaybed_case::Actor::is_nested)
    );
    let contexts = [
        Context::Task,
        Context::Softirq,
        Context::Hardirq,
        Context::Nmi,
    ];
    for context in contexts {
        let mut places = all.iter().flat_map(|case| &case.actors).map(|a| a.place);
        assert!(places.any(|p| matches!(p, Place::Kernel { context: c, .. } if c == context)));
    }
}

/// What a seed means is a promise: when this changes, [`super::VERSION`] must rise.
#[test]
fn a_seed_means_the_same_for_ever() {
    let mut text = format!("generator {}\n", super::VERSION);
    for (index, family) in [(0, Family::Sequential), (1, Family::Concurrent)] {
        let drawn = case(20_261_121, index, &limits(2, family));
        text.push_str(&write(&drawn).unwrap());
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}
