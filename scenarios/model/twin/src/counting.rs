//! Who refers to a buffer, as relay counts it.
//!
//! K45: relay has its client make a buffer's file, and initialises the count behind that, to the one reference that
//! is the channel's. Whoever opens the file before adds to a count of 0, at which the kernel warns and gives it up;
//! what is then set to 1 does not know of that reference. Given back later, it is the channel's own: the buffer goes
//! while the channel is open.

use relaybed_abi::ChanState;
use relaybed_contract::world::{Descriptor, FileOf};
use relaybed_contract::{RefWarning, Simulation};

/// `relay_file_open()`.
pub(crate) fn opened(run: &mut Simulation<'_>, file: Descriptor) {
    let (channel, of) = (file.key.0, file.of());
    if run.uncounted.gone.contains(&(channel, of)) {
        run.done.uses_freed = true;
    }
    if run.live[channel].unready != Some(of) {
        return;
    }
    let is_first = !run.done.warnings.contains(&RefWarning::AddedToNone);
    warn(
        run,
        if is_first {
            RefWarning::AddedToNone
        } else {
            RefWarning::AddedToSaturated
        },
    );
    run.uncounted.files.push(file.file);
}

/// `relay_file_release()`.
pub(crate) fn released(run: &mut Simulation<'_>, file: Descriptor) {
    let (channel, of) = (file.key.0, file.of());
    let uncounted = &mut run.uncounted;
    let is_uncounted = uncounted.files.contains(&file.file);
    uncounted.files.retain(|uncounted| *uncounted != file.file);
    if is_uncounted && run.live[channel].unready == Some(of) {
        warn(run, RefWarning::TakenFromSaturated);
        return;
    }
    if is_uncounted {
        uncounted.given_back.push((channel, of));
    }
    let back = run.uncounted.given_back.iter();
    let back = back.filter(|back| **back == (channel, of)).count();
    let files = open_files(run, channel, of);
    let counted = files
        .iter()
        .filter(|file| !run.uncounted.files.contains(file));
    let live = &mut run.live[channel];
    if back > counted.count() && live.has(of) && std::mem::take(&mut live.there[of.cpu]) {
        run.uncounted.gone.push((channel, of));
        run.done.uses_freed |= !files.is_empty();
    }
}

/// `relay_close_buf()`: with fewer references than there are files, the buffer goes before the last of them.
pub(crate) fn closes(run: &mut Simulation<'_>, channel: usize) {
    let live = &run.live[channel];
    debug_assert_eq!(live.state, ChanState::Open);
    for cpu in (0..live.there.len()).filter(|cpu| live.there[*cpu]) {
        let generation = live.generation;
        let of = FileOf { cpu, generation };
        let files = open_files(run, channel, of);
        let is_uncounted = |file| run.uncounted.files.contains(file);
        if files.iter().any(is_uncounted) || run.uncounted.given_back.contains(&(channel, of)) {
            run.done.uses_freed = true;
            return;
        }
    }
}

/// The operations that opened files of a buffer which are open still.
fn open_files(
    run: &Simulation<'_>,
    channel: usize,
    of: FileOf,
) -> Vec<relaybed_contract::order::At> {
    let of_it = |file: &Descriptor| file.key.0 == channel && file.of() == of;
    let mut files: Vec<_> = run
        .held_files()
        .filter(of_it)
        .map(|file| file.file)
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// The kernel says each only once.
fn warn(run: &mut Simulation<'_>, warning: RefWarning) {
    if !run.done.warnings.contains(&warning) {
        run.done.warnings.push(warning);
    }
}
