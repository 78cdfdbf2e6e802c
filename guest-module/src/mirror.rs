//! Where Debian packages come from: the host's own apt configuration, or the environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child::{self, ChildError};

/// The keyring whose signatures are believed.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What apt is asked for each of the host's sources, separated by bars.
const FORMAT: &str = "$(REPO_URI)|$(RELEASE)|$(ORIGIN)|$(LABEL)|$(COMPONENT)";

/// There is no known way to Debian's packages.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The host's configuration names no Debian mirror.
    #[error(
        "the host's apt configuration names no mirror of Debian's main archive; \
         set RELAYBED_MIRROR (and RELAYBED_SECURITY_MIRROR) to one, as in sources.list"
    )]
    NoMirror,
    /// Neither a mirror nor a key ring: a host of another distribution.
    #[error(
        "this host's apt has neither a mirror of Debian's main archive nor Debian's keys (not at {}): \
         install the package debian-archive-keyring and set RELAYBED_MIRROR (and RELAYBED_SECURITY_MIRROR) \
         to a mirror, as in Debian's sources.list",
        path.display()
    )]
    NotDebian {
        /// Where the keys were looked for.
        path: PathBuf,
    },
    /// The key ring is missing.
    #[error(
        "Debian's keys are not at {}, so packages could not be verified; \
         install the package debian-archive-keyring",
        path.display()
    )]
    NoKeyring {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// A mirror's address cannot be written into a list of sources.
    #[error(
        "`{uri}` cannot be used in a list of sources; set RELAYBED_MIRROR to an address without spaces"
    )]
    Uri {
        /// The address.
        uri: String,
    },
    /// apt could not be asked.
    #[error("cannot ask apt for its mirrors: {0}")]
    Apt(#[from] ChildError),
}

/// The archives to fetch from, and the keys to check them by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirrors {
    /// The main archive.
    pub(crate) main: String,
    /// The security archive, where one is known.
    pub(crate) security: Option<String>,
    /// The key ring.
    pub(crate) keyring: PathBuf,
}

impl Mirrors {
    /// Finds the mirrors: `RELAYBED_MIRROR` and `RELAYBED_SECURITY_MIRROR` come first, then the host's own.
    ///
    /// # Errors
    /// No mirror or no keyring is found.
    pub(crate) fn find() -> Result<Self, MirrorError> {
        let set = |name| std::env::var(name).ok().filter(|uri| !uri.is_empty());
        let (mut main, mut security) = (set("RELAYBED_MIRROR"), set("RELAYBED_SECURITY_MIRROR"));
        if main.is_none() || security.is_none() {
            let host = from_targets(&host_targets()?);
            main = main.or(host.0);
            security = security.or(host.1);
        }
        let keyring = Path::new(KEYRING).to_owned();
        let (main, keyring) = match (main, keyring.exists()) {
            (Some(main), true) => (main, keyring),
            (Some(_), false) => return Err(MirrorError::NoKeyring { path: keyring }),
            (None, true) => return Err(MirrorError::NoMirror),
            (None, false) => return Err(MirrorError::NotDebian { path: keyring }),
        };
        for uri in [Some(&main), security.as_ref()].into_iter().flatten() {
            if uri.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(MirrorError::Uri { uri: uri.clone() });
            }
        }
        Ok(Self {
            main,
            security,
            keyring,
        })
    }

    /// The list of sources for a suite and what belongs to it.
    pub(crate) fn sources(&self, suites: &Suites) -> String {
        let options = format!(
            "[arch=amd64 target=Packages signed-by={}]",
            self.keyring.display()
        );
        let mut list = String::new();
        for suite in &suites.main {
            list += &format!("deb {options} {} {suite} main\n", self.main);
        }
        if let (Some(security), Some(uri)) = (&suites.security, &self.security) {
            list += &format!("deb {options} {uri} {security} main\n");
        }
        list
    }
}

/// The suites to read together when one is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suites {
    /// Names the set.
    pub(crate) name: String,
    /// Suites of the main archive.
    main: Vec<String>,
    /// The suite of the security archive.
    security: Option<String>,
    /// When only one of them was asked for: which. Dependences may come from the others.
    pub(crate) only: Option<String>,
}

impl Suites {
    /// A release comes with its updates, and backports with the release below them.
    pub(crate) fn of(suite: &str) -> Self {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let only = Some(suite.to_owned());
        let (name, main, base) = match suite {
            "sid" | "unstable" => (suite, owned(&["sid"]), None),
            "experimental" => (suite, owned(&["sid", "experimental"]), None),
            _ => {
                let part = ["-updates", "-security", "-proposed-updates"];
                let base = part
                    .iter()
                    .find_map(|part| suite.strip_suffix(part))
                    .unwrap_or(suite);
                let release = base
                    .split_once("-backports")
                    .map_or(base, |(release, _)| release);
                let mut main = vec![release.to_owned(), format!("{release}-updates")];
                if base != release || suite.ends_with("-proposed-updates") {
                    main.push(suite.to_owned());
                }
                (suite, main, Some(release))
            }
        };
        Self {
            name: name.to_owned(),
            main,
            security: base.map(|release| format!("{release}-security")),
            only: only
                .filter(|only| base.is_some_and(|base| base != only) || suite == "experimental"),
        }
    }
}

