//! How new an archive has been seen: an older one, however well signed, is a replay.
//!
//! A stable release's signature never expires, so apt alone would take last year's archive, with last year's holes,
//! from a mirror that withholds the new one. What was seen last is kept in the cache, per set of suites.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// How much older another mirror may be: what Debian itself grants its quickest archives.
const SLACK_DAYS: i64 = 7;

/// An archive older than one seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Older {
    /// Label and code name.
    pub(super) archive: String,
    /// Its date.
    pub(super) date: String,
    /// The date of the one seen before.
    pub(super) seen: String,
}

/// Dates by archive, as archives write them.
type Dates = BTreeMap<String, String>;

/// Compares the fetched lists in `lists` with those seen before, and takes note of newer ones in `record`.
///
/// # Errors
/// A file cannot be read or written.
pub(super) fn compare(lists: &Path, record: &Path) -> io::Result<Option<Older>> {
    // A record that cannot be read is ignored: it is a memory, not a key.
    let read = fs::read(record).ok();
    let mut seen: Dates = read
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let mut newer = false;
    for file in fs::read_dir(lists)? {
        let file = file?;
        let name = file.file_name();
        if !name.as_encoded_bytes().ends_with(b"Release") {
            continue;
        }
        let text = fs::read(file.path())?;
        let Some((archive, date)) = identity(&String::from_utf8_lossy(&text)) else {
            continue;
        };
        let age = seen
            .get(&archive)
            .and_then(|seen| Some(day(seen)? - day(&date)?));
        match age {
            Some(days) if days > SLACK_DAYS => {
                let seen = seen.remove(&archive).unwrap_or_default();
                return Ok(Some(Older {
                    archive,
                    date,
                    seen,
                }));
            }
            Some(days) if days >= 0 => {}
            _ => {
                seen.insert(archive, date);
                newer = true;
            }
        }
    }
    if newer {
        let aside = record.with_extension("new");
        if let Some(folder) = record.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&aside, serde_json::to_vec(&seen)?)?;
        fs::rename(aside, record)?;
    }
    Ok(None)
}

/// Which archive a Release file is of, and its date.
fn identity(release: &str) -> Option<(String, String)> {
    let field = |name: &str| {
        let value = release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    };
    let archive = format!("{} {}", field("Label")?, field("Codename")?);
    Some((archive, field("Date")?))
}

/// The number of a date's day, `Sat, 09 Nov 2024 10:13:34 UTC`.
fn day(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = date.split_ascii_whitespace().skip(1);
    let day: i64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    if !(0..10_000).contains(&year) || !(1..32).contains(&day) {
        return None;
    }
    // Years that start in March end with the leap day.
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_months_and_leap_years() {
        let days = |a: &str, b: &str| day(b).unwrap() - day(a).unwrap();
        assert_eq!(days("Sat, 28 Feb 2026 1 UTC", "Sun, 01 Mar 2026 1 UTC"), 1);
        assert_eq!(days("Wed, 28 Feb 2024 1 UTC", "Fri, 01 Mar 2024 1 UTC"), 2);
        assert_eq!(days("Tue, 31 Dec 2024 1 UTC", "Wed, 01 Jan 2025 1 UTC"), 1);
        assert_eq!(days("x, 01 Jan 2000 1", "x, 01 Jan 2400 1"), 146_097);
        for date in [
            "",
            "Sat",
            "Sat, 99 Nov 2024",
            "Sat, 1 Foo 2024",
            "x, 1 Jan 99999999999",
        ] {
            assert_eq!(day(date), None, "{date}");
        }
    }

    #[test]
    fn an_older_archive_is_refused_and_an_equal_or_newer_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (lists, record) = (dir.path().join("lists"), dir.path().join("dates/sid.json"));
        fs::create_dir(&lists).unwrap();
        let see = |date: &str| {
            let text = format!("Label: Debian\nCodename: sid\nDate: {date}\n");
            fs::write(lists.join("m_dists_sid_InRelease"), text).unwrap();
            compare(&lists, &record).unwrap()
        };
        assert_eq!(see("Sun, 08 Nov 2026 10:00:00 UTC"), None);
        assert_eq!(see("Sun, 08 Nov 2026 10:00:00 UTC"), None);
        assert_eq!(see("Wed, 18 Nov 2026 10:00:00 UTC"), None);
        assert_eq!(see("Thu, 12 Nov 2026 10:00:00 UTC"), None, "mirrors lag");
        let older = see("Sun, 08 Nov 2026 10:00:00 UTC").unwrap();
        assert_eq!(older.archive, "Debian sid");
        assert_eq!(older.seen, "Wed, 18 Nov 2026 10:00:00 UTC");
        fs::write(&record, "rotten").unwrap();
        assert_eq!(see("Sun, 08 Nov 2026 10:00:00 UTC"), None);
    }
}
