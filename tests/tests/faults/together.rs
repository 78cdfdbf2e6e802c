//! Everything at once: four processes on one cache that begins cold, killed now and then.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use relaybed_tests::started::{Place, Started};
use rustix::process::Signal;

use super::RELAYBED;
use super::cache::hello;
use super::lots::Lots;

const AT_ONCE: usize = 4;

/// What they do, and how it ends.
const LINES: [(&str, &[i32]); 6] = [
    ("run hello/hello", &[0]),
    ("run hello ordering --jobs 2", &[0]),
    ("fuzz --seed 3 --count 30", &[0]),
    ("run hello/hello --deterministic", &[0]),
    ("doctor", &[0]),
    ("cache list", &[0]),
];

/// So many seconds.
pub(crate) fn round(seconds: u32) {
    let mut lots = Lots::new("together");
    let dir = tempfile::tempdir().unwrap();
    let programs: Vec<String> = [
        Some(RELAYBED.to_owned()),
        std::env::var("RELAYBED_OTHER").ok(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let until = Instant::now() + Duration::from_secs(seconds.into());
    let (ended, killed) = (AtomicU32::new(0), AtomicU32::new(0));
    let seeds: Vec<Lots> = (0..AT_ONCE).map(|_| lots.fork()).collect();
    std::thread::scope(|scope| {
        for mut lots in seeds {
            let (programs, ended, killed, cache) = (&programs, &ended, &killed, dir.path());
            scope.spawn(move || {
                while Instant::now() < until {
                    let place = Place::with_cache(cache).unwrap();
                    let (line, codes) = *lots.of(&LINES);
                    let words: Vec<&str> = line.split(' ').collect();
                    let mut command = place.command(lots.of::<String>(programs), &words);
                    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
                    let mut run = Started::start(command).unwrap();
                    // One in three does not come to its end.
                    let dies = lots.below(3) == 0;
                    let limit = match dies {
                        true => Duration::from_millis(lots.below(20_000) as u64),
                        false => Duration::from_secs(1200),
                    };
                    if !run.has_ended_within(limit).unwrap() {
                        assert!(dies, "relaybed {line} hangs");
                        run.signal(Signal::KILL, false).unwrap();
                        run.end().unwrap();
                        assert_eq!(place.outlived_by().unwrap(), Vec::<String>::new());
                        killed.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let end = run.end().unwrap();
                    let code = end.status.code().unwrap_or(-1);
                    assert!(codes.contains(&code), "relaybed {line}: {end:#?}");
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    hello(&Place::with_cache(dir.path()).unwrap());
    println!(
        "{seconds} s of {AT_ONCE} at once on a cold cache: {} came to their end, {} were killed",
        ended.into_inner(),
        killed.into_inner()
    );
}
