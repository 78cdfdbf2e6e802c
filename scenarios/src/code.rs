//! Machine code of functions, instruction by instruction. Pure.

use std::collections::BTreeSet;
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Formatter as _, GasFormatter, Mnemonic};
use relaybed_report::coverage::{FunctionCovered, Gap};

use crate::symbols::Symbols;

/// Longest distance of a function of relay's from `relay_open()`: they are one file, so they are together.
const NEAR: u64 = 64 << 10;

/// A function's place in a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub at: Range<u64>,
}

/// The functions of relay.c in a kernel: what lies between the first and the last that is called relay, around
/// `relay_open()`, and the unlikely parts that compilers put elsewhere.
#[must_use]
pub fn functions_of_relay(symbols: &Symbols) -> Vec<Place> {
    let is_relay = |name: &str| name.starts_with("relay_") || name.starts_with("__relay_");
    let Some(&open) = symbols.named("relay_open").first() else {
        return Vec::new();
    };
    let near = |at: u64| at.abs_diff(open) < NEAR;
    let file: Vec<u64> = symbols
        .iter()
        .filter(|(at, name)| near(*at) && is_relay(name) && !name.ends_with(".cold"))
        .map(|(at, _)| at)
        .collect();
    let (Some(first), Some(last)) = (file.iter().min(), file.iter().max()) else {
        return Vec::new();
    };
    let mut seen = BTreeSet::new();
    let inside = |at: u64, name: &str| {
        (*first..=*last).contains(&at) || (is_relay(name) && name.ends_with(".cold"))
    };
    symbols
        .iter()
        .filter(|(at, name)| inside(*at, name) && seen.insert(*at))
        .map(|(at, name)| Place {
            name: name.to_owned(),
            at: at..symbols.end(at),
        })
        .collect()
}

/// What of a function was executed, given its bytes and every address that was. `NOP`s that were not executed
/// fill gaps between pieces of code, and are no part of it.
#[must_use]
pub fn covered(place: &Place, bytes: &[u8], executed: &BTreeSet<u64>) -> FunctionCovered {
    let mut function = FunctionCovered::new(&place.name);
    let mut formatter = GasFormatter::new();
    let mut decoder = Decoder::with_ip(64, bytes, place.at.start, DecoderOptions::NONE);
    let mut gap: Option<Gap> = None;
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let at = instruction.ip();
        let done = executed.contains(&at);
        let filler = matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Int3);
        if filler && !done {
            continue;
        }
        function.instructions += 1;
        if instruction.flow_control() == FlowControl::ConditionalBranch {
            function.jumps += 1;
            let next = executed.contains(&instruction.next_ip());
            let target = executed.contains(&instruction.near_branch_target());
            function.jumps_both_ways += usize::from(done && next && target);
        }
        if done {
            function.executed += 1;
            function.gaps.extend(gap.take());
            continue;
        }
        let gap = gap.get_or_insert_with(|| {
            let mut text = String::new();
            formatter.format(&instruction, &mut text);
            Gap {
                from: at - place.at.start,
                instructions: 0,
                first: text,
            }
        });
        gap.instructions += 1;
    }
    function.gaps.extend(gap);
    function
}

/// The addresses in a translator's log: each line of code begins with one.
pub fn listed(log: &str) -> impl Iterator<Item = u64> {
    log.lines().filter_map(|line| {
        let (address, _) = line.strip_prefix("0x")?.split_once(':')?;
        u64::from_str_radix(address, 16).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(at: Range<u64>) -> Place {
        Place {
            name: "f".to_owned(),
            at,
        }
    }

    #[test]
    fn relay_is_what_lies_around_relay_open() {
        let text = "ffffffff81000000 other\nffffffff81001000 relay_buf_full\n\
                    ffffffff81001010 wakeup_readers\nffffffff81001030 relay_open\n\
                    ffffffff81001100 next\nffffffff81900000 unix_dgram_peer_wake_relay\n\
                    ffffffff81a00000 relay_open.cold\nffffffff81a00020 x.cold\n";
        let symbols = Symbols::parse(text).unwrap();
        let places = functions_of_relay(&symbols);
        let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
        let expected = [
            "relay_buf_full",
            "wakeup_readers",
            "relay_open",
            "relay_open.cold",
        ];
        assert_eq!(names, expected);
        assert_eq!(places[1].at, 0xffff_ffff_8100_1010..0xffff_ffff_8100_1030);
    }

    #[test]
    fn gaps_and_jumps_are_counted_and_filling_is_not() {
        // test %edi,%edi; je +2; xor %eax,%eax; ret; int3; nop
        let bytes = [0x85, 0xff, 0x74, 0x02, 0x31, 0xc0, 0xc3, 0xcc, 0x90];
        let place = place(0x100..0x109);
        let all = BTreeSet::from([0x100, 0x102, 0x104, 0x106]);
        let function = covered(&place, &bytes, &all);
        assert_eq!((function.instructions, function.executed), (4, 4));
        assert_eq!((function.jumps, function.jumps_both_ways), (1, 1));
        assert!(function.gaps.is_empty());

        let taken = BTreeSet::from([0x100, 0x102, 0x106]);
        let function = covered(&place, &bytes, &taken);
        assert_eq!((function.executed, function.jumps_both_ways), (3, 0));
        let gap = &function.gaps[0];
        assert_eq!((gap.from, gap.instructions), (4, 1));
        assert!(gap.first.starts_with("xor"), "{}", gap.first);
    }

    #[test]
    fn addresses_are_read_out_of_a_log() {
        let log = "----------------\nIN: relay_open\n0xffffffff811aa890:  e8 6b 4c  callq 0x10\n\
                   0x10 no colon\nOBJD-T: 00\n";
        assert_eq!(listed(log).collect::<Vec<_>>(), [0xffff_ffff_811a_a890]);
    }

    proptest! {
        #[test]
        fn any_bytes_and_log_are_answered(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            log in "(0x[0-9a-f]{0,18}:|\\PC|\n){0,40}",
        ) {
            let executed: BTreeSet<u64> = listed(&log).collect();
            let function = covered(&place(0..64), &bytes, &executed);
            prop_assert!(function.executed <= function.instructions);
            prop_assert!(function.jumps_both_ways <= function.jumps);
        }
    }
}
