//! Examples that the help of commands ends with.

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  relaybed run                                   all built-in suites on Debian bookworm's newest 6.1
  relaybed run ordering 'padding/flush-*'        one suite and some scenarios of another
  relaybed run my-case.toml --console            a file of your own, with the guest's console
  relaybed run --kernel trixie-backports:7.3     another kernel of Debian
  relaybed run --repeat 200 ordering             the same verdict 200 times in a row
  relaybed run --isolate per-scenario --jobs 4   every scenario on a fork of its own, four at a time
  relaybed run --kernel arch/x86/boot/bzImage --build-dir .   the kernel you just built
  git bisect run relaybed run --relay kernel/relay.c --bisect my-case.toml
  relaybed run --relay kernel/relay.c            your relay.c, on a stock kernel, without building a kernel
  relaybed run --format json | jq .              JSON, for programs
  relaybed run --plant torn ordering             spoil a record on purpose: must fail
  relaybed run --gdb my-case.toml                hold the machine at the failure, for gdb";

pub(super) const EXPLORE_EXAMPLES: &str = "\
Examples:
  relaybed explore my-case.toml                          up to 1000 schedules, until one finds something
  relaybed explore my-case.toml --strategy dfs           all schedules with up to two preemptions, in order
  relaybed explore my-case.toml --seeds 0..200 --keep-going   count what 200 schedules find
  relaybed replay rbs1…                                  one of them again";
