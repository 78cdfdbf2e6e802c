//! Whatever a guest claims, the judge ends and does not panic.

use proptest::prelude::*;

use super::cases::{OLD, all_cases};
use crate::forge::synthesize;
use crate::{judge, streams};
use relaybed_case::evidence::Evidence;
use relaybed_case::verdict::Verdict;

/// One way in which a guest can lie.
#[derive(Clone, Copy, Debug)]
struct Lie {
    what: u8,
    at: usize,
    value: u64,
}

fn lie() -> impl Strategy<Value = Lie> {
    let value = prop_oneof![
        any::<u64>(),
        0u64..10,
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1001),
    ];
    (0u8..20, any::<usize>(), value).prop_map(|(what, at, value)| Lie { what, at, value })
}

fn tell(evidence: &mut Evidence, lie: Lie) {
    let Lie { what, at, value } = lie;
    let small = u32::try_from(value & 0xffff_ffff).unwrap();
    let byte = u8::try_from(value & 0xff).unwrap();
    if what < 12 {
        let last = evidence.observations.len() - 1;
        let Some(channel) = evidence.observations[last].channels.first_mut() else {
            return;
        };
        let count = channel.buffers.len();
        if count == 0 {
            return;
        }
        let buffer = &mut channel.buffers[at % count];
        match what {
            0 => buffer.produced = value,
            1 => buffer.consumed = value,
            2 => buffer.offset = value,
            3 => buffer.data = value,
            4 => buffer
                .padding
                .iter_mut()
                .skip(at % 3)
                .take(1)
                .for_each(|padding| *padding = value),
            5 => buffer.padding.clear(),
            6 => buffer.bytes_consumed = value,
            7 => buffer.bytes.truncate(at % 5000),
            8 => buffer.cpu = small,
            9 => buffer.file_size = Some(value),
            10 => drop(channel.buffers.remove(at % count)),
            _ => {
                for i in 0..64 {
                    let len = buffer.bytes.len().max(1);
                    if let Some(hit) = buffer.bytes.get_mut((at % len + i * 61) % len) {
                        *hit ^= byte;
                    }
                }
            }
        }
        return;
    }
    let events = evidence.events.len().max(1);
    match (what, evidence.events.get_mut(at % events)) {
        (12, Some(event)) => event.kind = small % 8,
        (13, Some(event)) => (event.produced, event.consumed) = (value, value),
        (14, Some(event)) => (event.actor, event.op) = (u16::from(byte), small),
        (15, Some(event)) => (event.channel, event.buf_cpu) = (byte, byte),
        (16, _) => evidence.data.truncate(at % 4000),
        (17, _) => evidence.results.truncate(at % 3),
        (18, _) => evidence.setting.vcpus = small,
        _ => evidence.observations[0].channels.truncate(at % 2),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a guest claims, the judge ends, and does not panic.
    #[test]
    fn lies_make_failures_not_panics(
        which in 0usize..9, lies in prop::collection::vec(lie(), 1..6),
    ) {
        let case = &all_cases()[which];
        let mut evidence = synthesize(case, OLD, 2);
        for lie in lies {
            tell(&mut evidence, lie);
        }
        let (verdict, _) = judge(case, &evidence);
        prop_assert!(streams(case, &evidence).len() <= 64 * case.channels.len());
        let passed = verdict == Verdict::Passed;
        prop_assert!(!passed || evidence.setting.vcpus == 2);
    }
}
