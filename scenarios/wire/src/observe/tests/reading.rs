//! What is in memory is what is observed, and what the host says is where the guest looks.

use relaybed_abi::{ChanState, Header, Phase, RB_DATA_SIZE, RB_MAX_EVENTS};
use zerocopy::FromBytes;

use super::fake::{self, MAILBOX, page, structures};
use crate::observe::{Mailbox, Parts, evidence_parts, observation};
use crate::program::{compile, power_off};

#[test]
fn every_member_is_read_from_its_place() {
    let ram = fake::ram();
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    assert_eq!(
        (mailbox.release(), mailbox.linux_version()),
        ("6.1.0", 0x0006_0100)
    );
    assert_eq!((mailbox.cpus_online(), mailbox.address()), (2, MAILBOX));
    let label = Some("middle".to_owned());
    let seen = observation(&ram, &mailbox, &fake::case(), label.clone(), Some((1, 0))).unwrap();
    assert_eq!((seen.label, seen.at), (label, Some((1, 0))));
    let channel = &seen.channels[0];
    assert_eq!((channel.state, channel.version), (ChanState::Open, 7));
    let sizes = (channel.subbuf_size, channel.n_subbufs, channel.alloc_size);
    assert_eq!(sizes, (3000, 4, 12288));
    assert_eq!((channel.last_toobig, channel.is_global), (None, false));
    let buffer = &channel.buffers[1];
    assert_eq!((buffer.cpu, buffer.produced, buffer.consumed), (1, 6, 2));
    assert_eq!(
        (buffer.offset, buffer.data, buffer.bytes_consumed),
        (17, 3000, 123)
    );
    assert_eq!((buffer.finalized, buffer.early_bytes), (1, 6));
    assert_eq!((buffer.prev_padding, buffer.stats), (Some(7), Some((8, 9))));
    assert_eq!(
        (buffer.file_size, &*buffer.padding),
        (Some(4001), &[10, 11, 12, 13][..])
    );
    let parts: Vec<u8> = buffer.bytes.chunks(4096).map(|page| page[4095]).collect();
    assert_eq!(
        parts,
        [4, 5, 6],
        "pages in the order of the list, not of memory"
    );
    assert_eq!(seen.channels[1].buffers[0].file_size, None);
    assert_eq!(seen.channels[1].buffers[1].bytes[0], 9);
}

#[test]
fn each_byte_of_a_buffer_is_read_once() {
    let ram = fake::ram();
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    ram.asked.set(0);
    observation(&ram, &mailbox, &fake::case(), None, None).unwrap();
    let buffers = 10 * 4096;
    assert!(
        ram.asked.get() < buffers + 8192,
        "{} bytes were read",
        ram.asked.get()
    );
}

