//! Signals at random moments.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use relaybed_tests::started::{Place, Started};
use rustix::process::Signal;

use super::RELAYBED;
use super::cache::hello;
use super::lots::Lots;

/// A command, and how it ends when nothing happens to it.
pub(crate) struct Victim {
    line: Vec<String>,
    codes: &'static [i32],
    /// Begins with a cache in which nothing is made of what was fetched.
    builds: bool,
}

fn victim(line: &str, codes: &'static [i32]) -> Victim {
    let fixtures = format!("{}/../fixtures", env!("CARGO_MANIFEST_DIR"));
    let words = line
        .split(' ')
        .map(|word| word.replace("FIXTURES", &fixtures));
    Victim {
        line: words.collect(),
        codes,
        builds: false,
    }
}

/// Those that take seconds.
pub(crate) fn quick() -> Vec<Victim> {
    vec![
        victim("run hello ordering --out kept", &[0]),
        victim(
            "fuzz --seed 1 --count 60 --plant torn --family sequential --shrink-for 5",
            &[1],
        ),
        victim("run hello/hello --no-image", &[0]),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<Victim> {
    let more = [
        victim(
            "explore FIXTURES/explore/reader-beside-writer.toml --seeds 0..200 --shrink-for 5",
            &[0, 1],
        ),
        victim(
            "run hello/hello --deterministic --repeat 3 --out kept",
            &[0],
        ),
        victim("run schedules --jobs 2", &[0]),
        victim(
            "run hello ordering --isolate per-scenario --jobs 3 --plant torn",
            &[1],
        ),
        victim("run hello/hello --bisect", &[0]),
        victim("matrix hello/hello --kernels 6.1,6.1 --out kept", &[0]),
        victim(
            "mutate hello/hello ordering --function relay_flush --limit 2 --out mutants",
            &[0, 1],
        ),
        victim("bench transports --sizes 64", &[0]),
        victim("capture ordering/one-cpu --out streams", &[0]),
        victim("trace hello/hello", &[0]),
        victim("coverage hello/hello", &[0]),
        victim("doctor", &[0]),
        victim("doctor --stats", &[0]),
        victim("cache list", &[0]),
        victim("list", &[0]),
        victim("judge FIXTURES/evidence/led-6.1", &[0]),
        victim("report FIXTURES/evidence/led-6.1 -o page.html", &[0]),
    ];
    let build = Victim {
        builds: true,
        ..victim("run hello/hello", &[0])
    };
    quick().into_iter().chain(more).chain([build]).collect()
}

/// How a process is asked to end.
const SIGNALS: [(&str, Signal, bool); 5] = [
    ("INT", Signal::INT, false),
    ("INT to the group", Signal::INT, true),
    ("TERM", Signal::TERM, false),
    ("KILL", Signal::KILL, false),
    ("KILL", Signal::KILL, false),
];

/// So many signals, each to one of the victims.
pub(crate) fn round(times: u32, victims: &[Victim], place: impl Fn() -> Place) {
    let mut lots = Lots::new("kills");
    let mut longest: BTreeMap<usize, Duration> = BTreeMap::new();
    let mut figures: BTreeMap<&str, (u32, Duration)> = BTreeMap::new();
    for number in 0..times {
        let place = place();
        let chosen = match usize::try_from(number).unwrap() {
            // Each has its turn before lots are drawn.
            number if number < victims.len() => number,
            _ => lots.below(victims.len()),
        };
        let victim = &victims[chosen];
        let run_for = longest.get(&chosen).copied();
        let run_for = run_for.unwrap_or_else(|| unhindered(&place, victim));
        longest.insert(chosen, run_for);
        prepare(victim, &place);
        let (name, signal, whole_group) = *lots.of(&SIGNALS);
        let at = run_for.mul_f64(lots.below(1000) as f64 / 1000.0);
        let what = format!(
            "{number}: {name} after {at:?} to relaybed {}",
            victim.line.join(" ")
        );
        let mut run = start(&place, victim);
        if run.has_ended_within(at).unwrap() {
            let ended = run.end().unwrap();
            let code = ended.status.code().unwrap_or(-1);
            assert!(victim.codes.contains(&code), "{what}: {ended:#?}");
            figures.entry("ended before").or_default().0 += 1;
            continue;
        }
        run.signal(signal, whole_group).unwrap();
        let ended = run.end().unwrap();
        let code = ended.status.code().unwrap_or(-1);
        println!("{what}: {code} in {:?}", ended.took);
        if signal != Signal::KILL && !victim.codes.contains(&code) {
            assert_eq!(ended.misheard(signal), None, "{what}");
        }
        assert_eq!(place.outlived_by().unwrap(), Vec::<String>::new(), "{what}");
        if signal != Signal::KILL {
            assert_eq!(
                place.leftovers(),
                Vec::<PathBuf>::new(),
                "{what}: {ended:#?}"
            );
        }
        let figure = figures.entry(name).or_default();
        *figure = (figure.0 + 1, figure.1.max(ended.took));
        // The next run is right, and sweeps.
        hello(&place);
        half_saved(&place, &what);
    }
    println!("{times} signals: {figures:?}");
}

/// A cache in which the module is to be built, for those who build.
fn prepare(victim: &Victim, place: &Place) {
    if let (true, Some(cache)) = (victim.builds, place.cache()) {
        for made in ["module", "module-objects", "initramfs", "image", "symbols"] {
            drop(std::fs::remove_dir_all(cache.join(made)));
        }
    }
}

fn start(place: &Place, victim: &Victim) -> Started {
    let mut command = place.command(RELAYBED, &victim.line);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Started::start(command).unwrap()
}

/// How long a victim takes when nothing happens to it.
fn unhindered(place: &Place, victim: &Victim) -> Duration {
    // What only the first time makes is not measured.
    let warm = if victim.builds { 1 } else { 2 };
    let mut took = Duration::ZERO;
    for _ in 0..warm {
        prepare(victim, place);
        let ended = start(place, victim).end().unwrap();
        let code = ended.status.code().unwrap_or(-1);
        assert!(
            victim.codes.contains(&code),
            "relaybed {}: {ended:#?}",
            victim.line.join(" ")
        );
        took = ended.took;
    }
    println!("relaybed {}: {took:?}", victim.line.join(" "));
    took
}

/// Every folder of evidence is whole, and can be judged.
fn half_saved(place: &Place, what: &str) {
    for found in folders(&place.work()) {
        if found.join("evidence.json").exists() {
            relaybed_wire::store::load(&found).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
}

fn folders(below: &std::path::Path) -> Vec<PathBuf> {
    let mut all = vec![below.to_owned()];
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(folders(&entry.path()));
        }
    }
    all
}
