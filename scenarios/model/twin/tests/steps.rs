//! Every step of every operation, in the states that it can meet: `steps.txt` is what the kernel's source says.
//!
//! Each of its titles says what runs: the setting, what was done before, and the operation (`w`rite, `r`eserve,
//! reserve filled in `h`alves, `R`ead, `C`onsumed, `S`witch, each with its number).

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails the test by panicking"
)]

use std::fmt::Write as _;

use relaybed_case::Refuse;
use relaybed_contract::{Buffer, Geometry};
use relaybed_twin::search::{Numbers, read};
use relaybed_twin::{
    Around, Defect, Defects, Effect, Footprint, Frame, Log, Op, Setting, Site, Sites, Step, open,
    run_alone,
};

const GEOMETRY: Geometry = Geometry {
    subbuf_size: 8,
    n_subbufs: 2,
    overwrite: false,
    header_bytes: 0,
    has_file: true,
    refuse: None,
};

/// Relay with all its defects.
fn kernel(geometry: Geometry) -> Setting {
    Setting {
        merged: Sites::COMPILED,
        ..Setting::plain(geometry, Defects::of(&Defect::OF_FRAMES))
    }
}

fn line(step: &Step) -> String {
    let slot_of = |member: &str, slot: u64| match member {
        "padding" => format!("{member}[{slot}]"),
        _ => member.to_owned(),
    };
    match *step {
        Step::Load {
            member,
            slot,
            value,
            site,
        } => {
            let again = site.map_or(String::new(), |site| format!("    again: {site:?}"));
            format!("load {} = {value}{again}", slot_of(member.word(), slot))
        }
        Step::Store {
            member,
            slot,
            before,
            after,
            site,
        } => {
            let again = site.map_or(String::new(), |site| format!("    known: {site:?}"));
            let member = slot_of(member.word(), slot);
            format!("store {member} {before} -> {after}{again}")
        }
        Step::Update {
            member,
            before,
            after,
            site,
        } => {
            let again = site.map_or(String::new(), |site| format!("    again: {site:?}"));
            format!("add to {} {before} -> {after}{again}", member.word())
        }
        Step::Effect(Effect::CopiedIn { at, bytes }) => {
            format!(
                "copy in {}..{} of {} to {at}",
                bytes.from,
                bytes.from + bytes.len,
                bytes.total
            )
        }
        Step::Effect(Effect::Answered(call)) => format!(
            "callback {:?} -> {}, {} produced, {} consumed, {} padding: {}",
            call.old.map(|slot| slot.0),
            call.new.0,
            call.produced.0,
            call.consumed.0,
            call.prev_padding,
            call.accepted
        ),
        Step::Effect(effect) => format!("{effect:?}"),
        Step::Blocked(lock) => format!("blocked: {lock:?}"),
        Step::Done(outcome) => format!("done: {outcome:?}"),
    }
}

/// The setting that words describe; none is a kernel until 6.16 with all its defects.
fn setting(words: &str) -> Setting {
    let mut set = kernel(GEOMETRY);
    let early = set
        .merged
        .without(Site::SwitchUnused)
        .without(Site::CountSum);
    for word in words.split(' ').filter(|word| *word != "-") {
        match word {
            "header" => set.geometry.header_bytes = 2,
            "four" => set.geometry.n_subbufs = 4,
            "overwrite" => set.geometry.overwrite = true,
            "refuse1" => set.geometry.refuse = Some(Refuse { from: 1, count: 1 }),
            "refuse4" => set.geometry.refuse = Some(Refuse { from: 4, count: 9 }),
            "stats" => (set.stats, set.prev_padding) = (true, false),
            "rule" => set.has_callback = false,
            "raw" => set.merged = Sites::SOURCE,
            "merged" => set.merged = Sites::ALL,
            "early" => set.merged = early,
            "inlined" => set.merged = set.merged.with(Site::RuleProduced),
            "split" => set.is_split = true,
            "gcc12" => (set.pads_late, set.sizes_early) = (true, true),
            "global" => set.is_global = true,
            "unlisted" => set.is_listed = false,
            "k1" => set.defects = Defects::of(&[Defect::K1]),
            "fixed" => set.defects = Defects::NONE,
            _ => panic!("no setting `{word}`"),
        }
    }
    set
}

fn operation(word: &str, numbers: &mut Numbers) -> Op {
    let number = || word[1..].parse::<u32>().unwrap();
    match word {
        "flush" => Op::Flush,
        "reset" => Op::Reset,
        "close" => Op::Close,
        "full" => Op::BufFull,
        "poll" => Op::Poll { waits: false },
        "wait" => Op::Poll { waits: true },
        "nowhere" => Op::Read {
            size: 4,
            is_nowhere: true,
        },
        _ => match (&word[..1], numbers.reserve(0)) {
            ("w", _) => numbers.write(number()),
            ("r", _) => numbers.reserve(number()),
            ("h", Op::Reserve { source, .. }) => Op::Reserve {
                source,
                len: number(),
                in_halves: true,
            },
            ("R", _) => read(number()),
            ("C", _) => Op::Consumed { n: number().into() },
            ("S", _) => Op::Switch {
                len: number().into(),
            },
            _ => panic!("no operation `{word}`"),
        },
    }
}

/// The steps of an operation behind others.
fn steps(out: &mut String, set: &Setting, before: &[Op], op: Op) {
    let mut log = Log::default();
    let mut buffer: Buffer = open(set, &mut log);
    for op in before {
        run_alone(*op, &mut buffer, set, &mut log);
    }
    let mut frame = Frame::new(op);
    let mut around = Around {
        waiters: 1,
        ..Around::default()
    };
    for _ in 0..200 {
        if frame.outcome().is_some() {
            break;
        }
        let place = frame.place(set);
        let next = frame.next(set);
        let inside = frame.inside();
        let step = frame.step(&mut buffer, &mut around, set);
        let kind = |step: &Step| std::mem::discriminant(step);
        assert_eq!(kind(&next), kind(&step), "{op:?}");
        let all = Footprint::of_op(&op, set.geometry.header_bytes > 0);
        assert!(
            Footprint::of_step(&step).is_within(&all),
            "{op:?}: {step:?}"
        );
        let inside = if inside.is_empty() {
            String::new()
        } else {
            format!("    inside {inside}")
        };
        if !matches!(step, Step::Done(_)) {
            writeln!(out, "{place}: {}{inside}", line(&step)).unwrap();
        }
    }
    let done = frame.step(&mut buffer, &mut around, set);
    writeln!(out, "{}", line(&done)).unwrap();
}

#[test]
fn every_operation_takes_the_steps_of_the_source() {
    let expected = include_str!("steps.txt");
    let mut out = String::new();
    for title in expected.lines().filter(|line| line.starts_with('#')) {
        let (_, what) = title.split_once(": ").unwrap();
        let [words, before, op] = what.split(" / ").collect::<Vec<_>>()[..] else {
            panic!("{title}");
        };
        let mut numbers = Numbers::default();
        let before = before.split(' ').filter(|word| *word != "-");
        let before: Vec<Op> = before.map(|word| operation(word, &mut numbers)).collect();
        writeln!(out, "{title}").unwrap();
        steps(
            &mut out,
            &setting(words),
            &before,
            operation(op, &mut numbers),
        );
        writeln!(out).unwrap();
    }
    let differs = out.lines().zip(expected.lines()).position(|(a, b)| a != b);
    assert!(
        out == expected,
        "first difference in line {differs:?} of:\n{out}"
    );
}
