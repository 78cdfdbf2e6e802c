//! Names as folders.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// A case's name as a path: its suite is a folder, its parameters follow an `@`, and what a shell would mind is
/// replaced. Two names never share a path: one that has something replaced ends in a word that stands for all of it.
pub(super) fn folder_name(name: &str) -> PathBuf {
    name.split('/')
        .map(part)
        .collect::<Vec<_>>()
        .iter()
        .map(Path::new)
        .collect()
}

fn part(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.=,".contains(c);
    let plain = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((stem, parameters)) => format!("{stem}@{parameters}"),
        None => name.to_owned(),
    };
    let shown: String = plain
        .chars()
        .map(|c| if safe(c) || c == '@' { c } else { '_' })
        .collect();
    let dots = shown.trim_matches('.').is_empty();
    // An `@` of the name's own is none that parameters follow.
    if shown == plain && !dots && !name.contains('@') {
        return shown;
    }
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("_{shown}-{:08x}", hasher.finish() >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_stay_below_the_output_folder() {
        assert_eq!(
            folder_name("padding/a[len=3]"),
            PathBuf::from("padding/a@len=3")
        );
        for name in [
            "../../etc",
            "/x",
            "x/..",
            "./x",
            "x/",
            "a b",
            "a;b",
            "\u{1b}[2J",
        ] {
            let path = folder_name(name);
            let parts: Vec<_> = path.components().collect();
            assert_eq!(parts.len(), name.split('/').count(), "{path:?}");
            for part in parts {
                assert!(matches!(part, std::path::Component::Normal(_)), "{path:?}");
            }
            let text = path.to_str().unwrap();
            let fine = |c: char| c.is_ascii_alphanumeric() || "-_.=,@/".contains(c);
            assert!(text.chars().all(fine), "{text}");
        }
    }

    #[test]
    fn two_names_never_share_a_folder() {
        let names = [
            "file/.", "file/..", "file/...", "file/_", "file/", "f/a b", "f/a_b", "f/a\tb",
            "f/a[b]", "f/a@b", "f/a_b_", "f/a[b", "f/a]b",
        ];
        let paths: std::collections::BTreeSet<PathBuf> =
            names.iter().map(|name| folder_name(name)).collect();
        assert_eq!(paths.len(), names.len(), "{paths:?}");
    }
}
