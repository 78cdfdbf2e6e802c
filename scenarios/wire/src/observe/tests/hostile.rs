//! Nonsense in guest memory is named, bounded and never followed.

use proptest::prelude::*;
use relaybed_abi::{
    DirChannel, Header, Member, RB_ABI_VERSION, RB_MAILBOX_SIZE, RB_MAX_PFNS, RB_NONE16,
    RB_OFF_DIRECTORY, RB_OFF_EVENTS, RB_OFF_PFNS, RB_OFF_RESULTS,
};

use super::fake::{self, FakeRam, MAILBOX, RAM_BYTES, page, structures};
use crate::observe::{Mailbox, ObserveError, Parts, evidence_parts, observation};
use relaybed_case::evidence::Observation;

fn observe(ram: &FakeRam) -> Result<(Observation, Parts), ObserveError> {
    let mailbox = Mailbox::attach(ram, MAILBOX)?;
    mailbox.handshake(ram)?;
    let case = fake::case();
    Ok((
        observation(ram, &mailbox, &case, None, None)?,
        evidence_parts(ram, &mailbox, &case)?,
    ))
}

/// The error's text after a change of the image, which is good without it.
fn assert_named(change: impl FnOnce(&mut FakeRam), part: &str) {
    let mut ram = fake::ram();
    observe(&ram).unwrap();
    change(&mut ram);
    let text = observe(&ram).unwrap_err().to_string();
    assert!(text.contains(part), "{text:?} does not contain {part:?}");
}

fn header(change: impl FnOnce(&mut Header)) -> impl FnOnce(&mut FakeRam) {
    |ram| ram.header(change)
}

fn entry(change: impl FnOnce(&mut DirChannel)) -> impl FnOnce(&mut FakeRam) {
    |ram| ram.entry(0, change)
}

#[test]
fn a_mailbox_that_is_none_is_named() {
    let ram = fake::ram();
    let refused = |address| Mailbox::attach(&ram, address).unwrap_err().to_string();
    assert!(refused(MAILBOX + 8).contains("not a multiple of 4096"));
    assert!(refused(0).contains("magic number is 0x0000000000000000"));
    assert!(refused(1 << 40).contains("the mailbox is not in the guest's"));
    assert!(refused(u64::MAX - 4095).contains("the mailbox is not in the guest's"));
    let mut late = fake::ram();
    let near_end = (RAM_BYTES - 4096) as u64;
    let start = usize::try_from(MAILBOX).unwrap();
    late.bytes
        .copy_within(start..start + 4096, RAM_BYTES - 4096);
    let text = Mailbox::attach(&late, near_end).unwrap_err().to_string();
    assert!(text.contains("the end of the mailbox"), "{text}");
}

#[test]
fn a_header_that_makes_no_sense_is_named() {
    assert_named(header(|h| h.magic ^= 1), "magic number");
    assert_named(
        header(|h| h.abi_version = 77),
        &format!("ABI version 77, this program version {RB_ABI_VERSION}"),
    );
    assert_named(header(|h| h.mailbox_size = 4096), "says it has 4096 bytes");
    assert_named(header(|h| h.mailbox_pa = 0), "says that it is at 0x0");
    assert_named(header(|h| h.page_size = 65536), "pages have 65536 bytes");
    assert_named(header(|h| h.cpus_online = 0), "0 CPUs online");
    assert_named(header(|h| h.cpus_online = 3), "3 CPUs online of 2");
    assert_named(header(|h| h.cpus_possible = u32::MAX), "possible");
    assert_named(header(|h| h.release = [b'a'; 64]), "not terminated");
    assert_named(header(|h| h.phase = 77), "77 is no Phase");
    assert_named(
        header(|h| h.n_pfns = u32::MAX),
        "the page table reaches to 4294967295",
    );
}

