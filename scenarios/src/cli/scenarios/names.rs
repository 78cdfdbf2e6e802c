//! Names of scenario files, unique in a run.

use std::collections::BTreeSet;
use std::path::{Component, Path};

/// A file's stem after the folders that it is in, outermost first.
struct Parts {
    folders: Vec<String>,
    stem: String,
    /// How many of its folders the name has.
    used: usize,
}

impl Parts {
    fn of(path: &Path) -> Self {
        // Brackets are for parameters.
        let odd = |c: char| c.is_control() || "[]/".contains(c);
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().replace(odd, "_");
        let mut folders: Vec<String> = Vec::new();
        for component in path.parent().into_iter().flat_map(Path::components) {
            match component {
                Component::Normal(part) => folders.push(text(part)),
                Component::ParentDir => drop(folders.pop()),
                _ => {}
            }
        }
        let stem = path.file_stem().map_or_else(String::new, text);
        let used = 1;
        Self {
            folders,
            stem,
            used,
        }
    }

    /// `suite/stem`. More than one folder make one suite, so no name is the beginning of another's path.
    fn name(&self) -> String {
        let from = self.folders.len().saturating_sub(self.used);
        let suite = match &self.folders[from..] {
            [] => "file".to_owned(),
            folders => folders.join("."),
        };
        format!("{suite}/{}", self.stem)
    }

    fn can_grow(&self) -> bool {
        self.used < self.folders.len()
    }
}

/// A name for each of these files, all different and none in `taken`: `suite/stem` as in a suite, with more
/// folders before it where that is needed to tell files apart. Paths are absolute and each is there once.
pub(super) fn unique(paths: &[&Path], taken: &BTreeSet<String>) -> Vec<String> {
    let mut parts: Vec<Parts> = paths.iter().map(|path| Parts::of(path)).collect();
    loop {
        let names: Vec<String> = parts.iter().map(Parts::name).collect();
        let is_double = |name: &String| {
            taken.contains(name) || names.iter().filter(|other| *other == name).count() > 1
        };
        let mut grown = false;
        for (part, name) in parts.iter_mut().zip(&names) {
            if is_double(name) && part.can_grow() {
                part.used += 1;
                grown = true;
            }
        }
        if !grown {
            return numbered(names, taken.clone());
        }
    }
}

/// The same names; one that is there already gets a number.
fn numbered(names: Vec<String>, mut taken: BTreeSet<String>) -> Vec<String> {
    let mut free = |name: String| {
        let others = (2..).map(|number| format!("{name}~{number}"));
        let mut all = std::iter::once(name.clone()).chain(others);
        // There are more numbers than names.
        let free = all.find(|name| !taken.contains(name)).unwrap_or(name);
        taken.insert(free.clone());
        free
    };
    names.into_iter().map(&mut free).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[&str], taken: &[&str]) -> Vec<String> {
        let paths: Vec<&Path> = paths.iter().map(Path::new).collect();
        unique(
            &paths,
            &taken.iter().map(|name| (*name).to_owned()).collect(),
        )
    }

    #[test]
    fn a_file_is_named_like_a_member_of_a_suite() {
        assert_eq!(names(&["/a/ordering/fit.toml"], &[]), ["ordering/fit"]);
        assert_eq!(names(&["/a/b/../fit.toml"], &[]), ["a/fit"]);
        assert_eq!(names(&["/fit.toml"], &[]), ["file/fit"]);
        assert_eq!(names(&["/a/b[len=3].toml"], &[]), ["a/b_len=3_"]);
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_their_folders() {
        let two = names(&["/w/x/my/z.toml", "/w/y/my/z.toml", "/w/x/my/a.toml"], &[]);
        assert_eq!(two, ["x.my/z", "y.my/z", "my/a"]);
        let built_in = names(&["/w/hello/hello.toml"], &["hello/hello"]);
        assert_eq!(built_in, ["w.hello/hello"]);
    }

    #[test]
    fn names_differ_even_where_folders_do_not_help() {
        let odd = names(&["/x.my/z.toml", "/x/my/z.toml", "/y/my/z.toml"], &[]);
        assert_eq!(odd, ["x.my/z", "x.my/z~2", "y.my/z"]);
        let taken = ["file/z", "file/z~2"];
        assert_eq!(names(&["/z.toml"], &taken), ["file/z~3"]);
    }
}
