//! The member tables of `struct rchan` and `struct rchan_buf`, checked.

use relaybed_abi::{BufMembers, ChanMembers, Member, RB_NONE16};

use super::ram::{aligned, fill};
use super::{ObserveError, Ram, Where};

/// Largest size believed of a structure; the real ones have a few hundred bytes.
const STRUCTURE_MAX: u16 = 4096;

/// A member that lies inside its structure and has 4 or 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    offset: usize,
    wide: bool,
}

impl Slot {
    /// Offset in the structure, and size.
    pub(super) fn place(self) -> (u64, u8) {
        (self.offset as u64, if self.wide { 8 } else { 4 })
    }
}

/// Bytes of one structure of the kernel, as long as the table says.
pub(super) struct Structure {
    bytes: Vec<u8>,
}

impl Structure {
    /// Reads it from guest memory.
    pub(super) fn read(
        ram: &dyn Ram,
        address: u64,
        size: u16,
        what: &'static str,
        at: Where,
    ) -> Result<Self, ObserveError> {
        aligned(address, 8, what, at)?;
        let mut bytes = vec![0; usize::from(size)];
        fill(ram, address, &mut bytes, what, at)?;
        Ok(Self { bytes })
    }

    /// Value of a member; the slot must be of this structure's table.
    pub(super) fn get(&self, slot: Slot) -> u64 {
        let width = if slot.wide { 8 } else { 4 };
        let mut word = [0; 8];
        word[..width].copy_from_slice(&self.bytes[slot.offset..][..width]);
        u64::from_le_bytes(word)
    }
}

/// Where the members of this kernel's `struct rchan_buf` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BufLayout {
    pub(super) size: u16,
    pub(super) start: Slot,
    pub(super) data: Slot,
    pub(super) offset: Slot,
    pub(super) produced: Slot,
    pub(super) consumed: Slot,
    pub(super) page_count: Slot,
    pub(super) finalized: Slot,
    pub(super) prev_padding: Option<Slot>,
    pub(super) bytes_consumed: Slot,
    pub(super) early_bytes: Slot,
    pub(super) cpu: Slot,
    pub(super) stats: Option<(Slot, Slot)>,
}

/// Where the members of this kernel's `struct rchan` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChanLayout {
    pub(super) size: u16,
    pub(super) version: Slot,
    pub(super) subbuf_size: Slot,
    pub(super) n_subbufs: Slot,
    pub(super) alloc_size: Slot,
    pub(super) last_toobig: Option<Slot>,
    pub(super) is_global: Slot,
}

impl BufLayout {
    /// Checks the table of `struct rchan_buf`.
    pub(super) fn check(table: &BufMembers) -> Result<Self, ObserveError> {
        let mut checker = Checker::new("struct rchan_buf", table.size)?;
        checker.required("padding", table.padding)?;
        checker.required("kref", table.kref)?;
        let full_count = checker.optional("stats.full_count", table.full_count)?;
        let big_count = checker.optional("stats.big_count", table.big_count)?;
        let layout = Self {
            size: table.size,
            start: checker.required("start", table.start)?,
            data: checker.required("data", table.data)?,
            offset: checker.required("offset", table.offset)?,
            produced: checker.required("subbufs_produced", table.subbufs_produced)?,
            consumed: checker.required("subbufs_consumed", table.subbufs_consumed)?,
            page_count: checker.required("page_count", table.page_count)?,
            finalized: checker.required("finalized", table.finalized)?,
            prev_padding: checker.optional("prev_padding", table.prev_padding)?,
            bytes_consumed: checker.required("bytes_consumed", table.bytes_consumed)?,
            early_bytes: checker.required("early_bytes", table.early_bytes)?,
            cpu: checker.required("cpu", table.cpu)?,
            stats: full_count.zip(big_count),
        };
        checker.disjoint()?;
        Ok(layout)
    }
}

impl ChanLayout {
    /// Checks the table of `struct rchan`.
    pub(super) fn check(table: &ChanMembers) -> Result<Self, ObserveError> {
        let mut checker = Checker::new("struct rchan", table.size)?;
        checker.required("has_base_filename", table.has_base_filename)?;
        let layout = Self {
            size: table.size,
            version: checker.required("version", table.version)?,
            subbuf_size: checker.required("subbuf_size", table.subbuf_size)?,
            n_subbufs: checker.required("n_subbufs", table.n_subbufs)?,
            alloc_size: checker.required("alloc_size", table.alloc_size)?,
            last_toobig: checker.optional("last_toobig", table.last_toobig)?,
            is_global: checker.required("is_global", table.is_global)?,
        };
        checker.disjoint()?;
        Ok(layout)
    }
}

/// Checks the members of one table, one after the other.
struct Checker {
    structure: &'static str,
    size: u16,
    seen: Vec<(&'static str, Member)>,
}

impl Checker {
    fn new(structure: &'static str, size: u16) -> Result<Self, ObserveError> {
        if size == 0 || size > STRUCTURE_MAX {
            return Err(ObserveError::StructureSize {
                structure,
                seen: size,
                limit: STRUCTURE_MAX,
            });
        }
        Ok(Self {
            structure,
            size,
            seen: Vec::new(),
        })
    }

    fn fault(&self, member: &'static str, is: Member, why: &'static str) -> ObserveError {
        let Member { offset, size } = is;
        ObserveError::Member {
            structure: self.structure,
            member,
            offset,
            size,
            why,
        }
    }

    fn required(&mut self, name: &'static str, member: Member) -> Result<Slot, ObserveError> {
        if member.offset == RB_NONE16 {
            return Err(self.fault(name, member, "every kernel has this member"));
        }
        if !matches!(member.size, 4 | 8) {
            return Err(self.fault(name, member, "its size must be 4 or 8"));
        }
        if u32::from(member.offset) + u32::from(member.size) > u32::from(self.size) {
            return Err(self.fault(name, member, "it ends beyond the structure"));
        }
        self.seen.push((name, member));
        Ok(Slot {
            offset: member.offset.into(),
            wide: member.size == 8,
        })
    }

    fn optional(
        &mut self,
        name: &'static str,
        member: Member,
    ) -> Result<Option<Slot>, ObserveError> {
        if member.offset == RB_NONE16 {
            return Ok(None);
        }
        self.required(name, member).map(Some)
    }

    fn disjoint(mut self) -> Result<(), ObserveError> {
        self.seen.sort_by_key(|(_, member)| member.offset);
        for pair in self.seen.windows(2) {
            let [(_, before), (name, member)] = pair else {
                continue;
            };
            if before.offset + before.size > member.offset {
                return Err(self.fault(name, *member, "it overlaps another member"));
            }
        }
        Ok(())
    }
}