#[test]
fn results_events_and_data_are_taken() {
    let ram = fake::ram();
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    let parts = evidence_parts(&ram, &mailbox, &fake::case()).unwrap();
    let values: Vec<Vec<u64>> = parts
        .results
        .iter()
        .map(|list| list.iter().map(|one| one.value).collect())
        .collect();
    assert_eq!(values, [vec![40, 41], vec![42]]);
    assert_eq!(
        parts
            .events
            .iter()
            .map(|event| event.produced)
            .collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!((parts.events_lost, parts.data_lost), (0, 0));
    assert_eq!(parts.data, b"Hello world");
    assert_eq!((parts.taint_before, parts.taint_after), (0x1000, 0x1200));
}

#[test]
fn what_found_no_place_is_counted() {
    let mut ram = fake::ram();
    ram.header(|header| {
        header.n_events = u32::try_from(RB_MAX_EVENTS).unwrap() + 5;
        header.n_data = u32::MAX;
    });
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    let parts = evidence_parts(&ram, &mailbox, &fake::case()).unwrap();
    assert_eq!((parts.events.len(), parts.events_lost), (RB_MAX_EVENTS, 5));
    assert_eq!(parts.data.len(), RB_DATA_SIZE);
    assert_eq!(parts.data_lost as usize, u32::MAX as usize - RB_DATA_SIZE);
}

#[test]
fn closed_channels_are_not_followed() {
    let mut ram = fake::ram();
    ram.entry(0, |entry| {
        entry.state = ChanState::Closed.code();
        entry.chan_pa = u64::MAX;
    });
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    let seen = observation(&ram, &mailbox, &fake::case(), None, None).unwrap();
    assert_eq!(seen.channels[0].state, ChanState::Closed);
    assert!(seen.channels[0].buffers.is_empty());
    assert_eq!(seen.channels[1].buffers.len(), 2);
}

#[test]
fn the_one_buffer_of_a_global_channel_is_seen_once() {
    let mut ram = fake::ram();
    ram.put(structures()[0] + 40, &1u32.to_le_bytes());
    ram.entry(0, |entry| entry.bufs[1] = entry.bufs[0]);
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    let seen = observation(&ram, &mailbox, &fake::case(), None, None).unwrap();
    assert!(seen.channels[0].is_global);
    assert_eq!(seen.channels[0].buffers.len(), 1);
}

#[test]
fn a_channel_that_relay_had_to_refuse_is_reported_open_without_buffers() {
    let mut ram = fake::ram();
    let mut case = fake::case();
    (case.channels[0].subbuf_size, case.channels[0].n_subbufs) = (1 << 31, 2);
    ram.entry(0, |entry| {
        (entry.subbuf_size, entry.n_subbufs) = (1 << 31, 2);
    });
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    let seen = observation(&ram, &mailbox, &case, None, None).unwrap();
    assert_eq!(seen.channels[0].state, ChanState::Open);
    assert!(seen.channels[0].buffers.is_empty());
}

#[test]
fn the_host_writes_the_words_that_are_its_own() {
    let mut ram = fake::ram();
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    let now = mailbox.handshake(&ram).unwrap();
    assert_eq!(
        (now.request_seq, now.done_seq, now.phase),
        (4, 4, Phase::Done)
    );
    assert_eq!(
        (now.checkpoint_seq, now.checkpoint_ack, now.refusal_op),
        (9, 0, None)
    );
    let before = mailbox.header(&ram).unwrap();
    for (address, bytes) in [mailbox.request(&now), mailbox.acknowledge(&now)] {
        ram.put(address, &bytes);
    }
    let expected = Header {
        request_seq: 5,
        checkpoint_ack: 9,
        ..before
    };
    assert_eq!(mailbox.header(&ram).unwrap(), expected);
}

#[test]
fn a_program_goes_to_the_sections_of_the_request() {
    let mut ram = fake::ram();
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    let program = compile(&fake::case(), None).unwrap();
    for (address, bytes) in mailbox.program(&program) {
        ram.put(address, bytes);
    }
    let at = usize::try_from(MAILBOX).unwrap() + relaybed_abi::RB_OFF_REQUEST;
    let (request, _) = relaybed_abi::Request::read_from_prefix(&ram.bytes[at..]).unwrap();
    assert_eq!((request.n_ops, request.n_channels), (3, 2));
    assert_eq!(mailbox.program(&power_off()).count(), 1);
    // Nothing of what the guest reports was touched.
    let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
    let seen = observation(&ram, &mailbox, &fake::case(), None, None).unwrap();
    assert_eq!(
        seen.channels[0].buffers[0].bytes[0],
        ram.bytes[usize::try_from(page(0)).unwrap()]
    );
}

#[test]
fn a_checkpoint_is_told_by_label_and_operation() {
    let mut case = fake::case();
    let label = "second".to_owned();
    case.actors[0].ops.push(relaybed_case::Op::Checkpoint {
        label: "first".to_owned(),
    });
    case.actors[1]
        .ops
        .push(relaybed_case::Op::Checkpoint { label });
    let program = compile(&case, None).unwrap();
    let mut ram = fake::ram();
    let mut checkpoint = |label, op| {
        ram.header(|header| (header.checkpoint_label, header.checkpoint_op) = (label, op));
        let mailbox = Mailbox::attach(&ram, MAILBOX).unwrap();
        let now = mailbox.handshake(&ram).unwrap();
        now.checkpoint(&program)
            .cloned()
            .map_err(|error| error.to_string())
    };
    let second = checkpoint(1, 4).unwrap();
    assert_eq!((&*second.label, second.actor, second.op), ("second", 1, 1));
    assert!(
        checkpoint(2, 4)
            .unwrap_err()
            .contains("label reaches to 3, but there are 2")
    );
    assert!(
        checkpoint(0, 4)
            .unwrap_err()
            .contains("operation is 4, not 2")
    );
    assert_eq!(program.place_of(4), Some((1, 1)));
    assert_eq!(program.place_of(5), None);
}

#[test]
fn nothing_has_the_shape_of_the_case() {
    let nothing = Parts::nothing(&fake::case());
    let lens: Vec<usize> = nothing.results.iter().map(Vec::len).collect();
    assert_eq!(lens, [2, 1]);
}
