//! Choosing scenarios: by name, by pattern, by suite, or by a file of the user's own.

use crate::Case;

/// One scenario file's text, and the cases it expands to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file's text, kept with the evidence.
    pub source: std::sync::Arc<str>,
    /// Where that text is, as a person finds it: the path that the user gave.
    pub path: std::sync::Arc<str>,
    /// What names just this case at the command line.
    pub origin: String,
    /// The case.
    pub case: Case,
}

/// Whether `pattern` names `name`: the whole name, the file without its parameters, a suite, or a
/// pattern with `*` (any characters) and `?` (one character).
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let file = name.split('[').next().unwrap_or(name);
    let suite = name.split('/').next().unwrap_or(name);
    let pattern = pattern.trim_end_matches('/');
    [name, file, suite].contains(&pattern) || glob(pattern.as_bytes(), name.as_bytes())
}

/// Wildcard match in linear space: on a mismatch goes back to the last `*` only.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// A word for a shell, quoted where it must be.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_whole_by_file_and_by_suite() {
        let name = "ordering/exact-fit[len=32]";
        for pattern in [
            name,
            "ordering/exact-fit",
            "ordering",
            "ordering/",
            "*fit*",
            "*/exact-???*",
        ] {
            assert!(matches(pattern, name), "{pattern}");
        }
        for pattern in ["order", "exact-fit", "padding", "", "ordering/exact"] {
            assert!(!matches(pattern, name), "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_pattern_made_of_the_name_matches(name in "[a-c/]{0,12}", cut in 0usize..12) {
            let cut = cut.min(name.len());
            let pattern = format!("{}*", &name[..cut]);
            proptest::prop_assert!(glob(pattern.as_bytes(), name.as_bytes()));
            proptest::prop_assert!(glob(name.as_bytes(), name.as_bytes()));
        }
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("a/b"), "a/b");
        assert_eq!(quoted("a[x=1]"), "'a[x=1]'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
