//! The lines that a patch changes: only their mutants are of interest to its reviewer.

use std::collections::BTreeSet;

use crate::Mutant;

/// Lines of the new file that a unified diff adds or changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    lines: BTreeSet<usize>,
}

/// A text that is no diff of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// Nothing in it begins like a diff.
    #[error("the file is no unified diff: it has no line `+++ {file}`")]
    NoFile {
        /// The file whose changes were looked for.
        file: String,
    },
    /// A hunk's head says nothing.
    #[error("line {line} of the diff does not say which lines it is about: {text}")]
    Hunk {
        /// The line.
        line: usize,
        /// Its text.
        text: String,
    },
}

impl Changed {
    /// Reads the changes of the file called `name` (without its folders) out of a unified diff.
    ///
    /// # Errors
    /// [`DiffError`].
    pub fn read(diff: &str, name: &str) -> Result<Self, DiffError> {
        let mut changed = Self::default();
        let (mut ours, mut seen) = (false, false);
        let (mut at, mut left) = (0_usize, (0_usize, 0_usize));
        for (number, line) in diff.lines().enumerate() {
            if left == (0, 0) {
                if let Some(file) = line.strip_prefix("+++ ") {
                    let file = file.split('\t').next().unwrap_or(file);
                    ours = file.rsplit('/').next() == Some(name);
                    seen |= ours;
                } else if line.starts_with("@@ ") {
                    (left, at) = hunk(line).ok_or_else(|| DiffError::Hunk {
                        line: number + 1,
                        text: line.to_owned(),
                    })?;
                }
                continue;
            }
            match line.as_bytes().first() {
                Some(b'+') => {
                    if ours {
                        changed.lines.insert(at);
                    }
                    at += 1;
                    left.1 = left.1.saturating_sub(1);
                }
                Some(b'-') => left.0 = left.0.saturating_sub(1),
                // "No newline at end of file".
                Some(b'\\') => {}
                _ => {
                    at += 1;
                    left = (left.0.saturating_sub(1), left.1.saturating_sub(1));
                }
            }
        }
        if seen {
            return Ok(changed);
        }
        Err(DiffError::NoFile {
            file: name.to_owned(),
        })
    }

    /// Whether a mutant is on a changed line.
    #[must_use]
    pub fn has(&self, mutant: &Mutant) -> bool {
        self.lines.contains(&mutant.line)
    }
}

/// How many lines a hunk has of both files, and its first line in the new one.
fn hunk(line: &str) -> Option<((usize, usize), usize)> {
    let mut words = line.split_whitespace().skip(1);
    let (_, old) = range(words.next()?.strip_prefix('-')?)?;
    let (from, new) = range(words.next()?.strip_prefix('+')?)?;
    Some(((old, new), from))
}

fn range(text: &str) -> Option<(usize, usize)> {
    let (from, count) = text.split_once(',').unwrap_or((text, "1"));
    Some((from.parse().ok()?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "\
diff --git a/kernel/relay.c b/kernel/relay.c
--- a/kernel/relay.c
+++ b/kernel/relay.c
@@ -3,3 +3,4 @@ static int f(void)
 int a;
-int b;
+int c;
+int d;
 int e;
--- a/kernel/other.c
+++ b/kernel/other.c
@@ -1 +1 @@
-x
+y
";

    #[test]
    fn added_lines_of_the_named_file_are_read() {
        let changed = Changed::read(DIFF, "relay.c").unwrap();
        assert_eq!(changed.lines, [4, 5].into());
        assert_eq!(Changed::read(DIFF, "other.c").unwrap().lines, [1].into());
    }

    #[test]
    fn what_is_no_diff_is_refused() {
        for text in ["", "hello", "+++ b/mm/slab.c\n"] {
            let error = Changed::read(text, "relay.c").unwrap_err();
            assert!(matches!(error, DiffError::NoFile { .. }), "{error}");
        }
        let error = Changed::read("+++ b/relay.c\n@@ what @@\n", "relay.c").unwrap_err();
        assert!(matches!(error, DiffError::Hunk { line: 2, .. }));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "[-+@ 0-9,a\n]{0,80}") {
            let _ = Changed::read(&text, "relay.c");
        }
    }
}
