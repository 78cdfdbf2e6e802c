//! All channels of a case at one moment.

use relaybed_abi::{ChanState, DirChannel, RB_MAX_CHANNELS, RB_MAX_PFNS, RB_OFF_DIRECTORY};

use super::buffer::{self, Claims, Shape, expect};
use super::layout::Structure;
use super::ram::get;
use super::{Mailbox, ObserveError, Ram, Where};
use crate::program::alloc_size;
use relaybed_case::evidence::{BufferSeen, ChannelSeen, Held, Observation};
use relaybed_case::{Case, Channel};

/// Reads every channel of the case from the memory of a stopped machine.
///
/// `label` and `at` say which checkpoint it is, or the end. A channel that is open although relay
/// must refuse its sizes is reported open, with what its `struct rchan` says and no buffers: that
/// is the judge's find, and its sizes are nothing to allocate by.
///
/// # Errors
/// [`ObserveError`] for the first thing in guest memory that does not make sense.
pub fn observation(
    ram: &dyn Ram,
    mailbox: &Mailbox,
    case: &Case,
    label: Option<String>,
    at: Option<(usize, usize)>,
) -> Result<Observation, ObserveError> {
    let n_pfns = mailbox.header(ram)?.n_pfns;
    let limits = [
        (
            "the number of channels",
            case.channels.len() as u64,
            RB_MAX_CHANNELS as u64,
        ),
        ("the page table", u64::from(n_pfns), RB_MAX_PFNS as u64),
    ];
    for (what, seen, limit) in limits {
        if seen > limit {
            return Err(ObserveError::Beyond {
                what,
                at: Where::Mailbox,
                seen,
                limit,
            });
        }
    }
    let mut claims = Claims::new(mailbox);
    let mut channels = Vec::new();
    for (index, spec) in case.channels.iter().enumerate() {
        let seen = channel(ram, mailbox, &mut claims, n_pfns, index, spec)?;
        claims.settle(Where::Channel(index))?;
        channels.push(seen);
    }
    Ok(Observation {
        label,
        at,
        channels,
    })
}

fn channel(
    ram: &dyn Ram,
    mailbox: &Mailbox,
    claims: &mut Claims,
    n_pfns: u32,
    index: usize,
    spec: &Channel,
) -> Result<ChannelSeen, ObserveError> {
    let at = Where::Channel(index);
    let place = RB_OFF_DIRECTORY + index * size_of::<DirChannel>();
    let entry: DirChannel = get(ram, mailbox.address() + place as u64, "the directory", at)?;
    let state =
        ChanState::try_from(entry.state).map_err(|source| ObserveError::Code { at, source })?;
    let mut seen = closed(state);
    seen.held = held(&entry);
    if state != ChanState::Open {
        return Ok(seen);
    }
    expect(
        "subbuf_size in the directory",
        at,
        entry.subbuf_size,
        spec.subbuf_size,
    )?;
    expect(
        "n_subbufs in the directory",
        at,
        entry.n_subbufs,
        spec.n_subbufs,
    )?;

    let layout = &mailbox.chan;
    claims.structure(entry.chan_pa, "struct rchan", at)?;
    let structure = Structure::read(ram, entry.chan_pa, layout.size, "struct rchan", at)?;
    seen.version = structure.get(layout.version);
    seen.subbuf_size = structure.get(layout.subbuf_size);
    seen.n_subbufs = structure.get(layout.n_subbufs);
    seen.alloc_size = structure.get(layout.alloc_size);
    seen.last_toobig = layout.last_toobig.map(|slot| structure.get(slot));
    seen.is_global = structure.get(layout.is_global) != 0;
    let Some(alloc_size) = alloc_size(spec) else {
        return Ok(seen);
    };
    expect(
        "subbuf_size of struct rchan",
        at,
        seen.subbuf_size,
        spec.subbuf_size,
    )?;
    expect(
        "n_subbufs of struct rchan",
        at,
        seen.n_subbufs,
        spec.n_subbufs,
    )?;
    expect(
        "alloc_size of struct rchan",
        at,
        seen.alloc_size,
        alloc_size,
    )?;
    // `alloc_size` bounds n_subbufs.
    let n_subbufs = usize::try_from(spec.n_subbufs).unwrap_or(0);
    let shape = Shape {
        n_subbufs,
        alloc_size,
        n_pfns,
    };
    seen.buffers = buffers(ram, mailbox, claims, shape, &entry, index, seen.is_global)?;
    Ok(seen)
}

fn buffers(
    ram: &dyn Ram,
    mailbox: &Mailbox,
    claims: &mut Claims,
    shape: Shape,
    entry: &DirChannel,
    index: usize,
    is_global: bool,
) -> Result<Vec<BufferSeen>, ObserveError> {
    let mut seen: Vec<BufferSeen> = Vec::new();
    let mut first: Option<u64> = None;
    for (cpu, buf) in (0..).zip(&entry.bufs) {
        // In a global channel every CPU's slot leads to the one buffer.
        if buf.buf_pa == 0 || (is_global && first == Some(buf.buf_pa)) {
            continue;
        }
        let at = Where::Buffer(index, cpu);
        if cpu >= mailbox.cpus_possible {
            let (what, seen, limit) = (
                "the buffer's CPU",
                u64::from(cpu) + 1,
                mailbox.cpus_possible.into(),
            );
            return Err(ObserveError::Beyond {
                what,
                at,
                seen,
                limit,
            });
        }
        let buffer = buffer::read(ram, mailbox, claims, shape, buf, at)?;
        expect("cpu of struct rchan_buf", at, buffer.cpu.into(), cpu.into())?;
        first.get_or_insert(buf.buf_pa);
        seen.push(buffer);
    }
    Ok(seen)
}

/// The name is the guest's word, and only shown.
fn held(entry: &DirChannel) -> Option<Held> {
    let name = entry.held_at.split(|byte| *byte == 0).next();
    (entry.held_known != 0).then(|| Held {
        pieces: entry.held,
        bytes: entry.held_bytes,
        at: String::from_utf8_lossy(name.unwrap_or_default()).into_owned(),
    })
}

fn closed(state: ChanState) -> ChannelSeen {
    ChannelSeen {
        state,
        version: 0,
        subbuf_size: 0,
        n_subbufs: 0,
        alloc_size: 0,
        last_toobig: None,
        is_global: false,
        held: None,
        buffers: Vec::new(),
    }
}