#[test]
fn member_tables_that_make_no_sense_are_named() {
    assert_named(header(|h| h.buf.size = 0), "struct rchan_buf has 0 bytes");
    assert_named(
        header(|h| h.chan.size = 5000),
        "struct rchan has 5000 bytes",
    );
    assert_named(
        header(|h| h.buf.cpu.offset = 126),
        "cpu of struct rchan_buf is at 126",
    );
    assert_named(
        header(|h| h.buf.cpu.offset = RB_NONE16),
        "every kernel has this member",
    );
    assert_named(header(|h| h.buf.data.size = 3), "its size must be 4 or 8");
    assert_named(
        header(|h| h.chan.n_subbufs = Member { offset: 8, size: 8 }),
        "overlaps",
    );
    assert_named(
        header(|h| h.buf.prev_padding.offset = 0xfff0),
        "beyond the structure",
    );
}

#[test]
fn a_directory_that_makes_no_sense_is_named() {
    assert_named(entry(|e| e.state = 9), "channel 0: 9 is no ChanState");
    assert_named(
        entry(|e| e.subbuf_size = 1),
        "subbuf_size in the directory is 1, not 3000",
    );
    assert_named(
        entry(|e| e.n_subbufs = u64::MAX),
        "n_subbufs in the directory",
    );
    assert_named(
        entry(|e| e.chan_pa = 1 << 50),
        "struct rchan is not in the guest's",
    );
    assert_named(entry(|e| e.chan_pa += 4), "not a multiple of 8");
    assert_named(
        entry(|e| e.bufs[1].buf_pa = u64::MAX - 7),
        "CPU 1: struct rchan_buf is not",
    );
    assert_named(
        entry(|e| e.bufs[0].padding_pa = u64::MAX - 7),
        "the padding array is not",
    );
    assert_named(
        entry(|e| e.bufs[0].file_size_pa = 1 << 60),
        "the size of the file is not",
    );
    assert_named(
        entry(|e| e.bufs[0].page_count = u32::MAX),
        "page_count in the directory",
    );
    assert_named(
        entry(|e| e.bufs[0].first_pfn = 8),
        "the page list reaches to 11",
    );
    assert_named(
        entry(|e| e.bufs[0].first_pfn = u32::MAX),
        "the page list reaches to",
    );
    assert_named(
        entry(|e| e.bufs[63] = e.bufs[0]),
        "CPU 63: the buffer's CPU reaches to 64",
    );
}

#[test]
fn one_piece_of_memory_cannot_be_two_things() {
    let taken = "in use for something else";
    assert_named(entry(|e| e.bufs[1] = e.bufs[0]), taken);
    assert_named(entry(|e| e.bufs[1].first_pfn = 2), taken);
    assert_named(
        entry(|e| e.bufs[1].padding_pa = e.bufs[0].padding_pa),
        taken,
    );
    assert_named(entry(|e| e.bufs[0].buf_pa = MAILBOX), taken);
    assert_named(entry(|e| e.bufs[0].padding_pa = page(1)), taken);
    assert_named(
        |ram| ram.put(MAILBOX + 8 + RB_OFF_PFNS as u64, &first_frame()),
        taken,
    );
    // The structure is read first, the page comes later.
    let chan_page = structures()[0] / 4096;
    let at = MAILBOX + RB_OFF_PFNS as u64;
    assert_named(
        |ram| ram.put(at, &chan_page.to_le_bytes()),
        "a structure inside",
    );
    assert_named(|ram| ram.put(at, &(MAILBOX / 4096).to_le_bytes()), taken);
}

fn first_frame() -> [u8; 8] {
    (page(0) / 4096).to_le_bytes()
}

#[test]
fn frames_outside_ram_are_named() {
    for frame in [RAM_BYTES as u64 / 4096, u64::MAX, u64::MAX / 4096] {
        let at = MAILBOX + RB_OFF_PFNS as u64;
        assert_named(
            |ram| ram.put(at, &frame.to_le_bytes()),
            "a page of the channel buffer is not",
        );
    }
}

