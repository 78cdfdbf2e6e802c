//! What the probe of KVM found a short while ago, so that not every run spends a third of a second on it.
//!
//! Only a refusal is remembered: where KVM works the probe takes milliseconds, and it is proof. A refusal is
//! forgotten after an hour, with the host's next boot, and when `/dev/kvm` can be opened that could not be before
//! (or the reverse); who asks for KVM by name, or `doctor`, gets a new probe.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use relaybed_guest::Cache;
use relaybed_vmm::Accel;
use relaybed_vmm::probe::Choice;
use relaybed_wire::swept::Swept;
use serde::{Deserialize, Serialize};

/// How long a refusal is believed.
const BELIEVED: Duration = Duration::from_secs(3600);
/// Names one boot of the host, by the kernel.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refusal {
    host: String,
    /// Seconds since the epoch.
    at: u64,
    reason: String,
}

/// The refusal that is remembered, as a choice.
pub(super) fn recall(cache: &Cache) -> Option<Choice> {
    let text = fs::read(place(cache)).ok()?;
    let refusal: Refusal = serde_json::from_slice(&text).ok()?;
    let age = refusal.age(&host()?, now()?)?;
    Some(Choice {
        accel: Accel::Tcg,
        reason: format!("{} (found {} min ago)", refusal.reason, age.as_secs() / 60),
        probe: None,
    })
}

/// Remembers a choice that the probe has just made, if it is a refusal. A cache that cannot be written
/// costs the next run a probe and no more.
pub(super) fn remember(cache: &Cache, choice: &Choice) {
    if choice.accel == Accel::Kvm || choice.probe.is_none() {
        return;
    }
    let (Some(host), Some(at)) = (host(), now()) else {
        return;
    };
    let refusal = Refusal {
        host,
        at,
        reason: choice.reason.clone(),
    };
    if let Ok(text) = serde_json::to_vec(&refusal) {
        drop(write_whole(&place(cache), &text));
    }
}

impl Refusal {
    /// How old it is, if it is still believed.
    fn age(&self, host: &str, now: u64) -> Option<Duration> {
        let age = Duration::from_secs(now.checked_sub(self.at)?);
        (self.host == host && age < BELIEVED).then_some(age)
    }
}

fn place(cache: &Cache) -> PathBuf {
    cache.root().join("kvm-refused.json")
}

/// This boot of the host, and whether we may open its `/dev/kvm`.
fn host() -> Option<String> {
    let boot = fs::read_to_string(BOOT_ID).ok()?;
    let opened = fs::File::options().read(true).write(true).open("/dev/kvm");
    let opened = opened.err().map(|error| error.kind());
    Some(format!("{} {opened:?}", boot.trim()))
}

fn now() -> Option<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Some(since.ok()?.as_secs())
}

/// Writes aside and renames, so that no reader sees half of it.
fn write_whole(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let aside = Swept::make_in(path.parent().unwrap_or(Path::new(".")))?;
    let new = aside.path().join("new");
    let mut options = fs::File::options();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text)?;
    fs::rename(&new, path).or_else(|_| {
        // A folder in its place belongs to no one.
        fs::remove_dir_all(path)?;
        fs::rename(&new, path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(cache: &Cache) -> Option<String> {
        recall(cache).map(|choice| choice.reason)
    }

    fn choice(accel: Accel) -> Choice {
        let probe = relaybed_vmm::probe::KvmProbe {
            usable: accel == Accel::Kvm,
            reason: String::new(),
            elapsed: Duration::ZERO,
        };
        Choice {
            accel,
            reason: "no long mode".to_owned(),
            probe: Some(probe),
        }
    }

    #[test]
    fn a_folder_in_its_place_makes_way() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        fs::create_dir(place(&cache)).unwrap();
        fs::write(place(&cache).join("file"), "text").unwrap();
        assert_eq!(refused(&cache), None);
        remember(&cache, &choice(Accel::Tcg));
        assert_eq!(refused(&cache).unwrap(), "no long mode (found 0 min ago)");
    }

    #[test]
    fn a_refusal_is_remembered_and_a_success_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        assert_eq!(refused(&cache), None);
        remember(&cache, &choice(Accel::Kvm));
        assert_eq!(refused(&cache), None);
        remember(&cache, &choice(Accel::Tcg));
        assert_eq!(refused(&cache).unwrap(), "no long mode (found 0 min ago)");
        fs::write(place(&cache), "{").unwrap();
        assert_eq!(refused(&cache), None);
    }

    #[test]
    fn a_refusal_is_forgotten_in_time_and_with_the_boot() {
        let refusal = Refusal {
            host: "a".to_owned(),
            at: 1000,
            reason: String::new(),
        };
        assert!(refusal.age("a", 1000).is_some());
        assert!(refusal.age("a", 1000 + 3599).is_some());
        assert!(refusal.age("a", 1000 + 3600).is_none());
        assert!(refusal.age("a", 999).is_none(), "the clock was set back");
        assert!(refusal.age("b", 1000).is_none());
    }
}
