//! Can a kernel with this configuration be tested? Decided before it is booted.

/// What the guest cannot do without, and why.
const REQUIRED: [(&str, &str); 7] = [
    ("CONFIG_RELAY", "it is what we test"),
    ("CONFIG_DEBUG_FS", "relay's files are there"),
    ("CONFIG_MODULES", "our module is loaded"),
    ("CONFIG_BLK_DEV_INITRD", "the guest runs from its initramfs"),
    ("CONFIG_DEVTMPFS", "the agent finds its devices there"),
    (
        "CONFIG_SERIAL_8250_CONSOLE",
        "console and doorbell are serial ports",
    ),
    ("CONFIG_PVH", "the kernel is booted by its PVH entry"),
];

/// What must not be on, and why.
const FORBIDDEN: [(&str, &str); 2] = [
    ("CONFIG_MODULE_SIG_FORCE", "our module is not signed"),
    ("CONFIG_DEBUG_FS_ALLOW_NONE", "debugfs is needed"),
];

/// The kernel lacks something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the kernel {release} cannot be tested: {}; change these options, or use another kernel", .problems.join("; "))]
pub struct ConfigError {
    release: String,
    problems: Vec<String>,
}

/// Checks the text of a kernel's `.config`.
///
/// # Errors
/// Names everything that is missing or in the way.
pub(crate) fn check(config: &str, release: &str) -> Result<(), ConfigError> {
    let is_on = |option: &str| {
        config.lines().any(|line| {
            line.strip_prefix(option)
                .is_some_and(|rest| rest.trim_end() == "=y")
        })
    };
    let missing = REQUIRED.iter().filter(|(option, _)| !is_on(option));
    let missing = missing.map(|(option, why)| format!("{option}=y is missing ({why})"));
    let present = FORBIDDEN.iter().filter(|(option, _)| is_on(option));
    let present = present.map(|(option, why)| format!("{option}=y must not be set ({why})"));
    let problems: Vec<String> = missing.chain(present).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(ConfigError {
        release: release.to_owned(),
        problems,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> String {
        REQUIRED
            .iter()
            .map(|(option, _)| format!("{option}=y\n"))
            .collect()
    }

    #[test]
    fn a_complete_configuration_passes() {
        assert_eq!(check(&good(), "6.1"), Ok(()));
    }

    #[test]
    fn each_lack_is_named() {
        for (option, _) in REQUIRED {
            for lack in [
                format!("# {option} is not set"),
                format!("{option}=m"),
                String::new(),
            ] {
                let config = good().replace(&format!("{option}=y"), &lack);
                let error = check(&config, "6.1").unwrap_err();
                assert_eq!(error.problems.len(), 1, "{error}");
                assert!(error.problems[0].starts_with(option), "{error}");
            }
        }
    }

    #[test]
    fn forced_signatures_are_in_the_way() {
        let error = check(&(good() + "CONFIG_MODULE_SIG_FORCE=y\n"), "6.1").unwrap_err();
        assert!(error.to_string().contains("MODULE_SIG_FORCE"), "{error}");
        let config = good() + "# CONFIG_MODULE_SIG_FORCE is not set\nCONFIG_RELAY_EXTRA=n\n";
        assert_eq!(check(&config, "6.1"), Ok(()));
    }
}