#[test]
fn kernel_structures_that_disagree_are_named() {
    let [chan, buf, _] = structures();
    let word = |at: u64, value: u64| move |ram: &mut FakeRam| ram.put(at, &value.to_le_bytes());
    assert_named(
        word(chan + 8, 2999),
        "subbuf_size of struct rchan is 2999, not 3000",
    );
    assert_named(word(chan + 16, 5), "n_subbufs of struct rchan is 5, not 4");
    assert_named(word(chan + 24, u64::MAX), "alloc_size of struct rchan");
    let half = |at: u64, value: u32| move |ram: &mut FakeRam| ram.put(at, &value.to_le_bytes());
    assert_named(half(buf + 100, 1), "cpu of struct rchan_buf is 1, not 0");
    assert_named(
        half(buf + 56, u32::MAX),
        "page_count of struct rchan_buf is 4294967295, not 3",
    );
}

#[test]
fn results_and_events_that_make_no_sense_are_named() {
    let at = |section: usize, byte: u64| MAILBOX + section as u64 + byte;
    assert_named(
        |ram| ram.put(at(RB_OFF_RESULTS, 64), &[9]),
        "actor 0, operation 1: 9 is no State",
    );
    assert_named(
        |ram| ram.put(at(RB_OFF_EVENTS, 64), &[99]),
        "event 1: 99 is no EventKind",
    );
    // data_bytes of the third result.
    assert_named(
        |ram| ram.put(at(RB_OFF_RESULTS, 128 + 52), &[8]),
        "place in the data area",
    );
}

/// Most bytes that reading an image of this case may ask for, whatever is in it.
const READ_MAX: usize = 3 * RB_MAILBOX_SIZE + 8 * RB_MAX_PFNS;

fn damage() -> impl Strategy<Value = (u64, Vec<u8>)> {
    let [chan, buf, other] = structures();
    let directory = MAILBOX + RB_OFF_DIRECTORY as u64;
    let places = prop_oneof![
        4 => MAILBOX..MAILBOX + 280,
        4 => directory..directory + 128,
        1 => directory + 2080..directory + 2200,
        2 => MAILBOX + RB_OFF_PFNS as u64..MAILBOX + RB_OFF_PFNS as u64 + 80,
        2 => MAILBOX + RB_OFF_RESULTS as u64..MAILBOX + RB_OFF_RESULTS as u64 + 192,
        2 => MAILBOX + RB_OFF_EVENTS as u64..MAILBOX + RB_OFF_EVENTS as u64 + 128,
        2 => chan..chan + 64,
        2 => buf..buf + 128,
        1 => other..other + 128,
    ];
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..9),
        prop::sample::select(vec![vec![0u8; 8], vec![0xff; 8], vec![0xff; 4], vec![0; 4]]),
        any::<u64>().prop_map(|word| (word % (16 << 20)).to_le_bytes().to_vec()),
        (0u64..4096).prop_map(|frame| frame.to_le_bytes().to_vec()),
    ];
    (places, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Damaged memory gives evidence or a named error: no panic, and no more is read, hence
    /// allocated, than the case and the mailbox can hold.
    #[test]
    fn damage_is_survived(damages in prop::collection::vec(damage(), 1..5)) {
        let mut ram = IMAGE.with(|image| image.take()).unwrap_or_else(fake::ram);
        let mut undo = Vec::new();
        for (address, bytes) in &damages {
            let at = usize::try_from(*address).unwrap();
            undo.push((*address, ram.bytes[at..at + bytes.len()].to_vec()));
            ram.put(*address, bytes);
        }
        ram.asked.set(0);
        let outcome = observe(&ram);
        let asked = ram.asked.get();
        for (address, bytes) in undo.iter().rev() {
            ram.put(*address, bytes);
        }
        IMAGE.with(|image| image.set(Some(ram)));
        prop_assert!(asked <= READ_MAX, "{} bytes were read", asked);
        match outcome {
            Ok((seen, parts)) => {
                let bytes: usize =
                    seen.channels.iter().flat_map(|c| &c.buffers).map(|b| b.bytes.len()).sum();
                prop_assert!(bytes <= 10 * 4096);
                prop_assert_eq!(parts.results.len(), 2);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

thread_local! {
    /// One image, put right after each damage: 8 MiB a case would be most of the test's time.
    static IMAGE: std::cell::Cell<Option<FakeRam>> = const { std::cell::Cell::new(None) };
}
