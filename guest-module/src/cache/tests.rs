//! The cache's promises: whole entries only, one maker at a time, nothing left behind.

use std::fs::File;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde_json::json;

use super::*;
use crate::progress::Silent;

fn cache() -> (tempfile::TempDir, Cache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(Some(dir.path())).unwrap();
    (dir, cache)
}

fn make(dir: &Path, content: &str) -> Result<Value, CacheError> {
    fs::write(dir.join("file"), content).map_err(io_error("write", dir))?;
    Ok(json!({ "made": content }))
}

fn refuse(_: &Path) -> Result<Value, CacheError> {
    Err(CacheError::NoPlace)
}

#[test]
fn a_second_lookup_makes_nothing() {
    let (_dir, cache) = cache();
    let key = Key::new("thing").with("input", "1");
    let first = cache.entry(&key, &Silent, |dir| make(dir, "one")).unwrap();
    let second = cache.entry(&key, &Silent, refuse).unwrap();
    assert_eq!(first.path("file"), second.path("file"));
    assert_eq!(second.sha256("file").unwrap(), hash::of_bytes(b"one"));
    assert_eq!(second.facts::<Value>().unwrap(), json!({ "made": "one" }));
    assert!(second.sha256("other").is_err());
}

#[test]
fn other_inputs_are_another_entry() {
    let keys = [
        Key::new("thing"),
        Key::new("thong"),
        Key::new("thing").with("a", "b"),
        Key::new("thing").with("a", "bc"),
        Key::new("thing").with("ab", "c"),
        Key::new("thing").with("a", "1").with("b", "2"),
        Key::new("thing").with("a", "1\n1:b=1:2"),
    ];
    let hashes: std::collections::BTreeSet<_> = keys.iter().map(Key::hash).collect();
    assert_eq!(hashes.len(), keys.len());
}

#[test]
fn a_damaged_entry_is_made_again() {
    let (_dir, cache) = cache();
    let key = Key::new("thing");
    let entry = cache.entry(&key, &Silent, |dir| make(dir, "good")).unwrap();
    fs::write(entry.path("file"), "evil").unwrap();
    // As the next process sees it: this one has just made the file.
    let cache = Cache::open(Some(cache.root())).unwrap();
    assert!(cache.find(&key, &Silent).is_none());
    let entry = cache.entry(&key, &Silent, |dir| make(dir, "good")).unwrap();
    assert_eq!(fs::read(entry.path("file")).unwrap(), b"good");
}

#[test]
fn a_failed_maker_leaves_no_entry_and_no_scratch() {
    let (dir, cache) = cache();
    let key = Key::new("thing");
    let half = |dir: &Path| {
        make(dir, "half")?;
        refuse(dir)
    };
    assert!(cache.entry(&key, &Silent, half).is_err());
    assert!(cache.find(&key, &Silent).is_none());
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn what_a_killed_maker_left_is_swept_but_not_a_live_ones() {
    let (dir, cache) = cache();
    let dead = ["tmp/thing-dead", "apt/bookworm"].map(|name| dir.path().join(name));
    for dead in &dead {
        fs::create_dir_all(dead).unwrap();
        fs::write(dead.join("file"), "half").unwrap();
    }
    let live = cache.lock("thing-live", &Silent).unwrap();
    let scratch = cache.scratch(&live, "thing-live").unwrap();
    cache
        .entry(&Key::new("thing"), &Silent, |dir| make(dir, "x"))
        .unwrap();
    assert!(dead.iter().all(|dead| !dead.exists()));
    assert!(scratch.path().exists());
}

#[test]
fn a_folder_without_a_whole_manifest_is_no_entry() {
    let (_dir, cache) = cache();
    let key = Key::new("thing");
    let place = cache.place(&key);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("file"), "half").unwrap();
    assert!(cache.find(&key, &Silent).is_none());
    let entry = cache
        .entry(&key, &Silent, |dir| make(dir, "whole"))
        .unwrap();
    assert_eq!(fs::read(entry.path("file")).unwrap(), b"whole");
}

#[test]
fn of_two_makers_one_works_and_both_have_it() {
    let (_dir, cache) = cache();
    let made = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let slow = |dir: &Path| {
                    made.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(50));
                    make(dir, "once")
                };
                let entry = cache.entry(&Key::new("thing"), &Silent, slow).unwrap();
                assert_eq!(fs::read(entry.path("file")).unwrap(), b"once");
            });
        }
    });
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[test]
fn a_lock_dies_with_its_process() {
    let (dir, cache) = cache();
    drop(cache.lock("thing", &Silent).unwrap());
    let path = dir.path().join("locks/thing");
    let script = "exec 9>\"$0\"; flock 9; echo held; exec sleep 60";
    let mut holder = std::process::Command::new("bash")
        .args(["-c", script])
        .arg(&path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 5];
    io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    let file = File::open(&path).unwrap();
    assert!(flock(&file, FlockOperation::NonBlockingLockExclusive).is_err());
    holder.kill().unwrap();
    holder.wait().unwrap();
    drop(cache.lock("thing", &Silent).unwrap());
}

