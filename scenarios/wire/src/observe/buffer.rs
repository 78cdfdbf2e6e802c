//! One channel buffer: `struct rchan_buf`, its padding array and its pages.

use std::collections::HashSet;

use relaybed_abi::{DirBuf, RB_OFF_PFNS, RB_PAGE_SIZE};

use super::layout::Structure;
use super::ram::{aligned, fill, get, get_many};
use super::{Mailbox, ObserveError, Ram, Where};
use relaybed_case::evidence::BufferSeen;

const PAGE: u64 = RB_PAGE_SIZE as u64;

/// A channel buffer's bytes where they are: pages scattered over guest memory.
///
/// Holding it proves that the pages are distinct, outside the mailbox and in no other buffer of the
/// same observation. That they are in RAM shows when they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferView {
    pages: Vec<u64>,
}

impl BufferView {
    /// Length in bytes, whole pages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.len() * RB_PAGE_SIZE
    }

    /// Whether it has no page.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Guest-physical addresses of its pages, in the order of the buffer.
    #[must_use]
    pub fn pages(&self) -> &[u64] {
        &self.pages
    }

    /// Copies all of it, each byte once.
    ///
    /// # Errors
    /// [`ObserveError::OutOfRam`] where a page is not in RAM.
    pub fn bytes(&self, ram: &dyn Ram, at: Where) -> Result<Vec<u8>, ObserveError> {
        let mut bytes = vec![0; self.len()];
        for (page, part) in self.pages.iter().zip(bytes.chunks_mut(RB_PAGE_SIZE)) {
            fill(ram, *page, part, "a page of the channel buffer", at)?;
        }
        Ok(bytes)
    }
}

/// Memory that is spoken for: what one observation has read as one thing cannot be another.
pub(super) struct Claims {
    mailbox: std::ops::Range<u64>,
    /// Pages of channel buffers.
    data: HashSet<u64>,
    /// Addresses of structures and arrays.
    structures: HashSet<u64>,
}

impl Claims {
    pub(super) fn new(mailbox: &Mailbox) -> Self {
        let first = mailbox.address();
        let end = first.saturating_add(relaybed_abi::RB_MAILBOX_SIZE as u64);
        Self {
            mailbox: first..end,
            data: HashSet::new(),
            structures: HashSet::new(),
        }
    }

    /// A structure at this address: in no buffer's page, not in the mailbox, not taken before.
    pub(super) fn structure(
        &mut self,
        address: u64,
        what: &'static str,
        at: Where,
    ) -> Result<(), ObserveError> {
        let page = address - address % PAGE;
        let taken = self.data.contains(&page) || self.mailbox.contains(&address);
        if taken || !self.structures.insert(address) {
            return Err(ObserveError::Alias { what, at, address });
        }
        Ok(())
    }

    fn page(&mut self, address: u64, at: Where) -> Result<(), ObserveError> {
        if self.mailbox.contains(&address) || !self.data.insert(address) {
            let what = "a page of the channel buffer";
            return Err(ObserveError::Alias { what, at, address });
        }
        Ok(())
    }

    /// At the end: structures that were claimed before the pages they would lie in.
    pub(super) fn settle(&self, at: Where) -> Result<(), ObserveError> {
        let inside = |address: &&u64| self.data.contains(&(**address - **address % PAGE));
        match self.structures.iter().find(inside) {
            Some(address) => {
                let what = "a structure inside a channel buffer's page";
                Err(ObserveError::Alias {
                    what,
                    at,
                    address: *address,
                })
            }
            None => Ok(()),
        }
    }
}

/// What the case and its `struct rchan` say about every buffer of a channel.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) n_subbufs: usize,
    pub(super) alloc_size: u64,
    /// Entries of the page table that are in use; at most `RB_MAX_PFNS`.
    pub(super) n_pfns: u32,
}

/// Reads one channel buffer.
pub(super) fn read(
    ram: &dyn Ram,
    mailbox: &Mailbox,
    claims: &mut Claims,
    shape: Shape,
    entry: &DirBuf,
    at: Where,
) -> Result<BufferSeen, ObserveError> {
    let layout = &mailbox.buf;
    claims.structure(entry.buf_pa, "struct rchan_buf", at)?;
    let structure = Structure::read(ram, entry.buf_pa, layout.size, "struct rchan_buf", at)?;
    let get_slot = |slot| structure.get(slot);
    let pages = shape.alloc_size / PAGE;
    expect(
        "page_count of struct rchan_buf",
        at,
        get_slot(layout.page_count),
        pages,
    )?;
    expect(
        "page_count in the directory",
        at,
        entry.page_count.into(),
        pages,
    )?;
    let view = view(ram, mailbox, claims, shape, entry, at)?;

    claims.structure(entry.padding_pa, "the padding array", at)?;
    aligned(entry.padding_pa, 8, "the padding array", at)?;
    let padding = get_many(
        ram,
        entry.padding_pa,
        shape.n_subbufs,
        "the padding array",
        at,
    )?;
    let file_size = match entry.file_size_pa {
        0 => None,
        address => {
            aligned(address, 8, "the size of the file", at)?;
            Some(get(ram, address, "the size of the file", at)?)
        }
    };
    Ok(BufferSeen {
        cpu: u32::try_from(get_slot(layout.cpu)).unwrap_or(u32::MAX),
        produced: get_slot(layout.produced),
        consumed: get_slot(layout.consumed),
        offset: get_slot(layout.offset),
        data: get_slot(layout.data).wrapping_sub(get_slot(layout.start)),
        padding,
        bytes_consumed: get_slot(layout.bytes_consumed),
        finalized: get_slot(layout.finalized),
        prev_padding: layout.prev_padding.map(get_slot),
        early_bytes: get_slot(layout.early_bytes),
        stats: layout
            .stats
            .map(|(full, big)| (get_slot(full), get_slot(big))),
        file_size,
        bytes: view.bytes(ram, at)?,
    })
}

/// Finds the pages of a buffer whose `page_count` was checked.
fn view(
    ram: &dyn Ram,
    mailbox: &Mailbox,
    claims: &mut Claims,
    shape: Shape,
    entry: &DirBuf,
    at: Where,
) -> Result<BufferView, ObserveError> {
    let (what, limit) = ("the page list", u64::from(shape.n_pfns));
    let seen = u64::from(entry.first_pfn) + u64::from(entry.page_count);
    if seen > limit {
        return Err(ObserveError::Beyond {
            what,
            at,
            seen,
            limit,
        });
    }
    let table = mailbox.address() + RB_OFF_PFNS as u64 + u64::from(entry.first_pfn) * 8;
    let frames: Vec<u64> = get_many(ram, table, entry.page_count as usize, what, at)?;
    let mut pages = Vec::with_capacity(frames.len());
    for frame in frames {
        // A frame number beyond the address space is out of RAM wherever RAM ends.
        let address = frame.checked_mul(PAGE).unwrap_or(u64::MAX - (PAGE - 1));
        claims.page(address, at)?;
        pages.push(address);
    }
    Ok(BufferView { pages })
}

/// Refuses a number that does not agree with one checked before.
pub(super) fn expect(
    what: &'static str,
    at: Where,
    seen: u64,
    expected: u64,
) -> Result<(), ObserveError> {
    if seen != expected {
        return Err(ObserveError::Mismatch {
            what,
            at,
            seen,
            expected,
        });
    }
    Ok(())
}
