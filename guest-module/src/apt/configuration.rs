//! The configuration of a private apt root: all of it ours, but for the way to the network.
//!
//! What the host's configuration says about trust does not count here. A host may accept unsigned archives for its
//! own purposes; a QEMU out of one would be run by us, perhaps as root. So apt reads one file, named by
//! `APT_CONFIG`, which keeps it from the host's. Only proxies and TLS certificates are carried over: they decide how
//! bytes get here, never whether they are believed.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::child::{self, ChildError};

/// Everything but the way to the network. `@` stands for the root's folder.
const OURS: &str = r#"
Dir::State "@/state";
Dir::State::status "@/status";
Dir::Cache "@/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "@/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Log "@/log";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::AllowReleaseInfoChange "false";
Acquire::Check-Valid-Until "true";
Acquire::Check-Date "true";
Acquire::GzipIndexes "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Debug::NoLocking "true";
"#;

/// The start of the names that are carried over from the host's configuration.
const CARRIED: [&str; 6] = [
    "acquire::http::",
    "acquire::https::",
    "acquire::ftp::",
    "acquire::tor::",
    "acquire::forceipv4",
    "acquire::forceipv6",
];

/// The file's text for the root in `dir`, with what the host's apt says about the network.
///
/// # Errors
/// The host's apt cannot be asked.
pub(super) fn text(dir: &Path) -> Result<String, ChildError> {
    let host = child::run(Command::new("apt-config").arg("dump"))?;
    Ok(combined(dir, &host.stdout))
}

/// Our settings last, so that they hold.
fn combined(dir: &Path, host: &str) -> String {
    let mut text = String::new();
    for line in host.lines().filter(|line| is_carried(line)) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    text + &OURS.replace('@', &dir.to_string_lossy())
}

/// Whether a line of the host's dump is carried over: about the network, and one setting in the plainest form.
fn is_carried(line: &str) -> bool {
    let Some((name, value)) = line.split_once(' ') else {
        return false;
    };
    let lower = name.to_lowercase();
    let value = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix("\";"));
    CARRIED.iter().any(|start| lower.starts_with(start))
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ":-_.".contains(c))
        && value.is_some_and(|value| !value.contains(['"', '\\', '@']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_to_the_network_comes_from_the_host() {
        let host = "APT \"\";\nAcquire::AllowInsecureRepositories \"1\";\n\
            APT::Get::AllowUnauthenticated \"1\";\nAPT::Key::gpgvcommand \"/bin/true\";\n\
            Dir::Bin::Methods \"/evil\";\nAcquire::Check-Valid-Until \"0\";\n\
            Acquire::http::Proxy \"http://proxy:3128\";\nAcquire::HTTPS::m.example::CaInfo \"/ca\";\n\
            Acquire::http::Proxy:: \"a\";\nAcquire::http::X \"\"; Dir::Bin::Methods \"/evil\";\n\
            Acquire::http::Timeout \"100\";\nAcquire::ForceIPv4 \"true\";\n";
        let text = combined(Path::new("/root@1"), host);
        let ours = OURS.replace('@', "/root@1");
        let carried: Vec<&str> = text.strip_suffix(&ours).unwrap().lines().collect();
        assert_eq!(
            carried,
            [
                "Acquire::http::Proxy \"http://proxy:3128\";",
                "Acquire::HTTPS::m.example::CaInfo \"/ca\";",
                "Acquire::http::Proxy:: \"a\";",
                "Acquire::http::Timeout \"100\";",
                "Acquire::ForceIPv4 \"true\";",
            ]
        );
        assert!(text.contains("Dir::State \"/root@1/state\";"), "{text}");
        assert!(text.rfind("Timeout \"20\"") > text.find("Timeout \"100\""));
    }
}