#[test]
fn a_lock_whose_file_was_removed_is_taken_again() {
    let (dir, cache) = cache();
    let path = dir.path().join("locks/thing");
    let held = cache.lock("thing", &Silent).unwrap();
    cache.forget_locks(Duration::ZERO);
    assert!(path.exists(), "in use");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| cache.lock("thing", &Silent).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        fs::remove_file(&path).unwrap();
        // Nobody holds the one that is made now.
        let third = cache.lock("thing", &Silent).unwrap();
        drop(held);
        std::thread::sleep(Duration::from_millis(100));
        assert!(!second.is_finished(), "two have the lock");
        drop(third);
        drop(second.join().unwrap());
    });
    cache.forget_locks(Duration::ZERO);
    assert!(!path.exists());
}

#[test]
fn what_killed_makers_left_goes_with_the_next_use() {
    let (dir, cache) = cache();
    let left = dir.path().join("tmp/thing-1");
    let used = dir.path().join("tmp/thing-2");
    for folder in [&left, &used] {
        fs::create_dir_all(folder).unwrap();
    }
    let _held = cache.lock_if_free("thing-2").unwrap();
    Cache::open(Some(dir.path())).unwrap();
    assert!(!left.exists() && used.exists());
}

#[test]
fn a_copied_cache_is_believed_after_reading() {
    let (dir, cache) = cache();
    let key = Key::new("thing");
    cache
        .entry(&key, &Silent, |dir| make(dir, "copied"))
        .unwrap();
    let other = tempfile::tempdir().unwrap();
    let copy = other.path().join("cache");
    let status = std::process::Command::new("cp")
        .arg("-r")
        .args([dir.path(), &copy])
        .status();
    assert!(status.unwrap().success());
    let cache = Cache::open(Some(&copy)).unwrap();
    cache.entry(&key, &Silent, refuse).unwrap();
}

#[test]
fn only_the_newest_of_a_kind_are_kept() {
    let (dir, cache) = cache();
    let made: Vec<PathBuf> = ["1", "2", "3"]
        .map(|name| {
            let fill = |dir: &Path| -> Result<(), CacheError> {
                fs::write(dir.join("x"), name).map_err(io_error("write", dir))
            };
            let folder = cache.folder("thing", &[("name", name)], &Silent, fill);
            std::thread::sleep(Duration::from_millis(20));
            folder.unwrap()
        })
        .into();
    cache.trim("thing", 2);
    assert_eq!(
        made.iter().map(|path| path.exists()).collect::<Vec<_>>(),
        [false, true, true]
    );
    cache.trim("nothing", 0);
    assert!(dir.path().join("thing").exists());
}

#[test]
fn something_of_another_kind_in_the_way_heals() {
    let (dir, cache) = cache();
    let key = Key::new("thing");
    let path = |name: &str| dir.path().join(name);
    let ways: [fn(&Path); 6] = [
        |dir| fs::write(dir.join("thing"), "a file").unwrap(),
        |dir| fs::write(dir.join("locks"), "a file").unwrap(),
        |dir| fs::write(dir.join("tmp"), "a file").unwrap(),
        |dir| fs::create_dir_all(dir.join("locks").join(Key::new("thing").hash())).unwrap(),
        |dir| {
            fs::create_dir(dir.join("thing")).unwrap();
            fs::write(dir.join("thing").join(Key::new("thing").id()), "a file").unwrap();
        },
        |dir| {
            fs::create_dir(dir.join("tmp")).unwrap();
            fs::write(dir.join("tmp").join(Key::new("thing").hash()), "a file").unwrap();
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        for name in ["thing", "locks", "tmp"] {
            remove(&path(name)).unwrap();
        }
        way(dir.path());
        let entry = cache.entry(&key, &Silent, |dir| make(dir, "good"));
        let entry = entry.unwrap_or_else(|error| panic!("way {number}: {error}"));
        assert_eq!(fs::read(entry.path("file")).unwrap(), b"good");
    }
}

#[test]
fn of_four_who_find_an_image_rotten_one_makes_it_again() {
    let (dir, _) = cache();
    let made = AtomicU32::new(0);
    let obtain = |rotten: Option<&Folder>| {
        // Each has a cache of its own, as processes have.
        let cache = Cache::open(Some(dir.path())).unwrap();
        let fill = |dir: &Path| {
            made.fetch_add(1, Ordering::SeqCst);
            make(dir, "image").map(drop)
        };
        cache
            .unread_folder("image", &[], rotten, &Silent, fill)
            .unwrap()
    };
    let rotten = obtain(None);
    assert_eq!(obtain(None), rotten);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_ne!(obtain(Some(&rotten)), rotten));
        }
    });
    assert_eq!(made.load(Ordering::SeqCst), 2);
}