/// What the host's apt would fetch packages from, those first whose lists it has.
fn host_targets() -> Result<String, ChildError> {
    let ask = |options: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.arg("indextargets").args(options);
        child::run(apt.args(["--format", FORMAT, "Created-By: Packages"]))
    };
    // Unless release information is declined, apt leaves out whatever it has not fetched yet: in a fresh container,
    // everything.
    let fetched = ask(&[])?.stdout;
    Ok(fetched + &ask(&["--no-release-info"])?.stdout)
}

/// Main and security mirror among the host's index targets.
fn from_targets(targets: &str) -> (Option<String>, Option<String>) {
    let (mut main, mut security) = (None, None);
    // What apt has already seen to be Debian's comes before what is only named like it.
    for seen in [true, false] {
        for target in targets.lines() {
            let fields: Vec<&str> = target.split('|').collect();
            let [uri, release, origin, label, component] = fields[..] else {
                continue;
            };
            let debian = if seen {
                origin == "Debian"
            } else {
                is_debian_suite(release)
            };
            // A disc would have to be inserted by hand.
            if !debian || component != "main" || uri.starts_with("cdrom:") {
                continue;
            }
            let is_security = label == "Debian-Security"
                || release.ends_with("-security")
                || release.ends_with("/updates");
            let place = if is_security {
                &mut security
            } else {
                &mut main
            };
            place.get_or_insert_with(|| uri.to_owned());
        }
    }
    (main, security)
}

/// Whether a release is named as Debian names its own.
fn is_debian_suite(release: &str) -> bool {
    let base = release.split(['-', '/']).next().unwrap_or(release);
    let known = [
        "stable",
        "oldstable",
        "testing",
        "unstable",
        "sid",
        "buster",
        "bullseye",
        "bookworm",
        "trixie",
        "forky",
        "duke",
    ];
    known.contains(&base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_is_told_from_others() {
        let targets = "\
https://other.example/apt|bookworm|Other|Other|main
http://a.example/debian/|bookworm|Debian|Debian|main
http://b.example/debian-security/|bookworm-security|Debian|Debian-Security|main
http://c.example/debian/|bookworm-updates|Debian|Debian|main
nonsense
";
        let expected = (
            "http://a.example/debian/",
            "http://b.example/debian-security/",
        );
        let (main, security) = from_targets(targets);
        assert_eq!(
            (main.as_deref(), security.as_deref()),
            (Some(expected.0), Some(expected.1))
        );
    }

    #[test]
    fn before_the_first_update_names_decide() {
        let targets = "\
https://n.example/node|nodistro|$(ORIGIN)|$(LABEL)|main
https://d.example/docker|bookworm|$(ORIGIN)|$(LABEL)|stable
cdrom://Debian/|trixie|$(ORIGIN)|$(LABEL)|main
http://a.example/debian/|trixie|$(ORIGIN)|$(LABEL)|main
http://b.example/sec/|trixie-security|$(ORIGIN)|$(LABEL)|main
";
        let (main, security) = from_targets(targets);
        assert_eq!(main.as_deref(), Some("http://a.example/debian/"));
        assert_eq!(security.as_deref(), Some("http://b.example/sec/"));
        assert_eq!(from_targets(""), (None, None));
    }

    #[test]
    fn suites_bring_their_company() {
        let mirrors = Mirrors {
            main: "http://m/".into(),
            security: Some("http://s/".into()),
            keyring: "/k".into(),
        };
        let list = mirrors.sources(&Suites::of("trixie-backports"));
        let suites: Vec<&str> = list
            .lines()
            .map(|line| line.split(' ').nth(5).unwrap())
            .collect();
        let expected = [
            "trixie",
            "trixie-updates",
            "trixie-backports",
            "trixie-security",
        ];
        assert_eq!(suites, expected);
        assert!(
            list.contains("signed-by=/k] http://s/ trixie-security main\n"),
            "{list}"
        );
        assert_eq!(
            Suites::of("trixie-backports").only.as_deref(),
            Some("trixie-backports")
        );
        assert_eq!(Suites::of("bookworm").only, None);
        assert_eq!(mirrors.sources(&Suites::of("sid")).lines().count(), 1);
        assert_eq!(
            mirrors.sources(&Suites::of("experimental")).lines().count(),
            2
        );
    }
}
