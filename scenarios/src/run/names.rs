//! Names as folders.

use std::path::PathBuf;

use relaybed_case::fnv::Fnv;

/// Longest name of a folder that is kept as it is; file systems take 255 bytes.
const LONGEST: usize = 200;

/// A case's name as a path, another for every name: its suite is a folder, `[` of its parameters becomes `+`, and
/// what a shell would mind is written as `%` and its number.
pub(super) fn folder_name(name: &str) -> PathBuf {
    let (file, parameters) = match name.strip_suffix(']').and_then(|n| n.split_once('[')) {
        Some((file, parameters)) => (file, format!("+{}", safe(parameters))),
        None => (name, String::new()),
    };
    let mut parts: Vec<String> = file.split('/').map(safe).collect();
    if let Some(last) = parts.last_mut() {
        last.push_str(&parameters);
    }
    parts.into_iter().map(short).collect()
}

fn safe(part: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.=,~".contains(c);
    // These two names are taken.
    let is_dots = part.chars().all(|c| c == '.');
    let mut safe = String::new();
    for c in part.chars() {
        match c {
            c if is_plain(c) && !is_dots => safe.push(c),
            c => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                bytes.for_each(|byte| safe.push_str(&format!("%{byte:02X}")));
            }
        }
    }
    match safe.is_empty() {
        true => "%".to_owned(),
        false => safe,
    }
}

/// A name that is too long ends in a digest of the whole.
fn short(part: String) -> String {
    match part.get(..LONGEST) {
        Some(start) if part.len() > LONGEST => {
            let mut digest = Fnv::default();
            digest.write(part.as_bytes());
            format!("{start}%%{:016x}", digest.0)
        }
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_stay_below_the_output_folder() {
        let name = folder_name("padding/a[len=3,mode=x]");
        assert_eq!(name, PathBuf::from("padding/a+len=3,mode=x"));
        let name = folder_name("../../etc");
        assert_eq!(name, PathBuf::from("%2E%2E/%2E%2E/etc"));
        assert_eq!(folder_name("/x"), PathBuf::from("%/x"));
        assert_eq!(folder_name("a/ü b"), PathBuf::from("a/%C3%BC%20b"));
    }

    #[test]
    fn no_two_names_have_one_folder() {
        let long = |end: &str| format!("a/{}{end}", "x".repeat(300));
        let names = [
            "a/b c".to_owned(),
            "a/b_c".to_owned(),
            "a/b%20c".to_owned(),
            "a/b[len=3]".to_owned(),
            "a/b_len=3_".to_owned(),
            "a/b+len=3".to_owned(),
            "a/b[len=3,mode=x]".to_owned(),
            long("1"),
            long("2"),
        ];
        let folders: std::collections::BTreeSet<PathBuf> =
            names.iter().map(|name| folder_name(name)).collect();
        assert_eq!(folders.len(), names.len(), "{folders:?}");
        for folder in folders {
            let longest = folder.iter().map(|part| part.len()).max();
            assert!(longest < Some(256), "{folder:?}");
        }
    }
}
