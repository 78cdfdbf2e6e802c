//! Warming a guest up before its image is taken.
//!
//! The first scenario after a boot pays for what every guest needs once: the agent's and the module's threads,
//! pages that are first touched, caches of names and objects, and the rest of the boot's own work, which the
//! kernel puts off. A fork begins where its image ends, so an image taken too early makes every fork pay again:
//! most of the time of a short scenario. Therefore one scenario is run and the guest is left alone for a moment.

use std::time::Duration;

use super::error::{Cause, SessionError};
use super::session::Session;
use relaybed_lang as lang;

/// Raised whenever warming up changes what it leaves behind, so that earlier images are not taken.
pub(super) const VERSION: &str = "1";
/// Time for the kernel to do what it has put off: RCU's callbacks, unmapping, balancing of load.
const SETTLING: Duration = Duration::from_millis(500);

/// What is run: the ways of every scenario, on every CPU.
const SCENARIO: &str = r#"
summary = "Takes the ways that every scenario takes."

[channel.warm]
subbuf_size = 4096
n_subbufs = 2

[[actor]]
name = "writer"
cpu = "each"
script = [
    { write = "warm", len = 64 },
    { signal = "written" },
]

[[actor]]
name = "reader"
context = "user"
script = [
    { wait = "written", count = "cpus" },
    { open_file = "warm", cpu = 0, as = "file" },
    { poll = "file", timeout_ms = 0 },
    { read = "file", size = 4096, until = "empty" },
    { close_file = "file" },
]
"#;

/// Runs a scenario without judging it and waits until the guest is idle. False: the guest did not come
/// through, and its session is of no use any more.
///
/// # Errors
/// When it was interrupted.
pub(super) fn warm_up(session: &mut Session) -> Result<bool, SessionError> {
    let text = format!("vcpus = {}\n{SCENARIO}", session.vcpus());
    // A unit test loads it for every number of vCPUs.
    let Some(case) = lang::load("warm/up", &text)
        .ok()
        .and_then(|mut cases| cases.pop())
    else {
        return Ok(true);
    };
    match session.run(&case, None) {
        Ok(_) => {}
        Err(ended) => match ended.cause {
            Cause::Interrupted => return Err(SessionError::Interrupted),
            _ => return Ok(false),
        },
    }
    std::thread::sleep(SETTLING);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenario_is_one_on_every_machine() {
        for vcpus in 1..=relaybed_vmm::VCPUS_MAX {
            let text = format!("vcpus = {vcpus}\n{SCENARIO}");
            let cases = lang::load("warm/up", &text);
            match cases {
                Ok(cases) => {
                    assert_eq!(cases.len(), 1);
                    assert_eq!(cases[0].actors.len(), vcpus as usize + 1);
                }
                Err(error) => assert!(vcpus > 31, "{vcpus}: {error:?}"),
            }
        }
    }
}
