//! Can a kernel with this configuration be tested? Decided before it is booted.

/// What the guest cannot do without, and why.
const REQUIRED: [(&str, &str); 12] = [
    ("CONFIG_X86_64", "guests are 64-bit x86 machines"),
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
    ("CONFIG_BINFMT_ELF", "the agent is an ELF program"),
    ("CONFIG_PROC_FS", "the agent mounts it"),
    ("CONFIG_SYSFS", "the agent mounts it"),
    ("CONFIG_FUTEX", "the agent's threads wait for each other"),
];

/// What a test is the better for, and what is lost without it.
const GOOD: [(&str, &str); 11] = [
    (
        "CONFIG_SMP",
        "one CPU only: scenarios with more are skipped, and no race can show",
    ),
    (
        "CONFIG_HOTPLUG_CPU",
        "no CPU goes off or on: the suite hotplug cannot run",
    ),
    (
        "CONFIG_KALLSYMS",
        "functions have no names: no schedules, no explore, no --deterministic, no coverage",
    ),
    (
        "CONFIG_KALLSYMS_ALL",
        "reports of a hang and gdb see functions, and no data",
    ),
    (
        "CONFIG_HIGH_RES_TIMERS",
        "timer interrupts are coarse, and runs under control stop at them",
    ),
    ("CONFIG_MAGIC_SYSRQ", "scenarios with `sysrq` cannot run"),
    (
        "CONFIG_FUNCTION_TRACER",
        "schedules that stop behind ftrace's hook are skipped",
    ),
    (
        "CONFIG_BUG",
        "a WARN or BUG of the kernel is not printed, so that no scenario fails for it",
    ),
    (
        "CONFIG_KASAN",
        "memory used after it was freed shows only by what comes of it",
    ),
    (
        "CONFIG_PROVE_LOCKING",
        "locks taken in the wrong order show only where they deadlock",
    ),
    (
        "CONFIG_DEBUG_ATOMIC_SLEEP",
        "sleeping where it is not allowed is not reported",
    ),
];

/// Serial ports that a guest must be able to have: console and doorbell.
const UARTS: (&str, u32) = ("CONFIG_SERIAL_8250_NR_UARTS", 2);

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

/// What a configuration lacks. Each is an option with what it is for, or what is lost without it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Without these the kernel cannot be tested.
    pub needed: Vec<String>,
    /// Without these less is tested.
    pub good: Vec<String>,
}

/// What the text of a kernel's `.config` lacks.
pub(crate) fn lacks(config: &str) -> Lacks {
    let value = |option: &str| {
        let value = |line: &str| {
            line.strip_prefix(option)?
                .strip_prefix('=')
                .map(str::to_owned)
        };
        config.lines().find_map(|line| value(line.trim_end()))
    };
    let is_on = |option: &str| value(option).as_deref() == Some("y");
    let off = |(option, _): &&(&str, &str)| !is_on(option);
    let missing = REQUIRED.iter().filter(off);
    let missing = missing.map(|(option, why)| format!("{option}=y is missing ({why})"));
    let present = FORBIDDEN.iter().filter(|(option, _)| is_on(option));
    let present = present.map(|(option, why)| format!("{option}=y is in the way ({why})"));
    let (uarts, least) = UARTS;
    let number = value(uarts).and_then(|number| number.parse::<u32>().ok());
    let few = number.filter(|number| *number < least);
    let few = few.map(|number| {
        format!("{uarts}={number} is too small ({least} or more: console and doorbell)")
    });
    let good = GOOD.iter().filter(off);
    Lacks {
        needed: missing.chain(present).chain(few).collect(),
        good: good
            .map(|(option, lost)| format!("{option}=y is missing: {lost}"))
            .collect(),
    }
}

/// Checks the text of a kernel's `.config`.
///
/// # Errors
/// Names everything that is missing or in the way.
pub(crate) fn check(config: &str, release: &str) -> Result<(), ConfigError> {
    let problems = lacks(config).needed;
    if problems.is_empty() {
        return Ok(());
    }
    Err(ConfigError {
        release: release.to_owned(),
        problems,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// All that is needed.
    pub(crate) fn good() -> String {
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
    fn what_is_good_to_have_is_told_and_refuses_nothing() {
        assert_eq!(lacks(&good()).good.len(), GOOD.len());
        let all: String = GOOD
            .iter()
            .map(|(option, _)| format!("{option}=y\n"))
            .collect();
        assert_eq!(lacks(&(good() + &all)), Lacks::default());
        let hotplug = all.replace("CONFIG_HOTPLUG_CPU=y", "# CONFIG_HOTPLUG_CPU is not set");
        let lacks = lacks(&(good() + &hotplug));
        assert!(
            lacks.good[0].starts_with("CONFIG_HOTPLUG_CPU=y is missing: "),
            "{lacks:?}"
        );
        assert_eq!((lacks.needed.len(), lacks.good.len()), (0, 1));
    }

    #[test]
    fn one_serial_port_is_too_few() {
        let config = |ports: u32| good() + &format!("CONFIG_SERIAL_8250_NR_UARTS={ports}\n");
        assert_eq!(check(&config(2), "6.1"), Ok(()));
        let error = check(&config(1), "6.1").unwrap_err();
        assert!(
            error.problems[0].starts_with("CONFIG_SERIAL_8250_NR_UARTS=1"),
            "{error}"
        );
    }

    #[test]
    fn forced_signatures_are_in_the_way() {
        let error = check(&(good() + "CONFIG_MODULE_SIG_FORCE=y\n"), "6.1").unwrap_err();
        assert!(error.to_string().contains("MODULE_SIG_FORCE"), "{error}");
        let config = good() + "# CONFIG_MODULE_SIG_FORCE is not set\nCONFIG_RELAY_EXTRA=n\n";
        assert_eq!(check(&config, "6.1"), Ok(()));
    }
}
