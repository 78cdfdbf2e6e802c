//! The compiler that a kernel's tree was built with: modules for it must be built with the same.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::Error;

/// What the tree's `.config` says of it, and what make must be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiler {
    make: Vec<String>,
}

impl Compiler {
    /// The compiler of the tree with this configuration.
    ///
    /// # Errors
    /// [`Error::Compiler`]: it is not on this host.
    pub(crate) fn of(tree: &Path, config: &str) -> Result<Self, Error> {
        Self::among(tree, config, &says)
    }

    /// The same, where `says` gives the first line of what a program says of its version, if it is there.
    fn among(
        tree: &Path,
        config: &str,
        says: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let is_on = |option: &str| {
            config
                .lines()
                .any(|line| line.trim_end() == format!("{option}=y"))
        };
        let text = config.lines().find_map(|line| {
            line.strip_prefix("CONFIG_CC_VERSION_TEXT=\"")?
                .trim_end()
                .strip_suffix('"')
        });
        let Some(text) = text else {
            // Kernels before 5.8 do not say.
            return Ok(Self { make: Vec::new() });
        };
        let is_clang = is_on("CONFIG_CC_IS_CLANG");
        let candidates = candidates(text, is_clang);
        let there: Vec<&String> = candidates
            .iter()
            .filter(|name| says(name).is_some())
            .collect();
        let same = there
            .iter()
            .find(|name| says(name).as_deref() == Some(text));
        let Some(name) = same.or(there.first()) else {
            return Err(Error::Compiler {
                path: tree.to_owned(),
                built_with: text.to_owned(),
                wanted: candidates.join(" or "),
            });
        };
        let option = match name.strip_prefix("clang") {
            Some(suffix) if is_clang && is_on("CONFIG_LD_IS_LLD") => match suffix {
                "" => "LLVM=1".to_owned(),
                suffix => format!("LLVM={suffix}"),
            },
            _ => format!("CC={name}"),
        };
        Ok(Self { make: vec![option] })
    }

    /// What make must be told.
    pub(crate) fn make(&self) -> &[String] {
        &self.make
    }
}

/// The programs that may be the compiler, the likeliest first.
fn candidates(text: &str, is_clang: bool) -> Vec<String> {
    // `clang version 16.0.6`, `Debian clang version 16.0.6 (15~deb12u1)`; `gcc-13 (Debian 13.2.0-1) 13.2.0`.
    let mut words = text.split_whitespace();
    let (name, version) = if is_clang {
        ("clang", words.skip_while(|word| *word != "version").nth(1))
    } else {
        (words.next().unwrap_or("gcc"), words.last())
    };
    let major = version.and_then(|version| version.split('.').next());
    let major = major.filter(|major| major.bytes().all(|byte| byte.is_ascii_digit()));
    let plain = if is_clang { "clang" } else { "gcc" };
    let mut all = vec![name.to_owned()];
    let versioned = major.map(|major| format!("{plain}-{major}"));
    all.extend(versioned.filter(|versioned| versioned != name));
    all
}

/// The first line of what a program says of its version.
fn says(program: &str) -> Option<String> {
    let mut command = Command::new(program);
    let ran = command
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&ran.stdout);
    ran.status
        .success()
        .then(|| text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GCC: &str =
        "CONFIG_CC_VERSION_TEXT=\"gcc-13 (Debian 13.2.0-1) 13.2.0\"\nCONFIG_CC_IS_GCC=y\n";
    const CLANG: &str = "CONFIG_CC_VERSION_TEXT=\"Debian clang version 16.0.6 (15~deb12u1)\"\nCONFIG_CC_IS_CLANG=y\n";

    fn of(config: &str, here: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let says = |name: &str| {
            let found = here.iter().find(|(program, _)| *program == name);
            found.map(|(_, says)| (*says).to_owned())
        };
        let compiler = Compiler::among(Path::new("/tree"), config, &says);
        compiler
            .map(|compiler| compiler.make)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_compiler_is_the_one_that_the_tree_was_built_with() {
        assert_eq!(of(GCC, &[("gcc-13", "")]).unwrap(), ["CC=gcc-13"]);
        let plain = GCC.replace("gcc-13", "gcc");
        let here = [
            ("gcc", "gcc (Debian 12.2.0) 12.2.0"),
            ("gcc-13", "gcc (Debian 13.2.0-1) 13.2.0"),
        ];
        assert_eq!(
            of(&plain, &here).unwrap(),
            ["CC=gcc-13"],
            "the one of the same version"
        );
        assert_eq!(
            of(&plain, &here[..1]).unwrap(),
            ["CC=gcc"],
            "kbuild warns of another version"
        );
        assert_eq!(of(CLANG, &[("clang", "")]).unwrap(), ["CC=clang"]);
        let lld = CLANG.to_owned() + "CONFIG_LD_IS_LLD=y\n";
        assert_eq!(of(&lld, &[("clang", "")]).unwrap(), ["LLVM=1"]);
        assert_eq!(of(&lld, &[("clang-16", "")]).unwrap(), ["LLVM=-16"]);
        assert!(of("CONFIG_X86_64=y\n", &[]).unwrap().is_empty());
    }

    #[test]
    fn a_compiler_that_is_not_there_is_named() {
        let error = of(GCC, &[("gcc", "gcc 12")]).unwrap_err();
        assert!(
            error.contains("built with \"gcc-13 (Debian 13.2.0-1) 13.2.0\"")
                && error.contains("no gcc-13:"),
            "{error}"
        );
        let error = of(CLANG, &[("gcc", "")]).unwrap_err();
        assert!(error.contains("no clang or clang-16:"), "{error}");
    }

    #[test]
    fn what_a_program_says_of_itself_is_its_first_line() {
        assert_eq!(says("relaybed-no-such-program"), None);
        assert!(says("sh").is_none_or(|line| !line.contains('\n')));
    }
}
