//! PID 1 of a relaybed guest.
//!
//! Comes in: requests in the mailbox, which the module has checked. Goes out: results, events and
//! the bytes that user-space actors got, into the mailbox. The agent performs and reports; it never
//! judges. When it cannot go on it says so on the doorbell and stays, so that the host can look.
//!
//! Built static and small: `--profile agent` with `-C target-feature=+crt-static`.

mod actor;
mod bell;
mod calls;
mod cpus;
mod files;
mod init;
mod mailbox;
mod nowhere;
mod ops;
mod pipes;
mod reads;
mod serve;
mod symbols;
mod transport;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    bell::ring_on_panic();
    let end = init::prepare()
        .map_err(Into::into)
        .and_then(|()| serve::serve());
    match end {
        Ok(never) => match never {},
        Err(error) => bell::give_up(&error),
    }
}
