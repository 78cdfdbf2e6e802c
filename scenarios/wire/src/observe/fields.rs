//! Where the members of channel buffers are that writers and readers share.

use relaybed_abi::{ChanState, DirBuf, DirChannel, RB_MAX_CHANNELS, RB_OFF_DIRECTORY};

use super::layout::Slot;
use super::ram::{aligned, fill, get};
use super::{Mailbox, ObserveError, Ram, Where};
use relaybed_case::Case;
use relaybed_case::field::Field;

/// Entries of a padding array that are looked for, the first ones: more than any scenario about races has.
const PADDINGS_MAX: u64 = 64;

/// One member of one open channel's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldPlace {
    /// The channel's index in the case.
    pub channel: u32,
    /// Whose channel buffer it is.
    pub cpu: u32,
    /// Which member.
    pub field: Field,
    /// Which entry of it, of the padding array.
    pub slot: Option<u32>,
    /// Guest-physical address, a multiple of `len`.
    pub address: u64,
    /// Its size in bytes: 4 or 8.
    pub len: u8,
    /// What its value counts from: of an address in the buffer where the buffer begins, else 0.
    pub base: u64,
}

/// All of them, of every channel of the case that is open now.
///
/// # Errors
/// [`ObserveError`] for addresses that cannot be those of buffers.
pub fn field_places(
    ram: &dyn Ram,
    mailbox: &Mailbox,
    case: &Case,
) -> Result<Vec<FieldPlace>, ObserveError> {
    let mut places = Vec::new();
    for (index, spec) in case.channels.iter().take(RB_MAX_CHANNELS).enumerate() {
        let at = Where::Channel(index);
        let offset = RB_OFF_DIRECTORY + index * size_of::<DirChannel>();
        let entry: DirChannel = get(ram, mailbox.address() + offset as u64, "the directory", at)?;
        if ChanState::try_from(entry.state) != Ok(ChanState::Open) {
            continue;
        }
        let global = entry.is_global != 0;
        let bufs = (0u32..).zip(&entry.bufs);
        for (cpu, buf) in bufs.filter(|(_, buf)| buf.buf_pa != 0) {
            let at = Where::Buffer(index, cpu);
            let place = FieldPlace {
                channel: u32::try_from(index).unwrap_or(u32::MAX),
                cpu,
                field: Field::Data,
                slot: None,
                address: buf.buf_pa,
                len: 8,
                base: 0,
            };
            buffer((ram, mailbox), buf, spec.n_subbufs, at, place, &mut places)?;
            // Every CPU's slot leads to the same buffer.
            if global {
                break;
            }
        }
    }
    Ok(places)
}

/// Adds the members of one buffer, each made of `any`, which says whose it is.
fn buffer(
    (ram, mailbox): (&dyn Ram, &Mailbox),
    buf: &DirBuf,
    n_subbufs: u64,
    at: Where,
    any: FieldPlace,
    places: &mut Vec<FieldPlace>,
) -> Result<(), ObserveError> {
    let layout = &mailbox.buf;
    aligned(buf.buf_pa, 8, "struct rchan_buf", at)?;
    aligned(buf.padding_pa, 8, "the padding array", at)?;
    let (start, _) = layout.start.place();
    let start = get(
        ram,
        buf.buf_pa.saturating_add(start),
        "struct rchan_buf",
        at,
    )?;
    let members: [(Field, Slot); 6] = [
        (Field::Data, layout.data),
        (Field::Offset, layout.offset),
        (Field::Produced, layout.produced),
        (Field::Consumed, layout.consumed),
        (Field::BytesConsumed, layout.bytes_consumed),
        (Field::Finalized, layout.finalized),
    ];
    for (field, slot) in members {
        let (offset, len) = slot.place();
        places.push(FieldPlace {
            field,
            address: buf.buf_pa.saturating_add(offset),
            len,
            base: if field == Field::Data { start } else { 0 },
            ..any
        });
    }
    for (entry, address) in (0u32..).zip((buf.padding_pa..).step_by(8)) {
        if u64::from(entry) >= n_subbufs.min(PADDINGS_MAX) {
            break;
        }
        places.push(FieldPlace {
            field: Field::Padding,
            slot: Some(entry),
            address,
            ..any
        });
    }
    Ok(())
}

/// What is there now, counted from the place's base.
///
/// # Errors
/// [`ObserveError::OutOfRam`].
pub fn field_value(ram: &dyn Ram, place: &FieldPlace) -> Result<u64, ObserveError> {
    let mut word = [0; 8];
    let at = Where::Channel(place.channel as usize);
    let bytes = &mut word[..usize::from(place.len.min(8))];
    fill(
        ram,
        place.address,
        bytes,
        "a member of struct rchan_buf",
        at,
    )?;
    Ok(u64::from_le_bytes(word).wrapping_sub(place.base))
}
