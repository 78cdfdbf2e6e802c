//! K2: of a no-overwrite buffer that was full, the oldest sub-buffer is missing in what was read, or the rest
//! of it, and nothing else is wrong.

use std::ops::Range;

use crate::matter::{Matter, is_no_overwrite};
use crate::parse::FaultKind;
use relaybed_case::finding::{Conservation, Finding, What};
use relaybed_case::verdict::Property;

use super::{buffer, without};

pub(super) fn explains(matter: &Matter<'_>, _all: &[Finding], finding: &Finding) -> bool {
    let Some(key) = buffer(matter, finding) else {
        return false;
    };
    let is_parsed = without::stream(matter, key).is_some();
    let in_it = is_missing(finding) || finding.property() == Property::Integrity;
    is_parsed && in_it && filled(matter, key.0, key.1) && is_cut_or_whole(matter, key, finding)
}

fn is_missing(finding: &Finding) -> bool {
    matches!(
        finding.what,
        What::Conservation(Conservation::Missing { .. } | Conservation::Lost { .. })
    )
}

/// Records are missing; where the reader had begun the sub-buffer, what it got of the next record is all that
/// is wrong beside that.
fn is_cut_or_whole(matter: &Matter<'_>, key: (usize, u32), finding: &Finding) -> bool {
    if is_missing(finding) {
        return true;
    }
    let cut = is_no_overwrite(&matter.case.channels[key.0])
        .then(|| cut_record(matter, key))
        .flatten();
    cut.is_some_and(|cut| {
        let left = without::findings(matter, key, cut);
        left.iter().all(is_missing)
    })
}

/// The only fault of the stream: bytes at the end of a call that the buffer still holds.
fn cut_record(matter: &Matter<'_>, key: (usize, u32)) -> Option<Range<usize>> {
    let [fault] = without::stream(matter, key)?.faults.as_slice() else {
        return None;
    };
    let cut = fault.start as usize..fault.start as usize + fault.len as usize;
    let bytes = without::bytes_read(matter, key);
    let given = bytes.get(cut.clone()).filter(|given| !given.is_empty())?;
    let is_held = |slot: &&[u8]| slot.windows(given.len()).any(|window| window == given);
    let is_it = fault.kind == FaultKind::Junk
        && without::ends_of_reads(matter, key).contains(&cut.end)
        && without::held(matter, key).iter().any(is_held);
    is_it.then_some(cut)
}

/// A sub-buffer began while all others, or all but one, were unread.
fn filled(matter: &Matter<'_>, channel: usize, cpu: u32) -> bool {
    matter.evidence.events.iter().any(|event| {
        usize::from(event.channel) == channel
            && u32::from(event.buf_cpu) == cpu
            && event.kind == relaybed_abi::EventKind::SubbufStart.code()
            // A reader in the window frees one before the callback looks.
            && event.produced.saturating_sub(event.consumed).saturating_add(1)
                >= matter.case.channels[channel].n_subbufs
    })
}
