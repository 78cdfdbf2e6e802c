//! Names as folders.

use std::path::{Path, PathBuf};

/// A case's name as a path: its suite is a folder; what a shell would mind is replaced.
pub(super) fn folder_name(name: &str) -> PathBuf {
    let safe = |part: &str| -> String {
        let part: String = part
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.=,".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        if part.trim_matches('.').is_empty() {
            "_".to_owned()
        } else {
            part
        }
    };
    name.split('/')
        .map(safe)
        .collect::<Vec<_>>()
        .iter()
        .map(Path::new)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_stay_below_the_output_folder() {
        assert_eq!(
            folder_name("padding/a[len=3]"),
            PathBuf::from("padding/a_len=3_")
        );
        assert_eq!(folder_name("../../etc"), PathBuf::from("_/_/etc"));
        assert_eq!(folder_name("/x"), PathBuf::from("_/x"));
    }
}
