//! A machine held at a failure, for gdb.

use std::fs;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use relaybed_guest::Progress;
use relaybed_vmm::signals;

use super::error::SessionError;
use super::plan::Plan;
use super::session::Session;
use super::symbols;
use crate::symbols::elf;
use relaybed_case::select::quoted;

/// How often it is looked whether gdb has gone.
const TICK: Duration = Duration::from_millis(200);
/// The file with the guest's symbols, in the folder of the machine's logs.
const SYMBOLS: &str = "symbols.elf";

/// Holds the session's machine as it is, says how gdb gets at it, and waits until it is let go: by the Enter key,
/// by gdb's leaving, by a signal, or by the machine's end.
///
/// # Errors
/// When the backend has no port for gdb or none can be opened.
pub(super) fn hold(
    mut session: Session,
    plan: &Plan,
    name: &str,
    progress: &dyn Progress,
) -> Result<(), SessionError> {
    let symbols = symbol_file(&session, plan, progress);
    let enter = enter_key();
    // What was typed before was not meant for this.
    while enter.try_recv().is_ok() {}
    let mut held = session.machine_mut().hold()?;
    let file = symbols.map_or_else(String::new, |path| {
        format!(" {}", quoted(&path.to_string_lossy()))
    });
    progress.say(&format!(
        "held: the machine of {name} is stopped. In another terminal:\n  \
         gdb -ex {}{file}\n\
         Each vCPU is a thread (`info threads`). Enter here, leaving gdb, or Ctrl-C lets it go.",
        quoted(&format!("target remote {}", held.socket().display()))
    ));
    loop {
        match enter.recv_timeout(TICK) {
            Ok(()) => break,
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody can press a key.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
        }
        // A machine that is gone is held no more.
        if signals::interrupted().is_some() || held.is_left().unwrap_or(true) {
            break;
        }
    }
    progress.say("let go");
    Ok(())
}

/// An ELF file with the symbols of the guest's kernel and module beside the machine's logs; `None` where they are
/// not to be had: gdb works without.
fn symbol_file(session: &Session, plan: &Plan, progress: &dyn Progress) -> Option<PathBuf> {
    let image = plan.image(session.vcpus(), progress).ok()??;
    let table = symbols::obtain(plan, &image, progress).ok()?;
    let path = session.log_dir().join(SYMBOLS);
    write(&path, &elf::of(&table))
}

fn write(path: &Path, bytes: &[u8]) -> Option<PathBuf> {
    fs::write(path, bytes).ok()?;
    Some(path.to_owned())
}

/// Announces every line on standard input; disconnected at its end.
fn enter_key() -> std::sync::MutexGuard<'static, Receiver<()>> {
    static LINES: OnceLock<Mutex<Receiver<()>>> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let lines = std::io::stdin().lock().lines();
            // An error is an end as well.
            for _ in lines.map_while(Result::ok) {
                if tell.send(()).is_err() {
                    break;
                }
            }
        });
        Mutex::new(told)
    });
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
