//! The symbol table of an image's kernel: asked of a fork once, kept in the cache.

use std::fs;
use std::path::Path;

use relaybed_guest::Progress;

use super::error::SessionError;
use super::image::ReadyImage;
use super::plan::Plan;
use super::session::Session;
use crate::symbols::Symbols;
use relaybed_wire::program;

/// Tables that are kept: each takes some 2 MiB.
const KEPT: usize = 24;
/// The file in the cache's folder.
const FILE: &str = "symbols.txt";
/// Longest table: some five times that of a distribution's kernel.
const TEXT_MAX: usize = 16 << 20;

/// The symbols of the image's kernel and module, at the addresses that they have in its forks.
///
/// # Errors
/// [`SessionError`] if they are not in the cache and a fork does not send them.
pub(super) fn obtain(
    plan: &Plan,
    image: &ReadyImage,
    progress: &dyn Progress,
) -> Result<Symbols, SessionError> {
    let inputs = [("ram", image.ram_sha256())];
    let mut made = false;
    let folder = plan.cache().folder("symbols", &inputs, progress, |dir| {
        made = true;
        progress.say("asking the guest for its symbol table ...");
        ask(plan, image, dir)
    })?;
    if made {
        plan.cache().trim("symbols", KEPT);
    }
    let text = fs::read_to_string(folder.join(FILE))?;
    Ok(Symbols::parse(&text)?)
}

/// Asks a fork, in as many requests as the mailbox's room makes necessary.
fn ask(plan: &Plan, image: &ReadyImage, dir: &Path) -> Result<(), SessionError> {
    let mut session = Session::fork(plan, image)?;
    let mut text = Vec::new();
    loop {
        let from = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let program = program::symbols(from);
        let parts = session
            .perform(&program, &[1])
            .map_err(|cause| SessionError::NoSymbols(cause.to_string()))?;
        let result = parts.results.first().and_then(|results| results.first());
        let total = result.map_or(0, |result| result.value);
        let error = result.map_or(0, |result| result.error);
        text.extend_from_slice(&parts.data);
        if error != 0 || parts.data.is_empty() || text.len() > TEXT_MAX {
            let why = format!(
                "errno {}, {} of {total} bytes came",
                error.saturating_neg(),
                text.len()
            );
            return Err(SessionError::NoSymbols(why));
        }
        if text.len() as u64 >= total {
            break;
        }
    }
    session.close();
    // Checked before it is kept: what is in the cache can be read.
    Symbols::parse(&String::from_utf8_lossy(&text))?;
    Ok(fs::write(dir.join(FILE), text)?)
}
